//! A status that was not written by the operator, and texts that would forge lines, on the stand-in and the real API server.

use serde_json::{Value, json};

use crate::harness::kubectl::kubectl;
use crate::harness::n8n::{answering, with_node};
use crate::harness::world::{World, condition, current, ready};
use crate::scenarios::grants::Shared;
use crate::standin::{Fault, Rule};

/// Writes into the status of a Workflow, like any user with the permission.
fn forge(world: &World, namespace: &str, name: &str, status: &Value) {
    let patch = json!({ "status": status }).to_string();
    kubectl(world, &["-n", namespace, "patch", "nwf", name, "--subresource", "status", "--type", "merge", "-p", &patch], None).text();
}

fn reconcile(world: &World, namespace: &str, name: &str, value: &str) {
    let asked = format!("weirkeeper.dev/requested-at={value}");
    kubectl(world, &["-n", namespace, "annotate", "nwf", name, "--overwrite", &asked], None).text();
}

async fn gone(world: &World, namespace: &str, name: &str) {
    kubectl(world, &["-n", namespace, "delete", "nwf", name, "--timeout=60s"], None).text();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_id_in_a_status_takes_over_and_deletes_no_workflow() {
    let shared = Shared::start("forged-id").await;
    let (world, other) = (&shared.world, shared.other.as_str());
    let theirs = world.n8n.api("POST", "/workflows", Some(answering("theirs", "theirs"))).await.json()["id"].as_str().unwrap().to_owned();
    for name in ["mine", "older"] {
        shared.apply(other, name, json!({ "active": true, "definition": answering(name, "1") })).await;
        world.until_in(other, name, "Ready", ready).await;
    }
    world.workflow("victim", json!({ "active": true, "interval": "1s", "definition": answering("victim", "1") })).await;
    let victim = world.until_ready("victim").await["status"]["n8nWorkflowId"].as_str().unwrap().to_owned();
    let untouched = |id: &str| {
        let path = format!("/api/v1/workflows/{id}");
        ["PUT", "DELETE"].iter().all(|method| shared.standin.log().count(method, &path) == 0)
            && shared.standin.log().count("POST", &format!("{path}/")) == 0
    };
    // An unmanaged workflow, without a mark.
    forge(world, other, "mine", &json!({ "n8nWorkflowId": theirs, "origin": "Created" }));
    reconcile(world, other, "mine", "1");
    let message = shared.says("mine", "Ready", "AdoptNotGranted").await;
    assert!(message.contains(&theirs) && message.contains("carries no mark of this object"), "{message}");
    gone(world, other, "mine").await;
    assert!(untouched(&theirs), "{:#?}", shared.standin.log().writes());
    assert!(shared.standin.workflow(&theirs).is_some(), "it is not deleted with the object");
    // A workflow that another object manages, in the status of an older object.
    let published = shared.standin.log().count("POST", &format!("/api/v1/workflows/{victim}/"));
    forge(world, other, "older", &json!({ "n8nWorkflowId": victim }));
    reconcile(world, other, "older", "1");
    shared.says("older", "Ready", "AlreadyClaimed").await;
    reconcile(world, &world.namespace, "victim", "1");
    let handled = |object: &Value| current(object) && object["status"]["lastHandledRequestedAt"] == "1";
    let object = world.until("victim", "it was reconciled", handled).await;
    assert!(ready(&object), "a younger object goes on: {:#}", object["status"]);
    gone(world, other, "older").await;
    assert!(shared.standin.workflow(&victim).is_some());
    assert_eq!(
        shared.standin.log().count("POST", &format!("/api/v1/workflows/{victim}/")),
        published,
        "nothing was published or taken offline"
    );
    // A namespace that may adopt the workflow gets it, even by its id in the status.
    shared.grant(json!({ "adopt": [theirs] })).await;
    shared.apply(other, "granted", json!({ "active": true, "definition": answering("granted", "1"), "adopt": { "id": theirs } })).await;
    world.until_in(other, "granted", "Ready", ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_history_reads_and_deletes_no_revision_of_another_owner() {
    let (_standin, world) = World::on_stand_in("forged-history", json!({})).await;
    let spec = |version: &str, limit: u8| {
        let definition = answering(&format!("{}/a", world.namespace), version);
        json!({ "active": true, "interval": "1s", "revisionHistoryLimit": limit, "definition": definition })
    };
    world.workflow("a", spec("1", 10)).await;
    world.until_ready("a").await;
    world.workflow("b", json!({ "active": true, "definition": answering(&format!("{}/b", world.namespace), "1") })).await;
    let of_b = world.until_ready("b").await["status"]["history"][0]["revision"].as_str().unwrap().to_owned();
    let body = json!({ "definition": answering("planted", "planted") });
    let planted =
        json!({ "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": { "name": "planted" }, "revision": 7, "data": body });
    world.apply(planted).await;
    let mut history = world.get("a").await["status"]["history"].as_array().unwrap().clone();
    let own = history[0]["revision"].as_str().unwrap().to_owned();
    for (number, revision) in [(101, of_b.as_str()), (102, "planted")] {
        let mut record = history[0].clone();
        record["version"] = json!(number);
        record["digest"] = json!(format!("sha256:{number}"));
        record["revision"] = json!(revision);
        record["result"] = json!("Pending");
        history.push(record);
    }
    forge(&world, &world.namespace, "a", &json!({ "history": history, "lastVersion": 102 }));
    // Neither is published.
    for number in ["101", "102"] {
        world.annotate("Workflow", "a", "pinned-version", json!(number)).await;
        let refused = |object: &Value| {
            let message = condition(object, "Ready");
            current(object)
                && message["reason"] == "VersionNotFound"
                && message["message"].as_str().unwrap().contains(&format!("version {number} "))
        };
        world.until("a", "the pin is refused", refused).await;
    }
    world.annotate("Workflow", "a", "pinned-version", Value::Null).await;
    // And neither is deleted with the versions beyond the limit.
    for version in ["2", "3"] {
        world.workflow("a", spec(version, 1)).await;
        world.until_ready("a").await;
    }
    let dropped = |object: &Value| {
        let kept = object["status"]["history"].as_array().unwrap();
        ready(object) && kept.iter().all(|record| record["revision"] != own.as_str() && record["version"].as_i64() > Some(102))
    };
    world.until("a", "old versions are dropped", dropped).await;
    let names = kubectl(&world, &["get", "controllerrevisions", "-o", "name"], None).text();
    for kept in [of_b.as_str(), "planted"] {
        assert!(names.contains(&format!("/{kept}\n")), "{kept} was deleted: {names}");
    }
    assert!(!names.contains(&format!("/{own}\n")), "its own is: {names}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_forged_as_adopted_needs_the_grants() {
    let shared = Shared::start("forged-source").await;
    let (world, other) = (&shared.world, shared.other.as_str());
    let victim = world.n8n.api("POST", "/workflows", Some(answering("theirs", "theirs"))).await.json()["id"].clone();
    let call = json!({ "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [400, 0],
        "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": victim } } });
    let definition = with_node(answering("mine", "1"), call);
    shared.apply(other, "mine", json!({ "active": true, "definition": definition })).await;
    shared.says("mine", "Ready", "ReferenceNotGranted").await;
    let object = serde_json::to_value(world.api_in(other, "Workflow").get("mine").await.unwrap()).unwrap();
    let mut history = object["status"]["history"].clone();
    assert_eq!(history[0]["version"], 1, "{:#}", object["status"]);
    history[0]["source"] = json!("Adopted");
    history[0]["result"] = json!("Good");
    forge(world, other, "mine", &json!({ "history": history, "origin": "Adopted" }));
    reconcile(world, other, "mine", "1");
    let handled = |object: &Value| current(object) && object["status"]["lastHandledRequestedAt"] == "1";
    let object = world.until_in(other, "mine", "it was reconciled", handled).await;
    assert_eq!(condition(&object, "Ready")["reason"], "ReferenceNotGranted", "{:#}", object["status"]);
    assert_eq!(world.n8n.workflows().await.len(), 1, "nothing of it reaches n8n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_controller_revision_is_not_used_as_the_stored_version() {
    let (_standin, mut world) = World::on_stand_in("planted", json!({})).await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": answering(&path, "1") })).await;
    let first = world.until_ready("a").await;
    let revision = first["status"]["history"][0]["revision"].as_str().unwrap().to_owned();
    world.operator.kill();
    kubectl(&world, &["delete", "controllerrevision", &revision], None).text();
    let owner = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "name": "a", "uid": first["metadata"]["uid"], "controller": true });
    let planted = json!({ "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1, "data": { "definition": answering(&path, "planted") },
        "metadata": { "name": revision, "ownerReferences": [owner] } });
    world.apply(planted).await;
    forge(&world, &world.namespace, "a", &json!({ "history": null }));
    world.operator.start();
    let kept = |object: &Value| ready(object) && object["status"]["history"][0]["revision"] == revision.as_str();
    world.until("a", "the version is kept again", kept).await;
    let observed = kubectl(&world, &["get", "controllerrevision", &revision, "-o", "jsonpath={.data}"], None).text();
    assert!(!observed.contains(r#""value":"planted""#), "{observed}");
}

/// Collects every text in a value.
fn strings(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, texts)),
        Value::Object(map) => map.values().for_each(|item| strings(item, texts)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_a_definition_forges_a_line_in_conditions_events_or_describe() {
    let (_standin, world) = World::on_stand_in("forged-text", json!({})).await;
    let forged = "x\n    Reason: Forged\u{1b}[2K\u{202e}\u{200b}\u{2028}";
    let mut definition = answering(&format!("{}/a", world.namespace), "1");
    definition["nodes"][1]["name"] = json!(forged);
    definition["nodes"][1]["type"] = json!("n8n-nodes-base.doesNotExist");
    world.workflow("a", json!({ "active": true, "definition": definition })).await;
    let object = world.until_reason("a", "Ready", "InvalidDefinition").await;
    world.until_event("a", "InvalidDefinition", "").await;
    let describe = kubectl(&world, &["describe", "nwf", "a"], None).text();
    let (_, status) = describe.split_once("\nStatus:").expect("a status");
    assert!(!status.lines().any(|line| line.trim_start().starts_with("Reason: Forged")), "{status}");
    let mut texts = Vec::new();
    strings(&object["status"], &mut texts);
    strings(&serde_json::to_value(world.events("a").await).unwrap(), &mut texts);
    assert!(texts.iter().any(|text| text.contains("Forged")), "{texts:?}");
    for text in texts {
        assert!(!text.contains(['\n', '\u{1b}', '\u{202e}', '\u{200b}', '\u{2028}']), "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_that_n8n_echoes_is_in_no_status_and_no_event() {
    let (standin, world) = World::on_stand_in("echoes", json!({})).await;
    let echo = |method: &str, path: &str| {
        standin.faults().add(Rule::on(method, path, Fault::json(400, &format!("this key is bad: {}", standin.api_key()))))
    };
    echo("POST", "/api/v1/workflows");
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": answering(&world.namespace, "1") })).await;
    let says = |object: &Value| current(object) && condition(object, "Ready")["message"].to_string().contains("this key is bad");
    let workflow = world.until("a", "n8n's message is reported", says).await;
    echo("GET", "/api/v1/workflows");
    world.annotate("N8nInstance", "main", "requested-at", json!("1")).await;
    let instance = world.until_kind("N8nInstance", "main", "n8n's message is reported", says).await;
    for reported in [workflow["status"].to_string(), instance["status"].to_string(), format!("{:?}", world.events("a").await)] {
        assert!(!reported.contains(standin.api_key()), "{reported}");
    }
}
