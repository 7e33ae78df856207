//! Start of the workflow.

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding};
use crate::document::node_types::{is_manual_trigger, is_trigger};
use crate::document::{json_path, triggers};
use crate::validator::content::nodes::nodes;

pub(super) fn check(definition: &Definition, to_publish: bool, findings: &mut Vec<Finding>) {
    // Take the first by name, so that the order of the nodes does not matter.
    let find = |wanted: fn(&Node) -> bool| nodes(definition).filter(|(_, node)| wanted(node)).min_by_key(|(_, node)| node.name());
    let production: fn(&Node) -> bool = |node| is_trigger(node.kind()) && !is_manual_trigger(node.kind());
    let any: fn(&Node) -> bool = |node| is_trigger(node.kind());
    if triggers::has_trigger(definition) {
        return;
    }
    if !to_publish {
        if find(any).is_none() {
            let message = "the workflow has no trigger node, so nothing can start it; add one";
            findings.push(Finding::warning(Code::TriggerMissing, "nodes", message));
        }
        return;
    }
    // n8n publishes a workflow without any production trigger if a node waits for a response.
    if find(any).is_some() && triggers::may_be_published(definition) {
        let message = "the workflow is active, but only a person in the editor can start it; add a trigger";
        findings.push(Finding::warning(Code::TriggerMissing, "nodes", message));
        return;
    }
    let refusal = |at, message| Finding::error(Code::TriggerMissing, at, message);
    findings.push(if let Some((index, node)) = find(production) {
        let message = "the workflow is active and its only trigger is disabled, so to n8n it has no trigger node; enable it";
        refusal(json_path::key(&json_path::index("nodes", index), "disabled"), message).at_node(node.name())
    } else if let Some((index, node)) = find(any) {
        let message = "the workflow is active and only starts manually, so to n8n it has no trigger node; add one";
        refusal(json_path::key(&json_path::index("nodes", index), "type"), message).at_node(node.name())
    } else {
        refusal("nodes".into(), "the workflow is active and has no trigger node, so nothing can start it; add one")
    });
}
