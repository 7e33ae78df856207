//! Health of objects in every state.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use weirkeeper::api::condition::{Condition, ConditionStatus, ConditionType, ConditionUpdate};
use weirkeeper::api::crds;
use weirkeeper::api::policy::WorkflowPolicySpec;
use weirkeeper::api::reason::Reason;
use weirkeeper::catalog::Catalog;
use weirkeeper::domain::conditions::{Found, Outcome, conditions};
use weirkeeper::domain::error::ReconcileError;
use weirkeeper::domain::policy_status::result;

use crate::lua::{Customizations, Health};

const GENERATION: i64 = 3;
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn kinds() -> Vec<String> {
    crds::all().into_iter().map(|crd| crd.spec.names.kind).collect()
}

/// Returns an object whose status has conditions of its generation.
fn object(kind: &str, conditions: &[Condition]) -> Value {
    json!({
        "apiVersion": "weirkeeper.dev/v1alpha1", "kind": kind,
        "metadata": { "name": "a", "namespace": "team-a", "generation": GENERATION },
        "spec": {}, "status": { "observedGeneration": GENERATION, "conditions": conditions },
    })
}

/// Returns the conditions that the operator sets for an outcome.
fn reported(before: &[Condition], outcome: Outcome, details: Vec<ConditionUpdate>) -> Vec<Condition> {
    conditions(before, None, &Found { outcome, details }, GENERATION, Duration::ZERO, NOW).0
}

fn health_of(kind: &str, outcome: Outcome, details: Vec<ConditionUpdate>) -> Health {
    Customizations::installed().health(&object(kind, &reported(&[], outcome, details)))
}

#[test]
fn every_reason_has_a_health_for_every_kind_of_outcome() {
    type Error = fn(Reason, String) -> ReconcileError;
    let failures: [(Error, &str); 4] = [
        (|reason, message| ReconcileError::invalid(reason, message), "Degraded"),
        (|reason, message| ReconcileError::denied(reason, message), "Degraded"),
        (|reason, message| ReconcileError::waiting(reason, message), "Progressing"),
        (|reason, message| ReconcileError::transient(reason, message), "Progressing"),
    ];
    let customizations = Customizations::installed();
    let fine = Found { outcome: Outcome::Ready("fine".to_owned()), details: Vec::new() };
    let (before, _) = conditions(&[], None, &fine, GENERATION - 1, Duration::ZERO, NOW);
    for reason in Reason::ALL.iter().copied() {
        let mut outcomes: Vec<(Outcome, &str)> =
            failures.iter().map(|(error, health)| (Outcome::Failed(error(reason, "of the node".to_owned())), *health)).collect();
        outcomes.push((Outcome::Blocked(reason, "of the node".to_owned()), "Degraded"));
        outcomes.push((Outcome::InProgress(reason, "of the node".to_owned()), "Progressing"));
        for (outcome, wanted) in outcomes {
            let health = customizations.health(&object("Workflow", &reported(&[], outcome.clone(), Vec::new())));
            let message = format!("{}: of the node", reason.as_str());
            assert_eq!(health, Health { status: wanted.to_owned(), message }, "{outcome:?}");
            let after = reported(&before, outcome.clone(), Vec::new());
            assert!(after.iter().all(|condition| condition.observed_generation == GENERATION), "{outcome:?}: {after:?}");
        }
    }
}

#[test]
fn every_kind_is_healthy_when_it_is_ready_and_says_so() {
    for kind in kinds() {
        let health = health_of(&kind, Outcome::Ready("version 4 is published".to_owned()), Vec::new());
        assert_eq!(health, Health { status: "Healthy".to_owned(), message: "version 4 is published".to_owned() }, "{kind}");
    }
}

