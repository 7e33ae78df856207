use serde_json::json;

use super::*;
use crate::validator::check::parse_and_check;
use crate::validator::structure::check_structure;

const LIMIT: usize = 1 << 20;

fn refused(text: &str) -> Finding {
    let mut findings = read_text(text, LIMIT).unwrap_err();
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

fn minimal() -> Value {
    json!({
        "name": "A",
        "nodes": [{"name": "N", "type": "t", "typeVersion": 1, "position": [0, 0], "parameters": {}}],
        "connections": {},
        "settings": {}
    })
}

#[test]
fn json_and_yaml_of_one_document_read_alike() {
    let yaml = "name: A\nnodes:\n  - name: N\n    type: t\n    typeVersion: 1\n    position: [0, 0]\n    parameters: {}\nconnections: {}\nsettings: {}\n";
    assert_eq!(read_text(yaml, LIMIT).unwrap().value, minimal());
    assert_eq!(read_text(&minimal().to_string(), LIMIT).unwrap().value, minimal());
    let marked = format!("\u{feff}\n {}", minimal());
    assert_eq!(read_text(&marked, LIMIT).unwrap().value, minimal());
    assert_eq!(read_text(&format!("---\n{yaml}"), LIMIT).unwrap().value, minimal());
}

#[test]
fn yaml_is_read_by_version_1_2_so_that_words_stay_words() {
    let read = read_text("a: yes\nb: on\nc: true\nd: 3.10\n1: x\nv: ~\n", LIMIT).unwrap().value;
    assert_eq!(read, json!({"a": "yes", "b": "on", "c": true, "d": 3.1, "1": "x", "v": null}));
}

#[test]
fn text_that_is_not_a_document_is_identified() {
    let truncated = r#"{"nodes": [{"name": "A","#;
    let cases: &[(&str, Code, &str)] = &[
        ("", Code::DocumentEmpty, "empty"),
        (" \n\t", Code::DocumentEmpty, "empty"),
        ("---\n", Code::DocumentEmpty, "empty"),
        (truncated, Code::DocumentTruncated, "ends at line 1"),
        ("{\"nodes\": [{\"name\": \"A\n", Code::DocumentTruncated, "ends at line 2"),
        ("{\"name\": \"A\nB\"}", Code::DocumentSyntax, "line break"),
        ("{\"nodes\": [\n  // first\n]}", Code::DocumentSyntax, "line 2 column 3: JSON has no comments"),
        ("{\"nodes\": [],}", Code::DocumentSyntax, "remove the comma"),
        ("{'nodes': []}", Code::DocumentSyntax, "double quotes"),
        ("{“nodes”: []}", Code::DocumentSyntax, "typographic"),
        ("{\"a\": None}", Code::DocumentSyntax, "Python"),
        ("{\"a\": {{ .Values.x }}}", Code::DocumentSyntax, "template"),
        ("{\"a\": \"x\ny\"}", Code::DocumentSyntax, "\\n"),
        ("{\"a\": 1}\n{\"b\": 2}", Code::DocumentSeveral, "starts at line 2"),
        ("{\"a\": 1}\nsee above", Code::DocumentTrailing, "line 2"),
        ("{\"a\": 1}\n```\n", Code::DocumentFenced, "code fence"),
        ("```json\n{\"a\": 1}\n```\n", Code::DocumentFenced, "line 1"),
        ("Here it is:\n\n```json\n{\"a\": 1}\n```\n", Code::DocumentFenced, "line 3"),
        ("<!doctype html><p>", Code::DocumentKind, "HTML"),
        ("Just a sentence", Code::DocumentKind, "plain text"),
        ("\"{\\\"nodes\\\": []}\"", Code::DocumentKind, "encoded twice"),
        ("a: 1\na: 2\n", Code::KeyDuplicate, "line 2"),
        ("a: 1\n---\nb: 2\n", Code::DocumentSeveral, "several YAML documents"),
        ("a: [1, 2\n", Code::DocumentSyntax, ""),
        ("a: b: c\n", Code::DocumentSyntax, "line 1"),
    ];
    for (text, code, part) in cases {
        let finding = refused(text);
        assert_eq!(finding.code, *code, "{text:?}: {finding}");
        assert!(finding.to_string().contains(part), "{text:?}: {finding}");
        assert_eq!(finding.to_string().lines().count(), 1, "{finding}");
    }
}

#[test]
fn a_document_over_the_limit_is_refused_before_it_is_parsed() {
    let finding = read_text("{{{{", 3).unwrap_err().remove(0);
    assert_eq!(finding.code, Code::DocumentTooLarge);
    assert_eq!((finding.got.as_deref(), finding.want.as_deref()), (Some("4 bytes"), Some("at most 3")));
}

#[test]
fn an_alias_bomb_in_yaml_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        text.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    assert!(read_text(&text, LIMIT).is_err());
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    assert!(read_text(&"[".repeat(100_000), LIMIT).is_err());
    assert!(read_text(&format!("a: {}", "[".repeat(100_000)), LIMIT).is_err());
}

