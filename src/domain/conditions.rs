//! Conditions that tools read (Ready, Reconciling, Stalled), derived from the outcome of a reconciliation.

use std::time::Duration;

use jiff::Timestamp;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::condition::{Condition, ConditionStatus, ConditionType, ConditionUpdate, find, merge, whole_seconds};
use crate::api::reason::{Class, Reason};

use crate::domain::error::ReconcileError;

/// Outcome of a reconciliation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as the spec asks; the text is the message of Ready, such as the published version.
    Ready(String),
    /// Something works, but not what the spec asks for, and a person has to decide.
    Blocked(Reason, String),
    /// The reconciliation did all it could and the next one continues.
    InProgress(Reason, String),
    /// The reconciliation failed.
    Failed(ReconcileError),
    /// `spec.suspend` is set.
    Suspended {
        /// True if the spec changed since it was last reconciled.
        spec_changed: bool,
    },
}

/// Returns the state by which metrics count an object.
pub fn state(conditions: &[Condition], outcome: &Outcome) -> &'static str {
    let holds = |kind| find(conditions, kind).is_some_and(|condition| condition.status == ConditionStatus::True);
    match outcome {
        Outcome::Suspended { .. } => "suspended",
        _ if holds(ConditionType::Ready) => "ready",
        _ if holds(ConditionType::Stalled) => "stalled",
        _ => "reconciling",
    }
}

/// Result of a reconciliation: its outcome and the detail conditions that it determined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The outcome.
    pub outcome: Outcome,
    /// Detail conditions that the reconciliation determined; the others keep their state.
    pub details: Vec<ConditionUpdate>,
}

/// Returns the conditions after a reconciliation, and the time since which n8n could not be asked, if it could not be asked now.
/// `unverified_since` is that time before.
pub fn conditions(
    old: &[Condition],
    unverified_since: Option<&Time>,
    found: &Found,
    generation: i64,
    grace: Duration,
    now: Timestamp,
) -> (Vec<Condition>, Option<Time>) {
    let mut updates: Vec<ConditionUpdate> = found.details.clone();
    let unseen = matches!(&found.outcome, Outcome::Failed(error) if says_nothing(error)) && !differs(&found.details);
    let synced = find(old, ConditionType::Synced);
    // Before the first sync nothing was verified.
    let verified = synced.is_none_or(|synced| synced.status != ConditionStatus::False);
    let unverified_since = (unseen && verified).then(|| unverified_since.cloned().unwrap_or_else(|| whole_seconds(now)));
    if let Outcome::Failed(reconcile_error) = &found.outcome
        && unseen
        && verified
        && synced.is_some()
    {
        updates.push(ConditionUpdate::new(
            ConditionType::Synced,
            ConditionStatus::Unknown,
            reconcile_error.reason,
            &reconcile_error.message,
        ));
    }
    let kept: Vec<ConditionUpdate> = old.iter().filter_map(|condition| carried(condition, &updates)).collect();
    updates.extend(kept);
    let lasted = unverified_since.as_ref().map(|since| Duration::try_from(now.duration_since(since.0)).unwrap_or_default());
    let graced = unseen && lasted.is_none_or(|lasted| lasted < grace);
    updates.extend(summary(old, &found.outcome, unseen, generation, graced));
    let mut merged = merge(old, &updates, generation, now);
    for condition in &mut merged {
        // A detail condition that this reconciliation did not determine keeps the generation that it was determined for.
        let looked_at = found.details.iter().any(|update| update.kind == condition.kind) || is_summary(condition.kind);
        if !looked_at && let Some(before) = find(old, condition.kind) {
            condition.observed_generation = before.observed_generation;
        }
    }
    (merged, unverified_since)
}

fn is_summary(kind: ConditionType) -> bool {
    matches!(kind, ConditionType::Ready | ConditionType::Reconciling | ConditionType::Stalled)
}

/// Reports whether the error says nothing about what n8n holds, because n8n could not be asked for the moment.
fn says_nothing(reconcile_error: &ReconcileError) -> bool {
    reconcile_error.class == Class::Transient && is_temporary(reconcile_error.reason)
}

/// Reports whether n8n or Kubernetes is only temporarily unavailable.
pub fn is_temporary(reason: Reason) -> bool {
    use Reason::{ApiNotFound, InstanceStarting, InstanceUnreachable, Progressing, ProviderUnreachable, RateLimited, RequestFailed};
    matches!(reason, InstanceUnreachable | InstanceStarting | ApiNotFound | ProviderUnreachable | RateLimited | RequestFailed | Progressing)
}

