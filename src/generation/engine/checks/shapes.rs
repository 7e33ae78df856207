//! Shapes of values that a service takes without an error, and then ignores.

use serde_json::Value;

use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::generation::engine::graph::Flow;

pub(super) fn check(flow: &Flow<'_>, findings: &mut Vec<Finding>) {
    for (at, own, node) in flow.nodes() {
        let Some(blocks) = node.parameter("blocksUi").filter(|_| flow.short(at).starts_with("slack")) else { continue };
        let read = match blocks {
            Value::String(text) if text.starts_with('=') || text.starts_with('?') => continue,
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.clone(),
        };
        if read.get("blocks").is_none_or(|list| !list.is_array()) {
            let message = "Slack sends nothing for a bare list; write {\"blocks\": [\u{2026}]}";
            let path = json_path::key(&json_path::key(&json_path::index("nodes", at), "set"), "blocksUi");
            findings.push(Finding::error(Code::ParameterJson, path, message).at_node(&own.name));
        }
    }
}
