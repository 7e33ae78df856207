//! Driver of a reconciliation: source, accepted, bound, decided, applied, observed. Each step takes the value that the step before it
//! returned, so that none can be left out.

use super::attempt::Attempt;
use super::bind::{self, Bound};
use super::fail::{fail, handle_reset, hold, rolled_back_or};
use super::reconciliation::Reconciliation;
use super::source::Source;
use super::{dependencies, policy, quota, republish, route_claims, suspend, validate, versions};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::{Class, Reason};
use crate::api::workflow_status::IntentOperation;
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::failure::Failure;
use crate::domain::render::Symbolic;
use crate::domain::target::{Choice, Wanted, choose, wanted};

/// Maximum number of attempts in one reconciliation. A failed attempt is followed by the next at once, so that a rollback does not wait:
/// the wanted version, the good one, and the one before that if it fails, too.
const MAX_ATTEMPTS: usize = 4;

/// Converges n8n with the spec, as far as that is possible now.
pub(super) async fn converge(rec: &mut Reconciliation<'_>) -> Result<Outcome, ReconcileError> {
    let connection = rec.connect().await?;
    let withdrawn = policy::withdraw(rec, &connection).await?;
    let timer = rec.ctx.metrics.time("source");
    let loaded = match validate::load(rec, &connection).await {
        Ok(source) => policy::enforce_on_pinned(rec, &connection).await.map(|()| source),
        Err(error) => Err(error),
    };
    let source = match loaded {
        Ok(source) => source,
        Err(error) if withdrawn => return Err(policy::report_withdrawn(rec, error)),
        Err(error) => {
            watch_published(rec, &connection, &error).await;
            return Err(error);
        }
    };
    timer.done();
    let pinned = rec.pinned();
    let converged = match quota::admit(rec).await {
        Ok(()) => converge_to(rec, &connection, &source, pinned.as_deref()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &converged
        && error.reason == Reason::QuotaExceeded
    {
        watch_published(rec, &connection, error).await;
    }
    match &converged {
        Ok(Outcome::Ready(_)) => dependencies::record(rec, &connection).await,
        Err(error) if error.class == Class::Transient => note_change(rec, &source).await,
        _ => {}
    }
    converged
}

/// Converges n8n with the version that is requested by number, or else with the spec's.
async fn converge_to(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    source: &Source,
    asked: Option<&str>,
) -> Result<Outcome, ReconcileError> {
    let timer = rec.ctx.metrics.time("bind");
    let (mut bound, mut left_offline) = find(rec, connection).await?;
    timer.done();
    if let Bound::LeftDeleted(note) = &bound {
        return Ok(left_deleted(rec, note));
    }
    let accepted = accept(rec, source, asked).await?;
    for _ in 0..MAX_ATTEMPTS {
        let choice = choose(&accepted.wanted.digest, &rec.status, rec.spec().rollback);
        let (version, operation) = match choice {
            Choice::Wanted => (accepted.wanted.version, IntentOperation::Deploy),
            Choice::LastGood(version) => (version, IntentOperation::Rollback),
            Choice::Hold(reason) => return hold(rec, connection, reason, &accepted.wanted, &bound).await,
        };
        let attempt = attempt(rec, connection, &accepted, (version, operation), left_offline.as_deref()).await?;
        match attempt.run(rec, &mut bound).await {
            Ok(outcome) => return Ok(rolled_back_or(rec, &choice, &accepted.wanted, outcome)),
            Err(Failure::Elsewhere(error)) => return Err(error),
            Err(Failure::Version(reason, message)) => {
                fail(rec, &choice, version, &accepted.wanted.digest, reason, &message).await?;
            }
        }
        if rec.status.n8n_workflow_id.is_some() {
            (bound, left_offline) = find(rec, connection).await?;
        }
    }
    Err(ReconcileError::transient(Reason::RollbackFailed, "no stored version could be published; retrying"))
}

/// The spec's definition as a version, and the version that is wanted.
struct Accepted {
    symbolic: Symbolic,
    /// Number of the spec's version.
    version: i64,
    wanted: Wanted,
    /// Name of the workflow in n8n.
    name: String,
}

/// Numbers the definition, and decides which version is wanted.
async fn accept(rec: &mut Reconciliation<'_>, source: &Source, asked: Option<&str>) -> Result<Accepted, ReconcileError> {
    let symbolic = versions::symbolic(rec, &source.definition).await?;
    let version = validate::number(rec, source, &symbolic).await?;
    let digest = symbolic.digest.to_string();
    let wanted = wanted(version, &digest, &rec.status, asked)?;
    versions::prune(rec, wanted.version, &digest).await?;
    handle_reset(rec, &wanted.digest).await;
    Ok(Accepted { symbolic, version, wanted, name: display_name(rec, &source.definition) })
}

/// Starts the attempt at a version.
async fn attempt<'a>(
    rec: &mut Reconciliation<'_>,
    connection: &'a Connection,
    accepted: &Accepted,
    (version, operation): (i64, IntentOperation),
    left_offline: Option<&str>,
) -> Result<Attempt<'a>, ReconcileError> {
    let definition = if version == accepted.version { accepted.symbolic.definition.clone() } else { versions::read(rec, version).await? };
    if operation == IntentOperation::Rollback {
        policy::enforce(rec, connection, version, &definition).await?;
    }
    let digest = versions::digest_of(&rec.status, version);
    // Details that an earlier attempt found are about another version.
    rec.clear_conditions(&[ConditionType::Synced, ConditionType::Live, ConditionType::Healthy]);
    Ok(Attempt {
        connection,
        left_offline: left_offline == Some(&digest),
        pinned: accepted.wanted.pinned && operation == IntentOperation::Deploy,
        version,
        digest,
        definition,
        operation,
        name: accepted.name.clone(),
    })
}

