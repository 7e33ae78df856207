//! Each workflow that the `builtin` provider makes of the prompts of its table, and of the prompts of the corpora, is created and published by
//! the real n8n, with stand-ins for credentials and plausible values for open slots.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::generation::builtin::propose;
use weirkeeper::generation::compact::compile;
use weirkeeper::generation::credentials;
use weirkeeper::generation::outcome::{Answers, Candidate, Inputs, Outcome};
use weirkeeper::generation::prompt::{Clarification, Prompt};

use crate::harness::credentials::stand_in;
use crate::harness::n8n::{Answer, N8n};
use crate::harness::stack::{Stack, rand, say};

/// Workflows that are tried side by side: each waits for n8n most of the time.
const AT_ONCE: usize = 8;
const TABLE: &str = include_str!("../../../src/generation/builtin/prompts.jsonl");
const SIMPLE: &str = include_str!("../../fixtures/prompts/simple.jsonl");

/// Returns the prompts of the table and of the fixture, and those of the corpora if they are there.
fn prompts() -> Vec<String> {
    let corpora = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/prompts/dev.jsonl");
    let more = std::fs::read_to_string(corpora).unwrap_or_default();
    let rows = TABLE.lines().chain(SIMPLE.lines()).chain(more.lines()).map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    rows.map(|row| row["prompt"].as_str().expect("a prompt").to_owned()).collect()
}

fn built(text: &str) -> Option<Candidate> {
    let request = Prompt {
        text,
        answers: &Answers::new(),
        timezone: Some("Europe/Berlin"),
        clarification: Clarification::Ask,
        catalog: Catalog::embedded(),
    };
    match propose(&request) {
        Outcome::Built(candidate) => Some(*candidate),
        _ => None,
    }
}

/// Returns a value that a user could give for a slot.
fn plausible(slot: &str) -> Value {
    let has = |word: &str| slot.contains(word);
    let text = if has("url") {
        "https://feed.example.org/rss"
    } else if has("sender") || has("recipient") {
        "someone@example.org"
    } else if has("google-sheets") && has("document") || has("folder") {
        "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEf"
    } else if has("teams") && !has("channel") {
        "01234567-89ab-4def-8123-456789abcdef"
    } else if slot == "google-calendar" || has("calendar-source") {
        "team@example.org"
    } else if has("business-profile") && has("account") {
        "accounts/1234567890"
    } else if has("business-profile") {
        "locations/1234567890"
    } else if has("notion") {
        "0123456789abcdef0123456789abcdef"
    } else if has("airtable-source-base") || has("airtable-base") {
        "appAbCdEfGhIjKlMn"
    } else if has("airtable") && has("table") {
        "tblAbCdEfGhIjKlMn"
    } else if has("excel") && has("worksheet") {
        "{00000000-0001-0000-0000-000000000000}"
    } else if has("aws-sns") && has("topic") {
        "arn:aws:sns:eu-central-1:123456789012:alerts"
    } else if has("slack") && has("channel") {
        "C0123456789"
    } else {
        "1234567890"
    };
    json!(text)
}

/// Compiles a candidate with values for its slots, a webhook path of its own, and no credentials yet.
fn complete(candidate: &Candidate, own: &str) -> Value {
    let mut compact = candidate.compact.clone().expect("a compact form");
    for node in &mut compact.nodes {
        if let Some(path) = node.set.get_mut("path").filter(|_| node.kind == "webhook") {
            *path = json!(format!("builtin-{own}/{}", path.as_str().unwrap_or_default()));
        }
    }
    let inputs: Inputs = candidate.slots.iter().map(|slot| (slot.name.clone(), plausible(&slot.name))).collect();
    let mut definition = compile(&compact, &inputs, Catalog::embedded()).expect("it compiles with its values").definition;
    credentials::add(&mut definition, Catalog::embedded());
    serde_json::to_value(&definition).expect("JSON")
}

/// How n8n answered the publication of a workflow.
enum Publication {
    Live,
    /// A trigger registers itself with its service, or connects to it, which fails with a stand-in: n8n had accepted the workflow.
    Unreached(String),
    /// A workflow that only a person starts cannot be published.
    Manual,
}

