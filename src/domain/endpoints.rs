//! Where a published workflow can be called from outside.
//!
//! Source: `webhook.service.js` (`getNodeWebhooks`), `webhook-trigger-registrar.js` and the `webhooks` of the
//! node descriptions of n8n 2.39.10; n8n-api.md section 4.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::domain::definition::{Definition, Node};
use crate::domain::finding::{Code, Finding, cut, is_full, quoted};
use crate::domain::{node_types, path};

const WEBHOOK: &str = "n8n-nodes-base.webhook";
const FORM: &str = "n8n-nodes-base.formTrigger";
const CHAT: &str = "@n8n/n8n-nodes-langchain.chatTrigger";
const MCP: &str = "@n8n/n8n-nodes-langchain.mcpTrigger";
/// Whatever may not stand in a part of a URL's path as it is (`pchar` of RFC 3986). n8n decodes each part before it looks (measured).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
/// How much of a path or method is repeated in a message, in characters.
const LONGEST: usize = 200;

/// What kind of caller an endpoint is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointKind {
    /// A Webhook node.
    Webhook,
    /// A form for people.
    Form,
    /// A public chat.
    Chat,
    /// A server for agents (Model Context Protocol).
    Mcp,
    /// A trigger that one service calls, such as Telegram or GitHub.
    Service,
}

/// A place where n8n listens on behalf of a published workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The node, by name.
    pub node: String,
    /// Who calls it.
    pub kind: EndpointKind,
    /// The methods that it answers, in capitals. Empty where they are computed by an expression.
    pub methods: Vec<String>,
    /// The first part of the URL's path, by n8n's defaults: `webhook`, `form` or `mcp`.
    pub base: &'static str,
    /// The path below [`Self::base`], without a leading slash, as n8n serves it. Parameters stay as `:name`.
    /// Where it is computed by an expression, the expression itself.
    pub path: String,
    /// Whether path and methods are known without running n8n's expressions.
    pub verifiable: bool,
}

impl Endpoint {
    /// The URL path with parameters as `:name`, such as `/webhook/orders`.
    pub fn url_path(&self) -> String {
        format!("/{}/{}", self.base, self.path)
    }

    /// The URL path as a caller writes it: [`Self::url_path`] with whatever has a meaning of its own in a URL encoded.
    pub fn address(&self) -> String {
        let encoded: Vec<String> = self.path.split('/').map(|segment| utf8_percent_encode(segment, ENCODED).to_string()).collect();
        format!("/{}/{}", self.base, encoded.join("/"))
    }

    /// The URL path with parameters filled in with a placeholder, for a check that a route exists.
    pub fn check_path(&self) -> String {
        let fill = |segment: &'_ str| {
            if segment.starts_with(':') { "0".to_owned() } else { segment.to_owned() }
        };
        let path: Vec<String> = self.path.split('/').map(fill).collect();
        format!("/{}/{}", self.base, path.join("/"))
    }
}

/// The endpoints of the enabled trigger nodes, in node order. Nodes that only wait for an answer within an
/// execution have no place of their own. Run it after the ids are filled in: `webhookId` is part of URLs.
pub fn webhook_endpoints(definition: &Definition) -> Vec<Endpoint> {
    definition.nodes.iter().filter(|node| !node.disabled()).flat_map(of_node).collect()
}

/// Whether nodes of a type can have endpoints at all.
pub fn listens(kind: &str) -> bool {
    matches!(kind, WEBHOOK | FORM | CHAT | MCP) || node_types::service_trigger(kind).is_some()
}

fn of_node(node: &Node) -> Vec<Endpoint> {
    match node.kind() {
        WEBHOOK => of_webhook(node),
        FORM => of_form(node),
        CHAT => of_chat(node),
        MCP => of_mcp(node),
        kind => match node_types::service_trigger(kind) {
            Some((methods, suffix)) => {
                let path = format!("{}/{suffix}", node.webhook_id().unwrap_or_default());
                vec![endpoint(node, EndpointKind::Service, "webhook", methods, path)]
            }
            None => Vec::new(),
        },
    }
}

fn endpoint(node: &Node, kind: EndpointKind, base: &'static str, methods: &[&str], path: String) -> Endpoint {
    let verifiable = !path.starts_with('=') && !path.is_empty() && !path.starts_with('/');
    let methods = methods.iter().map(|method| (*method).to_owned()).collect();
    Endpoint { node: node.name().to_owned(), kind, methods, base, path, verifiable }
}

