//! The last step of every reconciliation, writes Kubernetes: the status if it differs, events for changed conditions.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::PartialObjectMetaExt;
use kube::runtime::events::EventType;
use serde_json::json;
use tracing::warn;

use super::reconciliation::Reconciliation;
use super::resolve::wake_callers;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::api::workflow_status::{VersionResult, WorkflowStatus};
use crate::controller::context::Context;
use crate::controller::runtime::reconcile::Ended;
use crate::controller::runtime::status;
use crate::domain::annotations::{OF_WORKFLOW, unknown};
use crate::domain::conditions::{Found, Outcome, conditions, state};
use crate::domain::error::ReconcileError;
use crate::domain::health::next_check;
use crate::domain::history;
use crate::domain::summary::summary;
use crate::domain::transitions::transitions;
use crate::kubernetes::decoded::Undecodable;

/// Writes the status, sends events, and returns when to reconcile again.
pub(super) async fn report(rec: &mut Reconciliation<'_>, found: &Found) -> Ended {
    let (generation, now) = (rec.generation(), rec.now());
    let before = rec.status.take_conditions();
    let grace = rec.spec().interval.get() * 3;
    let (after, unverified_since) = conditions(&before, rec.status.unverified_since.as_ref(), found, generation, grace, now);
    rec.status.record_waits_for_path(matches!(&found.outcome, Outcome::Failed(error) if error.reason == Reason::WebhookPathTaken));
    let pinned = rec.pinned().and_then(|pinned| pinned.trim().parse().ok()).filter(|version| *version > 0);
    let summary = summary(&after);
    rec.status.record_complete(matches!(found.outcome, Outcome::Ready(_)));
    rec.status.report(generation, pinned, after, unverified_since, summary);
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
    let turns = transitions(before, &rec.status.conditions, another_version).into_iter();
    let turns = turns.map(|turn| (if turn.warning { EventType::Warning } else { EventType::Normal }, turn.reason, turn.note));
    let decided = decisions(&earlier, &rec.status).into_iter().map(|(reason, note)| (EventType::Normal, reason, note));
    let unread = unknown(rec.workflow.metadata.annotations.as_ref(), OF_WORKFLOW);
    let unread = rec.ctx.new_unknown_annotations(&rec.uid(), unread).map(|note| (EventType::Warning, Reason::UnknownAnnotation, note));
    for (kind, reason, note) in decided.chain(turns).chain(unread) {
        rec.ctx.send_event(&rec.workflow, kind, reason, note).await;
    }
}

fn is_rolled_back(conditions: &[Condition]) -> bool {
    find(conditions, ConditionType::RolledBack).is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// Returns the handled requests of users: annotations and `suspend`.
fn decisions(before: &WorkflowStatus, after: &WorkflowStatus) -> Vec<(Reason, String)> {
    let mut decisions = Vec::new();
    if before.last_handled_reset_at != after.last_handled_reset_at {
        decisions.push((Reason::Reset, "a new value of weirkeeper.dev/reset-at is handled: what failed is retried".to_owned()));
    }
    match (before.pinned_version, after.pinned_version) {
        (before, Some(version)) if before != Some(version) => {
            decisions.push((Reason::Pinned, format!("weirkeeper.dev/pinned-version pins version {version}")));
        }
        (Some(version), None) => {
            decisions.push((Reason::Unpinned, format!("the pin of version {version} is removed; the spec decides again")))
        }
        _ => {}
    }
    let suspended = |status: &WorkflowStatus| {
        find(&status.conditions, ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::Suspended.as_str())
    };
    if suspended(before) && !suspended(after) {
        decisions.push((Reason::Resumed, "spec.suspend is removed".to_owned()));
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

/// Writes a status that says so to an object that does not fit its kind.
pub(super) async fn unreadable(ctx: &Context, object: &Undecodable) -> Ended {
    let error = ReconcileError::invalid(
        Reason::UnreadableObject,
        format!("the object does not fit the kind Workflow: {}; correct the field, or apply the CRDs of this version", object.why),
    );
    let old = object.data.get("status").cloned().unwrap_or_else(|| json!({}));
    let status: WorkflowStatus = serde_json::from_value(old.clone()).unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(0);
    let found = Found { outcome: Outcome::Failed(error), details: Vec::new() };
    let (after, _) = conditions(&status.conditions, None, &found, generation, Duration::ZERO, Timestamp::now());
    let new = json!({ "observedGeneration": generation, "summary": summary(&after), "conditions": after });
    let shown = json!({ "observedGeneration": old["observedGeneration"], "summary": old["summary"], "conditions": old["conditions"] });
    let ended = Ended::failed(Reason::UnreadableObject);
    let bare = object.metadata.clone().into_response_partial::<Workflow>();
    if let Err(error) = status::write(&ctx.client, &ctx.metrics.writes, &bare, None, (&shown, &new)).await {
        warn!(%error, "cannot write the status");
    }
    ended
}