/// Reports whether the reconciliation observed, before it failed, that n8n does not hold or publish what it should. An unreachable instance
/// is not Ready, whatever its Workflows last observed.
fn differs(details: &[ConditionUpdate]) -> bool {
    use ConditionType::{Live, Reachable, Synced};
    details.iter().any(|update| matches!(update.kind, Synced | Live | Reachable) && update.status == ConditionStatus::False)
}

/// Returns an update that repeats a detail condition which the reconciliation did not determine.
fn carried(condition: &Condition, spoken: &[ConditionUpdate]) -> Option<ConditionUpdate> {
    if is_summary(condition.kind) || spoken.iter().any(|update| update.kind == condition.kind) {
        return None;
    }
    let reason = Reason::parse(&condition.reason)?;
    Some(ConditionUpdate { kind: condition.kind, status: condition.status, reason, message: condition.message.clone() })
}

fn summary(old: &[Condition], outcome: &Outcome, unseen: bool, generation: i64, graced: bool) -> [ConditionUpdate; 3] {
    use ConditionStatus::{False, True, Unknown};
    let (ready, reason, message, reconciling, stalled) = match outcome {
        Outcome::Ready(message) => (True, Reason::Succeeded, message.clone(), false, false),
        Outcome::Blocked(reason, message) => (False, *reason, message.clone(), false, true),
        Outcome::InProgress(reason, message) => (False, *reason, message.clone(), true, false),
        Outcome::Failed(reconcile_error) if unseen && was_ready(old, generation) => {
            let message = format!("{}; ready when last observed", reconcile_error.message);
            if graced {
                (True, Reason::Succeeded, message, false, false)
            } else {
                (Unknown, reconcile_error.reason, reconcile_error.message.clone(), true, false)
            }
        }
        Outcome::Failed(reconcile_error) => {
            let stalled = reconcile_error.class.needs_a_person();
            (False, reconcile_error.reason, reconcile_error.message.clone(), !stalled, stalled)
        }
        Outcome::Suspended { spec_changed } => suspended(old, *spec_changed),
    };
    let flag = |kind, on: bool| {
        let status = if on { True } else { False };
        ConditionUpdate::new(kind, status, reason, if on { message.clone() } else { String::new() })
    };
    [
        ConditionUpdate::new(ConditionType::Ready, ready, reason, message.clone()),
        flag(ConditionType::Reconciling, reconciling),
        flag(ConditionType::Stalled, stalled),
    ]
}

/// Suspension keeps Ready if the current spec was synced, and sets it to False with reason Suspended otherwise.
fn suspended(old: &[Condition], spec_changed: bool) -> (ConditionStatus, Reason, String, bool, bool) {
    let ready = find(old, ConditionType::Ready).filter(|ready| ready.status == ConditionStatus::True && !spec_changed);
    match ready {
        Some(ready) => (ConditionStatus::True, Reason::Suspended, ready.message.clone(), false, false),
        None => (ConditionStatus::False, Reason::Suspended, Reason::Suspended.meaning().to_owned(), false, false),
    }
}

