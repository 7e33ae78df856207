//! The connections: `connections[source][type][output][n] = {node, type, index}`.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, is_full, kind_of, quoted};
use crate::document::json_path::JsonPath;
use crate::text::similar::{self, Shapes};

/// Maximum number of unknown names for which a suggestion is made; each look-up goes over all nodes.
const MAX_SUGGESTIONS: usize = 50;

struct Checker<'a> {
    nodes: &'a [Node],
    names: HashSet<&'a str>,
    /// Names by id.
    ids: HashMap<&'a str, &'a str>,
    shapes: OnceCell<Shapes<'a>>,
    suggested: usize,
    findings: &'a mut Vec<Finding>,
}

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    let names = definition.nodes.iter().map(Node::name).filter(|name| !name.is_empty()).collect();
    let ids = definition.nodes.iter().rev().filter_map(|node| Some((node.id()?, node.name()))).collect();
    let mut checker = Checker { nodes: &definition.nodes, names, ids, shapes: OnceCell::new(), suggested: 0, findings };
    for (source, types) in &definition.connections {
        if is_full(checker.findings) {
            return;
        }
        let connections = JsonPath::Root("connections");
        let at = JsonPath::Key(&connections, source);
        if !checker.names.contains(source.as_str()) {
            let finding = Finding::error(Code::ConnectionSourceUnknown, at.written(), checker.unknown("starts at", source));
            let finding = finding.suggest(checker.meant(source));
            checker.findings.push(finding);
        }
        let Value::Object(types) = types else {
            checker.wrong_shape(at, source, types, r#"{"main": [[...]]} (the level of the connection type is missing)"#);
            continue;
        };
        for (kind, outputs) in types {
            if is_full(checker.findings) {
                return;
            }
            checker.check_outputs(JsonPath::Key(&at, kind), source, outputs);
        }
    }
}

impl<'a> Checker<'a> {
    fn check_outputs(&mut self, at: JsonPath<'_>, source: &str, outputs: &Value) {
        let Value::Array(outputs) = outputs else {
            return self.wrong_shape(at, source, outputs, "an array with one array per output");
        };
        for (output, bucket) in outputs.iter().enumerate() {
            let at = JsonPath::Index(&at, output);
            match bucket {
                // n8n writes null for an output in the middle that leads nowhere.
                Value::Null => {}
                Value::Array(entries) => {
                    for (position, entry) in entries.iter().enumerate() {
                        self.check_entry(JsonPath::Index(&at, position), source, entry);
                    }
                }
                other => self.wrong_shape(at, source, other, "an array of connections for this output"),
            }
        }
    }

    fn check_entry(&mut self, at: JsonPath<'_>, source: &str, entry: &Value) {
        let Value::Object(fields) = entry else {
            return self.wrong_shape(at, source, entry, r#"{"node": "...", "type": "main", "index": 0}"#);
        };
        let node_at = JsonPath::Key(&at, "node");
        match fields.get("node") {
            Some(Value::String(target)) if !target.is_empty() => {
                if !self.names.contains(target.as_str()) {
                    let message = self.unknown("leads to", target);
                    let finding = Finding::error(Code::ConnectionTargetUnknown, node_at.written(), message).at_node(source);
                    let finding = finding.suggest(self.meant(target));
                    self.findings.push(finding);
                }
            }
            other => self.wrong_field(node_at, source, other, "the name of a node"),
        }
        match fields.get("type") {
            Some(Value::String(kind)) if !kind.is_empty() => {}
            other => self.wrong_field(JsonPath::Key(&at, "type"), source, other, r#"a connection type such as "main""#),
        }
        match fields.get("index") {
            Some(Value::Number(number)) if number.as_f64().is_some_and(|n| n >= 0.0 && n.fract() == 0.0) => {}
            other => self.wrong_field(JsonPath::Key(&at, "index"), source, other, "a whole number from 0"),
        }
    }

    fn wrong_shape(&mut self, at: JsonPath<'_>, source: &str, got: &Value, want: &str) {
        let finding = Finding::error(Code::ConnectionsInvalid, at.written(), "the connections have the wrong shape here");
        self.findings.push(finding.at_node(source).mismatch(kind_of(got), want));
    }

    fn wrong_field(&mut self, at: JsonPath<'_>, source: &str, got: Option<&Value>, want: &str) {
        let got = got.map_or_else(|| "nothing".into(), kind_of);
        let finding = Finding::error(Code::ConnectionsInvalid, at.written(), "the connection is incomplete");
        self.findings.push(finding.at_node(source).mismatch(got, want));
    }

    fn unknown(&self, verb: &str, name: &str) -> String {
        if self.by_id(name).is_some() {
            return format!("the connection {verb} {}, which is the id of a node; connections refer to nodes by name", quoted(name));
        }
        let alike = self.alike(name).map_or_else(String::new, |(_, how)| format!("; {how}"));
        format!("the connection {verb} node {}, which does not exist{alike}", quoted(name))
    }

    fn meant(&mut self, name: &str) -> Option<&'a str> {
        let alike = self.alike(name).map(|(meant, _)| meant);
        self.by_id(name).or(alike).or_else(|| {
            self.suggested += 1;
            (self.suggested <= MAX_SUGGESTIONS).then(|| similar::nearest(name, self.nodes.iter().map(Node::name))).flatten()
        })
    }

    fn alike(&self, name: &str) -> Option<(&'a str, &'static str)> {
        self.shapes.get_or_init(|| Shapes::of(self.nodes.iter().map(Node::name))).alike(name)
    }

    fn by_id(&self, id: &str) -> Option<&'a str> {
        self.ids.get(id).copied()
    }
}
