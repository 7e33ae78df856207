//! The pipeline with scripted answers.

mod adversarial;
mod edits;
mod faults;
mod messages;
mod rounds;
mod strict;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::step::{by_model, not_admitted};
use super::{Inventory, MOST_ATTEMPTS, Provider, Request, Step, Tier};
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::generation::call::{Answer, Finish, ModelCall, ModelReply, Usage};
use crate::generation::outcome::{Answers, Outcome};
use crate::generation::prompt::Clarification;

static NONE: Inventory = Inventory { credentials: Vec::new(), data_tables: Vec::new(), workflows: Vec::new() };
static NO_ANSWERS: Answers = Answers::new();

/// Returns a request for a model with everything else at its default.
pub(super) fn request(prompt: &str) -> Request<'_> {
    Request {
        prompt,
        answers: &NO_ANSWERS,
        timezone: Some("Europe/Berlin"),
        clarification: Clarification::Ask,
        tier: Tier::Auto,
        base: None,
        failure: None,
        conversation: &[],
        inventory: &NONE,
        policies: &[],
        catalog: Catalog::embedded(),
        provider: Provider::Model { identity: "scripted" },
        salt: "",
        attempts: MOST_ATTEMPTS,
    }
}

pub(super) fn replied(text: impl Into<String>) -> Answer {
    let usage = Usage { input: 100, cached: 0, output: 100, estimated: false };
    Ok(ModelReply { text: text.into(), finish: Finish::Stop, usage, model: "scripted".to_owned(), milliseconds: 1 })
}

/// Returns the next step of a model's work: what patterns understand does not matter here.
fn with_model(request: &Request<'_>, answers: &BTreeMap<String, Answer>) -> Step {
    match not_admitted(request).map_or_else(|| by_model(request, answers), Ok) {
        Ok(outcome) => Step::Done(outcome),
        Err(step) => step,
    }
}

/// Runs a generation; `answer` gets each call and its number. Returns the outcome and the calls.
pub(super) fn run(request: &Request<'_>, mut answer: impl FnMut(usize, &ModelCall) -> Answer) -> (Outcome, Vec<ModelCall>) {
    let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
    let mut calls = Vec::new();
    loop {
        let next = with_model(request, &answers);
        match next {
            Step::Done(outcome) => return (outcome, calls),
            Step::Call(wanted) => {
                assert!(!wanted.is_empty() && calls.len() < 40);
                for call in wanted {
                    let reply = answer(calls.len(), &call);
                    assert!(answers.insert(call.key.clone(), reply).is_none(), "no call is wanted twice");
                    calls.push(call);
                }
            }
        }
    }
}

/// Runs a generation with these answers in their order; the last one is repeated.
pub(super) fn with_replies(request: &Request<'_>, replies: &[Value]) -> (Outcome, Vec<ModelCall>) {
    run(request, |number, _| replied(replies[number.min(replies.len() - 1)].to_string()))
}

/// Returns an answer with a workflow of these nodes and edges.
pub(super) fn answer(nodes: Value, edges: Value) -> Value {
    json!({"assumptions": [], "effects": [], "questions": [], "refusal": null,
        "workflow": {"compact": 1, "name": "Test", "nodes": nodes, "edges": edges, "settings": {"timezone": "Europe/Berlin"}}})
}

/// Returns the definition of a built workflow.
#[track_caller]
pub(super) fn built(outcome: &Outcome) -> &Definition {
    match outcome {
        Outcome::Built(candidate) => &candidate.definition,
        other => panic!("{other:#?}"),
    }
}
