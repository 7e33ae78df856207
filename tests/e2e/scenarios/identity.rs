//! Identity on the real n8n: the mark decides which object a workflow belongs to; nothing is created twice, taken over or lost.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{N8n, answering, id};
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition};

async fn applied(world: &World, name: &str, version: &str, more: Value) -> Value {
    let mut spec = json!({ "active": true, "definition": answering(&format!("{}/{name}", world.namespace), version) });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow(name, spec).await;
    world.until_ready(name).await
}

/// Creates a workflow as a user of the editor would.
async fn made_by_hand(n8n: &N8n, definition: Value) -> String {
    let made = n8n.api("POST", "/workflows", Some(definition)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// Copies a workflow with all its settings, as the editor's Duplicate does.
async fn copied(n8n: &N8n, id: &str) -> String {
    let mut original = n8n.workflow(id).await;
    for node in original["nodes"].as_array_mut().expect("nodes") {
        node.as_object_mut().expect("a node").remove("webhookId");
    }
    let body =
        json!({ "name": "copy", "nodes": original["nodes"], "connections": original["connections"], "settings": original["settings"] });
    made_by_hand(n8n, body).await
}

async fn lose_status(world: &World, name: &str) {
    let lost = json!({ "status": { "n8nWorkflowId": null, "intent": null, "history": null, "activeVersion": null, "origin": null } });
    world.api("Workflow").patch_status(name, &PatchParams::default(), &Patch::Merge(lost)).await.expect("the API server patches");
    world.annotate("Workflow", name, "requested-at", json!("lost")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_lost_its_status_is_bound_again_by_the_mark() {
    let world = World::on_real_n8n("lost").await;
    let before = applied(&world, "a", "1", json!({})).await;
    lose_status(&world, "a").await;
    let after = world
        .until("a", "it is bound again", |object| {
            object["status"]["n8nWorkflowId"].is_string() && object["status"]["lastHandledRequestedAt"] == "lost"
        })
        .await;
    assert_eq!(id(&after), id(&before));
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_reported_and_duplicate_marks_stop_only_an_object_that_lost_its_id() {
    let world = World::on_real_n8n("copy").await;
    let original = id(&applied(&world, "a", "1", json!({})).await);
    let copy = copied(&world.n8n, &original).await;
    world.annotate("N8nInstance", "main", "requested-at", json!("1")).await;
    world.until_kind("N8nInstance", "main", "the copy is listed", |object| object["status"]["duplicates"] == json!([copy])).await;
    assert_eq!(id(&applied(&world, "a", "2", json!({})).await), original);
    lose_status(&world, "a").await;
    let stalled = world.until_reason("a", "Ready", "DuplicateMarks").await;
    assert_eq!(condition(&stalled, "Stalled")["status"], "True");
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 2, "none is deleted");
    world.n8n.delete(&copy).await;
    world.annotate("Workflow", "a", "requested-at", json!("2")).await;
    assert_eq!(id(&world.until_ready("a").await), original);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_of_an_earlier_object_needs_an_adoption() {
    let world = World::on_real_n8n("earlier").await;
    let old = id(&applied(&world, "a", "1", json!({})).await);
    // The cluster was restored: the object disappeared without its finalizer running.
    let stripped = json!({ "metadata": { "finalizers": null } });
    let mut operator_off = world;
    operator_off.operator.kill();
    let world = operator_off;
    world.api("Workflow").patch("a", &PatchParams::default(), &Patch::Merge(stripped)).await.expect("the API server patches");
    world.api("Workflow").delete("a", &DeleteParams::default()).await.expect("the API server deletes");
    world.until("a", "it is gone", Value::is_null).await;
    let mut world = world;
    world.operator.start();
    let spec = json!({ "active": true, "definition": answering(&format!("{}/a", world.namespace), "2") });
    world.workflow("a", spec.clone()).await;
    let stalled = world.until_reason("a", "Ready", "OwnedByPrevious").await;
    assert!(condition(&stalled, "Ready")["message"].as_str().unwrap().contains(&old));
    world.annotate("N8nInstance", "main", "requested-at", json!("1")).await;
    // Other scenarios may leave orphans in the same n8n.
    let listed = |object: &Value| object["status"]["orphans"].as_array().is_some_and(|all| all.contains(&json!(old)));
    world.until_kind("N8nInstance", "main", "the orphan is listed", listed).await;
    let adopting = applied(&world, "a", "2", json!({ "adopt": { "id": old } })).await;
    assert_eq!(id(&adopting), old);
    assert_eq!(world.n8n.marked(&world.namespace, "a").await, [old]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_workflow_keeps_its_content_as_version_1_and_its_urls_and_is_retained() {
    let world = World::on_real_n8n("adopt").await;
    let path = format!("{}/adopted", world.namespace);
    let theirs = made_by_hand(&world.n8n, answering(&path, "theirs")).await;
    world.n8n.api("POST", &format!("/workflows/{theirs}/publish"), Some(json!({}))).await;
    let before = world.n8n.workflow(&theirs).await;
    let spec = |version: &str| json!({ "active": true, "adopt": { "id": theirs }, "definition": answering(&path, version) });
    world.workflow("a", spec("ours")).await;
    let adopted = world.until_ready("a").await;
    assert_eq!(id(&adopted), theirs);
    let history = adopted["status"]["history"].as_array().unwrap();
    assert_eq!((history[1]["version"].as_i64(), history[1]["source"].as_str()), (Some(1), Some("Adopted")));
    world.n8n.expect_version(&path, "ours").await;
    let after = world.n8n.workflow(&theirs).await;
    for node in 0..2 {
        assert_eq!(after["nodes"][node]["id"], before["nodes"][node]["id"]);
        assert_eq!(after["nodes"][node]["webhookId"], before["nodes"][node]["webhookId"]);
    }
    // The previous content can be published again.
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    world.until("a", "version 1 is published", |object| object["status"]["activeVersion"] == 1).await;
    world.n8n.expect_version(&path, "theirs").await;
    // A second object cannot adopt it too.
    world.workflow("b", spec("second")).await;
    world.until_reason("b", "Ready", "AlreadyClaimed").await;
    world.delete("b").await;
    world.delete("a").await;
    assert_eq!(world.n8n.webhook("GET", &path).await.status, 200, "an adopted workflow is retained");
    assert!(world.n8n.marked(&world.namespace, "a").await.is_empty(), "its mark is released");
    world.n8n.delete(&theirs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_namespace_adopts_only_with_a_grant() {
    let world = World::on_real_n8n("grant").await;
    let other = format!("{}-team", world.namespace);
    world.namespace(&other).await;
    let theirs = made_by_hand(&world.n8n, answering(&format!("{other}/a"), "theirs")).await;
    let workflow = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "a", "namespace": other },
        "spec": { "instanceRef": { "name": "main", "namespace": world.namespace }, "adopt": { "id": theirs }, "interval": "5s",
            "definition": answering(&format!("{other}/a"), "ours") } });
    world.apply(workflow).await;
    let reason = |wanted: &'static str| move |object: &Value| condition(object, "Ready")["reason"] == wanted;
    world.until_in(&other, "a", "the instance does not allow the namespace", reason("InstanceNotFound")).await;
    let (url, key) = (world.stack.n8n_url(), world.stack.n8n_key());
    world.instance("main", &url, &key, json!({ "allowedNamespaces": { "from": "All" } })).await;
    world.until_in(&other, "a", "adoption is not granted", reason("AdoptNotGranted")).await;
    let grants = json!([{ "namespaces": [other], "adopt": [theirs] }]);
    world.instance("main", &url, &key, json!({ "allowedNamespaces": { "from": "All" }, "grants": grants })).await;
    let bound = world.until_in(&other, "a", "it is adopted", reason("Succeeded")).await;
    assert_eq!(id(&bound), theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_was_deleted_in_n8n_is_created_again_and_many_at_once_stall_the_instance() {
    // An n8n of its own: many workflows disappear here.
    let stack = Stack::own(&["--only-n8n"]);
    let mut world = World::at(&stack.n8n_url(), &stack.n8n_key(), "vanish", json!({})).await;
    let first = id(&applied(&world, "a0", "1", json!({})).await);
    world.n8n.delete(&first).await;
    world.until("a0", "it was created again", |object| object["status"]["n8nWorkflowId"].as_str().is_some_and(|id| id != first)).await;
    world.until_ready("a0").await;
    for number in 1..8 {
        applied(&world, &format!("a{number}"), "1", json!({})).await;
    }
    // One by one, each would be created again, so nothing is reconciled meanwhile.
    world.operator.kill();
    for workflow in world.n8n.workflows().await {
        world.n8n.delete(workflow["id"].as_str().unwrap()).await;
    }
    world.operator.start();
    world.until_reason("a3", "Ready", "IdentityChanged").await;
    world.until_kind("N8nInstance", "main", "it is stalled", |object| condition(object, "Stalled")["reason"] == "IdentityChanged").await;
    let created = world.n8n.workflows().await.len();
    assert!(created <= 2, "{created} were created before so many were known to be missing");
    world.annotate("N8nInstance", "main", "reset-at", json!("1")).await;
    for number in 0..8 {
        world.until_ready(&format!("a{number}")).await;
    }
    assert_eq!(world.n8n.workflows().await.len(), 8);
}
