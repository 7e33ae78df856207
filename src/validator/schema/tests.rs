use serde_json::{Value, json};

use super::*;
use crate::document::finding::Code;
use crate::validator::check::parse_and_check;

/// Returns the findings about a node behind a trigger, followed by nodes to which its outputs lead in turn.
fn said(node: Value, outputs: &[&[&str]]) -> Vec<Finding> {
    let plain = |name: &str| json!({"name": name, "type": "n8n-nodes-base.noOp", "typeVersion": 1});
    let mut nodes = vec![json!({"name": "T", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "parameters": {}}), node];
    nodes.extend(outputs.iter().copied().flatten().map(|name| plain(name)));
    nodes.iter_mut().for_each(|node| node["position"] = json!([0, 0]));
    nodes[1]["name"] = json!("N");
    let edge = |name: &&str| json!({"node": name, "type": "main", "index": 0});
    let leads: Vec<Value> = outputs.iter().map(|names| names.iter().map(edge).collect()).collect();
    let connections = json!({"T": {"main": [[edge(&"N")]]}, "N": {"main": leads}});
    let definition = parse_and_check(&json!({"nodes": nodes, "connections": connections, "settings": {}})).unwrap().definition;
    let mut findings = Vec::new();
    check_against(&definition, Catalog::embedded(), &mut findings);
    findings
}

/// Returns the same as `severity code path`.
fn lines(kind: &str, version: f64, parameters: Value) -> Vec<String> {
    let node = json!({"type": kind, "typeVersion": version, "parameters": parameters});
    said(node, &[])
        .iter()
        .map(|one| format!("{} {} {}", one.severity, one.code, one.path.trim_start_matches("nodes[1].parameters.")))
        .collect()
}

fn condition(kind: &str, operation: &str) -> Value {
    json!({"leftValue": "={{ $json.a }}", "rightValue": 1, "operator": {"type": kind, "operation": operation}})
}

#[test]
fn unknown_operators_and_combinators_are_reported_with_a_suggestion() {
    let of = |filter: Value| {
        said(json!({"type": "n8n-nodes-base.if", "typeVersion": 2.2, "parameters": {"conditions": filter, "options": {}}}), &[])
    };
    let one = |kind: &str, operation: &str| of(json!({"combinator": "and", "conditions": [condition(kind, operation)]}));
    for (kind, operation, meant) in [
        ("number", "larger", Some("gt")),
        ("number", "greaterThan", Some("gt")),
        ("number", "isGreaterThanOrEqual", Some("gte")),
        ("string", "isNotEmpty", Some("notEmpty")),
        ("string", "isEmpty", Some("empty")),
        ("string", "equal", Some("equals")),
        ("string", "Contains", Some("contains")),
        ("string", "gt", None),
        ("boolean", "isTrue", Some("true")),
        ("dateTime", "gt", Some("after")),
        ("array", "includes", Some("contains")),
        ("object", "contains", None),
        ("text", "equals", None),
        ("", "equals", None),
    ] {
        let found = one(kind, operation);
        assert_eq!(found.len(), 1, "{kind} {operation}: {found:?}");
        assert!(found[0].is_error() && found[0].code == Code::ConditionUnknown, "{found:?}");
        if kind != "text" && !kind.is_empty() {
            assert_eq!(found[0].suggestion.as_deref(), meant, "{kind} {operation}");
        }
    }
    for (kind, operation) in [
        ("string", "regex"),
        ("number", "lte"),
        ("dateTime", "beforeOrEquals"),
        ("boolean", "false"),
        ("array", "lengthGt"),
        ("object", "notEmpty"),
        ("any", "exists"),
        ("string", "notExists"),
        ("={{ $json.type }}", "x"),
        ("string", "={{ $json.operation }}"),
    ] {
        assert_eq!(one(kind, operation), [], "{kind} {operation}");
    }
    let combined = |combinator: Value| of(json!({"combinator": combinator, "conditions": [condition("number", "gt")]}));
    assert_eq!(combined(json!("AND"))[0].suggestion.as_deref(), Some("and"));
    assert_eq!(combined(json!("any"))[0].suggestion.as_deref(), Some("or"));
    for fine in [json!("and"), json!("or"), json!(null), json!("={{ $json.c }}")] {
        assert_eq!(combined(fine.clone()), [], "{fine}");
    }
    let without = of(json!({"combinator": "and", "conditions": [{"leftValue": 1, "rightValue": 1}]}));
    assert_eq!(without[0].path, "nodes[1].parameters.conditions.conditions[0].operator");
}

