//! Deletion in unusual states: another n8n responds, copies exist, objects cannot be read, n8n responds late.

use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::world::{World, condition, ready};
use crate::standin::{Options, StandIn};

async fn world(name: &str) -> (StandIn, World) {
    World::on_stand_in(name, json!({ "requestTimeout": "2s", "interval": "2s" })).await
}

async fn applied(world: &World, name: &str, more: Value) -> String {
    let mut spec = json!({ "active": true, "definition": answering(&format!("{}/{name}", world.namespace), "1") });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow(name, spec).await;
    id(&world.until_ready(name).await)
}

async fn start_deleting(world: &World, kind: &str, name: &str) {
    world.api(kind).delete(name, &DeleteParams::default()).await.expect("the API server deletes");
}

async fn patch_status(world: &World, kind: &str, name: &str, status: Value) {
    let patch = json!({ "status": status });
    world.api(kind).patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("the API server patches");
}

/// Copies a workflow with all its settings, as the editor's Duplicate does.
async fn copied(world: &World, id: &str) -> String {
    let mut body = world.n8n.workflow(id).await;
    body["nodes"][0].as_object_mut().expect("a node").remove("webhookId");
    let body = json!({ "name": "copy", "nodes": body["nodes"], "connections": body["connections"], "settings": body["settings"] });
    world.n8n.api("POST", "/workflows", Some(body)).await.json()["id"].as_str().expect("an id").to_owned()
}

