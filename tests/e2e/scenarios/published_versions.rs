//! Published versions, and their status, under faults of n8n and changes by users. On the stand-in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::n8n::{answering, bad_cron, id, set_value, with_node};
use crate::harness::stack::{NOTHING_GOES_OFFLINE, PUBLICATION_SERVICE, left_out};
use crate::harness::world::{World, condition, ready};
use crate::standin::{Fault, Rule, StandIn};

const PUBLISH: &str = "/api/v1/workflows/*/publish";
const SAVE: &str = "/api/v1/workflows/*";

async fn world(name: &str) -> (StandIn, World) {
    World::on_stand_in(name, json!({})).await
}

fn path(world: &World, word: &str) -> String {
    format!("{}/{word}", world.namespace)
}

async fn apply(world: &World, name: &str, definition: Value, more: Value) {
    let mut spec = json!({ "active": true, "interval": "1h", "definition": definition });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow(name, spec).await;
}

/// Requests a reconciliation and waits until it is over.
async fn reconcile(world: &World, name: &str, token: &str) -> Value {
    world.annotate("Workflow", name, "requested-at", json!(token)).await;
    world.until(name, "the requested reconciliation is over", |object| object["status"]["lastHandledRequestedAt"] == token).await
}

/// Returns a version whose every execution fails.
fn failing(path: &str, version: &str) -> Value {
    let fails = json!({ "name": "Fails", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1, "position": [400, 0],
        "parameters": { "errorMessage": "the till is empty" } });
    let mut definition = with_node(answering(path, version), fails);
    definition["connections"]["Answer"] = json!({ "main": [[{ "node": "Fails", "type": "main", "index": 0 }]] });
    definition
}

