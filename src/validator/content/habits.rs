//! Habits that work and yet fail sooner or later. At most one finding of a kind for each workflow, so that they do not drown the others.

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::document::node_types::is_trigger;
use crate::validator::content::nodes::{nodes, parameter_path};

const HTTP_REQUEST: &str = "n8n-nodes-base.httpRequest";

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    let without_timeout = |node: &Node| node.kind() == HTTP_REQUEST && !has_timeout(node);
    if let Some((index, node, count)) = found(definition, without_timeout) {
        let message = format!("{} without a timeout: a server that hangs holds the execution for minutes", counted(count, "HTTP request"));
        let at = parameter_path(index, &["options", "timeout"]);
        findings.push(Finding::warning(Code::HttpWithoutTimeout, at, message).at_node(node.name()));
    }
    let handled = definition.settings.get("errorWorkflow").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    if !handled && let Some((index, node, count)) = found(definition, |node| calls_out(node) && !handles_errors(node)) {
        let message =
            format!("{} without error handling: set an error workflow, retryOnFail or onError", counted(count, "call to a service"));
        let at = json_path::key(&json_path::index("nodes", index), "onError");
        findings.push(Finding::warning(Code::ErrorsUnhandled, at, message).at_node(node.name()));
    }
}

/// Returns the number of enabled nodes that match, and the first of them by name, so that the order of nodes does not matter.
fn found(definition: &Definition, wanted: impl Fn(&Node) -> bool) -> Option<(usize, &Node, usize)> {
    let all: Vec<(usize, &Node)> = nodes(definition).filter(|(_, node)| wanted(node) && !node.disabled()).collect();
    let (index, node) = all.iter().copied().min_by_key(|(_, node)| node.name())?;
    Some((index, node, all.len()))
}

fn counted(count: usize, noun: &str) -> String {
    match (count, noun.split_once(' ')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(("call", rest))) => format!("{count} calls {rest}"),
        _ => format!("{count} {noun}s"),
    }
}

fn has_timeout(node: &Node) -> bool {
    let options = |key| node.parameter(key).and_then(|options| options.get("timeout")).is_some();
    options("options") || node.parameter("timeout").is_some()
}

/// Reports whether the node calls a service: it has a credential, or is an HTTP request.
fn calls_out(node: &Node) -> bool {
    let has_credentials = node.credentials().is_some_and(|credentials| !credentials.is_empty());
    !is_trigger(node.kind()) && (node.kind() == HTTP_REQUEST || has_credentials && !node.kind().starts_with("@n8n/n8n-nodes-langchain."))
}

/// Reports whether the node says what happens after an error, even in the wrong place, which another finding reports.
fn handles_errors(node: &Node) -> bool {
    let own = |key: &str| node.0.get(key).or_else(|| node.parameter(key));
    let on = |key| own(key) == Some(&Value::Bool(true));
    let mode = own("onError").and_then(Value::as_str);
    let continues = mode.is_some_and(|mode| matches!(mode, "continueErrorOutput" | "continueRegularOutput"));
    continues || on("continueOnFail") || on("retryOnFail")
}
