//! A node together with what the catalogue says of it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::catalog::{Around, NodeType, NodeVersion, Port, filled};
use crate::document::definition::Node;
use crate::document::finding::{Code, Finding, Severity};
use crate::document::json_path;

/// A node whose type and version the catalogue knows.
pub(super) struct Known<'a> {
    pub(super) node: &'a Node,
    pub(super) kind: Arc<NodeType>,
    /// The place of the description that serves the node's version.
    variant: usize,
    /// `nodes[3]`.
    pub(super) at: String,
    /// The values as n8n loads them; or the parameter on which n8n stumbles.
    pub(super) values: Result<Map<String, Value>, String>,
    /// Whether n8n looks at it when it publishes: it is switched on, and connected or a start.
    pub(super) live: bool,
}

impl<'a> Known<'a> {
    /// `None` where n8n has no such version.
    pub(super) fn new(index: usize, node: &'a Node, kind: Arc<NodeType>, connected: bool) -> Option<Self> {
        let serving = kind.serving(node.type_version())?;
        let variant = kind.variants.iter().position(|variant| std::ptr::eq(variant, serving))?;
        let nothing = Map::new();
        let own = node.parameters().unwrap_or(&nothing);
        let values = filled(serving, own, version(node), node.kind()).map_err(|misshapen| misshapen.0);
        let live = !node.disabled() && (connected || serving.starts());
        Some(Self { node, variant, at: json_path::index("nodes", index), values, live, kind })
    }

    /// What the catalogue says of the node's version.
    pub(super) fn facts(&self) -> &NodeVersion {
        &self.kind.variants[self.variant]
    }

    /// The descriptions of other versions.
    pub(super) fn others(&self) -> impl Iterator<Item = &NodeVersion> {
        self.kind.variants.iter().enumerate().filter(|(at, _)| *at != self.variant).map(|(_, variant)| variant)
    }

    /// The version as n8n compares it; 0 where the node has none.
    pub(super) fn version(&self) -> f64 {
        version(self.node)
    }

    pub(super) fn around<'v>(&self, values: &'v Map<String, Value>) -> Around<'v> {
        Around::new(values, self.version(), self.node.kind())
    }

    /// What it takes; `None` where only a run can tell.
    pub(super) fn inputs(&self) -> Option<Vec<Port>> {
        self.facts().inputs.of(self.values.as_ref().ok()?, self.version())
    }

    /// What it gives, without the output for errors.
    pub(super) fn outputs(&self) -> Option<Vec<Port>> {
        self.facts().outputs.of(self.values.as_ref().ok()?, self.version())
    }

    /// An error, or a warning where n8n does not look at the node.
    pub(super) fn error(&self, code: Code, at: String, message: String) -> Finding {
        let finding = Finding::error(code, at, message).at_node(self.node.name());
        if self.live { finding } else { Finding { severity: Severity::Warning, ..finding } }
    }

    pub(super) fn warning(&self, code: Code, at: String, message: String) -> Finding {
        Finding::warning(code, at, message).at_node(self.node.name())
    }
}

fn version(node: &Node) -> f64 {
    node.type_version().unwrap_or(0.0)
}
