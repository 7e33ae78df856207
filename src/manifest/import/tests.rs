use super::*;
use crate::catalog::Catalog;
use crate::document::finding::Code;
use crate::document::yaml;
use crate::domain::remote::Tag;
use crate::manifest::{Placed, Source, validate};

fn chosen(id: &str, more: Value) -> Chosen {
    let mut raw = json!({ "id": id, "name": format!("Flow {id}"), "active": true, "nodes": [node("Start", "n8n-nodes-base.webhook", json!({ "path": id }))],
        "connections": {}, "settings": { "executionOrder": "v1" } });
    raw.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Chosen { name: format!("flow-{}", id.to_lowercase()), workflow: serde_json::from_value(raw).unwrap() }
}

fn node(name: &str, kind: &str, parameters: Value) -> Value {
    json!({ "id": format!("id-{name}"), "name": name, "type": kind, "typeVersion": 1, "position": [0, 0], "parameters": parameters })
}

fn calling(id: &str) -> Value {
    node("Call", "n8n-nodes-base.executeWorkflow", json!({ "workflowId": { "__rl": true, "mode": "id", "value": id } }))
}

fn target() -> Target {
    Target { instance: InstanceRef { name: "main".into(), namespace: Some("ops".into()) }, namespace: None, credentials: false }
}

fn specs(chosen: Vec<Chosen>) -> (Vec<Value>, Vec<String>) {
    let Import { workflows: imported, notes, .. } = import(chosen, &target());
    for one in &imported {
        let text: String = one.objects.iter().map(|object| format!("---\n{}", yaml::document(object))).collect();
        let reports = validate(&[Source { name: one.name.clone(), text: Ok(text), found: false }], Catalog::embedded());
        // The manifest is generated here; the content of its nodes came from n8n.
        let wrong =
            |placed: &&Placed| matches!(placed.finding.code, Code::ManifestInvalid | Code::DefinitionNotFound | Code::FileUnreadable);
        assert_eq!((reports.len(), reports[0].findings.iter().find(wrong)), (1, None));
    }
    let specs = imported.iter().map(|one| one.objects.last().unwrap()["spec"].clone()).collect();
    (specs, notes.into_iter().map(|note| format!("{}: {}", note.name, note.message)).collect())
}

