//! Versions that fail without a rollback: there is no good one, or `spec.rollback` is Manual. On the real n8n, through a relay that counts
//! its requests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::n8n::{answering, bad_cron, with_node};
use crate::harness::relay::Relay;
use crate::harness::stack::{NOTHING_GOES_OFFLINE, PUBLICATION_SERVICE, Stack, left_out};
use crate::harness::world::{PATIENCE, World, condition, ready};

async fn world(name: &str) -> (Relay, World) {
    let stack = Stack::shared();
    let (url, key) = (stack.n8n_url(), stack.n8n_key());
    let relay = Relay::to(&url);
    let world = World::bare(stack, name, &url, &key).await;
    world.instance("main", &relay.url, &key, json!({})).await;
    (relay, world)
}

fn path(world: &World) -> String {
    format!("{}/a", world.namespace)
}

fn node(name: &str, kind: &str, parameters: Value) -> Value {
    json!({ "name": name, "type": format!("n8n-nodes-base.{kind}"), "typeVersion": 1, "position": [0, 300], "parameters": parameters })
}

/// Adds a node of an unknown package: only n8n can tell that it does not exist.
fn unknown_type(definition: Value) -> Value {
    let mut odd = node("Odd", "", json!({}));
    odd["type"] = json!("n8n-nodes-acme.doesNotExist");
    with_node(definition, odd)
}

/// Returns the number of publications requested from n8n.
fn asked(relay: &Relay) -> usize {
    relay.since(0).iter().filter(|one| one.method == "POST" && one.path.ends_with("/publish")).count()
}

/// Two more reconciliations request no publication: a failed version is not retried without intervention.
async fn is_left(relay: &Relay, world: &World) -> usize {
    let before = asked(relay);
    for token in ["left-1", "left-2"] {
        world.annotate("Workflow", "a", "requested-at", json!(token)).await;
        world.until("a", "it was reconciled", |object| object["status"]["lastHandledRequestedAt"] == token).await;
    }
    assert_eq!(asked(relay), before, "a failed version is not retried");
    before
}

/// A reset requests publication again, and the version fails again.
async fn reset_tries_again(relay: &Relay, world: &World, reason: &str) {
    let before = is_left(relay, world).await;
    world.annotate("Workflow", "a", "reset-at", json!("1")).await;
    let started = Instant::now();
    while asked(relay) == before {
        assert!(started.elapsed() < PATIENCE, "n8n got no further request\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = |object: &Value| object["status"]["lastHandledResetAt"] == "1" && condition(object, "Ready")["reason"] == reason;
    let again = world.until("a", "it failed again", again).await;
    assert_eq!(condition(&again, "Stalled")["status"], "True");
    is_left(relay, world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_version_that_fails_is_not_rolled_back_and_is_retried_after_a_reset() {
    let (relay, world) = world("firstfail").await;
    world.workflow("a", json!({ "active": true, "definition": unknown_type(answering(&path(&world), "1")) })).await;
    let observed = world.until_reason("a", "Ready", "NoGoodVersion").await;
    assert_eq!(condition(&observed, "Stalled")["status"], "True");
    assert!(condition(&observed, "Ready")["message"].as_str().unwrap().contains("Unrecognized node type"));
    world.n8n.expect_no_workflow(&path(&world)).await;
    reset_tries_again(&relay, &world, "NoGoodVersion").await;
    assert_eq!(world.get("a").await["status"]["history"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_manual_rollback_a_failed_version_is_reported_and_nothing_is_changed() {
    let (relay, world) = world("manual").await;
    world.workflow("a", json!({ "active": true, "rollback": "Manual", "definition": answering(&path(&world), "1") })).await;
    let good = world.until_ready("a").await;
    let bad = unknown_type(answering(&path(&world), "2"));
    world.workflow("a", json!({ "active": true, "rollback": "Manual", "definition": bad })).await;
    world.until_reason("a", "Ready", "RollbackManual").await;
    let observed = world.n8n.workflow(good["status"]["n8nWorkflowId"].as_str().unwrap()).await;
    assert_eq!(observed["nodes"].as_array().unwrap().len(), 3, "the failed draft is left for the user");
    world.n8n.expect_version(&path(&world), "1").await;
    reset_tries_again(&relay, &world, "RollbackManual").await;
    world.n8n.expect_version(&path(&world), "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_manual_rollback_a_workflow_that_n8n_took_offline_stays_offline_and_is_reported() {
    if left_out(PUBLICATION_SERVICE, NOTHING_GOES_OFFLINE) {
        return;
    }
    let (relay, world) = world("manualoffline").await;
    world.workflow("a", json!({ "active": true, "rollback": "Manual", "definition": answering(&path(&world), "1") })).await;
    world.until_ready("a").await;
    let bad = bad_cron(answering(&path(&world), "2"));
    world.workflow("a", json!({ "active": true, "rollback": "Manual", "definition": bad })).await;
    let observed = world.until_reason("a", "Ready", "RollbackManual").await;
    assert_eq!(world.n8n.webhook("GET", &path(&world)).await.status, 404, "n8n took it offline, and nothing publishes it again");
    assert_eq!(condition(&observed, "Live")["reason"], "NotPublished", "{:#}", observed["status"]);
    assert_eq!((&observed["status"]["activeVersion"], &observed["status"]["webhookURLs"]), (&json!(null), &json!(null)));
    let message = condition(&observed, "Ready")["message"].as_str().unwrap();
    assert!(message.contains("Invalid cron expression") && message.contains("n8n took the workflow offline"), "{message}");
    reset_tries_again(&relay, &world, "RollbackManual").await;
    // The user decides: the good version by its number, or a correction.
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    world.until("a", "version 1 is published", |object| object["status"]["activeVersion"] == 1 && ready(object)).await;
    world.n8n.expect_version(&path(&world), "1").await;
}
