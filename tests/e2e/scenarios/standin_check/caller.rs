//! A plain client of the stand-in, and the definitions of the checks.

use std::sync::Once;
use std::time::Duration;

use serde_json::{Value, json};

use crate::standin::{Options, StandIn};

pub(crate) struct Caller {
    pub standin: StandIn,
    key: String,
    client: reqwest::Client,
}

/// A response. The body is JSON, or a string if it does not parse.
pub(crate) struct Got {
    pub status: u16,
    pub body: Value,
}

impl Got {
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // A second installer loses, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    // Without a pool, since a kept connection to a stand-in that restarted is lost on its next use.
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(10));
    client.build().expect("a client without certificates")
}

impl Caller {
    pub(crate) fn new(options: Options) -> Self {
        let standin = StandIn::start(options);
        Self { key: standin.api_key().to_owned(), standin, client: client() }
    }

    pub(crate) fn plain() -> Self {
        Self::new(Options::default())
    }

    /// Returns the same client with another key.
    pub(crate) fn with_key(self, key: String) -> Self {
        Self { key, ..self }
    }

    pub(crate) async fn try_send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Got, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.standin.url())).header("X-N8N-API-KEY", &self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Got { status, body })
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Got {
        let got = self.try_send(method, path, body).await;
        got.expect("an answer")
    }

    /// Sends a request below the API's base path.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Got {
        self.send(method, &format!("/api/v1{path}"), body).await
    }

    pub(crate) async fn create(&self, document: &Value) -> Value {
        let got = self.api("POST", "/workflows", Some(document)).await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.body
    }

    /// Creates and publishes a workflow; returns the id.
    pub(crate) async fn live(&self, document: &Value) -> String {
        let id = id(&self.create(document).await);
        let got = self.publish(&id).await;
        assert_eq!(got.status, 200, "{}", got.body);
        id
    }

    pub(crate) async fn put(&self, id: &str, document: &Value) -> Got {
        self.api("PUT", &format!("/workflows/{id}"), Some(document)).await
    }

    pub(crate) async fn publish(&self, id: &str) -> Got {
        self.api("POST", &format!("/workflows/{id}/publish"), None).await
    }

    pub(crate) async fn get(&self, id: &str) -> Value {
        self.api("GET", &format!("/workflows/{id}"), None).await.body
    }
}

pub(crate) fn id(workflow: &Value) -> String {
    workflow["id"].as_str().expect("an id").to_owned()
}

pub(crate) fn node(id: &str, name: &str, kind: &str, parameters: Value) -> Value {
    json!({ "id": id, "name": name, "type": kind, "typeVersion": 2, "position": [0, 0], "parameters": parameters })
}

pub(crate) fn document(name: &str, nodes: Vec<Value>) -> Value {
    let names: Vec<&Value> = nodes.iter().map(|node| &node["name"]).collect();
    let mut connections = json!({});
    for pair in names.windows(2) {
        let from = pair[0].as_str().expect("a name");
        connections[from] = json!({ "main": [[{ "node": pair[1], "type": "main", "index": 0 }]] });
    }
    json!({ "name": name, "nodes": nodes, "connections": connections, "settings": {} })
}

pub(crate) fn webhook(path: &str) -> Value {
    let parameters = json!({ "path": path, "httpMethod": "GET", "responseMode": "lastNode" });
    let mut node = node("w1", "Webhook", "n8n-nodes-base.webhook", parameters);
    node["webhookId"] = json!(format!("hook-{path}").replace(['/', ':'], "-"));
    node
}

pub(crate) fn set(answer: &str) -> Value {
    let fields = json!({ "assignments": { "assignments": [{ "id": "a", "name": "answer", "value": answer, "type": "string" }] } });
    let mut set = node("s1", "Set", "n8n-nodes-base.set", fields);
    set["typeVersion"] = json!(3.4);
    set
}

/// Returns a workflow that answers GET /webhook/<path> with `{"answer": …}`.
pub(crate) fn answering(name: &str, path: &str, answer: &str) -> Value {
    document(name, vec![webhook(path), set(answer)])
}
