//! What a definition reaches on an instance past the mappings of its Workflow: workflows by raw or computed ids, and what a
//! sub-workflow that is written inside a node, or is loaded when it runs, uses by itself. One key sees everything on an n8n, so
//! another namespace than the instance's needs a grant for each of these.

use std::collections::BTreeSet;

use serde_json::Value;

use super::definition::{Definition, Node};
use super::references::{CALLERS, sub_workflow_references};
use super::render::is_workflow_symbol;

/// How deep sub-workflows inside nodes are followed.
const DEEPEST: usize = 8;

/// What a definition reaches by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Raw ids of workflows.
    pub workflows: BTreeSet<String>,
    /// Ids of credentials that inline sub-workflows use, each with the node of the definition that holds the sub-workflow.
    pub credentials: BTreeSet<(String, String)>,
    /// Nodes that may reach any workflow.
    pub any_workflow: BTreeSet<String>,
    /// Nodes that may run any content, so that they reach anything.
    pub anything: BTreeSet<String>,
}

/// Finds what a definition reaches by itself. It errs on the side of finding too much: what cannot be read is taken for anything.
pub fn reach(definition: &Definition) -> Reach {
    let mut found = Reach::default();
    follow(definition, None, 0, &mut found);
    found
}

/// `holder` is the node of the outermost definition inside which this one is written.
fn follow(definition: &Definition, holder: Option<&str>, depth: usize, found: &mut Reach) {
    let ids = sub_workflow_references(definition).into_iter().map(|reference| reference.id);
    found.workflows.extend(ids.filter(|id| !is_workflow_symbol(id)));
    for node in &definition.nodes {
        let at = holder.unwrap_or_else(|| node.name());
        if let Some(holder) = holder {
            credentials_of(node, holder, found);
        }
        if CALLERS.contains(&node.kind()) {
            call(node, at, depth, found);
        }
    }
}

fn call(node: &Node, at: &str, depth: usize, found: &mut Reach) {
    match node.parameter("source").map_or(Some("database"), Value::as_str) {
        Some("database") => {
            let stored = node.parameter("workflowId");
            let id = match stored {
                Some(Value::Object(locator)) => locator.get("value"),
                stored => stored,
            };
            let known = match id {
                None | Some(Value::Null) => true,
                Some(id) => id.as_str().is_some_and(|id| !id.trim_start().starts_with('=')),
            };
            if !known {
                found.any_workflow.insert(at.to_owned());
            }
        }
        Some("parameter") => match node.parameter("workflowJson") {
            None | Some(Value::Null) => {}
            Some(inline) => match document(inline).filter(|_| depth < DEEPEST) {
                Some(definition) => follow(&definition, Some(at), depth + 1, found),
                None => drop(found.anything.insert(at.to_owned())),
            },
        },
        // A file, a URL, or what an expression says.
        _ => drop(found.anything.insert(at.to_owned())),
    }
}

/// A sub-workflow as it is written into a parameter: JSON, mostly as text.
fn document(inline: &Value) -> Option<Definition> {
    let parsed: Option<Value> = inline.as_str().and_then(|text| serde_json::from_str(text).ok());
    let document = parsed.as_ref().unwrap_or(inline).as_object()?;
    let nodes: Option<Vec<Node>> = match document.get("nodes") {
        None => Some(Vec::new()),
        Some(nodes) => nodes.as_array()?.iter().map(|node| node.as_object().cloned().map(Node)).collect(),
    };
    let settings = document.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    Some(Definition { nodes: nodes?, settings, ..Definition::default() })
}

