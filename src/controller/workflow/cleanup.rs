//! Deletion by policy. It validates nothing, needs no valid spec, and never hangs: at the time limit the finalizer is removed without an
//! answer of n8n, reported and counted.

use std::time::Duration;

use kube::runtime::events::EventType;
use tracing::warn;

use super::bind::{check_instance_identity, may_take};
use super::reconciliation::Reconciliation;
use super::report;
use crate::api::WORKFLOW_FINALIZER;
use crate::api::reason::Reason;
use crate::api::workflow::DeletionPolicy;
use crate::api::workflow_status::{IntentOperation, Origin};
use crate::controller::connections::Connection;
use crate::controller::runtime::reconcile::{Ended, Next};
use crate::domain::backoff;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::identity::late_for;
use crate::domain::mark::{Mark, release};
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::kubernetes::objects;
use crate::n8n::{N8nClient, N8nError};

/// Minimum delay between two attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Number of checks whether a workflow that was just unpublished is offline; mostly it is within a second.
const OFFLINE_CHECKS: u32 = 8;
const OFFLINE_PAUSE: Duration = Duration::from_millis(250);

/// Deletes or releases the workflow in n8n, and removes the finalizer.
pub(super) async fn clean_up(rec: &mut Reconciliation<'_>) -> Ended {
    let has = objects::has_finalizer(&rec.workflow.metadata, WORKFLOW_FINALIZER);
    if !has {
        rec.ctx.forget(&rec.uid());
        return Ended::for_good(Reason::Cleaned);
    }
    let reason = match dispose_remote(rec).await {
        Ok(()) => Reason::Cleaned,
        Err(error) if overdue(rec) => {
            let note = format!(
                "n8n was not cleaned up within the time limit, so the finalizer is removed: {}; look for the workflow in n8n",
                error.message
            );
            warn!(reason = error.reason.as_str(), "cleanup abandoned");
            rec.ctx.send_event(&rec.workflow, EventType::Warning, Reason::CleanupAbandoned, note).await;
            Reason::CleanupAbandoned
        }
        Err(error) => {
            let mut error = rec.note_error(error);
            // An error that may be temporary must not look like one that a user has to fix.
            error.message = format!("being deleted: {}", error.message);
            let pause = error
                .requeue_after
                .unwrap_or_else(|| backoff::at_least(rec.ctx.runtime.backoffs.after_failure(&rec.uid()), error.retry_after));
            let found = Found { outcome: Outcome::InProgress(Reason::Deleting, error.message), details: Vec::new() };
            let ended = report::report(rec, &found).await;
            // The last attempt is at the time limit, however long the backoff has become.
            return Ended { next: Next::In(pause.min(time_left(rec)).max(SHORTEST_PAUSE)), ..ended };
        }
    };
    let forget = || {
        rec.ctx.forget(&rec.uid());
        let (namespace, name) = rec.instance_key();
        rec.ctx.ask_instance(&namespace, &name);
    };
    rec.ctx.end_deletion(&rec.workflow, WORKFLOW_FINALIZER, reason, forget).await
}

fn time_left(rec: &Reconciliation<'_>) -> Duration {
    rec.ctx.deletion_left(&rec.workflow.metadata)
}

fn overdue(rec: &Reconciliation<'_>) -> bool {
    time_left(rec).is_zero()
}

async fn dispose_remote(rec: &mut Reconciliation<'_>) -> Result<(), ReconcileError> {
    let creating = rec.status.intent.as_ref().is_some_and(|intent| intent.operation == IntentOperation::Create);
    if rec.status.n8n_workflow_id.is_none() && !creating {
        return Ok(());
    }
    let connection = rec.ctx.connect_for_deletion(&rec.namespace(), rec.instance_key()).await?;
    // An untrusted n8n proves nothing about the workflow, least of all that it does not exist.
    connection.trusted()?;
    wait_out_interrupted_write(rec, &connection)?;
    let found = match &rec.status.n8n_workflow_id {
        Some(id) => {
            let found = connection.client.get_workflow(id).await?;
            if found.is_none() {
                // A single deleted workflow is done; if many are gone at once, another n8n answers.
                let listing = connection.listings.scan(&connection.client).await?;
                check_instance_identity(rec, &connection, &listing.ids())?;
            }
            found
        }
        // A create was announced: the workflow that it made, or may still make, must not be left behind.
        None => {
            let listing = connection.listings.scan(&connection.client).await?;
            match listing.marked(&rec.uid()).as_slice() {
                [] => return still_arriving(rec, &connection),
                [only] => connection.client.get_workflow(only).await?,
                // The workflow was copied, and nothing tells the copy from the created one.
                _ => None,
            }
        }
    };
    // A workflow with another mark is left alone. One without a mark may have lost it, or its id was recorded by somebody else.
    let ours = found.filter(|remote| match Mark::of(&remote.settings) {
        Some(mark) => mark.uid == rec.uid(),
        None => may_take(rec, &connection, &remote.id),
    });
    if let Some(remote) = &ours {
        dispose(&connection, remote, policy(rec)).await?;
    }
    report_copies(rec, &connection, ours.as_ref().map(|remote| remote.id.as_str())).await;
    Ok(())
}

