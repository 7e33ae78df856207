//! Documents that cannot be decoded, in Kubernetes and in n8n: each affects only itself and is named, and no body gets into a log.

use std::time::{Duration, Instant};

use axum::http::Request;
use kube::Client;
use serde_json::{Value, json};

use crate::harness::n8n::{N8n, answering, id};
use crate::harness::stack::{Stack, rand};
use crate::harness::world::{PATIENCE, World};

/// Sends JSON to the API server and returns the response as text: the test's own client could not decode it.
pub async fn send(client: &Client, method: &str, path: &str, body: &str) -> Result<String, kube::Error> {
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let body = body.as_bytes().to_vec();
    let request = Request::builder().method(method).uri(path).header("content-type", kind).body(body).expect("a request");
    client.request_text(request).await
}

async fn until(what: &str, world: &World, path: &str, holds: impl Fn(&str) -> bool) {
    let started = Instant::now();
    loop {
        let text = send(&world.admin, "GET", path, "").await.unwrap_or_else(|error| error.to_string());
        if holds(&text) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{path}: timed out waiting until {what}: {text:.3000}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Placeholder for a value that nests too deep for a [`Value`].
pub const DEEP: &str = "DEEP";

/// Returns a document as text, with a number of levels in place of [`DEEP`].
pub fn nested(document: &Value, levels: usize, inside: &str) -> String {
    let deep = format!("{}\"{inside}\"{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    document.to_string().replace(&format!("\"{DEEP}\""), &deep)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_nested_too_deeply_is_reported_and_affects_no_other() {
    let (standin, mut world) = World::on_stand_in("depth", json!({})).await;
    let canary = format!("canary{:x}", rand());
    let of = |name: &str, spec: Value| {
        let mut whole = json!({ "instanceRef": { "name": "main" }, "active": true, "interval": "5s" });
        whole.as_object_mut().expect("an object").extend(spec.as_object().cloned().unwrap_or_default());
        let labels = json!({ "weirkeeper.dev/test": world.namespace });
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name, "labels": labels }, "spec": whole })
    };
    let place = format!("/apis/weirkeeper.dev/v1alpha1/namespaces/{}/workflows", world.namespace);
    world.workflow("fine", json!({ "active": true, "definition": answering("depth/fine", &canary) })).await;
    world.until_ready("fine").await;
    for (name, levels) in [("deep", 118), ("deeper", 140), ("deepest", 3_000)] {
        let mut definition = answering(&format!("depth/{name}"), &canary);
        definition["nodes"][1]["parameters"]["deep"] = json!(DEEP);
        let deep = nested(&of(name, json!({ "definition": definition })), levels, &canary);
        send(&world.admin, "POST", &place, &deep).await.expect("the API server takes it");
    }
    let probe = json!({ "probes": [{ "node": "Webhook", "expectedJSON": DEEP }] });
    let probing = of("probing", json!({ "definition": answering("depth/probing", "1"), "healthCheck": probe }));
    send(&world.admin, "POST", &place, &nested(&probing, 200, &canary)).await.expect("the API server takes it");
    // Users who may write an object may also write who manages its fields.
    let config_maps = format!("/api/v1/namespaces/{}/configmaps", world.namespace);
    let managed = json!({ "metadata": { "managedFields": [{ "manager": "m", "operation": "Update", "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": { "f:data": DEEP } }] } });
    let managed = nested(&managed, 200, "").replace("\"a\"", "\"f:a\"").replace(":\"\"}", ":{}}");
    let odd = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "odd" }, "data": { "flow.json": answering("depth/odd", "1").to_string() } });
    send(&world.admin, "POST", &config_maps, &odd.to_string()).await.expect("the API server takes it");
    let taken = send(&world.admin, "PATCH", &format!("{config_maps}/odd"), &managed).await;
    println!("managedFields of 200 levels in a ConfigMap: {}", if taken.is_ok() { "taken" } else { "refused" });

    // A start lists everything at once; logs of libraries are requested.
    world.operator.restart_with(&["--log", "trace"]);
    for name in ["deep", "deeper", "deepest", "probing"] {
        let part = if name == "probing" { "spec.healthCheck.probes[0].expectedJSON" } else { "spec.definition.nodes[1].parameters.deep" };
        let reported = |text: &str| text.contains("UnreadableObject") && text.contains(&format!("kind Workflow: {part}"));
        until("it says that it nests too deep", &world, &format!("{place}/{name}"), reported).await;
    }
    world.workflow("fine", json!({ "active": true, "definition": answering("depth/fine", "edited") })).await;
    world.until("fine", "version 2 is published", |object| object["status"]["activeVersion"] == 2).await;
    world
        .workflow("fromodd", json!({ "active": true, "definitionFrom": { "configMapKeyRef": { "name": "odd", "key": "flow.json" } } }))
        .await;
    world.until_ready("fromodd").await;
    let edited = json!({ "data": { "flow.json": answering("depth/odd", "2").to_string() } });
    send(&world.admin, "PATCH", &format!("{config_maps}/odd"), &edited.to_string()).await.expect("the API server takes it");
    world.until("fromodd", "the edit of the ConfigMap is published", |object| object["status"]["activeVersion"] == 2).await;
    // The message to a caller names the object that does not match its schema, and the field.
    let call = json!({ "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [400, 0],
        "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": "the-child" } } });
    let calling = crate::harness::n8n::with_node(answering("depth/caller", "1"), call);
    let references = json!([{ "id": "the-child", "workflowRef": { "name": "deeper" } }]);
    world.workflow("caller", json!({ "active": true, "definition": calling, "references": references })).await;
    world.until_reason("caller", "Ready", "UnreadableObject").await;
    let message = crate::harness::world::condition(&world.get("caller").await, "Ready")["message"].to_string();
    assert!(message.contains("Workflow deeper") && message.contains("spec.definition"), "{message}");

    // A corrected object is accepted, and a deleted one is removed.
    let flat = of("deeper", json!({ "definition": answering("depth/deeper", "1") }));
    let patch = json!({ "spec": flat["spec"] });
    let null = json!({ "spec": { "definition": null, "definitionFrom": { "configMapKeyRef": { "name": "none", "key": "a" } } } });
    send(&world.admin, "PATCH", &format!("{place}/deeper"), &null.to_string()).await.expect("the API server takes it");
    let mut patch = patch;
    patch["spec"]["definitionFrom"] = Value::Null;
    send(&world.admin, "PATCH", &format!("{place}/deeper"), &patch.to_string()).await.expect("the API server takes it");
    world.until_ready("deeper").await;
    world.until_ready("caller").await;
    for name in ["deep", "deepest", "probing"] {
        send(&world.admin, "DELETE", &format!("{place}/{name}"), "").await.expect("the API server deletes");
        until("it is gone", &world, &format!("{place}/{name}"), |text| text.contains("not found")).await;
    }
    let log = world.operator.log();
    assert!(!log.contains(&canary), "a definition is in the log");
    assert!(!log.contains("kube_client"), "a library wrote into the log");
    drop(standin);
}

