//! Parsing of an author's document.
//!
//! [`read_text`] turns text from a ConfigMap into a JSON value, [`parse`] a JSON value into a [`Definition`]. An export from n8n can be
//! used unchanged: keys that n8n adds to it are ignored, and keys that n8n would refuse and that have no effect are left out with a
//! warning.

mod keys;
mod levels;
mod text;
mod wrapper;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, has_errors, is_full, kind_of, quoted};
use crate::document::json_path;
use crate::text::similar;

pub use levels::{MOST_LEVELS, too_deep};
pub use text::{Text, Unread, locate_text, read_text};
pub(crate) use text::{has_fence, json_problem};
pub use wrapper::{place_of_workflow, several};

/// Maximum number of unknown names for which a suggestion is made; each look-up goes over all nodes.
const MAX_SUGGESTIONS: usize = 50;

/// Maximum number of nodes. n8n has no limit of its own; a document of 1 MiB cannot hold as many.
pub const MAX_NODES: usize = 5_000;

/// A parsed document.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The workflow in the form that n8n accepts. Its structure is not checked yet.
    pub definition: Definition,
    /// Findings on repairs, and on keys that were left out.
    pub warnings: Vec<Finding>,
}

/// Error for a document that cannot be parsed.
#[derive(Debug)]
pub struct Unparsable {
    /// Reasons, and warnings.
    pub findings: Vec<Finding>,
    /// Parts that could be parsed, for further checks; `None` if nothing else can be reported.
    pub rest: Option<Definition>,
}

impl From<Vec<Finding>> for Box<Unparsable> {
    fn from(findings: Vec<Finding>) -> Self {
        Self::new(Unparsable { findings, rest: None })
    }
}

/// Reduces a JSON value to a definition.
///
/// # Errors
///
/// If the value is not a workflow, or a part of it has a shape that a [`Definition`] cannot hold (nodes that are not a list of objects,
/// connections or settings that are not an object, a name that is not text).
pub fn parse(raw: &Value) -> Result<Parsed, Box<Unparsable>> {
    let mut findings = Vec::new();
    let document = match wrapper::unwrap(raw, &mut findings) {
        Ok(document) => document,
        Err(finding) => {
            findings.push(*finding);
            return Err(findings.into());
        }
    };
    if let Some(path) = too_deep(document, MOST_LEVELS) {
        return Err(vec![levels::finding(&path)].into());
    }
    let mut definition = Definition {
        name: take_name(document, &mut findings),
        nodes: take_nodes(document, &mut findings),
        connections: take_connections(document, &mut findings),
        settings: take_settings(document, &mut findings),
        node_groups: take_groups(document, &mut findings),
        declared_active: document.get("active").and_then(Value::as_bool),
        declared_tags: take_tags(document),
    };
    place_nodes(&mut definition.nodes, &mut findings);
    warn_of_pinned_data(document, &definition, &mut findings);
    warn_of_unknown_keys(document, &mut findings);
    if !has_errors(&findings) && !is_full(&findings) {
        return Ok(Parsed { definition, warnings: findings });
    }
    Err(Box::new(Unparsable { findings, rest: Some(definition) }))
}

/// Returns the finding for a document with more than [`MAX_NODES`] nodes.
pub fn too_many_nodes(count: usize) -> Finding {
    let finding = Finding::error(Code::NodesTooMany, "nodes", "there are too many nodes; split the workflow");
    finding.mismatch(count.to_string(), format!("at most {MAX_NODES}"))
}

fn take_name(document: &Map<String, Value>, findings: &mut Vec<Finding>) -> Option<String> {
    match document.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.clone()),
        Some(other) => {
            let finding = Finding::error(Code::NameInvalid, "name", "the workflow's name must be text");
            findings.push(finding.mismatch(kind_of(other), "a string (in YAML, put it in quotes)"));
            None
        }
    }
}

