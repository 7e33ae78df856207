use serde_json::json;

use super::*;
use crate::api::instance::N8nInstanceSpec;
use crate::api::policy::WorkflowPolicySpec;
use crate::catalog::Catalog;

fn webhook(more: &Value) -> Value {
    let mut node = json!({ "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
        "parameters": { "path": "team-a/orders", "httpMethod": "POST" }, "webhookId": "6a1c0f1e-0000-4000-8000-000000000000" });
    node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node
}

fn sound() -> Value {
    json!({ "nodes": [webhook(&json!({}))], "connections": {}, "settings": { "executionOrder": "v1" } })
}

fn object(definition: Value, more: &Value) -> Value {
    let mut spec = json!({ "instanceRef": { "name": "main" }, "definition": definition });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "a", "namespace": "team-a" }, "spec": spec })
}

/// Facts that a test changes.
struct Given {
    n8n: Option<String>,
    policy: WorkflowPolicySpec,
    exceeded: Option<String>,
    used_up: Option<String>,
}

impl Given {
    fn none() -> Self {
        Self { n8n: Catalog::embedded().index().n8n.clone(), policy: WorkflowPolicySpec::default(), exceeded: None, used_up: None }
    }

    fn denying(types: &[&str]) -> Self {
        let policy = WorkflowPolicySpec { denied_node_types: types.iter().map(|one| (*one).to_owned()).collect(), ..Default::default() };
        Self { policy, ..Self::none() }
    }

    fn review(&self, old: Option<Value>, object: Value) -> AdmissionResponse {
        let target: N8nInstanceSpec =
            serde_json::from_value(json!({ "url": "http://n8n.test", "apiKeySecretRef": { "name": "key" } })).unwrap();
        let operation = if old.is_some() { AdmissionOperation::Update } else { AdmissionOperation::Create };
        let request = Request {
            operation,
            subresource: false,
            namespace: "team-a".to_owned(),
            name: "a".to_owned(),
            object,
            old: old.unwrap_or_default(),
        };
        let facts = WorkflowFacts {
            context: ValidationContext { catalog: Catalog::embedded(), n8n: self.n8n.as_deref(), instead: None },
            instance: InstanceFacts { namespace: "team-a", spec: Some(&target), labels: None },
            policies: &[Policy { name: "rules", rules: &self.policy }],
            exceeded: self.exceeded.clone(),
            used_up: self.used_up.clone(),
            references_of: &|_| None,
            credential_of: &|_| None,
        };
        workflow(&request, &facts)
    }
}

#[test]
fn what_cannot_work_is_denied_with_its_place_and_a_suggestion() {
    let given = Given::none();
    assert_eq!(given.review(None, object(sound(), &json!({}))).denied, None);
    let misspelt = json!({ "nodes": [webhook(&json!({ "type": "n8n-nodes-base.webhok" }))], "connections": {} });
    let denied = given.review(None, object(misspelt, &json!({}))).denied.unwrap();
    assert!(denied.contains("node \"Hook\": nodes[0].type") && denied.contains("did you mean \"n8n-nodes-base.webhook\"?"), "{denied}");
    let denied = given.review(None, object(json!({ "nodes": 7 }), &json!({}))).denied.unwrap();
    assert!(denied.contains("`nodes` must be a list"), "{denied}");
    let large = json!({ "nodes": [webhook(&json!({ "notes": "x".repeat(200_001) }))], "connections": {} });
    let denied = given.review(None, object(large, &json!({}))).denied.unwrap();
    assert!(
        denied.contains("may have 200000; store the workflow in a ConfigMap and name it in spec.definitionFrom.configMapKeyRef"),
        "{denied}"
    );
    let misfit = given.review(None, object(sound(), &json!({ "tags": 7 }))).denied.unwrap();
    assert!(misfit.contains("does not fit its kind"), "{misfit}");
}

