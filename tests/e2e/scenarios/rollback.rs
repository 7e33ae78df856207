//! The effects of a failing deployment, fault by fault, on the stand-in: the published version, the status, and the requests to n8n.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, bad_cron, id, set_value, with_node};
use crate::harness::stack::{NOTHING_GOES_OFFLINE, PUBLICATION_SERVICE, left_out};
use crate::harness::world::{World, condition, ready};
use crate::standin::{Fault, Rule, StandIn};

const PUBLISH: &str = "/api/v1/workflows/*/publish";

async fn world(name: &str) -> (StandIn, World) {
    World::on_stand_in(name, json!({})).await
}

fn path(world: &World) -> String {
    format!("{}/a", world.namespace)
}

async fn apply(world: &World, definition: Value, more: Value) {
    let mut spec = json!({ "active": true, "interval": "1s", "definition": definition });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow("a", spec).await;
}

async fn version(world: &World, version: &str) -> Value {
    apply(world, answering(&path(world), version), json!({})).await;
    world.until_ready("a").await
}

/// Applies version 1, which requires a credential that is mapped by its name. Returns the id of the credential, and the object once it is
/// Ready.
async fn with_the_till(standin: &StandIn, world: &World) -> (String, Value) {
    let credential = standin.add_credential("till", "httpHeaderAuth", &json!({ "name": "x", "value": "y" }));
    let mut one = answering(&path(world), "1");
    one["nodes"][1]["credentials"] = json!({ "httpHeaderAuth": { "name": "the till" } });
    let mapped = json!({ "credentials": [{ "name": "the till", "existing": { "name": "till" } }] });
    apply(world, one, mapped).await;
    (credential, world.until_ready("a").await)
}

/// Adds a node of an unknown package: only n8n can tell that it does not exist.
fn unknown_type(definition: Value) -> Value {
    with_node(
        definition,
        json!({ "name": "Odd", "type": "n8n-nodes-acme.doesNotExist", "typeVersion": 1, "position": [0, 300], "parameters": {} }),
    )
}

/// Requests a reconciliation and waits until it is over.
async fn reconcile(world: &World, token: &str) -> Value {
    world.annotate("Workflow", "a", "requested-at", json!(token)).await;
    world.until("a", "the requested reconciliation is over", |object| object["status"]["lastHandledRequestedAt"] == token).await
}

/// Makes the failed attempts look old, so that a test need not wait.
async fn age_attempts(world: &World) {
    let patch = json!({ "status": { "intent": { "failingSince": "2020-01-01T00:00:00Z" } } });
    let api = world.api("Workflow");
    api.patch_status("a", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(patch)).await.expect("the status is patched");
}

