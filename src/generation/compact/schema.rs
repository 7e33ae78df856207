//! JSON Schemas of the form.

use serde_json::{Value, json};

use super::form::{Compact, VERSION};
use super::nodes::FLAGS;
use crate::validator::schema::operators as known_operators;

/// Returns the schema of the form as people and `weirkeeper compact` write it.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Compact).to_value();
    if let Some(op) = schema.pointer_mut("/$defs/Condition/properties/op") {
        op["enum"] = operators();
    }
    schema
}

/// Returns the operators of conditions, each with its type.
fn operators() -> Value {
    known_operators().map(|(kind, operation)| format!("{kind}.{operation}")).collect()
}

/// Returns the schema for models with strict schema output: every object lists all of its keys and has no other. Parameters are a list of
/// `{key, value}`, and an object among their values is `{"entries": […]}`; a key without a value is `null`. [`read`](super::read::read)
/// takes both.
pub fn strict_schema() -> Value {
    let object = |properties: Value| {
        let required: Vec<String> = properties.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    };
    let maybe = |kind: &str| json!({"type": [kind, "null"]});
    let list = |of: &str| json!({"type": "array", "items": {"$ref": format!("#/$defs/{of}")}});
    let flags = FLAGS.map(|(_, flag)| flag);
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    let mut schema = object(json!({
        "compact": {"type": "integer", "enum": [VERSION]},
        "name": {"type": "string"},
        "nodes": list("node"),
        "edges": {"type": "array", "items": {"type": "string"}},
        "settings": {"anyOf": [{"$ref": "#/$defs/settings"}, {"type": "null"}]},
    }));
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Compact workflow, for strict schema output".into();
    schema["$defs"] = json!({
        "node": object(json!({
            "id": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
            "use": {"type": "string"},
            "as": {"type": "string"},
            "set": list("entry"),
            "when": {"anyOf": [list("case"), {"type": "null"}]},
            "onError": {"type": ["string", "null"], "enum": ["stop", "continue", "output", null]},
            "retry": {"anyOf": [object(json!({"tries": maybe("integer"), "wait": maybe("integer")})), {"type": "null"}]},
            "flags": {"anyOf": [{"type": "array", "items": {"type": "string", "enum": flags}}, {"type": "null"}]},
        })),
        "entry": object(json!({"key": {"type": "string"}, "value": {"$ref": "#/$defs/value"}})),
        "value": {"anyOf": [scalar, list("value"), object(json!({"entries": list("entry")}))]},
        "case": object(json!({
            "as": maybe("string"),
            "match": {"type": ["string", "null"], "enum": ["all", "any", null]},
            "of": list("condition"),
            "ignoreCase": maybe("boolean"),
            "loose": maybe("boolean"),
        })),
        "condition": object(json!({
            "left": scalar,
            "op": {"type": "string", "enum": operators()},
            "right": scalar,
        })),
        "settings": object(json!({"timezone": maybe("string"), "executionTimeout": maybe("integer")})),
    });
    schema
}