fn take_nodes(document: &Map<String, Value>, findings: &mut Vec<Finding>) -> Vec<Node> {
    let items = match document.get("nodes") {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => {
            let message = "there are no nodes; a workflow needs a list called `nodes`";
            findings.push(Finding::error(Code::NodesMissing, "nodes", message));
            return Vec::new();
        }
        Some(other) => {
            let message = "`nodes` must be a list of nodes, each with its own `name`";
            findings.push(Finding::error(Code::NodesInvalid, "nodes", message).mismatch(kind_of(other), "an array"));
            return Vec::new();
        }
    };
    if items.len() > MAX_NODES {
        findings.push(too_many_nodes(items.len()));
        return Vec::new();
    }
    items.iter().enumerate().map(|(index, item)| take_node(index, item, findings)).collect()
}

fn take_node(index: usize, item: &Value, findings: &mut Vec<Finding>) -> Node {
    let at = json_path::index("nodes", index);
    let Value::Object(fields) = item else {
        let finding = Finding::error(Code::NodesInvalid, at, "a node must be an object");
        findings.push(finding.mismatch(kind_of(item), "an object"));
        return Node::default();
    };
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let mut node = Map::new();
    for (key, value) in fields {
        if keys::NODE.contains(&key.as_str()) {
            // n8n accepts an absent field but not a null one.
            if !value.is_null() {
                node.insert(key.clone(), value.clone());
            }
        } else if !keys::NODE_IGNORED.contains(&key.as_str()) && !is_full(findings) {
            let message = format!("n8n has no node field {}; it was left out", quoted(key));
            let finding = Finding::warning(Code::NodeKeyUnknown, json_path::key(&at, key), message).at_node(name);
            findings.push(finding.suggest(similar::nearest(key, absent(keys::NODE, fields))));
        }
    }
    if !node.contains_key("parameters") {
        let message = "the node has no parameters; an empty object was added";
        findings.push(Finding::warning(Code::NodeParametersMissing, json_path::key(&at, "parameters"), message).at_node(name));
        node.insert("parameters".into(), Value::Object(Map::new()));
    }
    Node(node)
}

/// Sets missing positions, which n8n requires: nodes are laid out on a grid, by their index in the list.
fn place_nodes(nodes: &mut [Node], findings: &mut Vec<Finding>) {
    for (index, node) in nodes.iter_mut().enumerate() {
        if node.0.is_empty() || node.0.contains_key("position") {
            continue;
        }
        let (column, row) = (index % 8, index / 8);
        node.0.insert("position".into(), Value::from(vec![column * 220, row * 200]));
        let at = json_path::key(&json_path::index("nodes", index), "position");
        let message = "the node has no position on the canvas; one was generated";
        findings.push(Finding::warning(Code::NodePositionMissing, at, message).at_node(node.name()));
    }
}

/// Returns the keys that the author can have meant: those that are not present already.
fn absent<'a>(known: &'a [&'static str], present: &'a Map<String, Value>) -> impl Iterator<Item = &'static str> + 'a {
    known.iter().copied().filter(|key| !present.contains_key(*key))
}

