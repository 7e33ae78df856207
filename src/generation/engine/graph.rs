//! The nodes of a compact workflow and the ways between them, for checks of what a model meant.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::generation::compact::{Compact, CompactNode};

/// A compact workflow with the definition that it compiles to.
pub(super) struct Flow<'w> {
    pub(super) compact: &'w Compact,
    pub(super) definition: &'w Definition,
    pub(super) catalog: &'w Catalog,
    /// Ways by kind of connection: source, kind, output, target, as indexes of compact nodes.
    links: Vec<Link>,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) main: bool,
    pub(super) output: usize,
    pub(super) to: usize,
}

impl<'w> Flow<'w> {
    pub(super) fn new(compact: &'w Compact, definition: &'w Definition, catalog: &'w Catalog) -> Self {
        let by_name: BTreeMap<&str, usize> = compact.nodes.iter().enumerate().map(|(at, node)| (node.name.as_str(), at)).collect();
        let mut links = Vec::new();
        for (name, kinds) in &definition.connections {
            let Some(from) = by_name.get(name.as_str()).copied() else { continue };
            for (kind, outputs) in kinds.as_object().into_iter().flatten() {
                for (output, targets) in outputs.as_array().into_iter().flatten().enumerate() {
                    let names = targets.as_array().into_iter().flatten().filter_map(|target| target.get("node")?.as_str());
                    links.extend(names.filter_map(|name| Some(Link { from, main: kind == "main", output, to: *by_name.get(name)? })));
                }
            }
        }
        Self { compact, definition, catalog, links }
    }

    /// Returns the nodes with their indexes and their definitions.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (usize, &'w CompactNode, &'w Node)> {
        self.compact.nodes.iter().enumerate().filter_map(|(at, own)| Some((at, own, self.definition.node(&own.name)?)))
    }

    /// Returns the definition of a node.
    pub(super) fn node(&self, at: usize) -> Option<&'w Node> {
        self.definition.node(&self.compact.nodes.get(at)?.name)
    }

    /// Returns the short name of the type of a node.
    pub(super) fn short(&self, at: usize) -> &'w str {
        self.node(at).map_or("", |node| node.kind().rsplit_once('.').map_or(node.kind(), |(_, short)| short))
    }

    /// Returns the nodes before a node on main connections.
    pub(super) fn before(&self, at: usize) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.to == at && link.main)
    }

    /// Returns the connections that leave a node.
    pub(super) fn after(&self, at: usize) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.from == at)
    }

    /// Reports whether a node starts the workflow: a trigger, or a node without inputs that n8n counts as one.
    pub(super) fn starts(&self, at: usize) -> bool {
        let Some(node) = self.node(at) else { return false };
        let facts = self.catalog.node(node.kind());
        let trigger =
            facts.as_ref().and_then(|facts| facts.serving(node.type_version())).is_some_and(|facts| facts.trigger || facts.polling);
        trigger || ["webhook", "manualTrigger"].contains(&self.short(at)) || self.short(at).ends_with("Trigger")
    }

    /// Returns the nodes that run when a trigger fires: those that main connections lead to, and the sub-nodes of these.
    pub(super) fn reached(&self) -> BTreeSet<usize> {
        let mut waiting: VecDeque<usize> = (0..self.compact.nodes.len()).filter(|at| self.starts(*at)).collect();
        let mut seen: BTreeSet<usize> = waiting.iter().copied().collect();
        while let Some(at) = waiting.pop_front() {
            let onward = self.links.iter().filter(|link| link.from == at && link.main).map(|link| link.to);
            let below = self.links.iter().filter(|link| link.to == at && !link.main).map(|link| link.from);
            for next in onward.chain(below) {
                if seen.insert(next) {
                    waiting.push_back(next);
                }
            }
        }
        seen
    }
}

/// Calls a function with each text in a value, and its path of keys.
pub(super) fn each_text(value: &serde_json::Value, path: &str, each: &mut dyn FnMut(&str, &str)) {
    use crate::document::json_path;
    match value {
        serde_json::Value::String(text) => each(path, text),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| each_text(item, &json_path::index(path, at), each))
        }
        serde_json::Value::Object(map) => map.iter().for_each(|(key, item)| each_text(item, &json_path::key(path, key), each)),
        _ => {}
    }
}