#[test]
fn each_rule_of_a_switch_is_checked() {
    let rule = |operation: &str| json!({"conditions": {"combinator": "and", "conditions": [condition("number", operation)]}});
    let rules = json!({"rules": {"values": [rule("gt"), rule("larger")]}, "options": {}});
    let found = lines("n8n-nodes-base.switch", 3.2, rules);
    assert_eq!(found, ["error condition-unknown rules.values[1].conditions.conditions[0].operator.operation"]);
}

#[test]
fn invalid_json_is_an_error_if_the_node_was_observed_to_fail_and_otherwise_a_warning() {
    let body = |text: &str| json!({"method": "POST", "url": "https://a.example", "sendBody": true, "specifyBody": "json", "jsonBody": text, "options": {}});
    let http = |text: &str| lines("n8n-nodes-base.httpRequest", 4.2, body(text));
    for text in
        ["{'a': 1}", "{\"a\": 1,}", "={\"a\": 1,}", "{a: 1}", "{\"a\": {{ $json.a }} }", "{\"a\": 1} x", "{\"a\": \"\n\"}", "undefined"]
    {
        assert_eq!(http(text), ["error parameter-json-invalid jsonBody"], "{text}");
    }
    for text in
        ["{\"a\": 1}", "[]", "={\"a\": {{ $json.a }} }", "={{ $json }}", "", "1", "{\"a\": \"{{ $json.a }}\"}", "{\"a\": \"\\ud83d\"}"]
    {
        assert_eq!(http(text), [] as [&str; 0], "{text}");
    }
    assert_eq!(http(&format!("{}1{}", "[".repeat(500), "]".repeat(500))), [] as [&str; 0], "depth is no fault of JSON");
    let find = |query: &str| lines("n8n-nodes-base.mongoDb", 1.2, json!({"collection": "a", "query": query, "options": {}}));
    assert!(find("{a: 1}").contains(&"warning parameter-json-invalid query".to_owned()));
    let set = lines("n8n-nodes-base.set", 3.4, json!({"mode": "raw", "jsonOutput": "{a: 1}", "options": {}}));
    assert_eq!(set, [] as [&str; 0], "n8n reads keys without quotes there");
    let hidden = json!({"url": "https://a.example", "jsonBody": "{a}", "options": {}});
    assert_eq!(lines("n8n-nodes-base.httpRequest", 4.2, hidden), [] as [&str; 0], "it does not show");
}

