//! Access of tests to n8n: not through the operator's client, so that a bug of that client cannot hide itself.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::harness::stack::{has_workers, publishes_later, say};
use crate::harness::world::PATIENCE;

const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A response that takes longer is lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

/// A plain client of n8n's public API and of its webhooks.
#[derive(Clone, Debug)]
pub struct N8n {
    /// URL of n8n.
    pub url: String,
    /// URL of its production webhooks.
    pub webhooks: String,
    key: String,
    http: reqwest::Client,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Reports whether n8n refused the request because it had no connection to its database, as a busy machine makes it believe.
    fn lacks_database(&self) -> bool {
        self.status == 503 && self.text.contains("Database is not ready!")
    }
}

impl N8n {
    pub fn new(url: &str, key: &str) -> Self {
        crate::harness::world::install_crypto();
        // n8n closes idle connections after five seconds, and a busy machine may not notice before it uses one.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("an HTTP client");
        Self { url: url.to_owned(), webhooks: crate::harness::stack::webhook_url(url), key: key.to_owned(), http }
    }

    /// Calls the API, again if n8n had no database: then it did nothing.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.url)).header("X-N8N-API-KEY", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let started = Instant::now();
        loop {
            let answer = request.try_clone().expect("a body that is in memory").send().await.expect("n8n answers");
            let answer = Answer { status: answer.status().as_u16(), text: answer.text().await.expect("a whole answer") };
            if !answer.lacks_database() || started.elapsed() > PATIENCE {
                return answer;
            }
            say(&format!("n8n had no database for a call of {path}"));
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Sends text unchanged: n8n can hold content that a [`Value`] cannot.
    pub async fn text(&self, method: &str, path: &str, body: String) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}/api/v1{path}", self.url)).header("X-N8N-API-KEY", &self.key);
        let request = if body.is_empty() { request } else { request.header("Content-Type", "application/json").body(body) };
        let answer = request.send().await.expect("n8n answers");
        Answer { status: answer.status().as_u16(), text: answer.text().await.expect("a whole answer") }
    }

    /// Sends a request to a path below the production webhooks' URL, such as `webhook/a` or `form/b`.
    pub async fn send(&self, method: &str, path: &str, content_type: &str, body: String) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}/{path}", self.webhooks)).header("Content-Type", content_type).body(body);
        let answer = request.send().await.expect("n8n answers");
        Answer { status: answer.status().as_u16(), text: answer.text().await.expect("a whole answer") }
    }

    /// Returns every workflow whose mark names the object, by n8n id.
    pub async fn marked(&self, namespace: &str, name: &str) -> Vec<String> {
        let suffix = format!("/{namespace}/{name}");
        let all = self.workflows().await;
        let ours = all.iter().filter(|workflow| {
            let tags = workflow["settings"]["customTelemetryTags"].as_array().cloned().unwrap_or_default();
            tags.iter().any(|tag| tag["value"].as_str().is_some_and(|value| value.ends_with(&suffix)))
        });
        ours.map(|workflow| workflow["id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Returns every workflow that n8n has.
    pub async fn workflows(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.api("GET", &format!("/workflows?limit=250{cursor}"), None).await.json();
            // A workflow that is created meanwhile shifts the pages, so that one comes twice.
            let known: Vec<Value> = all.iter().map(|one: &Value| one["id"].clone()).collect();
            let page_items = page["data"].as_array().cloned().unwrap_or_default();
            all.extend(page_items.into_iter().filter(|one| !known.contains(&one["id"])));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    pub async fn workflow(&self, id: &str) -> Value {
        self.api("GET", &format!("/workflows/{id}"), None).await.json()
    }

    /// Saves a workflow as a user of the editor would, and publishes it if requested.
    pub async fn edit(&self, id: &str, publish: bool, change: impl FnOnce(&mut Value)) {
        let mut workflow = self.workflow(id).await;
        change(&mut workflow);
        let body = json!({ "name": workflow["name"], "nodes": workflow["nodes"], "connections": workflow["connections"], "settings": workflow["settings"] });
        let saved = self.api("PUT", &format!("/workflows/{id}?publishIfActive={publish}"), Some(body)).await;
        assert_eq!(saved.status, 200, "{}", saved.text);
    }

    /// Deletes a workflow like a user who follows n8n's message: with the publication service it must be unpublished first.
    pub async fn delete(&self, id: &str) {
        let started = Instant::now();
        loop {
            let answer = self.api("DELETE", &format!("/workflows/{id}"), None).await;
            if answer.status != 409 {
                assert!([200, 404].contains(&answer.status), "{}", answer.text);
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{}", answer.text);
            self.api("POST", &format!("/workflows/{id}/unpublish"), Some(json!({}))).await;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Expects the workflow at a path to answer with a version.
    pub async fn expect_version(&self, path: &str, version: impl Serialize) {
        let wanted = json!(version);
        let answer = self.answers_as(path, |answer| answer.json()["version"] == wanted).await;
        assert_eq!(answer.json()["version"], wanted, "{path}: {} {}", answer.status, answer.text);
    }

    /// Expects no workflow to answer at a path.
    pub async fn expect_no_workflow(&self, path: &str) {
        self.answers(path, 404).await;
    }

    /// Waits until no workflow answers at a path.
    pub async fn expect_no_workflow_soon(&self, path: &str) {
        let started = Instant::now();
        loop {
            let answer = self.webhook("GET", path).await;
            if answer.status == 404 {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{path} still answers: {} {}", answer.status, answer.text);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Expects a path to answer with a status.
    pub async fn answers(&self, path: &str, status: u16) {
        let answer = self.answers_as(path, |answer| answer.status == status).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }

    /// Returns the response of a path once n8n has completed its last operation. Only an n8n that publishes later is given time: otherwise
    /// the first response counts.
    async fn answers_as(&self, path: &str, as_wanted: impl Fn(&Answer) -> bool) -> Answer {
        let started = Instant::now();
        loop {
            let answer = self.webhook("GET", path).await;
            if as_wanted(&answer) || !publishes_later(&self.url) || started.elapsed() > PATIENCE {
                return answer;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Calls a production webhook. With workers, n8n occasionally loses a response: the execution succeeds and its caller waits for ever.
    /// In that case, and if n8n had no database, the call is repeated, which is printed.
    pub async fn webhook(&self, method: &str, path: &str) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("{}/webhook/{path}", self.webhooks);
        let started = Instant::now();
        loop {
            let request = self.http.request(method.clone(), &url);
            let request = if has_workers(&self.url) { request.timeout(LOST_AFTER) } else { request };
            let answered = async {
                let answer = request.send().await?;
                Ok::<_, reqwest::Error>(Answer { status: answer.status().as_u16(), text: answer.text().await? })
            };
            match answered.await {
                Err(error) if error.is_timeout() && started.elapsed() < PATIENCE => {
                    say(&format!("n8n did not answer a call of /webhook/{path}"))
                }
                Ok(answer) if answer.lacks_database() && started.elapsed() < PATIENCE => {
                    say(&format!("n8n had no database for a call of /webhook/{path}"));
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                answer => return answer.expect("n8n answers"),
            }
        }
    }
}

/// Returns a workflow that answers GET on a path with `{"version": <version>}`.
pub fn answering(path: &str, version: &str) -> Value {
    json!({
        "name": format!("Answers {path}"),
        "nodes": [
            { "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
              "parameters": { "path": path, "httpMethod": "GET", "responseMode": "lastNode" } },
            { "name": "Answer", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0],
              "parameters": { "assignments": { "assignments": [{ "id": "a", "name": "version", "value": version, "type": "string" }] }, "options": {} } },
        ],
        "connections": { "Webhook": { "main": [[{ "node": "Answer", "type": "main", "index": 0 }]] } },
        "settings": { "executionOrder": "v1" },
    })
}

/// Adds a node to a definition.
pub fn with_node(mut definition: Value, node: Value) -> Value {
    definition["nodes"].as_array_mut().expect("nodes").push(node);
    definition
}

/// Adds a trigger whose rule n8n refuses: n8n saves it, and a publication fails and takes the workflow offline. The rule is an expression,
/// so that only n8n can detect it.
pub fn bad_cron(definition: Value) -> Value {
    let rule = json!({ "rule": { "interval": [{ "field": "cronExpression", "expression": "=not a cron" }] } });
    let tick =
        json!({ "name": "Tick", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 300], "parameters": rule });
    with_node(definition, tick)
}

/// Changes the answer of an [`answering`] workflow.
pub fn set_value(workflow: &mut Value, value: &str) {
    workflow["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"] = json!(value);
}

/// Returns the id in n8n that a Workflow is bound to.
pub fn id(object: &Value) -> String {
    object["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned()
}
