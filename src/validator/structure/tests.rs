use serde_json::{Value, json};

use super::*;
use crate::document::finding::Severity;
use crate::validator::check::parse_and_check;

fn check(document: &Value) -> Vec<Finding> {
    check_structure(&parse_and_check(document).unwrap().definition)
}

fn node(name: &str) -> Value {
    json!({"name": name, "type": "t", "typeVersion": 1, "position": [0, 0], "parameters": {}})
}

fn with_node(fields: Value) -> Value {
    let mut node = node("A");
    node.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"nodes": [node], "connections": {}})
}

fn errors(document: &Value) -> Vec<(Code, String)> {
    check(document).into_iter().filter(Finding::is_error).map(|f| (f.code, f.path)).collect()
}

#[test]
fn a_sound_document_has_no_findings() {
    let document = json!({
        "name": "A",
        "nodes": [node("A"), node("B")],
        "connections": {"A": {"main": [null, [], [{"node": "B", "type": "main", "index": 0.0}]], "ai_tool": []}},
        "settings": {"executionOrder": "v1", "timezone": "Europe/Berlin", "executionTimeout": 3600}
    });
    assert_eq!(check(&document), []);
    assert_eq!(check(&json!({"nodes": [], "connections": {}})), []);
}

#[test]
fn the_name_has_1_to_128_characters_as_n8n_counts_them() {
    for (name, fits) in [
        ("a".repeat(128), true),
        (" ".to_owned(), true),
        ("a".repeat(129), false),
        (String::new(), false),
        ("😀".repeat(128), true),
        ("❤\u{fe0f}".repeat(128), true),
        ("❤\u{fe0f}".repeat(129), false),
    ] {
        assert_eq!(check_name("name", &name).is_none(), fits, "{name}");
    }
}

#[test]
fn names_on_which_n8n_fails_are_errors_and_names_that_its_api_loses_are_warnings() {
    let said_of = |name: &str, connections: Value| {
        let found = check(&json!({"nodes": [node(name), node("Next")], "connections": connections}));
        found.iter().find(|finding| finding.code == Code::NodeNameReserved).map(|finding| finding.severity)
    };
    let said = |name: &str| said_of(name, json!({}));
    for name in ["hasOwnProperty", "__proto__"] {
        assert_eq!(said(name), Some(Severity::Error), "{name}");
    }
    for name in ["toString", "valueOf", "isPrototypeOf", "__lookupGetter__"] {
        assert_eq!(said(name), Some(Severity::Warning), "{name}");
        let leads_on = json!({ name: { "main": [[{ "node": "Next", "type": "main", "index": 0 }]] } });
        assert_eq!(said_of(name, leads_on), Some(Severity::Error), "{name} with connections, which the operator would never see again");
    }
    for name in ["constructor", "prototype", "length", "has own property", "proto"] {
        assert_eq!(said(name), None, "{name}");
    }
}

#[test]
fn a_lookalike_name_is_reported_as_such() {
    let target = |real: &str, written: &str| {
        let connections = json!({"A": {"main": [[{"node": written, "type": "main", "index": 0}]]}});
        let found = check(&json!({"nodes": [node("A"), node(real)], "connections": connections}));
        let finding = found.into_iter().find(|finding| finding.code == Code::ConnectionTargetUnknown).unwrap();
        (finding.message, finding.suggestion)
    };
    let (message, meant) = target("Pru\u{308}fen", "Pr\u{fc}fen");
    assert!(message.contains("NFC and NFD"), "{message}");
    assert_eq!(meant.as_deref(), Some("Pru\u{308}fen"));
    let (message, meant) = target("Send\u{a0}mail", "Send mail");
    assert!(message.contains("other whitespace"), "{message}");
    assert_eq!(meant.as_deref(), Some("Send\u{a0}mail"));
    assert!(!target("Send mail", "Sent mail").0.contains("looks the same"));
}

