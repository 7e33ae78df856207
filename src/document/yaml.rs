//! Writing YAML that every parser reads alike.
//!
//! kubectl reads YAML 1.1, in which `no` and `12:30` are not text, and this program's own reader 1.2. So a string is written plain only if
//! no version could read it as anything else, a text of several lines as a literal block if that represents it exactly, and everything else
//! in double quotes, as in JSON.

use serde_json::{Map, Value};

/// Keys that a reader looks for first, in that order.
const FIRST: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "instanceRef",
    "displayName",
    "active",
    "adopt",
    "tags",
    "name",
    "namespace",
    "id",
    "type",
    "typeVersion",
    "position",
    "credentials",
    "references",
];
/// Keys whose values are long.
const LAST: &[&str] = &["spec", "data", "definitionFrom", "definition"];

/// Writes a document, without a separator line. The same value always gives the same text.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, false, &mut out);
    out
}

/// Writes a value and the end of its line. It follows a key on the line, unless it begins an item or the document.
fn write(value: &Value, depth: usize, after_key: bool, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            if after_key {
                out.push('\n');
            }
            for (at, (key, inner)) in ordered(map).into_iter().enumerate() {
                // The first key of an item stands beside its dash.
                if at > 0 || after_key {
                    indent(depth, out);
                }
                out.push_str(&scalar(key));
                out.push(':');
                write(inner, depth + 1, true, out);
            }
        }
        Value::Array(items) if !items.is_empty() && !items.iter().all(Value::is_number) => {
            if after_key {
                out.push('\n');
            }
            for (at, item) in items.iter().enumerate() {
                if at > 0 || after_key {
                    indent(depth, out);
                }
                out.push_str("- ");
                write(item, depth + 1, false, out);
            }
        }
        Value::String(text) => {
            if after_key {
                out.push(' ');
            }
            match block(text) {
                Some(header) => {
                    out.push_str(header);
                    out.push('\n');
                    for line in text.lines() {
                        if !line.is_empty() {
                            indent(depth, out);
                        }
                        out.push_str(line);
                        out.push('\n');
                    }
                }
                None => {
                    out.push_str(&scalar(text));
                    out.push('\n');
                }
            }
        }
        // Numbers, words, empty containers and lists of numbers are written as in JSON.
        other => {
            if after_key {
                out.push(' ');
            }
            out.push_str(&other.to_string().replace(',', ", "));
            out.push('\n');
        }
    }
}

fn ordered(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |key: &str| {
        let first = FIRST.iter().position(|first| *first == key);
        let last = LAST.iter().position(|last| *last == key).map(|at| at + FIRST.len() + 1);
        first.or(last).unwrap_or(FIRST.len())
    };
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|a, b| (rank(a.0), a.0).cmp(&(rank(b.0), b.0)));
    entries
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Returns the header of a literal block that represents a text exactly, if there is one.
fn block(text: &str) -> Option<&'static str> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let plain = |line: &str| line.is_empty() || !line.trim().is_empty();
    let fits = body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with(|c: char| c.is_whitespace())
        && body.split('\n').all(plain)
        && !body.contains(|c: char| c != '\n' && c != '\t' && is_special(c));
    fits.then_some(if body.len() == text.len() { "|-" } else { "|" })
}

/// Reports whether some parser would refuse or drop a character, or read it as the end of a line.
fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn scalar(text: &str) -> String {
    if is_bare(text) {
        return text.to_owned();
    }
    let quoted = Value::String(text.to_owned()).to_string();
    if !quoted.contains(is_special) {
        return quoted;
    }
    quoted.chars().map(|c| if is_special(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}

fn is_bare(text: &str) -> bool {
    const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '.' | '/' | '-'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        serde_saphyr::from_str_with_options(text, options).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn a_document_is_written_for_people() {
        let value = json!({
            "spec": { "definition": { "nodes": [{ "parameters": { "code": "a();\n\n  b();\n", "on": "no", "list": [] },
                "position": [0, -20.5], "type": "@n8n/x.y", "name": "A b" }], "connections": {} },
                "active": true, "instanceRef": { "name": "main" } },
            "kind": "Workflow", "apiVersion": "weirkeeper.dev/v1alpha1",
        });
        let expected = "\
apiVersion: weirkeeper.dev/v1alpha1
kind: Workflow
spec:
  instanceRef:
    name: main
  active: true
  definition:
    connections: {}
    nodes:
      - name: A b
        type: \"@n8n/x.y\"
        position: [0, -20.5]
        parameters:
          code: |
            a();

              b();
          list: []
          \"on\": \"no\"
";
        assert_eq!(document(&value), expected);
        assert_eq!(read(expected), value);
    }

    #[test]
    fn values_that_a_parser_could_misread_are_quoted() {
        for text in
            ["", " a", "a ", "no", "12:30", "1e3", "0x1f", "~", "- a", "a: b", "a #b", "=x", "2026-01-01", "\u{2028}", "a\tb", "{", "Null"]
        {
            assert!(scalar(text).starts_with('"'), "{text}: {}", scalar(text));
        }
        for text in ["a\n", "\na\nb", " a\nb", "a\nb\n\n", "a\n  \nb", "a\r\nb"] {
            assert_eq!(block(text), None, "{text:?}");
        }
        assert_eq!((block("a\nb"), block("a\nb\n")), (Some("|-"), Some("|")));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-z #:\\-\n\t|>\"'=]{0,12}", "\\PC{0,8}", ".{0,8}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z #:\\-\"]{0,6}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(value in any_value()) {
            let whole = json!({ "a": value });
            prop_assert_eq!(read(&document(&whole)), whole);
        }
    }
}
