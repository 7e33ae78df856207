use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::document::parse::parse;

fn managed(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn all() -> BTreeSet<String> {
    managed(&["timezone", "errorWorkflow", "executionTimeout", "executionOrder", "binaryMode"])
}

fn digest_of_document(document: &Value) -> Digest {
    let list = |key: &str| document.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let settings = document.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    let connections = document.get("connections").cloned().unwrap_or(Value::Null);
    digest_of(&list("nodes"), &connections, &list("nodeGroups"), &settings, &all())
}

fn digest_of_node(node: Value) -> Digest {
    digest_of_document(&json!({"nodes": [node]}))
}

#[test]
fn values_that_n8n_adds_or_rewrites_do_not_change_the_digest() {
    let ours = json!({
        "nodes": [{
            "id": "1", "name": "A", "type": "t", "typeVersion": 2.0, "position": [-0.0, 1e3],
            "parameters": {"big": 9_007_199_254_740_993_u64, "null": null},
            "credentials": {"slackApi": {"id": "c", "name": "as we call it"}}
        }],
        "connections": {},
        "settings": {"executionTimeout": -1, "timezone": "DEFAULT", "executionOrder": "v1"}
    });
    let read: Value = serde_json::from_str(
        r#"{
        "nodes": [{
            "credentials": {"slackApi": {"name": "as n8n calls it", "id": "c"}},
            "parameters": {"null": null, "big": 9007199254740992},
            "position": [0, 1000], "typeVersion": 2, "type": "t", "name": "A", "id": "1", "webhookId": ""
        }],
        "connections": {},
        "nodeGroups": [],
        "settings": {"executionOrder": "v1", "binaryMode": "separate", "availableInMCP": false}
    }"#,
    )
    .unwrap();
    assert_eq!(digest_of_document(&ours), digest_of_document(&read));
}

#[test]
fn an_absent_field_equals_its_default() {
    let bare = json!({"name": "A"});
    let wordy = json!({
        "name": "A", "id": "", "notes": "", "disabled": false, "executeOnce": false, "onError": "stopWorkflow",
        "parameters": {}, "credentials": {"a": null}, "maxTries": null
    });
    assert_eq!(digest_of_node(bare.clone()), digest_of_node(wordy));
    for message in [
        json!({"name": "A", "notes": "n"}),
        json!({"name": "A", "disabled": true}),
        json!({"name": "A", "onError": "continueErrorOutput"}),
        json!({"name": "A", "parameters": {"a": null}}),
        json!({"name": "A", "position": [0, 0]}),
    ] {
        assert_ne!(digest_of_node(bare.clone()), digest_of_node(message.clone()), "{message}");
    }
}

#[test]
fn a_credential_is_its_id_and_without_one_its_name() {
    let with = |reference: Value| digest_of_node(json!({"name": "A", "credentials": {"t": reference}}));
    assert_eq!(with(json!({"id": "1", "name": "x"})), with(json!({"id": "1"})));
    assert_eq!(with(json!("x")), with(json!({"id": null, "name": "x"})));
    assert_eq!(with(json!({"name": "x"})), with(json!({"id": "", "name": "x"})));
    assert_ne!(with(json!({"id": "1"})), with(json!({"id": "2"})));
    assert_ne!(with(json!({"name": "x"})), with(json!({"name": "y"})));
}

#[test]
fn connections_that_lead_nowhere_make_no_difference_but_outputs_keep_their_place() {
    let with = |connections: Value| digest_of_document(&json!({"connections": connections}));
    let edge = json!({"node": "B", "type": "main", "index": 0});
    let empty = with(json!({}));
    for nothing in [json!({"A": {}}), json!({"A": {"main": []}}), json!({"A": {"main": [[], null]}}), json!(null)] {
        assert_eq!(with(nothing.clone()), empty, "{nothing}");
    }
    let second = with(json!({"A": {"main": [[], [edge]]}}));
    assert_eq!(second, with(json!({"A": {"main": [null, [edge], []], "ai_tool": [[]]}})));
    assert_ne!(second, with(json!({"A": {"main": [[edge]]}})));
}

