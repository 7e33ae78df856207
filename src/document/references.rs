//! Other workflows that a document refers to by their id.
//!
//! Ids differ from instance to instance, so the document holds symbols until [`replace_references`] inserts the ids of one instance.
//! Source: n8n 2.39.10, `modules/n8n-packages/entities/workflow/references/`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::json_path;

/// Location of a reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferencePlace {
    /// In the `workflowId` of a node, by the node's name.
    Node(String),
    /// In a setting, by its key.
    Setting(&'static str),
}

/// A reference to another workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Location of the reference.
    pub place: ReferencePlace,
    /// Location as a JSON path.
    pub path: String,
    /// Id of the other workflow in the document.
    pub id: String,
    /// True if the other workflow has to be published for this one to run: n8n refuses to publish a parent before its children. False for
    /// disabled nodes and settings.
    pub needs_published: bool,
}

/// Node types that call a workflow by its id.
pub(crate) const CALLERS: &[&str] =
    &["n8n-nodes-base.executeWorkflow", "@n8n/n8n-nodes-langchain.toolWorkflow", "@n8n/n8n-nodes-langchain.retrieverWorkflow"];

/// Returns all static references, in document order, settings last. Ids that an expression computes are unknown here.
pub fn sub_workflow_references(definition: &Definition) -> Vec<Reference> {
    let mut references = Vec::new();
    for (index, node) in definition.nodes.iter().enumerate() {
        if let Some(id) = called_id(node) {
            references.push(Reference {
                place: ReferencePlace::Node(node.name().to_owned()),
                path: json_path::key(&json_path::key(&json_path::index("nodes", index), "parameters"), "workflowId"),
                id: id.to_owned(),
                needs_published: !node.disabled(),
            });
        }
    }
    let setting = |key: &'static str, id: &str| Reference {
        place: ReferencePlace::Setting(key),
        path: json_path::key("settings", key),
        id: id.to_owned(),
        needs_published: false,
    };
    if let Some(id) = definition.settings.get("errorWorkflow").and_then(static_id).filter(|id| *id != "DEFAULT") {
        references.push(setting("errorWorkflow", id));
    }
    references.extend(caller_ids(definition).map(|id| setting("callerIds", id)));
    references
}

/// Replaces the references of the document by the ids that `map` gives for them; references without an entry stay.
pub fn replace_references(definition: &mut Definition, map: &BTreeMap<String, String>) {
    for node in &mut definition.nodes {
        let Some(id) = called_id(node).and_then(|id| map.get(id)).cloned() else {
            continue;
        };
        let stored = node.0.get_mut("parameters").and_then(|parameters| parameters.get_mut("workflowId"));
        match stored {
            Some(Value::Object(locator)) => {
                locator.insert("value".into(), Value::String(id));
                // A link to the workflow of the same id on the instance of the export.
                locator.remove("cachedResultUrl");
            }
            Some(stored) => *stored = Value::String(id),
            None => {}
        }
    }
    let error = definition.settings.get("errorWorkflow").and_then(static_id).and_then(|id| map.get(id)).cloned();
    if let Some(id) = error {
        definition.settings.insert("errorWorkflow".into(), Value::String(id));
    }
    if caller_ids(definition).any(|id| map.contains_key(id)) {
        let ids: Vec<&str> = caller_ids(definition).map(|id| map.get(id).map_or(id, String::as_str)).collect();
        let ids = ids.join(",");
        definition.settings.insert("callerIds".into(), Value::String(ids));
    }
}

/// Returns the id of the workflow that a node calls: plain text, or a resource locator `{"__rl": true, "value": …, "mode": …}`.
fn called_id(node: &Node) -> Option<&str> {
    if !CALLERS.contains(&node.kind()) {
        return None;
    }
    // The other sources are a file, a URL and a document inside the node.
    let source = node.parameter("source").map_or(Some("database"), Value::as_str);
    if source != Some("database") {
        return None;
    }
    match node.parameter("workflowId")? {
        Value::Object(locator) => locator.get("value").and_then(static_id),
        stored => static_id(stored),
    }
}

