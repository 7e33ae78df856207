//! Callers of sub-workflows, on the real n8n: only the Workflows that refer to it, and no unmanaged workflow.

use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::world::{World, ready};

/// Returns a workflow that others call, which answers with a word.
fn callee(word: &str) -> Value {
    let mut definition = answering("x", word);
    definition["nodes"][0] = json!({ "name": "Webhook", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1.1,
        "position": [0, 0], "parameters": { "inputSource": "passthrough" } });
    definition
}

/// Returns a workflow that answers GET on a path with the result of another workflow.
fn calling(path: &str, callee: &str) -> Value {
    let mut definition = answering(path, "x");
    definition["nodes"][1] = json!({ "name": "Answer", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [200, 0],
        "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": callee }, "options": {} } });
    definition
}

async fn unmanaged(world: &World, definition: Value) -> String {
    let made = world.n8n.api("POST", "/workflows", Some(definition)).await;
    let id = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    assert_eq!(world.n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await.status, 200);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn only_workflows_that_reference_a_workflow_may_call_it() {
    let world = World::on_real_n8n("callers").await;
    let (path, other, foreign) = (format!("{}/a", world.namespace), format!("{}/b", world.namespace), format!("{}/u", world.namespace));
    let references = json!([{ "id": "CHILD", "workflowRef": { "name": "child" } }]);
    let parent = |path: &str| json!({ "active": true, "interval": "2s", "definition": calling(path, "CHILD"), "references": references });
    // Both at once: the parent waits until the child accepts it as a caller.
    world.workflow("parent", parent(&path)).await;
    world.workflow("child", json!({ "active": true, "interval": "2s", "definition": callee("1") })).await;
    world.until_ready("parent").await;
    world.n8n.expect_version(&path, "1").await;
    let child = id(&world.until_ready("child").await);
    // A workflow that a user created in n8n, with the same owner.
    let stranger = unmanaged(&world, calling(&foreign, &child)).await;
    world.n8n.answers(&foreign, 500).await;
    // One more Workflow that refers to it is accepted; the first stays.
    world.workflow("second", parent(&other)).await;
    world.until_ready("second").await;
    for path in [&other, &path] {
        world.n8n.expect_version(path, "1").await;
    }
    // Callers that people add in n8n stay too, through the next version, and are no drift.
    world
        .n8n
        .edit(&child, false, |workflow| {
            let ids = workflow["settings"]["callerIds"].as_str().expect("a list").to_owned();
            workflow["settings"] = json!({ "callerIds": format!("{ids},{stranger}") });
        })
        .await;
    world.n8n.expect_version(&foreign, "1").await;
    world.workflow("child", json!({ "active": true, "interval": "2s", "definition": callee("2") })).await;
    let after = world.until("child", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    assert_eq!(crate::harness::world::condition(&after, "Drifted")["status"], "False", "{after:#}");
    for path in [&foreign, &other, &path] {
        world.n8n.expect_version(path, "2").await;
    }
    // The policy of the author takes precedence.
    let mut open = callee("3");
    open["settings"]["callerPolicy"] = json!("workflowsFromSameOwner");
    world.workflow("open", json!({ "active": true, "interval": "2s", "definition": open })).await;
    let open = world.until_ready("open").await;
    assert!(open["status"]["callers"].is_null(), "{open:#}");
    let call = unmanaged(&world, calling(&format!("{foreign}2"), &id(&open))).await;
    world.n8n.expect_version(&format!("{foreign}2"), "3").await;
    for id in [stranger, call] {
        world.n8n.api("POST", &format!("/workflows/{id}/unpublish"), None).await;
        world.n8n.api("DELETE", &format!("/workflows/{id}"), None).await;
    }
}