#[test]
fn a_node_field_among_the_parameters_is_reported() {
    let parameters = json!({"url": "https://a.example", "onError": "continueRegularOutput", "options": {"retryOnFail": true}});
    let found = said(json!({"type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "parameters": parameters}), &[]);
    let reported: Vec<_> = found.iter().map(|one| (one.code, one.path.as_str(), one.suggestion.as_deref())).collect();
    assert_eq!(
        reported,
        [
            (Code::NodeFieldMisplaced, "nodes[1].parameters.onError", Some("nodes[1].onError")),
            (Code::NodeFieldMisplaced, "nodes[1].parameters.options.retryOnFail", Some("nodes[1].retryOnFail"))
        ]
    );
    let own = json!({"resource": "contact", "operation": "upsert", "email": "a@b.c", "additionalFields": {}, "notes": "x"});
    assert!(
        said(json!({"type": "community.crm", "typeVersion": 1, "parameters": own}), &[])
            .iter()
            .all(|one| one.code != Code::NodeFieldMisplaced)
    );
}

#[test]
fn conditions_of_version_2_on_version_1_are_an_error() {
    let filter = json!({"conditions": {"combinator": "and", "conditions": [condition("number", "gt")], "options": {}}});
    for kind in ["n8n-nodes-base.if", "n8n-nodes-base.filter"] {
        assert_eq!(lines(kind, 1.0, filter.clone()), ["error parameter-of-other-version conditions"], "{kind}");
        assert_eq!(lines(kind, 2.0, filter.clone()), [] as [&str; 0], "{kind}");
    }
    let own = json!({"conditions": {"number": [{"value1": "={{ $json.a }}", "operation": "larger", "value2": 1}]}});
    assert_eq!(lines("n8n-nodes-base.if", 1.0, own), [] as [&str; 0]);
}

#[test]
fn a_value_that_other_parameters_are_shown_for_is_one_that_n8n_knows() {
    let python = |language: &str| lines("n8n-nodes-base.code", 2.0, json!({"language": language, "pythonCode": "return []"}));
    assert_eq!(python("python"), [] as [&str; 0]);
    assert_eq!(python("pythonNative"), [] as [&str; 0]);
    assert_eq!(python("ruby"), ["warning parameter-option-unknown language"]);
    let other = json!({"resource": "channel", "operation": "sendAndWait"});
    assert!(
        lines("n8n-nodes-base.slack", 2.3, other).contains(&"error parameter-option-unknown operation".to_owned()),
        "it is of another resource"
    );
}

#[test]
fn a_single_entry_in_place_of_a_list_is_reported_at_its_path() {
    let headers = json!({"url": "https://a.example", "sendHeaders": true, "headerParameters": {"parameters": {"name": "a", "value": "b"}}, "options": {}});
    let found = said(json!({"type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "parameters": headers}), &[]);
    assert_eq!(found[0].path, "nodes[1].parameters.headerParameters.parameters");
    assert!(found[0].message.contains("put [ ] around"), "{}", found[0].message);
}

#[test]
fn an_unconnected_error_output_is_reported() {
    let of = |kind: &str, version: f64, outputs: &[&[&str]]| {
        let parameters = json!({"url": "https://a.example", "options": {}, "conditions": {"conditions": [condition("number", "gt")]}});
        let node = json!({"type": kind, "typeVersion": version, "onError": "continueErrorOutput", "parameters": parameters});
        let found = said(node, outputs).into_iter().filter(|one| one.code == Code::ErrorOutputUnconnected);
        found.map(|one| one.path).collect::<Vec<_>>()
    };
    let http = "n8n-nodes-base.httpRequest";
    assert_eq!(of(http, 4.2, &[&["A"]]), ["nodes[1].onError"]);
    assert_eq!(of(http, 4.2, &[]), ["nodes[1].onError"]);
    assert_eq!(of(http, 4.2, &[&["A"], &["B"]]), [] as [&str; 0]);
    assert_eq!(of("n8n-nodes-base.if", 2.2, &[&["A"], &["B"]]), ["nodes[1].onError"], "its second output is for false");
    assert_eq!(of("n8n-nodes-base.if", 2.2, &[&["A"], &["B"], &["C"]]), [] as [&str; 0]);
    assert_eq!(of("community.thing", 1.0, &[&["A"]]), [] as [&str; 0], "nobody knows its outputs");
}

#[test]
fn a_missing_port_is_reported_with_the_parameter_that_enables_it() {
    let store = |mode: &str| {
        let nodes = json!([
            {"name": "A", "type": "@n8n/n8n-nodes-langchain.agent", "typeVersion": 2.2, "position": [0, 0], "parameters": {"options": {}}},
            {"name": "S", "type": "@n8n/n8n-nodes-langchain.vectorStoreInMemory", "typeVersion": 1.3, "position": [0, 0], "parameters": {"mode": mode}},
            {"name": "P", "type": "@n8n/n8n-nodes-langchain.outputParserStructured", "typeVersion": 1.3, "position": [0, 0], "parameters": {}}
        ]);
        let to = |kind: &str| json!({kind: [[{"node": "A", "type": kind, "index": 0}]]});
        let connections = json!({"S": to("ai_tool"), "P": to("ai_outputParser")});
        let definition = parse_and_check(&json!({"nodes": nodes, "connections": connections, "settings": {}})).unwrap().definition;
        let mut findings = Vec::new();
        check_against(&definition, Catalog::embedded(), &mut findings);
        let messages = findings.into_iter().filter(|one| one.code == Code::ConnectionKind).map(|one| one.message);
        messages.collect::<Vec<_>>()
    };
    let found = store("retrieve");
    assert!(found.iter().any(|one| one.ends_with("; it does if you set mode to \"retrieve-as-tool\"")), "{found:?}");
    assert!(found.iter().any(|one| one.ends_with("; it does if you set hasOutputParser to true")), "{found:?}");
    assert_eq!(store("retrieve-as-tool").len(), 1);
}
