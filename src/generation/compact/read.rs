//! Reading of the compact form: its shape, with a path and a suggestion for each mistake.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::form::{Case, Compact, CompactNode, Condition, Settings, VERSION};
use crate::document::finding::{Code, Finding, bounded, has_errors, is_full, kind_of, quoted};
use crate::document::json_path;
use crate::document::parse::{MOST_LEVELS, too_deep};
use crate::text::similar;

/// Maximum number of nodes, and of edges and notes.
const MOST_NODES: usize = 1_000;
const MOST_EDGES: usize = 10_000;

const TOP: &[&str] = &["compact", "name", "nodes", "edges", "notes", "settings"];
const NODE: &[&str] = &["id", "use", "as", "set", "when", "onError", "retry", "flags", "note"];
const CASE: &[&str] = &["as", "match", "of", "ignoreCase", "loose"];
const CONDITION: &[&str] = &["left", "op", "right"];
const SETTING: &[&str] = &["key", "value"];

/// Reads a compact workflow. A key whose value is `null` is the same as an absent one, since strict schema output writes all keys.
///
/// # Errors
///
/// Findings about values without the shape of the form.
pub fn read(value: &Value) -> Result<Compact, Vec<Finding>> {
    let mut reader = Reader { findings: Vec::new() };
    let compact = reader.workflow(value);
    if has_errors(&reader.findings) { Err(bounded(reader.findings)) } else { Ok(compact) }
}

struct Reader {
    findings: Vec<Finding>,
}

impl Reader {
    fn push(&mut self, finding: Finding) {
        if !is_full(&self.findings) {
            self.findings.push(finding);
        }
    }

    fn say(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.push(Finding::error(Code::CompactInvalid, path, message));
    }

    fn wrong(&mut self, path: &str, got: &Value, want: &str) {
        self.push(Finding::error(Code::CompactInvalid, path, "the value has the wrong kind").mismatch(kind_of(got), want));
    }

