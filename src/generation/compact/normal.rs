//! Which differences between a workflow and its way to the compact form and back are harmless: two workflows with one normal form do the
//! same.
//!
//! Left out or evened, with the reason:
//! - ids of nodes, positions, frames, and the place, size, colour and name of notes: code supplies them, and nothing runs by them;
//! - webhook ids and credentials: bound when the workflow is deployed;
//! - parameters with n8n's default, and parameters that do not show: n8n fills in and drops them when it loads the workflow;
//! - settings of a node among its parameters, where n8n ignores them; settings with n8n's default;
//! - cached names and addresses of locators, ids of conditions and assignments, names of operators: only the editor uses them;
//! - `continueOnFail`, which is n8n's older word for `onError: continueRegularOutput`; retries of a node that does not retry; a display
//!   option of a note that does not exist;
//! - connections to or from nodes that do not exist; a version that is absent, which n8n takes for its default;
//! - `executionOrder: v0`, which is what n8n does without the setting.

use serde_json::{Map, Value};

use super::conditions::UNARY;
use super::values::Known;
use crate::catalog::{Catalog, filled};
use crate::document::definition::{Definition, Node};
use crate::document::node_types::STICKY_NOTE;

/// Returns the normal form of a workflow. It is for comparison only.
pub fn normal(definition: &Definition, catalog: &Catalog) -> Definition {
    let (notes, own): (Vec<&Node>, Vec<&Node>) = definition.nodes.iter().partition(|node| node.kind() == STICKY_NOTE);
    let mut nodes: Vec<Node> = own.into_iter().map(|node| normal_node(node, catalog)).collect();
    nodes.extend(notes.into_iter().filter_map(note));
    let mut settings = definition.settings.clone();
    settings.retain(|key, value| !(key == "executionOrder" && value == "v0"));
    let connections = connections(definition);
    Definition { name: definition.name.clone(), nodes, connections, settings, ..Definition::default() }
}

/// Returns a note as its text.
fn note(node: &Node) -> Option<Node> {
    let content = node.parameter("content")?.clone();
    Some(Node([("notes".to_owned(), content)].into_iter().collect()))
}

fn normal_node(node: &Node, catalog: &Catalog) -> Node {
    let facts = catalog.node(node.kind());
    let version = node.type_version().or(facts.as_ref().map(|facts| facts.default_version)).unwrap_or(1.0);
    let none = Map::new();
    let given = node.parameters().unwrap_or(&none);
    let mut parameters = given.clone();
    let serving = facts.as_ref().and_then(|facts| facts.serving(Some(version)));
    if let Some(serving) = serving
        && let Ok(full) = filled(serving, given, version, node.kind())
    {
        // A value that the catalogue does not know stays as it is.
        parameters.retain(|key, _| !serving.parameters.iter().any(|parameter| parameter.name == *key));
        parameters.extend(full);
    }
    let known = Known { facts: serving, resource: None, operation: None, version, kind: node.kind() };
    parameters.retain(|key, _| !known.is_misplaced(key));
    let mut parameters = Value::Object(parameters);
    even(&mut parameters);
    let mut out = node.0.clone();
    for key in ["id", "position", "webhookId", "credentials"] {
        out.remove(key);
    }
    let on = |key: &str| node.0.get(key) == Some(&Value::Bool(true));
    if on("continueOnFail") && !out.contains_key("onError") {
        out.insert("onError".to_owned(), "continueRegularOutput".into());
    }
    out.remove("continueOnFail");
    if !on("retryOnFail") {
        ["retryOnFail", "maxTries", "waitBetweenTries"].iter().for_each(|key| drop(out.remove(*key)));
    }
    if node.text("notes").is_none_or(str::is_empty) {
        out.remove("notesInFlow");
    }
    out.retain(|_, value| *value != Value::Bool(false) && *value != "stopWorkflow" && *value != "");
    out.insert("typeVersion".to_owned(), version.into());
    out.insert("parameters".to_owned(), parameters);
    Node(out)
}

/// Evens what only the editor uses.
fn even(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(even),
        Value::Object(map) => {
            if map.get("__rl") == Some(&Value::Bool(true)) {
                map.retain(|key, _| key != "cachedResultName" && key != "cachedResultUrl");
            }
            if map.contains_key("operator") && (map.contains_key("leftValue") || map.contains_key("rightValue")) {
                even_condition(map);
            }
            if map.contains_key("name") && map.contains_key("type") && map.contains_key("value") {
                map.remove("id");
            }
            if map.contains_key("conditions") && map.contains_key("options") {
                even_filter(map);
            }
            // The name of an output that is not renamed does not show.
            if map.contains_key("conditions") && map.contains_key("outputKey") && map.get("renameOutput") != Some(&Value::Bool(true)) {
                map.remove("outputKey");
                map.remove("renameOutput");
            }
            map.values_mut().for_each(even);
        }
        _ => {}
    }
}

fn even_condition(map: &mut Map<String, Value>) {
    map.remove("id");
    let operation = map.get("operator").and_then(|operator| operator.get("operation")).and_then(Value::as_str).unwrap_or_default();
    if UNARY.contains(&operation) {
        map.remove("rightValue");
    }
    if map.get("rightValue").is_some_and(|right| right == "" || right.is_null()) {
        map.remove("rightValue");
    }
    if map.get("leftValue").is_some_and(Value::is_null) {
        map.remove("leftValue");
    }
    if let Some(Value::Object(operator)) = map.get_mut("operator") {
        operator.retain(|key, _| key != "name" && key != "singleValue");
    }
}

fn even_filter(map: &mut Map<String, Value>) {
    if let Some(Value::Object(options)) = map.get_mut("options") {
        options.retain(|key, value| !(key == "version" && value.as_f64() == Some(1.0) || key == "leftValue" && value == ""));
        for (key, value) in [("caseSensitive", Value::Bool(true)), ("typeValidation", "strict".into())] {
            options.entry(key).or_insert(value);
        }
    }
    map.entry("combinator").or_insert_with(|| "and".into());
}

/// Returns the connections between nodes that exist, each with its kind and index.
fn connections(definition: &Definition) -> Map<String, Value> {
    let exists = |name: &str| definition.node(name).is_some();
    let mut out = Map::new();
    for (source, kinds) in definition.connections.iter().filter(|(source, _)| exists(source)) {
        let Value::Object(kinds) = kinds else { continue };
        let mut kept = Map::new();
        for (kind, outputs) in kinds {
            let target = |target: &Value| {
                let name = target.get("node").and_then(Value::as_str).filter(|name| exists(name))?;
                let (index, own) = (target.get("index").and_then(Value::as_u64), target.get("type").and_then(Value::as_str));
                Some(serde_json::json!({"node": name, "type": own.unwrap_or(kind), "index": index.unwrap_or_default()}))
            };
            let bucket = |bucket: &Value| bucket.as_array().into_iter().flatten().filter_map(target).collect::<Vec<_>>();
            let mut buckets: Vec<Vec<Value>> = outputs.as_array().into_iter().flatten().map(bucket).collect();
            buckets.truncate(buckets.iter().rposition(|bucket| !bucket.is_empty()).map_or(0, |last| last + 1));
            if !buckets.is_empty() {
                kept.insert(kind.clone(), buckets.into_iter().map(Value::Array).collect());
            }
        }
        if kept.is_empty() {
            continue;
        }
        out.insert(source.clone(), Value::Object(kept));
    }
    out
}