/// Requests to n8n as text: half a character does not fit into a [`Value`].
async fn raw(n8n: &N8n, method: &str, path: &str, text: String) -> String {
    let answer = n8n.text(method, path, text).await;
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
    answer.text
}

fn writable(workflow: &Value) -> Value {
    json!({ "name": workflow["name"], "nodes": workflow["nodes"], "connections": workflow["connections"], "settings": workflow["settings"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_surrogate_or_a_deep_document_in_n8n_affects_only_its_workflow_and_is_reverted_and_named() {
    const HALF: &str = "\\ud83d";
    let own = Stack::own(&["--only-n8n"]);
    let world = World::at(&own.n8n_url(), &own.n8n_key(), "half", json!({})).await;
    let n8n = &world.n8n;
    let made =
        |text: &str| serde_json::from_str::<Value>(&text.replace(HALF, "?")).expect("JSON")["id"].as_str().expect("an id").to_owned();
    // Unmanaged workflows: half a character in the settings, and 140 levels.
    let mut foreign = answering("half/foreign", "1");
    foreign["name"] = json!("Half of it");
    foreign["settings"]["timezone"] = json!("Europe/HALF");
    let half = made(&raw(n8n, "POST", "/workflows", writable(&foreign).to_string().replace("HALF", HALF)).await);
    foreign = answering("half/deep", "1");
    foreign["name"] = json!("Deep one");
    foreign["nodes"][1]["parameters"]["deep"] = json!(DEEP);
    let text = raw(n8n, "POST", "/workflows", nested(&writable(&foreign), 140, "x")).await;
    let (_, rest) = text.split_once("\"id\":\"").expect("an id");
    let deep = rest.split('"').next().expect("an id").to_owned();

    world.workflow("a", json!({ "active": true, "definition": answering("half/a", "one") })).await;
    let managed = id(&world.until_ready("a").await);
    // An edit with half a character is drift, and is reverted; so is one that nests too deep; a new spec is deployed.
    for (round, version) in [(0, "one"), (1, "two")] {
        let mut edited = n8n.workflow(&managed).await;
        edited["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"] = json!("HALF");
        if round == 1 {
            edited["nodes"][1]["parameters"]["deep"] = json!(DEEP);
            world.workflow("a", json!({ "active": true, "definition": answering("half/a", "two") })).await;
        }
        raw(n8n, "PUT", &format!("/workflows/{managed}"), nested(&writable(&edited), 200, "x").replace("HALF", HALF)).await;
        let started = Instant::now();
        loop {
            let text = n8n.text("GET", &format!("/workflows/{managed}"), String::new()).await.text;
            let answered = n8n.webhook("GET", "half/a").await.json();
            if !text.contains(HALF) && !text.contains("\"deep\"") && answered["version"] == version {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "the edit stays: {text:.2000}\n{}", world.operator.tail());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        world.until_ready("a").await;
    }
    world.until_event("a", "DriftReverted", "change in n8n").await;

    // The command names what it cannot import, and imports the others.
    let key = own.dir.join("n8n-api-key");
    for which in [vec!["--all", "--managed"], vec!["--managed", "--id", &managed]] {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
            .args(["import", "--url", &own.n8n_url(), "--instance", "main", "--api-key-file"])
            .arg(&key)
            .args(&which)
            .output()
            .expect("the binary runs");
        let (written, reported) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success() && written.contains("half/a"), "{which:?}: {reported}");
        if which[0] == "--all" {
            assert!(
                reported.contains(
                    "deep-one: left out: it nests deeper than 120 levels or takes more than 64 MiB of memory at nodes[1].parameters.deep"
                ),
                "{reported}"
            );
            assert!(written.contains("Half of it"), "{written}");
        }
    }

    // A deletion handles a workflow that contains half a character.
    let mut edited = n8n.workflow(&managed).await;
    edited["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"] = json!("HALF");
    raw(n8n, "PUT", &format!("/workflows/{managed}"), writable(&edited).to_string().replace("HALF", HALF)).await;
    world.delete("a").await;
    let left = n8n.text("GET", "/workflows?limit=250", String::new()).await.text;
    assert!(!left.contains(&managed) && left.contains(&half) && left.contains(&deep), "{left:.2000}");
}
