//! Values in the wrong place of a node.

use serde_json::{Map, Value};

use super::node::Known;
use crate::catalog::{Kind, Shared};
use crate::document::finding::{Code, Finding, kind_of, quoted};
use crate::document::json_path::{self, JsonPath};

/// Fields of a node that language models and people put among its parameters.
const SETTINGS: &[&str] = &[
    "alwaysOutputData",
    "continueOnFail",
    "credentials",
    "disabled",
    "executeOnce",
    "maxTries",
    "notes",
    "notesInFlow",
    "onError",
    "retryOnFail",
    "typeVersion",
    "waitBetweenTries",
    "webhookId",
];

/// Maximum depth at which entries are searched; n8n's own parameters are nested half as deep.
const DEEPEST: usize = 8;

/// The fields whose names mean nothing else at any depth.
const UNMISTAKABLE: &[&str] =
    &["alwaysOutputData", "continueOnFail", "executeOnce", "maxTries", "notesInFlow", "onError", "retryOnFail", "waitBetweenTries"];

/// Reports whether a key without a parameter of the node is a field of the node. `top` says whether it stands at the top level of the
/// parameters.
pub(super) fn is_setting(key: &str, top: bool) -> bool {
    if top { SETTINGS.contains(&key) } else { UNMISTAKABLE.contains(&key) }
}

/// Returns the finding for such a field among the parameters.
pub(super) fn finding(known: &Known<'_>, key: &str, place: JsonPath<'_>) -> Finding {
    let message = format!("{} is a field of the node, not a parameter, so n8n ignores it here; move it beside parameters", quoted(key));
    let meant = json_path::key(&known.at, key);
    known.warning(Code::NodeFieldMisplaced, place.written(), message).suggest(Some(meant))
}

/// Finds a single entry in place of a list of entries, and describes it.
pub(super) fn single_entry(parameters: &[Shared], own: &Map<String, Value>, place: JsonPath<'_>, depth: usize) -> Option<(String, String)> {
    if depth > DEEPEST {
        return None;
    }
    for (key, value) in own {
        let place = JsonPath::Key(&place, key);
        let Some(fields) = value.as_object() else { continue };
        for parameter in parameters.iter().filter(|parameter| parameter.name == *key) {
            if parameter.kind == Kind::Collection
                && let Some(found) = single_entry(&parameter.fields, fields, place, depth + 1)
            {
                return Some(found);
            }
            for group in &parameter.groups {
                let Some(entry) = fields.get(&group.name) else { continue };
                let place = JsonPath::Key(&place, &group.name);
                let wants_list = parameter.bounds.multiple == Some(true);
                if wants_list && !entry.is_array() && !entry.is_string() {
                    return Some((place.written(), kind_of(entry)));
                }
                let inner = entry.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate();
                let mut inner = inner.filter_map(|(at, item)| Some((at, item.as_object()?)));
                if let Some(found) = inner.find_map(|(at, item)| single_entry(&group.fields, item, JsonPath::Index(&place, at), depth + 1))
                {
                    return Some(found);
                }
            }
        }
    }
    None
}
