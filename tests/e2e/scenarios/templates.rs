//! Each template that ships is created and published by the real n8n; those that need no other service are run there.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::generation::outcome::Inputs;
use weirkeeper::generation::template::{Missing, Template, render, templates};

use super::fixtures::feed;
use crate::harness::credentials::stand_in;
use crate::harness::n8n::{Answer, N8n};
use crate::harness::stack::{Stack, rand};
use crate::harness::world::PATIENCE;

struct Bench {
    n8n: N8n,
    /// Ids of the stand-ins by type.
    credentials: BTreeMap<String, String>,
    feed: String,
    own: String,
}

/// A published workflow of a template.
struct Published {
    id: String,
    /// Path of its webhook or form.
    path: Option<String>,
}

impl Bench {
    async fn new() -> Self {
        let stack = Stack::shared();
        let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
        Self { n8n, credentials: BTreeMap::new(), feed: feed().await, own: format!("{:x}", rand()) }
    }

    /// Creates and publishes a template with an example's inputs, a path of its own, and stand-ins for its credentials.
    async fn publish(&mut self, template: &Template, more: Value) -> Result<Published, String> {
        let mut inputs: Inputs = template.spec.examples[0].inputs.clone().into_iter().collect();
        let path = format!("templates-{}/{}", self.own, template.name);
        for (name, value) in [("path", json!(path)), ("feed", json!(self.feed))] {
            if template.spec.inputs.iter().any(|input| input.name == name) {
                inputs.insert(name.to_owned(), value);
            }
        }
        inputs.extend(more.as_object().expect("inputs").clone());
        let rendered = render(&template.spec, &inputs, Missing::Refuse, Catalog::embedded()).map_err(|findings| format!("{findings:?}"))?;
        let mut document = serde_json::to_value(&rendered.definition).expect("JSON");
        for node in document["nodes"].as_array_mut().into_iter().flatten() {
            for (kind, reference) in node.get_mut("credentials").and_then(Value::as_object_mut).into_iter().flatten() {
                if !self.credentials.contains_key(kind) {
                    let id = stand_in(&self.n8n, kind, &format!("templates {}", self.own)).await;
                    self.credentials.insert(kind.clone(), id);
                }
                reference["id"] = json!(self.credentials[kind]);
            }
        }
        let webhook = document["nodes"].as_array().and_then(|nodes| nodes.iter().find(|node| node.get("webhookId").is_some()));
        let path = webhook.and_then(|node| node["parameters"]["path"].as_str().or(node["webhookId"].as_str()).map(str::to_owned));
        let made = self.n8n.api("POST", "/workflows", Some(document)).await;
        if made.status != 200 {
            return Err(format!("is not created: {} {}", made.status, made.text));
        }
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let published = self.n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
        if published.status != 200 {
            self.n8n.delete(&id).await;
            return Err(format!("is not published: {} {}", published.status, published.json()["message"]));
        }
        Ok(Published { id, path })
    }

    async fn clear(&self) {
        for id in self.credentials.values() {
            self.n8n.api("DELETE", &format!("/credentials/{id}"), None).await;
        }
    }

