use super::*;
use crate::api::annotation;
use serde_json::json;

fn indexed(status: serde_json::Value) -> IndexedWorkflow {
    let mut indexed: IndexedWorkflow = serde_json::from_value(json!({
        "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
        "metadata": { "name": "a", "namespace": "n", "uid": "u", "generation": 2,
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}", annotation::RESET_AT: "1" } },
        "spec": { "instanceRef": { "name": "main" }, "definition": { "nodes": [] } },
        "status": status,
    }))
    .unwrap();
    indexed.slim();
    indexed
}

#[test]
fn credentials_that_come_from_objects_are_known() {
    let with = |credentials: serde_json::Value| -> IndexedWorkflow {
        serde_json::from_value(json!({ "metadata": {}, "spec": { "credentials": credentials } })).unwrap()
    };
    let one = with(json!([{ "name": "a", "existing": { "id": "1" } }, { "name": "b", "credentialRef": { "name": "slack" } }]));
    assert!(one.uses_credential("slack") && !one.uses_credential("a"));
    assert!(indexed(json!({ "credentialRefs": ["old"] })).uses_credential("old"), "the version in n8n still has it");
    assert!(!with(json!([{ "credentialRef": 7 }])).uses_credential("") && !with(json!({})).uses_credential("slack"));
}

#[test]
fn edits_start_a_reconciliation_and_writes_of_status_or_finalizer_do_not() {
    let before = indexed(json!({ "observedGeneration": 1 }));
    let mut after = indexed(json!({ "observedGeneration": 2, "n8nWorkflowId": "w" }));
    after.metadata.finalizers = Some(vec![crate::api::WORKFLOW_FINALIZER.to_owned()]);
    assert_eq!(indexed_metadata::change_hash(&before), indexed_metadata::change_hash(&after));
    assert_eq!(before.metadata.annotations.as_ref().unwrap().len(), 1);
    assert_eq!(after.instance(), ("n", "main"));
    after.metadata.generation = Some(3);
    assert_ne!(indexed_metadata::change_hash(&before), indexed_metadata::change_hash(&after));
}

#[test]
fn urgency_follows_from_requests_that_are_not_handled_yet() {
    let with = |generation: i64, annotations: serde_json::Value, status: serde_json::Value| {
        let mut one = indexed(status);
        one.metadata.generation = Some(generation);
        one.metadata.annotations = serde_json::from_value(annotations).unwrap();
        one
    };
    let answered = json!({ "observedGeneration": 2, "n8nWorkflowId": "w", "lastHandledRequestedAt": "1", "lastHandledResetAt": "1",
        "pinnedVersion": 3 });
    let pin = json!({ annotation::PINNED_VERSION: "3" });
    for (generation, annotations, status, urgency) in [
        (2, pin.clone(), answered.clone(), Urgency::Routine),
        (3, pin.clone(), answered.clone(), Urgency::Edit),
        (2, json!({}), answered.clone(), Urgency::Edit),
        (2, json!({ annotation::PINNED_VERSION: "2" }), answered.clone(), Urgency::Edit),
        (
            2,
            json!({ annotation::PINNED_VERSION: "3", annotation::RESET_AT: "1", annotation::REQUESTED_AT: "1" }),
            answered.clone(),
            Urgency::Routine,
        ),
        (2, json!({ annotation::PINNED_VERSION: "3", annotation::RESET_AT: "2" }), answered.clone(), Urgency::Edit),
        (2, json!({ annotation::PINNED_VERSION: "3", annotation::REQUESTED_AT: "2" }), answered, Urgency::Edit),
        (1, json!({}), json!({ "observedGeneration": -1 }), Urgency::Create),
    ] {
        assert_eq!(with(generation, annotations.clone(), status).urgency(), urgency, "{generation} {annotations}");
    }
    let mut going = with(3, pin, json!({ "n8nWorkflowId": "w" }));
    going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(going.urgency(), Urgency::Deletion);
}

#[test]
fn only_what_was_there_and_is_not_given_up_is_expected_in_n8n() {
    let there = indexed(json!({ "n8nWorkflowId": "w", "activeVersion": 1 }));
    assert_eq!(there.should_exist(), Some("w"));
    assert_eq!(indexed(json!({ "n8nWorkflowId": "w" })).should_exist(), None);
    let mut going = there;
    going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(going.should_exist(), None);
}

