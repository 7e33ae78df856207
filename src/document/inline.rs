//! Workflows that are written inside a node, as JSON in its parameter `workflowJson`.

use serde_json::{Map, Value};

use crate::document::definition::{Definition, Node};

/// Maximum nesting of such workflows that is followed.
pub const DEEPEST: usize = 8;

/// A node of a definition or of a workflow inside one of its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The node itself.
    pub node: std::borrow::Cow<'a, Node>,
    /// Index of the node of the outermost definition that it is, or that holds its workflow.
    pub index: usize,
    /// True if it belongs to a workflow inside that node.
    pub inside: bool,
}

/// Nodes of a definition and of the workflows inside its nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllNodes<'a> {
    /// The nodes, in document order, those inside a node after it.
    pub nodes: Vec<Found<'a>>,
    /// Indices of nodes of the outermost definition that run a workflow whose content is only known at run time, or too deeply nested.
    pub unknown: Vec<usize>,
}

/// Returns the nodes of a definition and of the workflows inside its nodes.
pub fn all_nodes(definition: &Definition) -> AllNodes<'_> {
    let mut all = AllNodes::default();
    for (index, node) in definition.nodes.iter().enumerate() {
        all.nodes.push(Found { node: std::borrow::Cow::Borrowed(node), index, inside: false });
        follow(node, index, 0, &mut all);
    }
    all
}

fn follow(node: &Node, index: usize, depth: usize, all: &mut AllNodes<'_>) {
    let Some(source) = node.parameter("source") else { return };
    // n8n evaluates an expression, and then reads any of these.
    let computed = source.as_str().is_some_and(|text| text.trim_start().starts_with('='));
    let given = |key: &&str| node.parameter(key).is_some_and(|value| !value.is_null());
    if computed && ["workflowJson", "workflowPath", "workflowUrl"].iter().any(given) {
        return all.unknown.push(index);
    }
    match (source.as_str(), node.parameter("workflowJson")) {
        (Some("parameter"), Some(inline)) if !inline.is_null() => match parse(inline).filter(|_| depth < DEEPEST) {
            Some(Inline { definition, .. }) => {
                for node in definition.nodes {
                    follow(&node, index, depth + 1, all);
                    all.nodes.push(Found { node: std::borrow::Cow::Owned(node), index, inside: true });
                }
            }
            None => all.unknown.push(index),
        },
        // Loaded from a file or a URL, or computed by an expression.
        (Some("localFile" | "url"), _) | (None, Some(_)) => all.unknown.push(index),
        _ => {}
    }
}

/// A workflow that is written inside a node.
#[derive(Clone, Debug)]
pub struct Inline {
    /// n8n runs it as the workflow with this id: with its memory, its static data, its error handling and its callers' permissions.
    pub id: Option<String>,
    /// Its nodes and settings.
    pub definition: Definition,
}

/// Keys of a workflow inside a node that give it nothing but what they contain. n8n's own exports have all of them.
const HARMLESS_KEYS: [&str; 15] = [
    "name",
    "nodes",
    "connections",
    "settings",
    "pinData",
    "meta",
    "active",
    "tags",
    "versionId",
    "activeVersionId",
    "createdAt",
    "updatedAt",
    "isArchived",
    "nodeGroups",
    "triggerCount",
];

/// Parses a workflow as written in a parameter: JSON, mostly as text. `None` if a part of it may reach more than can be read.
pub fn parse(inline: &Value) -> Option<Inline> {
    let parsed: Option<Value> = inline.as_str().and_then(|text| serde_json::from_str(text).ok());
    let document = parsed.as_ref().unwrap_or(inline).as_object()?;
    let given = |key: &str| document.get(key).filter(|value| !value.is_null());
    if document.contains_key("__proto__")
        || document.iter().any(|(key, value)| key != "id" && !value.is_null() && !HARMLESS_KEYS.contains(&key.as_str()))
    {
        return None;
    }
    let id = match given("id") {
        None => None,
        Some(id) => Some(id.as_str()?.to_owned()),
    };
    let nodes: Option<Vec<Node>> = match given("nodes") {
        None => Some(Vec::new()),
        Some(nodes) => nodes.as_array()?.iter().map(|node| node.as_object().cloned().map(Node)).collect(),
    };
    let settings = match given("settings") {
        None => Map::new(),
        Some(settings) => settings.as_object()?.clone(),
    };
    let text = |key: &str| settings.get(key).is_none_or(|value| value.is_null() || is_static(value));
    if has_prototype(&settings) || !["errorWorkflow", "callerIds"].into_iter().all(text) {
        return None;
    }
    Some(Inline { id, definition: Definition { nodes: nodes?, settings, ..Definition::default() } })
}

/// Reports whether a value is text that n8n does not evaluate as an expression.
pub fn is_static(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim_start().starts_with('='))
}

/// Reports whether an object, or one inside it, has the key `__proto__`.
pub fn has_prototype(object: &Map<String, Value>) -> bool {
    object.iter().any(|(key, value)| key == "__proto__" || nested(value))
}

fn nested(value: &Value) -> bool {
    match value {
        Value::Object(object) => has_prototype(object),
        Value::Array(list) => list.iter().any(nested),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(nodes: &[Value]) -> Definition {
        Definition { nodes: nodes.iter().map(|node| Node(node.as_object().unwrap().clone())).collect(), ..Definition::default() }
    }

    #[test]
    fn nodes_of_workflows_inside_nodes_are_found_at_any_depth() {
        let innermost = json!({ "nodes": [{ "name": "C", "type": "c" }] });
        let middle = json!({ "nodes": [{ "name": "B", "type": "b", "parameters": { "source": "parameter", "workflowJson": innermost.to_string() } }] });
        let outer = json!({ "name": "A", "type": "a", "parameters": { "source": "parameter", "workflowJson": middle } });
        let definition = definition(&[json!({ "name": "S", "type": "s" }), outer]);
        let all = all_nodes(&definition);
        let found: Vec<_> = all.nodes.iter().map(|found| (found.node.name(), found.index, found.inside)).collect();
        assert_eq!(found, [("S", 0, false), ("A", 1, false), ("C", 1, true), ("B", 1, true)]);
        assert!(all.unknown.is_empty());
    }

    #[test]
    fn content_that_is_only_known_at_run_time_is_distinguished() {
        let of = |parameters: Value| {
            let definition = definition(&[json!({ "name": "A", "type": "a", "parameters": parameters })]);
            all_nodes(&definition).unknown.len()
        };
        assert_eq!(of(json!({ "source": "parameter", "workflowJson": "={{ $json.workflow }}" })), 1);
        assert_eq!(of(json!({ "source": "url", "workflowUrl": "https://a.example" })), 1);
        assert_eq!(of(json!({ "source": "localFile", "workflowPath": "/a" })), 1);
        assert_eq!(of(json!({ "source": "database", "workflowId": "1" })), 0);
        assert_eq!(of(json!({})), 0);
    }
}