fn attempts(object: &Value) -> i64 {
    object["status"]["intent"]["attempts"].as_i64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_error_of_n8n_fails_no_version() {
    let (standin, world) = world("transient").await;
    version(&world, "1").await;
    // Enough attempts to fail a version, if they were not within a few seconds.
    let rule = standin.faults().add(Rule::on("POST", PUBLISH, Fault::json(500, "database is locked")).times(3));
    let two = version(&world, "2").await;
    world.n8n.expect_version(&path(&world), "2").await;
    assert_eq!(two["status"]["activeVersion"].as_i64(), Some(2));
    assert_eq!(standin.faults().fired(rule), 3);
    // A reconciliation ends with its events: when another one is over, all events about the attempts exist.
    reconcile(&world, "1").await;
    let events = world.events("a").await;
    assert!(events.iter().any(|(_, note)| note.contains("database is locked")), "{events:?}");
    assert!(!events.iter().any(|(reason, _)| reason == "RolledBack" || reason == "PublishRefused"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_repeatedly_is_marked_as_failed_unless_it_was_good() {
    let (standin, world) = world("forlong").await;
    let one = version(&world, "1").await;
    // Version 1 was published: whatever n8n answers to its publication now, it is the desired version.
    standin.faults().add(Rule::on("POST", PUBLISH, Fault::json(500, "database is locked")));
    standin.ui_unpublish(&id(&one));
    world.until("a", "it failed twice", |object| attempts(object) >= 2).await;
    age_attempts(&world).await;
    let still = world.until("a", "it fails on", |object| attempts(object) >= 4).await;
    assert_eq!(still["status"]["history"][0]["result"], "Good");
    assert_eq!(condition(&still, "Ready")["status"], "False", "nothing is published, which is reported");
    standin.faults().clear();
    world.until("a", "it is published again", ready).await;
    // Version 2 was never published.
    standin.faults().add(Rule::on("POST", PUBLISH, Fault::json(500, "no such host")));
    apply(&world, answering(&path(&world), "2"), json!({})).await;
    world.until("a", "version 2 failed once", |object| attempts(object) >= 1).await;
    age_attempts(&world).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(back["status"]["history"][0]["reason"], "PublishRefused");
    world.n8n.expect_version(&path(&world), "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_that_blocks_a_deployment_does_not_block_a_rollback() {
    if left_out(PUBLICATION_SERVICE, NOTHING_GOES_OFFLINE) {
        return;
    }
    let (standin, mut world) = world("blocked").await;
    let (credential, good) = with_the_till(&standin, &world).await;
    // A second credential of that name: version 1 could not be sent again, and n8n's own copy of it does not need that. The operator starts
    // without its listing, and meets version 2 in its first reconciliation.
    standin.add_credential("till", "httpHeaderAuth", &json!({ "name": "x", "value": "z" }));
    world.operator.kill();
    apply(&world, bad_cron(answering(&path(&world), "2")), json!({})).await;
    world.operator.start();
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world), "1").await;
    assert_eq!(back["status"]["activeVersion"].as_i64(), Some(1));
    assert_eq!(condition(&back, "Live")["status"], "True");
    let published = standin.workflow(&id(&good)).expect("it is there")["activeVersion"].clone();
    assert_eq!(published["nodes"][1]["credentials"]["httpHeaderAuth"]["id"], json!(credential), "{published:#}");
    let message = condition(&back, "Synced")["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("\"till\"") && message.contains("copy of version 1"), "{message}");
    let steady = reconcile(&world, "1").await;
    let writes = standin.log().writes().len();
    let later = reconcile(&world, "2").await;
    assert_eq!(standin.log().writes().len(), writes, "and then there is nothing to do");
    assert_eq!(steady["status"]["conditions"], later["status"]["conditions"]);
    version(&world, "3").await;
    world.n8n.expect_version(&path(&world), "3").await;
    assert_eq!(id(&good), id(&later));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_credential_takes_no_published_version_offline() {
    let (standin, mut world) = world("gone").await;
    let (credential, good) = with_the_till(&standin, &world).await;
    standin.add_credential("till", "httpHeaderAuth", &json!({ "name": "x", "value": "z" }));
    world.operator.kill();
    let writes = standin.log().writes().len();
    world.operator.start();
    let observed = world.until_reason("a", "Ready", "CredentialAmbiguous").await;
    world.n8n.expect_version(&path(&world), "1").await;
    assert_eq!(standin.log().writes().len(), writes);
    let kept = standin.workflow(&id(&good)).expect("it is there");
    assert_eq!(kept["nodes"][1]["credentials"]["httpHeaderAuth"]["id"], json!(credential));
    assert_eq!(observed["status"]["history"], good["status"]["history"], "no edit was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_publishes_the_version_that_n8n_kept_and_restores_the_draft() {
    let (standin, world) = world("kept").await;
    let one = version(&world, "1").await;
    let kept = standin.workflow(&id(&one)).expect("it is there")["activeVersionId"].clone();
    apply(&world, unknown_type(answering(&path(&world), "2")), json!({})).await;
    world.until_reason("a", "RolledBack", "RolledBack").await;
    let after = standin.workflow(&id(&one)).expect("it is there");
    assert_eq!(after["activeVersionId"], kept);
    assert_eq!(after["nodes"].as_array().map(Vec::len), Some(2), "the draft is version 1 again");
    let writes = standin.log().writes().len();
    let steady = reconcile(&world, "1").await;
    assert_eq!(standin.log().writes().len(), writes, "rolled back is a steady state");
    assert_eq!(steady["status"]["history"].as_array().map(Vec::len), Some(2), "drafts of the operator are no edits of users");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_was_taken_offline_is_published_again_although_the_next_definition_waits() {
    if left_out(PUBLICATION_SERVICE, NOTHING_GOES_OFFLINE) {
        return;
    }
    let (standin, world) = world("offline").await;
    version(&world, "1").await;
    // The first publication takes the workflow offline, and every attempt to publish it again fails.
    standin.faults().add(Rule::on("POST", PUBLISH, Fault::json(500, "database is locked")).after(1));
    apply(&world, bad_cron(answering(&path(&world), "2")), json!({})).await;
    let offline = world.until("a", "the rollback fails", |object| condition(object, "Ready")["reason"] == "RollbackFailed").await;
    assert_eq!(world.n8n.webhook("GET", &path(&world)).await.status, 404);
    assert_eq!(condition(&offline, "Ready")["status"], "False");
    let mut waits = answering(&path(&world), "3");
    waits["nodes"][1]["credentials"] = json!({ "httpHeaderAuth": { "name": "nobody maps it" } });
    apply(&world, waits, json!({})).await;
    world.until_reason("a", "Ready", "CredentialUnmapped").await;
    standin.faults().clear();
    let meanwhile = world.until("a", "version 1 is published meanwhile", |object| object["status"]["intent"].is_null()).await;
    world.n8n.expect_version(&path(&world), "1").await;
    assert_eq!(meanwhile["status"]["webhookURLs"].as_array().map(Vec::len), Some(1), "{meanwhile:#}");
    assert_eq!((meanwhile["status"]["publishedAt"].is_string(), condition(&meanwhile, "Live")["status"].as_str()), (true, Some("True")));
    assert_eq!(condition(&world.get("a").await, "Ready")["reason"], "CredentialUnmapped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_version_that_fails_is_rolled_back_once_and_not_sent_again() {
    let (standin, world) = world("failingpin").await;
    version(&world, "1").await;
    version(&world, "2").await;
    standin.faults().add(
        Rule::on("POST", PUBLISH, Fault::json(400, "There was a problem activating the workflow: \"Invalid cron expression\"")).once(),
    );
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world), "2").await;
    assert_eq!(back["status"]["activeVersion"].as_i64(), Some(2));
    assert!(condition(&back, "Ready")["message"].as_str().is_some_and(|message| message.contains("version 1 failed")), "{back}");
    reconcile(&world, "1").await;
    let writes = standin.log().writes().len();
    reconcile(&world, "2").await;
    assert_eq!(standin.log().writes().len(), writes);
    // A reset retries it, and removing the pin ends the failure.
    world.annotate("Workflow", "a", "reset-at", json!("1")).await;
    world.until("a", "the pinned version is published", |object| object["status"]["activeVersion"] == 1 && ready(object)).await;
    world.annotate("Workflow", "a", "pinned-version", Value::Null).await;
    world.until("a", "version 2 is published", |object| object["status"]["activeVersion"] == 2 && ready(object)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_n8n_lost_are_registered_again() {
    let (standin, world) = world("lost").await;
    version(&world, "1").await;
    world.published_long_ago("a").await;
    let published = standin.log().count("POST", "/api/v1/workflows");
    standin.faults().add(Rule::on("GET", "/webhook/**", Fault::not_registered()));
    standin.faults().add(Rule::on("OPTIONS", "/webhook/**", Fault::names_no_methods()));
    let seen = world.until_reason("a", "Live", "NotLive").await;
    assert_eq!(condition(&seen, "Ready")["status"], "False", "Ready is honest");
    let started = std::time::Instant::now();
    while standin.log().count("POST", "/api/v1/workflows") == published {
        assert!(started.elapsed() < crate::harness::world::PATIENCE, "it is not published again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    standin.faults().clear();
    let recovered = world.until("a", "it is live again", ready).await;
    assert_eq!(recovered["status"]["history"].as_array().map(Vec::len), Some(1));
    assert_eq!(recovered["status"]["history"][0]["result"], "Good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_without_webhooks_fails_only_after_the_time_that_a_slow_n8n_may_take() {
    let (standin, world) = world("slowhooks").await;
    version(&world, "1").await;
    standin.faults().add(Rule::on("GET", "/webhook/**", Fault::not_registered()));
    standin.faults().add(Rule::on("OPTIONS", "/webhook/**", Fault::names_no_methods()));
    apply(&world, answering(&path(&world), "2"), json!({})).await;
    world.until_reason("a", "Ready", "NotLive").await;
    // Failed often and for long, but n8n was sent the version a moment ago: a starting n8n registers webhooks after its API answers.
    let intent = |change: Value| Patch::Merge(json!({ "status": { "intent": change } }));
    let patch = intent(json!({ "attempts": 9, "failingSince": "2020-01-01T00:00:00Z" }));
    world.api("Workflow").patch_status("a", &PatchParams::default(), &patch).await.expect("the status is patched");
    let counted =
        world.until("a", "one more attempt is counted", |object| object["status"]["intent"]["attempts"].as_i64() >= Some(9)).await;
    assert_eq!(condition(&counted, "RolledBack")["status"], "False", "{counted:#}");
    let patch = intent(json!({ "startedAt": "2020-01-01T00:00:00Z", "attempts": 9, "failingSince": "2020-01-01T00:00:00Z" }));
    world.api("Workflow").patch_status("a", &PatchParams::default(), &patch).await.expect("the status is patched");
    let back = world.until("a", "version 2 is given up", |object| object["status"]["history"][0]["result"] == "Failed").await;
    assert_eq!(back["status"]["history"][0]["reason"], "PublishUnconfirmed", "{back:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_n8n_that_was_not_reported_yet_is_stored_before_a_new_version_replaces_it() {
    let (standin, mut world) = world("unreported").await;
    let one = version(&world, "1").await;
    world.operator.kill();
    standin.ui_edit_draft(&id(&one), |draft| set_value(draft, "theirs")).expect("the editor saves");
    standin.ui_publish(&id(&one)).expect("the editor publishes");
    standin.ui_edit_draft(&id(&one), |draft| set_value(draft, "their draft")).expect("the editor saves");
    apply(&world, answering(&path(&world), "2"), json!({})).await;
    world.operator.start();
    let two =
        world.until("a", "version 2 is published", |object| ready(object) && object["status"]["history"][0]["source"] == "Drift").await;
    world.n8n.expect_version(&path(&world), "2").await;
    let sources: Vec<&str> = two["status"]["history"].as_array().into_iter().flatten().filter_map(|one| one["source"].as_str()).collect();
    assert_eq!(sources, ["Drift", "Drift", "Definition", "Definition"]);
    world.until_event("a", "DriftReverted", "kept as version 3").await;
    world.annotate("Workflow", "a", "pinned-version", json!("4")).await;
    world.until("a", "their version is published", |object| object["status"]["activeVersion"] == 4 && ready(object)).await;
    world.n8n.expect_version(&path(&world), "theirs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adoption_keeps_the_published_version_and_the_draft() {
    let (standin, world) = world("adoptdraft").await;
    let made = world.n8n.api("POST", "/workflows", Some(answering(&path(&world), "theirs"))).await;
    let theirs = made.json()["id"].as_str().expect("an id").to_owned();
    world.n8n.api("POST", &format!("/workflows/{theirs}/publish"), Some(json!({}))).await;
    standin.ui_edit_draft(&theirs, |draft| set_value(draft, "their draft")).expect("the editor saves");
    let adopt = json!({ "adopt": { "id": theirs } });
    // A failure goes back to the published version, not to the draft.
    apply(&world, unknown_type(answering(&path(&world), "ours")), adopt).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world), "theirs").await;
    assert_eq!(back["status"]["activeVersion"].as_i64(), Some(1));
    let history = back["status"]["history"].as_array().expect("a history");
    let sources: Vec<&str> = history.iter().filter_map(|one| one["source"].as_str()).collect();
    assert_eq!(sources, ["Definition", "Drift", "Adopted"]);
    // An unpublished version is never good, so there is nothing to roll back to.
    let idle = world.n8n.api("POST", "/workflows", Some(answering(&format!("{}/b", world.namespace), "idle"))).await;
    let idle = idle.json()["id"].as_str().expect("an id").to_owned();
    let bad = unknown_type(answering(&format!("{}/b", world.namespace), "ours"));
    world.workflow("b", json!({ "active": true, "adopt": { "id": idle }, "definition": bad })).await;
    let observed = world.until_reason("b", "Ready", "NoGoodVersion").await;
    assert_eq!(observed["status"]["history"][1]["result"], "Kept");
    assert_eq!(observed["status"]["activeVersion"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_unchanged_workflows_stay_ready_without_n8n() {
    let (standin, world) = world("absent").await;
    let source = |version: &str| {
        let text = answering(&path(&world), version).to_string();
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "source" }, "data": { "workflow.json": text } })
    };
    world.apply(source("1")).await;
    let from = json!({ "configMapKeyRef": { "name": "source", "key": "workflow.json" } });
    world.workflow("a", json!({ "active": true, "interval": "30s", "definitionFrom": from })).await;
    world.until_ready("a").await;
    standin.stop();
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    let kept = world.until("a", "n8n is missed", |object| condition(object, "Synced")["status"] == "Unknown").await;
    assert!(ready(&kept), "what did not change keeps Ready for a while: {kept}");
    world.apply(source("2")).await;
    let changed = world.until("a", "the change is seen", |object| condition(object, "Ready")["status"] == "False").await;
    assert_eq!(condition(&changed, "Synced")["status"], "False");
    assert_eq!(condition(&changed, "Reconciling")["status"], "True");
    standin.restart();
    world.until("a", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
}
