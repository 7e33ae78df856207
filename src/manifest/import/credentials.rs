//! Mapping of the credentials of a definition to those of the instance that it came from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::document::definition::Definition;
use crate::document::finding::quoted;

/// Returns the entries of `spec.credentials`, and notes on credentials that could not be mapped.
pub(super) fn map(definition: &Definition) -> (Vec<Value>, Vec<String>) {
    // Ids by name, then by type.
    let mut called: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    let mut unmapped = Vec::new();
    for node in &definition.nodes {
        for (kind, reference) in node.credentials().into_iter().flatten() {
            let text = |key: &str| reference.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            match text("id") {
                Some(id) => drop(called.entry(text("name").unwrap_or(id)).or_default().entry(kind).or_default().insert(id)),
                None => unmapped
                    .push(format!("node {}: its credential of type {kind} has no id; map it in spec.credentials", quoted(node.name()))),
            }
        }
    }
    let mut entries = Vec::new();
    for (name, kinds) in &called {
        for (kind, ids) in kinds {
            for id in ids {
                // Several of one name and type are distinguished by their ids, which the nodes hold too.
                let mut entry = json!({ "name": if ids.len() > 1 { id } else { name }, "existing": { "id": id } });
                if kinds.len() > 1 {
                    entry["type"] = json!(kind);
                }
                entries.push(entry);
            }
        }
    }
    (entries, unmapped)
}