#[test]
fn only_managed_settings_count() {
    let with = |settings: Value| digest_of_document(&json!({"settings": settings}));
    assert_eq!(with(json!({})), with(json!({"callerPolicy": "any", "binaryMode": "combined"})));
    assert_eq!(with(json!({})), with(json!({"errorWorkflow": "DEFAULT", "executionTimeout": -1.0, "timezone": null})));
    assert_ne!(with(json!({})), with(json!({"executionTimeout": 60})));
}

#[test]
fn numbers_are_what_javascript_makes_of_them() {
    let with = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        digest_of_node(json!({"name": "A", "parameters": {"n": value}}))
    };
    for (one, other) in [
        ("2.0", "2"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("9007199254740993", "9007199254740992"),
        ("18446744073709551615", "18446744073709551616"),
        ("100000000000000000000", "1e20"),
        ("0.1", "1e-1"),
        ("123.45678901234567", "123.456789012345670"),
    ] {
        assert_eq!(with(one), with(other), "{one} {other}");
    }
    for (one, other) in [("1", "2"), ("0.1", "0.10000000000000002"), ("1", "-1"), ("9007199254740991", "9007199254740992")] {
        assert_ne!(with(one), with(other), "{one} {other}");
    }
}

#[test]
fn a_digest_is_the_hash_of_the_canonical_text_and_reads_back_from_its_display() {
    let document = json!({"nodes": [{"name": "Ä\n\"", "parameters": {"b": [1, {"y": 0.5, "x": null}], "a": true}}], "connections": {}});
    let definition = parse(&document).unwrap().definition;
    let form = canonical((&definition).into(), &all());
    let text = serde_json::to_string(&form).unwrap();
    let found = digest((&definition).into(), &all());
    assert_eq!(found.to_string().parse(), Ok(found));
    assert_eq!(found.short().len(), 12);
    assert!("sha256:xyz".parse::<Digest>().is_err());
    assert!(found.to_string().to_uppercase().parse::<Digest>().is_err());
    // The canonical form of a canonical form is the same, byte for byte.
    let again = canonical(Parts::read(form["nodes"].as_array().unwrap(), &form["connections"], &[], &Map::new()), &all());
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zé\"\\\\\\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]{1,2}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Returns a value as n8n returns it: parsed and printed by JavaScript, whose numbers are all floats.
fn through_javascript(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().unwrap();
            if float == 0.0 {
                json!(0)
            } else if float.fract() == 0.0 && float.abs() < 1e15 {
                json!(float as i64)
            } else {
                serde_json::from_str(&format!("{float}")).unwrap()
            }
        }
        Value::Array(items) => items.iter().map(through_javascript).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), through_javascript(value))).collect(),
        other => other.clone(),
    }
}

fn reversed_text(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(reversed_text).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().rev().map(|(key, value)| format!("{}: {}", json!(key), reversed_text(value))).collect();
            format!("{{ {} }}", entries.join(" , "))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn key_order_and_spacing_do_not_matter(value in any_json()) {
        let node = json!({"name": "A", "parameters": {"v": value}});
        let turned: Value = serde_json::from_str(&reversed_text(&node)).unwrap();
        prop_assert_eq!(digest_of_node(node), digest_of_node(turned));
    }

    #[test]
    fn array_order_does_matter(first in any_json(), second in any_json()) {
        let with = |items: [&Value; 2]| digest_of_node(json!({"name": "A", "parameters": {"v": items}}));
        let same = through_javascript(&first) == through_javascript(&second);
        prop_assert_eq!(with([&first, &second]) == with([&second, &first]), same);
    }

    #[test]
    fn a_read_back_has_the_digest_of_what_was_sent(value in any_json()) {
        let node = json!({"name": "A", "parameters": {"v": value}});
        let read = through_javascript(&node);
        prop_assert_eq!(digest_of_node(node), digest_of_node(read));
    }

    #[test]
    fn the_canonical_form_is_its_own_canonical_form(value in any_json()) {
        let node = json!({"name": "A", "parameters": {"v": value}});
        let nodes = [node];
        let form = canonical(Parts::read(&nodes, &Value::Null, &[], &Map::new()), &all());
        let again = canonical(Parts::read(form["nodes"].as_array().unwrap(), &form["connections"], &[], &Map::new()), &all());
        prop_assert_eq!(form.to_string(), again.to_string());
    }
}
