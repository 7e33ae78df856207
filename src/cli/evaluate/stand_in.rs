//! Values in the place of open slots, so that n8n can be asked about a workflow.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::json_path::is_within;
use crate::generation::compact::{compile, locate};
use crate::generation::credentials;
use crate::generation::outcome::Candidate;
use crate::validator::check::check;

/// Values that are tried, in this order.
fn values() -> [Value; 8] {
    [
        // Hexadecimal digits as in an id of Notion, which n8n looks at when it publishes.
        json!("0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d"),
        json!("1234567890"),
        json!("https://service.example/a"),
        json!("anna@service.example"),
        json!("C0123456789"),
        json!(1),
        json!("2026-01-31"),
        json!("name"),
    ]
}

/// Returns the definition with a value for each open slot, one with which the validator finds least wrong there.
pub(super) fn filled(candidate: &Candidate, catalog: &Catalog) -> Definition {
    let Some(compact) = candidate.compact.as_ref().filter(|_| candidate.slots.iter().any(|slot| slot.open)) else {
        return candidate.definition.clone();
    };
    let mut inputs: BTreeMap<String, Value> = BTreeMap::new();
    let wrong = |inputs: &BTreeMap<String, Value>, paths: &[String]| {
        let Ok(compiled) = compile(compact, inputs, catalog) else { return usize::MAX };
        let within = |path: &str| paths.iter().any(|own| is_within(&locate(path), own));
        check(&compiled.definition, None, catalog).iter().filter(|finding| within(&finding.path)).count()
    };
    for slot in candidate.slots.iter().filter(|slot| slot.open) {
        let best = values().into_iter().min_by_key(|value| {
            let mut tried = inputs.clone();
            tried.insert(slot.name.clone(), value.clone());
            (wrong(&tried, &slot.paths), !fits(&slot.name, value))
        });
        if let Some(best) = best {
            inputs.insert(slot.name.clone(), best);
        }
    }
    match compile(compact, &inputs, catalog) {
        Ok(mut compiled) => {
            credentials::add(&mut compiled.definition, catalog);
            compiled.definition
        }
        Err(_) => candidate.definition.clone(),
    }
}

/// Reports whether a value is of the kind that the name of a slot says.
fn fits(name: &str, value: &Value) -> bool {
    let name = name.to_lowercase();
    let text = value.as_str().unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if is(&["url", "host", "address", "endpoint", "link"]) && !is(&["mail"]) {
        return text.starts_with("https");
    }
    if is(&["mail", "recipient", "sender", "to_", "from"]) {
        return text.contains('@');
    }
    true
}
