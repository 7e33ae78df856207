//! A version is evaluated only by the workflow's own response to a probe, not by a missing one or that of another server.

use serde_json::{Value, json};

use crate::harness::n8n::{answering, id, with_node};
use crate::harness::world::{World, condition, ready};
use crate::standin::{Fault, Rule, StandIn};

const WEBHOOKS: &str = "/webhook/**";

fn path(world: &World) -> String {
    format!("{}/a", world.namespace)
}

/// Returns a health check whose probe expects the number of the published version.
fn probed(expected: &str) -> Value {
    json!({ "probes": [{ "node": "Webhook", "expectedJSON": { "version": expected }, "timeout": "300ms" }] })
}

async fn apply(world: &World, definition: Value, check: Value) {
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": definition, "healthCheck": check })).await;
}

async fn version(world: &World, version: &str) -> Value {
    apply(world, answering(&path(world), version), probed(version)).await;
    world.until_ready("a").await
}

fn rolled_back(object: &Value) -> bool {
    condition(object, "RolledBack")["status"] == "True"
}

/// Unpublishes a workflow as users do, and returns the version that the operator publishes then.
async fn republished(standin: &StandIn, world: &World, id: &str) -> Value {
    standin.ui_unpublish(id);
    let started = std::time::Instant::now();
    loop {
        let workflow = world.n8n.workflow(id).await;
        if workflow["active"] == true {
            return workflow["activeVersionId"].clone();
        }
        assert!(started.elapsed() < crate::harness::world::PATIENCE, "it is not published again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Returns the number of calls of the webhook, without checks.
fn calls(standin: &StandIn, world: &World) -> usize {
    standin.log().count("GET", &format!("/webhook/{}", path(world)))
}

/// Returns a workflow that answers each call with a status of its own choice, by a Respond to Webhook node.
fn responding(path: &str, status: u16) -> Value {
    let mut definition = answering(path, "x");
    definition["nodes"][0]["parameters"]["responseMode"] = json!("responseNode");
    definition["connections"]["Answer"] = json!({ "main": [[{ "node": "Respond", "type": "main", "index": 0 }]] });
    let parameters = json!({ "respondWith": "json", "responseBody": "{\"code\":1}", "options": { "responseCode": status } });
    let respond = json!({ "name": "Respond", "type": "n8n-nodes-base.respondToWebhook", "typeVersion": 1.1, "position": [400, 0], "parameters": parameters });
    with_node(definition, respond)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_another_server_answers_fails_no_version() {
    let (standin, world) = World::on_stand_in("inplace", json!({})).await;
    version(&world, "1").await;
    let faults = [
        Fault::bad_gateway(),
        Fault::retry_after(503, 1),
        Fault::retry_after(429, 1),
        Fault::json(500, "There was a problem executing the workflow"),
        Fault::json(503, "Database is not ready!"),
        Fault::not_registered(),
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::HalfBody,
        Fault::Hang,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let rule = standin.faults().add(Rule::on("GET", WEBHOOKS, fault.clone()).times(2));
        let number = (number + 2).to_string();
        let after = version(&world, &number).await;
        world.n8n.expect_version(&path(&world), number).await;
        assert_eq!(after["status"]["history"][0]["result"].as_str(), Some("Good"), "{fault:?}");
        assert_eq!(standin.faults().fired(rule), 2, "{fault:?}");
        standin.faults().clear();
    }
    let after = world.get("a").await;
    let results: Vec<&Value> = after["status"]["history"].as_array().expect("a history").iter().map(|one| &one["result"]).collect();
    assert!(results.iter().all(|result| **result == "Good"), "{results:?}");
    let events = world.events("a").await;
    assert!(!events.iter().any(|(reason, _)| reason == "RolledBack" || reason == "ProbeFailed"), "{events:?}");
    assert!(events.iter().any(|(reason, note)| reason == "ProbeUnanswered" && note.contains("502")), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_without_a_response_to_its_probe_is_replaced_and_retried() {
    let (standin, world) = World::on_stand_in("nobody", json!({})).await;
    version(&world, "1").await;
    // As without workers: each call waits, whatever the version.
    standin.faults().add(Rule::on("GET", WEBHOOKS, Fault::Hang));
    apply(&world, answering(&path(&world), "2"), probed("2")).await;
    let waits = world.until_reason("a", "Ready", "ProbeUnanswered").await;
    assert_eq!(
        (condition(&waits, "Reconciling")["status"].as_str(), condition(&waits, "Stalled")["status"].as_str()),
        (Some("True"), Some("False"))
    );
    assert_eq!(waits["status"]["activeVersion"], 2, "it is published while it is probed");
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!((&back["status"]["activeVersion"], &back["status"]["history"][0]["reason"]), (&json!(1), &json!("ProbeUnanswered")));
    assert_eq!(
        (condition(&back, "Reconciling")["status"].as_str(), condition(&back, "Stalled")["status"].as_str()),
        (Some("True"), Some("False")),
        "{back:#}"
    );
    assert!(condition(&back, "Ready")["message"].as_str().is_some_and(|message| message.contains("retrying automatically")), "{back:#}");
    // While version 2 waits for its retry, version 1 is reconciled as usual. On a slow machine the wait may end first; the next one is
    // twice as long.
    let mut rests = 1;
    while republished(&standin, &world, &id(&back)).await != back["status"]["history"][1]["n8nVersionId"] {
        assert!(rests < 4, "it is not observed before version 2 is retried");
        rests += 1;
        world.until("a", "version 2 is tried again", |object| object["status"]["activeVersion"] == 2).await;
        world.until("a", "version 1 is published again", |object| object["status"]["activeVersion"] == 1 && rolled_back(object)).await;
    }
    standin.faults().clear();
    // Without an edit, pin or reset.
    let again = world.until("a", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    world.n8n.expect_version(&path(&world), "2").await;
    assert_eq!(&again["status"]["history"][0]["result"], &json!("Good"));
    assert_eq!((&again["status"]["failedDigest"], &again["status"]["failedWith"]), (&Value::Null, &Value::Null));
    assert_eq!(condition(&again, "RolledBack")["status"], "False");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_responds_with_a_wrong_status_fails_at_once() {
    let (standin, world) = World::on_stand_in("itself", json!({})).await;
    version(&world, "1").await;
    for status in [503, 502, 429, 500] {
        let before = calls(&standin, &world);
        apply(&world, responding(&path(&world), status), json!({ "probes": [{ "node": "Webhook" }] })).await;
        let back = world.until_reason("a", "RolledBack", "RolledBack").await;
        let message = back["status"]["history"][0]["message"].as_str().expect("a message").to_owned();
        assert!(message.contains(&format!("HTTP {status}")), "{message}");
        assert_eq!(back["status"]["history"][0]["reason"], "ProbeFailed");
        assert_eq!((calls(&standin, &world) - before, condition(&back, "Stalled")["status"].as_str()), (1, Some("True")));
        version(&world, &format!("after {status}")).await;
    }
    // An expected status passes, whatever it is.
    apply(&world, responding(&path(&world), 503), json!({ "probes": [{ "node": "Webhook", "expectedStatus": 503 }] })).await;
    world.until_ready("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_definition_is_retried_after_its_health_check_was_corrected() {
    let (_standin, world) = World::on_stand_in("corrected", json!({})).await;
    apply(&world, answering(&path(&world), "1"), probed("one")).await;
    let observed = world.until_reason("a", "Ready", "NoGoodVersion").await;
    assert_eq!(
        (condition(&observed, "Stalled")["status"].as_str(), &observed["status"]["history"][0]["reason"]),
        (Some("True"), &json!("ProbeFailed"))
    );
    apply(&world, answering(&path(&world), "1"), probed("1")).await;
    world.until_ready("a").await;
    // With a version to roll back to, and by the rate of failed executions.
    apply(&world, answering(&path(&world), "2"), probed("two")).await;
    world.until_reason("a", "RolledBack", "RolledBack").await;
    apply(&world, answering(&path(&world), "2"), probed("2")).await;
    let two = world.until_ready("a").await;
    world.n8n.expect_version(&path(&world), "2").await;
    assert_eq!(&two["status"]["activeVersion"], &json!(2));
    let fails = json!({ "name": "Fails", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1, "position": [400, 0],
        "parameters": { "errorMessage": "the till is empty" } });
    let mut three = with_node(answering(&path(&world), "3"), fails);
    three["connections"]["Answer"] = json!({ "main": [[{ "node": "Fails", "type": "main", "index": 0 }]] });
    let baking = |allowed: u8| json!({ "bakeTime": "20m", "minimumExecutions": 1, "maximumErrorRate": allowed });
    apply(&world, three.clone(), baking(50)).await;
    world.until("a", "version 3 bakes", |object| object["status"]["activeVersion"] == 3 && ready(object)).await;
    world.n8n.webhook("GET", &path(&world)).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(back["status"]["history"][0]["reason"], "ErrorRateExceeded");
    apply(&world, three, baking(100)).await;
    world.until("a", "version 3 is published", |object| object["status"]["activeVersion"] == 3 && ready(object)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_definition_is_retried_after_the_secret_of_its_probe_was_corrected() {
    let (standin, world) = World::on_stand_in("corrsecret", json!({})).await;
    // Like a webhook that requires another value of the header.
    let wrong = standin.faults().add(Rule::on("GET", WEBHOOKS, Fault::json(403, "Authorization data is wrong!")));
    world.secret("price", "a wrong value").await;
    let header = json!({ "name": "X-Token", "secretKeyRef": { "name": "price", "key": "apiKey" } });
    let check = json!({ "probes": [{ "node": "Webhook", "headers": [header] }] });
    apply(&world, answering(&path(&world), "1"), check).await;
    let observed = world.until_reason("a", "Ready", "NoGoodVersion").await;
    assert_eq!(observed["status"]["history"][0]["reason"], "ProbeFailed", "{observed:#}");
    assert_eq!(standin.faults().fired(wrong), 1, "what failed is not probed again as long as nothing is corrected");
    standin.faults().clear();
    world.secret("price", "the right value").await;
    // Without an edit of the Workflow or a reset: the Secret is read again within a minute or so.
    let good = world.until_ready("a").await;
    assert_eq!((&good["status"]["failedWith"], good["metadata"]["generation"].as_i64()), (&Value::Null, Some(1)));
    let whole = serde_json::to_string(&world.get("a").await).expect("JSON");
    assert!(!whole.contains("right value") && !whole.contains("wrong value"), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_within_a_bake_time_that_ended_unobserved_count() {
    let (_standin, mut world) = World::on_stand_in("unseen", json!({})).await;
    let bake = std::time::Duration::from_secs(15);
    let check = json!({ "bakeTime": "15s", "minimumExecutions": 4, "maximumErrorRate": 20 });
    world
        .workflow("a", json!({ "active": true, "interval": "5m", "definition": answering(&path(&world), "1"), "healthCheck": check }))
        .await;
    let baking = world.until_ready("a").await;
    let published: jiff::Timestamp = baking["status"]["publishedAt"].as_str().expect("a time").parse().expect("a time");
    for _ in 0..4 {
        world.n8n.expect_version(&path(&world), "1").await;
    }
    world.operator.kill();
    let age = || std::time::Duration::try_from(jiff::Timestamp::now().duration_since(published)).unwrap_or_default();
    assert!(age() < bake, "too slow a machine: the executions are not within the bake time");
    while age() < bake + std::time::Duration::from_secs(3) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.operator.start();
    let validated = world.until("a", "it is evaluated", |object| object["status"]["history"][0]["result"] == "Good").await;
    assert_eq!(condition(&validated, "Healthy")["reason"], "Healthy", "{validated:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_to_a_probe_counts_only_if_this_workflow_was_executed() {
    let (standin, world) = World::on_stand_in("countsonly", json!({})).await;
    // Another server sends the expected response.
    let imposter = standin.faults().add(Rule::on("GET", WEBHOOKS, Fault::json(200, "fine")));
    apply(&world, answering(&path(&world), "1"), json!({ "probes": [{ "node": "Webhook", "timeout": "300ms" }] })).await;
    let observed = world.until_reason("a", "Healthy", "ProbeUnanswered").await;
    let message = condition(&observed, "Healthy")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("no execution of this workflow") && message.contains("spec.executionsSaved"), "{message}");
    assert!(standin.faults().fired(imposter) > 0 && condition(&observed, "Ready")["status"] != "True", "{observed:#}");
    standin.faults().clear();
    world.until_ready("a").await;
    // If n8n keeps no executions of it, nothing can be verified, and the response counts.
    standin.faults().add(Rule::on("GET", WEBHOOKS, Fault::json(200, "fine")));
    let mut unsaved = answering(&path(&world), "2");
    unsaved["settings"]["saveDataSuccessExecution"] = json!("none");
    apply(&world, unsaved, json!({ "probes": [{ "node": "Webhook", "timeout": "300ms" }] })).await;
    world.until("a", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
}
