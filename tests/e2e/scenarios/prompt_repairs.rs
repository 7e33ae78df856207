//! A generated version that fails its health check on the real n8n: it is rolled back, and a repair from the failed execution is proposed.

use serde_json::{Value, json};

use super::prompts::{answering, approve, at, for_a_model, prompt, provider, said};
use crate::harness::world::{World, condition, ready};
use crate::model::{Asked, ModelServer, complete};

/// Returns a change in the compact form, as a model writes it.
pub fn changing(nodes: Value, remove: Value, edges: Value) -> String {
    let change = json!({ "name": null, "nodes": nodes, "remove": remove, "edges": edges, "settings": null });
    json!({ "assumptions": [], "effects": [], "questions": [], "refusal": null, "workflow": null, "change": change }).to_string()
}

/// Returns a change that stops behind the answer with an error.
fn stopping(message: &str) -> String {
    let stop = json!({ "id": "n3", "use": "stopAndError", "as": "Stop", "set": { "errorMessage": message } });
    changing(json!([stop]), json!([]), json!(["n1>n2>n3"]))
}

fn saying(answer: &str) -> Value {
    json!({ "id": "n2", "use": "set", "as": "Answer", "set": { "assignments": [{ "answer": answer }] } })
}

fn repairs(asked: &Asked) -> bool {
    asked.body.contains("What failed when it ran")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_version_that_fails_is_rolled_back_and_its_repair_is_proposed_approved_and_live() {
    let world = World::on_real_n8n("prompt-repair").await;
    let path = format!("{}/widgets", world.namespace);
    let first = said(answering(&path, "seven"));
    let server = ModelServer::completing(move |asked: &Asked| {
        let text = if repairs(asked) {
            changing(json!([saying("sept")]), json!(["n3"]), json!(["n1>n2"]))
        } else if asked.body.contains("Tell it in French") {
            stopping("the French dictionary is missing")
        } else {
            first.clone()
        };
        complete(asked, &text)
    });
    provider(&world, &server).await;
    let more =
        json!({ "providerRef": { "name": "models" }, "workflow": { "active": true, "healthCheck": { "probes": [{ "node": "Called" }] } } });
    prompt(&world, "widgets", &for_a_model(&path), more.clone()).await;
    let proposed = at(&world, "widgets", "WaitingForApproval").await;
    approve(&world, "widgets", &proposed).await;
    world.until_kind("WorkflowPrompt", "widgets", "the first version is live", ready).await;

    // The second version fails its probe: the first one serves again, and the failed execution leads to a proposal.
    prompt(&world, "widgets", &format!("{} Tell it in French.", for_a_model(&path)), more).await;
    let second = at(&world, "widgets", "WaitingForApproval").await;
    approve(&world, "widgets", &second).await;
    let waits = |object: &Value| object["status"]["stage"] == "WaitingForApproval" && object["status"]["repairs"].is_array();
    let repair = world.until_kind("WorkflowPrompt", "widgets", "a repair is proposed", waits).await;
    let failure = &repair["status"]["repairs"][0];
    assert_eq!((&failure["node"], &failure["inputShape"]), (&json!("Stop"), &json!("1 item: {answer: text}")), "{failure}");
    assert!(failure["message"].as_str().is_some_and(|text| text.contains("the French dictionary is missing")), "{failure}");
    assert!(failure["execution"].is_string(), "{failure}");
    assert_eq!(failure["failedDigest"], second["status"]["proposal"]["digest"]);
    let workflow = world.get("widgets").await;
    assert_eq!(condition(&workflow, "RolledBack")["status"], "True", "{workflow:#}");
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["answer"], "seven", "the version before is live");
    let asked = server.completions().into_iter().rfind(repairs).expect("a model was asked for a repair");
    for part in ["the French dictionary is missing", "answer: text", "node: Stop", "user: Build the frobnication gateway"] {
        assert!(asked.body.contains(part), "{part}: {}", asked.body);
    }
    let difference = repair["status"]["proposal"]["difference"].to_string();
    assert!(difference.contains("Stop") && difference.contains("removed"), "{difference}");

    approve(&world, "widgets", &repair).await;
    let done = world.until_kind("WorkflowPrompt", "widgets", "the repair is live", ready).await;
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["answer"], "sept");
    assert_eq!(server.completions().len(), 3, "one question for each version: {}", done["status"]["usage"]);
    assert!(world.events("widgets").await.iter().any(|(reason, note)| reason == "RepairPending" && note.contains("at node Stop")));

    // A restart neither repairs again nor returns to what failed.
    world.annotate("WorkflowPrompt", "widgets", "requested-at", json!("1")).await;
    let seen = |object: &Value| object["status"]["lastHandledRequestedAt"] == "1" && ready(object);
    let after = world.until_kind("WorkflowPrompt", "widgets", "it is looked at again", seen).await;
    assert_eq!(after["status"]["proposal"], done["status"]["proposal"]);
    assert_eq!(server.completions().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn repairs_are_deployed_without_a_person_if_that_is_allowed_and_end_after_two() {
    let world = World::on_real_n8n("prompt-repairs-end").await;
    let path = format!("{}/widgets", world.namespace);
    let mut broken = answering(&path, "seven");
    broken["nodes"]
        .as_array_mut()
        .expect("nodes")
        .push(json!({ "id": "n3", "use": "stopAndError", "as": "Stop", "set": { "errorMessage": "first" } }));
    broken["edges"] = json!(["n1>n2>n3"]);
    let (mut number, first) = (0, said(broken));
    let server = ModelServer::completing(move |asked: &Asked| {
        number += 1;
        // The repair changes the message, and the workflow fails again.
        let text = if repairs(asked) { stopping(&format!("another way to fail, number {number}")) } else { first.clone() };
        complete(asked, &text)
    });
    provider(&world, &server).await;
    world.quota("budget", json!({ "generationsPerDay": 10, "tokensPerDay": 4_000_000 })).await;
    let workflow = json!({ "active": true, "healthCheck": { "probes": [{ "node": "Called" }] } });
    let more = json!({ "providerRef": { "name": "models" }, "approval": "Automatic", "workflow": workflow });
    prompt(&world, "widgets", &for_a_model(&path), more).await;
    let exhausted =
        |object: &Value| condition(object, "Ready")["message"].as_str().is_some_and(|text| text.contains("two repairs were made"));
    let stopped = world.until_kind("WorkflowPrompt", "widgets", "it says that it repairs no more", exhausted).await;
    assert_eq!((condition(&stopped, "Stalled")["status"].as_str(), server.completions().len()), (Some("True"), 3));
    let messages: Vec<&str> =
        stopped["status"]["repairs"].as_array().into_iter().flatten().filter_map(|one| one["message"].as_str()).collect();
    assert!(messages.len() == 2 && messages[0].contains("first") && messages[1].contains("number 2"), "{messages:?}");
    let tokens = stopped["status"]["usage"]["tokens"].clone();
    let settled = |quota: &Value| {
        let used = &quota["status"]["used"];
        used["generationsPerDay"] == 3 && used["tokensPerDay"] == tokens && quota["status"]["reservations"].is_null()
    };
    world.until_kind("WorkflowQuota", "budget", "each repair is a generation of the budget", settled).await;
}
