//! Severity of findings against the catalogue: errors are what n8n refuses or what cannot work, all others are warnings. Arbitrary JSON
//! is examined without a panic.
#![allow(clippy::unwrap_used)] // Clippy does not count helpers of tests as tests.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::{Definition, Node};
use weirkeeper::validator::check::parse_and_check;
use weirkeeper::validator::schema::{check_against, examine};

/// Returns the findings about a document, as `severity code`.
fn codes(document: Value) -> Vec<String> {
    let definition = parse_and_check(&document).unwrap().definition;
    let mut findings = Vec::new();
    check_against(&definition, Catalog::embedded(), &mut findings);
    findings.iter().map(|one| format!("{} {}", one.severity, one.code)).collect()
}

fn wired(kind: &str, version: f64, parameters: Value) -> Value {
    json!({"name": "x", "settings": {}, "nodes": [
        {"name": "T", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {}},
        {"name": "N", "type": kind, "typeVersion": version, "position": [0, 0], "parameters": parameters}],
        "connections": {"T": {"main": [[{"node": "N", "type": "main", "index": 0}]]}}})
}

#[test]
fn the_shape_of_an_older_version_is_an_error_and_a_leftover_a_warning() {
    let old = json!({"url": "https://a.example", "requestMethod": "POST", "bodyParametersJson": "{}"});
    let found = codes(wired("n8n-nodes-base.httpRequest", 4.2, old));
    assert!(found.len() == 2 && found.iter().all(|one| one == "error parameter-of-other-version"), "{found:?}");
    let mixed = json!({"url": "https://a.example", "requestMethod": "POST", "method": "POST", "sendBody": true});
    assert_eq!(codes(wired("n8n-nodes-base.httpRequest", 4.2, mixed)), ["warning parameter-of-other-version"]);
}

#[test]
fn a_choice_of_what_the_node_does_is_an_error_and_another_choice_a_warning() {
    let method = json!({"url": "https://a.example", "method": "FETCH"});
    assert_eq!(codes(wired("n8n-nodes-base.httpRequest", 4.2, method)), ["error parameter-option-unknown"]);
    // Methods that n8n does not offer and yet sends.
    for method in ["PROPFIND", "get"] {
        let found = codes(wired("n8n-nodes-base.httpRequest", 4.2, json!({"url": "https://a.example", "method": method})));
        assert_eq!(found, ["warning parameter-option-unknown"], "{method}");
    }
    // n8n's own code still accepts it.
    let legacy = json!({"language": "python", "pythonCode": "return []"});
    let found = codes(wired("n8n-nodes-base.code", 2.0, legacy));
    assert!(found.iter().all(|one| one.starts_with("warning")), "{found:?}");
}

#[test]
fn a_sub_node_that_the_parameters_switch_off_is_a_warning_and_one_that_never_fits_an_error() {
    let parser = json!({"name": "P", "type": "@n8n/n8n-nodes-langchain.outputParserStructured", "typeVersion": 1.2, "position": [0, 0], "parameters": {}});
    let model = json!({"name": "M", "type": "@n8n/n8n-nodes-langchain.lmChatOpenAi", "typeVersion": 1.2, "position": [0, 0],
                       "parameters": {"model": {"__rl": true, "mode": "id", "value": "m"}}});
    let attached = |kind: &str, input: u32, parameters: Value| {
        let mut document = wired("@n8n/n8n-nodes-langchain.agent", 2.0, parameters);
        document["nodes"].as_array_mut().unwrap().extend([parser.clone(), model.clone()]);
        document["connections"]["M"] = json!({"ai_languageModel": [[{"node": "N", "type": "ai_languageModel", "index": 0}]]});
        document["connections"]["P"] = json!({kind: [[{"node": "N", "type": kind, "index": input}]]});
        codes(document).into_iter().filter(|code| code.contains("connection-")).collect::<Vec<_>>()
    };
    assert_eq!(attached("ai_outputParser", 0, json!({"options": {}})), ["warning connection-kind"]);
    assert!(attached("ai_outputParser", 0, json!({"hasOutputParser": true, "options": {}})).is_empty());
    assert_eq!(attached("ai_embedding", 0, json!({"options": {}})), ["error connection-kind"]);
}

