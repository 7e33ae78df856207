//! Parts of a workflow that have a canonical form.

use serde_json::{Map, Value};

use crate::document::definition::{Definition, Node};

/// Parts of a workflow that its digest covers, borrowed from a definition or from a response of n8n.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Nodes.
    pub nodes: Nodes<'a>,
    /// Connections; anything but an object counts as none.
    pub connections: Option<&'a Map<String, Value>>,
    /// Node groups.
    pub node_groups: &'a [Value],
    /// All settings, managed or not.
    pub settings: &'a Map<String, Value>,
}

/// Nodes of a definition or of a response.
#[derive(Debug, Clone, Copy)]
pub enum Nodes<'a> {
    /// Nodes of a definition.
    Parsed(&'a [Node]),
    /// Nodes as n8n returned them.
    Read(&'a [Value]),
}

impl<'a> Nodes<'a> {
    /// Returns the nodes as objects; other values are skipped.
    pub fn iter(self) -> impl Iterator<Item = &'a Map<String, Value>> {
        let (ours, read): (&[Node], &[Value]) = match self {
            Nodes::Parsed(nodes) => (nodes, &[]),
            Nodes::Read(values) => (&[], values),
        };
        ours.iter().map(|node| &node.0).chain(read.iter().filter_map(Value::as_object))
    }
}

impl<'a> Parts<'a> {
    /// Borrows the parts of a response of n8n.
    pub fn read(nodes: &'a [Value], connections: &'a Value, node_groups: &'a [Value], settings: &'a Map<String, Value>) -> Self {
        Self { nodes: Nodes::Read(nodes), connections: connections.as_object(), node_groups, settings }
    }
}

impl<'a> From<&'a Definition> for Parts<'a> {
    fn from(definition: &'a Definition) -> Self {
        Self {
            nodes: Nodes::Parsed(&definition.nodes),
            connections: Some(&definition.connections),
            node_groups: &definition.node_groups,
            settings: &definition.settings,
        }
    }
}
