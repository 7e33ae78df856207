//! Differences between two documents, node by node. Only paths are named, never values: they may be secret.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use serde_json::{Map, Value};

use crate::document::canonical::{Parts, canonical, canonical_node};
use crate::document::finding::{join_within, quoted};
use crate::document::json_path;

/// Difference of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeChange {
    /// The actual document has a node that the desired one does not have.
    Added {
        /// Name of the node.
        node: String,
    },
    /// The actual document lacks a node of the desired one.
    Removed {
        /// Name of the node.
        node: String,
    },
    /// The node with the same id has another name.
    Renamed {
        /// Name in the desired document.
        from: String,
        /// Name in the actual document.
        to: String,
        /// Paths within the node of its other differences.
        paths: Vec<String>,
    },
    /// The node has other fields.
    Changed {
        /// Name of the node.
        node: String,
        /// Paths within the node that differ, such as `parameters.url`.
        paths: Vec<String>,
    },
}

/// Difference of an actual document from a desired one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// True if the name of the workflow differs.
    pub name: bool,
    /// Nodes that differ, in the order of the desired document; added nodes last.
    pub nodes: Vec<NodeChange>,
    /// True if the nodes are in another order.
    pub reordered: bool,
    /// Source nodes whose connections differ.
    pub connections: Vec<String>,
    /// Managed settings that differ.
    pub settings: Vec<String>,
    /// True if the frames on the canvas differ.
    pub node_groups: bool,
}

/// Compares an actual document with the desired one, by the same measure as [`crate::document::canonical::digest`]: the result is empty
/// exactly if the digests are equal.
pub fn difference(desired: Parts<'_>, actual: Parts<'_>, managed: &BTreeSet<String>) -> Difference {
    let (desired_form, actual_form) = (canonical(desired, managed), canonical(actual, managed));
    let mut difference = Difference {
        connections: differing_keys(&desired_form, &actual_form, "connections"),
        settings: differing_keys(&desired_form, &actual_form, "settings"),
        node_groups: desired_form.get("nodeGroups") != actual_form.get("nodeGroups"),
        ..Difference::default()
    };
    let wanted: Vec<Value> = desired.nodes.iter().map(canonical_node).collect();
    let found: Vec<Value> = actual.nodes.iter().map(canonical_node).collect();
    if wanted != found {
        let (changes, order) = compare_nodes(&wanted, &found);
        difference.nodes = changes;
        difference.reordered = !order.is_sorted() || difference.nodes.is_empty();
    }
    difference
}

impl Difference {
    /// Also compares the names of both documents.
    #[must_use]
    pub fn with_names(mut self, desired: &str, actual: &str) -> Self {
        self.name = desired != actual;
        self
    }

    /// Reports whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Describes the difference in at most `max_chars` characters, such as `node "HTTP Request": parameters.url changed; node "Set" added`.
    pub fn summary(&self, max_chars: usize) -> String {
        join_within("", &self.lines(), max_chars)
    }

    /// Returns one line for each difference.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.name {
            lines.push("name changed".to_owned());
        }
        lines.extend(self.nodes.iter().map(ToString::to_string));
        if self.reordered {
            lines.push("nodes reordered".to_owned());
        }
        lines.extend(self.connections.iter().map(|source| format!("connections of {} changed", quoted(source))));
        if !self.settings.is_empty() {
            lines.push(format!("settings {} changed", self.settings.join(", ")));
        }
        if self.node_groups {
            lines.push("node groups changed".to_owned());
        }
        lines
    }
}

impl fmt::Display for NodeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeChange::Added { node } => write!(f, "node {} added", quoted(node)),
            NodeChange::Removed { node } => write!(f, "node {} removed", quoted(node)),
            NodeChange::Renamed { from, to, paths } => {
                write!(f, "node {} renamed to {}", quoted(from), quoted(to))?;
                if paths.is_empty() { Ok(()) } else { write!(f, ", {} changed", listed(paths)) }
            }
            NodeChange::Changed { node, paths } => {
                write!(f, "node {}: {} changed", quoted(node), listed(paths))
            }
        }
    }
}

/// Lists the first few paths: one node's hundred parameters must not hide the other nodes.
fn listed(paths: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = paths.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the changes, and for each desired node that still exists its index in the actual list.
fn compare_nodes(wanted: &[Value], found: &[Value]) -> (Vec<NodeChange>, Vec<usize>) {
    let matches = match_nodes(wanted, found);
    let mut changes = Vec::new();
    for (node, matched) in wanted.iter().zip(&matches) {
        let name = text(node, "name").to_owned();
        let Some(other) = matched.and_then(|index| found.get(index)) else {
            changes.push(NodeChange::Removed { node: name });
            continue;
        };
        let mut paths = Vec::new();
        differing_paths(node, other, "", &mut paths);
        let to = text(other, "name");
        if name != to {
            paths.retain(|path| path != "name");
            changes.push(NodeChange::Renamed { from: name, to: to.to_owned(), paths });
        } else if !paths.is_empty() {
            changes.push(NodeChange::Changed { node: name, paths });
        }
    }
    let taken: HashSet<usize> = matches.iter().flatten().copied().collect();
    let added = found.iter().enumerate().filter(|(index, _)| !taken.contains(index));
    changes.extend(added.map(|(_, node)| NodeChange::Added { node: text(node, "name").to_owned() }));
    (changes, matches.into_iter().flatten().collect())
}

/// Matches nodes by name, and the remaining ones by id. Each actual node is matched at most once.
fn match_nodes(wanted: &[Value], found: &[Value]) -> Vec<Option<usize>> {
    let mut matches = vec![None; wanted.len()];
    let mut taken = HashSet::new();
    for key in ["name", "id"] {
        let mut open: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in found.iter().enumerate().rev() {
            if !taken.contains(&index) && !text(node, key).is_empty() {
                open.entry(text(node, key)).or_default().push(index);
            }
        }
        for (node, matched) in wanted.iter().zip(&mut matches) {
            if matched.is_none() {
                *matched = open.get_mut(text(node, key)).and_then(Vec::pop);
                taken.extend(*matched);
            }
        }
    }
    matches
}

fn differing_keys(desired: &Value, actual: &Value, part: &str) -> Vec<String> {
    let empty = Map::new();
    let of = |form: &'_ Value| form.get(part).and_then(Value::as_object).cloned();
    let (desired, actual) = (of(desired).unwrap_or_default(), of(actual).unwrap_or(empty));
    let keys: BTreeSet<&String> = desired.keys().chain(actual.keys()).collect();
    keys.into_iter().filter(|key| desired.get(*key) != actual.get(*key)).cloned().collect()
}

/// Collects the deepest paths at which two values differ. An array of another length is named as a whole.
fn differing_paths(desired: &Value, actual: &Value, at: &str, paths: &mut Vec<String>) {
    match (desired, actual) {
        (Value::Object(desired), Value::Object(actual)) => {
            let keys: BTreeSet<&String> = desired.keys().chain(actual.keys()).collect();
            for key in keys {
                let at = json_path::key(at, key);
                match (desired.get(key), actual.get(key)) {
                    (Some(desired), Some(actual)) => differing_paths(desired, actual, &at, paths),
                    _ => paths.push(at),
                }
            }
        }
        (Value::Array(desired), Value::Array(actual)) if desired.len() == actual.len() => {
            for (index, (desired, actual)) in desired.iter().zip(actual).enumerate() {
                differing_paths(desired, actual, &json_path::index(at, index), paths);
            }
        }
        _ if desired != actual => paths.push(at.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
