//! Credentials of generated nodes. No maker of workflows chooses them: each node that needs exactly one type is given a reference that is
//! named after the type, which a mapping then binds.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::validator::schema::required_credentials;

/// Adds the credentials that the nodes need, named after their types, and returns these types in the order in which they come first. A
/// node that has credentials keeps them. A type that a parameter selects is added too.
pub fn add(definition: &mut Definition, catalog: &Catalog) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    for needed in required_credentials(definition, catalog) {
        let Some(node) = definition.nodes.iter_mut().find(|node| node.name() == needed.node) else { continue };
        for kind in needed.types.iter().chain(&needed.chosen) {
            let credentials = node.0.entry("credentials").or_insert_with(|| Value::Object(Map::new()));
            if let Some(credentials) = credentials.as_object_mut() {
                credentials.entry(kind.clone()).or_insert_with(|| json!({"name": kind}));
            }
            if !types.contains(kind) {
                types.push(kind.clone());
            }
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::compact::{compile, read};

    fn built(nodes: Value, edges: Value) -> Definition {
        let compact = read(&json!({"compact": 1, "name": "x", "nodes": nodes, "edges": edges})).unwrap();
        compile(&compact, &std::collections::BTreeMap::new(), Catalog::embedded()).unwrap().definition
    }

    #[test]
    fn a_node_gets_the_type_that_it_needs_and_keeps_what_it_has() {
        let nodes = json!([
            {"id": "a", "use": "webhook", "as": "A", "set": {"path": "x"}},
            {"id": "b", "use": "slack.message.post", "as": "B", "set": {"select": "channel", "channelId": "#x", "text": "y"}},
            {"id": "c", "use": "httpRequest", "as": "C", "set": {"url": "https://a.example", "authentication": "predefinedCredentialType", "nodeCredentialType": "githubApi"}},
            {"id": "d", "use": "set", "as": "D"},
        ]);
        let mut definition = built(nodes, json!(["a>b>c>d"]));
        definition.nodes[1].0.insert("credentials".to_owned(), json!({"slackApi": {"id": "7", "name": "mine"}}));
        assert_eq!(add(&mut definition, Catalog::embedded()), ["slackApi", "githubApi"]);
        assert_eq!(definition.node("B").unwrap().credentials().unwrap()["slackApi"]["name"], "mine");
        assert_eq!(definition.node("C").unwrap().credentials().unwrap()["githubApi"]["name"], "githubApi");
        assert!(definition.node("D").unwrap().credentials().is_none() && definition.node("A").unwrap().credentials().is_none());
    }
}