#[test]
fn what_people_should_know_of_a_healthy_object_is_in_its_message() {
    let message_of = |kind: &str, condition, status, reason| {
        let details = vec![ConditionUpdate::new(condition, status, reason, "the detail")];
        let health = health_of(kind, Outcome::Ready("fine".to_owned()), details);
        assert_eq!(health.status, "Healthy");
        health.message
    };
    use ConditionStatus::{False, True, Unknown};
    assert_eq!(message_of("Workflow", ConditionType::Healthy, Unknown, Reason::Baking), "fine; Baking: the detail");
    assert_eq!(message_of("Workflow", ConditionType::Drifted, True, Reason::DriftIgnored), "fine; DriftIgnored: the detail");
    assert_eq!(message_of("WorkflowQuota", ConditionType::Exceeded, True, Reason::QuotaExceeded), "fine; QuotaExceeded: the detail");
    assert_eq!(message_of("N8nInstance", ConditionType::KeyExpiring, True, Reason::KeyExpiring), "fine; KeyExpiring: the detail");
    assert_eq!(message_of("Workflow", ConditionType::Drifted, False, Reason::InSync), "fine");
    assert_eq!(message_of("Workflow", ConditionType::Healthy, True, Reason::Healthy), "fine");
}

#[test]
fn an_object_that_the_operator_has_not_seen_is_progressing() {
    let customizations = Customizations::installed();
    for kind in kinds() {
        let ready = reported(&[], Outcome::Ready("fine".to_owned()), Vec::new());
        let mut edited = object(&kind, &ready);
        edited["metadata"]["generation"] = json!(GENERATION + 1);
        let mut fresh = object(&kind, &[]);
        fresh["status"] = json!({ "observedGeneration": -1 });
        let mut bare = fresh.clone();
        bare.as_object_mut().unwrap().remove("status");
        for unseen in [edited, fresh, bare] {
            let health = customizations.health(&unseen);
            assert_eq!(health.status, "Progressing", "{unseen}");
            assert_eq!(health.message, "The operator has not reconciled this generation yet");
        }
    }
}

#[test]
fn a_suspended_object_is_suspended_and_a_deleted_one_progresses() {
    let customizations = Customizations::installed();
    for spec_changed in [true, false] {
        let ready = reported(&[], Outcome::Ready("fine".to_owned()), Vec::new());
        let mut workflow = object("Workflow", &reported(&ready, Outcome::Suspended { spec_changed }, Vec::new()));
        workflow["spec"]["suspend"] = json!(true);
        assert_eq!(customizations.health(&workflow).status, "Suspended");
        workflow["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        workflow["metadata"]["finalizers"] = json!(["weirkeeper.dev/workflow"]);
        let health = customizations.health(&workflow);
        assert_eq!((&*health.status, &*health.message), ("Progressing", "Being deleted; finalizers: weirkeeper.dev/workflow"));
    }
}

#[test]
fn an_instance_that_cannot_be_asked_is_progressing_and_a_workflow_stays_healthy_meanwhile() {
    let down = || Outcome::Failed(ReconcileError::transient(Reason::InstanceUnreachable, "n8n does not answer"));
    let ready = reported(&[], Outcome::Ready("fine".to_owned()), Vec::new());
    let details = vec![ConditionUpdate::new(ConditionType::Reachable, ConditionStatus::False, Reason::InstanceUnreachable, "")];
    let customizations = Customizations::installed();
    let instance = object("N8nInstance", &reported(&ready, down(), details));
    assert_eq!(customizations.health(&instance).status, "Progressing");
    let found = Found { outcome: down(), details: Vec::new() };
    let (graced, _) = conditions(&ready, None, &found, GENERATION, Duration::from_secs(60), NOW);
    let workflow = customizations.health(&object("Workflow", &graced));
    assert_eq!((&*workflow.status, &*workflow.message), ("Healthy", "n8n does not answer; ready when last observed"));
}

#[test]
fn a_policy_is_healthy_or_degraded_as_its_status_says() {
    let of =
        |rules: Result<WorkflowPolicySpec, String>| health_of("WorkflowPolicy", result(&rules, Catalog::embedded()).outcome, Vec::new());
    assert_eq!(of(Ok(WorkflowPolicySpec::default())).status, "Healthy");
    let unreadable = of(Err("unknown field `x`".to_owned()));
    assert_eq!(unreadable.status, "Degraded");
    assert!(unreadable.message.starts_with("PolicyUnreadable: "), "{unreadable:?}");
}
