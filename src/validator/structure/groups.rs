//! Node groups, as far as n8n checks them without node types.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, is_full, kind_of, quoted};
use crate::document::json_path;
use crate::document::parse::MAX_NODES;

/// Maximum length of a group's description in n8n's API, in UTF-16 units.
const MAX_DESCRIPTION: usize = 155;

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    let known: HashSet<&str> = definition.nodes.iter().filter_map(Node::id).collect();
    let mut ids: HashSet<&str> = HashSet::new();
    let mut names: HashSet<&str> = HashSet::new();
    let mut owner: HashMap<&str, &str> = HashMap::new();
    for (index, group) in definition.node_groups.iter().enumerate() {
        if is_full(findings) {
            return;
        }
        let at = json_path::index("nodeGroups", index);
        let Some((id, name, members)) = check_shape(&at, group, findings) else {
            continue;
        };
        let mut conflict = |key: &str, message: String| {
            findings.push(Finding::error(Code::NodeGroupConflict, json_path::key(&at, key), message));
        };
        if !ids.insert(id) {
            conflict("id", "another group has the same id".to_owned());
        }
        if !names.insert(name) {
            conflict("name", format!("another group is called {}", quoted(name)));
        }
        if members.is_empty() {
            conflict("nodeIds", format!("group {} has no members", quoted(name)));
        }
        // A group has at most as many members as there are nodes, each named once.
        for member in members.into_iter().take(MAX_NODES) {
            if !known.contains(member) {
                conflict("nodeIds", format!("group {} holds the node id {}, which no node has", quoted(name), quoted(member)));
            } else if let Some(other) = owner.get(member) {
                conflict("nodeIds", format!("a node of group {} is already in group {}", quoted(name), quoted(other)));
            } else {
                owner.insert(member, name);
            }
        }
    }
}

fn check_shape<'a>(at: &str, group: &'a Value, findings: &mut Vec<Finding>) -> Option<(&'a str, &'a str, Vec<&'a str>)> {
    let mut wrong = |at: String, got: Option<&Value>, want: &str| {
        let got = got.map_or_else(|| "nothing".into(), kind_of);
        findings.push(Finding::error(Code::NodeGroupsInvalid, at, "n8n refuses this node group").mismatch(got, want));
    };
    let Value::Object(fields) = group else {
        wrong(at.to_owned(), Some(group), r#"{"id": "...", "name": "...", "nodeIds": [...]}"#);
        return None;
    };
    let description = fields.get("description");
    let short = description.is_none_or(|d| d.as_str().is_some_and(|d| d.encode_utf16().count() <= MAX_DESCRIPTION));
    if !short {
        wrong(json_path::key(at, "description"), description, &format!("text of at most {MAX_DESCRIPTION} characters"));
    }
    let id = fields.get("id").and_then(Value::as_str);
    if id.is_none() {
        wrong(json_path::key(at, "id"), fields.get("id"), "a string");
    }
    let name = fields.get("name").and_then(Value::as_str);
    if name.is_none() {
        wrong(json_path::key(at, "name"), fields.get("name"), "a string");
    }
    let members: Option<Vec<&str>> =
        fields.get("nodeIds").and_then(Value::as_array).and_then(|ids| ids.iter().map(Value::as_str).collect());
    if members.is_none() {
        wrong(json_path::key(at, "nodeIds"), fields.get("nodeIds"), "an array of node ids");
    }
    Some((id?, name?, members?))
}