    /// Returns the object, and reports keys that it cannot have.
    fn object<'v>(&mut self, value: &'v Value, path: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let Value::Object(map) = value else {
            self.wrong(path, value, "an object");
            return None;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let free = known.iter().copied().filter(|known| !map.contains_key(*known));
            let message = format!("the form has no key {} here", quoted(key));
            let finding = Finding::error(Code::CompactInvalid, json_path::key(path, key), message);
            self.push(finding.mismatch("an unknown key", known.join(", ")).suggest(similar::nearest(key, free)));
        }
        Some(map)
    }

    fn list<'v>(&mut self, map: &'v Map<String, Value>, key: &str, path: &str, most: usize) -> &'v [Value] {
        let at = json_path::key(path, key);
        match map.get(key) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) if items.len() > most => {
                self.say(at, format!("there are more than {most} entries; split the workflow"));
                &[]
            }
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong(&at, other, "a list");
                &[]
            }
        }
    }

    fn text(&mut self, map: &Map<String, Value>, key: &str, path: &str) -> Option<String> {
        match map.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => {
                self.wrong(&json_path::key(path, key), other, "a string");
                None
            }
        }
    }

    fn needed(&mut self, map: &Map<String, Value>, key: &str, path: &str) -> String {
        let text = self.text(map, key, path).unwrap_or_default();
        if text.trim().is_empty() {
            self.say(json_path::key(path, key), format!("{key} is missing"));
        }
        text
    }

    fn flag(&mut self, map: &Map<String, Value>, key: &str, path: &str) -> bool {
        match map.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(on)) => *on,
            Some(other) => {
                self.wrong(&json_path::key(path, key), other, "true or false");
                false
            }
        }
    }

    /// Reads a small value whose type says what it takes.
    fn typed<T: DeserializeOwned>(&mut self, map: &Map<String, Value>, key: &str, path: &str) -> Option<T> {
        let value = map.get(key).filter(|value| !value.is_null())?;
        // Strict output writes absent keys as null.
        let value = match value {
            Value::Object(map) => {
                Value::Object(map.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect())
            }
            other => other.clone(),
        };
        match T::deserialize(&value) {
            Ok(read) => Some(read),
            Err(error) => {
                self.say(json_path::key(path, key), format!("{key} cannot be read: {}", crate::text::one_line(&error.to_string(), 200)));
                None
            }
        }
    }

    fn workflow(&mut self, value: &Value) -> Compact {
        let Some(map) = self.object(value, "", TOP) else { return Compact::default() };
        if let Some(path) = too_deep(map, MOST_LEVELS) {
            self.say(path, "the document nests too deep");
            return Compact::default();
        }
        if map.get("compact").and_then(Value::as_u64) != Some(u64::from(VERSION)) {
            let got = map.get("compact").map_or_else(|| "nothing".to_owned(), kind_of);
            let message = format!("the version of the form must be {VERSION}");
            self.push(Finding::error(Code::CompactInvalid, "compact", message).mismatch(got, format!(r#""compact": {VERSION}"#)));
        }
        let items = self.list(map, "nodes", "", MOST_NODES);
        let nodes: Vec<CompactNode> = items.iter().enumerate().map(|(at, item)| self.node(item, &json_path::index("nodes", at))).collect();
        if nodes.is_empty() {
            self.say("nodes", "a workflow needs at least one node");
        }
        Compact {
            compact: VERSION,
            name: self.text(map, "name", ""),
            nodes,
            edges: self.texts(map, "edges"),
            notes: self.texts(map, "notes"),
            settings: self.typed::<Settings>(map, "settings", "").unwrap_or_default(),
        }
    }

    fn texts(&mut self, map: &Map<String, Value>, key: &str) -> Vec<String> {
        let items = self.list(map, key, "", MOST_EDGES);
        let mut texts = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.clone()),
                other if key == "edges" => self.wrong(&json_path::index(key, at), other, r#"a string such as "n1>n2""#),
                other => self.wrong(&json_path::index(key, at), other, "a string"),
            }
        }
        texts
    }

    fn node(&mut self, value: &Value, path: &str) -> CompactNode {
        let Some(map) = self.object(value, path, NODE) else { return CompactNode::default() };
        let id = self.needed(map, "id", path);
        if !id.is_empty() && !is_id(&id) {
            self.say(json_path::key(path, "id"), "an id is a letter followed by letters, digits and underscores");
        }
        let cases = self.list(map, "when", path, MOST_NODES);
        let at = json_path::key(path, "when");
        CompactNode {
            id,
            kind: self.needed(map, "use", path),
            name: self.needed(map, "as", path),
            set: self.set(map, path),
            when: cases.iter().enumerate().map(|(index, case)| self.case(case, &json_path::index(&at, index))).collect(),
            on_error: self.typed(map, "onError", path),
            retry: self.typed(map, "retry", path),
            flags: self.typed(map, "flags", path).unwrap_or_default(),
            note: self.text(map, "note", path),
        }
    }

    /// Reads parameters: an object, or a list of `{key, value}`, as strict schema output writes it.
    fn set(&mut self, map: &Map<String, Value>, path: &str) -> Map<String, Value> {
        let at = json_path::key(path, "set");
        match map.get("set") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(set)) => set.clone(),
            Some(Value::Array(items)) => self.entries(items, &at),
            Some(other) => {
                self.wrong(&at, other, "an object");
                Map::new()
            }
        }
    }

    fn entries(&mut self, items: &[Value], path: &str) -> Map<String, Value> {
        let mut set = Map::new();
        for (index, item) in items.iter().enumerate() {
            let at = json_path::index(path, index);
            let Some(entry) = self.object(item, &at, SETTING) else { continue };
            let key = self.needed(entry, "key", &at);
            let value = self.plain(entry.get("value").unwrap_or(&Value::Null), &at);
            if set.insert(key, value).is_some() {
                self.say(json_path::key(&at, "key"), "the parameter is set twice");
            }
        }
        set
    }

    /// Returns a value of strict output, in which `{"entries": [{key, value}]}` stands for an object.
    fn plain(&mut self, value: &Value, path: &str) -> Value {
        match value {
            Value::Array(items) => Value::Array(items.iter().map(|item| self.plain(item, path)).collect()),
            Value::Object(map) => match map.get("entries") {
                Some(Value::Array(items)) if map.len() == 1 => Value::Object(self.entries(items, path)),
                _ => value.clone(),
            },
            other => other.clone(),
        }
    }

    fn case(&mut self, value: &Value, path: &str) -> Case {
        let Some(map) = self.object(value, path, CASE) else { return Case::default() };
        let of = self.list(map, "of", path, MOST_NODES);
        let at = json_path::key(path, "of");
        if of.is_empty() {
            self.say(at.clone(), "a case needs at least one condition");
        }
        Case {
            name: self.text(map, "as", path),
            matches: self.typed(map, "match", path).unwrap_or_default(),
            of: of.iter().enumerate().map(|(index, one)| self.condition(one, &json_path::index(&at, index))).collect(),
            ignore_case: self.flag(map, "ignoreCase", path),
            loose: self.flag(map, "loose", path),
        }
    }

    fn condition(&mut self, value: &Value, path: &str) -> Condition {
        let Some(map) = self.object(value, path, CONDITION) else { return Condition::default() };
        Condition {
            left: map.get("left").cloned().unwrap_or_default(),
            op: self.needed(map, "op", path),
            right: map.get("right").cloned().unwrap_or_default(),
        }
    }
}

/// Reports whether a text can be the id of a node.
pub(super) fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
