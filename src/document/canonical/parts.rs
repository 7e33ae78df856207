//! The parts of a workflow that have a canonical form.

use serde_json::{Map, Value};

use crate::document::definition::{Definition, Node};

/// The parts of a workflow that its digest covers, borrowed from our side or from a read-back.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The nodes.
    pub nodes: Nodes<'a>,
    /// The connections; anything but an object counts as none.
    pub connections: Option<&'a Map<String, Value>>,
    /// The node groups.
    pub node_groups: &'a [Value],
    /// All settings, managed or not.
    pub settings: &'a Map<String, Value>,
}

/// Nodes as either side holds them.
#[derive(Debug, Clone, Copy)]
pub enum Nodes<'a> {
    /// Ours.
    Ours(&'a [Node]),
    /// As n8n gave them back.
    Read(&'a [Value]),
}

impl<'a> Nodes<'a> {
    /// The nodes as objects; what is no object is skipped.
    pub fn iter(self) -> impl Iterator<Item = &'a Map<String, Value>> {
        let (ours, read): (&[Node], &[Value]) = match self {
            Nodes::Ours(nodes) => (nodes, &[]),
            Nodes::Read(values) => (&[], values),
        };
        ours.iter().map(|node| &node.0).chain(read.iter().filter_map(Value::as_object))
    }
}

impl<'a> Parts<'a> {
    /// The parts of a read-back.
    pub fn read(nodes: &'a [Value], connections: &'a Value, node_groups: &'a [Value], settings: &'a Map<String, Value>) -> Self {
        Self { nodes: Nodes::Read(nodes), connections: connections.as_object(), node_groups, settings }
    }
}

impl<'a> From<&'a Definition> for Parts<'a> {
    fn from(definition: &'a Definition) -> Self {
        Self {
            nodes: Nodes::Ours(&definition.nodes),
            connections: Some(&definition.connections),
            node_groups: &definition.node_groups,
            settings: &definition.settings,
        }
    }
}