#[test]
fn a_manifest_adopts_what_n8n_holds_and_carries_nothing_else() {
    let mut settings = Map::from_iter([("executionOrder".to_owned(), json!("v1"))]);
    mark::Mark { cluster: "c".into(), uid: "u".into(), namespace: "team".into(), name: "orders".into() }.put(&mut settings);
    let mut one = chosen("W1", json!({ "settings": settings, "pinData": { "Start": [{}] }, "staticData": { "a": 1 }, "versionId": "v" }));
    one.workflow.tags = ["b", "a", "x,y"].map(|name| Tag { id: name.into(), name: name.into() }).to_vec();
    let (specs, notes) = specs(vec![one]);
    let expected = json!({
        "instanceRef": { "name": "main", "namespace": "ops" }, "displayName": "Flow W1", "active": true, "adopt": { "id": "W1" }, "tags": ["a", "b"],
        "definition": { "nodes": [node("Start", "n8n-nodes-base.webhook", json!({ "path": "W1" }))], "connections": {}, "settings": { "executionOrder": "v1" } },
    });
    assert_eq!(specs, [expected]);
    assert_eq!(notes, [r#"flow-w1: the tag "x,y" cannot be listed in spec.tags; it is left unchanged in n8n"#]);
}

#[test]
fn credentials_are_mapped_to_the_ids_that_n8n_has() {
    let with = |name: &str, credentials: Value| {
        let mut node = node(name, "n8n-nodes-base.httpRequest", json!({}));
        node["credentials"] = credentials;
        node
    };
    let nodes = json!([
        with("A", json!({ "httpBasicAuth": { "id": "1", "name": "Shop" } })),
        with("B", json!({ "httpBasicAuth": { "id": "1", "name": "Shop" }, "slackApi": { "id": "2", "name": "Chat" } })),
        with("C", json!({ "oAuth2Api": { "id": "3", "name": "Chat" } })),
        with("D", json!({ "httpHeaderAuth": { "id": "4", "name": "Key" } })),
        with("E", json!({ "httpHeaderAuth": { "id": "5", "name": "Key" } })),
        with("F", json!({ "httpHeaderAuth": { "name": "Lost" } })),
    ]);
    let (specs, notes) = specs(vec![chosen("W1", json!({ "nodes": nodes }))]);
    let expected = json!([
        { "name": "Chat", "type": "oAuth2Api", "existing": { "id": "3" } },
        { "name": "Chat", "type": "slackApi", "existing": { "id": "2" } },
        { "name": "4", "existing": { "id": "4" } },
        { "name": "5", "existing": { "id": "5" } },
        { "name": "Shop", "existing": { "id": "1" } },
    ]);
    assert_eq!(specs[0]["credentials"], expected);
    assert_eq!(notes.len(), 1, "{notes:?}");
}

#[test]
fn references_lead_to_imported_workflows_and_never_form_a_cycle() {
    let parent = chosen("P", json!({ "nodes": [calling("C")], "settings": { "errorWorkflow": "P" } }));
    let child = chosen("C", json!({ "settings": { "callerIds": "P", "errorWorkflow": "E" } }));
    let (specs, notes) = specs(vec![parent, child]);
    assert!(specs[0]["references"].is_null(), "{}", specs[0]);
    assert_eq!(specs[1]["references"], json!([{ "id": "C", "workflowRef": { "name": "flow-c" } }]));
    let expected = [
        "flow-c: settings.errorWorkflow refers to workflow E of n8n, which is not imported; it stays an id of this n8n",
        "flow-c: settings.callerIds refers to workflow P of n8n, which would close a reference cycle; it stays an id of this n8n",
        "flow-p: settings.errorWorkflow refers to workflow P of n8n, which would close a reference cycle; it stays an id of this n8n",
    ];
    assert_eq!(notes, expected);
}

#[test]
fn a_large_definition_goes_into_a_configmap() {
    let large =
        |size: usize| chosen("L", json!({ "nodes": [node("Start", "n8n-nodes-base.code", json!({ "jsCode": "x".repeat(size) }))] }));
    let (specs, _) = specs(vec![large(250_000)]);
    assert_eq!(specs[0]["definitionFrom"]["configMapKeyRef"], json!({ "name": "flow-l-definition", "key": "workflow.json" }));
    assert!(specs[0]["definition"].is_null());
    let Import { workflows: imported, notes, .. } = import(vec![large(1_100_000)], &target());
    assert!(imported.is_empty() && notes[0].message.contains("does not fit into a ConfigMap"), "{notes:?}");
}

#[test]
fn flux_is_asked_not_to_substitute_variables_in_code_that_looks_like_them() {
    let code = |code: &str| json!({ "nodes": [node("Start", "n8n-nodes-base.code", json!({ "jsCode": code }))] });
    let large = format!("// {}\nreturn `${{a}}`", "x".repeat(250_000));
    for (content, asked) in [("return `order ${id}`", true), (large.as_str(), true), ("return $input.all()", false)] {
        let Import { workflows: imported, .. } = import(vec![chosen("C", code(content))], &target());
        let objects = &imported[0].objects;
        let disabled: Vec<bool> = objects
            .iter()
            .map(|object| object["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"] == "disabled")
            .collect();
        // Of a large definition only the ConfigMap has any.
        let wanted = if objects.len() == 2 { vec![asked, false] } else { vec![asked] };
        assert_eq!(disabled, wanted, "{}", &content[..10]);
    }
}

#[test]
fn credentials_are_adopted_once_for_all_workflows_without_any_value() {
    let with = |id: &str, credentials: Value| {
        let mut ask = node("Ask", "n8n-nodes-base.httpRequest", json!({}));
        ask["credentials"] = credentials;
        chosen(id, json!({ "nodes": [ask] }))
    };
    let chosen = vec![
        with("A", json!({ "httpBasicAuth": { "id": "1", "name": "Shop" }, "httpHeaderAuth": { "id": "2", "name": "Shop" } })),
        with("B", json!({ "httpBasicAuth": { "id": "1", "name": "Old name" } })),
        with("C", json!({ "httpBasicAuth": { "id": "9", "name": "shop" } })),
    ];
    let target = Target { credentials: true, namespace: Some("team-a".into()), ..target() };
    let Import { workflows, credentials, notes } = import(chosen, &target);
    let mappings: Vec<Value> = workflows.iter().map(|one| one.objects.last().unwrap()["spec"]["credentials"].clone()).collect();
    let (second, third) =
        (format!("shop-{}", &crate::text::sha256::sha256_hex("2")[..8]), format!("shop-{}", &crate::text::sha256::sha256_hex("9")[..8]));
    assert_eq!(
        mappings,
        [
            json!([
                { "name": "Shop", "credentialRef": { "name": "old-name" }, "type": "httpBasicAuth" },
                { "name": "Shop", "credentialRef": { "name": second }, "type": "httpHeaderAuth" },
            ]),
            json!([{ "name": "Old name", "credentialRef": { "name": "old-name" } }]),
            json!([{ "name": "shop", "credentialRef": { "name": third } }]),
        ]
    );
    let made: Vec<_> = credentials.iter().map(|one| (one.kind.as_str(), one.adopt.as_deref())).collect();
    assert_eq!(made.len(), 3);
    assert!(made.contains(&("httpBasicAuth", Some("1"))) && made.contains(&("httpHeaderAuth", Some("2"))), "{made:?}");
    let text: String = credentials.iter().map(|one| one.adopting(Catalog::embedded())).collect();
    assert!(!text.contains("kind: Secret") && text.contains("needs the keys: user, password"), "{text}");
    let reports = validate(&[Source { name: "x".into(), text: Ok(text.clone()), found: false }], Catalog::embedded());
    assert!(reports.len() == 3 && reports.iter().all(|report| report.findings.is_empty()), "{reports:?}\n{text}");
    assert_eq!(notes, []);
}