#[test]
fn fields_of_a_node_have_the_types_that_n8n_accepts() {
    let cases = [
        (json!({"typeVersion": "3.3"}), "nodes[0].typeVersion"),
        (json!({"disabled": "no"}), "nodes[0].disabled"),
        (json!({"parameters": []}), "nodes[0].parameters"),
        (json!({"id": 7}), "nodes[0].id"),
        (json!({"onError": true}), "nodes[0].onError"),
        (json!({"position": {"x": 1, "y": 2}}), "nodes[0].position"),
        (json!({"position": [1]}), "nodes[0].position"),
        (json!({"position": [1, 2, 3]}), "nodes[0].position"),
        (json!({"position": [1, "2"]}), "nodes[0].position"),
        (json!({"customTelemetryTags": {"tags": []}}), "nodes[0].customTelemetryTags"),
    ];
    for (fields, path) in cases {
        assert_eq!(errors(&with_node(fields)), [(Code::NodeFieldType, path.to_owned())]);
    }
    let word = check(&with_node(json!({"onError": "continue"})));
    assert_eq!(
        word.iter().map(|f| (f.code, f.is_error(), f.suggestion.as_deref())).collect::<Vec<_>>(),
        [(Code::NodeFieldType, false, Some("continueRegularOutput"))]
    );
    assert_eq!(check(&with_node(json!({"onError": "stopWorkflow"}))), []);
    assert_eq!(errors(&with_node(json!({"position": [1.5, -2e3], "typeVersion": 1.1}))), []);
}

#[test]
fn names_and_types_are_required_and_names_and_ids_are_unique() {
    let mut twin = node("A");
    twin["id"] = json!("1");
    let document = json!({"nodes": [twin, twin, {"position": [0, 0], "name": ""}], "connections": {}});
    let expected = [
        (Code::NodeNameDuplicate, "nodes[1].name"),
        (Code::NodeIdDuplicate, "nodes[1].id"),
        (Code::NodeNameMissing, "nodes[2].name"),
        (Code::NodeTypeMissing, "nodes[2].type"),
    ];
    assert_eq!(errors(&document), expected.map(|(code, path)| (code, path.to_owned())));
}

#[test]
fn empty_ids_are_not_duplicates() {
    let (mut a, mut b) = (node("A"), node("B"));
    a["id"] = json!("");
    b["id"] = json!("");
    assert_eq!(errors(&json!({"nodes": [a, b], "connections": {}})), []);
}

#[test]
fn credentials_may_be_plain_names_or_null_but_not_lists_or_numbers() {
    assert_eq!(errors(&with_node(json!({"credentials": {"a": "Name", "b": null, "c": {"id": "1"}, "d": {"token": "x"}}}))), []);
    let cases = [
        (json!({"credentials": []}), "nodes[0].credentials"),
        (json!({"credentials": {"a": 1}}), "nodes[0].credentials.a"),
        (json!({"credentials": {"a": {"id": {}}}}), "nodes[0].credentials.a.id"),
    ];
    for (fields, path) in cases {
        assert_eq!(errors(&with_node(fields)), [(Code::CredentialsInvalid, path.to_owned())]);
    }
}

#[test]
fn connections_have_one_shape_and_every_deviation_has_its_path() {
    let edge = json!({"node": "B", "type": "main", "index": 0});
    let cases = [
        (json!([]), "connections.A"),
        (json!({"main": {}}), "connections.A.main"),
        (json!({"main": [edge]}), "connections.A.main[0]"),
        (json!({"main": [["B"]]}), "connections.A.main[0][0]"),
        (json!({"main": [[{"type": "main", "index": 0}]]}), "connections.A.main[0][0].node"),
        (json!({"main": [[{"node": "B", "index": 0}]]}), "connections.A.main[0][0].type"),
        (json!({"main": [[{"node": "B", "type": "main"}]]}), "connections.A.main[0][0].index"),
        (json!({"main": [[edge], [{"node": "B", "type": "main", "index": "0"}]]}), "connections.A.main[1][0].index"),
        (json!({"main": [[{"node": "B", "type": "main", "index": -1}]]}), "connections.A.main[0][0].index"),
        (json!({"main": [[{"node": "B", "type": "main", "index": 0.5}]]}), "connections.A.main[0][0].index"),
    ];
    for (types, path) in cases {
        let document = json!({"nodes": [node("A"), node("B")], "connections": {"A": types}});
        assert_eq!(errors(&document), [(Code::ConnectionsInvalid, path.to_owned())]);
    }
}

