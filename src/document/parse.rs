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
    match wrapper::unwrap(raw, &mut findings) {
        Ok(document) => reduce(document.clone(), findings),
        Err(finding) => {
            findings.push(*finding);
            Err(findings.into())
        }
    }
}

/// Does the same as [`parse`], for a value that is not needed any more: its parts are moved rather than copied.
///
/// # Errors
///
/// See [`parse`].
pub fn parse_owned(raw: Value) -> Result<Parsed, Box<Unparsable>> {
    match raw {
        Value::Object(document) if wrapper::is_workflow(&document) => reduce(document, Vec::new()),
        other => parse(&other),
    }
}

fn reduce(mut document: Map<String, Value>, mut findings: Vec<Finding>) -> Result<Parsed, Box<Unparsable>> {
    if let Some(path) = too_deep(&document, MOST_LEVELS) {
        return Err(vec![levels::finding(&path)].into());
    }
    let several = document.get("nodes").and_then(Value::as_array).is_some_and(|nodes| nodes.len() > 1);
    // The keys stay, so that unknown ones can be distinguished from those that were read.
    let mut take = |key: &str| document.get_mut(key).map(Value::take);
    let mut definition = Definition {
        name: take_name(take("name"), &mut findings),
        nodes: take_nodes(take("nodes"), &mut findings),
        connections: take_connections(take("connections"), several, &mut findings),
        settings: take_settings(take("settings"), &mut findings),
        node_groups: take_groups(take("nodeGroups"), &mut findings),
        declared_active: document.get("active").and_then(Value::as_bool),
        declared_tags: take_tags(&document),
    };
    place_nodes(&mut definition.nodes, &mut findings);
    warn_of_pinned_data(&document, &definition, &mut findings);
    warn_of_unknown_keys(&document, &mut findings);
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

fn take_name(name: Option<Value>, findings: &mut Vec<Finding>) -> Option<String> {
    match name {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(other) => {
            let finding = Finding::error(Code::NameInvalid, "name", "the workflow's name must be text");
            findings.push(finding.mismatch(kind_of(&other), "a string (in YAML, put it in quotes)"));
            None
        }
    }
}

fn take_nodes(nodes: Option<Value>, findings: &mut Vec<Finding>) -> Vec<Node> {
    let items = match nodes {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => {
            let message = "there are no nodes; a workflow needs a list called `nodes`";
            findings.push(Finding::error(Code::NodesMissing, "nodes", message));
            return Vec::new();
        }
        Some(other) => {
            let message = "`nodes` must be a list of nodes, each with its own `name`";
            findings.push(Finding::error(Code::NodesInvalid, "nodes", message).mismatch(kind_of(&other), "an array"));
            return Vec::new();
        }
    };
    if items.len() > MAX_NODES {
        findings.push(too_many_nodes(items.len()));
        return Vec::new();
    }
    items.into_iter().enumerate().map(|(index, item)| take_node(index, item, findings)).collect()
}

fn take_node(index: usize, item: Value, findings: &mut Vec<Finding>) -> Node {
    let at = json_path::index("nodes", index);
    let mut fields = match item {
        Value::Object(fields) => fields,
        other => {
            let finding = Finding::error(Code::NodesInvalid, at, "a node must be an object");
            findings.push(finding.mismatch(kind_of(&other), "an object"));
            return Node::default();
        }
    };
    let name = |fields: &Map<String, Value>| fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_field = |key: &str| keys::NODE.contains(&key);
    for key in fields.keys().filter(|key| !is_field(key) && !keys::NODE_IGNORED.contains(&key.as_str())) {
        if is_full(findings) {
            break;
        }
        let message = format!("n8n has no node field {}; it was left out", quoted(key));
        let finding = Finding::warning(Code::NodeKeyUnknown, json_path::key(&at, key), message).at_node(&name(&fields));
        findings.push(finding.suggest(similar::nearest(key, absent(keys::NODE, &fields))));
    }
    // n8n accepts an absent field but not a null one.
    fields.retain(|key, value| is_field(key) && !value.is_null());
    if !fields.contains_key("parameters") {
        let message = "the node has no parameters; an empty object was added";
        findings.push(Finding::warning(Code::NodeParametersMissing, json_path::key(&at, "parameters"), message).at_node(&name(&fields)));
        fields.insert("parameters".into(), Value::Object(Map::new()));
    }
    Node(fields)
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

/// `several` says whether there are several nodes.
fn take_connections(connections: Option<Value>, several: bool, findings: &mut Vec<Finding>) -> Map<String, Value> {
    match connections {
        Some(Value::Object(connections)) => connections,
        None | Some(Value::Null) => {
            if several {
                let message = "there are no connections, so no node leads to another";
                findings.push(Finding::warning(Code::ConnectionsMissing, "connections", message));
            }
            Map::new()
        }
        Some(other) => {
            let message = "connections must be an object keyed by the name of the source node";
            let finding = Finding::error(Code::ConnectionsInvalid, "connections", message);
            findings.push(finding.mismatch(kind_of(&other), r#"{"Source": {"main": [[{"node", "type", "index"}]]}}"#));
            Map::new()
        }
    }
}

fn take_settings(settings: Option<Value>, findings: &mut Vec<Finding>) -> Map<String, Value> {
    let mut settings = match settings {
        Some(Value::Object(settings)) => settings,
        None | Some(Value::Null) => return Map::new(),
        Some(other) => {
            let finding = Finding::error(Code::SettingsInvalid, "settings", "settings must be an object");
            findings.push(finding.mismatch(kind_of(&other), "an object"));
            return Map::new();
        }
    };
    let is_setting = |key: &str| keys::SETTINGS.contains(&key);
    for key in settings.keys().filter(|key| !is_setting(key) && !keys::SETTINGS_IGNORED.contains(&key.as_str())) {
        if is_full(findings) {
            break;
        }
        let message = format!("n8n has no setting {}; it was left out", quoted(key));
        let finding = Finding::warning(Code::SettingUnknown, json_path::key("settings", key), message);
        findings.push(finding.suggest(similar::nearest(key, absent(keys::SETTINGS, &settings))));
    }
    settings.retain(|key, value| {
        let unset = keys::SETTINGS_WITH_DEFAULT.contains(&key.as_str()) && *value == "DEFAULT";
        is_setting(key) && !value.is_null() && !unset
    });
    settings
}

fn take_groups(groups: Option<Value>, findings: &mut Vec<Finding>) -> Vec<Value> {
    let mut groups = match groups {
        Some(Value::Array(groups)) => groups,
        None | Some(Value::Null) => return Vec::new(),
        Some(other) => {
            let finding = Finding::error(Code::NodeGroupsInvalid, "nodeGroups", "node groups must be a list");
            findings.push(finding.mismatch(kind_of(&other), "an array"));
            return Vec::new();
        }
    };
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
