//! Checks of node groups that depend on the types of their members.
//!
//! Source: `validateNodeSelectionSubgraph` of n8n-workflow's node-grouping-validation.js. n8n itself checks that the members are connected
//! with one entry and one exit.

use serde_json::Value;

use super::node::Known;
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;

pub(super) fn check(definition: &Definition, nodes: &[Option<Known<'_>>], findings: &mut Vec<Finding>) {
    for (index, group) in definition.node_groups.iter().enumerate() {
        let members = group.get("nodeIds").and_then(Value::as_array);
        let named = |id: &Value| definition.nodes.iter().position(|node| node.id() == id.as_str() && node.id().is_some());
        let triggers = members.into_iter().flatten().filter_map(named).filter_map(|place| nodes.get(place)?.as_ref());
        for trigger in triggers.filter(|known| known.facts().trigger) {
            let name = trigger.node.name();
            let message = format!("a node group holds the trigger {}, which n8n refuses; remove it from the group", quoted(name));
            let at = json_path::key(&json_path::index("nodeGroups", index), "nodeIds");
            findings.push(Finding::error(Code::NodeGroupConflict, at, message).at_node(Node::name(trigger.node)));
        }
    }
}
