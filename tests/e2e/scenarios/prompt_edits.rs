//! Changes of workflows by prompts on the real n8n: what is not asked for stays byte for byte, and the model reads the conversation.

use serde_json::{Value, json};

use super::prompt_repairs::changing;
use super::prompts::{answering, for_a_model, prompt, provider, said};
use crate::harness::n8n::id;
use crate::harness::world::{World, condition, ready};
use crate::model::{Asked, ModelServer, complete};

fn saying(answer: &str) -> String {
    let node = json!({ "id": "n2", "use": "set", "as": "Answer", "set": { "assignments": [{ "answer": answer }] } });
    changing(json!([node]), json!([]), Value::Null)
}

/// Returns the nodes of a workflow in n8n as text, without one of them.
fn others(workflow: &Value, changed: &str) -> Vec<String> {
    workflow["nodes"].as_array().expect("nodes").iter().filter(|node| node["name"] != changed).map(Value::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_prompt_changes_one_node_in_n8n_and_the_model_reads_what_was_said_and_edited_before() {
    let world = World::on_real_n8n("prompt-edit").await;
    let path = format!("{}/widgets", world.namespace);
    let first = said(answering(&path, "seven"));
    let server = ModelServer::completing(move |asked: &Asked| {
        let text = if asked.body.contains("Say it louder") { saying("SEVEN") } else { first.clone() };
        complete(asked, &text)
    });
    provider(&world, &server).await;
    let more = json!({ "providerRef": { "name": "models" }, "approval": "Automatic" });
    let long = format!("{} It is meant for {}and nobody else", for_a_model(&path), "the people of the night shift, ".repeat(12));
    prompt(&world, "widgets", &long, more.clone()).await;
    world.until_kind("WorkflowPrompt", "widgets", "it is Ready", ready).await;
    let workflow = world.until_ready("widgets").await;
    let before = world.n8n.workflow(&id(&workflow)).await;

    // Somebody edits the answer in n8n; the edit is stored and reverted.
    world
        .n8n
        .edit(&id(&workflow), true, |workflow| {
            let nodes = workflow["nodes"].as_array_mut().expect("nodes");
            let answer = nodes.iter_mut().find(|node| node["name"] == "Answer").expect("the node");
            answer["parameters"]["assignments"]["assignments"][0]["value"] = json!("octopus");
        })
        .await;
    world.annotate("Workflow", "widgets", "requested-at", json!("1")).await;
    let reverted = |object: &Value| object["status"]["history"].to_string().contains("Drift") && ready(object);
    world.until("widgets", "the edit is stored and reverted", reverted).await;

    prompt(&world, "widgets", "Say it louder.", more).await;
    let louder = |object: &Value| ready(object) && object["status"]["history"].as_array().map(Vec::len) == Some(2);
    let done = world.until_kind("WorkflowPrompt", "widgets", "the change is live", louder).await;
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["answer"], "SEVEN");
    let after = world.n8n.workflow(&id(&workflow)).await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(others(&after, "Answer"), others(&before, "Answer"), "nodes that nobody asked to change");
    for part in ["connections", "settings", "name"] {
        assert_eq!(after[part].to_string(), before[part].to_string(), "{part}");
    }
    let answer =
        |workflow: &Value| workflow["nodes"].as_array().expect("nodes").iter().find(|node| node["name"] == "Answer").cloned().expect("it");
    for part in ["id", "position", "typeVersion"] {
        assert_eq!(answer(&after)[part], answer(&before)[part], "{part}");
    }
    // The whole earlier prompt, what it led to, and the edit that was made in n8n.
    let asked = server.completions().pop().expect("a question").body;
    for part in [long.as_str(), "made and deployed: It is started by", "a person changed in n8n, which was reverted: node"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(!asked.contains("octopus"), "values of edits are not sent");
    assert_eq!(done["status"]["usage"]["attempts"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_of_its_own_begins_with_another_one_which_may_go_later() {
    let world = World::on_real_n8n("prompt-base").await;
    let base = json!({ "name": "Night report", "nodes": [
        { "id": "0f6e6f0e-aaaa-4bbb-8ccc-000000000001", "name": "Nightly", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2,
          "position": [-400, 33], "notes": "do not touch",
          "parameters": { "rule": { "interval": [{ "field": "cronExpression", "expression": "0 3 * * *" }] } } },
        { "id": "0f6e6f0e-aaaa-4bbb-8ccc-000000000002", "name": "Report", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [0, 17],
          "parameters": { "assignments": { "assignments": [{ "id": "a", "name": "report", "value": "short", "type": "string" }] }, "options": {} } },
        { "id": "0f6e6f0e-aaaa-4bbb-8ccc-000000000003", "name": "Note", "type": "n8n-nodes-base.stickyNote", "typeVersion": 1,
          "position": [10, -300], "parameters": { "content": "## Mine", "height": 200, "color": 3 } } ],
        "connections": { "Nightly": { "main": [[{ "node": "Report", "type": "main", "index": 0 }]] } },
        "settings": { "executionOrder": "v1", "timezone": "Europe/Vienna" } });
    world.workflow("base", json!({ "definition": base, "active": false })).await;
    let base_object = world.until_ready("base").await;
    let server = ModelServer::completing(|asked: &Asked| {
        let node = json!({ "id": "n2", "use": "set", "as": "Report", "set": { "assignments": [{ "report": "long" }] } });
        complete(asked, &changing(json!([node]), json!([]), Value::Null))
    });
    provider(&world, &server).await;
    let more = json!({ "providerRef": { "name": "models" }, "approval": "Automatic", "baseWorkflowRef": { "name": "base" }, "workflow": { "active": false } });
    prompt(&world, "longer", "Make the report long.", more).await;
    world.until_kind("WorkflowPrompt", "longer", "it is Ready", ready).await;
    let made = world.until_ready("longer").await;
    let (before, after) = (world.n8n.workflow(&id(&base_object)).await, world.n8n.workflow(&id(&made)).await);
    assert_ne!(before["id"], after["id"], "it is a workflow of its own");
    assert_eq!(others(&after, "Report"), others(&before, "Report"));
    assert_eq!(after["connections"], before["connections"]);
    let value = |workflow: &Value| workflow["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"].clone();
    assert_eq!((value(&before), value(&after)), (json!("short"), json!("long")));

    // The deployed workflow depends neither on the workflow that it began with nor on the provider.
    world.delete("base").await;
    world.api("ModelProvider").delete("models", &Default::default()).await.expect("the API server deletes");
    world.annotate("WorkflowPrompt", "longer", "requested-at", json!("1")).await;
    let seen = |object: &Value| object["status"]["lastHandledRequestedAt"] == "1";
    let still = world.until_kind("WorkflowPrompt", "longer", "it is looked at again", seen).await;
    assert!(ready(&still), "{:#}", still["status"]);
    let more = json!({ "providerRef": { "name": "models" }, "approval": "Automatic", "baseWorkflowRef": { "name": "base" }, "workflow": { "active": false } });
    prompt(&world, "longer", "Make the report very long.", more).await;
    let missing =
        |object: &Value| ["ProviderNotFound", "BaseNotFound"].iter().any(|reason| condition(object, "Ready")["reason"] == *reason);
    world.until_kind("WorkflowPrompt", "longer", "it says what is missing", missing).await;
    assert_eq!(world.get("longer").await["spec"]["definition"], made["spec"]["definition"], "what is deployed stays");
}
