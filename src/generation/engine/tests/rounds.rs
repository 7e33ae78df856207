//! Attempts: repairs, escalation, ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{answer, built, replied, request, run, with_model, with_replies};
use crate::document::finding::Code;
use crate::generation::call::{Answer, CallFailure, Finish, ModelTier, Stage};
use crate::generation::engine::{Provider, Request, Step, Tier, is_attempt, step};
use crate::generation::outcome::Outcome;
use crate::generation::prompt::Clarification;

/// A prompt that patterns alone do not understand.
const PROMPT: &str = "When the webhook at /orders is called, frobnicate the customer's name with Babelfish and post it to Slack #sales.";

#[test]
fn what_patterns_understand_needs_no_model_and_the_same_answers_give_the_same_step() {
    let prompt = "Every day at 9 post \"Stand-up in ten minutes\" to Slack #team";
    let none = BTreeMap::new();
    let Step::Done(outcome) = step(&request(prompt), &none) else { panic!() };
    assert_eq!(built(&outcome).nodes.len(), 2, "{outcome:#?}");
    let Step::Call(calls) = with_model(&request(PROMPT), &none) else { panic!() };
    assert_eq!(with_model(&request(PROMPT), &none), Step::Call(calls.clone()));
    let answers = [(calls[0].key.clone(), replied(bad().to_string()))].into_iter().collect();
    let next = with_model(&request(PROMPT), &answers);
    assert!(matches!(&next, Step::Call(more) if more[0].stage == Stage::Repair && more[0].key != calls[0].key));
    assert_eq!(next, with_model(&request(PROMPT), &answers));
    let salted = Request { salt: "again", ..request(PROMPT) };
    assert!(matches!(with_model(&salted, &answers), Step::Call(other) if other[0].key != calls[0].key), "another salt asks again");
    assert!(salted.input_hash() != request(PROMPT).input_hash());
}

fn good() -> Value {
    let mut good = answer(
        json!([
            {"id": "n1", "use": "webhook", "as": "Order", "set": {"path": "orders", "httpMethod": "POST"}},
            {"id": "n2", "use": "slack.message.post", "as": "Tell", "set": {"select": "channel", "channelId": "#sales", "text": "{{n1.body.name}}"}}]),
        json!(["n1>n2"]),
    );
    good["effects"] = json!([{"what": "post the name", "node": "n2", "once": true}]);
    good
}

fn bad() -> Value {
    let mut bad = good();
    bad["workflow"]["nodes"][1]["use"] = "coffeeMachine".into();
    bad
}

#[test]
fn a_right_answer_takes_one_call() {
    let (outcome, calls) = with_replies(&request(PROMPT), &[good()]);
    let definition = built(&outcome);
    assert_eq!((calls.len(), definition.nodes.len()), (1, 2));
    assert_eq!(definition.node("Tell").unwrap().parameter("text").unwrap(), "={{$('Order').item.json.body.name}}");
    assert!(
        definition.node("Tell").unwrap().credentials().is_some_and(|own| own.contains_key("slackApi")),
        "credentials are added by code"
    );
    assert_eq!((calls[0].stage, calls[0].tier), (Stage::Plan, ModelTier::Simple));
    let (again, _) = with_replies(&request(PROMPT), &[good()]);
    assert_eq!(outcome, again, "byte for byte");
}

#[test]
fn a_wrong_answer_is_repaired_by_a_change_and_the_last_attempt_is_on_the_complex_model() {
    let change = json!({"change": {"nodes": [good()["workflow"]["nodes"][1]], "remove": [], "edges": null}, "workflow": null});
    let (outcome, calls) = with_replies(&request(PROMPT), &[bad(), change.clone()]);
    assert_eq!(built(&outcome).nodes.len(), 2);
    assert_eq!(
        calls.iter().map(|call| (call.stage, call.tier)).collect::<Vec<_>>(),
        [(Stage::Plan, ModelTier::Simple), (Stage::Repair, ModelTier::Simple)]
    );
    let asked = &calls[1].messages.last().unwrap().text;
    assert!(asked.contains("1. n2.use") || asked.contains("n2.use"), "{asked}");
    let mut other = bad();
    other["workflow"]["nodes"][1]["use"] = "teaMachine".into();
    let (outcome, calls) = with_replies(&request(PROMPT), &[bad(), other, change]);
    assert_eq!((built(&outcome).nodes.len(), calls.len(), calls[2].tier), (2, 3, ModelTier::Complex));
}

