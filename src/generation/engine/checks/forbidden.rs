//! Actions that are forbidden to generated workflows under every policy: reading the environment, calling the infrastructure of n8n.

use serde_json::Value;

use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::generation::engine::graph::{Flow, each_text};
use crate::generation::hostile::{fold, infrastructure_in};

/// Parts of texts that read secrets of the process or of its host.
const READS: &[&str] = &[
    "$env",
    "process.env",
    "process[",
    "globalthis.process",
    "n8n_encryption_key",
    "/var/run/secrets",
    "/proc/self",
    "/etc/passwd",
    "/etc/shadow",
    ".ssh/id_",
    "require('child_process')",
    "require(\"child_process\")",
    "child_process",
    "constructor.constructor",
    "docker.sock",
    "$secrets.",
    "os.environ",
    "/.env",
];

pub(super) fn check(flow: &Flow<'_>, findings: &mut Vec<Finding>) {
    for (at, own, node) in flow.nodes() {
        let mut hit: Option<(String, &'static str)> = None;
        let mut look = |path: &str, text: &str| {
            if hit.is_none() {
                hit = is_forbidden(text).map(|what| (path.to_owned(), what));
            }
        };
        for (key, value) in node.parameters().into_iter().flatten() {
            each_text(value, &json_path::key("set", key), &mut look);
        }
        each_text(&Value::from(own.note.clone()), "note", &mut look);
        if let Some((path, what)) = hit {
            let message = format!("a generated workflow may not {what}; take the value from the request, or leave it a ?slot");
            let path = format!("{}.{path}", json_path::index("nodes", at));
            findings.push(Finding::error(Code::GeneratedForbidden, path, message).at_node(&own.name));
        }
    }
}

/// Returns what a text does that no generated workflow may do.
fn is_forbidden(text: &str) -> Option<&'static str> {
    let folded = fold(text);
    // `$['env']` and `process [ 'env' ]` are the same in JavaScript.
    let plain: String = folded.chars().filter(|c| !c.is_whitespace()).collect();
    let brackets = plain.replace(['\'', '"', '`'], "").replace('[', ".").replace(']', "").replace("?.", ".");
    if READS.iter().any(|part| folded.contains(part) || plain.contains(part))
        || ["process.env", "$.env", "this.$env", "$env"].iter().any(|part| brackets.contains(part))
    {
        return Some("read the environment, files or processes of the host");
    }
    infrastructure_in(&folded).then_some("call link-local, metadata or cluster addresses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguised_forms_are_recognised() {
        for text in [
            "={{ $env.SECRET }}",
            "={{ $env['SECRET'] }}",
            "return process . env",
            "return process['env']",
            "globalThis.process",
            "http://169.254.169.254/",
            "={{ '169.254' + '.169.254' }}",
            "http://0251.0376.0251.0376/",
            "require('child_process')",
            "={{ [].constructor.constructor('return 1')() }}",
            "http://[::ffff:a9fe:a9fe]/",
        ] {
            assert!(is_forbidden(text).is_some(), "{text}");
        }
        for text in ["={{ $json.environment }}", "the process ends", "https://api.example.com/v1", "10.0.0.1", "={{ $now.toISO() }}"] {
            assert_eq!(is_forbidden(text), None, "{text}");
        }
    }
}
