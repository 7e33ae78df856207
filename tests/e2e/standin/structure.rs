//! Checks of nodes and connections, with n8n's messages. The shape is checked first, and names only if the shape is valid.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::node_types;
use super::schema::type_name;

struct Issues(Vec<String>);

impl Issues {
    fn add(&mut self, path: &str, code: &str, message: &str) {
        self.0.push(format!("{path} ({code}): {message}"));
    }

    fn expected(&mut self, path: &str, wanted: &str, found: Option<&Value>) {
        match found {
            None => self.add(path, "invalid_type", "Required"),
            Some(value) => {
                let message = format!("Expected {wanted}, received {}", type_name(value));
                self.add(path, "invalid_type", &message);
            }
        }
    }

    fn word(&mut self, path: &str, value: Option<&Value>) {
        match value.and_then(Value::as_str) {
            Some("") => self.add(path, "too_small", "String must contain at least 1 character(s)"),
            Some(_) => {}
            None => self.expected(path, "string", value),
        }
    }
}

/// Runs the checks of both create and update; `Err` is the whole message.
pub(crate) fn check(nodes: &Value, connections: &Value) -> Result<(), String> {
    let mut issues = Issues(Vec::new());
    let list = nodes.as_array().map_or(&[][..], Vec::as_slice);
    for (index, node) in list.iter().enumerate() {
        node_shape(&mut issues, &format!("nodes[{index}]"), node);
    }
    connection_shape(&mut issues, connections);
    if issues.0.is_empty() {
        names(&mut issues, list, connections);
    }
    if issues.0.is_empty() {
        return Ok(());
    }
    Err(format!("Workflow structure is invalid. {}", issues.0.join("; ")))
}

fn node_shape(issues: &mut Issues, path: &str, node: &Value) {
    issues.word(&format!("{path}.name"), node.get("name"));
    issues.word(&format!("{path}.type"), node.get("type"));
    let at = format!("{path}.position");
    match node.get("position").and_then(Value::as_array) {
        None => issues.expected(&at, "array", node.get("position")),
        Some(position) if position.len() < 2 => {
            issues.add(&at, "too_small", "Array must contain at least 2 element(s)");
        }
        Some(position) if position.len() > 2 => {
            issues.add(&at, "too_big", "Array must contain at most 2 element(s)");
        }
        Some(_) => {}
    }
}

fn connection_shape(issues: &mut Issues, connections: &Value) {
    for (source, kinds) in connections.as_object().into_iter().flatten() {
        let path = format!("connections.{source}");
        let Some(kinds) = kinds.as_object() else {
            issues.expected(&path, "object", Some(kinds));
            continue;
        };
        for (kind, buckets) in kinds {
            let path = format!("{path}.{kind}");
            let Some(buckets) = buckets.as_array() else {
                issues.expected(&path, "array", Some(buckets));
                continue;
            };
            for (output, bucket) in buckets.iter().enumerate() {
                let path = format!("{path}[{output}]");
                match bucket {
                    Value::Null => {}
                    Value::Array(entries) => {
                        for (index, entry) in entries.iter().enumerate() {
                            entry_shape(issues, &format!("{path}[{index}]"), entry);
                        }
                    }
                    other => issues.expected(&path, "array", Some(other)),
                }
            }
        }
    }
}

fn entry_shape(issues: &mut Issues, path: &str, entry: &Value) {
    if !entry.is_object() {
        return issues.expected(path, "object", Some(entry));
    }
    issues.word(&format!("{path}.node"), entry.get("node"));
    issues.word(&format!("{path}.type"), entry.get("type"));
    let at = format!("{path}.index");
    match entry.get("index") {
        Some(Value::Number(number)) if number.is_f64() => {
            issues.add(&at, "invalid_type", "Expected integer, received float");
        }
        Some(Value::Number(number)) if number.as_u64().is_none() => {
            issues.add(&at, "too_small", "Number must be greater than or equal to 0");
        }
        Some(Value::Number(_)) => {}
        other => issues.expected(&at, "number", other),
    }
}

fn text<'a>(node: &'a Value, field: &str) -> &'a str {
    node.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn names(issues: &mut Issues, nodes: &[Value], connections: &Value) {
    let (mut known, mut ids) = (BTreeSet::new(), BTreeMap::new());
    for (index, node) in nodes.iter().enumerate() {
        let (name, id) = (text(node, "name"), text(node, "id"));
        if let Some(first) = ids.get(id).filter(|_| !id.is_empty()) {
            let message = format!("Nodes \"{first}\" and \"{name}\" share the node ID \"{id}\"");
            issues.add(&format!("nodes[{index}].id"), "duplicate_node_id", &message);
        } else {
            ids.insert(id, name);
        }
        if !known.insert(name) {
            issues.add(&format!("nodes[{index}].name"), "duplicate_node_name", &format!("Duplicate node name \"{name}\""));
        }
    }
    for (source, kinds) in connections.as_object().into_iter().flatten() {
        let path = format!("connections.{source}");
        if !known.contains(source.as_str()) {
            let message = format!("Connection source \"{source}\" does not reference an existing node");
            issues.add(&path, "unknown_connection_source", &message);
        }
        for (kind, buckets) in kinds.as_object().into_iter().flatten() {
            for (output, bucket) in buckets.as_array().into_iter().flatten().enumerate() {
                for (index, entry) in bucket.as_array().into_iter().flatten().enumerate() {
                    let target = text(entry, "node");
                    if !known.contains(target) {
                        issues.add(
                            &format!("{path}.{kind}[{output}][{index}].node"),
                            "unknown_connection_target",
                            &format!("Connection target \"{target}\" does not reference an existing node"),
                        );
                    }
                }
            }
        }
    }
}

/// Checks node groups; n8n reports the first violation alone.
pub(crate) fn check_groups(nodes: &Value, groups: &Value) -> Result<(), String> {
    let by_id: BTreeMap<&str, &Value> = nodes.as_array().into_iter().flatten().map(|node| (text(node, "id"), node)).collect();
    let groups = groups.as_array().map_or(&[][..], Vec::as_slice);
    let (mut ids, mut group_names) = (BTreeSet::new(), BTreeSet::new());
    let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
    for group in groups {
        let (id, name) = (text(group, "id"), text(group, "name"));
        if !ids.insert(id) {
            return Err(format!("Duplicate node group ID \"{id}\"."));
        }
        if !group_names.insert(name) {
            return Err(format!("Duplicate node group name \"{name}\"."));
        }
        let members = group.get("nodeIds").and_then(Value::as_array);
        let members: Vec<&str> = members.into_iter().flatten().filter_map(Value::as_str).collect();
        if members.is_empty() {
            return Err(format!("Group \"{name}\" has no members."));
        }
        for member in members {
            let Some(node) = by_id.get(member) else {
                return Err(format!("Group \"{name}\" references node ID \"{member}\" that does not exist in the workflow."));
            };
            if let Some(other) = owner.insert(member, name) {
                let label = text(node, "name");
                return Err(format!("Node \"{label}\" belongs to multiple groups: \"{other}\" and \"{name}\"."));
            }
            if node_types::is_trigger(text(node, "type")) {
                let label = text(node, "name");
                return Err(format!("Node group \"{name}\" cannot contain trigger nodes: {label}."));
            }
        }
    }
    Ok(())
}
