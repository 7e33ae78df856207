//! Records in the status of what Weirkeeper wrote to n8n, so that it can be removed again.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::relay::{Relay, page};
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, condition, current, ready};
use crate::standin::{Fault, Options, Rule, StandIn};

async fn world(name: &str) -> (StandIn, World) {
    World::on_stand_in(name, json!({ "requestTimeout": "2s" })).await
}

async fn tags(world: &World, id: &str) -> Vec<String> {
    let workflow = world.n8n.workflow(id).await;
    workflow["tags"].as_array().into_iter().flatten().map(|tag| tag["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_whose_removal_failed_is_removed_later() {
    let (standin, world) = world("tags").await;
    let spec = |tags: Value| json!({ "active": true, "interval": "1s", "tags": tags, "definition": answering(&format!("{}/a", world.namespace), "1") });
    world.workflow("a", spec(json!(["first"]))).await;
    let id = id(&world.until_ready("a").await);
    let rule = standin.faults().add(Rule::on("PUT", "/api/v1/workflows/*/tags", Fault::json(500, "Internal server error")));
    world.workflow("a", spec(json!(["second"]))).await;
    world.until("a", "the removal failed", |object| standin.faults().fired(rule) > 0 && !ready(object)).await;
    standin.faults().clear();
    let object =
        world.until("a", "the new tag is recorded", |object| object["status"]["addedTags"] == json!(["second"]) && ready(object)).await;
    assert_eq!(tags(&world, &id).await, ["second"], "{:#}", object["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_were_written_before_the_status_was_lost_are_reset() {
    let (_standin, world) = world("settings").await;
    let spec = |version: &str, timezone: Value| {
        let mut definition = answering(&format!("{}/a", world.namespace), version);
        if !timezone.is_null() {
            definition["settings"]["timezone"] = timezone;
        }
        json!({ "active": true, "interval": "1s", "definition": definition })
    };
    world.workflow("a", spec("1", json!("Europe/Berlin"))).await;
    let id = id(&world.until_ready("a").await);
    assert_eq!(world.n8n.workflow(&id).await["settings"]["timezone"], "Europe/Berlin");
    let lost = json!({ "status": { "n8nWorkflowId": null, "intent": null, "history": null, "activeVersion": null, "origin": null, "writtenSettings": null,
        "confirmed": null, "sent": null, "lastVersion": null } });
    world.api("Workflow").patch_status("a", &PatchParams::default(), &Patch::Merge(lost)).await.expect("the API server patches");
    world.annotate("Workflow", "a", "requested-at", json!("lost")).await;
    world.until("a", "it is bound again", |object| object["status"]["n8nWorkflowId"] == json!(id) && ready(object)).await;
    world.workflow("a", spec("2", Value::Null)).await;
    world.until("a", "version 2 is published", |object| object["status"]["activeVersion"] == 2 && current(object) && ready(object)).await;
    assert_eq!(world.n8n.workflow(&id).await["settings"]["timezone"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_written_although_names_are_longer_than_its_fields() {
    let (_standin, world) = world("long").await;
    let mut definition = answering(&format!("{}/a", world.namespace), "1");
    definition["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "é".repeat(200) } });
    world.workflow("a", json!({ "active": true, "definition": definition })).await;
    world.annotate("Workflow", "a", "reset-at", json!("1".repeat(300))).await;
    let reported = world.until_reason("a", "Ready", "CredentialUnmapped").await;
    assert_eq!(reported["status"]["requiredCredentials"][0]["name"], json!(format!("{}…", "é".repeat(127))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_revision_of_an_existing_object_is_not_replaced() {
    let (_standin, world) = world("revisions").await;
    let spec = json!({ "active": true, "definition": answering(&format!("{}/a", world.namespace), "1") });
    world.workflow("a", spec.clone()).await;
    let name = world.until_ready("a").await["status"]["history"][0]["revision"].as_str().expect("a name").to_owned();
    world.workflow("b", json!({ "active": true, "definition": answering(&format!("{}/b", world.namespace), "1") })).await;
    let living = world.until_ready("b").await["metadata"]["uid"].clone();
    let vacate = async || {
        world.delete("a").await;
        world.until_kind("ControllerRevision", &name, "it is collected", Value::is_null).await;
    };
    let owned_by = |owner: &str, uid: Value| {
        json!({ "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": { "name": name, "ownerReferences": [
            { "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "name": owner, "uid": uid, "controller": true } ] }, "revision": 1, "data": {} })
    };
    vacate().await;
    world.apply(owned_by("b", living.clone())).await;
    world.workflow("a", spec.clone()).await;
    world
        .until("a", "its version cannot be stored", |object| {
            condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("store the body of version 1"))
        })
        .await;
    assert_eq!(world.get_kind("ControllerRevision", &name).await["metadata"]["ownerReferences"][0]["uid"], living);
    world.api("ControllerRevision").delete(&name, &Default::default()).await.expect("the API server deletes");
    world.until_ready("a").await;
    // A ControllerRevision of an object that is gone is replaced.
    vacate().await;
    world.apply(owned_by("a", json!("00000000-0000-4000-8000-000000000000"))).await;
    world.workflow("a", spec).await;
    let uid = world.until_ready("a").await["metadata"]["uid"].clone();
    assert_eq!(world.get_kind("ControllerRevision", &name).await["metadata"]["ownerReferences"][0]["uid"], uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_intent_could_not_be_recorded_is_neither_sent_nor_awaited() {
    let (standin, world) = World::on_stand_in("unannounced", json!({ "interval": "1h" })).await;
    let credential = standin.add_credential("Till", "httpBasicAuth", &json!({}));
    let mut definition = answering(&format!("{}/a", world.namespace), "1");
    definition["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "Old" } });
    let mapped = json!([{ "name": "Old", "existing": { "id": credential } }]);
    let spec = |name: &str| json!({ "active": true, "displayName": name, "credentials": mapped, "definition": definition });
    // The object changes after it was read and before the intent is written.
    let rule = standin.faults().add(Rule::on("GET", "/api/v1/credentials", Fault::Delay(Duration::from_secs(3))).once());
    world.workflow("a", spec("before")).await;
    let started = Instant::now();
    while standin.faults().fired(rule) == 0 {
        assert!(started.elapsed() < PATIENCE, "the credentials are not read\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.workflow("a", spec("after")).await;
    let made = world
        .until("a", "Ready", |object| {
            assert_ne!(condition(object, "Ready")["reason"], "CreatePending", "{:#}", object["status"]);
            ready(object)
        })
        .await;
    assert_eq!(world.n8n.workflow(&id(&made)).await["name"], "after");
    assert_eq!(standin.log().count("POST", "/api/v1/workflows"), 2, "one create and one publication");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_an_instance_is_compared_with_the_stored_object_and_not_with_the_watched_one() {
    let standin = StandIn::start(Options::default());
    let n8n = Relay::to(&standin.url());
    let mut world = World::bare(Stack::shared(), "lagging", &standin.url(), standin.api_key()).await;
    world.instance("main", &n8n.url, standin.api_key(), json!({ "interval": "1s" })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    // From now on no change of an N8nInstance is noticed: the operator keeps the state of its start.
    let (kubernetes, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
    kubernetes.gate(|uri| {
        let silent = uri.path().ends_with("/n8ninstances") && uri.query().is_some_and(|query| query.contains("watch=true"));
        silent.then(|| Response::new(Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>())))
    });
    world.operator.restart_through(&kubeconfig);
    for _ in 0..2 {
        n8n.gate(|_| Some(page(401, "text/html", "<h1>Log in</h1>")));
        world.until_kind("N8nInstance", "main", "the gate is reported", |object| condition(object, "Ready")["status"] == "False").await;
        n8n.open();
        world.until_kind("N8nInstance", "main", "Ready again", ready).await;
    }
}