#[test]
fn a_duplicate_key_in_json_is_warned_of_with_its_path() {
    let read = read_text(r#"{"nodes": [{"name": "a", "name": "b"}]}"#, LIMIT).unwrap();
    assert_eq!(read.value["nodes"][0]["name"], "b");
    assert_eq!(codes(&read.warnings), [Code::KeyDuplicate]);
    assert_eq!(read.warnings[0].path, "nodes[0].name");
}

#[test]
fn an_export_is_accepted_unchanged() {
    let mut export = minimal();
    let extra = json!({
        "id": "x", "versionId": "v", "createdAt": "2026", "updatedAt": "2026", "meta": {"instanceId": "i"},
        "shared": [], "triggerCount": 1, "versionCounter": 3, "activeVersion": null, "activeVersionId": null,
        "isArchived": false, "description": null, "staticData": {"a": 1}, "pinData": {}, "active": true,
        "tags": [{"id": "1", "name": "one"}, "two"], "nodeGroups": []
    });
    export.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    export["settings"] = json!({"executionOrder": "v1", "binaryMode": "separate", "timezone": "DEFAULT", "errorWorkflow": null});
    let intake = parse_and_check(&export).unwrap();
    assert_eq!(intake.warnings, []);
    assert_eq!(intake.definition.declared_active, Some(true));
    assert_eq!(intake.definition.declared_tags, Some(vec!["one".into(), "two".into()]));
    assert_eq!(Value::Object(intake.definition.settings), json!({"executionOrder": "v1"}));
}

#[test]
fn keys_that_n8n_refuses_are_left_out_with_a_warning() {
    let document = json!({
        "name": "A", "noodes": 1, "projectId": "p",
        "nodes": [
            {"name": "N", "type": "t", "typeVersion": 1, "position": [0, 0], "parameters": {}, "color": 7, "note": "x",
             "maxTries": null, "createdAt": "2026"},
            {"name": "M", "type": "t", "typeVersion": 1}
        ],
        "pinData": {"N": [], "Gone": []},
        "settings": {"retryCount": 3}
    });
    let intake = parse_and_check(&document).unwrap();
    let found: Vec<(Code, &str)> = intake.warnings.iter().map(|w| (w.code, w.path.as_str())).collect();
    let expected = [
        (Code::NodeKeyUnknown, "nodes[0].color"),
        (Code::NodeKeyUnknown, "nodes[0].note"),
        (Code::NodeParametersMissing, "nodes[1].parameters"),
        (Code::ConnectionsMissing, "connections"),
        (Code::SettingUnknown, "settings.retryCount"),
        (Code::NodePositionMissing, "nodes[1].position"),
        (Code::PinnedDataDropped, "pinData"),
        (Code::PinnedDataDropped, "pinData.Gone"),
        (Code::TopLevelUnknown, "noodes"),
        (Code::TopLevelUnknown, "projectId"),
    ];
    assert_eq!(found, expected);
    assert!(intake.warnings.iter().all(|warning| !warning.is_error()));
    assert_eq!(intake.warnings[1].suggestion.as_deref(), Some("notes"));
    // There already are nodes, so this key cannot have been meant as nodes.
    assert_eq!(intake.warnings[8].suggestion, None);
    assert_eq!(check_structure(&intake.definition).iter().filter(|f| f.is_error()).count(), 0);
    let keys: Vec<&String> = intake.definition.nodes[0].0.keys().collect();
    assert_eq!(keys, ["name", "parameters", "position", "type", "typeVersion"]);
}

#[test]
fn an_unambiguous_wrapper_is_removed_with_a_warning() {
    let inner = minimal();
    for wrapped in [
        json!({"workflow": inner}),
        json!({"data": inner}),
        json!({"data": [inner], "nextCursor": null}),
        json!([inner]),
        json!({"workflows": [inner]}),
        json!({"workflow": {"id": 1, "workflow": inner}}),
    ] {
        let intake = parse_and_check(&wrapped).unwrap();
        assert_eq!(codes(&intake.warnings), [Code::DocumentWrapped], "{wrapped}");
        assert_eq!(intake.definition, parse_and_check(&inner).unwrap().definition);
    }
}

#[test]
fn values_that_are_not_a_single_workflow_are_identified() {
    let inner = minimal();
    let cases = [
        (json!([inner, inner]), Code::DocumentSeveral, "export of 2 workflows (\"A\", \"A\")"),
        (json!({"data": [inner, inner]}), Code::DocumentSeveral, "2 workflows"),
        (json!([]), Code::DocumentEmpty, "empty list"),
        (inner["nodes"].clone(), Code::DocumentKind, "list of 1 node"),
        (inner["nodes"][0].clone(), Code::DocumentKind, "single node"),
        (json!({"id": 1, "workflowData": inner, "data": {"resultData": {}}}), Code::DocumentKind, "execution"),
        (
            json!({"apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "spec": {"definition": inner}}),
            Code::DocumentKind,
            "manifest of kind \"Workflow\"",
        ),
        (json!({"workflow": inner, "data": inner}), Code::NodesMissing, "data, workflow"),
        (json!({}), Code::NodesMissing, "empty object"),
        (json!("text"), Code::DocumentKind, "a string"),
        (json!(null), Code::DocumentKind, "null"),
    ];
    for (document, code, part) in cases {
        let findings = parse_and_check(&document).unwrap_err();
        assert_eq!(codes(&findings), [code], "{document}");
        assert!(findings[0].to_string().contains(part), "{}", findings[0]);
    }
}

#[test]
fn a_document_of_the_wrong_shape_gets_all_findings_at_once() {
    let findings = parse_and_check(&json!({
        "name": 7,
        "nodes": ["x", {"name": "N", "type": "t", "typeVersion": "1", "position": [0, 0], "parameters": {}}],
        "connections": [],
        "settings": "none",
        "nodeGroups": {}
    }))
    .unwrap_err();
    let found: Vec<(Code, &str)> = findings.iter().map(|f| (f.code, f.path.as_str())).collect();
    let expected = [
        (Code::NameInvalid, "name"),
        (Code::NodesInvalid, "nodes[0]"),
        (Code::ConnectionsInvalid, "connections"),
        (Code::SettingsInvalid, "settings"),
        (Code::NodeGroupsInvalid, "nodeGroups"),
        (Code::NodeFieldType, "nodes[1].typeVersion"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn no_finding_repeats_a_value() {
    let findings = parse_and_check(&json!({
        "nodes": [{"name": "N", "type": "t", "credentials": "s3cret", "notes": ["s3cret"], "parameters": "s3cret",
            "webhookId": {"a": "s3cret"}, "token": "s3cret"}],
        "connections": "s3cret", "settings": {"timezone": ["s3cret"], "x": "s3cret"}, "extra": "s3cret"
    }))
    .unwrap_err();
    assert!(findings.len() > 5);
    for finding in findings {
        assert!(!finding.to_string().contains("s3cret"), "{finding}");
    }
}

#[test]
fn an_unpaired_surrogate_is_read_as_the_replacement_character() {
    let read = read_text("{\"nodes\": [],\n \"name\": \"a\\ud83d\", \"b\": \"\\ud83d\\ude00\"}", 1000).unwrap();
    assert_eq!((read.value["name"].as_str(), read.value["b"].as_str()), (Some("a\u{fffd}"), Some("\u{1f600}")));
    assert_eq!(read.warnings.len(), 1);
    assert_eq!(read.warnings[0].code, Code::CharacterHalved);
    assert!(read.warnings[0].message.starts_with("line 2 "), "{}", read.warnings[0].message);
    assert!(read_text("{\"a\": \"\\ud83d\",}", 1000).is_err(), "what else is wrong is still reported");
}

#[test]
fn settings_that_n8n_itself_writes_are_left_out_in_silence() {
    let settings =
        json!({"engineType": "v1", "binaryMode": "separate", "redactionPolicy": "none", "timezone": "DEFAULT", "executionOrder": "v1"});
    let intake = parse_and_check(&json!({"nodes": [], "connections": {}, "settings": settings})).unwrap();
    assert_eq!(intake.warnings, []);
    assert_eq!(Value::Object(intake.definition.settings), json!({"executionOrder": "v1"}));
}

#[test]
fn a_document_that_is_moved_is_parsed_like_one_that_is_copied() {
    let mut odd = minimal();
    odd["nodes"][0]["unknown"] = json!(1);
    odd["nodes"][0]["notes"] = json!(null);
    odd["nodes"][0].as_object_mut().unwrap().remove("parameters");
    odd["settings"] = json!({"executionOrder": null, "timezone": "DEFAULT", "unknown": 1});
    odd["pinData"] = json!({"N": [], "M": []});
    odd["tags"] = json!(["a"]);
    let wrong = json!({"nodes": [1, {}], "connections": [], "settings": 1, "name": 1, "nodeGroups": {}});
    for document in [minimal(), odd.clone(), wrong, json!({"data": odd}), json!([minimal()]), json!({"nodes": null}), json!(1)] {
        let findings = |unparsable: Box<Unparsable>| (unparsable.findings, unparsable.rest);
        assert_eq!(parse_owned(document.clone()).map_err(findings), parse(&document).map_err(findings), "{document}");
    }
}