fn of_webhook(node: &Node) -> Vec<Endpoint> {
    let path = served_path(node, text(node.parameter("path")));
    let several = node.parameter("multipleMethods").and_then(Value::as_bool).unwrap_or(false);
    let methods: Option<Vec<String>> = match node.parameter("httpMethod") {
        Some(Value::String(expression)) if expression.starts_with('=') => None,
        Some(Value::String(methods)) if !methods.is_empty() => Some(methods.split(',').map(|method| method.trim().to_owned()).collect()),
        Some(Value::Array(methods)) => Some(methods.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ if several => Some(vec!["GET".into(), "POST".into()]),
        _ => Some(vec!["GET".into()]),
    };
    let mut found = endpoint(node, EndpointKind::Webhook, "webhook", &[], path);
    found.verifiable &= methods.is_some();
    found.methods = methods.unwrap_or_default();
    vec![found]
}

fn of_form(node: &Node) -> Vec<Endpoint> {
    const METHODS: &[&str] = &["GET", "POST"];
    let own = text(node.parameter("path"));
    if node.type_version().is_some_and(|version| version < 2.0) {
        let path = if own.starts_with('=') { own.to_owned() } else { served_path(node, &format!("{own}/n8n-form")) };
        return vec![endpoint(node, EndpointKind::Form, "webhook", METHODS, path)];
    }
    let option = node.parameter("options").and_then(|options| options.get("path"));
    let path = [own, text(option)].into_iter().find(|path| !path.is_empty()).unwrap_or_default();
    vec![endpoint(node, EndpointKind::Form, "form", METHODS, served_path(node, path))]
}

fn of_chat(node: &Node) -> Vec<Endpoint> {
    // A chat that is not public answers 404 to everybody but the editor.
    if node.parameter("public") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let path = format!("{}/chat", node.webhook_id().unwrap_or_default());
    vec![endpoint(node, EndpointKind::Chat, "webhook", &["GET", "POST"], path)]
}

fn of_mcp(node: &Node) -> Vec<Endpoint> {
    let own = text(node.parameter("path"));
    let of = |methods: &[&str], suffix: &str| {
        let path = if own.starts_with('=') { own.to_owned() } else { served_path(node, &format!("{own}{suffix}")) };
        endpoint(node, EndpointKind::Mcp, "mcp", methods, path)
    };
    if node.type_version().is_some_and(|version| version < 2.0) {
        return vec![of(&["GET"], "/sse"), of(&["POST"], "/messages"), of(&["DELETE"], "")];
    }
    vec![of(&["GET", "POST", "DELETE"], "")]
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// The path that n8n serves for a node whose author wrote `path`.
fn served_path(node: &Node, path: &str) -> String {
    if path.starts_with('=') {
        return path.to_owned();
    }
    let path = path.trim();
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    match (node.webhook_id(), path) {
        (Some(id), "") => id.to_owned(),
        (Some(id), _) if has_parameters(path) => format!("{id}/{path}"),
        _ => path.to_owned(),
    }
}

fn has_parameters(path: &str) -> bool {
    path.starts_with(':') || path.contains("/:")
}

/// A method that no endpoint with this path answers, for the check that a route is there: n8n answers it with
/// "not registered for … requests" and runs nothing. `None` where all are in use, or not known.
///
/// `path` is that of [`Endpoint::path`].
pub fn unused_method(endpoints: &[Endpoint], path: &str) -> Option<&'static str> {
    // The rarest first: on an instance that others use too, the path may serve another workflow with another method,
    // and calling that would run it. HEAD is out, its answer has no text.
    const CANDIDATES: &[&str] = &["PATCH", "PUT", "DELETE", "GET", "POST"];
    let mut same_path = endpoints.iter().filter(|endpoint| endpoint.path == path).peekable();
    same_path.peek()?;
    let used: Vec<&Endpoint> = same_path.collect();
    if used.iter().any(|endpoint| !endpoint.verifiable) {
        return None;
    }
    let in_use = |method: &str| used.iter().any(|e| e.methods.iter().any(|m| m.eq_ignore_ascii_case(method)));
    CANDIDATES.iter().copied().find(|method| !in_use(method))
}

/// Paths under which no caller can reach an enabled node: clients and proxies resolve `.` and `..`, and take empty parts out, before
/// n8n sees the address. Blanks at the ends, and one slash there, n8n takes off itself.
pub fn unreachable_paths(definition: &Definition) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, node) in definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled()) {
        let all = of_node(node);
        // A path that only lacks the node's webhookId gets one.
        let path = all.iter().map(|endpoint| endpoint.path.as_str()).find(|path| !path.is_empty() && !path.starts_with('='));
        let Some(path) = path.filter(|_| !is_full(&findings)) else { continue };
        let odd = |part: &str| match part {
            "" => Some("has an empty part"),
            "." | ".." => Some("has a part that is . or .."),
            _ if part.contains(|c: char| c.is_control()) => Some("holds a control character"),
            _ => None,
        };
        let own = path.strip_prefix('/').filter(|_| node.webhook_id().is_none()).unwrap_or(path);
        let Some(what) = own.split('/').find_map(odd) else { continue };
        let message = format!("the path {what}, so that no address leads there; write it plainly, such as orders/new");
        let at = path::key(&path::key(&path::index("nodes", index), "parameters"), "path");
        findings.push(Finding::error(Code::WebhookPathInvalid, at, message).at_node(node.name()));
    }
    findings
}

/// Enabled nodes of one document that listen on one method and path, which n8n refuses to publish (409).
pub fn endpoint_conflicts(definition: &Definition) -> Vec<Finding> {
    // By path and method, the node that was first.
    let mut seen: HashMap<String, HashMap<String, &str>> = HashMap::new();
    let mut findings = Vec::new();
    for (index, node) in definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled()) {
        for endpoint in of_node(node).into_iter().filter(|endpoint| endpoint.verifiable) {
            let url = cut(&endpoint.url_path(), LONGEST);
            let first_of = seen.entry(endpoint.path).or_default();
            for method in endpoint.methods.iter().map(|method| method.to_ascii_uppercase()) {
                let Some(first) = first_of.get(&method) else {
                    first_of.insert(method, node.name());
                    continue;
                };
                if is_full(&findings) {
                    return findings;
                }
                let message = format!("{} {url} is already served by node {}", cut(&method, LONGEST), quoted(first));
                let at = path::key(&path::key(&path::index("nodes", index), "parameters"), "path");
                findings.push(Finding::error(Code::WebhookConflict, at, message).at_node(node.name()));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;
