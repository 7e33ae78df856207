//! Identification of the version that answered a probe. n8n's publication service reports a version as published and goes on answering
//! with the previous one until it has worked off its queue; only the execution that a call left behind shows which version ran.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::reconciliation::Reconciliation;
use crate::api::instance::ExecutionsSaved;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::document::canonical::digest_of;
use crate::domain::error::ReconcileError;
use crate::domain::executed_version::may_have_run;
use crate::domain::failure::Failure;
use crate::domain::history;
use crate::domain::remote::{ExecutionStatus, RemoteWorkflow};
use crate::domain::settings::saves_successes;
use crate::n8n::{ExecutionQuery, N8nError};

/// Time after which a published version runs unless n8n was interrupted: n8n processes its queue of publications every 15 s, and looks for
/// missed ones every 10 s.
pub(super) const APPLIED_WITHIN: Duration = Duration::from_secs(30);
/// Time after which a published version runs even if n8n was interrupted: it resumes an interrupted publication two minutes after it
/// began.
const APPLIED_AT_LAST: Duration = Duration::from_secs(180);
/// Delay before a probe that met an earlier version is repeated.
const SOON: Duration = Duration::from_secs(2);
/// Time to wait for an execution in the listing: it is listed within half a second of its end.
const LISTED_WITHIN: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of executions since the probe among which its own is searched for.
const MOST_LISTED: usize = 50;
/// Maximum number of earlier versions that are considered as the one that answered.
const MOST_EARLIER: usize = 3;

/// The newest execution before a probe.
#[derive(Clone, Copy)]
pub(super) struct Before(Option<u64>);

/// Returns the newest execution before a probe is made. If no execution will show which version answers, waits until the version had time
/// to be applied.
pub(super) async fn before(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    remote: &RemoteWorkflow,
    version: i64,
) -> Result<Before, Failure> {
    if earlier(rec, remote, version).is_empty() {
        return Ok(Before(None)); // nothing else could answer
    }
    let saved = saves_successes(&remote.settings, connection.instance.spec.executions_saved == ExecutionsSaved::All);
    let newest = if saved { list(connection, &remote.id, 1).await? } else { None };
    match newest {
        Some(newest) => Ok(Before(Some(newest.first().copied().unwrap_or(0)))),
        None => wait(rec, APPLIED_WITHIN, APPLIED_WITHIN, "n8n saves no executions that show which version answers a probe")
            .map(|()| Before(None)),
    }
}

/// Returns the newest execution of a workflow, if n8n saves all its executions and this key may list them.
pub(super) async fn newest(connection: &Connection, remote: &RemoteWorkflow) -> Result<Option<u64>, ReconcileError> {
    let errors = remote.settings.get("saveDataErrorExecution").is_none_or(|saved| saved != "none");
    if !errors || !saves_successes(&remote.settings, connection.instance.spec.executions_saved == ExecutionsSaved::All) {
        return Ok(None);
    }
    let listed = list(connection, &remote.id, 1).await?;
    Ok(listed.map(|newest| newest.first().copied().unwrap_or(0)))
}

/// Reports whether the workflow ran since the execution `before`. Waits for an execution as long as listing one takes.
pub(super) async fn ran_since(connection: &Connection, id: &str, before: u64) -> Result<bool, ReconcileError> {
    Ok(!newer(connection, id, before).await?.is_empty())
}

/// Holds the result of a probe back until it is known to be about the published version.
pub(super) async fn by_this_version(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    remote: &RemoteWorkflow,
    version: i64,
    before: Before,
) -> Result<(), Failure> {
    let Some(before) = before.0 else { return Ok(()) };
    let ran = match first_since(connection, &remote.id, before).await? {
        Some(id) => connection.client.execution_content(&id.to_string()).await?,
        None => None,
    };
    let published = remote.published_apart();
    let published = published.as_ref().unwrap_or(remote);
    let Some(ran) = ran else { return wait(rec, APPLIED_WITHIN, APPLIED_WITHIN, "no execution shows which version answered the probe") };
    let wiring = |connections: &Value| digest_of(&[], connections, &[], &Map::new(), &BTreeSet::new());
    let may_be = |nodes: &[Value], connections: &Value| may_have_run(&ran.nodes, nodes) && wiring(&ran.connections) == wiring(connections);
    let this = may_be(&published.nodes, &published.connections);
    let mut another = false;
    for id in earlier(rec, remote, version).iter().take(MOST_EARLIER) {
        let kept = connection.client.get_version(&remote.id, id).await?;
        another |= kept.is_some_and(|kept| may_be(&kept.nodes, &kept.connections));
    }
    match (this, another) {
        (true, false) => Ok(()),
        (false, true) => {
            connection.client.note_publishes_later();
            wait(rec, APPLIED_AT_LAST, SOON, "n8n published the version and an earlier one still answers")?;
            Err(Failure::Version(
                Reason::PublishUnconfirmed,
                format!("n8n said that it published the version, and an earlier one still answered {} s later", APPLIED_AT_LAST.as_secs()),
            ))
        }
        _ => wait(rec, APPLIED_WITHIN, APPLIED_WITHIN, "the probe may have run this version or another"),
    }
}

