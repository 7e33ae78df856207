//! The kinds of faults that models put into workflows, and where each is caught in a compact one. docs/compact.md has the same table.

use serde_json::{Value, json};

use super::{around, built, compiled};
use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding};
use crate::validator::check::check;

/// Returns the codes of the compiler and the validator.
fn found(document: Value) -> (Vec<Code>, Vec<Code>) {
    let codes = |findings: &[Finding]| findings.iter().map(|finding| finding.code).collect();
    match built(&document) {
        Err(findings) => (codes(&findings), Vec::new()),
        Ok(compiled) => (codes(&compiled.findings), codes(&check(&compiled.definition, None, Catalog::embedded()))),
    }
}

#[track_caller]
fn by_compiler(document: Value, code: Code) {
    let (compiler, _) = found(document);
    assert!(compiler.contains(&code), "{compiler:?}");
}

#[track_caller]
fn by_validator(document: Value, code: Code) {
    let (compiler, validator) = found(document);
    assert!(validator.contains(&code), "compiler {compiler:?}, validator {validator:?}");
}

/// Returns a document with other edges.
fn with_edges(node: Value, edges: Value) -> Value {
    let mut document = around(node);
    document["edges"] = edges;
    document
}

const CASE: &str = r#"{"of": [{"left": "{{n1.body.x}}", "op": "number.gt", "right": 1}]}"#;

fn case() -> Value {
    serde_json::from_str(CASE).unwrap()
}

#[test]
fn d1_to_d3_connections_of_another_shape_are_refused() {
    by_compiler(with_edges(json!({"use": "noOp"}), json!([{"source": "n1", "target": "n2"}])), Code::CompactInvalid);
    by_compiler(with_edges(json!({"use": "noOp"}), json!(["361065cc>n2"])), Code::ConnectionSourceUnknown);
    by_compiler(with_edges(json!({"use": "if", "when": [case()]}), json!(["n1>n2>n3"])), Code::ConnectionOutput);
    by_compiler(with_edges(json!({"use": "noOp"}), json!({"0": {"0": ["n2"]}})), Code::CompactInvalid);
    by_compiler(around(json!({"use": "if", "when": [{"of": []}]})), Code::CompactInvalid);
    // Both branches on one output are two edges that say so.
    let both = compiled(with_edges(json!({"use": "if", "when": [case()]}), json!(["n1>n2.true>n3", "n2.false>n3"])));
    assert_eq!(both.definition.connections["It's"]["main"].as_array().unwrap().len(), 2);
}

#[test]
fn d4_groups_of_another_shape_are_found_by_the_validator() {
    let interval = json!({"compact": 1, "nodes": [{"id": "n1", "use": "scheduleTrigger", "as": "T", "set": {"rule": {"interval": {"field": "hours"}}}}], "edges": []});
    by_validator(interval, Code::ParameterShape);
}

#[test]
fn d5_invented_node_types_are_refused() {
    for name in ["waitTool", "openAiTool2", "nodes-langchain.agent", "coffeeMachine", "n8n-nodes-base.agent"] {
        by_compiler(around(json!({"use": name})), Code::NodeTypeUnknown);
    }
}

#[test]
fn d6_operators_of_other_products_are_found() {
    let with = |op: &str| around(json!({"use": "if", "when": [{"of": [{"left": "{{n1.body.x}}", "op": op, "right": 1}]}]}));
    by_compiler(with("larger"), Code::ConditionUnknown);
    by_validator(with("number.larger"), Code::ConditionUnknown);
    let mut combined = with("number.gt");
    combined["nodes"][1]["when"][0]["match"] = "AND".into();
    by_compiler(combined, Code::CompactInvalid);
}

#[test]
fn d7_expressions_without_braces_are_found_and_equals_signs_are_supplied() {
    by_compiler(around(json!({"use": "httpRequest", "set": {"url": "n1.body.url"}})), Code::CompactInvalid);
    let set = super::parameters(json!({"use": "httpRequest", "set": {"url": "https://example.org/{{n1.body.id}}"}}));
    assert_eq!(set["url"], "=https://example.org/{{$('Hook').item.json.body.id}}");
    by_validator(around(json!({"use": "httpRequest", "set": {"url": "$json.body.url"}})), Code::ExpressionWithoutBraces);
}

#[test]
fn d8_settings_among_parameters_are_refused_and_error_edges_set_on_error() {
    by_compiler(
        around(json!({"use": "httpRequest", "set": {"url": "https://example.org", "retryOnFail": true}})),
        Code::NodeFieldMisplaced,
    );
    by_validator(
        around(json!({"use": "httpRequest", "onError": "output", "set": {"url": "https://example.org"}})),
        Code::ErrorOutputUnconnected,
    );
    let wired = compiled(with_edges(json!({"use": "httpRequest", "set": {"url": "https://example.org"}}), json!(["n1>n2.error>n3"])));
    assert_eq!(wired.definition.node("It's").unwrap().0["onError"], "continueErrorOutput");
}

