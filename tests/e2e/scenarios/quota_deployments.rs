//! The limit on deployments in a day: reserved before a version is sent, settled after it, and never exceeded by a crash in between.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, bad_cron, id, set_value};
use crate::harness::relay::{Hindrance, Relay};
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Fault, Gate, Rule};

async fn apply(world: &World, name: &str, version: &str) {
    let path = format!("{}/{name}", world.namespace);
    world.workflow(name, json!({ "active": true, "definition": answering(&path, version) })).await;
}

fn published(version: i64) -> impl Fn(&Value) -> bool {
    move |object| ready(object) && object["status"]["activeVersion"] == version
}

/// Waits until as many deployments are used as expected, and as many are reserved.
async fn until_used(world: &World, used: i64, reserved: usize) -> Value {
    let holds = |object: &Value| {
        let status = &object["status"];
        status["used"]["deploymentsPerDay"] == used && status["reservations"].as_array().map_or(0, Vec::len) == reserved
    };
    world.until_kind("WorkflowQuota", "team-a", &format!("{used} used, {reserved} reserved"), holds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_over_the_limit_is_not_sent_and_what_is_published_is_watched_meanwhile() {
    let (standin, world) = World::on_stand_in("deployments", json!({})).await;
    world.quota("team-a", json!({ "deploymentsPerDay": 2 })).await;
    apply(&world, "a", "1").await;
    world.until("a", "version 1 is published", published(1)).await;
    apply(&world, "a", "2").await;
    let object = world.until("a", "version 2 is published", published(2)).await;
    until_used(&world, 2, 0).await;

    apply(&world, "a", "3").await;
    let refused = world.until_reason("a", "Ready", "QuotaExceeded").await;
    let message = condition(&refused, "Ready")["message"].as_str().expect("a message");
    let end = Timestamp::now().to_zoned(TimeZone::UTC).date().tomorrow().expect("a day").to_string();
    let wanted = format!(
        "exceeded quota: team-a, requested: deploymentsPerDay=1, used: 2, limited: 2; the day ends at {end}T00:00:00Z (UTC); wait until then, or ask for a higher limit"
    );
    assert_eq!(message, wanted);
    assert_eq!((&condition(&refused, "Stalled")["status"], &refused["status"]["activeVersion"]), (&json!("True"), &json!(2)));
    world.n8n.expect_version(&format!("{}/a", world.namespace), "2").await;

    // An edit in n8n is reverted all the same, and is not counted.
    world.n8n.edit(&id(&object), true, |workflow| set_value(workflow, "changed by hand")).await;
    world.until_event("a", "DriftReverted", "kept as version").await;
    world.n8n.expect_version(&format!("{}/a", world.namespace), "2").await;
    let writes = standin.log().count("PUT", "/api/v1/workflows");
    until_used(&world, 2, 0).await;

    // A higher limit lets it in by itself.
    world.quota("team-a", json!({ "deploymentsPerDay": 3 })).await;
    world.until("a", "version 3 is published", published(3)).await;
    assert!(standin.log().count("PUT", "/api/v1/workflows") > writes);
    until_used(&world, 3, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollbacks_pins_and_publications_are_not_counted() {
    let (_standin, world) = World::on_stand_in("uncounted", json!({})).await;
    world.quota("team-a", json!({ "deploymentsPerDay": 2 })).await;
    apply(&world, "a", "1").await;
    world.until("a", "version 1 is published", published(1)).await;
    let broken = bad_cron(answering(&format!("{}/a", world.namespace), "2"));
    world.workflow("a", json!({ "active": true, "definition": broken })).await;
    world.until("a", "it is rolled back", |object| current(object) && condition(object, "RolledBack")["status"] == "True").await;
    world.n8n.expect_version(&format!("{}/a", world.namespace), "1").await;
    until_used(&world, 2, 0).await;
    apply(&world, "a", "3").await;
    world.until_reason("a", "Ready", "QuotaExceeded").await;
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    world.until("a", "version 1 is pinned", |object| published(1)(object) && object["status"]["pinnedVersion"] == 1).await;
    until_used(&world, 2, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_between_reservation_and_settlement_counts_the_deployment_once() {
    let (standin, mut world) = World::on_stand_in("killed", json!({ "requestTimeout": "1s" })).await;
    world.quota("team-a", json!({ "deploymentsPerDay": 3 })).await;
    // Before n8n has the request: it is created by the next operator.
    let gate = Gate::shut();
    standin.faults().add(Rule::on("POST", "/api/v1/workflows", Fault::Held(gate.clone())).once());
    apply(&world, "a", "1").await;
    until_used(&world, 1, 1).await;
    world.operator.kill();
    gate.open();
    world.operator.start();
    world.until("a", "version 1 is published", published(1)).await;
    until_used(&world, 1, 0).await;
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1);
    // The same with an update.
    let gate = Gate::shut();
    let path = format!("/api/v1/workflows/{}", id(&world.get("a").await));
    standin.faults().add(Rule::on("PUT", &path, Fault::Held(gate.clone())).once());
    apply(&world, "a", "2").await;
    until_used(&world, 2, 1).await;
    world.operator.kill();
    gate.open();
    world.operator.start();
    world.until("a", "version 2 is published", published(2)).await;
    until_used(&world, 2, 0).await;
    // One that n8n refuses certainly is given back.
    let refusal = Fault::Respond { status: 503, content_type: "text/plain".into(), body: "down".into(), headers: vec![] };
    standin.faults().add(Rule::on("PUT", &path, refusal).times(1));
    apply(&world, "a", "3").await;
    world.until("a", "version 3 is published", published(3)).await;
    until_used(&world, 3, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_api_server_nothing_is_sent_unreserved_and_a_lost_settlement_costs_no_more_than_the_reservation() {
    let (standin, mut world) = World::on_stand_in("unsettled", json!({})).await;
    world.quota("team-a", json!({ "deploymentsPerDay": 5 })).await;
    until_used(&world, 0, 0).await;
    let (relay, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
    world.operator.restart_through(&kubeconfig);
    let path = format!("/apis/weirkeeper.dev/v1alpha1/namespaces/{}/workflowquotas/team-a/status", world.namespace);
    relay.hinder(Some((&path, Hindrance::Errors)));
    apply(&world, "a", "1").await;
    let waiting = world.until_reason("a", "Ready", "RequestFailed").await;
    let message = condition(&waiting, "Ready")["message"].as_str().expect("a message");
    assert!(message.contains("write the status of WorkflowQuota team-a"), "{message}");
    assert_eq!(condition(&waiting, "Stalled")["status"], "False");
    assert_eq!(standin.most_at_once().0, 0);

    let gate = Gate::shut();
    standin.faults().add(Rule::on("POST", "/api/v1/workflows", Fault::Held(gate.clone())));
    relay.hinder(None);
    until_used(&world, 1, 1).await;
    relay.hinder(Some((&path, Hindrance::Errors)));
    gate.open();
    world.until("a", "version 1 is published", published(1)).await;
    until_used(&world, 1, 1).await;
    relay.hinder(None);
    // It is settled by a later reconciliation.
    until_used(&world, 1, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_over_begins_anew_and_one_that_is_to_come_does_not() {
    let (standin, world) = World::on_stand_in("days", json!({})).await;
    world.quota("team-a", json!({ "deploymentsPerDay": 1 })).await;
    until_used(&world, 0, 0).await;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let record = async |day: jiff::civil::Date| {
        let status = json!({ "status": { "day": day.to_string(), "used": { "deploymentsPerDay": 1 } } });
        world
            .api("WorkflowQuota")
            .patch_status("team-a", &PatchParams::default(), &Patch::Merge(status))
            .await
            .expect("the API server patches");
    };
    // The clock was moved back since the quota was used.
    let tomorrow = today.checked_add(1.day()).expect("a day");
    record(tomorrow).await;
    apply(&world, "a", "1").await;
    let refused = world.until_reason("a", "Ready", "QuotaExceeded").await;
    let message = condition(&refused, "Ready")["message"].as_str().expect("a message");
    assert!(message.contains(&format!("the day ends at {}T00:00:00Z", tomorrow.tomorrow().expect("a day"))), "{message}");
    assert_eq!(standin.most_at_once().0, 0);
    record(today.checked_sub(1.day()).expect("a day")).await;
    world.until("a", "version 1 is published", published(1)).await;
    let quota = until_used(&world, 1, 0).await;
    assert_eq!(quota["status"]["day"], today.to_string());
}
