//! Hosts that nodes call by HTTP, as far as the definition tells them. A redirect to another host is not visible here.

use serde_json::Value;
use url::Url;

use super::subject::{Nodes, Policy};
use crate::api::policy::Effect;
use crate::catalog::Catalog;
use crate::document::definition::Node;
use crate::document::finding::{Code, Finding, Severity, quoted};
use crate::text::pattern::matches;

/// Parameters that hold the URL of a call, by node type.
const URLS: &[(&str, &[&str])] = &[
    ("n8n-nodes-base.httpRequest", &["url"]),
    ("n8n-nodes-base.httpRequest", &["options", "proxy"]),
    ("n8n-nodes-base.httpRequest", &["options", "pagination", "pagination", "nextURL"]),
    ("n8n-nodes-base.graphql", &["endpoint"]),
    ("n8n-nodes-base.rssFeedRead", &["url"]),
    ("n8n-nodes-base.rssFeedReadTrigger", &["feedUrl"]),
    ("n8n-nodes-base.executeWorkflow", &["workflowUrl"]),
    ("@n8n/n8n-nodes-langchain.toolHttpRequest", &["url"]),
    ("@n8n/n8n-nodes-langchain.mcpClient", &["endpointUrl"]),
    ("@n8n/n8n-nodes-langchain.mcpClientTool", &["endpointUrl"]),
    ("@n8n/n8n-nodes-langchain.mcpClientTool", &["sseEndpoint"]),
];

/// Host of a URL.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    /// Host name and port.
    Known(String, Option<u16>),
    /// An expression computes it, or it cannot be read with certainty.
    Unknown,
}

pub(super) fn check(policy: &Policy<'_>, nodes: &Nodes<'_>, catalog: &Catalog, findings: &mut Vec<Finding>) {
    let Some(allowed) = &policy.rules.allowed_hosts else { return };
    for found in &nodes.all {
        let base = catalog.base(found.node.kind()).unwrap_or(found.node.kind());
        for (_, keys) in URLS.iter().filter(|(kind, _)| *kind == base) {
            let Some(value) = parameter(&found.node, keys).filter(|value| !value.is_null() && **value != "") else { continue };
            let path: Vec<&str> = std::iter::once("parameters").chain(keys.iter().copied()).collect();
            let error = |code, message| nodes.error(found, &path, code, message);
            match host(value) {
                Host::Known(name, port) if allowed.iter().any(|pattern| fits(pattern, &name, port)) => {}
                Host::Known(name, _) => {
                    let message = format!("WorkflowPolicy {} does not allow host {} (allowedHosts)", policy.name, quoted(&name));
                    findings.push(error(Code::PolicyHost, message));
                }
                Host::Unknown => {
                    let message = format!(
                        "WorkflowPolicy {} restricts hosts, and the host of this URL is only known at run time; write scheme and host out, as in \
                         =https://api.example.com/{{{{ … }}}}",
                        policy.name
                    );
                    let severity = if policy.rules.unknown_hosts == Effect::Deny { Severity::Error } else { Severity::Warning };
                    findings.push(Finding { severity, ..error(Code::PolicyHostUnknown, message) });
                }
            }
        }
    }
}

fn parameter<'a>(node: &'a Node, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(node.parameter(first)?, |value, key| value.get(*key))
}

/// Returns the host of a URL. That of an expression is known if the text before the first `{{` contains it whole.
fn host(value: &Value) -> Host {
    let Some(text) = value.as_str() else { return Host::Unknown };
    let known = match text.strip_prefix('=') {
        None => text,
        Some(template) => match template.split_once("{{") {
            None => template,
            Some((before, _)) if ends_host(before) => before,
            Some(_) => return Host::Unknown,
        },
    };
    // Readers of URLs disagree about these.
    if known.contains(|c: char| c == '\\' || c.is_control()) {
        return Host::Unknown;
    }
    match Url::parse(known.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => match url.host_str() {
            Some(host) => Host::Known(host.trim_end_matches('.').to_owned(), url.port_or_known_default()),
            None => Host::Unknown,
        },
        _ => Host::Unknown,
    }
}

/// Reports whether the host of a URL ends within its beginning.
fn ends_host(beginning: &str) -> bool {
    beginning.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
}

fn fits(pattern: &str, host: &str, port: Option<u16>) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.rsplit_once(':').and_then(|(name, digits)| Some((name, digits.parse::<u16>().ok()?))) {
        Some((name, wanted)) => port == Some(wanted) && matches(name, host),
        None => matches(&pattern, host),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_host_of_a_url_is_known_or_not() {
        for (url, wanted) in [
            ("https://api.example.com/a", Some(("api.example.com", 443))),
            ("https://API.Example.com", Some(("api.example.com", 443))),
            ("http://api.example.com:8080/a?b#c", Some(("api.example.com", 8080))),
            ("https://user:x@api.example.com/", Some(("api.example.com", 443))),
            ("https://api.example.com@evil.example/", Some(("evil.example", 443))),
            ("https://api.example.com./", Some(("api.example.com", 443))),
            ("https://b\u{fc}cher.example/", Some(("xn--bcher-kva.example", 443))),
            ("http://127.1/", Some(("127.0.0.1", 80))),
            ("=https://api.example.com/{{ $json.id }}", Some(("api.example.com", 443))),
            ("=https://api.example.com?q={{ $json.id }}", Some(("api.example.com", 443))),
            ("=https://api.example.com", Some(("api.example.com", 443))),
            ("=https://api.example.com{{ $json.path }}", None),
            ("=https://api.example.com:{{ $json.port }}/", None),
            ("=https://{{ $json.host }}/", None),
            ("={{ $json.url }}", None),
            ("={{ 'https://' }}api.example.com/", None),
            ("https://evil.example\\@api.example.com/", None),
            ("https://api.exam\tple.com/", None),
            ("api.example.com/a", None),
            ("//api.example.com/a", None),
            ("ftp://api.example.com/a", None),
        ] {
            let wanted = wanted.map_or(Host::Unknown, |(host, port)| Host::Known(host.to_owned(), Some(port)));
            assert_eq!(host(&json!(url)), wanted, "{url}");
        }
        assert_eq!(host(&json!(7)), Host::Unknown);
    }

    #[test]
    fn a_pattern_names_a_host_and_perhaps_a_port() {
        for (pattern, name, port, wanted) in [
            ("api.example.com", "api.example.com", 443, true),
            ("API.example.com", "api.example.com", 443, true),
            ("*.example.com", "a.b.example.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("*.example.com", "example.com.evil.example", 443, false),
            ("*:8443", "api.example.com", 8443, true),
            ("api.example.com:8443", "api.example.com", 443, false),
            ("[::1]:80", "[::1]", 80, true),
        ] {
            assert_eq!(fits(pattern, name, Some(port)), wanted, "{pattern} {name}:{port}");
        }
    }
}
