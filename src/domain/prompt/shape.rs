//! The shape of data: keys and kinds of values, never a value. Keys may be data, too, so only those that look like names are shown.

use std::collections::BTreeMap;

use serde_json::Value;

/// Maximum length of a shape in bytes.
const LONGEST: usize = 1_000;
/// Number of levels that are shown.
const LEVELS: usize = 4;
/// Number of keys of an object that are shown.
const MOST_KEYS: usize = 24;
/// Maximum length of a key.
const LONGEST_KEY: usize = 40;

/// Returns the shape of several items, such as `2 items: {body: {total: number}}`.
pub fn of_items(items: &[Value]) -> String {
    let count = match items.len() {
        1 => "1 item".to_owned(),
        many => format!("{many} items"),
    };
    let mut text = match items {
        [] => "no items".to_owned(),
        items => format!("{count}: {}", merged(items.iter(), 0)),
    };
    if text.len() > LONGEST {
        // Names of keys are ASCII.
        text.truncate(LONGEST - 1);
        text.push('\u{2026}');
    }
    text
}

/// Returns the shape of values that stand at the same place.
fn merged<'v>(values: impl Iterator<Item = &'v Value>, level: usize) -> String {
    let (mut kinds, mut keys, mut items): (Vec<&str>, BTreeMap<&str, Vec<&Value>>, Vec<&Value>) = Default::default();
    let mut more = false;
    for value in values {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(all) => {
                items.extend(all);
                "list"
            }
            Value::Object(all) => {
                for (key, value) in all {
                    if is_name(key) && (keys.contains_key(key.as_str()) || keys.len() < MOST_KEYS) {
                        keys.entry(key).or_default().push(value);
                    } else {
                        more = true;
                    }
                }
                "object"
            }
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let deeper = level < LEVELS;
    let shown = kinds.into_iter().map(|kind| match kind {
        "object" if deeper => {
            let mut parts: Vec<String> =
                keys.iter().map(|(key, values)| format!("{key}: {}", merged(values.iter().copied(), level + 1))).collect();
            parts.extend(more.then(|| "other keys".to_owned()));
            format!("{{{}}}", parts.join(", "))
        }
        "list" if deeper && !items.is_empty() => format!("[{}]", merged(items.iter().copied(), level + 1)),
        "list" => "[]".to_owned(),
        kind => kind.to_owned(),
    });
    shown.collect::<Vec<_>>().join(" or ")
}

/// Reports whether a key looks like a name that somebody chose, and not like data.
fn is_name(key: &str) -> bool {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    key.len() <= LONGEST_KEY
        && digits <= 4
        && key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_shape_has_keys_and_kinds_and_no_values() {
        let items = [
            json!({ "body": { "total": 12.5, "customer": { "name": "Ada Secret" } }, "tags": ["vip"], "ann@example.com": 1 }),
            json!({ "body": { "total": "12,50" }, "tags": [], "key_0123456789abcdef": "x" }),
        ];
        let shape = of_items(&items);
        assert_eq!(shape, "2 items: {body: {customer: {name: text}, total: number or text}, tags: [text], other keys}");
        assert_eq!((of_items(&[]), of_items(&[json!(null)])), ("no items".to_owned(), "1 item: null".to_owned()));
    }

    #[test]
    fn a_shape_is_bounded_whatever_the_data_is() {
        let wide: Value = (0..500)
            .map(|number| (format!("key{}", number % 90), json!({ "x".repeat(40): [[[[[[1]]]]]] })))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "a": [deep] });
        }
        for value in [wide, deep] {
            let shape = of_items(&[value]);
            assert!(shape.len() <= LONGEST + 2 && !shape.is_empty(), "{shape}");
        }
    }
}