#[test]
fn three_wrong_answers_fail_with_the_best_candidate() {
    let mut unknown = good();
    unknown["workflow"]["nodes"][1]["set"]["channelId"] = "C0123456789".into();
    let mut worse = unknown.clone();
    worse["workflow"]["nodes"][1]["set"]["text"] = "write to user@example.com".into();
    worse["workflow"]["nodes"][1]["set"]["select"] = "both".into();
    let (outcome, calls) = with_replies(&request(PROMPT), &[unknown, worse, bad()]);
    let Outcome::Failed(failure) = &outcome else { panic!("{outcome:#?}") };
    assert_eq!(calls.len(), 3);
    let best = failure.best.as_ref().unwrap();
    assert!(best.definition.node("Tell").unwrap().parameter("text").unwrap().as_str().unwrap().contains("Order"));
    assert!(failure.findings.iter().any(|finding| finding.code == Code::ValueInvented), "{:#?}", failure.findings);
}

#[test]
fn the_same_wrong_answer_goes_to_the_complex_model_and_then_ends() {
    let (outcome, calls) = with_replies(&request(PROMPT), &[bad()]);
    assert!(matches!(outcome, Outcome::Failed(_)));
    assert!(calls.len() <= 3 && calls.last().unwrap().tier == ModelTier::Complex);
    let complex = Request { tier: Tier::Complex, ..request(PROMPT) };
    let (outcome, calls) = with_replies(&complex, &[bad()]);
    let Outcome::Failed(failure) = outcome else { panic!() };
    assert_eq!(calls.len(), 2, "{}", failure.reason);
    assert!(failure.reason.contains("same wrong answer"), "{}", failure.reason);
}

#[test]
fn a_cut_off_answer_is_asked_for_again_with_more_room_and_no_attempt() {
    let (outcome, calls) = run(&request(PROMPT), |number, _| {
        let mut reply = replied(good().to_string()).unwrap();
        if number == 0 {
            reply.finish = Finish::Length;
            reply.text.truncate(100);
        }
        Ok(reply)
    });
    built(&outcome);
    assert_eq!((calls.len(), calls[1].maximum_output_tokens), (2, 2 * calls[0].maximum_output_tokens));
    assert_eq!(calls[0].messages, calls[1].messages);
}

#[test]
fn answers_that_were_paid_for_are_attempts_and_a_repetition_with_more_room_is_none() {
    let cut = || {
        let mut reply = replied("{\"workflow\": {\"nodes\": [").unwrap();
        reply.finish = Finish::Length;
        Ok(reply)
    };
    let (outcome, calls) = run(&request(PROMPT), |_, _| cut());
    assert!(matches!(outcome, Outcome::Failed(_)));
    let count = |answer: &Answer| calls.iter().filter(|call| is_attempt(call, answer)).count();
    assert_eq!((calls.len(), count(&cut())), (6, 3), "each of three attempts was cut off twice");
    let lost = |may_have_been_paid| Err(CallFailure { message: "gone".to_owned(), may_have_been_paid });
    assert_eq!((count(&lost(true)), count(&lost(false))), (6, 0));
}

#[test]
fn questions_follow_the_mode_of_clarification() {
    let asking = |default: Value| json!({"questions": [{"id": "when", "text": "How often?", "options": ["daily"], "default": default}], "workflow": null, "refusal": null});
    let ask = |mode, reply: &Value| with_replies(&Request { clarification: mode, ..request(PROMPT) }, std::slice::from_ref(reply)).0;
    let Outcome::Questions(questions) = ask(Clarification::Ask, &asking(Value::Null)) else { panic!() };
    assert_eq!(questions.questions[0].id, "when");
    assert!(matches!(ask(Clarification::Never, &asking(Value::Null)), Outcome::Abstained(_)));
    let mut both = good();
    both["questions"] = asking("daily".into())["questions"].clone();
    assert!(matches!(ask(Clarification::Ask, &both), Outcome::Questions(_)));
    assert!(matches!(ask(Clarification::AssumeDefaults, &both), Outcome::Built(_)));
    let answers = [("when".to_owned(), "daily".to_owned())].into_iter().collect();
    let answered = Request { answers: &answers, ..request(PROMPT) };
    assert!(matches!(with_replies(&answered, &[both]).0, Outcome::Built(_)), "what is answered is not asked again");
}

