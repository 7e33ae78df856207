//! The templates run on the real n8n with services that are stood in for: what the sending nodes get, and how often, is that of
//! tests/fixtures/templates.json.
//!
//! A trigger or a service whose answer matters becomes a Split Out node of the same name, which gives the items of the table. Every other
//! service becomes a Set node that shows the values of its parameters, so that each expression is evaluated where it stands. Dates in the
//! table are relative: `@iso:-3` is three days ago.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::generation::outcome::Inputs;
use weirkeeper::generation::template::{Missing, render, templates};

use crate::harness::n8n::N8n;
use crate::harness::stack::{Stack, rand};
use crate::harness::world::PATIENCE;

/// Nodes that work without a service.
const PLAIN: &[&str] =
    &["set", "filter", "if", "switch", "aggregate", "splitOut", "limit", "sort", "convertToFile", "removeDuplicates", "webhook"];
/// Parameters that choose what a node does.
const CHOICES: &[&str] = &["resource", "operation", "select", "authentication", "emailFormat", "mode", "__rl"];

fn days(days: f64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs_f64(days * 86_400.0)
}

/// Replaces relative dates.
fn dated(value: &mut Value) {
    match value {
        Value::String(text) => {
            let Some((kind, amount)) = text.strip_prefix('@').and_then(|rest| rest.split_once(':')) else { return };
            let amount: f64 = amount.parse().expect("a number");
            let of = |days: Timestamp| days.to_string();
            *value = match kind {
                "iso" => json!(of(days(amount))),
                "date" => json!(of(days(amount))[..10]),
                "year" => json!(format!("{amount}{}", &of(days(0.0))[4..10])),
                "seconds" => json!(Timestamp::now().as_second() as f64 + amount),
                other => panic!("{other}"),
            };
        }
        Value::Array(items) => items.iter_mut().for_each(dated),
        Value::Object(map) => map.values_mut().for_each(dated),
        _ => {}
    }
}

/// Collects the texts of parameters under names that hold their path.
fn texts(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| texts(item, &format!("{path}_{at}"), found)),
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| !CHOICES.contains(&key.as_str())) {
                texts(value, &if path.is_empty() { key.clone() } else { format!("{path}_{key}") }, found);
            }
        }
        _ => {}
    }
}

fn is_trigger(kind: &str) -> bool {
    kind == "n8n-nodes-base.webhook" || kind.to_lowercase().ends_with("trigger") || kind.contains("Trigger")
}

struct StandIns {
    document: Value,
    added: Vec<Value>,
}