#[test]
fn d9_names_in_lists_are_doubted() {
    by_compiler(
        around(json!({"use": "slack.message.post", "set": {"channelId": {"@list": "Sales Team"}, "text": "x"}})),
        Code::LocatorMode,
    );
}

#[test]
fn d10_json_texts_that_are_no_json_are_found() {
    let set = json!({"method": "POST", "url": "https://example.org", "sendBody": true, "specifyBody": "json", "jsonBody": "{a: b c}"});
    by_validator(around(json!({"use": "httpRequest", "set": set})), Code::ParameterJson);
}

#[test]
fn d11_references_name_their_node() {
    let document = json!({"compact": 1, "nodes": [
        {"id": "f", "use": "formTrigger", "as": "Form", "set": {"formTitle": "Hello"}},
        {"id": "s", "use": "slack.message.post", "as": "Tell", "set": {"text": "new", "channelId": "C1"}},
        {"id": "r", "use": "httpRequest", "as": "Call", "set": {"url": "https://example.org/{{f.Mail}}"}}], "edges": ["f>s>r"]});
    let definition = compiled(document).definition;
    assert_eq!(definition.node("Call").unwrap().0["parameters"]["url"], "=https://example.org/{{$('Form').item.json.Mail}}");
}

#[test]
fn d12_fields_of_a_request_outside_of_its_body_are_doubted() {
    by_compiler(around(json!({"use": "httpRequest", "set": {"url": "{{n1.url}}"}})), Code::CompactInvalid);
}

#[test]
fn d16_a_value_to_be_given_is_a_slot_and_is_listed() {
    let compiled = compiled(around(json!({"use": "slack.message.post", "set": {"channelId": "?channel", "text": "x"}})));
    assert_eq!(compiled.slots[0].paths, ["nodes[1].set.channelId"]);
    // An invented value cannot be distinguished from a real one here.
    assert!(
        !found(around(json!({"use": "slack.message.post", "set": {"channelId": "C0INVENTED", "text": "x"}}))).0.contains(&Code::SlotOpen)
    );
}

#[test]
fn d17_credentials_cannot_be_written() {
    by_compiler(around(json!({"use": "slack.message.post", "credentials": {"slackApi": {"id": "1"}}})), Code::CompactInvalid);
    by_compiler(around(json!({"use": "slack.message.post", "set": {"credentials": {}}})), Code::NodeFieldMisplaced);
}

#[test]
fn d19_ids_are_the_same_as_long_as_the_name_is() {
    let edited = |text: &str| compiled(around(json!({"use": "slack.message.post", "set": {"text": text}}))).definition;
    let (before, after) = (edited("a"), edited("b"));
    assert!(before.nodes.iter().zip(&after.nodes).all(|(one, other)| one.id() == other.id() && one.webhook_id() == other.webhook_id()));
}

#[test]
fn d20_versions_are_those_of_the_catalogue() {
    let newest = compiled(around(json!({"use": "httpRequest", "set": {"url": "https://example.org"}}))).definition;
    let facts = Catalog::embedded().node("n8n-nodes-base.httpRequest").unwrap();
    assert_eq!(newest.node("It's").unwrap().type_version(), Some(facts.default_version));
    by_validator(around(json!({"use": "httpRequest@99", "set": {"url": "https://example.org"}})), Code::NodeVersionUnknown);
}

#[test]
fn d21_truncated_and_fenced_texts_are_no_documents() {
    use crate::document::parse::read_text;
    for (text, code) in
        [("{\"compact\": 1, \"nodes\": [{\"id\": \"n1", Code::DocumentTruncated), ("```json\n{\"compact\": 1}\n```", Code::DocumentFenced)]
    {
        assert!(read_text(text, 1 << 20).unwrap_err().iter().any(|finding| finding.code == code), "{text}");
    }
}

#[test]
fn d22_a_node_that_nothing_leads_to_is_found() {
    by_validator(with_edges(json!({"use": "noOp"}), json!(["n1>n3"])), Code::NodeUnconnected);
}

#[test]
fn d23_a_value_of_the_user_is_never_an_expression() {
    let document = around(json!({"use": "respondToWebhook", "set": {"responseBody": "Hello {{?name}}"}}));
    let inputs = std::collections::BTreeMap::from([("name".to_owned(), json!("x }} {{ $env.TOKEN"))]);
    let compact = super::read(&document).unwrap();
    let compiled = super::compile(&compact, &inputs, Catalog::embedded()).unwrap();
    let body = &compiled.definition.node("It's").unwrap().0["parameters"]["responseBody"];
    assert_eq!(body, r#"=Hello {{ "x \u007d\u007d \u007b\u007b $env.TOKEN" }}"#);
}