fn take_connections(document: &Map<String, Value>, findings: &mut Vec<Finding>) -> Map<String, Value> {
    match document.get("connections") {
        Some(Value::Object(connections)) => connections.clone(),
        None | Some(Value::Null) => {
            let several = document.get("nodes").and_then(Value::as_array).is_some_and(|nodes| nodes.len() > 1);
            if several {
                let message = "there are no connections, so no node leads to another";
                findings.push(Finding::warning(Code::ConnectionsMissing, "connections", message));
            }
            Map::new()
        }
        Some(other) => {
            let message = "connections must be an object keyed by the name of the source node";
            let finding = Finding::error(Code::ConnectionsInvalid, "connections", message);
            findings.push(finding.mismatch(kind_of(other), r#"{"Source": {"main": [[{"node", "type", "index"}]]}}"#));
            Map::new()
        }
    }
}

fn take_settings(document: &Map<String, Value>, findings: &mut Vec<Finding>) -> Map<String, Value> {
    let given = match document.get("settings") {
        Some(Value::Object(settings)) => settings,
        None | Some(Value::Null) => return Map::new(),
        Some(other) => {
            let finding = Finding::error(Code::SettingsInvalid, "settings", "settings must be an object");
            findings.push(finding.mismatch(kind_of(other), "an object"));
            return Map::new();
        }
    };
    let mut settings = Map::new();
    for (key, value) in given {
        let name = key.as_str();
        if keys::SETTINGS.contains(&name) {
            let unset = keys::SETTINGS_WITH_DEFAULT.contains(&name) && value == "DEFAULT";
            if !value.is_null() && !unset {
                settings.insert(key.clone(), value.clone());
            }
        } else if !keys::SETTINGS_IGNORED.contains(&name) && !is_full(findings) {
            let message = format!("n8n has no setting {}; it was left out", quoted(key));
            let finding = Finding::warning(Code::SettingUnknown, json_path::key("settings", key), message);
            findings.push(finding.suggest(similar::nearest(key, absent(keys::SETTINGS, given))));
        }
    }
    settings
}

fn take_groups(document: &Map<String, Value>, findings: &mut Vec<Finding>) -> Vec<Value> {
    let items = match document.get("nodeGroups") {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => return Vec::new(),
        Some(other) => {
            let finding = Finding::error(Code::NodeGroupsInvalid, "nodeGroups", "node groups must be a list");
            findings.push(finding.mismatch(kind_of(other), "an array"));
            return Vec::new();
        }
    };
    let mut groups = items.clone();
    for (index, group) in groups.iter_mut().enumerate() {
        let Value::Object(fields) = group else {
            continue;
        };
        fields.retain(|key, value| {
            let known = keys::NODE_GROUP.contains(&key.as_str());
            if !known && !is_full(findings) {
                let at = json_path::key(&json_path::index("nodeGroups", index), key);
                let message = format!("n8n has no field {} of a node group; it was left out", quoted(key));
                findings.push(Finding::warning(Code::TopLevelUnknown, at, message));
            }
            known && !value.is_null()
        });
    }
    groups
}

/// Returns the names of the tags; n8n exports tags as objects, its command line and people also write plain names.
fn take_tags(document: &Map<String, Value>) -> Option<Vec<String>> {
    let tags = document.get("tags")?.as_array()?;
    let name = |tag: &Value| tag.as_str().or_else(|| tag.get("name")?.as_str()).map(str::to_owned);
    Some(tags.iter().filter_map(name).collect())
}

fn warn_of_pinned_data(document: &Map<String, Value>, definition: &Definition, findings: &mut Vec<Finding>) {
    let Some(pinned) = document.get("pinData").and_then(Value::as_object).filter(|pins| !pins.is_empty()) else {
        return;
    };
    let message = format!("pinned test data ({}) is not deployed; it was left out", pinned.len());
    findings.push(Finding::warning(Code::PinnedDataDropped, "pinData", message));
    let names: HashSet<&str> = definition.nodes.iter().map(Node::name).collect();
    for (count, name) in pinned.keys().filter(|name| !names.contains(name.as_str())).enumerate() {
        if is_full(findings) {
            return;
        }
        let message = format!("pinData refers to node {}, which does not exist", quoted(name));
        let finding = Finding::warning(Code::PinnedDataDropped, json_path::key("pinData", name), message).at_node(name);
        let meant = (count < MAX_SUGGESTIONS).then(|| similar::nearest(name, definition.nodes.iter().map(Node::name))).flatten();
        findings.push(finding.suggest(meant));
    }
}

fn warn_of_unknown_keys(document: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for key in document.keys() {
        let name = key.as_str();
        if keys::READ_TOP_LEVEL.contains(&name) || keys::IGNORED_TOP_LEVEL.contains(&name) || is_full(findings) {
            continue;
        }
        let message = match name {
            "projectId" => "the project is not part of the document; use spec.project".to_owned(),
            _ => format!("n8n has no top-level key {}; it was left out", quoted(key)),
        };
        let finding = Finding::warning(Code::TopLevelUnknown, json_path::key("", key), message);
        findings.push(finding.suggest(similar::nearest(key, absent(keys::READ_TOP_LEVEL, document))));
    }
}

#[cfg(test)]
mod tests;
