//! Type checks of values against the type that a parameter or a mapped column declares. Follows `validateFieldType` of n8n's workflow
//! package, which n8n calls before it publishes a workflow.

use serde_json::{Map, Value};
use url::Url;

use super::display::matches;
use super::js;
use crate::document::javascript::reads_as_object;

/// Keys of a form field that is written as JSON.
const FIELD_KEYS: &[&str] = &[
    "fieldLabel",
    "fieldType",
    "placeholder",
    "defaultValue",
    "fieldOptions",
    "multiselect",
    "multipleFiles",
    "acceptFileTypes",
    "formatDate",
    "requiredField",
    "fieldValue",
    "elementName",
    "html",
    "fieldName",
    "limitSelection",
    "numberOfSelections",
    "minSelections",
    "maxSelections",
];
/// Types of such a field.
const FIELD_TYPES: &[&str] =
    &["date", "dropdown", "email", "file", "number", "password", "text", "textarea", "checkbox", "radio", "html", "hiddenField"];

/// Reports whether a value has a type, in n8n's words (`number`, `dateTime`, `string-alphanumeric`, …), or can be converted to it.
/// Expressions, `null` and absent values always do; so do all values of a type that n8n does not know. `offered` are the options of a
/// choice.
pub fn takes(kind: &str, value: &Value, offered: &[&Value]) -> bool {
    if value.is_null() || js::to_string(value).starts_with('=') {
        return true;
    }
    match kind.to_ascii_lowercase().as_str() {
        "string-alphanumeric" => is_name(&js::to_json_text(value)),
        "number" => js::number(Some(value)).is_some(),
        "boolean" => is_boolean(value),
        "datetime" => may_be_date(&js::to_string(value)),
        "time" => is_time(&js::to_string(value)),
        "binary" => {
            value.as_object().is_some_and(|map| map.contains_key("mimeType") && (map.contains_key("data") || map.contains_key("id")))
        }
        "object" => is_object(value),
        "array" => value.is_array() || is_list(&js::to_string(value)),
        "options" => offered.iter().any(|one| js::strict_equal(one, value)),
        "url" => is_url(value),
        "jwt" => is_token(&js::to_string(value)),
        "form-fields" => are_form_fields(value),
        _ => true,
    }
}

/// Reports whether a text is a valid name in code: letters, digits and underscores, not beginning with a digit.
fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.starts_with(|letter: char| letter.is_ascii_digit()) && !text.is_empty() && text.bytes().all(inner)
}

fn is_boolean(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::String(text) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => true,
        Value::String(text) if text.trim().is_empty() => false,
        other => js::number(Some(other)).is_some_and(|number| number == 0.0 || number == 1.0),
    }
}

/// n8n tries five ways to read a date, the last of which accepts almost any text with a number in it.
fn may_be_date(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Reports whether a text is `hh:mm`, optionally with seconds and an offset.
fn is_time(text: &str) -> bool {
    matches(r"^\d{2}:\d{2}(:\d{2})?((\-|\+)\d{4})?((\-|\+)\d{1,2}(:\d{2})?)?$", text) != Some(false)
}

fn is_object(value: &Value) -> bool {
    if value.is_object() {
        return true;
    }
    let text = js::to_string(value);
    match serde_json::from_str::<Value>(&text) {
        Ok(parsed) => parsed.is_object() || parsed.is_null(),
        // Keys without quotes, or in single quotes.
        Err(_) => text.trim_start().starts_with('{') && reads_as_object(&text),
    }
}

fn is_list(text: &str) -> bool {
    let parsed = serde_json::from_str::<Value>(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\"")));
    parsed.is_ok_and(|parsed| parsed.is_array())
}

fn is_url(value: &Value) -> bool {
    let text = match value {
        Value::String(text) if !text.contains("://") => format!("https://{text}"),
        other => js::to_string(other),
    };
    Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "ftp" | "file"))
}

fn is_token(text: &str) -> bool {
    matches(r"^[A-Za-z0-9\-_]+\.[A-Za-z0-9\-_]+\.[A-Za-z0-9\-_.+/=]*$", text) != Some(false)
}

