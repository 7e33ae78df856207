//! Writing the canonical form as JSON text: keys sorted, no whitespace, numbers as JavaScript has them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;

use serde_json::{Map, Value};
use sha2::Digest as _;

use super::parts::Parts;

/// Destination of canonical text: a hash or a buffer.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for sha2::Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

struct Writer<'a, S: Sink>(&'a mut S);

impl<S: Sink> io::Write for Writer<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn workflow<S: Sink>(parts: Parts<'_>, managed: &BTreeSet<String>, sink: &mut S) {
    sink.put(br#"{"connections":"#);
    connections(parts.connections, sink);
    sink.put(br#","nodeGroups":"#);
    array(parts.node_groups, sink, value);
    sink.put(br#","nodes":["#);
    for (index, fields) in parts.nodes.iter().enumerate() {
        if index > 0 {
            sink.put(b",");
        }
        node(fields, sink);
    }
    sink.put(br#"],"settings":"#);
    let settings = parts.settings.iter().filter(|(key, value)| managed.contains(*key) && is_set(key, value));
    object(settings, sink, |_, item, sink| value(item, sink));
    sink.put(b"}");
}

/// Settings that n8n drops from requests, whatever their value.
const NEVER_KEPT: &[&str] = &["binaryMode", "credentialResolverId"];

fn is_set(key: &str, value: &Value) -> bool {
    if NEVER_KEPT.contains(&key) {
        return false;
    }
    match value {
        Value::Null => false,
        Value::String(text) => text != "DEFAULT",
        Value::Number(number) => key != "executionTimeout" || number.as_f64() != Some(-1.0),
        _ => true,
    }
}

pub(super) fn node<S: Sink>(fields: &Map<String, Value>, sink: &mut S) {
    let message = fields.iter().filter(|(key, value)| is_said(key, value));
    object(message, sink, |key, item, sink| match (key, item) {
        ("credentials", Value::Object(credentials)) => {
            let present = credentials.iter().filter(|(_, reference)| !reference.is_null());
            object(present, sink, |_, reference, sink| credential(reference, sink));
        }
        _ => value(item, sink),
    });
}

/// Reports whether the value of a node's field means something other than the absence of the field.
fn is_said(key: &str, value: &Value) -> bool {
    match (key, value) {
        (_, Value::Null) => false,
        ("id" | "webhookId" | "notes", Value::String(text)) => !text.is_empty(),
        ("onError", Value::String(text)) => text != "stopWorkflow",
        ("alwaysOutputData" | "continueOnFail" | "disabled" | "executeOnce" | "notesInFlow" | "retryOnFail", Value::Bool(on)) => *on,
        ("parameters", Value::Object(map)) => !map.is_empty(),
        ("credentials", Value::Object(map)) => map.values().any(|reference| !reference.is_null()),
        _ => true,
    }
}

fn credential<S: Sink>(reference: &Value, sink: &mut S) {
    match reference {
        Value::String(name) => {
            sink.put(br#"{"name":"#);
            string(name, sink);
            sink.put(b"}");
        }
        Value::Object(fields) => {
            let by_id = fields.get("id").is_some_and(|id| !id.is_null() && id != "");
            let counted = fields.iter().filter(|(key, value)| match key.as_str() {
                "id" => by_id,
                "name" => !by_id && !value.is_null(),
                _ => !value.is_null(),
            });
            object(counted, sink, |_, item, sink| value(item, sink));
        }
        other => value(other, sink),
    }
}

fn connections<S: Sink>(sources: Option<&Map<String, Value>>, sink: &mut S) {
    let leading = sources.into_iter().flatten().filter(|(_, types)| leads_somewhere(types));
    object(leading, sink, |_, types, sink| match types {
        Value::Object(types) => {
            let leading = types.iter().filter(|(_, outputs)| leads_somewhere(outputs));
            object(leading, sink, |_, outputs, sink| match outputs {
                Value::Array(outputs) => {
                    let used = outputs.iter().rposition(leads_somewhere).map_or(0, |last| last + 1);
                    array(outputs.get(..used).unwrap_or_default(), sink, |bucket, sink| match bucket {
                        Value::Null => sink.put(b"[]"),
                        other => value(other, sink),
                    });
                }
                other => value(other, sink),
            });
        }
        other => value(other, sink),
    });
}

/// Reports whether a value contains any connection; text and other scalars count, so that malformed connections differ from absent ones.
fn leads_somewhere(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(leads_somewhere),
        Value::Object(map) => map.contains_key("node") || map.values().any(leads_somewhere),
        _ => true,
    }
}

fn value<S: Sink>(item: &Value, sink: &mut S) {
    match item {
        Value::Null => sink.put(b"null"),
        Value::Bool(true) => sink.put(b"true"),
        Value::Bool(false) => sink.put(b"false"),
        Value::Number(number) => sink.put(self::number(number).as_bytes()),
        Value::String(text) => string(text, sink),
        Value::Array(items) => array(items, sink, value),
        Value::Object(map) => object(map.iter(), sink, |_, item, sink| value(item, sink)),
    }
}

/// Returns the number that JavaScript makes of it, in a single notation.
fn number(number: &serde_json::Number) -> Cow<'static, str> {
    // Below 2^63 a whole float is written like an integer, so that both notations parse alike.
    const WHOLE_BOUND: f64 = 9_223_372_036_854_774_784.0;
    match number.as_f64() {
        Some(0.0) => Cow::Borrowed("0"),
        #[allow(clippy::cast_possible_truncation)]
        Some(float) if float.fract() == 0.0 && float.abs() <= WHOLE_BOUND => Cow::Owned((float as i64).to_string()),
        Some(float) => Cow::Owned(format!("{float:e}")),
        None => Cow::Owned(number.to_string()),
    }
}

fn string<S: Sink>(text: &str, sink: &mut S) {
    // Neither the writer nor the serialisation of text can fail.
    let _ = serde_json::to_writer(Writer(sink), text);
}

fn array<S: Sink>(items: &[Value], sink: &mut S, mut each: impl FnMut(&Value, &mut S)) {
    sink.put(b"[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            sink.put(b",");
        }
        each(item, sink);
    }
    sink.put(b"]");
}

fn object<'a, S: Sink>(entries: impl Iterator<Item = (&'a String, &'a Value)>, sink: &mut S, mut each: impl FnMut(&str, &Value, &mut S)) {
    let mut entries: Vec<(&String, &Value)> = entries.collect();
    // serde_json's map is sorted only while the feature `preserve_order` is off.
    entries.sort_unstable_by_key(|(key, _)| *key);
    sink.put(b"{");
    for (index, (key, item)) in entries.into_iter().enumerate() {
        if index > 0 {
            sink.put(b",");
        }
        string(key, sink);
        sink.put(b":");
        each(key, item, sink);
    }
    sink.put(b"}");
}
