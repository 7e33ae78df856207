//! A workflow document in the form that n8n accepts.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// A node of a workflow: the JSON object as it is sent, with accessors for the fields that are used here.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Node(pub Map<String, Value>);

impl Node {
    /// Returns the name, by which connections and expressions refer to the node; empty if there is none.
    pub fn name(&self) -> &str {
        self.text("name").unwrap_or_default()
    }

    /// Returns the type, such as `n8n-nodes-base.httpRequest`, as n8n reads it: `a.b` of `a.b.c`. Empty if there is none.
    pub fn kind(&self) -> &str {
        let written = self.text("type").unwrap_or_default();
        written.match_indices('.').nth(1).map_or(written, |(at, _)| &written[..at])
    }

    /// Returns the version of the node type.
    pub fn type_version(&self) -> Option<f64> {
        self.0.get("typeVersion").and_then(Value::as_f64)
    }

    /// Returns the id. n8n treats an empty id as absent.
    pub fn id(&self) -> Option<&str> {
        self.text("id").filter(|id| !id.is_empty())
    }

    /// Returns the id in this node's webhook URLs. n8n treats an empty id as absent.
    pub fn webhook_id(&self) -> Option<&str> {
        self.text("webhookId").filter(|id| !id.is_empty())
    }

    /// Reports whether the node is disabled.
    pub fn disabled(&self) -> bool {
        self.0.get("disabled").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Returns the parameters, if they are an object.
    pub fn parameters(&self) -> Option<&Map<String, Value>> {
        self.0.get("parameters").and_then(Value::as_object)
    }

    /// Returns the credentials by type, if they are an object.
    pub fn credentials(&self) -> Option<&Map<String, Value>> {
        self.0.get("credentials").and_then(Value::as_object)
    }

    /// Returns a parameter.
    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters()?.get(name)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    pub(crate) fn set_text(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_owned(), Value::String(value.into()));
    }
}

impl From<Map<String, Value>> for Node {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

/// The author's document, reduced to the fields that n8n accepts.
///
/// Serialised, it is the body of a create request: `name` (if given), `nodes`, `connections`, `settings`, and `nodeGroups` if there are
/// any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definition {
    /// Name of the workflow, if the document gives one.
    pub name: Option<String>,
    /// Nodes, in the author's order: n8n makes a new version when they are reordered.
    pub nodes: Vec<Node>,
    /// Connections by name of the source node, then by connection type.
    pub connections: Map<String, Value>,
    /// Settings.
    pub settings: Map<String, Value>,
    /// Node groups: frames on the canvas.
    pub node_groups: Vec<Value>,
    /// Value of `active` in the document; never sent.
    pub declared_active: Option<bool>,
    /// Names of the tags in the document; never sent.
    pub declared_tags: Option<Vec<String>>,
}

impl Definition {
    /// Returns the body of `POST /workflows`.
    pub fn create_body(&self) -> Map<String, Value> {
        let mut body = self.update_body();
        if self.node_groups.is_empty() {
            body.remove("nodeGroups");
        }
        body
    }

    /// Returns the body of `PUT /workflows/{id}`. Unlike a create request it always has `nodeGroups`, since n8n keeps the old groups if the
    /// key is absent.
    pub fn update_body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".into(), Value::String(name.clone()));
        }
        let nodes = self.nodes.iter().map(|node| Value::Object(node.0.clone())).collect();
        body.insert("nodes".into(), Value::Array(nodes));
        body.insert("connections".into(), Value::Object(self.connections.clone()));
        body.insert("settings".into(), Value::Object(self.settings.clone()));
        body.insert("nodeGroups".into(), Value::Array(self.node_groups.clone()));
        body
    }

    /// Removes the ids of nodes and webhooks, so that each workflow made from the same document gets its own.
    pub fn without_ids(&mut self) {
        for node in &mut self.nodes {
            node.0.remove("id");
            node.0.remove("webhookId");
        }
    }

    /// Returns the node of that name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name() == name)
    }
}

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("nodes", &self.nodes)?;
        map.serialize_entry("connections", &self.connections)?;
        map.serialize_entry("settings", &self.settings)?;
        if !self.node_groups.is_empty() {
            map.serialize_entry("nodeGroups", &self.node_groups)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_serialises_to_the_body_of_a_create() {
        let definition = Definition {
            name: Some("A".into()),
            declared_active: Some(true),
            declared_tags: Some(vec!["x".into()]),
            ..Definition::default()
        };
        let expected = json!({"name": "A", "nodes": [], "connections": {}, "settings": {}});
        assert_eq!(serde_json::to_value(&definition).unwrap(), expected);
        assert_eq!(Value::Object(definition.create_body()), expected);
        assert_eq!(definition.update_body()["nodeGroups"], json!([]));
    }

    #[test]
    fn an_empty_id_is_no_id_as_in_n8n() {
        let Value::Object(map) = json!({"id": "", "webhookId": "", "name": "A"}) else { unreachable!() };
        let node = Node(map);
        assert_eq!((node.id(), node.webhook_id(), node.name()), (None, None, "A"));
    }
}
