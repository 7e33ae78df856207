//! Changes of an existing workflow: the model changes its compact form, and everything that it did not change stays as it is, byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding};
use crate::document::node_types::STICKY_NOTE;
use crate::generation::compact::{Compact, CompactNode, compile, decompile};

/// Fields of a node that code keeps, whatever changes.
const KEPT: &[&str] = &["id", "name", "position", "webhookId", "credentials"];
/// Distance of a new node from the one before it.
const STEP: (f64, f64) = (220.0, 160.0);

/// A workflow that is to be changed.
#[derive(Clone, Debug)]
pub(super) struct Base<'a> {
    pub(super) definition: &'a Definition,
    /// Its compact form.
    pub(super) compact: Compact,
    /// The definition that the compact form compiles to.
    compiled: Definition,
}

impl<'a> Base<'a> {
    /// Reads a workflow.
    ///
    /// # Errors
    ///
    /// Findings about parts that the compact form cannot express.
    pub(super) fn of(definition: &'a Definition, catalog: &Catalog) -> Result<Self, Vec<Finding>> {
        let compact = decompile(definition, catalog)?.compact;
        let compiled = compile(&compact, &BTreeMap::new(), catalog)?.definition;
        Ok(Self { definition, compact, compiled })
    }

    /// Returns the changed workflow: `changed` is its compact form, `compiled` what that compiles to.
    pub(super) fn merged(&self, changed: &Compact, compiled: &Definition) -> Definition {
        let old: BTreeMap<&str, &CompactNode> = self.compact.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let renamed: BTreeMap<&str, &str> =
            changed.nodes.iter().filter_map(|node| Some((old.get(node.id.as_str())?.name.as_str(), node.name.as_str()))).collect();
        let mut nodes = Vec::with_capacity(compiled.nodes.len());
        // In the old order, then the new ones.
        for own in &self.definition.nodes {
            if own.kind() == STICKY_NOTE {
                nodes.push(own.clone());
                continue;
            }
            let Some(new_name) = renamed.get(own.name()) else { continue };
            let (Some(before), Some(after)) = (self.compiled.node(own.name()), compiled.node(new_name)) else { continue };
            nodes.push(merged_node(own, before, after));
        }
        for node in &changed.nodes {
            let is_new = !old.contains_key(node.id.as_str());
            if let Some(built) = compiled.node(&node.name).filter(|_| is_new) {
                nodes.push(placed(built.clone(), compiled, &nodes, &self.definition.nodes));
            }
        }
        let settings = merged_map(&self.definition.settings, &self.compiled.settings, &compiled.settings);
        Definition {
            name: if self.compact.name == changed.name { self.definition.name.clone() } else { changed.name.clone() },
            connections: self.connections(compiled, &renamed),
            nodes,
            settings,
            node_groups: self.definition.node_groups.clone(),
            declared_active: self.definition.declared_active,
            declared_tags: self.definition.declared_tags.clone(),
        }
    }

    /// Returns the connections: of a node whose connections did not change, those that it had.
    fn connections(&self, compiled: &Definition, renamed: &BTreeMap<&str, &str>) -> Map<String, Value> {
        let mut out = Map::new();
        let with_new_names = |value: &Value| with_names(value, renamed);
        for (name, own) in &self.definition.connections {
            let Some(new_name) = renamed.get(name.as_str()) else { continue };
            let (before, after) = (self.compiled.connections.get(name).map(&with_new_names), compiled.connections.get(*new_name));
            if before.as_ref() == after {
                out.insert((*new_name).to_owned(), with_new_names(own));
            } else if let Some(after) = after {
                out.insert((*new_name).to_owned(), after.clone());
            }
        }
        for (name, after) in &compiled.connections {
            out.entry(name.clone()).or_insert_with(|| after.clone());
        }
        out
    }
}

/// Returns connections with the new names of their targets.
fn with_names(value: &Value, renamed: &BTreeMap<&str, &str>) -> Value {
    match value {
        Value::Object(map) => {
            let own = |(key, value): (&String, &Value)| match value {
                Value::String(name) if key == "node" => (key.clone(), Value::from(renamed.get(name.as_str()).copied().unwrap_or(name))),
                other => (key.clone(), with_names(other, renamed)),
            };
            Value::Object(map.iter().map(own).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| with_names(item, renamed)).collect()),
        other => other.clone(),
    }
}