/// Keeps the published version while the definition cannot be used, is denied, or may not be deployed under a quota: it stays published and
/// is monitored, becomes good or is rolled back.
/// The result is in the details; the reconciliation ends with the error of the definition.
async fn watch_published(rec: &mut Reconciliation<'_>, connection: &Connection, error: &ReconcileError) {
    let published = rec.spec().active == Some(true) && (rec.status.published_at.is_some() || rec.interrupted());
    let serving = rec.status.active_version.filter(|_| published);
    let lasts =
        matches!(error.class, Class::Invalid | Class::Waiting) || matches!(error.reason, Reason::PolicyDenied | Reason::QuotaExceeded);
    let Some(serving) = serving.filter(|_| lasts) else { return };
    let watched = match validate::kept(rec, serving).await {
        Some(source) => converge_to(rec, connection, &source, Some(&serving.to_string())).await,
        None => return,
    };
    if let Err(error) = watched {
        tracing::debug!(reason = error.reason.as_str(), "cannot watch the published version");
    }
}

/// Finds the object's workflow in n8n, records what is published there, and publishes again what an earlier attempt took offline. Also
/// returns the digest of that attempt.
async fn find(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<(Bound, Option<String>), ReconcileError> {
    let mut bound = bind::bind(rec, connection).await?;
    route_claims::note_served(rec, connection, &mut bound).await?;
    rec.status.record_publication(matches!(&bound, Bound::Existing(remote) if remote.active));
    let left_offline = republish::recover(rec, connection, &mut bound).await?;
    Ok((bound, left_offline))
}

/// Reports a workflow that was deleted in n8n and stays deleted.
fn left_deleted(rec: &mut Reconciliation<'_>, note: &str) -> Outcome {
    rec.set_condition(ConditionType::Drifted, ConditionStatus::True, Reason::DriftReported, note);
    for gone in [ConditionType::Synced, ConditionType::Live] {
        rec.set_condition(gone, ConditionStatus::False, Reason::DriftReported, note);
    }
    rec.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::HealthNotChecked, note);
    rec.status.record_deleted_in_n8n();
    rec.ctx.forget_claims(&rec.uid());
    Outcome::Blocked(Reason::DriftReported, format!("{note}; spec.driftPolicy leaves it deleted"))
}

/// Reports that another version is wanted, if n8n could not be reached. Ready outlasts an outage only while nothing changed, and a
/// ConfigMap or a pin changes without moving the generation.
async fn note_change(rec: &mut Reconciliation<'_>, source: &Source) {
    let known = rec.status.active_version.is_some() && rec.status.failed_digest.is_none();
    if known && suspend::another_wanted(rec, source).await {
        let message = "another version is wanted than the published one";
        rec.set_condition(ConditionType::Synced, ConditionStatus::False, Reason::NotSynced, message);
    }
}

fn display_name(rec: &Reconciliation<'_>, definition: &Definition) -> String {
    rec.spec().display_name.clone().or_else(|| definition.name.clone()).unwrap_or_else(|| rec.name().chars().take(128).collect())
}