impl StandIns {
    /// Lets a node give these items for each item that it gets.
    fn give(&mut self, at: usize, items: &Value) -> String {
        let node = &mut self.document["nodes"][at];
        let name = node["name"].as_str().expect("a name").to_owned();
        let raw = format!("{name} raw");
        let parameters = json!({"mode": "raw", "jsonOutput": json!({"m": items}).to_string(), "options": {}});
        self.added
            .push(json!({"name": raw, "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [0, 300], "parameters": parameters}));
        (node["type"], node["typeVersion"]) = (json!("n8n-nodes-base.splitOut"), json!(1));
        node["parameters"] = json!({"fieldToSplitOut": "m", "options": {}});
        let connections = self.document["connections"].as_object_mut().expect("connections");
        let links = connections.values_mut().flat_map(|outputs| outputs["main"].as_array_mut().into_iter().flatten());
        for link in links.flat_map(|links| links.as_array_mut().into_iter().flatten()).filter(|link| link["node"] == name.as_str()) {
            link["node"] = json!(raw);
        }
        connections.insert(raw.clone(), json!({"main": [[{"node": name, "type": "main", "index": 0}]]}));
        raw
    }

    /// Lets a node show its parameters.
    fn show(&mut self, at: usize) {
        let node = &mut self.document["nodes"][at];
        let mut found = Vec::new();
        texts(&node["parameters"], "", &mut found);
        let shown = found.into_iter().enumerate();
        let assignments: Vec<Value> =
            shown.map(|(at, (name, value))| json!({"id": at.to_string(), "name": name, "value": value, "type": "string"})).collect();
        (node["type"], node["typeVersion"]) = (json!("n8n-nodes-base.set"), json!(3.4));
        node["parameters"] = json!({"assignments": {"assignments": assignments}, "options": {"ignoreConversionErrors": true}});
    }
}

/// Returns the workflow of a case, started by a GET of `path`.
fn workflow(case: &Value, path: &str, n8n: &str) -> Value {
    let template = templates().iter().find(|template| case["template"] == template.name.as_str()).expect("a template");
    let mut inputs: Inputs = template.spec.examples[0].inputs.clone().into_iter().collect();
    if template.name == "http-health-check" {
        inputs.insert("addresses".to_owned(), json!([format!("{n8n}/healthz"), "http://127.0.0.1:9/"]));
    }
    let rendered = render(&template.spec, &inputs, Missing::Refuse, Catalog::embedded()).expect("it is rendered");
    let mut document = serde_json::to_value(&rendered.definition).expect("JSON");
    // Sub-nodes of AI nodes are not run.
    let connections = document["connections"].as_object_mut().expect("connections");
    let is_sub = |outputs: &Value| outputs.as_object().is_some_and(|outputs| outputs.keys().all(|kind| kind != "main"));
    let subs: Vec<String> = connections.iter().filter(|(_, outputs)| is_sub(outputs)).map(|(name, _)| name.clone()).collect();
    connections.retain(|name, _| !subs.contains(name));
    document["nodes"].as_array_mut().expect("nodes").retain(|node| !subs.iter().any(|name| node["name"] == name.as_str()));
    let mut made = StandIns { document, added: Vec::new() };
    let mut start = String::new();
    for at in 0..made.document["nodes"].as_array().expect("nodes").len() {
        let node = made.document["nodes"][at].as_object_mut().expect("a node");
        ["credentials", "retryOnFail", "id", "webhookId"].iter().for_each(|key| drop(node.remove(*key)));
        let (kind, name) = (node["type"].as_str().expect("a type").to_owned(), node["name"].as_str().expect("a name").to_owned());
        let keeps = case["keep"].as_array().is_some_and(|keep| keep.contains(&json!(name)));
        if is_trigger(&kind) {
            let given = if case["trigger"].is_null() { json!([{"timestamp": "now"}]) } else { case["trigger"].clone() };
            start = made.give(at, &given);
        } else if !case["mocks"][&name].is_null() {
            node.remove("onError");
            made.give(at, &case["mocks"][&name]);
        } else if !keeps && !kind.strip_prefix("n8n-nodes-base.").is_some_and(|kind| PLAIN.contains(&kind)) {
            node.remove("onError");
            made.show(at);
        }
    }
    let StandIns { mut document, added } = made;
    let parameters = json!({"path": path, "httpMethod": "GET", "responseMode": "lastNode", "responseData": "allEntries"});
    let hook = json!({"name": "Begin", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [-200, 0], "webhookId": path, "parameters": parameters});
    document["nodes"].as_array_mut().expect("nodes").extend(added.into_iter().chain([hook]));
    document["connections"]["Begin"] = json!({"main": [[{"node": start, "type": "main", "index": 0}]]});
    document
}

/// Runs a workflow and returns what each node gave, or the error.
async fn run(n8n: &N8n, document: Value, path: &str) -> Result<Map<String, Value>, String> {
    let made = n8n.api("POST", "/workflows", Some(document)).await;
    let id = made.json()["id"].as_str().ok_or(made.text)?.to_owned();
    let published = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
    if published.status != 200 {
        return Err(published.text);
    }
    n8n.webhook("GET", path).await;
    let started = Instant::now();
    let execution = loop {
        let found = n8n.api("GET", &format!("/executions?workflowId={id}&includeData=true"), None).await.json()["data"][0].clone();
        if ["success", "error", "crashed"].iter().any(|status| found["status"] == *status) || started.elapsed() > PATIENCE {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    n8n.delete(&id).await;
    let result = &execution["data"]["resultData"];
    match execution["status"] == "success" {
        true => Ok(result["runData"].as_object().cloned().unwrap_or_default()),
        false => Err(format!("{}: {}", result["error"]["node"]["name"], result["error"]["message"])),
    }
}

/// Returns what differs from the table.
fn differences(expected: &Value, ran: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (node, wanted) in expected.as_object().expect("nodes") {
        let runs = ran.get(node).and_then(Value::as_array).into_iter().flatten();
        let items: Vec<&Value> =
            runs.flat_map(|run| run["data"]["main"][0].as_array().into_iter().flatten()).map(|item| &item["json"]).collect();
        if wanted["items"].as_u64() != Some(items.len() as u64) {
            found.push(format!("{node} sends {} times instead of {}: {items:?}", items.len(), wanted["items"]));
        }
        let says = wanted["says"].as_str().unwrap_or_default();
        let said = |item: &&Value| {
            item.as_object().is_some_and(|item| item.values().any(|value| value.as_str().is_some_and(|text| text.contains(says))))
        };
        if !says.is_empty() && !items.iter().any(said) {
            found.push(format!("{node} does not say {says:?}: {items:?}"));
        }
    }
    found
}

#[tokio::test]
async fn templates_send_what_they_should_and_as_often() {
    let stack = Stack::shared();
    let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates.json")).expect("the table");
    let mut table: Value = serde_json::from_str(&text).expect("JSON");
    dated(&mut table);
    let mut complaints = Vec::new();
    let cases = table.as_array().expect("cases");
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    for case in cases {
        let path = format!("template-run-{:x}", rand());
        let place = format!("{} {}", case["template"], case["case"]);
        match run(&n8n, workflow(case, &path, &n8n.url), &path).await {
            Ok(ran) => complaints.extend(differences(&case["expect"], &ran).into_iter().map(|what| format!("{place}: {what}"))),
            Err(error) => complaints.push(format!("{place}: {error}")),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