#[test]
fn refusals_and_failures_end_a_generation() {
    let refusing =
        |harmful: bool| json!({"refusal": {"harmful": harmful, "reason": "no node does that", "nearest": "a reminder"}, "workflow": null});
    assert!(matches!(with_replies(&request(PROMPT), &[refusing(true)]).0, Outcome::Refused(_)));
    let Outcome::Abstained(abstention) = with_replies(&request(PROMPT), &[refusing(false)]).0 else { panic!() };
    assert_eq!(abstention.nearest, ["a reminder"]);
    let (outcome, _) = run(&request(PROMPT), |_, _| Err(CallFailure { message: "quota exhausted".to_owned(), may_have_been_paid: false }));
    let Outcome::Failed(failure) = outcome else { panic!() };
    assert!(failure.reason.contains("quota exhausted"));
    for (prompt, word) in [("", "empty"), (" \n", "empty"), (&*"x".repeat(9_000), "shorten")] {
        let (outcome, calls) = with_replies(&request(prompt), &[good()]);
        let Outcome::Failed(failure) = outcome else { panic!() };
        assert!(failure.reason.contains(word) && calls.is_empty());
    }
}

#[test]
fn a_doubtful_workflow_is_mended_once_and_then_taken_with_its_warning() {
    let mut doubtful = good();
    doubtful["workflow"]["nodes"][1]["set"]["text"] = "{{ $json.name }}".into();
    let (outcome, calls) = with_replies(&request(PROMPT), &[doubtful]);
    let Outcome::Built(candidate) = outcome else { panic!("{outcome:#?}") };
    assert_eq!(calls.len(), 2);
    assert!(candidate.findings.iter().any(|finding| finding.code == Code::WebhookFieldUnknown), "{:#?}", candidate.findings);
}

#[test]
fn one_row_is_no_list_and_an_empty_item_may_start_what_runs_once() {
    let search = |flags: Value, limit: Option<u32>| {
        let mut set = json!({"base": "?base", "table": "?table", "filterByFormula": "{ID}='{{n1.body.id}}'", "returnAll": limit.is_none()});
        if let Some(limit) = limit {
            set["limit"] = limit.into();
        }
        json!({"id": "n2", "use": "airtable.record.search", "as": "Find", "set": set, "flags": flags})
    };
    let tell = |flags: Value| {
        let set = json!({"select": "channel", "channelId": "#sales", "text": "{{n1.body.name}}"});
        json!({"id": "n3", "use": "slack.message.post", "as": "Tell", "set": set, "flags": flags})
    };
    let calls = |find: Value, tell: Value| {
        let order = json!({"id": "n1", "use": "webhook", "as": "Order", "set": {"path": "orders", "httpMethod": "POST"}});
        let mut reply = answer(json!([order, find, tell]), json!(["n1>n2>n3"]));
        reply["effects"] = json!([{"what": "post the name", "node": "n3", "once": true}]);
        with_replies(&request(PROMPT), &[reply]).1.len()
    };
    assert_eq!(calls(search(json!([]), Some(1)), tell(json!([]))), 1, "at most one row is found");
    assert_eq!(calls(search(json!([]), Some(5)), tell(json!([]))), 2, "a message for each row");
    assert_eq!(calls(search(json!(["always"]), None), tell(json!(["once"]))), 1, "one message in any case");
    assert_eq!(calls(search(json!(["always"]), Some(1)), tell(json!([]))), 2, "an empty item counts as a row");
}