async fn call(world: &World, word: &str, times: usize) {
    for _ in 0..times {
        world.n8n.webhook("GET", &path(world, word)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_webhooks_are_published_again_a_few_times_and_then_only_checked() {
    let (standin, world) = world("away").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    let one = world.until_ready("a").await;
    world.published_long_ago("a").await;
    standin.ui_edit_draft(&id(&one), |draft| set_value(draft, "their draft")).expect("the editor saves");
    let draft = standin.workflow(&id(&one)).expect("it is there")["nodes"].clone();
    standin.faults().add(Rule::on("GET", "/webhook/**", Fault::not_registered()));
    standin.faults().add(Rule::on("OPTIONS", "/webhook/**", Fault::names_no_methods()));
    let publish = standin.faults().add(Rule::on("POST", PUBLISH, Fault::Delay(Duration::ZERO)));
    for token in ["1", "2", "3", "4", "5", "6", "7"] {
        let seen = reconcile(&world, "a", token).await;
        assert_eq!(condition(&seen, "Live")["reason"], "NotLive", "{seen:#}");
    }
    assert_eq!(standin.faults().fired(publish), 3);
    assert_eq!(world.get("a").await["status"]["history"][0]["result"], "Good", "it says nothing about the version");
    // A reset is a user's request to try again.
    world.annotate("Workflow", "a", "reset-at", json!("1")).await;
    reconcile(&world, "a", "8").await;
    reconcile(&world, "a", "9").await;
    assert!(standin.faults().fired(publish) > 3);
    standin.faults().clear();
    reconcile(&world, "a", "10").await;
    world.until("a", "it is live again", ready).await;
    assert_eq!(standin.workflow(&id(&one)).expect("it is there")["nodes"], draft, "a draft in the editor is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_n8n_accepts_and_does_not_keep_fails_or_is_left_for_a_while() {
    let (standin, world) = world("unlike").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    let one = world.until_ready("a").await;
    // n8n reports the save as successful, and keeps its previous content.
    let unkept = || {
        let observed = standin.workflow(&id(&one)).expect("it is there").to_string();
        standin.faults().add(Rule::on(
            "PUT",
            SAVE,
            Fault::Respond { status: 200, content_type: "application/json".into(), body: observed, headers: vec![] },
        ))
    };
    unkept();
    apply(&world, "a", answering(&path(&world, "a"), "2"), json!({})).await;
    let attempts = |object: &Value| object["status"]["intent"]["attempts"].as_i64().unwrap_or(0);
    world.until("a", "it was not kept twice", |object| attempts(object) >= 2).await;
    let patch = json!({ "status": { "intent": { "failingSince": "2020-01-01T00:00:00Z" } } });
    let api = world.api("Workflow");
    api.patch_status("a", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(patch)).await.expect("the status is patched");
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    assert_eq!(back["status"]["activeVersion"].as_i64(), Some(1));
    assert!(condition(&back, "Ready")["message"].as_str().is_some_and(|message| message.contains("stored something else")), "{back:#}");
    standin.faults().clear();
    // The published version never fails, and is not sent for ever either.
    apply(&world, "a", answering(&path(&world, "a"), "3"), json!({})).await;
    world.until_ready("a").await;
    standin.ui_edit_draft(&id(&one), |draft| set_value(draft, "theirs")).expect("the editor saves");
    standin.ui_publish(&id(&one)).expect("the editor publishes");
    let saves = unkept();
    for token in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        let seen = reconcile(&world, "a", token).await;
        assert_eq!(condition(&seen, "Ready")["status"], "False", "{seen:#}");
    }
    assert_eq!(standin.faults().fired(saves), 5);
    assert_eq!(world.get("a").await["status"]["activeVersion"], 3);
    standin.faults().clear();
    world.annotate("Workflow", "a", "reset-at", json!("1")).await;
    world.until("a", "it is reverted", ready).await;
    world.n8n.expect_version(&path(&world, "a"), "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_version_is_compared_with_the_executions_before_it_even_if_they_left_the_list() {
    let (_standin, world) = world("busy").await;
    let check = |bake: &str| json!({ "healthCheck": { "bakeTime": bake, "minimumExecutions": 5, "maximumErrorRate": 20 } });
    apply(&world, "a", failing(&path(&world, "a"), "1"), check("1s")).await;
    world.until("a", "version 1 is good", |object| object["status"]["history"][0]["result"] == "Good").await;
    call(&world, "a", 6).await;
    apply(&world, "a", failing(&path(&world, "a"), "2"), check("10m")).await;
    world.until("a", "version 2 is published", |object| object["status"]["activeVersion"] == 2).await;
    // More executions than one listing reads.
    call(&world, "a", 520).await;
    reconcile(&world, "a", "1").await;
    let seen = world.until_reason("a", "Healthy", "ErrorRateExceeded").await;
    assert!(condition(&seen, "Healthy")["message"].as_str().is_some_and(|message| message.contains("as bad")), "{seen:#}");
    assert_eq!((&seen["status"]["activeVersion"], &seen["status"]["failedDigest"]), (&json!(2), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_were_changed_in_n8n_just_before_a_new_version_are_kept() {
    let (standin, mut world) = world("settings").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    let one = world.until_ready("a").await;
    world.operator.kill();
    standin.ui_edit_draft(&id(&one), |draft| draft["settings"]["executionOrder"] = json!("v0")).expect("the editor saves");
    apply(&world, "a", answering(&path(&world, "a"), "2"), json!({})).await;
    world.operator.start();
    let two = world.until("a", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    assert_eq!(two["status"]["history"][0]["source"], "Drift", "{two:#}");
    world.until_event("a", "DriftReverted", "kept as version 3").await;
    assert_eq!(standin.workflow(&id(&one)).expect("it is there")["settings"]["executionOrder"], "v1");
    world.annotate("Workflow", "a", "pinned-version", json!("3")).await;
    world.until("a", "theirs is published", |object| object["status"]["activeVersion"] == 3 && ready(object)).await;
    assert_eq!(standin.workflow(&id(&one)).expect("it is there")["settings"]["executionOrder"], "v0");
    // Without a change by users there is nothing to store.
    world.annotate("Workflow", "a", "pinned-version", Value::Null).await;
    let back = world.until("a", "version 2 is published", |object| object["status"]["activeVersion"] == 2 && ready(object)).await;
    assert_eq!(back["status"]["history"].as_array().map(Vec::len), Some(3), "{back:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_tags_of_users_survive_a_new_version() {
    let (standin, world) = world("telemetry").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    let one = world.until_ready("a").await;
    let tag = json!({ "key": "cost-centre", "value": "7" });
    let add = |draft: &mut Value| draft["settings"]["customTelemetryTags"].as_array_mut().expect("tags").push(tag.clone());
    standin.ui_edit_draft(&id(&one), add).expect("the editor saves");
    apply(&world, "a", answering(&path(&world, "a"), "2"), json!({})).await;
    world.until("a", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    let tags = standin.workflow(&id(&one)).expect("it is there")["settings"]["customTelemetryTags"].clone();
    let keys: Vec<&str> = tags.as_array().expect("tags").iter().filter_map(|tag| tag["key"].as_str()).collect();
    assert_eq!(keys, ["cost-centre", "weirkeeper.dev/owner"], "{tags}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_with_a_new_pin_does_not_stay_ready_without_n8n() {
    let (standin, world) = world("absentpin").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    world.until_ready("a").await;
    apply(&world, "a", answering(&path(&world, "a"), "2"), json!({})).await;
    world.until_ready("a").await;
    standin.stop();
    assert!(ready(&reconcile(&world, "a", "1").await), "what did not change keeps Ready for a while");
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    let changed = world.until("a", "the pin is seen", |object| condition(object, "Ready")["status"] == "False").await;
    assert_eq!(condition(&changed, "Synced")["reason"], "NotSynced");
    standin.restart();
    world.until("a", "version 1 is published", |object| ready(object) && object["status"]["activeVersion"] == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_version_that_was_never_good_is_restored_until_that_succeeds() {
    if left_out(PUBLICATION_SERVICE, NOTHING_GOES_OFFLINE) {
        return;
    }
    let (standin, world) = world("nogood").await;
    // Its probe fails, so it is not a good version, and it stays published all the same: there is nothing else.
    let probes = json!({ "healthCheck": { "probes": [{ "node": "Webhook", "expectedStatus": 204 }] } });
    apply(&world, "a", answering(&path(&world, "a"), "1"), probes.clone()).await;
    world.until_reason("a", "Ready", "NoGoodVersion").await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    // Version 2 takes it offline, and the first attempts to publish it again fail.
    standin.faults().add(Rule::on("POST", PUBLISH, Fault::json(500, "database is locked")).after(1));
    apply(&world, "a", bad_cron(answering(&path(&world, "a"), "2")), probes).await;
    let offline = world.until_reason("a", "Ready", "RollbackFailed").await;
    assert_eq!(world.n8n.webhook("GET", &path(&world, "a")).await.status, 404);
    assert_eq!(condition(&offline, "Stalled")["status"], "False", "it is not over: {offline:#}");
    standin.faults().clear();
    let back = world.until_reason("a", "Ready", "NoGoodVersion").await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    assert_eq!(back["status"]["activeVersion"].as_i64(), Some(1));
    assert!(back["status"]["webhookURLs"].as_array().is_some_and(|urls| urls.len() == 1), "{back:#}");
    assert_eq!((condition(&back, "Live")["status"].as_str(), back["status"]["publishedAt"].is_string()), (Some("True"), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_good_yet_keeps_the_path_that_its_rollback_needs() {
    let (_standin, world) = world("bakingpath").await;
    apply(&world, "mover", answering(&path(&world, "p"), "1"), json!({})).await;
    world.until_ready("mover").await;
    let check = json!({ "healthCheck": { "bakeTime": "10m", "minimumExecutions": 3, "maximumErrorRate": 20 } });
    apply(&world, "mover", failing(&path(&world, "q"), "2"), check).await;
    world.until("mover", "version 2 bakes", |object| condition(object, "Healthy")["reason"] == "Baking").await;
    apply(&world, "competitor", answering(&path(&world, "p"), "competitor"), json!({})).await;
    world.until_reason("competitor", "Ready", "WebhookPathTaken").await;
    world.n8n.answers(&path(&world, "q"), 500).await;
    call(&world, "q", 4).await;
    reconcile(&world, "mover", "1").await;
    world.until_reason("mover", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world, "p"), "1").await;
    assert_eq!(condition(&reconcile(&world, "competitor", "1").await, "Ready")["reason"], "WebhookPathTaken");
    // Once it is good, it needs the previous version no more.
    let check = json!({ "healthCheck": { "bakeTime": "1s", "minimumExecutions": 1 } });
    apply(&world, "mover", answering(&path(&world, "q"), "3"), check).await;
    world.until("mover", "version 3 is good", |object| object["status"]["history"][0]["result"] == "Good").await;
    world.until("competitor", "it is published automatically", ready).await;
    world.n8n.expect_version(&path(&world, "p"), "competitor").await;
    world.n8n.expect_version(&path(&world, "q"), "3").await;
}

/// Blocks an older object that waits for a path for another reason, and lets a younger one get the path.
async fn gives_the_path_to_a_younger_one(world: &World, definition: Value, more: Value, reason: &str) {
    apply(world, "holder", answering(&path(world, "p"), "holder"), json!({})).await;
    world.until_ready("holder").await;
    apply(world, "older", answering(&path(world, "p"), "older"), json!({})).await;
    world.until_reason("older", "Ready", "WebhookPathTaken").await;
    apply(world, "older", definition, more).await;
    world.until_reason("older", "Ready", reason).await;
    // Creation times are in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    apply(world, "younger", answering(&path(world, "p"), "younger"), json!({})).await;
    world.until_reason("younger", "Ready", "WebhookPathTaken").await;
    world.delete("holder").await;
    world.until("younger", "it is published automatically", ready).await;
    world.n8n.expect_version(&path(world, "p"), "younger").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_waits_for_a_credential_reserves_no_path() {
    let (_standin, world) = world("creditpath").await;
    let mut lacks = answering(&path(&world, "p"), "older");
    lacks["nodes"][1]["credentials"] = json!({ "httpHeaderAuth": { "name": "nobody maps it" } });
    gives_the_path_to_a_younger_one(&world, lacks, json!({}), "CredentialUnmapped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_workflow_reserves_no_path() {
    let (_standin, world) = world("suspendedpath").await;
    let same = answering(&path(&world, "p"), "older");
    gives_the_path_to_a_younger_one(&world, same, json!({ "suspend": true }), "Suspended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_an_attempt_took_offline_is_published_again_despite_an_invalid_edit() {
    if left_out(PUBLICATION_SERVICE, NOTHING_GOES_OFFLINE) {
        return;
    }
    let (standin, world) = world("invalidedit").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    world.until_ready("a").await;
    standin.faults().add(Rule::on("POST", PUBLISH, Fault::json(500, "database is locked")).after(1));
    apply(&world, "a", bad_cron(answering(&path(&world, "a"), "2")), json!({})).await;
    world.until_reason("a", "Ready", "RollbackFailed").await;
    let mut invalid = answering(&path(&world, "a"), "3");
    invalid["connections"]["Webhook"]["main"][0][0]["node"] = json!("Nowhere");
    apply(&world, "a", invalid, json!({})).await;
    world.until_reason("a", "Ready", "InvalidDefinition").await;
    assert_eq!(world.n8n.webhook("GET", &path(&world, "a")).await.status, 404);
    standin.faults().clear();
    let back = reconcile(&world, "a", "1").await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    assert_eq!(condition(&back, "Ready")["reason"].as_str(), Some("InvalidDefinition"));
    assert_eq!(back["status"]["webhookURLs"].as_array().map(Vec::len), Some(1), "{back:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_observed_and_rolled_back_while_the_next_definition_is_invalid() {
    let (_standin, world) = world("watched").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    world.until_ready("a").await;
    let check = json!({ "healthCheck": { "bakeTime": "10m", "minimumExecutions": 3, "maximumErrorRate": 20 } });
    apply(&world, "a", failing(&path(&world, "a"), "2"), check.clone()).await;
    world.until("a", "version 2 bakes", |object| condition(object, "Healthy")["reason"] == "Baking").await;
    let mut invalid = answering(&path(&world, "a"), "3");
    invalid["connections"]["Webhook"]["main"][0][0]["node"] = json!("Nowhere");
    apply(&world, "a", invalid, check.clone()).await;
    world.until_reason("a", "Ready", "InvalidDefinition").await;
    world.n8n.answers(&path(&world, "a"), 500).await;
    // With the publication service, calls before this were answered by the version before, and count as successes.
    call(&world, "a", 100).await;
    reconcile(&world, "a", "1").await;
    let back = world.until("a", "version 1 is published", |object| object["status"]["activeVersion"] == 1).await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    assert_eq!(condition(&back, "Ready")["reason"].as_str(), Some("InvalidDefinition"));
    assert_eq!(back["status"]["history"][0]["reason"], "ErrorRateExceeded", "{back:#}");
    // The next version is not compared with the one that failed in between.
    apply(&world, "a", failing(&path(&world, "a"), "4"), check).await;
    world.until("a", "version 4 bakes", |object| object["status"]["activeVersion"] == 3).await;
    world.n8n.answers(&path(&world, "a"), 500).await;
    call(&world, "a", 100).await;
    reconcile(&world, "a", "2").await;
    world.until_reason("a", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_was_only_renamed_is_still_observed() {
    let (standin, world) = world("renamed").await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({ "driftPolicy": "Report" })).await;
    let one = world.until_ready("a").await;
    standin.ui_rename(&id(&one), "another name").expect("the editor saves");
    let renamed = reconcile(&world, "a", "1").await;
    assert_eq!(
        (condition(&renamed, "Ready")["reason"].as_str(), condition(&renamed, "Live")["status"].as_str()),
        (Some("DriftReported"), Some("True"))
    );
    standin.faults().add(Rule::on("GET", "/webhook/**", Fault::not_registered()));
    standin.faults().add(Rule::on("OPTIONS", "/webhook/**", Fault::names_no_methods()));
    let lost = reconcile(&world, "a", "2").await;
    assert_eq!(condition(&lost, "Live")["reason"], "NotLive", "{lost:#}");
    standin.faults().clear();
    reconcile(&world, "a", "3").await;
    let back = world.until_reason("a", "Ready", "DriftReported").await;
    assert_eq!(
        (condition(&back, "Live")["status"].as_str(), standin.workflow(&id(&one)).expect("it is there")["name"].as_str()),
        (Some("True"), Some("another name"))
    );
}
