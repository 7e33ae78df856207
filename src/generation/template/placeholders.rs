//! Where the placeholders of a template stand.

use serde_json::{Map, Value};

use super::code::{Language, Languages};
use crate::document::json_path;
use crate::generation::compact::{Compact, slot_name};

/// A placeholder at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// Name of the input.
    pub name: String,
    pub path: String,
    /// True if it stands for a whole value, and not for a part of a text.
    pub whole: bool,
    pub place: PlaceholderContext,
}

/// Permissions of a value at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceholderContext {
    /// It is data.
    Data,
    /// It is the name of a credential.
    Credential,
    /// It would be a part of code.
    Code(Language),
    /// Nothing is put there.
    Fixed,
}

/// Returns the placeholders of a text, and whether each is the whole of it.
pub(super) fn names(text: &str) -> Vec<(&str, bool)> {
    if let Some(name) = slot_name(text) {
        return vec![(name, true)];
    }
    let pieces = text.split("{{").skip(1).filter_map(|rest| slot_name(rest.split_once("}}")?.0.trim()));
    pieces.map(|name| (name, false)).collect()
}

/// Returns the placeholders of a workflow in the compact form. `languages` are those of the parameters of each node.
pub(super) fn of_compact(compact: &Compact, languages: &[Languages]) -> Vec<Placeholder> {
    let mut found = Vec::new();
    text(compact.name.as_deref().unwrap_or_default(), "name", PlaceholderContext::Data, &mut found);
    each_text(compact.notes.iter(), "notes", PlaceholderContext::Data, &mut found);
    each_text(compact.edges.iter(), "edges", PlaceholderContext::Fixed, &mut found);
    let settings = serde_json::to_value(&compact.settings).unwrap_or_default();
    within(&settings, "settings", PlaceholderContext::Data, &Languages::default(), &mut found);
    let none = Languages::default();
    for (index, node) in compact.nodes.iter().enumerate() {
        let path = json_path::index("nodes", index);
        let languages = languages.get(index).unwrap_or(&none);
        for (fixed, key) in [(Some(&node.kind), "use"), (Some(&node.name), "as"), (node.note.as_ref(), "note")] {
            text(fixed.map(String::as_str).unwrap_or_default(), &json_path::key(&path, key), PlaceholderContext::Fixed, &mut found);
        }
        parameters(&node.set, &json_path::key(&path, "set"), languages, &mut found);
        for (at, case) in node.when.iter().enumerate() {
            let path = json_path::index(&json_path::key(&path, "when"), at);
            text(case.name.as_deref().unwrap_or_default(), &json_path::key(&path, "as"), PlaceholderContext::Fixed, &mut found);
            for (at, condition) in case.of.iter().enumerate() {
                let path = json_path::index(&json_path::key(&path, "of"), at);
                text(&condition.op, &json_path::key(&path, "op"), PlaceholderContext::Fixed, &mut found);
                for (side, key) in [(&condition.left, "left"), (&condition.right, "right")] {
                    within(side, &json_path::key(&path, key), PlaceholderContext::Data, languages, &mut found);
                }
            }
        }
    }
    found
}

/// Returns the placeholders of an n8n workflow.
pub(super) fn of_definition(document: &Value, languages: &[Languages]) -> Vec<Placeholder> {
    let mut found = Vec::new();
    let none = Languages::default();
    for (key, value) in document.as_object().into_iter().flatten() {
        match key.as_str() {
            "nodes" => {}
            "name" => within(value, key, PlaceholderContext::Data, &none, &mut found),
            "settings" => within(value, key, PlaceholderContext::Data, &none, &mut found),
            _ => within(value, key, PlaceholderContext::Fixed, &none, &mut found),
        }
    }
    for (index, node) in document.get("nodes").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let path = json_path::index("nodes", index);
        let languages = languages.get(index).unwrap_or(&none);
        for (key, value) in node.as_object().into_iter().flatten() {
            let path = json_path::key(&path, key);
            match (key.as_str(), value) {
                ("parameters", Value::Object(map)) => parameters(map, &path, languages, &mut found),
                ("credentials", Value::Object(map)) => {
                    for (kind, entry) in map {
                        let path = json_path::key(&path, kind);
                        for (key, value) in entry.as_object().into_iter().flatten() {
                            let place = if key == "name" { PlaceholderContext::Credential } else { PlaceholderContext::Fixed };
                            within(value, &json_path::key(&path, key), place, &none, &mut found);
                        }
                    }
                }
                _ => within(value, &path, PlaceholderContext::Fixed, &none, &mut found),
            }
        }
    }
    found
}

fn parameters(map: &Map<String, Value>, path: &str, languages: &Languages, found: &mut Vec<Placeholder>) {
    for (key, value) in map {
        let place = languages.get(key).map_or(PlaceholderContext::Data, PlaceholderContext::Code);
        within(value, &json_path::key(path, key), place, languages, found);
    }
}

fn within(value: &Value, path: &str, place: PlaceholderContext, languages: &Languages, found: &mut Vec<Placeholder>) {
    match value {
        Value::String(own) => text(own, path, place, found),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| within(item, &json_path::index(path, at), place, languages, found));
        }
        // Below a parameter that holds text in a language, an object is a structure and no text.
        Value::Object(map) if place == PlaceholderContext::Data || matches!(place, PlaceholderContext::Code(_)) => {
            parameters(map, path, languages, found)
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| within(value, &json_path::key(path, key), place, languages, found)),
        _ => {}
    }
}

fn each_text<'t>(texts: impl Iterator<Item = &'t String>, path: &str, place: PlaceholderContext, found: &mut Vec<Placeholder>) {
    texts.enumerate().for_each(|(at, own)| text(own, &json_path::index(path, at), place, found));
}

fn text(own: &str, path: &str, place: PlaceholderContext, found: &mut Vec<Placeholder>) {
    let found_here = names(own).into_iter().map(|(name, whole)| Placeholder { name: name.to_owned(), path: path.to_owned(), whole, place });
    found.extend(found_here);
}