fn credentials_of(node: &Node, holder: &str, found: &mut Reach) {
    let Some(listed) = node.0.get("credentials").filter(|listed| !listed.is_null()) else { return };
    let entries = listed.as_object().into_iter().flat_map(|entries| entries.values());
    let ids: Option<Vec<&str>> =
        entries.map(|entry| entry.get("id").and_then(Value::as_str).filter(|id| !id.is_empty() && !id.starts_with('='))).collect();
    match ids.filter(|_| listed.is_object()) {
        Some(ids) => found.credentials.extend(ids.into_iter().map(|id| (id.to_owned(), holder.to_owned()))),
        // Without an id n8n takes what it finds.
        None => drop(found.anything.insert(holder.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXECUTE: &str = "n8n-nodes-base.executeWorkflow";
    const TOOL: &str = "@n8n/n8n-nodes-langchain.toolWorkflow";

    fn of(kind: &str, parameters: Value) -> Reach {
        let node = json!({ "name": "Call", "type": kind, "parameters": parameters });
        reach(&document(&json!({ "nodes": [node] })).unwrap())
    }

    fn words(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn an_id_that_is_computed_may_be_any() {
        for id in [
            json!("={{ $json.id }}"),
            json!(" ={{ 1 }}"),
            json!({ "__rl": true, "value": "={{ $json.id }}", "mode": "id" }),
            json!(7),
            json!(["W1"]),
        ] {
            assert_eq!(of(EXECUTE, json!({ "workflowId": id })).any_workflow, words(&["Call"]), "{id}");
        }
        for id in [json!("W1"), json!({ "__rl": true, "value": "W1", "mode": "list" })] {
            let found = of(TOOL, json!({ "workflowId": id }));
            assert_eq!((found.workflows, found.any_workflow.len()), (words(&["W1"]), 0));
        }
        for parameters in
            [json!({}), json!({ "workflowId": "" }), json!({ "workflowId": null }), json!({ "workflowId": "weirkeeper:workflow/child" })]
        {
            assert_eq!(of(EXECUTE, parameters.clone()), Reach::default(), "{parameters}");
        }
        assert_eq!(of("n8n-nodes-base.set", json!({ "workflowId": "={{ 1 }}", "source": "url" })), Reach::default());
    }

    #[test]
    fn content_that_is_loaded_or_cannot_be_read_may_be_anything() {
        for parameters in [
            json!({ "source": "url", "workflowUrl": "http://x" }),
            json!({ "source": "localFile", "workflowPath": "/x" }),
            json!({ "source": "={{ 'parameter' }}" }),
            json!({ "source": "parameter", "workflowJson": "={{ $json.body }}" }),
            json!({ "source": "parameter", "workflowJson": "{\"nodes\": [" }),
            json!({ "source": "parameter", "workflowJson": { "nodes": "all" } }),
        ] {
            assert_eq!(of(EXECUTE, parameters.clone()).anything, words(&["Call"]), "{parameters}");
        }
        assert_eq!(of(EXECUTE, json!({ "source": "parameter" })), Reach::default());
    }

    #[test]
    fn what_an_inline_workflow_uses_is_found_at_any_depth() {
        let inner = json!({ "nodes": [
            { "name": "Post", "type": "n8n-nodes-base.slack", "parameters": {}, "credentials": { "slackApi": { "id": "C7", "name": "Mine" } } },
            { "name": "Next", "type": EXECUTE, "parameters": { "workflowId": "W2" } },
            { "name": "Far", "type": EXECUTE, "parameters": { "workflowId": "={{ 1 }}" } },
        ], "settings": { "errorWorkflow": "W3" } });
        let outer = json!({ "nodes": [{ "name": "Deep", "type": TOOL, "parameters": { "source": "parameter", "workflowJson": inner } }] });
        for inline in [outer.clone(), json!(outer.to_string())] {
            let found = of(EXECUTE, json!({ "source": "parameter", "workflowJson": inline }));
            assert_eq!(found.workflows, words(&["W2", "W3"]));
            assert_eq!(found.credentials, BTreeSet::from([("C7".to_owned(), "Call".to_owned())]));
            assert_eq!((found.any_workflow, found.anything), (words(&["Call"]), words(&[])));
        }
        for credentials in
            [json!({ "slackApi": { "name": "Mine" } }), json!({ "slackApi": "Mine" }), json!([]), json!({ "slackApi": { "id": "" } })]
        {
            let inline = json!({ "nodes": [{ "name": "Post", "type": "x", "credentials": credentials }] });
            let found = of(EXECUTE, json!({ "source": "parameter", "workflowJson": inline }));
            assert_eq!(found.anything, words(&["Call"]), "{credentials}");
        }
        let mut bottomless = json!({ "nodes": [] });
        for _ in 0..10 {
            bottomless = json!({ "nodes": [{ "name": "Call", "type": EXECUTE, "parameters": { "source": "parameter", "workflowJson": bottomless } }] });
        }
        assert_eq!(reach(&document(&bottomless).unwrap()).anything, words(&["Call"]));
    }

    #[test]
    fn credentials_of_the_definition_itself_are_mapped_and_need_nothing_here() {
        let node = json!({ "name": "Post", "type": "n8n-nodes-base.slack", "credentials": { "slackApi": { "name": "Mine" } } });
        assert_eq!(reach(&document(&json!({ "nodes": [node] })).unwrap()), Reach::default());
    }
}
