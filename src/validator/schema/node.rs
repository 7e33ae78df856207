//! A node together with the catalogue's facts about it.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::catalog::{Around, Filled, NodeType, NodeVersion, Port};
use crate::document::definition::Node;
use crate::document::finding::{Code, Finding, Severity};
use crate::document::json_path;

/// A node whose type and version the catalogue knows.
pub(super) struct Known<'a> {
    pub(super) node: &'a Node,
    kind: &'a NodeType,
    /// Description of the node's version.
    facts: &'a NodeVersion,
    /// Path of the node, such as `nodes[3]`.
    pub(super) at: String,
    /// Values as n8n loads them; or the parameter on which n8n fails.
    pub(super) values: Result<Filled<'a>, String>,
    /// True if n8n checks the node when it publishes: it is enabled, and connected or a start.
    pub(super) live: bool,
}

impl<'a> Known<'a> {
    /// Returns `None` if n8n has no such version.
    pub(super) fn new(index: usize, node: &'a Node, kind: &'a NodeType, connected: bool) -> Option<Self> {
        static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        let facts = kind.serving(node.type_version())?;
        let own = node.parameters().unwrap_or(&NOTHING);
        let values = Filled::of(facts, own, version(node), node.kind()).map_err(|misshapen| misshapen.0);
        let live = !node.disabled() && (connected || facts.starts());
        Some(Self { node, facts, at: json_path::index("nodes", index), values, live, kind })
    }

    /// Returns the description of the node's version.
    pub(super) fn facts(&self) -> &'a NodeVersion {
        self.facts
    }

    /// Returns the descriptions of other versions.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a NodeVersion> {
        self.kind.variants.iter().filter(|variant| !std::ptr::eq(*variant, self.facts))
    }

    /// Returns the version as n8n compares it; 0 if the node has none.
    pub(super) fn version(&self) -> f64 {
        version(self.node)
    }

    pub(super) fn around<'v>(&self, values: &'v Filled<'_>) -> Around<'v> {
        Around::new(values, self.version(), self.node.kind())
    }

    /// Returns the inputs; `None` if they are only known at run time.
    pub(super) fn inputs(&self) -> Option<Cow<'_, [Port]>> {
        self.facts().inputs.of(self.values.as_ref().ok()?, self.version())
    }

    /// Returns the outputs, without the error output.
    pub(super) fn outputs(&self) -> Option<Cow<'_, [Port]>> {
        self.facts().outputs.of(self.values.as_ref().ok()?, self.version())
    }

    /// Returns an error, or a warning if n8n does not check the node.
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
