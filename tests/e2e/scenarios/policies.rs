//! WorkflowPolicies, enforced by the controllers alone: each rule, and what a rule does that comes after a version was published.

use serde_json::{Value, json};

use crate::harness::n8n::{answering, id, with_node};
use crate::harness::world::{World, condition, ready};

async fn policy(world: &World, name: &str, spec: Value) {
    world
        .apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": name }, "spec": spec }))
        .await;
}

/// Waits until a policy denies a Workflow, with a message that has all the parts.
async fn denied(world: &World, name: &str, parts: &[&str]) -> Value {
    let reported = |object: &Value| {
        let stalled = condition(object, "Stalled");
        let message = stalled["message"].as_str().unwrap_or_default();
        stalled["status"] == "True" && stalled["reason"] == "PolicyDenied" && parts.iter().all(|part| message.contains(part))
    };
    world.until(name, &format!("a policy denies it and says {parts:?}"), reported).await
}

fn called(path: &str) -> Value {
    answering(path, "1")
}

fn http(url: &str) -> Value {
    json!({ "name": "Fetch", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [600, 0], "parameters": { "url": url, "options": {} } })
}

fn every(minutes: u64) -> Value {
    json!({ "name": "Often", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 300],
        "parameters": { "rule": { "interval": [{ "field": "minutes", "minutesInterval": minutes }] } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_rule_never_reaches_n8n_and_the_condition_says_what_to_change() {
    let (standin, world) = World::on_stand_in("rules", json!({})).await;
    let prefix = world.namespace.clone();
    policy(
        &world,
        "house-rules",
        json!({ "deniedNodeTypes": ["n8n-nodes-base.executeCommand"], "allowedHosts": ["*.example.com"],
            "webhookPathPrefix": prefix, "minimumScheduleInterval": "10m", "maximumNodes": 4 }),
    )
    .await;
    let path = |name: &str| format!("{prefix}/{name}");
    let command = json!({ "name": "Run", "type": "n8n-nodes-base.executeCommand", "typeVersion": 1, "position": [600, 0],
        "parameters": { "command": "date" } });
    let noop =
        |name: &str| json!({ "name": name, "type": "n8n-nodes-base.noOp", "typeVersion": 1, "position": [600, 0], "parameters": {} });
    let many = with_node(with_node(with_node(called(&path("f")), noop("A")), noop("B")), noop("C"));
    for (name, definition, parts) in [
        ("a", with_node(called(&path("a")), command), &["node \"Run\"", "denies node type \"n8n-nodes-base.executeCommand\""][..]),
        (
            "b",
            with_node(called(&path("b")), http("https://api.example.net/")),
            &["node \"Fetch\"", "does not allow host \"api.example.net\""],
        ),
        ("c", with_node(called(&path("c")), http("={{ $json.body.url }}")), &["only known at run time"]),
        ("d", called("elsewhere/d"), &["requires a path that begins with", "did you mean"]),
        ("e", with_node(called(&path("e")), every(5)), &["limits how often", "at least 10m"]),
        ("f", many, &["limits the number of nodes", "at most 4"]),
    ] {
        world.workflow(name, json!({ "active": true, "definition": definition })).await;
        let object = denied(&world, name, &[&["WorkflowPolicy house-rules"], parts].concat()).await;
        let validated = condition(&object, "Validated");
        assert_eq!((&validated["status"], &validated["reason"]), (&json!("False"), &json!("PolicyDenied")), "{object:#}");
        assert_eq!(validated["message"], condition(&object, "Stalled")["message"], "one wording");
        assert_eq!((&object["status"]["n8nWorkflowId"], &object["status"]["history"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(standin.log().writes().len(), 0, "nothing was sent");
    // A Workflow that meets the rules is deployed beside them.
    let fine = with_node(with_node(called(&path("g")), http("=https://api.example.com/{{ $json.body.id }}")), every(10));
    world.workflow("g", json!({ "active": true, "definition": fine })).await;
    world.until_ready("g").await;
    world.until_kind("WorkflowPolicy", "house-rules", "it counts what it denies", |policy| policy["status"]["denied"] == 6).await;
    // A change of the policy is noticed at once; an edit of a Workflow is not needed.
    policy(&world, "house-rules", json!({ "allowedHosts": ["*.example.com"], "unknownHosts": "Warn" })).await;
    for name in ["a", "c", "d", "e", "f"] {
        world.until_ready(name).await;
    }
    let warned = world.get("c").await;
    let message = condition(&warned, "Validated")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("warning") && message.contains("only known at run time"), "{message}");
    world.until_kind("WorkflowPolicy", "house-rules", "one is left", |policy| policy["status"]["denied"] == 1).await;
    world.api("WorkflowPolicy").delete("house-rules", &Default::default()).await.expect("it is deleted");
    world.until_ready("b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_rule_leaves_what_is_published_and_holds_its_next_version() {
    let world = World::on_real_n8n("laterrule").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": answering(&path, "1") })).await;
    let object = world.until_ready("a").await;
    policy(&world, "no-answers", json!({ "deniedNodeTypes": ["n8n-nodes-base.set"] })).await;
    denied(&world, "a", &["no-answers", "n8n-nodes-base.set"]).await;
    world.n8n.expect_version(&path, "1").await;
    // It is still watched: an edit in n8n is reverted.
    world.n8n.edit(&id(&object), true, |workflow| crate::harness::n8n::set_value(workflow, "drifted")).await;
    world.until_event("a", "DriftReverted", "").await;
    world.n8n.expect_version(&path, "1").await;
    // A new version that breaks the rule is not sent, and one that meets it is.
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": answering(&path, "2") })).await;
    let generation = world.get("a").await["metadata"]["generation"].clone();
    world
        .until("a", "the edit is denied", |object| {
            object["status"]["observedGeneration"] == generation && condition(object, "Stalled")["reason"] == "PolicyDenied"
        })
        .await;
    world.n8n.expect_version(&path, "1").await;
    // A pinned version is evaluated, too, and the rule can be lifted.
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    denied(&world, "a", &["version 1, which is pinned", "no-answers"]).await;
    world.annotate("Workflow", "a", "pinned-version", Value::Null).await;
    world.api("WorkflowPolicy").delete("no-answers", &Default::default()).await.expect("it is deleted");
    // The edit in n8n was stored as version 2; what was denied had no number.
    world.until("a", "version 3 is ready", |object| ready(object) && object["status"]["activeVersion"] == 3).await;
    world.n8n.expect_version(&path, "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_with_enforce_running_unpublishes_and_its_end_publishes_again() {
    let world = World::on_real_n8n("running").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "interval": "1s", "driftPolicy": "Report", "definition": answering(&path, "1") })).await;
    let object = world.until_ready("a").await;
    let rules = |enforce: &str| json!({ "deniedNodeTypes": ["n8n-nodes-base.set"], "enforce": enforce });
    policy(&world, "no-answers", rules("Deployment")).await;
    denied(&world, "a", &["no-answers"]).await;
    world.n8n.expect_version(&path, "1").await;
    policy(&world, "no-answers", rules("Running")).await;
    let stalled = denied(&world, "a", &["no-answers", "not published (enforce: Running)"]).await;
    world.n8n.expect_no_workflow(&path).await;
    assert_eq!(world.n8n.workflow(&id(&object)).await["active"], false);
    assert_eq!(
        (condition(&stalled, "Ready")["status"].as_str(), &stalled["status"]["webhookURLs"]),
        (Some("False"), &Value::Null),
        "{stalled:#}"
    );
    world.until_event("a", "PolicyDenied", "unpublished").await;
    // Somebody publishes it in n8n: it is unpublished again.
    let published = world.n8n.api("POST", &format!("/workflows/{}/activate", id(&object)), None).await;
    assert_eq!(published.status, 200, "{}", published.text);
    world.n8n.expect_no_workflow_soon(&path).await;
    // A version that meets the rule goes live, although drift is only reported.
    policy(&world, "no-answers", json!({ "deniedNodeTypes": ["n8n-nodes-base.executeCommand"], "enforce": "Running" })).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_version_is_not_rolled_back_to_one_that_a_policy_denies() {
    let world = World::on_real_n8n("nogoback").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    let command = json!({ "deniedNodeTypes": ["n8n-nodes-base.set"] });
    let plain = json!({ "nodes": [{ "name": "In", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
        "webhookId": uuid(&path), "parameters": { "path": path, "httpMethod": "GET", "responseMode": "onReceived", "options": {} } }],
        "connections": {} });
    policy(&world, "no-answers", command).await;
    denied(&world, "a", &["no-answers"]).await;
    let check = json!({ "probes": [{ "node": "In", "expectedStatus": 418 }] });
    world.workflow("a", json!({ "active": true, "interval": "1s", "healthCheck": check, "definition": plain })).await;
    denied(&world, "a", &["version 1", "no-answers", "n8n-nodes-base.set"]).await;
    let object = world.get("a").await;
    assert_eq!(object["status"]["history"][0]["result"], "Failed", "{object:#}");
    // Once the rule is gone, the rollback follows.
    world.api("WorkflowPolicy").delete("no-answers", &Default::default()).await.expect("it is deleted");
    world.until_reason("a", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path, "1").await;
}

/// Returns a webhook id for a path.
fn uuid(path: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, path.as_bytes()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_says_what_is_doubtful_about_itself_and_the_api_server_refuses_what_is_no_policy() {
    let (_standin, world) = World::on_stand_in("doubts", json!({})).await;
    policy(&world, "misspelt", json!({ "deniedNodeTypes": ["n8n-nodes-base.executeComand"] })).await;
    let doubtful =
        world.until_kind("WorkflowPolicy", "misspelt", "it is observed", |policy| policy["status"]["observedGeneration"] == 1).await;
    let message = condition(&doubtful, "Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("matches no node type") && message.contains("did you mean \"n8n-nodes-base.executeCommand\"?"), "{message}");
    // Nothing could be used under this one, and without a webhook it is stored.
    policy(&world, "contradiction", json!({ "allowedNodeTypes": ["n8n-nodes-base.set"], "deniedNodeTypes": ["n8n-nodes-base.*"] })).await;
    let observed = |policy: &Value| policy["status"]["observedGeneration"] == 1;
    let contradicts = world.until_kind("WorkflowPolicy", "contradiction", "it is observed", observed).await;
    let message = condition(&contradicts, "Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(
        message.contains("\"n8n-nodes-base.set\" of allowedNodeTypes allows nothing, because deniedNodeTypes denies all of it"),
        "{message}"
    );
    world.workflow("a", json!({ "definition": called("a") })).await;
    denied(&world, "a", &["WorkflowPolicy contradiction denies node type"]).await;
    for (spec, part) in [
        (json!({ "maximumNodes": 0 }), "maximumNodes"),
        (json!({ "unknownHosts": "Maybe" }), "unknownHosts"),
        (json!({ "minimumScheduleInterval": "soon" }), "minimumScheduleInterval"),
        (json!({ "webhookPathPrefix": "/team-a/" }), "webhookPathPrefix"),
    ] {
        let object =
            json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": "bad" }, "spec": spec });
        let refused = world.try_apply(object).await.expect_err("it is refused").to_string();
        assert!(refused.contains(part), "{refused}");
    }
}
