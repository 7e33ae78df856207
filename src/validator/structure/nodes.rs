//! The nodes: fields, names and ids.

use std::collections::HashMap;

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, is_full, kind_of, quoted};
use crate::document::json_path::{self, JsonPath};
use crate::text::similar;

const TEXT: &[&str] = &["id", "name", "notes", "onError", "type", "webhookId"];
const FLAGS: &[&str] = &["alwaysOutputData", "continueOnFail", "disabled", "executeOnce", "notesInFlow", "retryOnFail"];
const NUMBERS: &[&str] = &["maxTries", "typeVersion", "waitBetweenTries"];
const ON_ERROR: &[&str] = &["continueErrorOutput", "continueRegularOutput", "stopWorkflow"];
/// Names on which n8n fails: it looks up its connections by name, and every JavaScript object has these properties. With the first, it
/// answers 500 to the publication, or each execution fails; with the second, it finds no such trigger, or each execution fails.
const BREAKING: &[&str] = &["hasOwnProperty", "__proto__"];

/// Other property names that every JavaScript object has, except `constructor`. n8n runs such nodes, and its API leaves out the connections
/// that start at them (each was created, read, published and called).
const UNREAD: &[&str] = &[
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

const OBJECTS: &[&str] = &["credentials", "parameters"];

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    let nodes = &definition.nodes;
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut ids: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if is_full(findings) {
            return;
        }
        let at = json_path::index("nodes", index);
        check_fields(&at, node, findings);
        check_required(&at, node, findings);
        findings.extend(check_name(&at, node, definition.connections.contains_key(node.name())));
        if !node.name().is_empty() {
            if let Some(first) = names.get(node.name()) {
                let message = format!("nodes[{first}] has the same name, and connections refer to nodes by name; rename one of them");
                findings.push(Finding::error(Code::NodeNameDuplicate, json_path::key(&at, "name"), message).at_node(node.name()));
            } else {
                names.insert(node.name(), index);
            }
        }
        if let Some(id) = node.id() {
            if let Some(first) = ids.get(id) {
                let other = nodes.get(*first).map(Node::name).unwrap_or_default();
                let message = format!("node {} has the same id; remove one of them and a new one is derived", quoted(other));
                findings.push(Finding::error(Code::NodeIdDuplicate, json_path::key(&at, "id"), message).at_node(node.name()));
            } else {
                ids.insert(id, index);
            }
        }
    }
}

/// `leads_on` says whether connections start at the node.
fn check_name(at: &str, node: &Node, leads_on: bool) -> Option<Finding> {
    let name = node.name();
    let finding = if BREAKING.contains(&name) {
        let message = "n8n fails on a node of this name: the workflow is not published, or each execution fails; rename the node";
        Finding::error(Code::NodeNameReserved, json_path::key(at, "name"), message)
    } else if UNREAD.contains(&name) {
        let message = "n8n's API leaves out the connections that start at a node of this name, so that no deployment of them can be \
                       confirmed; rename the node";
        let severity = if leads_on { Severity::Error } else { Severity::Warning };
        Finding { severity, ..Finding::error(Code::NodeNameReserved, json_path::key(at, "name"), message) }
    } else {
        return None;
    };
    Some(finding.at_node(name))
}

fn check_required(at: &str, node: &Node, findings: &mut Vec<Finding>) {
    for (key, code) in [("name", Code::NodeNameMissing), ("type", Code::NodeTypeMissing)] {
        let missing = node.0.get(key).is_none_or(|value| value == "");
        if missing {
            let message = format!("the node has no {key}; add one");
            findings.push(Finding::error(code, json_path::key(at, key), message).at_node(node.name()));
        }
    }
    if !node.0.contains_key("typeVersion") {
        let message = "the node has no typeVersion, so n8n picks one; set the version it was built for";
        let finding = Finding::warning(Code::NodeTypeVersionMissing, json_path::key(at, "typeVersion"), message);
        findings.push(finding.at_node(node.name()));
    }
    let position = node.0.get("position");
    if !position.is_some_and(is_position) {
        let message = "the position must be two numbers";
        let finding = Finding::error(Code::NodeFieldType, json_path::key(at, "position"), message).at_node(node.name());
        let got = position.map_or_else(|| "nothing".into(), kind_of);
        findings.push(finding.mismatch(got, "[x, y]"));
    }
}

/// Checks the behaviour after an error: n8n accepts any word, and stops the workflow at one that it does not know.
fn check_on_error(at: &str, node: &Node) -> Option<Finding> {
    let word = node.text("onError").filter(|word| !ON_ERROR.contains(word))?;
    let meant = if word == "continue" { Some("continueRegularOutput") } else { similar::nearest(word, ON_ERROR.iter().copied()) };
    let message = "n8n does not know this value, so an error in the node stops the workflow";
    let finding = Finding::warning(Code::NodeFieldType, json_path::key(at, "onError"), message).at_node(node.name());
    Some(finding.mismatch(quoted(word), ON_ERROR.join(", ")).suggest(meant))
}

fn is_position(value: &Value) -> bool {
    matches!(value.as_array().map(Vec::as_slice), Some([x, y]) if x.is_number() && y.is_number())
}

fn check_fields(at: &str, node: &Node, findings: &mut Vec<Finding>) {
    for (key, value) in &node.0 {
        let name = key.as_str();
        let want = if TEXT.contains(&name) && !value.is_string() {
            "a string"
        } else if FLAGS.contains(&name) && !value.is_boolean() {
            "true or false"
        } else if NUMBERS.contains(&name) && !value.is_number() {
            "a number"
        } else if OBJECTS.contains(&name) && !value.is_object() {
            "an object"
        } else if name == "customTelemetryTags" && !are_node_telemetry_tags(value) {
            r#"{"tag": [{"key": "...", "value": "..."}]}"#
        } else {
            continue;
        };
        let code = if name == "credentials" { Code::CredentialsInvalid } else { Code::NodeFieldType };
        let finding = Finding::error(code, json_path::key(at, key), format!("{name} has the wrong type"));
        findings.push(finding.at_node(node.name()).mismatch(kind_of(value), want));
    }
    findings.extend(check_on_error(at, node));
    for (kind, reference) in node.credentials().into_iter().flatten() {
        if is_full(findings) {
            return;
        }
        check_credential(at, node, kind, reference, findings);
    }
}

/// Checks a reference to a credential. n8n looks it up by `reference.id`, or by name if the reference is a plain name (the form of exports
/// before 2022). From any other value it reads no id and binds any credential of the type that it finds.
fn check_credential(at: &str, node: &Node, kind: &str, reference: &Value, findings: &mut Vec<Finding>) {
    let want = r#"{"id": "...", "name": "..."}"#;
    let credentials = JsonPath::Root(at);
    let credentials = JsonPath::Key(&credentials, "credentials");
    let at = JsonPath::Key(&credentials, kind);
    let wrong = match reference {
        Value::Null | Value::String(_) => None,
        Value::Object(fields) => ["id", "name"].iter().find_map(|key| {
            let value = fields.get(*key).filter(|v| !v.is_null() && !v.is_string() && !v.is_number())?;
            Some((JsonPath::Key(&at, key).written(), value))
        }),
        other => Some((at.written(), other)),
    };
    if let Some((at, value)) = wrong {
        let message = "this is not a reference to a credential";
        let finding = Finding::error(Code::CredentialsInvalid, at, message).at_node(node.name());
        findings.push(finding.mismatch(kind_of(value), want));
    }
}

fn are_node_telemetry_tags(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.iter().all(|(key, tags)| key == "tag" && super::settings::are_telemetry_tags(tags)))
}