fn static_id(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|id| !id.is_empty() && !id.starts_with('='))
}

fn caller_ids(definition: &Definition) -> impl Iterator<Item = &str> {
    let listed = definition.settings.get("callerIds").and_then(static_id);
    listed.into_iter().flat_map(|ids| ids.split(',')).map(str::trim).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::parse::parse;

    fn parent() -> Definition {
        parse(&json!({
            "nodes": [
                {"name": "Old", "type": "n8n-nodes-base.executeWorkflow", "parameters": {"workflowId": "child"}},
                {"name": "New", "type": "n8n-nodes-base.executeWorkflow", "disabled": true, "parameters": {
                    "workflowId": {"__rl": true, "value": "child", "mode": "list",
                        "cachedResultName": "Child", "cachedResultUrl": "/workflow/child"}}},
                {"name": "Tool", "type": "@n8n/n8n-nodes-langchain.toolWorkflow",
                    "parameters": {"source": "database", "workflowId": {"__rl": true, "value": "tool", "mode": "id"}}},
                {"name": "Inline", "type": "n8n-nodes-base.executeWorkflow",
                    "parameters": {"source": "parameter", "workflowId": "stale"}},
                {"name": "Computed", "type": "n8n-nodes-base.executeWorkflow", "parameters": {"workflowId": "={{ $json.id }}"}},
                {"name": "Other", "type": "n8n-nodes-base.github", "parameters": {"workflowId": "build.yml"}},
            ],
            "connections": {},
            "settings": {"errorWorkflow": "errors", "callerIds": " a, b ,,c"}
        }))
        .unwrap()
        .definition
    }

    #[test]
    fn references_are_found_in_nodes_and_settings_and_nowhere_else() {
        let found: Vec<(String, String, bool)> =
            sub_workflow_references(&parent()).into_iter().map(|r| (r.path, r.id, r.needs_published)).collect();
        let expected = [
            ("nodes[0].parameters.workflowId", "child", true),
            ("nodes[1].parameters.workflowId", "child", false),
            ("nodes[2].parameters.workflowId", "tool", true),
            ("settings.errorWorkflow", "errors", false),
            ("settings.callerIds", "a", false),
            ("settings.callerIds", "b", false),
            ("settings.callerIds", "c", false),
        ];
        assert_eq!(found, expected.map(|(path, id, needed)| (path.to_owned(), id.to_owned(), needed)));
    }

    #[test]
    fn replacing_puts_in_the_ids_of_one_instance_and_leaves_the_rest() {
        let mut definition = parent();
        let map = [("child", "X1"), ("errors", "X2"), ("b", "X3"), ("build.yml", "no"), ("stale", "no")];
        let map = map.into_iter().map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
        replace_references(&mut definition, &map);
        assert_eq!(definition.nodes[0].parameter("workflowId"), Some(&json!("X1")));
        assert_eq!(
            definition.nodes[1].parameter("workflowId"),
            Some(&json!({"__rl": true, "value": "X1", "mode": "list", "cachedResultName": "Child"}))
        );
        let ids: Vec<String> = sub_workflow_references(&definition).into_iter().map(|r| r.id).collect();
        assert_eq!(ids, ["X1", "X1", "tool", "X2", "a", "X3", "c"]);
        assert_eq!(definition.settings["callerIds"], "a,X3,c");
        assert_eq!(definition.nodes[5].parameter("workflowId"), Some(&json!("build.yml")));
        assert_eq!(definition.nodes[3].parameter("workflowId"), Some(&json!("stale")));
    }

    #[test]
    fn a_document_without_mapped_references_stays_as_it_is() {
        let mut definition = parent();
        replace_references(&mut definition, &BTreeMap::new());
        assert_eq!(definition, parent());
    }
}
