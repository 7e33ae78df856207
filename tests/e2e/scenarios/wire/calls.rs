//! The client under test, workflows for it, and waits for n8n.

use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};
use weirkeeper::domain::remote::{RemoteWorkflow, WorkflowWrite};
use weirkeeper::http::ApiKey;
use weirkeeper::n8n::{ClientSettings, N8nClient, N8nError, N8nMetrics, ProbeRequest, WebhookCheck};

use crate::harness::stack::{Stack, publishes_later, webhook_url};
use crate::harness::world::PATIENCE;

const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) fn client_with(key: &str) -> N8nClient {
    let url = Stack::shared().n8n_url();
    let webhooks = webhook_url(&url);
    let settings = ClientSettings {
        url: url.parse().unwrap(),
        api_key: ApiKey::parse(key).unwrap(),
        ca_bundle: None,
        trust_named_in: "spec.caBundle",
        request_timeout: Duration::from_secs(30),
        requests_per_second: None,
        max_concurrent_requests: NonZeroU32::new(4).unwrap(),
        webhook_check_url: (webhooks != url).then(|| webhooks.parse().unwrap()),
        allow_loopback: true,
    };
    N8nClient::new(settings, N8nMetrics::register(&prometheus::Registry::new()).unwrap()).unwrap()
}

pub(super) fn client() -> N8nClient {
    client_with(&Stack::shared().n8n_key())
}

/// Expects a result. Only for an n8n that publishes later the request is repeated until it does.
pub(super) async fn until<T: PartialEq + std::fmt::Debug>(wanted: T, ask: impl AsyncFn() -> T) {
    let (url, started) = (Stack::shared().n8n_url(), Instant::now());
    loop {
        let seen = ask().await;
        if seen == wanted || !publishes_later(&url) || started.elapsed() > PATIENCE {
            return assert_eq!(seen, wanted);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Publishes a workflow that listens on a path to POST, and waits until it does.
pub(super) async fn publish(n8n: &N8nClient, id: &str, path: &str) -> RemoteWorkflow {
    let published = n8n.publish(id, None).await.unwrap();
    until(WebhookCheck::Registered(vec!["POST".into()]), async || n8n.check_webhook("webhook", path).await.unwrap()).await;
    published
}

/// Deletes a workflow, and returns whether it existed. With the publication service it must be unpublished first.
pub(in crate::scenarios) async fn delete(n8n: &N8nClient, id: &str) -> bool {
    let started = Instant::now();
    loop {
        match n8n.delete_workflow(id).await {
            Err(N8nError::Refused { status: 409, .. }) if started.elapsed() < PATIENCE => drop(n8n.unpublish(id).await.unwrap()),
            deleted => return deleted.unwrap(),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Returns a word that no earlier run used.
pub(super) fn fresh(prefix: &str) -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{prefix}-{:x}", nanos % (1 << 48))
}

pub(super) fn node(name: &str, kind: &str, version: f64, parameters: Value) -> Value {
    json!({ "id": format!("id-{name}"), "name": name, "type": format!("n8n-nodes-base.{kind}"),
        "typeVersion": version, "position": [0, 0], "parameters": parameters })
}

pub(super) fn workflow(name: &str, nodes: Vec<Value>, connections: Value) -> WorkflowWrite {
    WorkflowWrite { name: name.into(), nodes, connections, settings: Default::default(), node_groups: None }
}

/// Returns a workflow with a webhook that answers with the output of its last node.
pub(super) fn webhook_workflow(name: &str, path: &str, last: Value) -> WorkflowWrite {
    let mut hook = node("Hook", "webhook", 2.0, json!({ "path": path, "httpMethod": "POST", "responseMode": "lastNode", "options": {} }));
    hook["webhookId"] = json!(format!("hook-{path}"));
    let to = last["name"].clone();
    let connections = json!({ "Hook": { "main": [[{ "node": to, "type": "main", "index": 0 }]] } });
    workflow(name, vec![hook, last], connections)
}

pub(super) fn set(value: &str) -> Value {
    node("Set", "set", 3.4, json!({ "mode": "raw", "jsonOutput": json!({ "said": value }).to_string(), "options": {} }))
}

pub(super) fn fail() -> Value {
    node("Break", "stopAndError", 1.0, json!({ "errorMessage": "it\nbroke" }))
}

pub(super) fn probe(path: &str) -> ProbeRequest {
    ProbeRequest {
        method: Method::POST,
        path: path.into(),
        headers: vec![("x-probe".into(), "1".into())],
        body: Some(json!({ "hello": 1 })),
        timeout: Duration::from_secs(20),
    }
}

/// Returns a workflow that answers with a status of its own choice, by a Respond to Webhook node.
pub(super) fn responding(path: &str, status: u16) -> WorkflowWrite {
    let options = json!({ "responseCode": status });
    let mut write = webhook_workflow(
        path,
        path,
        node("Respond", "respondToWebhook", 1.4, json!({ "respondWith": "json", "responseBody": "{}", "options": options })),
    );
    write.nodes[0]["parameters"]["responseMode"] = json!("responseNode");
    write
}
