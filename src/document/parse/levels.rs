//! Nesting limits of documents.

use serde_json::{Map, Value};

use crate::document::finding::{Code, Finding};
use crate::document::json_path::JsonPath;

/// Maximum number of levels of objects and arrays in a workflow. It is stored inside other objects, in Kubernetes and in n8n, and documents
/// that are read from there may have [`LEVELS`](crate::document::lenient_json::LEVELS).
pub const MOST_LEVELS: usize = 100;

/// Returns the path of the first value in an object that is nested deeper than `most` levels; the object itself is the first level.
pub fn too_deep(object: &Map<String, Value>, most: usize) -> Option<String> {
    entries(object, most.saturating_sub(1), JsonPath::Root(""))
}

fn entries(object: &Map<String, Value>, left: usize, place: JsonPath<'_>) -> Option<String> {
    object.iter().find_map(|(key, value)| below(value, left, JsonPath::Key(&place, key)))
}

fn below(value: &Value, left: usize, place: JsonPath<'_>) -> Option<String> {
    match value {
        Value::Object(_) | Value::Array(_) if left == 0 => Some(place.written()),
        Value::Object(object) => entries(object, left - 1, place),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| below(item, left - 1, JsonPath::Index(&place, at))),
        _ => None,
    }
}

/// Returns the finding for a workflow that nests too deep.
pub(super) fn finding(path: &str) -> Finding {
    let message = format!("the workflow nests deeper than {MOST_LEVELS} levels here; flatten it, or store the value as text");
    Finding::error(Code::DocumentTooLarge, path, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_number_of_levels_is_limited() {
        let of = |levels: usize| {
            let inner = (1..levels).fold(json!(1), |inner, _| json!([inner]));
            json!({ "flat": [], "a": inner }).as_object().unwrap().clone()
        };
        assert_eq!(too_deep(&of(5), 5), None);
        assert_eq!(too_deep(&of(6), 5).as_deref(), Some("a[0][0][0][0]"));
        assert_eq!(too_deep(&Map::new(), 1), None);
        assert_eq!(too_deep(&of(2), 1).as_deref(), Some("a"));
    }
}
