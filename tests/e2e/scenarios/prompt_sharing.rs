//! Prompts of a namespace that ask the same: one pays, and the answer serves the others, whatever becomes of the one that paid.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::prompts::{answering, at, for_a_model, prompt, provider, said};
use crate::harness::world::{PATIENCE, World, condition, current};
use crate::model::{Asked, ModelServer, Reply, complete};

async fn slow(world: &World, pause: Duration) -> ModelServer {
    let workflow = said(answering(&format!("{}/a", world.namespace), "x"));
    let server = ModelServer::completing(move |asked: &Asked| Reply::After(pause, Box::new(complete(asked, &workflow))));
    provider(world, &server).await;
    server
}

async fn ask(world: &World, name: &str) {
    prompt(world, name, &for_a_model("x"), json!({ "providerRef": { "name": "models" } })).await;
}

async fn until_asked(world: &World, server: &ModelServer, questions: usize) {
    let started = Instant::now();
    while server.completions().len() < questions {
        assert!(started.elapsed() < PATIENCE, "{questions} questions were not asked:\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the kinds of records of the namespace by their owners.
async fn records(world: &World, kind: &str) -> Vec<Vec<String>> {
    let all = world.api("ControllerRevision").list(&Default::default()).await.expect("the API server lists");
    let of_kind =
        all.items.into_iter().filter(|one| one.metadata.name.as_ref().is_some_and(|name| name.starts_with(&format!("weirkeeper-{kind}-"))));
    of_kind.map(|one| one.metadata.owner_references.unwrap_or_default().into_iter().map(|owner| owner.name).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_prompts_at_the_same_moment_are_paid_for_once_and_the_answer_outlives_its_payer() {
    let (_standin, world) = World::on_stand_in("prompt-share", json!({})).await;
    let server = slow(&world, Duration::from_secs(2)).await;
    world.quota("budget", json!({ "tokensPerDay": 4_000_000, "generationsPerDay": 100 })).await;
    let names = ["one", "two", "three", "four"];
    futures::future::join_all(names.iter().map(|name| ask(&world, name))).await;
    let mut payers = Vec::new();
    for name in names {
        let proposed = at(&world, name, "WaitingForApproval").await;
        if proposed["status"]["usage"]["tokens"].as_i64() > Some(0) {
            payers.push(name);
        }
    }
    assert_eq!((server.completions().len(), payers.len()), (1, 1), "{payers:?}");
    let settled = |quota: &Value| quota["status"]["used"]["generationsPerDay"] == 1 && quota["status"]["reservations"].is_null();
    world.until_kind("WorkflowQuota", "budget", "one generation is counted", settled).await;
    let mut owners = records(&world, "answer").await;
    owners.iter_mut().for_each(|owners| owners.sort());
    assert_eq!(owners, [["four", "one", "three", "two"]], "each is an owner of the one answer");
    assert!(records(&world, "claim").await.is_empty(), "the claim is gone with the answer");
    // The payer goes; its answer still serves a prompt that comes later.
    world.api("WorkflowPrompt").delete(payers[0], &Default::default()).await.expect("the API server deletes");
    world.until_kind("WorkflowPrompt", payers[0], "it is gone", Value::is_null).await;
    ask(&world, "five").await;
    at(&world, "five", "WaitingForApproval").await;
    assert_eq!(server.completions().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_payer_is_deleted_is_lost_for_all_and_not_sent_again() {
    let (_standin, world) = World::on_stand_in("prompt-share-lost", json!({})).await;
    let server = slow(&world, Duration::from_secs(4)).await;
    ask(&world, "payer").await;
    until_asked(&world, &server, 1).await;
    ask(&world, "waits").await;
    let waiting = |object: &Value| condition(object, "Ready")["message"].as_str().is_some_and(|text| text.contains("has asked the same"));
    world.until_kind("WorkflowPrompt", "waits", "it waits for the other", waiting).await;
    world.api("WorkflowPrompt").delete("payer", &Default::default()).await.expect("the API server deletes");
    at(&world, "waits", "WaitingForApproval").await;
    let asked = server.completions();
    let mut keys: Vec<&str> = asked.iter().filter_map(|asked| asked.header("idempotency-key")).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((asked.len(), keys.len()), (2, 2), "the lost question is asked as another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_while_the_prompt_is_suspended_is_recorded_and_settled() {
    let (_standin, world) = World::on_stand_in("prompt-suspended", json!({})).await;
    let server = slow(&world, Duration::from_secs(3)).await;
    world.quota("budget", json!({ "tokensPerDay": 4_000_000 })).await;
    ask(&world, "paused").await;
    until_asked(&world, &server, 1).await;
    prompt(&world, "paused", &for_a_model("x"), json!({ "providerRef": { "name": "models" }, "suspend": true })).await;
    let recorded = |object: &Value| {
        let status = &object["status"];
        current(object) && status["usage"]["calls"].as_array().map(Vec::len) == Some(1) && status["pendingCalls"].is_null()
    };
    let paused = world.until_kind("WorkflowPrompt", "paused", "the answer is recorded", recorded).await;
    assert_eq!(condition(&paused, "Ready")["reason"], "Suspended");
    let used = paused["status"]["usage"]["tokens"].clone();
    let settled = |quota: &Value| quota["status"]["used"]["tokensPerDay"] == used && quota["status"]["reservations"].is_null();
    world.until_kind("WorkflowQuota", "budget", "the use is settled", settled).await;
    ask(&world, "paused").await;
    at(&world, "paused", "WaitingForApproval").await;
    assert_eq!(server.completions().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_paid_for_what_could_not_be_deployed() {
    let (_standin, world) = World::on_stand_in("prompt-unpaid", json!({})).await;
    let server = slow(&world, Duration::ZERO).await;
    world.workflow("taken", json!({ "definition": crate::harness::n8n::answering(&format!("{}/t", world.namespace), "1") })).await;
    ask(&world, "taken").await;
    let refused = |reason: &'static str| move |object: &Value| current(object) && condition(object, "Ready")["reason"] == reason;
    world.until_kind("WorkflowPrompt", "taken", "the name is taken", refused("WorkflowExists")).await;
    let template = json!({ "kind": "BuiltinTemplate", "name": "status-endpoint" });
    let from_template = world.try_workflow("from-template", json!({ "templateRef": template })).await;
    assert!(from_template.is_ok(), "{from_template:?}");
    let based = json!({ "providerRef": { "name": "models" }, "baseWorkflowRef": { "name": "from-template" } });
    prompt(&world, "based", &for_a_model("x"), based).await;
    let unusable = world.until_kind("WorkflowPrompt", "based", "the base cannot be used", refused("BaseUnusable")).await;
    let message = condition(&unusable, "Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("template"), "{message}");
    assert!(server.completions().is_empty());
}
