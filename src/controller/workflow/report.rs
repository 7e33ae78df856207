//! The last step of every reconciliation, writes Kubernetes: the status if it differs, events for changed conditions.

use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::reconciliation::Reconciliation;
use super::resolve::wake_callers;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::reason::Reason;
use crate::api::workflow_status::{VersionResult, WorkflowStatus};
use crate::controller::runtime::reconcile::Ended;
use crate::domain::conditions::{Found, Outcome, state};
use crate::domain::health::next_check;
use crate::domain::history;
use crate::domain::transitions::{Turn, transitions};

/// Writes the status, sends events, and returns when to reconcile again.
pub(super) async fn report(rec: &mut Reconciliation<'_>, found: &Found) -> Ended {
    let (generation, now) = (rec.generation(), rec.now());
    let grace = rec.spec().interval.get() * 3;
    let before = rec.status.report(found, generation, grace, now);
    rec.status.record_waits_for_path(matches!(&found.outcome, Outcome::Failed(error) if error.reason == Reason::WebhookPathTaken));
    let pinned = rec.pinned().and_then(|pinned| pinned.trim().parse().ok()).filter(|version| *version > 0);
    rec.status.record_pinned(pinned);
    rec.status.record_complete(matches!(found.outcome, Outcome::Ready(_)));
    rec.note_source();
    let ended = next(rec, found, now);
    let saved = rec.save_last().await;
    if rec.changes_for_callers() {
        wake_callers(rec);
    }
    // They happened, even if the status that shows them is lost.
    for event in std::mem::take(&mut rec.events) {
        rec.ctx.send_event(&rec.workflow, event.kind, event.reason, event.note).await;
    }
    match saved {
        Ok(true) => {}
        // Another writer was first, or the object is gone. The next reconciliation reports the changed conditions.
        Ok(false) => return Ended::failed(Reason::Progressing),
        Err(error) => {
            warn!(%error, "cannot write the status");
            return Ended::failed(ended.reason);
        }
    }
    rec.ctx.count_state(&rec.uid(), Some(state(&rec.status.conditions, &found.outcome)));
    send_events(rec, &before).await;
    ended
}

/// Sends the events that follow from the written status: handled requests, and changed conditions.
async fn send_events(rec: &mut Reconciliation<'_>, before: &[Condition]) {
    let earlier = rec.workflow.status.clone().unwrap_or_default();
    let another_version = earlier.active_version != rec.status.active_version;
    if is_rolled_back(&rec.status.conditions) && !is_rolled_back(before) {
        rec.ctx.metrics.rollbacks.inc();
    }
    let turns = transitions(before, &rec.status.conditions, another_version);
    rec.ctx.send_events(&rec.workflow, decisions(&earlier, &rec.status), turns).await;
}

fn is_rolled_back(conditions: &[Condition]) -> bool {
    find(conditions, ConditionType::RolledBack).is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// Returns the handled requests of users: annotations and `suspend`.
fn decisions(before: &WorkflowStatus, after: &WorkflowStatus) -> Vec<Turn> {
    let (old_reset, new_reset) = (before.last_handled_reset_at.as_ref(), after.last_handled_reset_at.as_ref());
    let mut decisions: Vec<Turn> = Turn::reset(old_reset, new_reset, "what failed is retried").into_iter().collect();
    match (before.pinned_version, after.pinned_version) {
        (before, Some(version)) if before != Some(version) => {
            decisions.push(Turn::normal(Reason::Pinned, format!("weirkeeper.dev/pinned-version pins version {version}")));
        }
        (Some(version), None) => {
            decisions.push(Turn::normal(Reason::Unpinned, format!("the pin of version {version} is removed; the spec decides again")))
        }
        _ => {}
    }
    let suspended = |status: &WorkflowStatus| {
        find(&status.conditions, ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::Suspended.as_str())
    };
    if suspended(before) && !suspended(after) {
        decisions.push(Turn::normal(Reason::Resumed, "spec.suspend is removed"));
    }
    decisions
}

fn next(rec: &Reconciliation<'_>, found: &Found, now: Timestamp) -> Ended {
    let interval = rec.spec().interval.get();
    let watched = matches!(found.outcome, Outcome::Ready(_)).then(|| baking(rec, now)).flatten();
    Ended::of(&found.outcome, watched.map_or(interval, |look| look.min(interval)))
}

/// Returns how soon a version in its bake time is reconciled again.
fn baking(rec: &Reconciliation<'_>, now: Timestamp) -> Option<Duration> {
    let bake = rec.spec().health_check.as_ref()?.bake_time?.get();
    let age = Duration::try_from(now.duration_since(rec.status.published_at.as_ref()?.0)).ok()?;
    let baking = history::numbered(&rec.status.history, rec.status.active_version?)?.result == VersionResult::Deployed;
    (baking && age < bake).then(|| next_check(bake, age))
}
