//! Node types and their versions.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::node::Known;
use crate::catalog::{Catalog, NodeType};
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;
use crate::text::similar;

/// Types that n8n does not load unless its operator allows it (the default of `NODES_EXCLUDE`).
const RESTRICTED: &[&str] = &["n8n-nodes-base.executeCommand", "n8n-nodes-base.localFileTrigger"];

/// Types that n8n has removed, with their replacements, which their names do not show.
const REMOVED: &[(&str, &str)] = &[("n8n-nodes-base.start", "n8n-nodes-base.manualTrigger")];

/// The types of the nodes of a definition, by index; `None` for a type that the catalogue does not know.
pub struct NodeTypes(Vec<Option<Arc<NodeType>>>);

impl NodeTypes {
    /// Looks up the type of each node.
    pub fn of(definition: &Definition, catalog: &Catalog) -> Self {
        Self(definition.nodes.iter().map(|node| catalog.node(node.kind())).collect())
    }
}

/// Returns the facts about each node, by index; `None` for a node of which nothing is known.
pub(super) fn resolve<'a>(
    definition: &'a Definition,
    types: &'a NodeTypes,
    catalog: &Catalog,
    findings: &mut Vec<Finding>,
) -> Vec<Option<Known<'a>>> {
    let connected = connected(definition);
    let mut uncovered = HashSet::new();
    let mut resolved = Vec::with_capacity(definition.nodes.len());
    for (index, (node, kind)) in definition.nodes.iter().zip(&types.0).enumerate() {
        let known = kind.as_deref().and_then(|kind| {
            findings.extend(version(index, node, kind));
            Known::new(index, node, kind, connected.contains(node.name()))
        });
        if RESTRICTED.contains(&node.kind()) {
            let message = "n8n does not load this node type unless its configuration allows it (NODES_EXCLUDE)";
            findings.push(Finding::warning(Code::NodeTypeRestricted, place(index, "type"), message).at_node(node.name()));
        }
        if kind.is_none() && !node.kind().is_empty() {
            findings.extend(unknown(index, node, catalog, &mut uncovered));
        }
        resolved.push(known);
    }
    resolved
}

/// Returns the names of the nodes that n8n counts as connected: those with a key of their own in the connections, and the targets of
/// connections.
pub(super) fn connected(definition: &Definition) -> HashSet<&str> {
    let mut names = HashSet::new();
    for (source, kinds) in &definition.connections {
        let Some(kinds) = kinds.as_object().filter(|kinds| !kinds.is_empty()) else { continue };
        names.insert(source.as_str());
        let buckets = kinds.values().filter_map(Value::as_array).flatten().filter_map(Value::as_array).flatten();
        names.extend(buckets.filter_map(|edge| edge.get("node")?.as_str()));
    }
    names
}

fn place(index: usize, key: &str) -> String {
    json_path::key(&json_path::index("nodes", index), key)
}

fn unknown<'a>(index: usize, node: &'a Node, catalog: &Catalog, uncovered: &mut HashSet<&'a str>) -> Option<Finding> {
    let kind = node.kind();
    let removed = REMOVED.iter().find(|(name, _)| *name == kind).map(|(_, now)| (*now).to_owned());
    let in_doubt = !catalog.covers(kind) && kind.contains('.');
    let meant = removed.or_else(|| if in_doubt { slip(kind, catalog) } else { catalog.nearest(kind).or_else(|| beginning(kind, catalog)) });
    if in_doubt && meant.is_none() {
        // n8n may have the package: report each type once.
        let finding = || {
            let message = format!("the catalogue does not cover node type {}; n8n decides whether it exists", quoted(kind));
            Finding::warning(Code::NodeTypeUncovered, place(index, "type"), message).at_node(node.name())
        };
        return uncovered.insert(kind).then(finding);
    }
    let message = match kind.contains('.') {
        true => format!("there is no node type {}", quoted(kind)),
        false => format!("node type {} lacks its package, such as n8n-nodes-base.", quoted(kind)),
    };
    Some(Finding::error(Code::NodeTypeUnknown, place(index, "type"), message).at_node(node.name()).suggest(meant))
}

/// Returns the type with the longest name that is a prefix of this name, as in `slackMessage`.
fn beginning(kind: &str, catalog: &Catalog) -> Option<String> {
    let fits = |name: &&str| kind.strip_prefix(name).is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()));
    let names = catalog.index().nodes.iter().map(|entry| entry.name.as_str());
    names.filter(fits).max_by_key(|name| name.len()).map(str::to_owned)
}

/// Returns a type of a covered package whose package is misspelt.
fn slip(kind: &str, catalog: &Catalog) -> Option<String> {
    let (package, name) = kind.rsplit_once('.')?;
    let covered = || catalog.index().packages.iter().map(|(package, _)| package.as_str());
    let meant = similar::nearest(package, covered()).or_else(|| covered().find(|covered| covered.ends_with(&format!("-{package}"))))?;
    let whole = format!("{meant}.{name}");
    catalog.node(&whole).map(|_| whole)
}

fn version(index: usize, node: &Node, kind: &NodeType) -> Option<Finding> {
    let version = node.type_version()?;
    if kind.version(version).is_some() {
        return None;
    }
    let all = kind.versions();
    let newest = *all.last()?;
    let at = place(index, "typeVersion");
    let finding = if version > newest {
        let message = "this version of the node type is newer than the catalogue; n8n decides whether it exists";
        Finding::warning(Code::NodeVersionUnknown, at, message)
    } else if kind.versioned {
        Finding::error(Code::NodeVersionUnknown, at, "the node type is not available in this version")
    } else {
        Finding::warning(Code::NodeVersionUnknown, at, "the node type lists no such version; n8n uses the one that exists")
    };
    let listed = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Some(finding.at_node(node.name()).mismatch(version.to_string(), listed).suggest(Some(newest.to_string())))
}
