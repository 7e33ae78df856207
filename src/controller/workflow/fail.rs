//! Failure of a version: what is recorded so that the next attempt chooses another, what is reported meanwhile, and how the state is left
//! again.

use std::time::Duration;

use kube::runtime::events::EventType;

use super::bind::Bound;
use super::reconciliation::Reconciliation;
use super::{observe, probe_headers, route_claims, versions};
use crate::api::annotation;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow_status::VersionResult;
use crate::controller::connections::Connection;
use crate::controller::memory::Memory;
use crate::domain::backoff::Silence;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::failure::{self, AfterFailure, Changed};
use crate::domain::history;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::target::{Choice, Wanted, circumstances};

/// Clears a failure when another version is wanted, when the failed check was corrected, when nobody had answered and the backoff has
/// passed, or when a user requests it.
pub(super) async fn handle_reset(rec: &mut Reconciliation<'_>, digest: &str) {
    let asked = rec.annotation(annotation::RESET_AT).map(str::to_owned);
    let reset = asked.is_some() && asked != rec.status.last_handled_reset_at;
    if reset {
        rec.status.record_reset(asked);
        rec.ctx.remember(&rec.uid(), Memory::start_afresh);
        rec.status.reset_failed_rollbacks();
    }
    let corrected = match rec.status.failed_with.clone().filter(|then| circumstances(rec.spec(), None) != *then) {
        Some(then) => circumstances(rec.spec(), Some(&probe_headers::versions(rec).await)) != then,
        None => false,
    };
    if corrected {
        rec.ctx.remember(&rec.uid(), |memory| memory.silence = Silence::default());
    }
    let rested = rests_for(rec, digest).is_some_and(|left| left.is_zero());
    let changed = Changed { reset, corrected, rested };
    if rec.status.failed_digest.as_deref().is_some_and(|failed| failure::is_over(failed, digest, changed)) {
        rec.status.release_definition();
    }
    // A definition that failed once is tried afresh when it comes back.
    if rec.status.failed_digest.is_none() {
        rec.status.reset_version(digest);
    }
}

/// Returns the remaining backoff of a version that failed because nobody answered its probes; None for any other version.
fn rests_for(rec: &Reconciliation<'_>, digest: &str) -> Option<Duration> {
    let record = rec.status.history.iter().find(|record| record.digest == digest && record.result == VersionResult::Failed)?;
    let since = record.decided_at.as_ref().filter(|_| record.reason.as_deref() == Some(Reason::ProbeUnanswered.as_str()))?.0;
    let rest = rec.ctx.remember(&rec.uid(), |memory| memory.silence.rest(digest, rec.spec().interval.get()));
    Some(rest.saturating_sub(Duration::try_from(rec.now().duration_since(since)).unwrap_or_default()))
}

/// Returns the outcome for a failed version: it waits for a user, or it is retried by itself.
fn failed(rec: &Reconciliation<'_>, digest: &str, reason: Reason, message: String) -> Outcome {
    match rests_for(rec, digest) {
        None => Outcome::Blocked(reason, message),
        Some(left) => {
            let message = format!("{message}; retrying automatically");
            // The version that is published in its place is verified meanwhile, as often as ever.
            let look = left.min(rec.spec().interval.get()).max(Duration::from_millis(100));
            Outcome::Failed(ReconcileError::transient(reason, message).again_in(look))
        }
    }
}

