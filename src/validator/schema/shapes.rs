//! Shapes that the value of a parameter may have, by its kind.

use serde_json::Value;

use crate::catalog::{Kind, Parameter};
use crate::document::finding::kind_of;

/// Reason why a value does not fit.
pub(super) enum Misfit {
    /// It is not one of the options.
    Option,
    /// The mode of a resource locator is not one of the parameter's.
    Mode,
    /// The node cannot use the value.
    Broken { got: String, want: &'static str },
    /// n8n may be able to use the value.
    Doubtful { got: String, want: &'static str },
}

/// Parameters that select what a node does. With a value that is not an option the node has nothing to run; for other choices n8n may
/// accept values that it no longer or does not yet offer (languages, models), so these are only doubtful.
const DECISIVE: &[&str] = &["resource", "operation", "method", "httpMethod", "requestMethod"];

/// Reports whether a parameter selects what the node does.
pub(super) fn is_decisive(name: &str) -> bool {
    DECISIVE.contains(&name)
}

/// Checks whether a present value that is not an expression fits the parameter.
pub(super) fn fits(parameter: &Parameter, value: &Value) -> Result<(), Misfit> {
    let multiple = parameter.bounds.multiple == Some(true);
    match parameter.kind {
        Kind::Options if parameter.options.allows(value) => Ok(()),
        // JavaScript takes a list of one item for the item, except in comparisons.
        Kind::Options if value.is_array() && !is_decisive(&parameter.name) => Err(doubtful(value, "one of the options")),
        Kind::Options if value.is_object() || value.is_array() => Err(broken(value, "one of the options")),
        Kind::Options => Err(Misfit::Option),
        Kind::MultiOptions => many(parameter, value),
        Kind::Collection if multiple => Ok(()),
        // From anything else n8n reads no field, as if there were none.
        Kind::Collection if value.is_object() => Ok(()),
        Kind::Collection => Err(doubtful(value, "an object of fields")),
        Kind::FixedCollection => object(value, "an object of groups"),
        Kind::AssignmentCollection => match value.get("assignments") {
            Some(Value::Array(_)) => Ok(()),
            _ => Err(broken(value, r#"{"assignments": [...]}"#)),
        },
        Kind::Filter => match value {
            Value::Object(map) if map.get("conditions").is_some_and(Value::is_array) => Ok(()),
            Value::Object(map) if map.keys().all(|key| key == "options" || key == "combinator") => Ok(()),
            _ => Err(broken(value, r#"{"combinator": "and", "conditions": [...]}"#)),
        },
        Kind::ResourceLocator => locator(parameter, value),
        Kind::ResourceMapper => object(value, r#"{"mappingMode": "...", "value": {...}}"#),
        Kind::Boolean if value.is_boolean() => Ok(()),
        Kind::Boolean => Err(doubtful(value, "true or false")),
        Kind::Number => match value {
            Value::Number(_) => Ok(()),
            Value::String(text) if text.trim().parse::<f64>().is_ok() => Ok(()),
            _ if multiple => Ok(()),
            _ => Err(doubtful(value, "a number")),
        },
        Kind::String | Kind::DateTime | Kind::Color if !multiple && (value.is_object() || value.is_array()) => {
            Err(doubtful(value, "a text"))
        }
        _ => Ok(()),
    }
}

fn many(parameter: &Parameter, value: &Value) -> Result<(), Misfit> {
    match value {
        Value::Array(items) => {
            let known = |item: &Value| parameter.options.allows(item) || item.as_str().is_some_and(|text| text.starts_with('='));
            if items.iter().all(known) { Ok(()) } else { Err(Misfit::Option) }
        }
        _ => Err(doubtful(value, "a list of options")),
    }
}

fn locator(parameter: &Parameter, value: &Value) -> Result<(), Misfit> {
    let Value::Object(map) = value else {
        // n8n takes a plain value for the id.
        return if value.is_array() { Err(broken(value, "a resource locator")) } else { Ok(()) };
    };
    if !map.is_empty() && !map.contains_key("value") && !map.contains_key("mode") {
        return Err(broken(value, r#"{"__rl": true, "mode": "...", "value": "..."}"#));
    }
    match map.get("mode").and_then(Value::as_str) {
        Some(mode) if !mode.is_empty() && !parameter.modes.iter().any(|known| known.name == mode) => Err(Misfit::Mode),
        _ => Ok(()),
    }
}

fn object(value: &Value, want: &'static str) -> Result<(), Misfit> {
    if value.is_object() { Ok(()) } else { Err(broken(value, want)) }
}

fn broken(value: &Value, want: &'static str) -> Misfit {
    Misfit::Broken { got: kind_of(value), want }
}

fn doubtful(value: &Value, want: &'static str) -> Misfit {
    Misfit::Doubtful { got: kind_of(value), want }
}