#[tokio::test]
async fn each_workflow_of_the_builtin_provider_is_created_and_published() {
    let stack = Stack::shared();
    let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
    let own = format!("{:x}", rand());
    let texts: BTreeSet<String> = prompts().into_iter().collect();
    let candidates = texts.iter().filter_map(|text| Some((text, built(text)?)));
    let mut documents: Vec<(&String, Value)> =
        candidates.enumerate().map(|(number, (text, candidate))| (text, complete(&candidate, &format!("{own}-{number}")))).collect();
    let mut stand_ins: BTreeMap<String, String> = BTreeMap::new();
    for (_, document) in &mut documents {
        for node in document["nodes"].as_array_mut().into_iter().flatten() {
            for (kind, reference) in node.get_mut("credentials").and_then(Value::as_object_mut).into_iter().flatten() {
                if !stand_ins.contains_key(kind) {
                    let id = stand_in(&n8n, kind, &format!("builtin {own}")).await;
                    stand_ins.insert(kind.clone(), id);
                }
                reference["id"] = json!(stand_ins[kind]);
            }
        }
    }
    let answers = stream::iter(&documents).map(|(text, document)| try_out(&n8n, text, document)).buffer_unordered(AT_ONCE);
    let (mut complaints, mut published, mut unreached) = (Vec::new(), 0, Vec::new());
    for answer in answers.collect::<Vec<_>>().await {
        match answer {
            Ok(Publication::Live) => published += 1,
            Ok(Publication::Unreached(service)) => unreached.push(service),
            Ok(Publication::Manual) => {}
            Err(complaint) => complaints.push(complaint),
        }
    }
    for id in stand_ins.values() {
        n8n.api("DELETE", &format!("/credentials/{id}"), None).await;
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let all = documents.len();
    say(&format!(
        "{published} of {all} workflows were published; the service of a trigger is missing for {}, which were published with a schedule",
        unreached.len()
    ));
    unreached.iter().for_each(|one| say(one));
    assert!(published >= 35 && published + unreached.len() >= all - 1, "only {published} of {all} workflows were published");
}

/// Creates, publishes and deletes a workflow, and returns what n8n refuses of it.
async fn try_out(n8n: &N8n, text: &str, document: &Value) -> Result<Publication, String> {
    let has = |kind: &str| document["nodes"].as_array().into_iter().flatten().any(|node| node["type"] == kind);
    let id = create(n8n, text, document).await?;
    // n8n waits for the broker for many minutes, and publishes nothing then.
    let message = if has("n8n-nodes-base.redisTrigger") {
        "its broker does not answer".to_owned()
    } else {
        let mut answer = publish(n8n, &id).await;
        if answer.text.contains("Error validating node parameters") {
            // An exception in n8n's own check, which a busy n8n threw once for a workflow that it publishes otherwise.
            say(&format!("{text}: published again after {}", answer.text));
            answer = publish(n8n, &id).await;
        }
        if answer.status == 200 {
            n8n.delete(&id).await;
            return Ok(Publication::Live);
        }
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        if !registers(&message) {
            n8n.delete(&id).await;
            let refusal = format!("{text}: is not published: {} {message}", answer.status);
            return if has("n8n-nodes-base.manualTrigger") { Ok(Publication::Manual) } else { Err(refusal) };
        }
        message
    };
    n8n.delete(&id).await;
    // The rest of the workflow is what n8n decides about then.
    let id = create(n8n, text, &scheduled(document)).await?;
    let answer = publish(n8n, &id).await;
    n8n.delete(&id).await;
    if answer.status != 200 {
        return Err(format!("{text}: is not published with a schedule: {} {}", answer.status, answer.text));
    }
    Ok(Publication::Unreached(format!("{text}: {message}")))
}

async fn create(n8n: &N8n, text: &str, document: &Value) -> Result<String, String> {
    let made = n8n.api("POST", "/workflows", Some(document.clone())).await;
    if made.status != 200 {
        return Err(format!("{text}: is not created: {} {}", made.status, made.text));
    }
    Ok(made.json()["id"].as_str().expect("an id").to_owned())
}

async fn publish(n8n: &N8n, id: &str) -> Answer {
    n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await
}

/// Returns the workflow with a schedule in the place of its triggers.
fn scheduled(document: &Value) -> Value {
    let mut document = document.clone();
    for node in document["nodes"].as_array_mut().into_iter().flatten() {
        let kind = node["type"].as_str().unwrap_or_default().to_owned();
        if kind.ends_with("Trigger") && !kind.ends_with(".errorTrigger") || kind.ends_with(".emailReadImap") {
            node["type"] = json!("n8n-nodes-base.scheduleTrigger");
            node["typeVersion"] = json!(1.2);
            node["parameters"] = json!({ "rule": { "interval": [{ "field": "hours" }] } });
            node.as_object_mut().expect("a node").remove("credentials");
        }
    }
    document
}

/// Reports whether n8n failed to reach the service of a trigger, after it had accepted the nodes.
fn registers(message: &str) -> bool {
    !message.contains("required") && !message.contains("Unrecognized") && !message.starts_with("Cannot publish workflow")
}
