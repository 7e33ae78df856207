//! The last step of every pass, writes Kubernetes: status where it differs, events where something turned.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::events::EventType;
use serde_json::json;
use tracing::warn;

use super::resolve::wake_callers;
use super::work::Work;
use super::{Ended, Next};
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::api::workflow_status::WorkflowStatus;
use crate::controller::context::Context;
use crate::domain::annotations::{OF_WORKFLOW, unknown};
use crate::domain::conditions::{Found, Outcome, conditions};
use crate::domain::error::ReconcileError;
use crate::domain::health::next_look;
use crate::domain::merge_patch::merge_patch;
use crate::domain::summary::summary;
use crate::domain::transitions::transitions;
use crate::kubernetes::decoded::Unfit;
use crate::kubernetes::objects;

/// Writes the status and sends events; says when to look again.
pub(super) async fn report(work: &mut Work<'_>, found: &Found) -> Ended {
    let (generation, now) = (work.generation(), work.now());
    let before = std::mem::take(&mut work.status.conditions);
    let grace = work.spec().interval.get() * 3;
    work.status.conditions = conditions(&before, found, generation, grace, now);
    work.status.observed_generation = generation;
    work.status.summary = summary(&work.status.conditions);
    work.status.pinned_version = work.pinned().and_then(|pinned| pinned.trim().parse().ok()).filter(|version| *version > 0);
    work.note_source();
    let ended = next(work, found, now);
    let saved = work.save_last().await;
    if work.concerns_callers() {
        wake_callers(work);
    }
    match saved {
        Ok(true) => {}
        // Another writer was first, or the object is gone. What happened is told by whoever finds it.
        Ok(false) => return Ended { reason: Reason::Progressing, next: Next::Retry(None) },
        Err(error) => {
            warn!(%error, "cannot write the status");
            return Ended { next: Next::Retry(None), ..ended };
        }
    }
    work.ctx.count_state(&work.uid(), Some(state(&work.status.conditions, &found.outcome)));
    tell(work, &before).await;
    ended
}

/// Sends the events of the pass: what happened in it, what people decided, and what turned.
async fn tell(work: &mut Work<'_>, before: &[Condition]) {
    let earlier = work.workflow.status.clone().unwrap_or_default();
    let another_version = earlier.active_version != work.status.active_version;
    let turns = transitions(before, &work.status.conditions, another_version).into_iter();
    let turns = turns.map(|turn| (if turn.warning { EventType::Warning } else { EventType::Normal }, turn.reason, turn.note));
    let decided = decisions(&earlier, &work.status).into_iter().map(|(reason, note)| (EventType::Normal, reason, note));
    let unread = unknown(work.workflow.metadata.annotations.as_ref(), OF_WORKFLOW);
    let unread = work.ctx.newly_unread(&work.uid(), unread).map(|note| (EventType::Warning, Reason::UnknownAnnotation, note));
    let happened: Vec<_> = work.events.drain(..).map(|one| (one.kind, one.reason, one.note)).collect();
    for (kind, reason, note) in happened.into_iter().chain(decided).chain(turns).chain(unread) {
        work.ctx.tell(&work.workflow, kind, reason, note).await;
    }
}

/// What people decided by annotations and `suspend`, and a pass took in.
fn decisions(before: &WorkflowStatus, after: &WorkflowStatus) -> Vec<(Reason, String)> {
    let mut told = Vec::new();
    if before.last_handled_reset_at != after.last_handled_reset_at {
        told.push((Reason::Reset, "a new value of weirkeeper.dev/reset-at is handled: what failed is tried again".to_owned()));
    }
    match (before.pinned_version, after.pinned_version) {
        (before, Some(version)) if before != Some(version) => {
            told.push((Reason::Pinned, format!("weirkeeper.dev/pinned-version asks for version {version}")));
        }
        (Some(version), None) => {
            told.push((Reason::Unpinned, format!("the pin of version {version} is taken off; the spec decides again")))
        }
        _ => {}
    }
    let suspended = |status: &WorkflowStatus| {
        find(&status.conditions, ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::Suspended.as_str())
    };
    if suspended(before) && !suspended(after) {
        told.push((Reason::Resumed, "spec.suspend is taken off".to_owned()));
    }
    told
}

fn next(work: &Work<'_>, found: &Found, now: Timestamp) -> Ended {
    let interval = work.spec().interval.get();
    match &found.outcome {
        Outcome::Ready(_) => {
            Ended { reason: Reason::Succeeded, next: Next::Interval(baking(work, now).map_or(interval, |look| look.min(interval))) }
        }
        Outcome::Blocked(reason, _) => Ended { reason: *reason, next: Next::Interval(interval) },
        Outcome::InProgress(reason, _) => Ended { reason: *reason, next: Next::Retry(None) },
        Outcome::Failed(ReconcileError { reason, look_again: Some(pause), .. }) => Ended { reason: *reason, next: Next::Soon(*pause) },
        Outcome::Failed(ReconcileError { reason, retry_after, .. }) => Ended { reason: *reason, next: Next::Retry(*retry_after) },
        Outcome::Suspended { .. } => Ended { reason: Reason::Suspended, next: Next::Never },
    }
}

/// How soon a version in its bake time is looked at again.
fn baking(work: &Work<'_>, now: Timestamp) -> Option<Duration> {
    let healthy = find(&work.status.conditions, ConditionType::Healthy)?;
    let bake = work.spec().health_check.as_ref()?.bake_time?.get();
    let age = Duration::try_from(now.duration_since(work.status.published_at.as_ref()?.0)).ok()?;
    (healthy.reason == Reason::Baking.as_str()).then(|| next_look(bake, age))
}

fn state(conditions: &[Condition], outcome: &Outcome) -> &'static str {
    let holds = |kind| find(conditions, kind).is_some_and(|condition| condition.status == ConditionStatus::True);
    match outcome {
        Outcome::Suspended { .. } => "suspended",
        _ if holds(ConditionType::Ready) => "ready",
        _ if holds(ConditionType::Stalled) => "stalled",
        _ => "reconciling",
    }
}

/// An object that the types cannot read still gets a status that says so.
pub(super) async fn unreadable(ctx: &Context, object: &Unfit) -> Ended {
    let reconcile_error = ReconcileError::invalid(
        Reason::UnreadableObject,
        format!("the object does not fit the kind Workflow: {}; correct the field, or apply the CRDs of this version", object.why),
    );
    let old = object.data.get("status").cloned().unwrap_or_else(|| json!({}));
    let status: WorkflowStatus = serde_json::from_value(old.clone()).unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(0);
    let found = Found { outcome: Outcome::Failed(reconcile_error), details: Vec::new() };
    let after = conditions(&status.conditions, &found, generation, Duration::ZERO, Timestamp::now());
    let new = json!({ "observedGeneration": generation, "summary": summary(&after), "conditions": after });
    let shown = json!({ "observedGeneration": old["observedGeneration"], "summary": old["summary"], "conditions": old["conditions"] });
    let ended = Ended { reason: Reason::UnreadableObject, next: Next::Retry(None) };
    let Some(patch) = merge_patch(&shown, &new) else { return ended };
    let [namespace, name, uid] = [&object.metadata.namespace, &object.metadata.name, &object.metadata.uid].map(Option::as_deref);
    let [namespace, name, uid] = [namespace, name, uid].map(Option::unwrap_or_default);
    if let Err(error) = objects::patch_status::<Workflow>(&ctx.client, namespace, name, uid, None, &patch).await {
        warn!(%error, "cannot write the status");
    }
    ended
}
