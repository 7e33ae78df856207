//! Writing YAML that every parser reads alike.
//!
//! kubectl reads YAML 1.1, in which `no` and `12:30` are not text, and this program's own reader 1.2. The serializer quotes each string that
//! one of them could read as something else, and writes a text of several lines as a literal block.

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::{Map, Value};
use serde_saphyr::FlowSeq;

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
    // Long lines are not folded: a difference in a folded text is hard to read.
    let options = serde_saphyr::ser_options! { compact_list_indent: false, folded_wrap_chars: usize::MAX };
    // JSON cannot fail to be written, and would be YAML itself.
    serde_saphyr::to_string_with_options(&Readable(value), options).unwrap_or_else(|_| value.to_string())
}

/// A value whose keys are in an order for readers, and whose lists of numbers are on one line.
struct Readable<'a>(&'a Value);

impl Serialize for Readable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => {
                let mut written = serializer.serialize_map(Some(map.len()))?;
                for (key, inner) in ordered(map) {
                    written.serialize_entry(key, &Readable(inner))?;
                }
                written.end()
            }
            Value::Array(items) if items.iter().all(Value::is_number) => FlowSeq(items).serialize(serializer),
            Value::Array(items) => {
                let mut written = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    written.serialize_element(&Readable(item))?;
                }
                written.end()
            }
            scalar => scalar.serialize(serializer),
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
        let written = |text: &str| document(&json!({ "a": text }));
        for text in
            ["", " a", "a ", "no", "12:30", "1e3", "0x1f", "~", "- a", "a: b", "a #b", "=", "2026-01-01", "\u{2028}", "a\tb", "{", "Null"]
        {
            assert!(written(text).starts_with("a: \""), "{text}: {}", written(text));
        }
        for key in ["on", "no", "12:30", "2026-01-01", "1e3", "=", "<<", "a: b", "null"] {
            assert!(document(&json!({ key: 1 })).starts_with('"'), "{key}: {}", document(&json!({ key: 1 })));
        }
        assert!(written("a\r\nb").starts_with("a: \""), "a block has no carriage returns");
        assert_eq!((written("a\nb").as_str(), written("a\nb\n").as_str()), ("a: |-\n  a\n  b\n", "a: |\n  a\n  b\n"));
        let long = "a word and ".repeat(20) + "an end";
        assert_eq!(written(&long), format!("a: {long}\n"), "long lines are not folded");
        for text in ["a\n", "\na\nb", " a\nb", "a\nb\n\n", "a\n  \nb", "a\r\nb"] {
            assert_eq!(read(&written(text)), json!({ "a": text }), "{text:?}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-z #:\\-\n\t|>\"'=]{0,12}", "[ \n]{0,2}([a-z#: -]{0,3}\n){1,4}[ \n]{0,2}", "\\PC{0,8}", ".{0,8}"];
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
