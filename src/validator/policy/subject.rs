//! Subject of policy checks: the rules, and the nodes of a definition.

use crate::api::policy::WorkflowPolicySpec;
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, quoted};
use crate::document::inline::{Found, all_nodes};
use crate::document::json_path;
use crate::document::node_types::STICKY_NOTE;

/// A policy and its name.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Name of the object, which messages mention.
    pub name: &'a str,
    /// Its rules.
    pub rules: &'a WorkflowPolicySpec,
}

/// The nodes of a definition and of the workflows inside its nodes, without sticky notes.
pub(super) struct Nodes<'a> {
    definition: &'a Definition,
    /// The nodes.
    pub(super) all: Vec<Found<'a>>,
    /// Indices of nodes that run a workflow whose content is only known at run time.
    pub(super) unknown: Vec<usize>,
}

impl<'a> Nodes<'a> {
    /// Collects the nodes of a definition.
    pub(super) fn of(definition: &'a Definition) -> Self {
        let found = all_nodes(definition);
        let all = found.nodes.into_iter().filter(|found| found.node.kind() != STICKY_NOTE).collect();
        Self { definition, all, unknown: found.unknown }
    }

    /// Returns the name of a node of the outermost definition.
    pub(super) fn name(&self, index: usize) -> &str {
        self.definition.nodes.get(index).map(Node::name).unwrap_or_default()
    }

    /// Returns an error at a field of a node. For a node of a workflow inside another node, that is the parameter that holds the workflow.
    pub(super) fn error(&self, found: &Found<'_>, keys: &[&str], code: Code, message: String) -> Finding {
        let base = json_path::index("nodes", found.index);
        let (keys, message): (&[&str], _) = match found.inside {
            true => (&["parameters", "workflowJson"], format!("{message}, in node {} of the workflow inside", quoted(found.node.name()))),
            false => (keys, message),
        };
        let at = keys.iter().fold(base, |at, key| json_path::key(&at, key));
        Finding::error(code, at, message).at_node(self.name(found.index))
    }
}
