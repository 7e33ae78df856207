//! The kinds of faults that are known of generated workflows: a reply that has each, and where it is caught. docs/generation.md has the same
//! table.

use serde_json::{Value, json};

use super::{answer, request, with_replies};
use crate::document::finding::{Code, Finding};
use crate::generation::engine::Request;
use crate::generation::outcome::Outcome;

/// A prompt that patterns alone do not understand.
const PROMPT: &str = "When the webhook at /orders is called, frobnicate the name with Babelfish, read all users of Slack and post one message to Slack #sales.";

/// Where a fault is caught.
enum Caught {
    /// By an error, which is sent to the model.
    Error(Code),
    /// By a warning, which is sent to the model once.
    Doubt(Code),
    /// It is corrected, and recorded with this text.
    Corrected(&'static str),
    /// An assumption with this text says it.
    Said(&'static str),
    /// It is not.
    Not,
}

use Caught::{Corrected, Doubt, Error, Not, Said};

fn hook() -> Value {
    json!({"id": "n1", "use": "webhook", "as": "Hook", "set": {"path": "orders", "httpMethod": "POST"}})
}

fn tell(text: &str) -> Value {
    json!({"id": "n3", "use": "slack.message.post", "as": "Tell", "set": {"select": "channel", "channelId": "#sales", "text": text}})
}

/// Returns a reply of a webhook, this node and a message.
fn with(node: Value, edges: Value) -> Value {
    answer(json!([hook(), node, tell("new order")]), edges)
}

fn row() -> Value {
    json!(["n1>n2>n3"])
}

fn node(kind: &str, set: Value) -> Value {
    json!({"id": "n2", "use": kind, "as": "Step", "set": set})
}

fn case(op: &str) -> Value {
    json!([{"of": [{"left": "{{n1.body.total}}", "op": op, "right": 100}]}])
}

fn decides(when: Value, edges: Value) -> Value {
    let mut own = node("if", json!({}));
    own["when"] = when;
    with(own, edges)
}

fn effects(mut reply: Value, effects: Value) -> Value {
    reply["effects"] = effects;
    reply
}

fn faults() -> Vec<(&'static str, &'static str, Value, Caught)> {
    let post = |body: Value| {
        node("httpRequest", json!({"method": "POST", "url": "?url", "sendBody": true, "specifyBody": "json", "jsonBody": body}))
    };
    let users = || node("slack.user.getAll", json!({"returnAll": true}));
    let bearer = format!("Bearer {}", "9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c");
    let header =
        json!({"url": "?url", "sendHeaders": true, "headerParameters": {"parameters": [{"name": "Authorization", "value": bearer}]}});
    let flagged = |flag: &str| {
        let mut own = users();
        own["flags"] = json!([flag]);
        own
    };
    let failing = || {
        let mut own = node("httpRequest", json!({"url": "?url"}));
        own["onError"] = "output".into();
        own
    };
    vec![
        ("D1", "connections as a list of objects", with(users(), json!([{"source": "n1", "target": "n2"}])), Error(Code::CompactInvalid)),
        ("D1", "connections by the id that n8n gave", with(users(), json!(["361065cc>n2>n3"])), Error(Code::ConnectionSourceUnknown)),
        ("D1", "connections by the name of the node", with(users(), json!(["Hook>Step>Tell"])), Corrected("edges[0]")),
        (
            "D2",
            "both outputs of an If to one node",
            decides(case("number.gt"), json!(["n1>n2.true>n3", "n2.false>n3"])),
            Error(Code::BranchesJoined),
        ),
        ("D2", "an If that names no output", decides(case("number.gt"), row()), Error(Code::ConnectionOutput)),
        ("D2", "an If without a condition", decides(json!([]), json!(["n1>n2.true>n3"])), Error(Code::ConditionMissing)),
        ("D3", "keys `0` and `1` as connections", with(users(), json!({"0": {"0": ["n2"]}})), Error(Code::CompactInvalid)),
        (
            "D4",
            "an object in the place of a list in a group",
            answer(
                json!([{"id": "n1", "use": "scheduleTrigger", "as": "T", "set": {"rule": {"interval": {"field": "hours"}}}}, tell("x")]),
                json!(["n1>n3"]),
            ),
            Error(Code::ParameterShape),
        ),
        ("D5", "an invented node type", with(node("coffeeMachine", json!({})), row()), Error(Code::NodeTypeUnknown)),
        ("D5", "a node type with one wrong letter", with(node("slak.user.getAll", json!({"returnAll": true})), row()), Corrected("slack")),
        ("D6", "an operator of another product", decides(case("larger"), json!(["n1>n2.true>n3"])), Corrected("number.gt")),
        ("D6", "an operator that nobody has", decides(case("number.bigger"), json!(["n1>n2.true>n3"])), Error(Code::ConditionUnknown)),
        (
            "D7",
            "a variable of n8n without braces",
            with(node("httpRequest", json!({"url": "$json.body.url"})), row()),
            Doubt(Code::ExpressionWithoutBraces),
        ),
        ("D7", "a reference without braces", with(node("httpRequest", json!({"url": "n1.body.url"})), row()), Corrected("{{n1.body.url}}")),
        (
            "D8",
            "settings of the node among its parameters",
            with(node("httpRequest", json!({"url": "?url", "retryOnFail": true})), row()),
            Error(Code::NodeFieldMisplaced),
        ),
        ("D8", "an error output that leads nowhere", with(failing(), json!(["n1>n2.0>n3"])), Doubt(Code::ErrorOutputUnconnected)),
        (
            "D9",
            "a human name as a choice from a list",
            with(node("slack.message.post", json!({"select": "channel", "channelId": {"@list": "Sales Team"}, "text": "x"})), row()),
            Doubt(Code::LocatorMode),
        ),
        ("D10", "text that is no JSON in a JSON parameter", with(post("{a: b c}".into()), row()), Error(Code::ParameterJson)),
        (
            "D10",
            "Slack blocks as a bare list",
            with(
                node(
                    "slack.message.post",
                    json!({"select": "channel", "channelId": "#sales", "messageType": "block", "blocksUi": "[{\"type\": \"divider\"}]"}),
                ),
                row(),
            ),
            Error(Code::ParameterJson),
        ),
        (
            "D11",
            "`$json` behind a node that sends",
            answer(
                json!([hook(), tell("one"), {"id": "n4", "use": "httpRequest", "as": "Call", "set": {"url": "?url", "sendQuery": true, "queryParameters": {"parameters": [{"name": "q", "value": "{{ $json.customer }}"}]}}}]),
                json!(["n1>n3>n4"]),
            ),
            Doubt(Code::AnswerAsData),
        ),
        (
            "D12",
            "a field of the request beside the body",
            with(node("httpRequest", json!({"url": "{{ $json.address }}"})), row()),
            Doubt(Code::WebhookFieldUnknown),
        ),
        (
            "D12",
            "the same as a reference",
            with(node("httpRequest", json!({"url": "{{n1.address}}"})), row()),
            Corrected("n1.body.address"),
        ),
        (
            "D13",
            "one message that is sent for each of many items",
            effects(with(users(), row()), json!([{"what": "post one message", "node": "n3", "once": true}])),
            Doubt(Code::SentPerItem),
        ),
        ("D13", "the same, without `once` in the effects", with(users(), row()), Doubt(Code::SentPerItem)),
        ("D14", "an empty item that counts as data", with(flagged("always"), row()), Doubt(Code::SentPerItem)),
        (
            "D15",
            "a poll that creates the same items again after a republish",
            answer(
                json!([{"id": "n1", "use": "rssFeedReadTrigger", "as": "Feed", "set": {"feedUrl": "?feed"}}, tell("{{n1.title}}")]),
                json!(["n1>n3"]),
            ),
            Said("may come again"),
        ),
        (
            "D16",
            "an invented mail address",
            with(node("emailSend", json!({"fromEmail": "?from", "toEmail": "user@example.com", "subject": "x", "text": "y"})), row()),
            Error(Code::ValueInvented),
        ),
        (
            "D16",
            "an invented channel",
            with(node("slack.message.post", json!({"select": "channel", "channelId": "C0123456789", "text": "x"})), row()),
            Error(Code::ValueInvented),
        ),
        (
            "D16",
            "an invented host",
            with(node("httpRequest", json!({"url": "https://erp.internal-system.de/orders"})), row()),
            Error(Code::ValueInvented),
        ),
        ("D17", "a key in a header", with(node("httpRequest", header), row()), Error(Code::SecretLiteral)),
        (
            "D17",
            "a credential among the parameters",
            with(node("httpRequest", json!({"url": "?url", "credentials": {"x": "y"}})), row()),
            Error(Code::NodeFieldMisplaced),
        ),
        (
            "D18",
            "done is said and no workflow given",
            json!({"assumptions": ["The workflow was created."], "effects": [], "questions": [], "refusal": null, "workflow": null}),
            Error(Code::CompactInvalid),
        ),
        (
            "D20",
            "a Function node",
            with(node("function", json!({"functionCode": "return items;"})), row()),
            Error(Code::NodeTypeDeprecated),
        ),
        (
            "D22",
            "a formatter in the place of a send",
            effects(with(node("set", json!({})), row()), json!([{"what": "mail the customer", "node": "n2", "once": false}])),
            Error(Code::EffectMissing),
        ),
        (
            "D22",
            "an effect whose node is missing",
            effects(with(users(), row()), json!([{"what": "mail the customer", "node": "n9", "once": false}])),
            Error(Code::EffectMissing),
        ),
        (
            "D22",
            "an effect that no trigger leads to",
            effects(with(users(), json!(["n1>n2"])), json!([{"what": "post", "node": "n3", "once": true}])),
            Error(Code::EffectMissing),
        ),
        (
            "D22",
            "an effect that the model forgets, in a service that the prompt names",
            answer(json!([hook(), node("set", json!({"assignments": [{"a": "b"}]}))]), json!(["n1>n2"])),
            Doubt(Code::ServiceUnused),
        ),
        (
            "D22",
            "an effect that the model forgets, in a service that another node uses",
            answer(json!([hook(), users()]), json!(["n1>n2"])),
            Not,
        ),
        (
            "D23",
            "an injected order to send the environment",
            with(post("{{ JSON.stringify($env) }}".into()), row()),
            Error(Code::GeneratedForbidden),
        ),
    ]
}

/// Returns the findings and the assumptions of a generation with one attempt.
fn found(reply: &Value) -> (Vec<Finding>, Vec<String>, bool) {
    let once = Request { attempts: 1, ..request(PROMPT) };
    match with_replies(&once, std::slice::from_ref(reply)).0 {
        Outcome::Built(candidate) => (candidate.findings, candidate.assumptions, true),
        Outcome::Failed(failure) => (failure.findings, failure.best.map(|best| best.assumptions).unwrap_or_default(), false),
        other => panic!("{other:#?}"),
    }
}

#[test]
fn each_fault_is_caught_where_the_table_says() {
    let mut complaints = Vec::new();
    for (id, what, reply, caught) in faults() {
        let (findings, assumptions, built) = found(&reply);
        let has = |code: Code| findings.iter().any(|finding| finding.code == code);
        let right = match &caught {
            Error(code) => !built && has(*code),
            Doubt(code) => has(*code),
            Corrected(text) => assumptions.iter().any(|line| line.starts_with("Corrected: ") && line.contains(text)),
            Said(text) => built && assumptions.iter().any(|line| line.contains(text)),
            Not => built,
        };
        if !right {
            complaints.push(format!("{id} {what}: built {built}, {findings:#?} {assumptions:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_page_has_the_same_table() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/generation.md")).unwrap();
    let rows: Vec<String> = faults()
        .into_iter()
        .map(|(id, what, _, caught)| {
            let by = match caught {
                Error(code) => format!("[`{code}`](findings.md#{code})"),
                Doubt(code) => format!("[`{code}`](findings.md#{code}), a warning"),
                Corrected(_) => "corrected".to_owned(),
                Said(_) => "said in the assumptions".to_owned(),
                Not => "**not caught**".to_owned(),
            };
            format!("| {id} | {what} | {by} |")
        })
        .collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "{}", rows.join("\n"));
    for number in 1..=24 {
        assert!(page.contains(&format!("| D{number} |")), "D{number}");
    }
}
