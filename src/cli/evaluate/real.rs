//! A real n8n: it creates the workflow, publishes it and deletes it again, with stand-ins for credentials.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::arguments::EvaluateError;
use crate::document::definition::{Definition, Node};
use crate::document::triggers::{may_be_published, production_triggers};
use crate::domain::remote::WorkflowWrite;
use crate::http::ApiKey;
use crate::n8n::{ClientSettings, CredentialWrite, N8nClient, N8nMetrics};
use crate::text::one_line;

/// Result of a trial of a workflow in n8n.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct TrialResult {
    pub(super) created: bool,
    /// True if it has a start that n8n publishes.
    pub(super) publishable: bool,
    pub(super) published: bool,
    /// True if it was not published because a trigger has to sign in to its service for that, which the stand-in for its credential cannot.
    #[serde(default)]
    pub(super) needs_service: bool,
    /// True if such a workflow was published with a schedule in the place of its trigger.
    #[serde(default)]
    pub(super) published_otherwise: bool,
    /// The refusal.
    pub(super) message: String,
}

impl TrialResult {
    pub(super) fn line(&self) -> String {
        match (self.created, self.publishable, self.published) {
            (true, true, true) => "published".to_owned(),
            (true, false, _) => "created".to_owned(),
            (true, true, false) if self.published_otherwise => {
                "published with a schedule, because its trigger cannot sign in to the service".to_owned()
            }
            (true, true, false) if self.needs_service => {
                format!(
                    "created; its trigger cannot sign in to the service, and with a schedule it is refused ({})",
                    one_line(&self.message, 200)
                )
            }
            _ => format!("refused ({})", one_line(&self.message, 200)),
        }
    }
}

/// A real n8n.
pub(super) struct Real {
    client: N8nClient,
    /// Ids of the stand-ins by type.
    credentials: Mutex<BTreeMap<String, Result<String, String>>>,
}

impl Real {
    /// Creates the client.
    pub(super) fn new(url: &Url, key: Option<&str>) -> Result<Self, EvaluateError> {
        let failed = |error: String| EvaluateError::Real(error);
        let key = key.ok_or_else(|| failed("no API key: set WEIRKEEPER_N8N_API_KEY".to_owned()))?;
        let settings = ClientSettings {
            url: url.clone(),
            api_key: ApiKey::parse(key).map_err(|error| failed(error.to_string()))?,
            ca_bundle: None,
            trust_named_in: "the system's certificates",
            request_timeout: Duration::from_secs(60),
            requests_per_second: None,
            max_concurrent_requests: NonZeroU32::MIN.saturating_add(3),
            webhook_check_url: None,
            // The user of the command chose the address for this machine.
            allow_loopback: true,
        };
        let metrics = N8nMetrics::register(&prometheus::Registry::new()).map_err(|error| failed(error.to_string()))?;
        let client = N8nClient::new(settings, metrics).map_err(|error| failed(error.to_string()))?;
        Ok(Self { client, credentials: Mutex::new(BTreeMap::new()) })
    }

    /// Creates, publishes and deletes a workflow.
    pub(super) async fn try_out(&self, definition: &Definition, limit: Duration) -> TrialResult {
        match tokio::time::timeout(limit, self.tried(definition)).await {
            Ok(result) => result,
            Err(_) => TrialResult { message: format!("n8n did not answer within {} s", limit.as_secs()), ..TrialResult::default() },
        }
    }

    async fn tried(&self, definition: &Definition) -> TrialResult {
        let mut definition = definition.clone();
        let publishable = may_be_published(&definition);
        for node in &mut definition.nodes {
            for (kind, reference) in node.0.get_mut("credentials").and_then(Value::as_object_mut).into_iter().flatten() {
                match self.stand_in(kind).await {
                    Ok(id) => reference["id"] = id.into(),
                    Err(message) => return TrialResult { publishable, message, ..TrialResult::default() },
                }
            }
        }
        // Webhook paths of an earlier prompt may still be registered.
        own_paths(&mut definition);
        let mut result = self.published(&definition, publishable).await;
        if result.created && publishable && !result.published && starts_at_service(&definition) && !is_of_workflow(&result.message) {
            result.needs_service = true;
            let otherwise = self.published(&scheduled(&definition), true).await;
            result.published_otherwise = otherwise.published;
            if !otherwise.published {
                result.message = otherwise.message;
            }
        }
        result
    }

    /// Creates, publishes and deletes a workflow whose credentials exist.
    async fn published(&self, definition: &Definition, publishable: bool) -> TrialResult {
        let write = WorkflowWrite {
            name: definition.name.clone().unwrap_or_else(|| "evaluation".to_owned()),
            nodes: definition.nodes.iter().map(|node| Value::Object(node.0.clone())).collect(),
            connections: Value::Object(definition.connections.clone()),
            settings: definition.settings.clone(),
            node_groups: None,
        };
        let made = match self.client.create_workflow(&write).await {
            Ok(made) => made,
            Err(error) => return TrialResult { publishable, message: error.to_string(), ..TrialResult::default() },
        };
        let mut result = TrialResult { created: true, publishable, ..TrialResult::default() };
        if publishable {
            match self.client.publish(&made.id, None).await {
                Ok(_) => result.published = true,
                Err(error) => result.message = error.to_string(),
            }
        }
        if let Err(error) = self.client.delete_workflow(&made.id).await {
            result.message = format!("{}; it was not deleted: {error}", result.message);
        }
        result
    }