#[test]
fn a_plan_is_filled_in_by_parallel_calls() {
    let prompt = "Each time a page is added to Notion, if it is long split it, otherwise keep it; for each part ask an agent with memory and tools, classify the answer, \
                  compare it with a vector store, wait until somebody approves, then post to Slack, create a Jira issue, a Trello card, a Gmail draft, an Airtable row, \
                  a HubSpot contact, a GitHub issue and a Discord message; on an error retry and tell Telegram.";
    let nodes: Vec<Value> = std::iter::once(json!({"id": "n1", "use": "webhook", "as": "Start"}))
        .chain((2..=9).map(|at| json!({"id": format!("n{at}"), "use": "noOp", "as": format!("Step {at}")})))
        .chain((10..=18).map(|at| json!({"id": format!("n{at}"), "use": "slack.message.post", "as": format!("Tell {at}")})))
        .collect();
    let edges: Vec<String> = (2..=18).map(|at| format!("n1>n{at}")).collect();
    let plan = answer(json!(nodes), json!(edges));
    let (outcome, calls) = run(&request(prompt), |_, call| match call.stage {
        Stage::Plan => replied(plan.to_string()),
        Stage::Fill => {
            let ids: Vec<String> = (1..=18).map(|at| format!("n{at}")).collect();
            let node = |id: &String| match id.as_str() {
                "n1" => json!({"id": id, "set": [{"key": "path", "value": "start"}], "when": null}),
                _ => {
                    json!({"id": id, "set": [{"key": "select", "value": "channel"}, {"key": "channelId", "value": "?channel"}, {"key": "text", "value": "new"}], "when": null})
                }
            };
            let own = ids
                .iter()
                .filter(|id| call.messages[1].text.contains(&format!(" {id},")) || call.messages[1].text.contains(&format!(", {id} of")));
            replied(json!({"nodes": own.map(node).collect::<Vec<_>>()}).to_string())
        }
        // Services of the prompt have no node. The workflow stays the result if its repair fails.
        Stage::Repair => replied("{}"),
    });
    let repair = calls.iter().find(|call| call.stage == Stage::Repair).unwrap();
    assert!(repair.messages.last().unwrap().text.contains("and no node uses it"));
    let fills = calls.iter().filter(|call| call.stage == Stage::Fill).count();
    assert!(fills == 2 && calls[0].messages[1].text.contains("Plan the workflow"), "{fills} fills");
    assert!(calls.iter().all(|call| call.tier == ModelTier::Complex));
    assert_eq!(built(&outcome).node("Tell 10").unwrap().parameter("text").unwrap(), "new");
}

#[test]
fn a_lost_answer_counts_as_an_attempt_and_its_question_is_not_asked_again() {
    let lost = || Err(CallFailure { message: "the operator was restarted".to_owned(), may_have_been_paid: true });
    let (outcome, calls) = run(&request(PROMPT), |number, _| if number == 0 { lost() } else { replied(good().to_string()) });
    assert!(matches!(outcome, Outcome::Built(_)));
    assert_eq!(calls.len(), 2);
    assert_ne!(calls[0].key, calls[1].key);
    assert_eq!(calls[0].messages, calls[1].messages);
    let (outcome, calls) = run(&request(PROMPT), |_, _| lost());
    assert!(matches!(outcome, Outcome::Failed(_)));
    assert_eq!(calls.len(), 3, "three attempts in all");
    let other = Request { provider: Provider::Model { identity: "another" }, ..request(PROMPT) };
    let keys = [&request(PROMPT), &other].map(|request| with_replies(request, &[good()]).1[0].key.clone());
    assert_ne!(keys[0], keys[1], "another model is another question");
}

#[test]
fn a_value_that_a_model_left_open_is_filled_in_from_the_answers() {
    let reply = answer(
        json!([{"id": "n1", "use": "webhook", "as": "Order", "set": {"path": "orders", "httpMethod": "POST"}},
            {"id": "n2", "use": "slack.message.post", "as": "Tell", "set": {"select": "channel", "channelId": "?channel", "text": "{{n1.body.total}}"}}]),
        json!(["n1>n2"]),
    );
    let answers = crate::generation::outcome::Answers::from([("channel".to_owned(), "C0123456789".to_owned())]);
    let open = request("tell Slack of each order that the webhook gets");
    for (request, is_open) in [(open.clone(), true), (Request { answers: &answers, ..open }, false)] {
        let Outcome::Built(candidate) = with_replies(&request, std::slice::from_ref(&reply)).0 else { panic!() };
        assert_eq!(candidate.slots.iter().map(|slot| slot.open).collect::<Vec<_>>(), [is_open]);
        assert_eq!(serde_json::to_string(&candidate.definition).unwrap().contains("C0123456789"), !is_open);
    }
}
