//! Step 6, reads n8n: the success rate of real executions of the published version. It never writes to n8n.

use std::time::Duration;

use jiff::Timestamp;

use super::answered;
use super::reconciliation::Reconciliation;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::duration::Within;
use crate::api::instance::ExecutionsSaved;
use crate::api::reason::Reason;
use crate::api::workflow::HealthCheck;
use crate::api::workflow_status::{LastFailure, VersionResult};
use crate::controller::connections::Connection;
use crate::controller::context::Context;
use crate::domain::credential_limits::{executions_per_minute, limits_of, users};
use crate::domain::error::ReconcileError;
use crate::domain::health::{Health, HealthDecision, Tally, evaluate, window};
use crate::domain::remote::{ExecutionStatus, RemoteExecution, RemoteWorkflow};
use crate::domain::settings::saves_successes;
use crate::n8n::ExecutionQuery;

/// Number of executions that are enough for a rate.
const MOST_EXECUTIONS: usize = 500;
/// Minimum number of Workflows that share a list of executions, which has up to four pages.
const FEWEST: usize = 4;
/// Time by which a shared list begins earlier than the longest bake time: it may be a few seconds old.
const MARGIN: Duration = Duration::from_secs(30);

/// Evaluates the executions since publication, and sets the condition Healthy. `baking` is a version whose health is not decided yet.
pub(super) async fn watch(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    remote: &RemoteWorkflow,
    baking: bool,
) -> Result<(Health, String), ReconcileError> {
    let published_at = rec.status.published_at.as_ref().map(|time| time.0);
    let (Some(check), Some(published_at)) = (rec.spec().health_check.clone().filter(|check| check.bake_time.is_some()), published_at)
    else {
        rec.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::HealthNotChecked, "spec.healthCheck sets no bakeTime");
        rec.status.record_health_decision(None);
        return Ok((Health::NotChecked, String::new()));
    };
    let now = rec.now();
    let age = Duration::try_from(now.duration_since(published_at)).unwrap_or_default();
    let saved = saves_successes(&remote.settings, connection.instance.spec.executions_saved == ExecutionsSaved::All);
    let bake = check.bake_time.map_or(Duration::ZERO, |bake| bake.get());
    let (from, to) = window(published_at, bake, baking, now);
    let executions = if saved { executions(rec, connection, &remote.id, (from, to)).await? } else { Vec::new() };
    if saved {
        record_rates(rec, remote, &executions, (from, to.unwrap_or(now)));
    }
    let since = tally(&executions);
    let before_it = if since.percent() > check.maximum_error_rate as f64 {
        Some(tally_before(rec, connection, &remote.id, published_at, bake).await?)
    } else {
        None
    };
    let health = evaluate(Some(&check), since, before_it, saved, age);
    let before = rec.status.health_decision();
    let decision = health.decision(before);
    if decision == Some(HealthDecision::Failing) && before != decision {
        note_failure(rec, connection, &executions).await?;
    }
    rec.status.record_health_decision(decision);
    let (status, reason) = match decision {
        Some(HealthDecision::Healthy) => (ConditionStatus::True, Reason::Healthy),
        Some(HealthDecision::Failing) => (ConditionStatus::False, Reason::ErrorRateExceeded),
        None => (ConditionStatus::Unknown, undecided(&health)),
    };
    // The message changes when the condition does, not with every execution.
    let message = rec.set_steady_condition(ConditionType::Healthy, status, reason, explain(&health, &check, bake));
    Ok((health, message))
}

/// Returns the reason for a health that executions do not decide.
fn undecided(health: &Health) -> Reason {
    match health {
        Health::Baking => Reason::Baking,
        Health::NotSaved => Reason::ExecutionsNotSaved,
        Health::NotEnough(_) => Reason::NotEnoughExecutions,
        _ => Reason::HealthNotChecked,
    }
}

fn explain(health: &Health, check: &HealthCheck, bake: Duration) -> String {
    let rate =
        |tally: &Tally| format!("{} of {} executions failed, {} % are allowed", tally.failed, tally.finished, check.maximum_error_rate);
    match health {
        Health::NotChecked => String::new(),
        Health::Baking => format!("watched for {} after publication", crate::api::duration::DurationText::from_secs(bake.as_secs())),
        Health::Healthy => format!("at most {} % of executions failed", check.maximum_error_rate),
        Health::NotEnough(_) => format!("fewer than {} executions", check.minimum_executions),
        Health::NotSaved => Reason::ExecutionsNotSaved.meaning().to_owned(),
        Health::Failing(tally) => rate(tally),
        Health::AsBadAsBefore(tally) => format!("{}; the version before it was as bad", rate(tally)),
    }
}