    /// Returns the id of a credential of a type with values of no use.
    async fn stand_in(&self, kind: &str) -> Result<String, String> {
        let mut known = self.credentials.lock().await;
        if let Some(made) = known.get(kind) {
            return made.clone();
        }
        let made = match self.client.credential_schema(kind).await {
            Err(error) => Err(format!("{kind}: {error}")),
            Ok(schema) => {
                let write =
                    CredentialWrite { name: format!("evaluation of {kind}"), kind: kind.to_owned(), data: data(&schema), project_id: None };
                self.client.create_credential(&write).await.map(|made| made.id).map_err(|error| format!("{kind}: {error}"))
            }
        };
        known.insert(kind.to_owned(), made.clone());
        made
    }

    /// Deletes the stand-ins.
    pub(super) async fn clear(&self) {
        for id in self.credentials.lock().await.values().filter_map(|made| made.as_ref().ok()) {
            if let Err(error) = self.client.delete_credential(id).await {
                eprintln!("weirkeeper: the credential {id} was not deleted: {error}");
            }
        }
    }
}

/// Reports whether a trigger has a credential: n8n registers it at its service, or polls the service, when it publishes the workflow.
fn signs_in(node: &Node) -> bool {
    node.credentials().is_some_and(|own| !own.is_empty())
}

fn starts_at_service(definition: &Definition) -> bool {
    production_triggers(definition).any(signs_in)
}

/// Returns the workflow with a schedule in the place of each trigger that signs in to a service: its other nodes are what n8n then decides about.
fn scheduled(definition: &Definition) -> Definition {
    let names: Vec<String> = production_triggers(definition).filter(|node| signs_in(node)).map(|node| node.name().to_owned()).collect();
    let mut definition = definition.clone();
    for node in definition.nodes.iter_mut().filter(|node| names.iter().any(|name| name == node.name())) {
        node.0.insert("type".to_owned(), "n8n-nodes-base.scheduleTrigger".into());
        node.0.insert("typeVersion".to_owned(), json!(1.2));
        node.0.insert("parameters".to_owned(), json!({"rule": {"interval": [{"field": "hours"}]}}));
        node.0.remove("credentials");
        node.0.remove("webhookId");
    }
    definition
}

/// Reports whether n8n's refusal is about the workflow itself.
fn is_of_workflow(message: &str) -> bool {
    ["Cannot publish workflow", "Unrecognized node type"].iter().any(|part| message.contains(part))
}

/// Gives webhooks and forms paths of their own.
fn own_paths(definition: &mut Definition) {
    let own = crate::text::sha256::sha256_hex(serde_json::to_string(definition).unwrap_or_default());
    for (at, node) in definition.nodes.iter_mut().enumerate() {
        let Some(path) = node.0.get_mut("parameters").and_then(|parameters| parameters.get_mut("path")) else { continue };
        if path.as_str().is_some_and(|text| !text.is_empty() && !text.starts_with('=')) {
            *path = json!(format!("evaluation/{}-{at}/{}", &own[..12], path.as_str().unwrap_or_default().trim_matches('/')));
        }
    }
}

/// Returns values for what a schema requires, and for what it requires with these values.
fn data(schema: &Value) -> Map<String, Value> {
    let mut data = Map::new();
    let fill = |names: Option<&Value>, data: &mut Map<String, Value>| {
        for name in names.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let value = schema.get("properties").and_then(|properties| properties.get(name)).map_or(Value::Null, value);
            data.entry(name).or_insert(value);
        }
    };
    fill(schema.get("required"), &mut data);
    // A value may require others, and these more.
    for _ in 0..3 {
        for rule in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let conditions = rule.pointer("/if/properties").and_then(Value::as_object);
            let holds = conditions.into_iter().flatten().all(|(name, wanted)| {
                let offered = wanted.get("enum").and_then(Value::as_array);
                offered.is_some_and(|offered| offered.contains(data.get(name).unwrap_or(&Value::Null)))
            });
            for then in
                rule.pointer("/then/allOf").and_then(Value::as_array).into_iter().flatten().filter(|_| holds && conditions.is_some())
            {
                fill(then.get("required"), &mut data);
            }
        }
    }
    data
}

fn value(property: &Value) -> Value {
    let first = property.get("enum").and_then(Value::as_array).and_then(|offered| offered.first().cloned());
    first.unwrap_or_else(|| match property.get("type").and_then(Value::as_str) {
        Some("number") => json!(9),
        Some("boolean") => json!(false),
        Some("object") => json!({}),
        _ => json!("http://127.0.0.1:9"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse::parse;

    #[test]
    fn a_refusal_of_the_service_is_distinguished_from_one_of_the_workflow() {
        let with = |credentials: Value| {
            let trigger = json!({"name": "New", "type": "n8n-nodes-base.gmailTrigger", "credentials": credentials});
            parse(&json!({"nodes": [trigger], "connections": {}})).unwrap().definition
        };
        assert!(starts_at_service(&with(json!({"gmailOAuth2": {"id": "1"}}))));
        assert!(!starts_at_service(&with(json!({}))));
        let scheduled = scheduled(&with(json!({"gmailOAuth2": {"id": "1"}})));
        assert_eq!((scheduled.nodes[0].kind(), scheduled.nodes[0].name()), ("n8n-nodes-base.scheduleTrigger", "New"));
        assert!(!starts_at_service(&scheduled));
        assert!(!is_of_workflow("There was a problem activating the workflow: \"connect ECONNREFUSED 127.0.0.1:1883\""));
        assert!(is_of_workflow("Cannot publish workflow: 1 node have configuration issues"));
    }
}
