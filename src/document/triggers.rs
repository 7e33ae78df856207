//! Nodes that start a workflow.

use crate::document::definition::{Definition, Node};
use crate::document::endpoints::listens;
use crate::document::node_types;

/// Returns the enabled nodes that start an execution other than manually.
pub fn production_triggers(definition: &Definition) -> impl Iterator<Item = &Node> {
    definition
        .nodes
        .iter()
        .filter(|node| !node.disabled())
        .filter(|node| node_types::is_trigger(node.kind()) && !node_types::is_manual_trigger(node.kind()))
}

/// Triggers that other workflows start, and for which n8n registers nothing.
const CALLED_BY_WORKFLOWS: [&str; 2] = ["n8n-nodes-base.executeWorkflowTrigger", "n8n-nodes-base.errorTrigger"];

/// Returns the names of the enabled triggers that n8n has to start and that nobody can call from outside: schedules, polls, queues.
pub fn triggers_without_endpoint(definition: &Definition) -> impl Iterator<Item = &str> {
    let started = |node: &&Node| !CALLED_BY_WORKFLOWS.contains(&node.kind()) && !listens(node.kind());
    production_triggers(definition).filter(started).map(Node::name)
}

/// Reports whether anything but a person in the editor starts this workflow.
///
/// This is the author's intent. n8n itself is more lenient: it publishes a workflow whose only start is manual if any enabled node has a
/// webhook, such as a node that waits for a response in Slack.
pub fn has_trigger(definition: &Definition) -> bool {
    production_triggers(definition).next().is_some()
}

/// Reports whether n8n would accept that the workflow has a trigger, as far as that can be known without a catalogue: an enabled node
/// counts if it is a trigger (not a manual one) or has webhooks.
pub fn may_be_published(definition: &Definition) -> bool {
    definition.nodes.iter().filter(|node| !node.disabled()).any(|node| {
        let kind = node.kind();
        !node_types::is_manual_trigger(kind) && (node_types::is_trigger(kind) || node_types::has_webhooks(kind))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::parse::parse;

    fn with(kinds: &[(&str, bool)]) -> Definition {
        let nodes: Vec<_> = kinds
            .iter()
            .enumerate()
            .map(|(i, (kind, disabled))| json!({"name": i.to_string(), "type": kind, "disabled": disabled}))
            .collect();
        parse(&json!({"nodes": nodes, "connections": {}})).unwrap().definition
    }

    #[test]
    fn a_manual_or_disabled_trigger_starts_nothing() {
        assert!(!has_trigger(&with(&[("n8n-nodes-base.manualTrigger", false), ("n8n-nodes-base.set", false)])));
        assert!(!has_trigger(&with(&[("n8n-nodes-base.webhook", true)])));
        assert!(!may_be_published(&with(&[("n8n-nodes-base.webhook", true)])));
        assert!(has_trigger(&with(&[("n8n-nodes-base.webhook", false)])));
        assert!(has_trigger(&with(&[("n8n-nodes-base.errorTrigger", false)])));
        assert!(has_trigger(&with(&[("@acme/n8n-nodes-x.fooTrigger", false)])));
    }

    #[test]
    fn schedules_and_queues_have_no_endpoint() {
        let kinds =
            ["scheduleTrigger", "webhook", "errorTrigger", "executeWorkflowTrigger", "manualTrigger", "telegramTrigger", "redisTrigger"];
        let kinds = kinds.map(|kind| format!("n8n-nodes-base.{kind}"));
        let definition = with(&kinds.each_ref().map(|kind| (kind.as_str(), false)));
        assert_eq!(triggers_without_endpoint(&definition).collect::<Vec<_>>(), ["0", "6"]);
    }

    #[test]
    fn n8n_publishes_a_manual_workflow_that_waits_for_an_answer() {
        let definition = with(&[("n8n-nodes-base.manualTrigger", false), ("n8n-nodes-base.slack", false)]);
        assert!(!has_trigger(&definition));
        assert!(may_be_published(&definition));
    }
}
