//! Description of a JSON value without repeating it.

use serde_json::Value;

/// Describes the kind of a value: `a string`, `an array of 3`, `null`. Never the value itself, which may be secret.
pub fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "a boolean".into(),
        Value::Number(number) if number.is_f64() => "a fraction".into(),
        Value::Number(_) => "a number".into(),
        Value::String(text) if text.is_empty() => "an empty string".into(),
        Value::String(_) => "a string".into(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".into(),
    }
}
