//! Nodes that never run because no trigger leads to them, and triggers that lead nowhere.

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::document::node_types::is_trigger;
use crate::validator::content::graph::Graph;
use crate::validator::content::nodes::nodes;

pub(super) fn check(definition: &Definition, graph: &Graph<'_>, findings: &mut Vec<Finding>) {
    let triggers: Vec<usize> = nodes(definition).filter(|(_, node)| is_trigger(node.kind())).map(|(index, _)| index).collect();
    if triggers.is_empty() {
        return;
    }
    let only_node = nodes(definition).count() == 1;
    for &index in triggers.iter().filter(|_| !only_node) {
        let node = &definition.nodes[index];
        if !node.disabled() && graph.outgoing(index).is_empty() && graph.incoming(index).is_empty() {
            let message = "the trigger is not connected, so its executions do nothing; connect or remove it";
            findings.push(at(definition, Code::TriggerDisconnected, index, message));
        }
    }
    let lost: Vec<usize> = nodes(definition)
        .filter(|(index, node)| {
            !graph.runs(*index) && !node.disabled() && !node.name().is_empty() && graph.index(node.name()) == Some(*index)
        })
        .map(|(index, _)| index)
        .collect();
    report_lost(definition, graph, lost, findings);
}

/// Reports each part that is cut off once, at its first node.
fn report_lost(definition: &Definition, graph: &Graph<'_>, mut lost: Vec<usize>, findings: &mut Vec<Finding>) {
    // First the nodes that have no incoming connection and are not attached to another node; then cycles among the remaining nodes.
    let begins = |index: usize| !graph.incoming(index).iter().any(|edge| edge.main && edge.from != index) && !graph.is_sub_node(index);
    lost.sort_by_key(|index| (!begins(*index), graph.is_sub_node(*index), definition.nodes[*index].name()));
    let mut covered = vec![false; definition.nodes.len()];
    for index in lost {
        if covered[index] {
            continue;
        }
        let alone = graph.outgoing(index).is_empty() && graph.incoming(index).is_empty();
        findings.push(if alone {
            at(definition, Code::NodeUnconnected, index, "the node is not connected and never runs; connect or remove it")
        } else {
            at(
                definition,
                Code::NodeUnreachable,
                index,
                "no trigger leads to this node, so it and the nodes after it never run; connect it",
            )
        });
        for (other, reached) in graph.reached([index]).into_iter().enumerate() {
            covered[other] |= reached;
        }
    }
}

fn at(definition: &Definition, code: Code, index: usize, message: &str) -> Finding {
    let name = definition.nodes.get(index).map(Node::name).unwrap_or_default();
    Finding::warning(code, json_path::key(&json_path::index("nodes", index), "name"), message).at_node(name)
}