/// Returns the ids under which n8n keeps versions that may have been published before this one, the likeliest first.
fn earlier(rec: &Reconciliation<'_>, remote: &RemoteWorkflow, version: i64) -> Vec<String> {
    let own = history::numbered(&rec.status.history, version).map(|record| record.digest.clone());
    let good = history::last_good(&rec.status.history, own.as_deref());
    let mut others: Vec<_> = rec.status.history.iter().filter(|record| record.version != version).collect();
    others.sort_by_key(|record| std::cmp::Reverse(record.version));
    let mut ids: Vec<String> = Vec::new();
    for id in good.into_iter().chain(others).filter_map(|record| record.n8n_version_id.clone()) {
        // A change of settings alone makes no version in n8n.
        if Some(&id) != remote.active_version_id.as_ref() && !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// Returns the first execution after the given one; it began no later than the probe's own. n8n never goes back to an earlier version by
/// itself, so the probe met the version of this execution or a later one.
async fn first_since(connection: &Connection, id: &str, before: u64) -> Result<Option<u64>, ReconcileError> {
    let newer = newer(connection, id, before).await?;
    Ok(newer.iter().min().copied().filter(|_| newer.len() < MOST_LISTED))
}

/// Returns the executions after the given one, as soon as there is one.
async fn newer(connection: &Connection, id: &str, before: u64) -> Result<Vec<u64>, ReconcileError> {
    let began = Instant::now();
    loop {
        let newer: Vec<u64> = list(connection, id, MOST_LISTED).await?.unwrap_or_default().into_iter().filter(|id| *id > before).collect();
        if !newer.is_empty() || began.elapsed() > LISTED_WITHIN {
            return Ok(newer);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns the ids of executions, finished and running; `None` if the key may not list them.
async fn list(connection: &Connection, id: &str, limit: usize) -> Result<Option<Vec<u64>>, ReconcileError> {
    let mut found = Vec::new();
    for status in [None, Some(ExecutionStatus::Running)] {
        let query = ExecutionQuery { workflow_id: Some(id.to_owned()), status, limit, ..ExecutionQuery::default() };
        match connection.client.executions(&query).await {
            Ok(executions) => found.extend(executions.iter().filter_map(|execution| execution.id.parse::<u64>().ok())),
            Err(N8nError::Forbidden { .. } | N8nError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(ReconcileError::from(error)),
        }
    }
    found.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    Ok(Some(found))
}

/// Returns the time since n8n reported the version as published.
pub(super) fn published_for(rec: &Reconciliation<'_>) -> Duration {
    rec.status.published_at.as_ref().map_or(Duration::ZERO, |time| age(rec, time.0))
}

/// Reports whether the write was announced so recently that n8n may still be registering what it published. `publishedAt` cannot tell:
/// each reconciliation of a version that is not live yet sets it anew.
pub(super) fn may_still_come(rec: &Reconciliation<'_>) -> bool {
    rec.status.intent.as_ref().is_none_or(|intent| age(rec, intent.started_at.0) < APPLIED_AT_LAST)
}

fn age(rec: &Reconciliation<'_>, since: Timestamp) -> Duration {
    Duration::try_from(rec.now().duration_since(since)).unwrap_or_default()
}

/// Requests another reconciliation after `pause`, until the version has been published for `long`.
fn wait(rec: &Reconciliation<'_>, long: Duration, pause: Duration, why: &str) -> Result<(), Failure> {
    let left = long.saturating_sub(published_for(rec));
    if left.is_zero() {
        return Ok(());
    }
    let mut error = ReconcileError::transient(
        Reason::Progressing,
        format!("{why}; probing again, for the last time {} s after the publication", long.as_secs()),
    );
    error.requeue_after = Some(left.min(pause));
    Err(error.into())
}