/// Returns the executions of a workflow in a period, from a list that the Workflows of the instance share if there are enough of them.
async fn executions(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    id: &str,
    period: (Timestamp, Option<Timestamp>),
) -> Result<Vec<RemoteExecution>, ReconcileError> {
    let (namespace, name) = rec.instance_key();
    let (count, longest) = bake_times(rec.ctx, (&namespace, &name));
    if count >= FEWEST {
        let window = rec.spec().health_check.as_ref().and_then(|check| check.bake_time).map(Within::get).unwrap_or_default();
        let shared = connection.executions.recent(&connection.client, longest, window).await?;
        if let Some(found) = shared.as_ref().and_then(|shared| shared.of(id, period)) {
            return Ok(found.into_iter().take(MOST_EXECUTIONS).cloned().collect());
        }
    }
    list(connection, id, period.0, period.1).await
}

/// Returns the number of Workflows of an instance whose executions are evaluated, and the time that covers all their bake times.
pub(super) fn bake_times(ctx: &Context, instance: (&str, &str)) -> (usize, Duration) {
    let watched = ctx.workflows.state_filter(|indexed| indexed.bake_time().is_some() && indexed.instance() == instance);
    let longest = watched.iter().filter_map(|indexed| indexed.bake_time()).max().unwrap_or_default();
    (watched.len(), longest + MARGIN)
}

/// Records the requests of these executions with the N8nCredentials that have a rate limit.
fn record_rates(rec: &Reconciliation<'_>, remote: &RemoteWorkflow, executions: &[RemoteExecution], (from, to): (Timestamp, Timestamp)) {
    let namespace = rec.namespace();
    let limits = limits_of(rec.spec(), |name| rec.ctx.credential(&namespace, name)?.rate_limit());
    let started: Vec<Timestamp> = executions.iter().filter_map(|execution| execution.started_at).collect();
    let rate = executions_per_minute(&started, from, to, MOST_EXECUTIONS);
    let requests = limits.into_iter().filter_map(|named| {
        let id = rec.ctx.named_credential(&namespace, &named.credential)?.id?;
        Some((named.credential, (rate * users(&remote.nodes, &id) as f64, named.limit)))
    });
    rec.ctx.credential_rates.record(&rec.ctx.metrics, &rec.uid(), &namespace, requests.collect());
}

async fn list(connection: &Connection, id: &str, from: Timestamp, to: Option<Timestamp>) -> Result<Vec<RemoteExecution>, ReconcileError> {
    let query = ExecutionQuery {
        workflow_id: Some(id.to_owned()),
        status: None,
        started_after: Some(from),
        started_before: to,
        limit: MOST_EXECUTIONS,
    };
    connection.client.executions(&query).await.map_err(ReconcileError::from)
}

/// Returns the executions of the previously published version, in a span as long as the bake time; not those of a version that failed
/// within it.
async fn tally_before(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    id: &str,
    published_at: Timestamp,
    bake: Duration,
) -> Result<Tally, ReconcileError> {
    let failed = rec.status.history.iter().filter(|record| record.result == VersionResult::Failed);
    let last = failed.filter_map(|record| Some(record.decided_at.as_ref()?.0)).filter(|at| *at < published_at).max();
    // An n8n that publishes later still executes the failed version for a while.
    let replaced_within = if connection.client.publishes_later() { answered::APPLIED_WITHIN } else { Duration::ZERO };
    let last = last.map_or(Timestamp::MIN, |last| last.saturating_add(replaced_within).unwrap_or(Timestamp::MAX));
    let from = (published_at - bake.max(Duration::from_secs(600))).max(last);
    if from >= published_at {
        return Ok(Tally::default());
    }
    Ok(tally(&list(connection, id, from, Some(published_at)).await?))
}

fn tally(executions: &[RemoteExecution]) -> Tally {
    let finished = executions.iter().filter(|execution| execution.status.failed() || execution.status == ExecutionStatus::Success);
    finished.fold(Tally::default(), |tally, execution| Tally {
        finished: tally.finished + 1,
        failed: tally.failed + u64::from(execution.status.failed()),
    })
}

async fn note_failure(rec: &mut Reconciliation<'_>, connection: &Connection, executions: &[RemoteExecution]) -> Result<(), ReconcileError> {
    let Some(last) = executions.iter().find(|execution| execution.status.failed()) else { return Ok(()) };
    let failure = connection.client.execution_failure(&last.id).await?;
    if let Some(failure) = failure {
        let failure = LastFailure { execution: failure.execution_id, node: failure.node, message: failure.message };
        rec.status.record_last_failure(failure);
    }
    Ok(())
}
