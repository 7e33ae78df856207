//! Step 6, reads n8n: the success rate of real executions of the published version. It never writes to n8n.

use std::time::Duration;

use jiff::Timestamp;

use super::reconciliation::Reconciliation;
use crate::api::condition::{ConditionStatus, ConditionType, find};
use crate::api::instance::ExecutionsSaved;
use crate::api::reason::Reason;
use crate::api::workflow_status::{LastFailure, VersionResult};
use crate::controller::connections::Connection;
use crate::domain::error::ReconcileError;
use crate::domain::health::{Health, Tally, judge, window};
use crate::domain::remote::{ExecutionStatus, RemoteExecution, RemoteWorkflow};
use crate::domain::settings::saves_successes;
use crate::n8n::ExecutionQuery;

/// Number of executions that are enough for a rate.
const MOST_EXECUTIONS: usize = 500;

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
        rec.status.record_health_decided(false);
        return Ok((Health::NotChecked, String::new()));
    };
    let now = rec.now();
    let age = Duration::try_from(now.duration_since(published_at)).unwrap_or_default();
    let saved = saves_successes(&remote.settings, connection.instance.spec.executions_saved == ExecutionsSaved::All);
    let bake = check.bake_time.map_or(Duration::ZERO, |bake| bake.get());
    let (from, to) = window(published_at, bake, baking, now);
    let executions = if saved { list(connection, &remote.id, from, to).await? } else { Vec::new() };
    let since = tally(&executions);
    let before = if since.percent() > check.maximum_error_rate as f64 {
        Some(tally_before(rec, connection, &remote.id, published_at, bake).await?)
    } else {
        None
    };
    let health = judge(Some(&check), since, before, saved, age);
    let rate =
        |tally: Tally| format!("{} of {} executions failed, {} % are allowed", tally.failed, tally.finished, check.maximum_error_rate);
    let (status, reason, message) = match &health {
        Health::NotChecked => (ConditionStatus::Unknown, Reason::HealthNotChecked, String::new()),
        Health::Baking => (
            ConditionStatus::Unknown,
            Reason::Baking,
            format!("watched for {} after publication", crate::api::duration::Span::from_secs(bake.as_secs())),
        ),
        Health::Healthy => (ConditionStatus::True, Reason::Healthy, format!("at most {} % of executions failed", check.maximum_error_rate)),
        Health::NotEnough(_) => {
            (ConditionStatus::Unknown, Reason::NotEnoughExecutions, format!("fewer than {} executions", check.minimum_executions))
        }
        Health::NotSaved => (ConditionStatus::Unknown, Reason::ExecutionsNotSaved, Reason::ExecutionsNotSaved.meaning().to_owned()),
        Health::Failing(tally) => (ConditionStatus::False, Reason::ErrorRateExceeded, rate(*tally)),
        Health::AsBadAsBefore(tally) => {
            (ConditionStatus::False, Reason::ErrorRateExceeded, format!("{}; the version before it was as bad", rate(*tally)))
        }
    };
    // Too little traffic proves nothing either way: the last decision about this version stands, or sparse traffic would turn the
    // condition to and fro, with a write and an event each time.
    let decided = rec.status.health_decided_for.is_some() && rec.status.health_decided_for == rec.status.published_at;
    let proven = find(&rec.status.conditions, ConditionType::Healthy)
        .filter(|_| matches!(health, Health::NotEnough(_)) && decided)
        .and_then(|old| Some((old.status, Reason::parse(&old.reason)?, old.message.clone())));
    let (status, reason, message) = proven.unwrap_or((status, reason, message));
    // The status changes when the condition does, not with every execution.
    let same = find(&rec.status.conditions, ConditionType::Healthy).filter(|old| old.status == status && old.reason == reason.as_str());
    let message = same.map_or(message, |old| old.message.clone());
    if status == ConditionStatus::False && same_is_none(rec, reason) {
        note_failure(rec, connection, &executions).await?;
    }
    rec.status.record_health_decided(status != ConditionStatus::Unknown);
    rec.set_condition(ConditionType::Healthy, status, reason, &message);
    Ok((health, message))
}

fn same_is_none(rec: &Reconciliation<'_>, reason: Reason) -> bool {
    find(&rec.status.conditions, ConditionType::Healthy)
        .is_none_or(|old| old.status != ConditionStatus::False || old.reason != reason.as_str())
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
    let last = failed.filter_map(|record| Some(record.judged_at.as_ref()?.0)).filter(|at| *at < published_at).max();
    let from = (published_at - bake.max(Duration::from_secs(600))).max(last.unwrap_or(Timestamp::MIN));
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