/// Returns a node: of each field and each parameter, what it was unless the compact form changed it.
fn merged_node(own: &Node, before: &Node, after: &Node) -> Node {
    if own.kind() != after.kind()
        || before.parameter("operation") != after.parameter("operation")
        || before.parameter("resource") != after.parameter("resource")
    {
        let mut node = after.clone();
        // Another type needs other credentials.
        let kept = KEPT.iter().filter(|key| **key != "name" && (**key != "credentials" || own.kind() == after.kind()));
        for key in kept {
            match own.0.get(*key) {
                Some(value) => drop(node.0.insert((*key).to_owned(), value.clone())),
                None => drop(node.0.remove(*key)),
            }
        }
        return node;
    }
    let mut node = own.clone();
    if before.name() != after.name() {
        node.set_text("name", after.name());
    }
    let keys: BTreeSet<&String> = before.0.keys().chain(after.0.keys()).collect();
    for key in keys.into_iter().filter(|key| !KEPT.contains(&key.as_str()) && *key != "parameters") {
        change(&mut node.0, key, before.0.get(key), after.0.get(key));
    }
    let none = Map::new();
    let merged = merged_map(own.parameters().unwrap_or(&none), before.parameters().unwrap_or(&none), after.parameters().unwrap_or(&none));
    if own.parameters() != Some(&merged) {
        node.0.insert("parameters".to_owned(), Value::Object(merged));
    }
    node
}

/// Returns the values of `own` with what differs between `before` and `after`.
fn merged_map(own: &Map<String, Value>, before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let mut out = own.clone();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        match (own.get(key), before.get(key), after.get(key)) {
            (Some(Value::Object(own)), Some(Value::Object(before)), Some(Value::Object(after))) if before != after && !is_shaped(own) => {
                out.insert(key.clone(), Value::Object(merged_map(own, before, after)));
            }
            (_, before, after) => change(&mut out, key, before, after),
        }
    }
    out
}

/// Reports whether an object is one value: a locator, or a filter whose conditions belong together.
fn is_shaped(map: &Map<String, Value>) -> bool {
    map.contains_key("__rl") || map.contains_key("conditions") || map.contains_key("mappingMode")
}

fn change(map: &mut Map<String, Value>, key: &str, before: Option<&Value>, after: Option<&Value>) {
    match (before == after, after) {
        (true, _) => {}
        (false, Some(value)) => drop(map.insert(key.to_owned(), value.clone())),
        (false, None) => drop(map.remove(key)),
    }
}

/// Returns a new node beside the node before it, where nothing lies yet.
fn placed(mut node: Node, compiled: &Definition, placed: &[Node], old: &[Node]) -> Node {
    let at = |node: &Node| Some((node.0.get("position")?.get(0)?.as_f64()?, node.0.get("position")?.get(1)?.as_f64()?));
    let leads = |source: &String| {
        compiled.connections.get(source).is_some_and(|kinds| kinds.to_string().contains(&format!("\"node\":{}", json!(node.name()))))
    };
    let before = compiled
        .connections
        .keys()
        .find(|source| leads(source))
        .and_then(|name| placed.iter().find(|other| other.name() == name))
        .and_then(at);
    let (mut x, mut y) = match before {
        Some((x, y)) => (x + STEP.0, y),
        None => old.iter().filter_map(at).fold((0.0, 0.0), |(x, y), (_, other)| (x, f64::max(y, other + STEP.1))),
    };
    let mut tries = 0;
    while placed.iter().filter_map(at).any(|(other_x, other_y)| (other_x - x).abs() < 100.0 && (other_y - y).abs() < 100.0) && tries < 200 {
        y += STEP.1;
        tries += 1;
        if tries % 20 == 0 {
            x += STEP.0;
        }
    }
    let whole = |value: f64| Value::from(value.round() as i64);
    node.0.insert("position".to_owned(), json!([whole(x), whole(y)]));
    node
}

/// Applies a change to a compact workflow. A change that has no effect is an error: the model would say done, and nothing is.
///
/// # Errors
///
/// Findings about references of the change to something that does not exist.
pub(super) fn apply(base: &Value, change: &Map<String, Value>) -> Result<Value, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut out = base.clone();
    let id = |node: &Value| node.get("id").and_then(Value::as_str).map(str::to_owned);
    let mut nodes: Vec<Value> = base.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    for name in change.get("remove").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let before = nodes.len();
        nodes.retain(|node| id(node).as_deref() != Some(name));
        if nodes.len() == before {
            findings.push(Finding::error(Code::CompactInvalid, "change.remove", format!("there is no node with the id {name} to remove")));
        }
    }
    for node in change.get("nodes").and_then(Value::as_array).into_iter().flatten() {
        match nodes.iter_mut().find(|own| id(own).is_some() && id(own) == id(node)) {
            Some(own) => {
                let kept = own
                    .get("use")
                    .and_then(Value::as_str)
                    .and_then(|kind| kind.split_once('@').map(|(bare, _)| (bare.to_owned(), kind.to_owned())));
                *own = node.clone();
                // A version that the model leaves out is the one that the node has.
                if let Some((_, whole)) = kept.filter(|(bare, _)| node.get("use").and_then(Value::as_str) == Some(bare)) {
                    own["use"] = whole.into();
                }
            }
            None => nodes.push(node.clone()),
        }
    }
    out["nodes"] = nodes.into();
    for key in ["edges", "settings", "name"] {
        match change.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(settings)) if key == "settings" => {
                let mut merged = out.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
                merged.extend(settings.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())));
                out[key] = Value::Object(merged);
            }
            Some(value) => out[key] = value.clone(),
        }
    }
    if findings.is_empty() { Ok(out) } else { Err(findings) }
}
