//! Webhook paths on the stand-in: each path has one owner, after restarts, moves and deletions.

use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, bad_cron, id};
use crate::harness::stack::{NOTHING_GOES_OFFLINE, PUBLICATION_SERVICE, left_out};
use crate::harness::world::{PATIENCE, World, condition, ready};
use crate::standin::{Fault, Gate, Rule, StandIn};

async fn world(name: &str) -> (StandIn, World) {
    World::on_stand_in(name, json!({})).await
}

fn path(world: &World, word: &str) -> String {
    format!("{}/{word}", world.namespace)
}

async fn apply(world: &World, name: &str, active: bool, definition: Value) {
    world.workflow(name, json!({ "active": active, "interval": "1s", "definition": definition })).await;
}

fn handled<'a>(token: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |object| object["status"]["lastHandledRequestedAt"] == token
}

pub(super) async fn until_fired(standin: &StandIn, rule: usize) {
    let started = std::time::Instant::now();
    while standin.faults().fired(rule) == 0 {
        assert!(started.elapsed() < PATIENCE, "the request does not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until an object is Ready and has published a path.
async fn until_published_on(world: &World, name: &str, word: &str, version: &str) {
    world.until(name, "it is published automatically", ready).await;
    world.n8n.expect_version(&path(world, word), version).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_workflow_keeps_its_path_after_a_restart_whichever_is_reconciled_first() {
    let (standin, mut world) = world("pathkept").await;
    apply(&world, "older", false, answering(&path(&world, "p"), "older")).await;
    world.until_ready("older").await;
    // Creation times are in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    apply(&world, "younger", true, answering(&path(&world, "p"), "younger")).await;
    let younger = id(&world.until_ready("younger").await);
    apply(&world, "older", true, answering(&path(&world, "p"), "older")).await;
    world.until_reason("older", "Ready", "WebhookPathTaken").await;
    world.operator.kill();
    for name in ["older", "younger"] {
        world.annotate("Workflow", name, "requested-at", json!("after")).await;
    }
    // The reconciliation of the younger one is blocked while it searches for its workflow.
    let gate = Gate::shut();
    let looking = Rule::on("GET", &format!("/api/v1/workflows/{younger}"), Fault::Held(gate.clone()));
    let looking = standin.faults().add(looking.once());
    world.operator.start();
    world.until("older", "its reconciliation is over", handled("after")).await;
    until_fired(&standin, looking).await;
    gate.open();
    let kept = world.until("younger", "its reconciliation is over", handled("after")).await;
    assert_eq!(condition(&kept, "Ready")["status"], "True", "{kept:#}");
    world.annotate("Workflow", "older", "requested-at", json!("again")).await;
    let waits = world.until("older", "its reconciliation is over", handled("again")).await;
    assert_eq!(condition(&waits, "Ready")["reason"], "WebhookPathTaken");
    assert!(condition(&waits, "Ready")["message"].as_str().unwrap().starts_with("Workflow younger serves GET "), "{waits:#}");
    world.n8n.expect_version(&path(&world, "p"), "younger").await;
    world.delete("younger").await;
    until_published_on(&world, "older", "p", "older").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_moves_to_another_path_keeps_the_old_one_until_it_is_live() {
    if left_out(PUBLICATION_SERVICE, NOTHING_GOES_OFFLINE) {
        return;
    }
    let (standin, world) = world("pathmoved").await;
    apply(&world, "competitor", false, answering(&path(&world, "p"), "competitor")).await;
    world.until_ready("competitor").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    apply(&world, "mover", true, answering(&path(&world, "p"), "1")).await;
    let mover = id(&world.until_ready("mover").await);
    apply(&world, "competitor", true, answering(&path(&world, "p"), "competitor")).await;
    world.until_reason("competitor", "Ready", "WebhookPathTaken").await;
    // Version 2 has another path, and n8n takes the workflow offline when it is published.
    let bad = bad_cron(answering(&path(&world, "q"), "2"));
    let publish = format!("/api/v1/workflows/{mover}/publish");
    let gate = Gate::shut();
    let publishing = standin.faults().add(Rule::on("POST", &publish, Fault::Held(gate.clone())).once());
    apply(&world, "mover", true, bad).await;
    until_fired(&standin, publishing).await;
    world.annotate("Workflow", "competitor", "requested-at", json!("meanwhile")).await;
    world.until("competitor", "its reconciliation is over", handled("meanwhile")).await;
    gate.open();
    world.until_reason("mover", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world, "p"), "1").await;
    let waits = world.get("competitor").await;
    assert_eq!(condition(&waits, "Ready")["reason"], "WebhookPathTaken");
    // Version 3 has that path, and the old path is free.
    apply(&world, "mover", true, answering(&path(&world, "q"), "3")).await;
    world.until_ready("mover").await;
    world.n8n.expect_version(&path(&world, "q"), "3").await;
    until_published_on(&world, "competitor", "p", "competitor").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_lost_its_finalizer_leaves_no_claim_behind() {
    let (standin, world) = world("pathstripped").await;
    // It is not reconciled any more, so that the finalizer is not added again.
    world.workflow("stripped", json!({ "active": true, "interval": "1h", "definition": answering(&path(&world, "p"), "1") })).await;
    let orphan = id(&world.until_ready("stripped").await);
    apply(&world, "next", true, answering(&path(&world, "p"), "2")).await;
    world.until_reason("next", "Ready", "WebhookPathTaken").await;
    let api = world.api("Workflow");
    let stripped = json!({ "metadata": { "finalizers": null } });
    api.patch("stripped", &PatchParams::default(), &Patch::Merge(stripped)).await.expect("the API server patches");
    api.delete("stripped", &DeleteParams::default()).await.expect("the API server deletes");
    world.until("stripped", "it is gone", Value::is_null).await;
    // Its workflow stays in n8n, and a user deletes it there.
    assert!(standin.workflow(&orphan).is_some(), "no reconciliation cleaned up");
    standin.ui_delete(&orphan);
    world.annotate("Workflow", "next", "requested-at", json!("1")).await;
    until_published_on(&world, "next", "p", "2").await;
}
