//! The rules of JavaScript that n8n's conditions depend on: paths into values, equality, ordering, truthiness.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// Values that have names.
pub trait Values {
    /// Returns the value of a name.
    fn named(&self, name: &str) -> Option<&Value>;
}

impl Values for Map<String, Value> {
    fn named(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

/// Returns the value at a path such as `options.batch[0].size`; `None` is JavaScript's undefined.
///
/// As in lodash's `get`, a key that equals the whole path takes precedence over its parts.
pub fn get<'a>(values: &'a (impl Values + ?Sized), path: &str) -> Option<&'a Value> {
    if let Some(value) = values.named(path) {
        return Some(value);
    }
    if !path.contains(['.', '[']) {
        return None;
    }
    let mut parts = parts(path).into_iter();
    let mut current = values.named(parts.next()?)?;
    for part in parts {
        current = match current {
            Value::Object(map) => map.get(part)?,
            Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(current)
}

fn parts(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for dotted in path.split('.') {
        let mut pieces = dotted.split('[');
        let first = pieces.next().unwrap_or_default();
        if !(first.is_empty() && dotted.starts_with('[')) {
            found.push(first);
        }
        found.extend(pieces.map(|piece| piece.trim_end_matches(']').trim_matches(['"', '\''])));
    }
    found
}

/// Compares two values deeply: numbers are equal however they are written, lists and objects by their contents.
pub fn deep_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| deep_equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| deep_equal(value, other)))
        }
        _ => a == b,
    }
}

/// `a === b` of two values that do not share an identity: lists and objects are never equal.
pub fn strict_equal(a: &Value, b: &Value) -> bool {
    !a.is_object() && !a.is_array() && deep_equal(a, b)
}

/// Reports whether a value is truthy in JavaScript; `None` is undefined.
pub fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|n| n != 0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// Orders values as `<` and `>` do; `None` if every comparison is false.
pub fn order(a: Option<&Value>, b: Option<&Value>) -> Option<Ordering> {
    if let (Some(Value::String(a)), Some(Value::String(b))) = (a, b) {
        return Some(a.encode_utf16().cmp(b.encode_utf16()));
    }
    number(a)?.partial_cmp(&number(b)?)
}

/// `Number(value)`; `None` is NaN.
pub fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Null => Some(0.0),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => number_of(text.trim()),
        // The text of a list is its items, joined by commas.
        Value::Array(items) if items.is_empty() => Some(0.0),
        Value::Array(items) if items.len() == 1 => number_of(to_string(&items[0]).trim()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn number_of(text: &str) -> Option<f64> {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            let digits = &text[2..];
            return u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+')).map(|number| number as f64);
        }
    }
    match text.trim_start_matches(['+', '-']) {
        "" => text.is_empty().then_some(0.0),
        "Infinity" => Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        digits if digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') => text.parse().ok(),
        // Words that only Rust reads as numbers.
        _ => None,
    }
}

/// `String(value)`.
pub fn to_string(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let text = |item: &Value| if item.is_null() { String::new() } else { to_string(item) };
            items.iter().map(text).collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => "[object Object]".to_owned(),
        other => other.to_string(),
    }
}

/// As [`to_string`], with lists and objects as JSON.
pub fn to_json_text(value: &Value) -> String {
    if value.is_array() || value.is_object() { value.to_string() } else { to_string(value) }
}

/// Reports whether a value is an n8n expression, whose result is only known at run time.
pub fn is_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('='))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_goes_through_objects_and_lists_and_a_whole_key_wins() {
        let values = json!({"a": {"b": [{"c": 1}]}, "a.b": 2, "": {"x": 3}});
        let values = values.as_object().unwrap();
        assert_eq!(get(values, "a.b"), Some(&json!(2)));
        assert_eq!(get(values, "a.b[0].c"), Some(&json!(1)));
        assert_eq!(get(values, "a..b"), None);
        assert_eq!(get(values, ".x"), Some(&json!(3)));
        assert_eq!(get(values, "a.z.y"), None);
    }

    #[test]
    fn order_and_truth_are_those_of_javascript() {
        assert_eq!(order(Some(&json!(null)), Some(&json!(0))), Some(Ordering::Equal));
        assert_eq!(order(Some(&json!("10")), Some(&json!(9))), Some(Ordering::Greater));
        assert_eq!(order(None, Some(&json!(0))), None);
        for (text, wanted) in [
            ("", Some(0.0)),
            (" 1e3 ", Some(1000.0)),
            ("0x1F", Some(31.0)),
            ("-.5", Some(-0.5)),
            ("inf", None),
            ("nan", None),
            ("--1", None),
        ] {
            assert_eq!(number(Some(&json!(text))), wanted, "{text:?}");
        }
        assert_eq!(to_string(&json!([1, null, ["a", {}]])), "1,,a,[object Object]");
        assert!(!truthy(Some(&json!(""))) && truthy(Some(&json!([]))) && !truthy(Some(&json!(0))));
        assert!(deep_equal(&json!(2), &json!(2.0)) && !strict_equal(&json!("2"), &json!(2)) && !strict_equal(&json!([]), &json!([])));
    }
}