#[test]
fn places_under_a_quota_are_those_that_the_whole_object_shows() {
    for (spec, status) in [
        (json!({ "active": true }), json!({})),
        (json!({ "active": true }), json!({ "activationRequestedAt": "2026-11-29T10:00:00.123456Z", "n8nWorkflowId": "w" })),
        (json!({ "active": true, "suspend": true }), json!({ "published": true, "n8nWorkflowId": "w" })),
        (json!({}), json!({ "intent": { "operation": "Create", "digest": "d", "startedAt": "2026-11-29T10:00:00Z" } })),
        (
            json!({ "active": false }),
            json!({ "n8nWorkflowId": "w", "intent": { "operation": "Deploy", "digest": "d", "publishes": true, "startedAt": "2026-11-29T10:00:00Z" } }),
        ),
        (
            json!({}),
            json!({ "intent": { "operation": "Revert", "digest": "d", "lastGoodN8nVersionId": "v", "startedAt": "2026-11-29T10:00:00Z" } }),
        ),
    ] {
        let mut object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "spec": spec, "status": status,
            "metadata": { "name": "a", "namespace": "n", "uid": "u", "creationTimestamp": "2026-11-29T09:00:00Z" } });
        object["spec"]["instanceRef"] = json!({ "name": "main" });
        let whole: Workflow = serde_json::from_value(object.clone()).unwrap();
        let indexed: IndexedWorkflow = serde_json::from_value(object).unwrap();
        assert_eq!(indexed.candidate(None), Candidate::of(&whole, None), "{spec} {status}");
        let none = Some(Places::default());
        assert_eq!(indexed.candidate(none), Candidate::of(&whole, none));
    }
}

#[test]
fn an_object_that_does_not_fit_is_indexed_all_the_same() {
    let odd: IndexedWorkflow = serde_json::from_value(json!({ "metadata": { "name": "a" }, "spec": { "active": "yes" } })).unwrap();
    assert_eq!(odd.name(), "a");
}

#[test]
fn the_symbols_of_credentials_are_known_if_each_is_mapped_and_no_kept_version_is_pinned() {
    let symbols = |mappings: serde_json::Value, pinned: serde_json::Value| {
        let required = json!([{ "type": "slackApi", "name": "theirs" }, { "type": "httpBasicAuth" }]);
        let object = json!({ "metadata": {}, "spec": { "credentials": mappings }, "status": { "requiredCredentials": required, "pinnedVersion": pinned } });
        let indexed: IndexedWorkflow = serde_json::from_value(object).unwrap();
        Some(indexed.credential_symbols()?.into_iter().map(|one| format!("{} {}", one.kind, one.symbol)).collect::<Vec<_>>())
    };
    let by_ref = json!([{ "name": "theirs", "credentialRef": { "name": "slack" } }, { "name": 7 }]);
    assert_eq!(symbols(by_ref.clone(), json!(null)), Some(vec!["slackApi weirkeeper:credential/ref/slack".to_owned()]));
    assert_eq!(symbols(by_ref, json!(2)), None);
    assert_eq!(symbols(json!([{ "name": "other", "existing": { "id": "1" } }]), json!(null)), None);
    let of_another_type = json!([{ "name": "theirs", "type": "x", "existing": { "id": "1" } }]);
    assert_eq!(symbols(of_another_type, json!(null)), None);
}

#[test]
fn executions_leave_the_health_as_it_is_if_there_are_none_or_all_of_a_healthy_version_succeeded() {
    let at = "2026-11-30T10:00:00.123000Z";
    let stands = |failing: bool, decided: Option<&str>, executions, failed| {
        indexed(json!({ "observedGeneration": 2, "n8nWorkflowId": "w", "activeVersion": 1, "publishedAt": at, "complete": true,
            "healthDecidedFor": decided, "healthFailing": failing, "confirmed": { "name": "a" },
            "history": [{ "version": 1, "digest": "d", "revision": "r", "result": "Good", "source": "Definition", "createdAt": "2026-11-30T10:00:00Z", "n8nVersionId": "v" }] }))
        .health_stands(executions, failed)
    };
    assert!(stands(false, Some(at), 0, 0) && stands(false, Some(at), 9, 0) && stands(true, Some(at), 0, 0));
    assert!(!stands(false, Some(at), 9, 1) && !stands(true, Some(at), 9, 0) && !stands(false, None, 9, 0), "a reconciliation decides");
    assert!(!stands(false, Some("2026-11-30T09:00:00.123000Z"), 9, 0), "that was decided for another publication");
}
