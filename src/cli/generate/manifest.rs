//! The Workflow manifest of a generated workflow.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::arguments::{GenerateArguments, GenerateError};
use crate::document::definition::Definition;
use crate::document::yaml;
use crate::generation::outcome::Candidate;
use crate::text::one_line;

/// Returns the manifest as YAML, with what is still to be given in comments above it. Node ids stay in a workflow that was changed.
pub(super) fn text(candidate: &Candidate, arguments: &GenerateArguments, changed: bool) -> Result<String, GenerateError> {
    let mut definition = candidate.definition.clone();
    if !changed {
        definition.without_ids();
    }
    let title = definition.name.clone().unwrap_or_default();
    let name = arguments.name.clone().unwrap_or_else(|| object_name(&title));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(fits) || name.starts_with('-') || name.ends_with('-') {
        return Err(GenerateError::Name(name));
    }
    let credentials = credentials(&definition);
    let mut spec = Map::new();
    spec.insert("instanceRef".into(), json!({ "name": arguments.instance }));
    spec.insert("active".into(), json!(true));
    if !credentials.is_empty() {
        let mapped: Vec<Value> = credentials.iter().map(|name| json!({ "name": name, "existing": { "name": name } })).collect();
        spec.insert("credentials".into(), json!(mapped));
    }
    spec.insert("definition".into(), json!(definition));
    let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name }, "spec": spec });
    Ok(format!("{}{}", comments(candidate, &credentials), yaml::document(&object)))
}

/// Returns what people have to do before they apply the manifest.
fn comments(candidate: &Candidate, credentials: &[String]) -> String {
    let mut out = String::new();
    let open: Vec<_> = candidate.slots.iter().filter(|slot| slot.open).collect();
    if !open.is_empty() {
        out.push_str("# Fill in before you apply it:\n");
        for slot in open {
            let places: Vec<String> = slot.paths.iter().map(|path| place(path, candidate)).collect();
            let _ = writeln!(out, "#   ?{}: {}", slot.name, one_line(&places.join(", "), 200));
        }
    }
    if !credentials.is_empty() {
        out.push_str("# Set spec.credentials[].existing.name to the names that these credentials have in n8n, or name N8nCredentials in credentialRef.\n");
    }
    for assumption in &candidate.assumptions {
        let _ = writeln!(out, "# Assumed: {}", one_line(assumption, 300));
    }
    out
}

/// Returns a place in the compact form by the name of its node.
fn place(path: &str, candidate: &Candidate) -> String {
    let named = || {
        let (index, rest) = path.strip_prefix("nodes[")?.split_once(']')?;
        let node = candidate.compact.as_ref()?.nodes.get(index.parse::<usize>().ok()?)?;
        Some(format!("{} of node {:?}", rest.trim_start_matches(".set").trim_start_matches('.'), node.name))
    };
    named().unwrap_or_else(|| path.to_owned())
}

/// Returns the names of the credentials in the order in which they come first.
fn credentials(definition: &Definition) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let entries = definition.nodes.iter().filter_map(|node| node.credentials()).flat_map(Map::values);
    for name in entries.filter_map(|entry| entry.get("name").and_then(Value::as_str)) {
        if !names.iter().any(|own| own == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Returns a name of an object made from a title.
fn object_name(title: &str) -> String {
    let mut name = String::new();
    for c in title.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if !name.ends_with('-') && !name.is_empty() => name.push('-'),
            _ => {}
        }
    }
    let name: String = name.chars().take(63).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { "generated".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_the_name_of_an_object() {
        for (title, name) in [
            ("Large orders to Slack", "large-orders-to-slack"),
            ("  Bestellungen: täglich!", "bestellungen-t-glich"),
            ("日本", "generated"),
        ] {
            assert_eq!(object_name(title), name);
        }
        assert!(object_name(&"a ".repeat(99)).len() <= 63);
    }
}
