//! Drift, deletion, credentials, references, health and suspension on the real n8n.

use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id, set_value, with_node};
use crate::harness::world::{World, condition, current, ready};

fn path(world: &World, name: &str) -> String {
    format!("{}/{name}", world.namespace)
}

async fn applied(world: &World, name: &str, version: &str, more: Value) -> Value {
    let mut spec = json!({ "active": true, "interval": "2s", "definition": answering(&path(world, name), version) });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow(name, spec).await;
    world.until_ready(name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_n8n_is_stored_and_reverted() {
    let world = World::on_real_n8n("drift").await;
    let first = applied(&world, "a", "1", json!({ "tags": ["ours"] })).await;
    let id = id(&first);
    // Published content: reverted, stored as a version, reported by node and field and never by value.
    world.n8n.edit(&id, true, |workflow| set_value(workflow, "sensitive-words")).await;
    let reverted =
        world.until("a", "the edit was undone", |object| condition(object, "Drifted")["reason"] == "DriftReverted" && ready(object)).await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    assert_eq!(reverted["status"]["history"][0]["source"], "Drift");
    let message = condition(&reverted, "Drifted")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("Answer") && message.contains("parameters.assignments"), "{message}");
    let events = world.until_event("a", "DriftReverted", "Answer").await;
    assert!(!format!("{reverted}{events:?}").contains("sensitive-words"), "values never leave n8n");
    // An unpublished draft: reported, Ready stays, nothing is written.
    world.n8n.edit(&id, false, |workflow| set_value(workflow, "draft")).await;
    let drafted = world.until_reason("a", "Drifted", "DraftEdited").await;
    assert!(ready(&drafted));
    assert_eq!(world.n8n.workflow(&id).await["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"], "draft");
    // The next real change replaces it.
    applied(&world, "a", "2", json!({ "tags": ["ours"] })).await;
    world.n8n.expect_version(&path(&world, "a"), "2").await;
    // Unpublished, renamed, archived.
    world.n8n.api("POST", &format!("/workflows/{id}/unpublish"), None).await;
    world
        .until("a", "it is published again", |object| {
            condition(object, "Drifted")["message"].as_str().is_some_and(|message| message.contains("unpublished"))
        })
        .await;
    world.until_ready("a").await;
    world.n8n.edit(&id, true, |workflow| workflow["name"] = json!("Renamed")).await;
    world
        .until("a", "it has its name again", |object| {
            condition(object, "Drifted")["message"].as_str().is_some_and(|message| message.contains("reverted: name"))
        })
        .await;
    world.until_ready("a").await;
    assert_eq!(world.n8n.workflow(&id).await["name"], format!("Answers {}", path(&world, "a")));
    world.n8n.api("POST", &format!("/workflows/{id}/archive"), None).await;
    world
        .until("a", "it is back from the archive", |object| {
            condition(object, "Drifted")["message"].as_str().is_some_and(|message| message.contains("archived"))
        })
        .await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path(&world, "a"), "2").await;
    // One more change within the hour is contested drift, and is left.
    world.n8n.edit(&id, true, |workflow| set_value(workflow, "insisting")).await;
    let mut last = world
        .until("a", "it is undone or contested", |object| {
            let drifted = condition(object, "Drifted");
            // Between the two halves of n8n's PUT, a saved draft and its publication, it looks like a draft that a user edited.
            drifted["reason"] != "DraftEdited" && drifted["message"].as_str().is_some_and(|message| message.contains("Answer"))
        })
        .await;
    if condition(&last, "Drifted")["reason"] != "DriftContested" {
        world.n8n.edit(&id, true, |workflow| set_value(workflow, "insisting more")).await;
        last = world.until_reason("a", "Drifted", "DriftContested").await;
    }
    assert_eq!(condition(&last, "Drifted")["status"], "True");
    assert_eq!(condition(&world.until_reason("a", "Ready", "DriftContested").await, "Stalled")["status"], "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policies_report_and_ignore_leave_a_change_in_n8n() {
    let world = World::on_real_n8n("report").await;
    for (name, policy, reason) in [("report", "Report", "DriftReported"), ("ignore", "Ignore", "DriftIgnored")] {
        let id = id(&applied(&world, name, "1", json!({ "driftPolicy": policy })).await);
        world.n8n.edit(&id, true, |workflow| set_value(workflow, "theirs")).await;
        let left = world.until_reason(name, "Drifted", reason).await;
        assert_eq!(ready(&left), policy == "Ignore", "{left:#}");
        world.n8n.expect_version(&path(&world, name), "theirs").await;
        // The next version replaces it all the same.
        applied(&world, name, "2", json!({ "driftPolicy": policy })).await;
        world.n8n.expect_version(&path(&world, name), "2").await;
    }
    // Without `active`, publication is not managed.
    world.workflow("manual", json!({ "interval": "2s", "definition": answering(&path(&world, "manual"), "1") })).await;
    let manual = id(&world.until_ready("manual").await);
    world.n8n.api("POST", &format!("/workflows/{manual}/publish"), Some(json!({}))).await;
    world.annotate("Workflow", "manual", "requested-at", json!("1")).await;
    let after = world.until("manual", "it was reconciled", |object| object["status"]["lastHandledRequestedAt"] == "1").await;
    assert!(ready(&after));
    world.n8n.expect_version(&path(&world, "manual"), "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_follows_the_policy_and_ends_without_n8n() {
    let world = World::on_real_n8n("deletion").await;
    for policy in ["Delete", "Archive", "Deactivate", "Retain"] {
        let name = policy.to_lowercase();
        let id = id(&applied(&world, &name, "1", json!({ "deletionPolicy": policy })).await);
        world.delete(&name).await;
        let left = world.n8n.workflow(&id).await;
        assert!(world.n8n.marked(&world.namespace, &name).await.is_empty(), "{policy}: the mark is released");
        match policy {
            "Delete" => assert_eq!(left["message"], "Not Found"),
            "Archive" => assert_eq!(left["isArchived"], true),
            "Deactivate" => assert_eq!((&left["active"], &left["isArchived"]), (&json!(false), &json!(false))),
            _ => {
                assert_eq!(left["active"], true);
                world.n8n.expect_version(&path(&world, &name), "1").await;
            }
        }
        world.n8n.delete(&id).await;
    }
    // Suspended, with a definition that is no longer valid, and without its Secret.
    let id = id(&applied(&world, "hard", "1", json!({})).await);
    let mut broken = answering(&path(&world, "hard"), "2");
    broken["nodes"][1]["name"] = json!("Webhook");
    world.workflow("hard", json!({ "active": true, "suspend": true, "definition": broken })).await;
    world.until("hard", "it is suspended", |object| current(object) && condition(object, "Ready")["reason"] == "Suspended").await;
    world.api("Secret").delete("main-key", &DeleteParams::default()).await.expect("the API server deletes");
    world.delete("hard").await;
    assert_eq!(world.n8n.workflow(&id).await["message"], "Not Found");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_namespace_deletes_its_workflows_in_n8n() {
    let world = World::on_real_n8n("whole").await;
    for name in ["a", "b", "c"] {
        applied(&world, name, "1", json!({})).await;
    }
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.admin.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.expect("the API server deletes");
    let started = std::time::Instant::now();
    while namespaces.get_opt(&world.namespace).await.expect("the API server answers").is_some() {
        assert!(started.elapsed() < crate::harness::world::PATIENCE, "the namespace hangs\n{}", world.operator.tail());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for name in ["a", "b", "c"] {
        assert!(world.n8n.marked(&world.namespace, name).await.is_empty(), "{name} is left behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_exactly_mapped_credentials_are_sent() {
    let world = World::on_real_n8n("credentials").await;
    let credential = async |name: &str| {
        let data = json!({ "user": "u", "password": format!("{:x}", crate::harness::stack::rand()) });
        let made = world.n8n.api("POST", "/credentials", Some(json!({ "name": name, "type": "httpBasicAuth", "data": data }))).await;
        made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
    };
    let title = format!("Basic {}", world.namespace);
    let mut definition = answering(&path(&world, "a"), "1");
    definition["nodes"][0]["parameters"]["authentication"] = json!("basicAuth");
    definition["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "From elsewhere" } });
    let spec = |mapping: Value| json!({ "active": true, "interval": "2s", "credentials": mapping, "definition": definition });
    // A credential of the type exists, and n8n would bind it.
    let decoy = credential("Decoy").await;
    world.workflow("a", spec(json!([]))).await;
    let unmapped = world.until_reason("a", "CredentialsReady", "CredentialUnmapped").await;
    assert_eq!(condition(&unmapped, "Stalled")["status"], "True");
    assert_eq!(unmapped["status"]["requiredCredentials"][0]["state"], "Missing");
    let id = id(&unmapped);
    assert!(world.n8n.workflow(&id).await["nodes"][0]["credentials"].is_null(), "it is never sent");
    let by_name = json!([{ "name": "From elsewhere", "existing": { "name": title } }]);
    world.workflow("a", spec(by_name.clone())).await;
    world.until_reason("a", "CredentialsReady", "CredentialNotFound").await;
    let first = credential(&title).await;
    world.until_ready("a").await;
    assert_eq!(world.n8n.workflow(&id).await["nodes"][0]["credentials"]["httpBasicAuth"]["id"], json!(first));
    let second = credential(&title).await;
    world
        .workflow(
            "a",
            json!({ "active": true, "interval": "2s", "displayName": "Other", "credentials": by_name, "definition": definition }),
        )
        .await;
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    // The list is cached for a minute if everything is found in it; an id is never ambiguous.
    world.workflow("a", spec(json!([{ "name": "From elsewhere", "type": "httpBasicAuth", "existing": { "id": second } }]))).await;
    world.until("a", "the second one is bound", |object| ready(object) && object["status"]["activeVersion"] != 1 && current(object)).await;
    assert_eq!(world.n8n.workflow(&id).await["nodes"][0]["credentials"]["httpBasicAuth"]["id"], json!(second));
    // A fresh list shows that the name is not sufficient.
    let mut again = World::on_real_n8n("ambiguous").await;
    again.operator.start();
    let mut other = definition.clone();
    other["nodes"][0]["parameters"]["path"] = json!(path(&again, "b"));
    again.workflow("b", json!({ "active": true, "credentials": by_name, "definition": other })).await;
    let ambiguous = again.until_reason("b", "CredentialsReady", "CredentialAmbiguous").await;
    assert!(condition(&ambiguous, "Ready")["message"].as_str().unwrap().contains("map by id"));
    for id in [decoy, first, second] {
        world.n8n.api("DELETE", &format!("/credentials/{id}"), None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_updated_when_a_workflow_that_they_call_gets_another_id() {
    let world = World::on_real_n8n("references").await;
    let call = json!({ "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [400, 0],
        "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": "CHILD" }, "options": {} } });
    let mut parent = with_node(answering(&path(&world, "parent"), "1"), call);
    parent["connections"]["Answer"] = json!({ "main": [[{ "node": "Call", "type": "main", "index": 0 }]] });
    let references = |name: &str| json!([{ "id": "CHILD", "workflowRef": { "name": name } }]);
    // The caller is applied first and waits.
    world.workflow("parent", json!({ "active": true, "references": references("child"), "definition": parent })).await;
    world.until_reason("parent", "Ready", "ReferenceNotFound").await;
    let child = json!({ "name": "child", "nodes": [{ "name": "In", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {} }],
        "connections": {}, "settings": {} });
    world.workflow("child", json!({ "active": true, "definition": child })).await;
    let called = id(&world.until_ready("child").await);
    let caller = world.until_ready("parent").await;
    let observed = world.n8n.workflow(&id(&caller)).await;
    assert_eq!(observed["nodes"][2]["parameters"]["workflowId"]["value"], json!(called));
    assert_eq!(world.n8n.webhook("GET", &path(&world, "parent")).await.status, 200);
    // Another id of the same Workflow creates no new version.
    world.n8n.delete(&called).await;
    world.annotate("Workflow", "child", "requested-at", json!("1")).await;
    let renewed = id(&world
        .until("child", "it is created again", |object| {
            ready(object) && object["status"]["n8nWorkflowId"].as_str().is_some_and(|id| id != called)
        })
        .await);
    let started = std::time::Instant::now();
    while world.n8n.workflow(&id(&caller)).await["nodes"][2]["parameters"]["workflowId"]["value"] != json!(renewed) {
        assert!(started.elapsed() < crate::harness::world::PATIENCE, "the caller keeps the old id\n{}", world.operator.tail());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(world.until_ready("parent").await["status"]["activeVersion"], caller["status"]["activeVersion"]);
    // A reference cycle is reported with its members.
    world.workflow("child", json!({ "active": true, "references": references("parent"), "definition": with_node(child, json!({ "name": "Back",
        "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [0, 300], "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": "CHILD" } } })) })).await;
    let ring = world.until_reason("child", "Ready", "ReferenceCycle").await;
    assert!(condition(&ring, "Ready")["message"].as_str().unwrap().contains("child -> parent -> child"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_executions_fail_is_rolled_back_and_the_failing_node_is_named() {
    let world = World::on_real_n8n("health").await;
    let check = json!({ "bakeTime": "1m", "minimumExecutions": 3, "maximumErrorRate": 50 });
    applied(&world, "a", "1", json!({ "healthCheck": { "bakeTime": "1s", "minimumExecutions": 1 } })).await;
    world.until("a", "version 1 is good", |object| object["status"]["history"][0]["result"] == "Good").await;
    let fails = json!({ "name": "Fails", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1, "position": [400, 0], "parameters": { "errorMessage": "the till is empty" } });
    let mut bad = with_node(answering(&path(&world, "a"), "2"), fails);
    bad["connections"]["Answer"] = json!({ "main": [[{ "node": "Fails", "type": "main", "index": 0 }]] });
    world.workflow("a", json!({ "active": true, "interval": "2s", "healthCheck": check, "definition": bad })).await;
    let baking = world.until_reason("a", "Healthy", "Baking").await;
    assert!(ready(&baking), "bake time does not hold Ready up");
    let id = id(&baking);
    let before = world.n8n.workflow(&id).await;
    world.n8n.answers(&path(&world, "a"), 500).await;
    for _ in 0..4 {
        world.n8n.webhook("GET", &path(&world, "a")).await;
    }
    assert_eq!(world.n8n.workflow(&id).await["updatedAt"], before["updatedAt"], "watching never writes");
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    assert_eq!(back["status"]["history"][0]["reason"], "ErrorRateExceeded");
    assert_eq!(back["status"]["lastFailure"]["node"], "Fails");
    assert!(back["status"]["lastFailure"]["message"].as_str().unwrap().contains("the till is empty"));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspension_pins_and_webhook_paths_work_as_documented() {
    let world = World::on_real_n8n("lifecycle").await;
    // Suspended and unchanged: Ready stays, and nothing is sent to n8n.
    let one = applied(&world, "a", "1", json!({})).await;
    let definition = answering(&path(&world, "a"), "1");
    world.workflow("a", json!({ "active": true, "interval": "2s", "suspend": true, "definition": definition })).await;
    let suspended =
        world.until("a", "it is suspended", |object| current(object) && condition(object, "Ready")["reason"] == "Suspended").await;
    assert_eq!(condition(&suspended, "Ready")["status"], "True");
    world
        .workflow("a", json!({ "active": true, "interval": "2s", "suspend": true, "definition": answering(&path(&world, "a"), "2") }))
        .await;
    let changed = world.until("a", "the change is seen", |object| current(object) && condition(object, "Ready")["status"] == "False").await;
    assert_eq!(condition(&changed, "Stalled")["status"], "False");
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    let two = applied(&world, "a", "2", json!({})).await;
    world.n8n.expect_version(&path(&world, "a"), "2").await;
    assert_eq!(&two["status"]["activeVersion"], &json!(2));
    // A pin publishes a stored version; new definitions are numbered and not sent.
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    world.until("a", "version 1 is published", |object| object["status"]["activeVersion"] == 1 && ready(object)).await;
    world.workflow("a", json!({ "active": true, "interval": "2s", "definition": answering(&path(&world, "a"), "3") })).await;
    let pinned = world.until("a", "version 3 is numbered", |object| object["status"]["history"][0]["version"] == 3 && ready(object)).await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    assert_eq!(&pinned["status"]["activeVersion"], &json!(1));
    world.annotate("Workflow", "a", "pinned-version", json!("9")).await;
    let missing = world.until_reason("a", "Ready", "VersionNotFound").await;
    assert!(condition(&missing, "Ready")["message"].as_str().unwrap().contains("3, 2, 1"));
    world.annotate("Workflow", "a", "pinned-version", Value::Null).await;
    world.until("a", "version 3 is published", |object| object["status"]["activeVersion"] == 3 && ready(object)).await;
    assert_eq!(one["status"]["n8nWorkflowId"], pinned["status"]["n8nWorkflowId"]);
    // A path has one owner; the other is published without intervention when it is free.
    world.workflow("competitor", json!({ "active": true, "definition": answering(&path(&world, "a"), "competitor") })).await;
    let waiting = world.until_reason("competitor", "Ready", "WebhookPathTaken").await;
    assert_eq!(condition(&waiting, "Stalled")["status"], "False");
    world.delete("a").await;
    world.until_ready("competitor").await;
    world.n8n.expect_version(&path(&world, "a"), "competitor").await;
    // An export of n8n can be pasted unchanged.
    let export = world.n8n.workflow(&id(&world.get("competitor").await)).await;
    let version = world.get("competitor").await["status"]["activeVersion"].clone();
    world.workflow("competitor", json!({ "active": true, "definition": export })).await;
    assert_eq!(world.until_ready("competitor").await["status"]["activeVersion"], version, "an export of itself is no new version");
}