/// Reports whether the object was Ready for this generation, or Unknown after having been Ready.
fn was_ready(old: &[Condition], generation: i64) -> bool {
    find(old, ConditionType::Ready).is_some_and(|ready| ready.status != ConditionStatus::False && ready.observed_generation == generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[derive(Debug, Default, PartialEq)]
    struct Reported {
        conditions: Vec<Condition>,
        unverified_since: Option<Time>,
    }

    fn fresh() -> Reported {
        Reported::default()
    }

    fn report(old: &Reported, outcome: Outcome, details: Vec<ConditionUpdate>, second: i64) -> Reported {
        let found = Found { outcome, details };
        let (conditions, unverified_since) = conditions(&old.conditions, old.unverified_since.as_ref(), &found, 1, GRACE, at(second));
        Reported { conditions, unverified_since }
    }

    fn after(old: &Reported, outcome: Outcome, second: i64) -> Reported {
        let details = match &outcome {
            Outcome::Ready(_) => vec![ConditionUpdate::new(ConditionType::Synced, ConditionStatus::True, Reason::Synced, "")],
            _ => vec![],
        };
        report(old, outcome, details, second)
    }

    fn state(reported: &Reported, kind: ConditionType) -> ConditionStatus {
        find(&reported.conditions, kind).unwrap().status
    }

    fn down() -> Outcome {
        Outcome::Failed(ReconcileError::transient(Reason::InstanceUnreachable, "n8n does not answer"))
    }

    #[test]
    fn an_unreachable_instance_leaves_ready_for_a_grace_and_then_makes_it_unknown() {
        let synced = after(&fresh(), Outcome::Ready("version 1".into()), 0);
        let first = after(&synced, down(), 10);
        assert_eq!(state(&first, ConditionType::Ready), ConditionStatus::True);
        assert_eq!(state(&first, ConditionType::Synced), ConditionStatus::Unknown);
        let later = after(&first, down(), 10 + 31);
        assert_eq!(state(&later, ConditionType::Ready), ConditionStatus::Unknown);
        let back = after(&later, Outcome::Ready("version 1".into()), 60);
        assert_eq!(state(&back, ConditionType::Ready), ConditionStatus::True);
    }

    #[test]
    fn a_reconciliation_that_fails_after_it_synced_sets_each_condition_once() {
        let synced = after(&fresh(), Outcome::Ready("version 1".into()), 0);
        let details = vec![ConditionUpdate::new(ConditionType::Synced, ConditionStatus::True, Reason::Synced, "")];
        let found = report(&synced, down(), details, 10);
        let kinds: std::collections::BTreeSet<_> = found.conditions.iter().map(|condition| condition.kind).collect();
        assert_eq!(kinds.len(), found.conditions.len());
        assert_eq!(state(&found, ConditionType::Synced), ConditionStatus::Unknown);
    }

    #[test]
    fn ready_becomes_false_when_a_reconciliation_observes_a_fault() {
        let synced = after(&fresh(), Outcome::Ready("version 1".into()), 0);
        let not_live = after(&synced, Outcome::Failed(ReconcileError::transient(Reason::NotLive, "not registered")), 10);
        assert_eq!(state(&not_live, ConditionType::Ready), ConditionStatus::False);
        let details = vec![ConditionUpdate::new(ConditionType::Synced, ConditionStatus::False, Reason::NotSynced, "")];
        let sending = report(&synced, down(), details, 10);
        assert_eq!(state(&sending, ConditionType::Ready), ConditionStatus::False);
        assert_eq!(state(&sending, ConditionType::Synced), ConditionStatus::False);
    }

    #[test]
    fn an_unreachable_instance_is_not_ready_without_any_grace() {
        let synced = after(&fresh(), Outcome::Ready("n8n answers".into()), 0);
        let details = vec![ConditionUpdate::new(ConditionType::Reachable, ConditionStatus::False, Reason::InstanceUnreachable, "")];
        let found = report(&synced, down(), details, 1);
        assert_eq!(state(&found, ConditionType::Ready), ConditionStatus::False);
        assert_eq!(state(&found, ConditionType::Reconciling), ConditionStatus::True);
    }

    #[test]
    fn a_fresh_object_on_an_unreachable_instance_is_in_progress() {
        let first = after(&fresh(), down(), 10);
        assert_eq!(state(&first, ConditionType::Ready), ConditionStatus::False);
        assert_eq!(state(&first, ConditionType::Reconciling), ConditionStatus::True);
        assert_eq!(state(&first, ConditionType::Stalled), ConditionStatus::False);
    }

    #[test]
    fn an_error_that_needs_a_person_stalls_until_its_cause_is_gone() {
        let stalled = after(&fresh(), Outcome::Failed(ReconcileError::invalid(Reason::InvalidDefinition, "node")), 1);
        assert_eq!(state(&stalled, ConditionType::Stalled), ConditionStatus::True);
        assert_eq!(state(&stalled, ConditionType::Reconciling), ConditionStatus::False);
        let synced = after(&stalled, Outcome::Ready("version 1".into()), 2);
        assert_eq!(state(&synced, ConditionType::Stalled), ConditionStatus::False);
    }

    #[test]
    fn repeating_an_outcome_changes_nothing() {
        for outcome in [
            Outcome::Ready("v".into()),
            down(),
            Outcome::Blocked(Reason::RolledBack, "v1".into()),
            Outcome::Suspended { spec_changed: true },
        ] {
            let once = after(&fresh(), outcome.clone(), 1);
            assert_eq!(after(&once, outcome.clone(), 1000), once, "{outcome:?}");
        }
    }

    #[test]
    fn suspension_keeps_ready_only_for_a_spec_that_was_synced() {
        let synced = after(&fresh(), Outcome::Ready("version 1".into()), 0);
        assert_eq!(state(&after(&synced, Outcome::Suspended { spec_changed: false }, 1), ConditionType::Ready), ConditionStatus::True);
        let changed = after(&synced, Outcome::Suspended { spec_changed: true }, 1);
        assert_eq!(state(&changed, ConditionType::Ready), ConditionStatus::False);
        assert_eq!(state(&changed, ConditionType::Stalled), ConditionStatus::False);
    }
}