#[test]
fn findings_of_another_catalogue_are_warnings_with_the_reason() {
    let unknown = json!({ "nodes": [webhook(&json!({})), webhook(&json!({ "name": "Other", "type": "n8n-nodes-base.brandNew" }))], "connections": {} });
    assert!(Given::none().review(None, object(unknown.clone(), &json!({}))).denied.is_some());
    for n8n in [Some("2.99.0".to_owned()), None] {
        let review = Given { n8n, ..Given::none() }.review(None, object(unknown.clone(), &json!({})));
        assert_eq!(review.denied, None);
        assert!(review.warnings.iter().any(|warning| warning.contains("brandNew")), "{:?}", review.warnings);
        assert!(review.warnings.last().is_some_and(|why| why.contains("n8n decides")), "{:?}", review.warnings);
    }
}

#[test]
fn a_policy_denies_a_new_definition_and_warns_of_one_that_was_accepted() {
    let given = Given::denying(&["n8n-nodes-base.webhook"]);
    let before = object(sound(), &json!({}));
    let denied = given.review(None, before.clone()).denied.unwrap();
    assert!(denied.contains("WorkflowPolicy rules"), "{denied}");
    let flipped = given.review(Some(before.clone()), object(sound(), &json!({ "suspend": true })));
    assert_eq!(flipped.denied, None);
    assert!(flipped.warnings[0].contains("accepted earlier") && flipped.warnings[1].contains("WorkflowPolicy rules"), "{flipped:?}");
    let mut edited = sound();
    edited["settings"]["timezone"] = json!("Europe/Berlin");
    assert!(given.review(Some(before), object(edited, &json!({}))).denied.is_some(), "the definition changes");
}

#[test]
fn an_update_is_denied_for_what_it_brings() {
    let unstartable = json!({ "nodes": [{ "name": "Set", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [0, 0], "parameters": {} }],
        "connections": {}, "settings": {} });
    let given = Given::none();
    let draft = object(unstartable.clone(), &json!({ "active": false }));
    assert_eq!(given.review(None, draft.clone()).denied, None);
    let published = given.review(Some(draft), object(unstartable, &json!({ "active": true })));
    assert!(published.denied.is_some(), "publication brings the error, the definition did not have it");
}

#[test]
fn a_quota_is_reported_beside_the_findings() {
    let words = "exceeded quota: team-a, requested: workflows=1, used: 5, limited: 5";
    let given = Given { exceeded: Some(words.to_owned()), ..Given::denying(&["n8n-nodes-base.webhook"]) };
    for _ in 0..10 {
        let denied = given.review(None, object(sound(), &json!({}))).denied.unwrap();
        assert!(denied.contains("WorkflowPolicy rules") && denied.ends_with(words), "{denied}");
    }
}

#[test]
fn unknown_annotations_are_warnings_and_silenced_findings_are_none() {
    let mut misspelt = object(sound(), &json!({}));
    misspelt["metadata"]["annotations"] = json!({ "weirkeeper.dev/pinnedVersion": "1" });
    let review = Given::none().review(None, misspelt);
    assert!(review.warnings.iter().any(|warning| warning.contains("did you mean weirkeeper.dev/pinned-version?")), "{review:?}");
    let open = Given::none().review(None, object(sound(), &json!({}))).warnings;
    assert!(!open.is_empty(), "a webhook without authentication is worth a warning");
    let mut silent = object(sound(), &json!({}));
    silent["metadata"]["annotations"] = json!({ "weirkeeper.dev/ignore-findings": "webhook-open" });
    assert!(Given::none().review(None, silent).warnings.len() < open.len(), "{open:?}");
}

#[test]
fn a_day_without_deployments_left_is_a_warning_for_a_new_version_only() {
    let given = Given { used_up: Some("used up".to_owned()), ..Given::none() };
    let old = || object(sound(), &json!({}));
    let reviewed = |old, new| {
        let review = given.review(old, new);
        (review.denied, review.warnings.iter().any(|warning| warning == "used up"))
    };
    assert_eq!(reviewed(None, old()), (None, true));
    assert_eq!(reviewed(Some(old()), object(sound(), &json!({ "active": true }))), (None, false));
    let mut edited = sound();
    edited["nodes"][0]["position"] = json!([20, 0]);
    assert_eq!(reviewed(Some(old()), object(edited, &json!({}))), (None, true));
}
