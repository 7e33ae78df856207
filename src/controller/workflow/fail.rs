//! When a version fails: what is written down so that the next round chooses another, what is said meanwhile, and how the
//! state is left again.

use std::time::Duration;

use kube::runtime::events::EventType;

use super::bind::Bound;
use super::work::Work;
use super::{observe, probe_headers, route_claims, versions};
use crate::api::annotation;
use crate::api::condition::{ConditionStatus, ConditionType, find, milliseconds};
use crate::api::reason::Reason;
use crate::api::workflow_status::{Intent, VersionRecord, VersionResult};
use crate::controller::connections::Connection;
use crate::controller::memory::Memory;
use crate::domain::backoff::Silence;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::target::{Choice, Wanted, circumstances};

/// Leaves a sticky failure when another version is wanted, when what judged it was corrected, when nobody had answered and it
/// rested for long enough, or when a person asks for it.
pub(super) async fn handle_reset(work: &mut Work<'_>, digest: &str) {
    let asked = work.annotation(annotation::RESET_AT).map(str::to_owned);
    let reset = asked.is_some() && asked != work.status.last_handled_reset_at;
    if reset {
        work.status.last_handled_reset_at = asked;
        work.ctx.remember(&work.uid(), Memory::start_afresh);
        restore_proven(work);
    }
    let corrected = match work.status.failed_with.clone().filter(|then| circumstances(work.spec(), None) != *then) {
        Some(then) => circumstances(work.spec(), Some(&probe_headers::versions(work).await)) != then,
        None => false,
    };
    if corrected {
        work.ctx.remember(&work.uid(), |memory| memory.silence = Silence::default());
    }
    let rested = rests_for(work, digest).is_some_and(|left| left.is_zero());
    let failed = work.status.failed_digest.clone();
    if failed.is_some() && (reset || corrected || rested || failed.as_deref() != Some(digest)) {
        work.status.failed_digest = None;
        work.status.failed_with = None;
        work.status.intent = work.status.intent.take().map(|intent| Intent { attempts: 0, failing_since: None, ..intent });
    }
    // A definition that failed once is tried afresh when it comes back.
    if work.status.failed_digest.is_none()
        && let Some(record) =
            work.status.history.iter_mut().find(|record| record.digest == digest && record.result == VersionResult::Failed)
    {
        record.result = VersionResult::Pending;
        record.reason = None;
        record.message = None;
        record.judged_at = None;
    }
}

/// How much longer a version rests that was given up because nobody answered its probes; None for any other.
fn rests_for(work: &Work<'_>, digest: &str) -> Option<Duration> {
    let record = work.status.history.iter().find(|record| record.digest == digest && record.result == VersionResult::Failed)?;
    let since = record.judged_at.as_ref().filter(|_| record.reason.as_deref() == Some(Reason::ProbeUnanswered.as_str()))?.0;
    let rest = work.ctx.remember(&work.uid(), |memory| memory.silence.rest(digest, work.spec().interval.get()));
    Some(rest.saturating_sub(Duration::try_from(work.now().duration_since(since)).unwrap_or_default()))
}

/// What is said of a version that failed: it waits for a person, or it is tried again by itself.
fn failed(work: &Work<'_>, digest: &str, reason: Reason, said: String) -> Outcome {
    match rests_for(work, digest) {
        None => Outcome::Blocked(reason, said),
        Some(left) => {
            let said = format!("{said}; it is tried again by itself");
            // What serves in its place is looked at meanwhile, as often as ever.
            let look = left.min(work.spec().interval.get()).max(Duration::from_millis(100));
            Outcome::Failed(ReconcileError::transient(reason, said).again_in(look))
        }
    }
}

/// What proved itself and could not be put back may be put back now.
fn restore_proven(work: &mut Work<'_>) {
    let failed = |record: &&mut VersionRecord| record.reason.as_deref() == Some(Reason::RollbackFailed.as_str());
    for record in work.status.history.iter_mut().filter(failed) {
        record.result = VersionResult::Good;
        record.reason = None;
        record.message = None;
    }
}

