//! Access to the nodes of a definition, for checks of their content.

use crate::document::definition::{Definition, Node};
use crate::document::finding::Severity;
use crate::document::json_path;
use crate::document::node_types::STICKY_NOTE;

/// Returns the nodes that n8n runs, with their index: notes on the canvas are left out.
pub(super) fn nodes(definition: &Definition) -> impl Iterator<Item = (usize, &Node)> {
    definition.nodes.iter().enumerate().filter(|(_, node)| !is_note(node))
}

fn is_note(node: &Node) -> bool {
    node.kind() == STICKY_NOTE
}

/// Returns the path of a parameter of the node at `index`.
pub(super) fn parameter_path(index: usize, keys: &[&str]) -> String {
    keys.iter().fold(json_path::key(&json_path::index("nodes", index), "parameters"), |at, key| json_path::key(&at, key))
}

/// Returns the severity of a problem that is an error in an enabled node and a warning in a disabled one.
pub(super) fn unless_disabled(node: &Node) -> Severity {
    if node.disabled() { Severity::Warning } else { Severity::Error }
}