async fn abandoned(world: &World) -> String {
    let metrics = world.operator.get("/metrics").await.1;
    metrics.lines().find(|line| line.starts_with("weirkeeper_cleanups_abandoned_total")).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finalizer_stays_while_another_n8n_at_the_url_lacks_the_workflow() {
    let other = StandIn::start(Options::default());
    let (standin, world) = world("elsewhere").await;
    let id = applied(&world, "a", json!({})).await;
    world.instance("main", &other.url(), other.api_key(), json!({ "requestTimeout": "2s", "interval": "2s" })).await;
    start_deleting(&world, "Workflow", "a").await;
    world
        .until("a", "it waits for the right n8n", |object| {
            condition(object, "Ready")["message"].as_str().is_some_and(|message| {
                message.contains("being deleted: spec.url of the N8nInstance leads to another origin than the one to which")
            })
        })
        .await;
    world.instance("main", &standin.url(), standin.api_key(), json!({ "requestTimeout": "2s", "interval": "2s" })).await;
    world.until("a", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.workflow(&id).await["message"], "Not Found");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_with_the_mark_are_reported_and_not_deleted() {
    let (_standin, world) = world("copies").await;
    let original = applied(&world, "a", json!({})).await;
    let copy = copied(&world, &original).await;
    world.until_kind("N8nInstance", "main", "the copy is listed", |object| object["status"]["duplicates"] == json!([copy])).await;
    // When a later reconciliation is over, the operator has seen its own write.
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    world.until("a", "one more reconciliation", |object| object["status"]["lastHandledRequestedAt"] == "1").await;
    world.delete("a").await;
    assert_eq!(world.n8n.workflow(&original).await["message"], "Not Found");
    assert_eq!(world.n8n.workflow(&copy).await["id"], json!(copy));
    world.until_kind("N8nInstance", "main", "it is an orphan", |object| object["status"]["orphans"] == json!([copy])).await;
    world.until_event("a", "DuplicateMarks", &copy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_workflows_that_a_lost_create_may_have_made_none_is_deleted() {
    let (_standin, mut world) = world("several").await;
    let original = applied(&world, "a", json!({})).await;
    let copy = copied(&world, &original).await;
    world.operator.kill();
    let announced = json!({ "operation": "Create", "digest": "d", "startedAt": "2026-01-01T00:00:00Z" });
    patch_status(&world, "Workflow", "a", json!({ "n8nWorkflowId": null, "intent": announced })).await;
    start_deleting(&world, "Workflow", "a").await;
    world.operator.start();
    world.until("a", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.workflow(&original).await["id"], json!(original));
    assert_eq!(world.n8n.workflow(&copy).await["id"], json!(copy));
    world.until_event("a", "DuplicateMarks", &original).await;
}

/// A time that the API server accepts and that no timestamp of this program can hold.
const BEYOND: &str = "9999-12-31T23:59:59Z";

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_cannot_be_decoded_are_cleaned_up() {
    let (standin, mut world) = world("unread").await;
    let id = applied(&world, "a", json!({})).await;
    patch_status(&world, "Workflow", "a", json!({ "publishedAt": BEYOND })).await;
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    world.until_reason("a", "Ready", "UnreadableObject").await;
    world.delete("a").await;
    assert_eq!(world.n8n.workflow(&id).await["message"], "Not Found");
    // A Workflow whose instance does not exist, and an instance.
    world.operator.restart_with(&["--deletion-bound", "3s"]);
    applied(&world, "b", json!({})).await;
    patch_status(&world, "Workflow", "b", json!({ "publishedAt": BEYOND })).await;
    patch_status(&world, "N8nInstance", "main", json!({ "identityAcceptedAt": BEYOND })).await;
    let unreadable = |object: &Value| condition(object, "Ready")["reason"] == "UnreadableObject";
    let reported = world.until_kind("N8nInstance", "main", "it says that it does not fit its kind", unreadable).await;
    world.until_event("main", "UnreadableObject", "the object does not fit the kind N8nInstance").await;
    // It is written once, although the status stays unreadable.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.get_kind("N8nInstance", "main").await["status"]["conditions"], reported["status"]["conditions"]);
    standin.stop();
    start_deleting(&world, "N8nInstance", "main").await;
    start_deleting(&world, "Workflow", "b").await;
    world.until("b", "it is gone", Value::is_null).await;
    world.until_kind("N8nInstance", "main", "it is gone", Value::is_null).await;
    world.until_event("b", "CleanupAbandoned", "").await;
    world.until_event("main", "CleanupAbandoned", "").await;
    assert_eq!(abandoned(&world).await, "weirkeeper_cleanups_abandoned_total 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_retried_before_its_bound() {
    let (standin, mut world) = world("again").await;
    world.operator.restart_with(&["--deletion-bound", "280s"]);
    // The instance is not reconciled meanwhile, so it wakes no Workflow.
    world.instance("main", &standin.url(), standin.api_key(), json!({ "requestTimeout": "2s", "interval": "1h" })).await;
    world.until_kind("N8nInstance", "main", "it was reconciled", ready).await;
    let id = applied(&world, "a", json!({})).await;
    standin.stop();
    start_deleting(&world, "Workflow", "a").await;
    world.until("a", "it was tried", |object| condition(object, "Ready")["reason"] == "Deleting").await;
    standin.restart();
    // The test times out long before the bound.
    world.until("a", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.workflow(&id).await["message"], "Not Found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_with_a_pending_write_is_done_before_its_bound() {
    let (_standin, mut world) = world("underway").await;
    let id = applied(&world, "a", json!({})).await;
    world.operator.kill();
    let announced = json!({ "operation": "Deploy", "digest": "d", "startedAt": "2999-01-01T00:00:00Z" });
    patch_status(&world, "Workflow", "a", json!({ "intent": announced })).await;
    start_deleting(&world, "Workflow", "a").await;
    world.operator.restart_with(&["--deletion-bound", "20s"]);
    world.until("a", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.workflow(&id).await["message"], "Not Found");
    assert_eq!(abandoned(&world).await, "weirkeeper_cleanups_abandoned_total 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mark_of_an_archived_workflow_is_removed_and_it_stays_archived() {
    let (_standin, world) = world("archived").await;
    archived_ones_give_their_mark_back(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mark_of_an_archived_workflow_is_removed_on_the_real_n8n_and_it_stays_archived() {
    archived_ones_give_their_mark_back(&World::on_real_n8n("archivedreal").await).await;
}

async fn archived_ones_give_their_mark_back(world: &World) {
    for policy in ["Archive", "Deactivate", "Retain"] {
        let name = policy.to_lowercase();
        let id = applied(world, &name, json!({ "deletionPolicy": policy, "driftPolicy": "Report" })).await;
        world.n8n.api("POST", &format!("/workflows/{id}/archive"), None).await;
        world.delete(&name).await;
        assert!(world.n8n.marked(&world.namespace, &name).await.is_empty(), "{policy}: the mark is released");
        assert_eq!(world.n8n.workflow(&id).await["isArchived"], true, "{policy}");
        world.n8n.delete(&id).await;
    }
}