    /// Sends a request to a webhook until the workflow is there.
    async fn send(&self, path: &str, content_type: &str, body: String) -> Answer {
        let started = Instant::now();
        loop {
            let answer = self.n8n.send("POST", &format!("webhook/{path}"), content_type, body.clone()).await;
            if answer.status != 404 || started.elapsed() > PATIENCE {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

fn template(name: &str) -> &'static Template {
    templates().iter().find(|template| template.name == name).expect("a template")
}

#[tokio::test]
async fn each_template_is_created_and_published() {
    let mut bench = Bench::new().await;
    let mut complaints = Vec::new();
    for template in templates() {
        match bench.publish(template, json!({})).await {
            Ok(published) => bench.n8n.delete(&published.id).await,
            Err(why) => complaints.push(format!("{} {why}", template.name)),
        }
    }
    bench.clear().await;
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test]
async fn a_status_endpoint_answers() {
    let mut bench = Bench::new().await;
    let published =
        bench.publish(template("status-endpoint"), json!({ "service": "the \"service\" {{ $json }}" })).await.expect("published");
    let path = published.path.expect("a path");
    bench.n8n.answers(&path, 200).await;
    let answer = bench.n8n.webhook("GET", &path).await.json();
    assert_eq!((&answer["service"], &answer["status"]), (&json!("the \"service\" {{ $json }}"), &json!("ok")));
    bench.n8n.delete(&published.id).await;
}

#[tokio::test]
async fn an_intake_names_what_is_missing() {
    let mut bench = Bench::new().await;
    let published = bench.publish(template("intake-validation"), json!({ "fields": ["customer", "total"] })).await.expect("published");
    let path = published.path.expect("a path");
    for (body, status, wanted) in [
        (json!({"customer": "Ann", "total": 0, "more": 1}), 202, json!({"accepted": true, "fields": 3})),
        (json!({"customer": ""}), 422, json!({"accepted": false, "missing": ["customer", "total"]})),
    ] {
        let answer = bench.send(&path, "application/json", body.to_string()).await;
        assert_eq!((answer.status, answer.json()), (status, wanted), "{body}: {}", answer.text);
    }
    bench.n8n.delete(&published.id).await;
}

#[tokio::test]
async fn a_router_takes_one_route_by_kind() {
    let mut bench = Bench::new().await;
    let published = bench.publish(template("webhook-router"), json!({ "kind2": "purchase" })).await.expect("published");
    let path = published.path.expect("a path");
    for (kind, route) in [("bug", "first"), ("purchase", "second"), ("question", "third"), ("order", "other")] {
        let answer = bench.send(&path, "application/json", json!({ "kind": kind }).to_string()).await;
        assert_eq!(answer.json(), json!({ "route": route }), "{kind}: {} {}", answer.status, answer.text);
    }
    bench.n8n.delete(&published.id).await;
}

#[tokio::test]
async fn rows_become_csv() {
    let mut bench = Bench::new().await;
    let published = bench.publish(template("json-to-csv-endpoint"), json!({ "delimiter": ";" })).await.expect("published");
    let path = published.path.expect("a path");
    let rows = json!({"rows": [{"name": "Ann", "total": 3}, {"name": "B;b", "total": 4}]});
    let answer = bench.send(&path, "application/json", rows.to_string()).await;
    assert_eq!((answer.status, answer.text.trim_start_matches('\u{feff}')), (200, "name;total\nAnn;3\n\"B;b\";4"));
    for other in [json!({"rows": []}), json!({"rows": "a"}), json!({})] {
        assert_eq!(bench.send(&path, "application/json", other.to_string()).await.status, 422, "{other}");
    }
    bench.n8n.delete(&published.id).await;
}

#[tokio::test]
async fn the_answers_of_a_form_become_rows_of_a_data_table() {
    let mut bench = Bench::new().await;
    let name = format!("templates {}", bench.own);
    let columns: Vec<Value> = ["name", "email", "message"].iter().map(|name| json!({ "name": name, "type": "string" })).collect();
    let table = bench.n8n.api("POST", "/data-tables", Some(json!({ "name": name, "columns": columns }))).await;
    assert_eq!(table.status, 201, "{}", table.text);
    let published = bench.publish(template("form-to-data-table"), json!({ "table": name })).await.expect("published");
    let path = format!("form/{}", published.path.expect("a form"));
    let said = "A \"quoted\" {{ $json }} text";
    let field = |number: usize, text: &str| format!("--limit\r\nContent-Disposition: form-data; name=\"field-{number}\"\r\n\r\n{text}\r\n");
    let body = format!("{}{}{}--limit--\r\n", field(0, "Ann"), field(1, "ann@example.org"), field(2, said));
    let answer = bench.n8n.send("POST", &path, "multipart/form-data; boundary=limit", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = table.json()["id"].as_str().expect("an id").to_owned();
    let started = Instant::now();
    let rows = loop {
        let rows = bench.n8n.api("GET", &format!("/data-tables/{id}/rows"), None).await.json()["data"].clone();
        if rows.as_array().is_some_and(|rows| !rows.is_empty()) || started.elapsed() > PATIENCE {
            break rows;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(
        (&rows[0]["name"], &rows[0]["email"], &rows[0]["message"]),
        (&json!("Ann"), &json!("ann@example.org"), &json!(said)),
        "{rows}"
    );
    bench.n8n.delete(&published.id).await;
    bench.n8n.api("DELETE", &format!("/data-tables/{id}"), None).await;
}