/// Reports copies of the workflow that carry its mark too. They are left, and listed as orphans of the instance from now on. Nothing
/// depends on this report, so a failed listing is ignored.
async fn report_copies(rec: &Reconciliation<'_>, connection: &Connection, disposed: Option<&str>) {
    let duplicates = connection.instance.status.as_ref().is_some_and(|status| !status.duplicates.is_empty());
    if disposed.is_some() && !duplicates {
        return;
    }
    let Ok(listing) = connection.listings.scan(&connection.client).await else { return };
    let copies: Vec<&str> = listing.marked(&rec.uid()).into_iter().filter(|id| Some(*id) != disposed).collect();
    if !copies.is_empty() {
        let note = format!(
            "workflows {} in n8n carry this object's mark besides the one that it was bound to, and are left; delete them in n8n, or remove `customTelemetryTags` from their settings",
            copies.join(", ")
        );
        rec.ctx.send_event(&rec.workflow, EventType::Warning, Reason::DuplicateMarks, note).await;
    }
}

/// Waits for a write that an interrupted reconciliation announced and that may still be running in n8n. Deleting a workflow that n8n is
/// publishing leaves its webhook path registered without a workflow (seen on the real one), and then nothing can use the path. Half of the
/// time limit is left for the deletion itself.
fn wait_out_interrupted_write(rec: &Reconciliation<'_>, connection: &Connection) -> Result<(), ReconcileError> {
    if rec.status.intent.as_ref().is_none_or(|intent| intent.operation == IntentOperation::Create) {
        return Ok(());
    }
    if rec.announced_for() >= connection.client.settings().request_timeout || time_left(rec) <= rec.ctx.settings.deletion_bound / 2 {
        return Ok(());
    }
    let error = ReconcileError::transient(Reason::Progressing, "a write to n8n was interrupted and may still be running; waiting for it");
    Err(error.again_in(Duration::from_millis(500)))
}

fn still_arriving(rec: &Reconciliation<'_>, connection: &Connection) -> Result<(), ReconcileError> {
    match late_for(rec.status.intent.as_ref(), connection.client.longest_request(), rec.announced_for()) {
        Some(_) => {
            let error = ReconcileError::transient(Reason::CreatePending, "a create was sent to n8n and not answered; waiting for it");
            Err(error.again_in(Duration::from_secs(1)))
        }
        None => Ok(()),
    }
}

fn policy(rec: &Reconciliation<'_>) -> DeletionPolicy {
    // An adopted workflow existed before the object, whatever the status says.
    let adopts = rec.spec().adopt.as_ref().is_some_and(|adopt| rec.status.n8n_workflow_id.as_ref() == Some(&adopt.id));
    rec.spec().deletion_policy.unwrap_or(match rec.status.origin {
        Some(Origin::Adopted) => DeletionPolicy::Retain,
        _ if adopts => DeletionPolicy::Retain,
        Some(Origin::Created) | None => DeletionPolicy::Delete,
    })
}

async fn dispose(connection: &Connection, remote: &RemoteWorkflow, policy: DeletionPolicy) -> Result<(), ReconcileError> {
    let client = &connection.client;
    if policy == DeletionPolicy::Delete {
        return match client.delete_workflow(&remote.id).await {
            Err(N8nError::Refused { status: 409, .. }) => delete_unpublished(client, remote).await,
            answer => answer.map(drop).map_err(ReconcileError::from),
        };
    }
    if policy == DeletionPolicy::Deactivate && !remote.is_archived {
        client.unpublish(&remote.id).await?;
    }
    let mut archived = remote.is_archived;
    // A workflow that nests too deep was read in part and must not be written: it keeps its mark, and is an orphan of the instance from
    // now on.
    if Mark::of(&remote.settings).is_some() && remote.cut.is_none() {
        // An archived workflow accepts no writes, so it is unarchived while its mark is removed.
        if archived {
            client.unarchive(&remote.id).await?;
            archived = false;
        }
        client.update_workflow(&remote.id, &released(remote), false).await?;
    }
    if !archived && (remote.is_archived || policy == DeletionPolicy::Archive) {
        client.archive(&remote.id).await?;
    }
    Ok(())
}

/// Unpublishes and deletes a workflow. n8n's publication service deletes nothing that is published, and takes a workflow offline some time
/// after it said so.
async fn delete_unpublished(client: &N8nClient, remote: &RemoteWorkflow) -> Result<(), ReconcileError> {
    if remote.active {
        client.unpublish(&remote.id).await?;
    }
    for _ in 0..OFFLINE_CHECKS {
        tokio::time::sleep(OFFLINE_PAUSE).await;
        match client.delete_workflow(&remote.id).await {
            Err(N8nError::Refused { status: 409, .. }) => {}
            answer => return answer.map(drop).map_err(ReconcileError::from),
        }
    }
    let mut error = ReconcileError::transient(Reason::Progressing, "n8n is still taking the workflow offline; it is deleted after that");
    error.requeue_after = Some(Duration::from_secs(1));
    Err(error)
}

/// Returns the content in n8n without this object's mark.
fn released(remote: &RemoteWorkflow) -> WorkflowWrite {
    let mut settings = remote.settings.clone();
    release(&mut settings);
    WorkflowWrite {
        name: remote.name.clone(),
        nodes: remote.nodes.clone(),
        connections: remote.connections.clone(),
        settings,
        node_groups: Some(remote.node_groups.clone()),
    }
}