#[test]
fn unknown_ends_of_connections_get_a_suggestion() {
    let mut b = node("Autopilot5 ");
    b["id"] = json!("0d95-id");
    let edge = |node: &str| json!({"node": node, "type": "main", "index": 0});
    let document = json!({
        "nodes": [node("A"), b],
        "connections": {
            "A": {"main": [[edge("Autopilot5"), edge("0d95-id"), edge("Nothing like it")]]},
            "Gone": {}
        }
    });
    let findings = check(&document);
    let found: Vec<_> = findings.iter().map(|f| (f.code, f.path.as_str(), f.suggestion.as_deref())).collect();
    let expected = [
        (Code::ConnectionTargetUnknown, "connections.A.main[0][0].node", Some("Autopilot5 ")),
        (Code::ConnectionTargetUnknown, "connections.A.main[0][1].node", Some("Autopilot5 ")),
        (Code::ConnectionTargetUnknown, "connections.A.main[0][2].node", None),
        (Code::ConnectionSourceUnknown, "connections.Gone", None),
    ];
    assert_eq!(found, expected);
    assert!(findings[1].message.contains("connections refer to nodes by name"));
    assert_eq!(findings[0].node.as_deref(), Some("A"));
}

#[test]
fn settings_have_the_types_and_values_that_n8n_accepts() {
    let cases = [
        (json!({"saveManualExecutions": "true"}), "settings.saveManualExecutions", None),
        (json!({"executionTimeout": "60"}), "settings.executionTimeout", None),
        (json!({"callerPolicy": "workflowsFromAlist"}), "settings.callerPolicy", Some("workflowsFromAList")),
        (json!({"saveDataErrorExecution": true}), "settings.saveDataErrorExecution", None),
        (json!({"customTelemetryTags": [{"key": "a"}]}), "settings.customTelemetryTags", None),
    ];
    for (settings, path, suggestion) in cases {
        let findings = check(&json!({"nodes": [], "connections": {}, "settings": settings}));
        let found: Vec<_> = findings.iter().map(|f| (f.code, f.path.as_str(), f.suggestion.as_deref())).collect();
        assert_eq!(found, [(Code::SettingType, path, suggestion)]);
    }
    let findings = check(&json!({"nodes": [], "connections": {}, "settings": {"executionOrder": "parallel"}}));
    assert_eq!(findings.iter().map(|f| (f.code, f.is_error())).collect::<Vec<_>>(), [(Code::SettingDoubtful, false)]);
}

#[test]
fn node_groups_have_members_that_exist_and_belong_to_one_group() {
    let mut a = node("A");
    a["id"] = json!("a");
    let group = |id: &str, name: &str, members: Value| json!({"id": id, "name": name, "nodeIds": members});
    let document = |groups: Value| json!({"nodes": [a], "connections": {}, "nodeGroups": groups});
    assert_eq!(errors(&document(json!([group("1", "G", json!(["a"]))]))), []);
    let cases = [
        (json!([group("1", "G", json!([]))]), Code::NodeGroupConflict, "nodeGroups[0].nodeIds"),
        (json!([group("1", "G", json!(["x"]))]), Code::NodeGroupConflict, "nodeGroups[0].nodeIds"),
        (json!([group("1", "G", json!(["a"])), group("2", "H", json!(["a"]))]), Code::NodeGroupConflict, "nodeGroups[1].nodeIds"),
        (json!([{"id": "1", "name": "G"}]), Code::NodeGroupsInvalid, "nodeGroups[0].nodeIds"),
        (json!([7]), Code::NodeGroupsInvalid, "nodeGroups[0]"),
    ];
    for (groups, code, path) in cases {
        assert_eq!(errors(&document(groups)), [(code, path.to_owned())]);
    }
}

#[test]
fn too_many_nodes_are_refused_without_checking_each() {
    let nodes: Vec<Value> = (0..=MAX_NODES).map(|i| json!({"type": i})).collect();
    let refused: Vec<_> =
        parse_and_check(&json!({"nodes": nodes, "connections": {}})).unwrap_err().into_iter().map(|f| (f.code, f.path)).collect();
    assert_eq!(refused, [(Code::NodesTooMany, "nodes".to_owned())]);
    let definition = Definition { nodes: vec![Default::default(); MAX_NODES + 1], ..Definition::default() };
    assert_eq!(check_structure(&definition).len(), 1, "one that was not taken in from a document is bounded too");
}

#[test]
fn too_many_connections_are_refused_without_checking_each() {
    let everywhere = vec![json!({"node": "B", "type": "main", "index": 0}); MAX_CONNECTIONS];
    let document = json!({"nodes": [node("A")], "connections": {"A": {"main": [everywhere]}}});
    assert_eq!(errors(&document), [(Code::NodesTooMany, "connections".to_owned())]);
}