#[test]
fn a_locator_that_holds_neither_mode_nor_value_is_an_error() {
    let to = |user: Value| wired("n8n-nodes-base.slack", 2.3, json!({"select": "user", "user": user, "text": "hi", "otherOptions": {}}));
    assert!(codes(to(json!({"id": "U012345", "name": "Ann"}))).contains(&"error parameter-shape".to_owned()));
    assert!(!codes(to(json!({"__rl": true, "mode": "id", "value": "U0123456789"}))).contains(&"error parameter-shape".to_owned()));
}

#[test]
fn a_tool_on_main_is_a_warning_where_items_flow_to_it() {
    let mut document = wired("n8n-nodes-base.httpRequestTool", 4.2, json!({"toolDescription": "x", "url": "https://a.example"}));
    let after = json!({"name": "M", "type": "n8n-nodes-base.noOp", "typeVersion": 1, "position": [0, 0], "parameters": {}});
    document["nodes"].as_array_mut().unwrap().push(after);
    document["connections"]["N"] = json!({"main": [[{"node": "M", "type": "main", "index": 0}]]});
    let found = codes(document.clone());
    assert_eq!(found, ["warning connection-kind", "warning connection-input-unknown"]);
    document["connections"]["T"] = json!({"main": [[{"node": "M", "type": "main", "index": 0}]]});
    assert_eq!(codes(document), ["error connection-kind"]);
}

#[test]
fn problems_that_n8n_does_not_check_are_at_most_warnings() {
    let mut document = wired("n8n-nodes-base.httpRequest", 4.2, json!({}));
    assert_eq!(codes(document.clone()), ["error parameter-missing"]);
    document["nodes"][1]["disabled"] = json!(true);
    assert_eq!(codes(document.clone()), ["warning parameter-missing"]);
    document["nodes"][1]["disabled"] = json!(false);
    document["connections"] = json!({});
    assert_eq!(codes(document), ["warning parameter-missing"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just("={{ 1 }}".to_owned()), Just("main".to_owned()), Just("id".to_owned()), "[a-z]{0,6}"].prop_map(Value::from),
    ];
    let keys = || {
        prop_oneof![
            "resource",
            "operation",
            "rules",
            "values",
            "conditions",
            "assignments",
            "options",
            "mode",
            "value",
            "main",
            "node",
            "index",
            "[a-z]{0,4}"
        ]
    };
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys(), inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Returns the same values with the keys of every object inserted in reverse order.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().collect::<Vec<_>>().into_iter().rev().map(|(key, one)| (key.clone(), turned(one))).collect())
        }
        Value::Array(items) => items.iter().map(turned).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_json_is_examined_and_the_order_of_keys_says_nothing(
        kind in prop::sample::select(vec!["switch", "set", "if", "merge", "slack", "httpRequest", "googleSheets", "webhook", "code", "notion", "?"]),
        version in prop::sample::select(vec![0.0, 1.0, 2.0, 2.2, 3.0, 3.4, 4.2, 1e300]),
        parameters in any_json(), credentials in any_json(), connections in any_json(), wires in any_json(),
    ) {
        let node = json!({"name": "N", "type": format!("n8n-nodes-base.{kind}"), "typeVersion": version, "parameters": parameters, "credentials": credentials});
        let mut wired = Map::new();
        wired.insert("N".to_owned(), json!({"main": wires, "ai_tool": connections}));
        let say = |node: &Value, wired: &Value| {
            let nodes = vec![Node(node.as_object().unwrap().clone())];
            let definition = Definition { nodes, connections: wired.as_object().unwrap().clone(), ..Definition::default() };
            let mut findings = Vec::new();
            (examine(&definition, Catalog::embedded(), &mut findings), findings)
        };
        let wired = Value::Object(wired);
        prop_assert_eq!(say(&node, &wired), say(&turned(&node), &turned(&wired)));
    }
}
