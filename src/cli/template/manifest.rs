//! The Workflow manifest of a rendered template.

use serde_json::{Map, Value, json};

use super::arguments::{RenderArguments, TemplateError};
use super::source::Named;
use crate::document::definition::Definition;
use crate::generation::outcome::Inputs;
use crate::generation::template::Rendered;

/// Returns the manifest of a Workflow: its definition, or a reference to the template, and a mapping of each credential that its nodes name.
pub(super) fn manifest(named: &Named, rendered: Rendered, inputs: Inputs, arguments: &RenderArguments) -> Result<Value, TemplateError> {
    let name = arguments.name.clone().unwrap_or_else(|| named.name.clone());
    let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(label) || name.starts_with('-') || name.ends_with('-') {
        return Err(TemplateError::Name(name));
    }
    let credentials = mappings(&rendered.definition);
    let mut spec = Map::new();
    spec.insert("instanceRef".into(), json!({ "name": arguments.instance }));
    spec.insert("active".into(), json!(true));
    if !credentials.is_empty() {
        spec.insert("credentials".into(), json!(credentials));
    }
    if arguments.by_reference {
        let mut reference = json!({ "name": named.name, "inputs": inputs });
        if named.ships {
            reference["kind"] = json!("BuiltinTemplate");
        }
        spec.insert("templateRef".into(), reference);
    } else {
        let mut definition = rendered.definition;
        definition.without_ids();
        spec.insert("definition".into(), json!(definition));
    }
    Ok(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name }, "spec": spec }))
}

/// Maps each credential to one of the same name in n8n, which people change to the name that theirs has.
fn mappings(definition: &Definition) -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    let entries = definition.nodes.iter().filter_map(|node| node.credentials()).flat_map(Map::values);
    for name in entries.filter_map(|entry| entry.get("name").and_then(Value::as_str)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().map(|name| json!({ "name": name, "existing": { "name": name } })).collect()
}