/// Records that a version failed, so that the next attempt chooses another.
pub(super) async fn fail(
    rec: &mut Reconciliation<'_>,
    choice: &Choice,
    version: i64,
    wanted: &str,
    reason: Reason,
    message: &str,
) -> Result<(), ReconcileError> {
    let now = rec.now();
    let recorded = if matches!(choice, Choice::LastGood(_)) { Reason::RollbackFailed } else { reason };
    rec.status.mark_failed(version, recorded, message, now);
    if *choice == Choice::Wanted {
        let probed = matches!(reason, Reason::ProbeFailed | Reason::ProbeUnanswered | Reason::ErrorRateExceeded);
        let secrets = if probed { Some(probe_headers::versions(rec).await) } else { None };
        let circumstances = circumstances(rec.spec(), secrets.as_deref());
        rec.status.hold_definition(wanted, circumstances);
    }
    rec.ctx.metrics.failures.with_label_values(&[reason.as_str()]).inc();
    rec.record_event(EventType::Warning, reason, format!("version {version} failed: {message}"));
    rec.record().await
}

/// Reports that the wanted version failed and that no other takes its place.
pub(super) async fn hold(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    reason: Reason,
    wanted: &Wanted,
    bound: &Bound,
) -> Result<Outcome, ReconcileError> {
    let message = failure_of(rec, wanted.version);
    let offline = matches!(bound, Bound::Existing(remote) if !remote.active) && rec.spec().active == Some(true);
    let recoverable = rec.status.intent.as_ref().is_some_and(|intent| intent.last_good_n8n_version_id.is_some());
    let then = failure::after(reason, offline, recoverable);
    rec.status.keep_recovery(then == AfterFailure::Returns);
    if let Bound::Existing(remote) = bound {
        record_published_version(rec, connection, remote).await?;
    }
    rec.set_condition(ConditionType::Synced, ConditionStatus::False, reason, &message);
    rec.set_condition(ConditionType::RolledBack, ConditionStatus::False, reason, &message);
    route_claims::release_unserved(rec);
    let why = match then {
        AfterFailure::Returns => {
            let message = format!(
                "{message}; n8n took the workflow offline, and the version that was published before is published again as soon as n8n accepts that"
            );
            return Ok(Outcome::InProgress(Reason::RollbackFailed, message));
        }
        AfterFailure::Offline(why) => {
            rec.status.record_no_version();
            why
        }
        AfterFailure::Unchanged(why) => why,
    };
    Ok(failed(rec, &wanted.digest, reason, format!("{message}; {why}")))
}

/// Records what n8n has published while another version is wanted: an earlier version that stayed or was put back, or nothing, and then no
/// field may claim otherwise.
pub(super) async fn record_published_version(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    remote: &RemoteWorkflow,
) -> Result<(), ReconcileError> {
    if !remote.active {
        rec.not_published();
        return Ok(());
    }
    let serving = remote.active_version_id.as_deref().and_then(|id| history::version_with_id(&rec.status.history, id));
    rec.status.record_published_version(serving);
    let Some(version) = rec.status.active_version.filter(|_| rec.status.published_at.is_none()) else { return Ok(()) };
    let definition = versions::read(rec, version).await?;
    let now = rec.now();
    rec.status.record_published_at(now);
    rec.status.record_urls(observe::urls(connection, &definition));
    observe::check_live(rec, connection, &definition, true).await.map(drop)
}

fn failure_of(rec: &Reconciliation<'_>, version: i64) -> String {
    let record = history::numbered(&rec.status.history, version);
    let (reason, message) = record.map(|record| (record.reason.clone(), record.message.clone())).unwrap_or_default();
    format!("version {version} failed ({}): {}", reason.unwrap_or_default(), message.unwrap_or_default())
}

pub(super) fn rolled_back_or(rec: &mut Reconciliation<'_>, choice: &Choice, wanted: &Wanted, outcome: Outcome) -> Outcome {
    let Choice::LastGood(version) = choice else {
        rec.set_condition(ConditionType::RolledBack, ConditionStatus::False, Reason::Succeeded, "");
        return outcome;
    };
    let message = format!("{}; version {version} is published in its place", failure_of(rec, wanted.version));
    rec.set_condition(ConditionType::RolledBack, ConditionStatus::True, Reason::RolledBack, &message);
    failed(rec, &wanted.digest, Reason::RolledBack, message)
}
