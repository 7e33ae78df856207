//! A whole prompt through a real model server, llama.cpp with a small model: it speaks the real protocol, obeys the schema, and writes nonsense. Whatever
//! becomes of that, the end is an honest one, and nothing is lost.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::prompts::prompt;
use crate::harness::n8n::answering;
use crate::harness::stack::say;
use crate::harness::world::{World, condition};
use crate::llama::{LLAMA_MODEL, LlamaServer};

/// Time that the model may take: on a machine that compiles it reads some tens of tokens a second.
const THINKING: Duration = Duration::from_secs(1800);
/// Stages at which a prompt waits for people, or has ended.
const ENDS: [&str; 5] = ["WaitingForApproval", "WaitingForAnswers", "Failed", "Monitoring", "WaitingForBudget"];

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_of_a_real_model_ends_with_everything_intact_and_the_budget_settled() {
    let Some(packages) = LlamaServer::packages() else {
        say("left out without Python: nonsense_of_a_real_model_ends_with_everything_intact_and_the_budget_settled");
        return;
    };
    let server = LlamaServer::start(&packages);
    let world = World::on_real_n8n("prompt-llama").await;
    world.workflow("other", json!({ "active": true, "definition": answering(&format!("{}/other", world.namespace), "1") })).await;
    let other = world.until_ready("other").await;
    world.secret("llama-key", server.key()).await;
    let model = json!({ "name": LLAMA_MODEL, "contextTokens": 8192, "maximumOutputTokens": 300, "inputPricePerMillion": "1.00", "outputPricePerMillion": "2.00" });
    let spec = json!({ "type": "OpenAI", "baseURL": server.base_url(), "apiKeySecretRef": { "name": "llama-key", "key": "apiKey" },
        "models": { "complex": model }, "requestTimeout": "600s" });
    let provider =
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "ModelProvider", "metadata": { "name": "llama" }, "spec": spec });
    world.apply(provider).await;
    // Few node types make a short question: the model reads 8,192 tokens.
    let types = ["webhook", "set", "if", "httpRequest", "respondToWebhook"].map(|name| format!("n8n-nodes-base.{name}"));
    let policy = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": "few" },
        "spec": { "allowedNodeTypes": types, "appliesTo": "Generated" } });
    world.apply(policy).await;
    world.quota("budget", json!({ "generationsPerDay": 5, "tokensPerDay": 4_000_000, "costPerDay": "50.00" })).await;
    let words = "Build the frobnication gateway: whoever visits it learns how many widgets were frobnicated by the quux.";
    let more = json!({ "providerRef": { "name": "llama" }, "limits": { "attempts": 2, "deadline": "1h" }, "clarification": "Never" });
    prompt(&world, "nonsense", words, more).await;

    let started = Instant::now();
    let ended = loop {
        let object = world.get_kind("WorkflowPrompt", "nonsense").await;
        let status = &object["status"];
        let over = ENDS.iter().any(|stage| status["stage"] == *stage) && status["pendingCalls"].is_null();
        if over && status["usage"]["calls"].as_array().is_some_and(|calls| !calls.is_empty()) {
            break object;
        }
        assert!(started.elapsed() < THINKING, "no end: {status:#}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let status = &ended["status"];
    let message = condition(&ended, "Ready")["message"].as_str().unwrap_or_default();
    say(&format!(
        "a real model led to {} after {:?}, {} attempts: {message}",
        status["stage"],
        started.elapsed(),
        status["usage"]["attempts"]
    ));
    assert!(!message.is_empty() && !message.contains(server.key()), "{status:#}");
    let call = &status["usage"]["calls"][0];
    assert!(call["input"].as_i64() > Some(1_000) && call["output"].as_i64() > Some(0), "{call}");
    assert_eq!(call["estimated"], Value::Null, "the server reports its usage");
    let (tokens, cost) = (status["usage"]["tokens"].clone(), status["usage"]["cost"].clone());
    let settled = |quota: &Value| {
        let used = &quota["status"]["used"];
        quota["status"]["reservations"].is_null()
            && used["tokensPerDay"] == tokens
            && used["costPerDay"] == cost
            && used["generationsPerDay"] == 1
    };
    world.until_kind("WorkflowQuota", "budget", "what was used is settled", settled).await;
    assert_eq!(world.get("nonsense").await, Value::Null, "nothing is deployed without an approval");
    // The workflow that ran before still runs, and the prompt can be deleted.
    assert_eq!(world.get("other").await["status"]["history"], other["status"]["history"]);
    assert_eq!(world.n8n.webhook("GET", &format!("{}/other", world.namespace)).await.status, 200);
    world.api("WorkflowPrompt").delete("nonsense", &Default::default()).await.expect("the API server deletes");
    world.until_kind("WorkflowPrompt", "nonsense", "it is gone", Value::is_null).await;
}