/// Writes down that a version failed, so that the next round chooses another.
pub(super) async fn fail(
    work: &mut Work<'_>,
    choice: &Choice,
    version: i64,
    wanted: &str,
    reason: Reason,
    message: &str,
) -> Result<(), ReconcileError> {
    let now = work.now();
    let recorded = if matches!(choice, Choice::LastGood(_)) { Reason::RollbackFailed } else { reason };
    history::judge(&mut work.status.history, version, VersionResult::Failed, Some((recorded, message)), now);
    if *choice == Choice::Wanted {
        work.status.failed_digest = Some(wanted.to_owned());
        let probed = matches!(reason, Reason::ProbeFailed | Reason::ProbeUnanswered | Reason::ErrorRateExceeded);
        let secrets = if probed { Some(probe_headers::versions(work).await) } else { None };
        work.status.failed_with = Some(circumstances(work.spec(), secrets.as_deref()));
    }
    work.status.intent = work.status.intent.take().filter(|intent| intent.last_good_n8n_version_id.is_some());
    work.ctx.metrics.failures.with_label_values(&[reason.as_str()]).inc();
    work.happened(EventType::Warning, reason, format!("version {version} failed: {message}"));
    work.record().await
}

/// The wanted version failed and nothing is changed.
pub(super) async fn held(
    work: &mut Work<'_>,
    connection: &Connection,
    reason: Reason,
    wanted: &Wanted,
    bound: &Bound,
) -> Result<Outcome, ReconcileError> {
    let said = failure_of(work, wanted.version);
    let offline = matches!(bound, Bound::Existing(remote) if !remote.active) && work.spec().active == Some(true);
    // What served before was no good version, and it is still better than nothing.
    let returns = offline && reason != Reason::RollbackManual;
    work.status.intent = work.status.intent.take().filter(|intent| returns && intent.last_good_n8n_version_id.is_some());
    if let Bound::Existing(remote) = bound {
        note_what_serves(work, connection, remote).await?;
    }
    work.set_condition(ConditionType::Synced, ConditionStatus::False, reason, &said);
    work.set_condition(ConditionType::RolledBack, ConditionStatus::False, reason, &said);
    route_claims::release_unserved(work);
    if work.status.intent.is_some() {
        let message =
            format!("{said}; n8n took the workflow offline, and what served before it is published again as soon as n8n takes that");
        return Ok(Outcome::InProgress(Reason::RollbackFailed, message));
    }
    if offline {
        work.status.active_version = None;
    }
    let what = match (reason, offline) {
        (Reason::RollbackManual, true) => {
            "n8n took the workflow offline and spec.rollback is Manual, so nothing serves until a person acts"
        }
        (Reason::RollbackManual, false) => "spec.rollback is Manual, so nothing was changed",
        _ => "there is no good version to go back to",
    };
    Ok(failed(work, &wanted.digest, reason, format!("{said}; {what}")))
}

/// What n8n serves while something else is wanted: an earlier version that went on or was put back, or nothing, and then
/// nothing must look as if it did.
pub(super) async fn note_what_serves(work: &mut Work<'_>, connection: &Connection, remote: &RemoteWorkflow) -> Result<(), ReconcileError> {
    if !remote.active {
        work.not_published();
        return Ok(());
    }
    let serving = remote.active_version_id.as_deref().and_then(|id| history::held_as(&work.status.history, id));
    work.status.active_version = serving.or(work.status.active_version);
    let Some(version) = work.status.active_version.filter(|_| work.status.published_at.is_none()) else { return Ok(()) };
    let definition = versions::read(work, version).await?;
    work.status.published_at = Some(milliseconds(work.now()));
    work.status.webhook_urls = observe::urls(connection, &definition);
    observe::check_live(work, connection, &definition, true).await.map(drop)
}

fn failure_of(work: &Work<'_>, version: i64) -> String {
    let record = history::numbered(&work.status.history, version);
    let (reason, message) = record.map(|record| (record.reason.clone(), record.message.clone())).unwrap_or_default();
    format!("version {version} failed ({}): {}", reason.unwrap_or_default(), message.unwrap_or_default())
}

pub(super) fn rolled_back_or(work: &mut Work<'_>, choice: &Choice, wanted: &Wanted, outcome: Outcome) -> Outcome {
    let Choice::LastGood(version) = choice else {
        work.set_condition(ConditionType::RolledBack, ConditionStatus::False, Reason::Succeeded, "");
        return outcome;
    };
    let before = find(&work.status.conditions, ConditionType::RolledBack);
    if before.is_none_or(|before| before.status != ConditionStatus::True) {
        work.ctx.metrics.rollbacks.inc();
    }
    let said = format!("{}; version {version} serves in its place", failure_of(work, wanted.version));
    work.set_condition(ConditionType::RolledBack, ConditionStatus::True, Reason::RolledBack, &said);
    failed(work, &wanted.digest, Reason::RolledBack, said)
}