fn are_form_fields(value: &Value) -> bool {
    let parsed = serde_json::from_str::<Value>(&js::to_string(value));
    parsed
        .is_ok_and(|parsed| parsed.as_array().is_some_and(|fields| fields.iter().all(|field| field.as_object().is_some_and(is_form_field))))
}

fn is_form_field(field: &Map<String, Value>) -> bool {
    let typed = field.get("fieldType").is_none_or(|kind| FIELD_TYPES.contains(&js::to_string(kind).as_str()));
    let options = field.get("fieldOptions").is_none_or(|options| {
        let values = options.get("values").unwrap_or(options).as_array();
        values.is_some_and(|values| values.iter().all(is_form_option))
    });
    typed && options && field.keys().all(|key| FIELD_KEYS.contains(&key.as_str()))
}

fn is_form_option(option: &Value) -> bool {
    option.as_object().is_some_and(|option| option.len() == 1 && option.get("option").is_some_and(Value::is_string))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_taken_as_n8n_takes_them() {
        // Each was checked with n8n's own `validateFieldType`.
        let table = [
            ("string-alphanumeric", json!("my_tool_2"), true),
            ("string-alphanumeric", json!("my tool"), false),
            ("string-alphanumeric", json!("2nd"), false),
            ("string-alphanumeric", json!(""), false),
            ("string-alphanumeric", json!("={{ $json.x }}"), true),
            ("string-alphanumeric", json!(null), true),
            ("number", json!("12.5"), true),
            ("number", json!(""), true),
            ("number", json!("0x10"), true),
            ("number", json!("inf"), false),
            ("number", json!("twelve"), false),
            ("number", json!([]), true),
            ("number", json!([1, 2]), false),
            ("number", json!({}), false),
            ("boolean", json!("TRUE"), true),
            ("boolean", json!("1"), true),
            ("boolean", json!(2), false),
            ("boolean", json!(""), false),
            ("boolean", json!([]), true),
            ("dateTime", json!("2026-01-31"), true),
            ("dateTime", json!("31 Jan 2026"), true),
            ("dateTime", json!("tomorrow"), false),
            ("dateTime", json!(""), false),
            ("time", json!("23:59"), true),
            ("time", json!("9:30"), false),
            ("object", json!("{\"a\": 1}"), true),
            ("object", json!("{a: 'b',}"), true),
            ("object", json!("null"), true),
            ("object", json!("{\"a\": {{ $json.b }} }"), false),
            ("object", json!("[1]"), false),
            ("object", json!("a"), false),
            ("object", json!([]), false),
            ("array", json!("['a', \"b\"]"), true),
            ("array", json!("[a]"), false),
            ("array", json!("{}"), false),
            ("array", json!(""), false),
            ("url", json!("example.com/a"), true),
            ("url", json!("mailto://a"), false),
            ("url", json!(""), false),
            ("jwt", json!("a.b.c"), true),
            ("jwt", json!("a.b"), false),
            ("options", json!("b"), false),
            ("options", json!("a"), true),
            ("form-fields", json!("[{\"fieldLabel\": \"Name\", \"fieldType\": \"text\"}]"), true),
            ("form-fields", json!("[{\"fieldLabel\": \"Name\", \"fieldType\": \"colour\"}]"), false),
            ("form-fields", json!("[{\"label\": \"Name\"}]"), false),
            ("form-fields", json!("[{\"fieldLabel\": \"A\", \"fieldOptions\": {\"values\": [{\"option\": \"x\"}]}}]"), true),
            ("form-fields", json!("[{\"fieldLabel\": \"A\", \"fieldOptions\": [\"x\"]}]"), false),
            ("form-fields", json!("{}"), false),
            ("string", json!({}), true),
            ("a type of tomorrow", json!("x"), true),
        ];
        for (kind, value, taken) in table {
            assert_eq!(takes(kind, &value, &[&json!("a")]), taken, "{kind} {value}");
        }
    }
}
