use serde_json::{Value, json};

use super::*;

fn spec(more: Value) -> WorkflowSpec {
    let mut spec = json!({ "instanceRef": { "name": "main", "namespace": "ops" } });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn instance(more: Value) -> N8nInstanceSpec {
    let mut spec = json!({ "url": "http://n8n.test", "apiKeySecretRef": { "name": "key" }, "allowedNamespaces": { "from": "All" } });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

/// Returns the problems of a Workflow `a` in `team-a` with an instance in `ops`.
fn found(more: Value, target: Option<&N8nInstanceSpec>) -> Vec<(bool, String)> {
    let facts = InstanceFacts { namespace: "ops", spec: target, labels: None };
    problems(&spec(more), None, ("team-a", "a"), facts, (Catalog::embedded(), true), &|_| None)
}

#[test]
fn an_instance_that_is_missing_and_one_that_does_not_allow_the_namespace_look_the_same() {
    let closed = instance(json!({ "allowedNamespaces": { "from": "Same" } }));
    let hidden = found(json!({ "adopt": { "id": "w1" } }), Some(&closed));
    assert_eq!(hidden, found(json!({ "adopt": { "id": "w1" } }), None));
    assert_eq!(
        hidden,
        [(
            false,
            "N8nInstance main does not exist in namespace ops or does not allow namespace team-a; the Workflow waits until it does"
                .to_owned()
        )]
    );
    assert_eq!(found(json!({}), Some(&instance(json!({})))), []);
}

#[test]
fn each_use_needs_its_grant_and_a_doubtful_one_is_a_warning() {
    let uses = json!({ "adopt": { "id": "w1" }, "project": { "id": "p1" }, "tags": ["live"],
        "credentials": [{ "name": "Slack", "existing": { "name": "Team Slack" } }] });
    let grants = |more: Value| {
        let mut grant = json!({ "namespaces": ["team-a"] });
        grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        instance(json!({ "grants": [grant] }))
    };
    let all = json!({ "adopt": ["w1"], "projects": ["p1"], "tags": ["live"], "credentials": ["Team Slack"] });
    assert_eq!(found(uses.clone(), Some(&grants(all.clone()))), []);
    for (left, field, certain) in [
        ("adopt", "grants[].adopt", true),
        ("projects", "grants[].projects", true),
        ("tags", "grants[].tags", true),
        ("credentials", "grants[].credentials", true),
    ] {
        let mut some = all.clone();
        some.as_object_mut().unwrap().remove(left);
        let found = found(uses.clone(), Some(&grants(some)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == certain && found[0].1.contains(field), "{found:?}");
    }
    let mut other = all;
    other["credentials"] = json!(["c7"]);
    let found = found(uses, Some(&grants(other)));
    assert!(!found[0].0, "c7 may be the id of that credential: {found:?}");
}

#[test]
fn a_definition_in_another_namespace_needs_grants_for_what_it_reaches() {
    let definition = crate::validator::check::parse_and_check(&json!({
        "nodes": [{ "name": "Run", "type": "n8n-nodes-base.code", "typeVersion": 2, "position": [0, 0], "parameters": {} },
            { "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1, "position": [0, 0], "parameters": { "workflowId": "OLD1" } }],
        "connections": {}, "settings": {},
    }));
    let definition = definition.unwrap().definition;
    let reviewed = |more: Value, namespace: &str, target: &N8nInstanceSpec, certain: bool| {
        let facts = InstanceFacts { namespace: "ops", spec: Some(target), labels: None };
        let catalog = (Catalog::embedded(), certain);
        problems(&spec(more), Some(&definition), (namespace, "a"), facts, catalog, &|_| Some(Vec::new()))
    };
    let closed = instance(json!({}));
    let denied = reviewed(json!({}), "team-a", &closed, true);
    assert!(denied[0].0 && denied[0].1.contains("spec.grants[].nodeTypes"), "{denied:?}");
    assert!(!reviewed(json!({}), "team-a", &closed, false)[0].0, "the catalogue may be another one");
    assert_eq!(reviewed(json!({}), "ops", &closed, true), []);
    let granted = instance(json!({ "grants": [{ "namespaces": ["*"], "nodeTypes": ["n8n-nodes-base.code"] }] }));
    assert!(reviewed(json!({}), "team-a", &granted, true)[0].1.contains("calls workflow OLD1"));
    let mapped = json!({ "references": [{ "id": "OLD1", "workflowRef": { "name": "child" } }] });
    assert_eq!(reviewed(mapped, "team-a", &granted, true), []);
}

#[test]
fn a_ring_is_denied_and_a_missing_reference_is_a_warning() {
    let to = |names: &[&str]| json!({ "references": names.iter().map(|name| json!({ "id": *name, "workflowRef": { "name": *name } })).collect::<Vec<_>>() });
    let target = instance(json!({}));
    let facts = InstanceFacts { namespace: "team-a", spec: Some(&target), labels: None };
    let known = |name: &str| match name {
        "b" => Some(vec!["c".to_owned()]),
        "c" => Some(vec!["a".to_owned(), "d".to_owned()]),
        "d" => Some(vec!["d".to_owned()]),
        _ => None,
    };
    let reviewed =
        |name: &str, spec_of: Value| problems(&spec(spec_of), None, ("team-a", name), facts, (Catalog::embedded(), true), &known);
    assert_eq!(
        reviewed("a", to(&["b"])),
        [(true, "reference cycle between Workflows: a -> b -> c -> a; remove one of the references".to_owned())]
    );
    assert_eq!(reviewed("a", to(&["a"])), [(true, "reference cycle between Workflows: a -> a; remove one of the references".to_owned())]);
    assert_eq!(reviewed("e", to(&["b", "d"])), []);
    assert_eq!(reviewed("", to(&["b"])), [], "a generated name is new");
    let missing = reviewed("a", to(&["z"]));
    assert!(!missing[0].0 && missing[0].1.starts_with("Workflow z, which spec.references names, does not exist"), "{missing:?}");
}
