//! Deletion by policy. It validates nothing, needs no valid spec, and never hangs: what n8n does not answer until the
//! bound is let go, said and counted.

use std::time::Duration;

use kube::runtime::events::EventType;
use tracing::{info, warn};

use super::bind::{check_instance_identity, may_take};
use super::work::Work;
use super::{Ended, Next, report};
use crate::api::WORKFLOW_FINALIZER;
use crate::api::reason::Reason;
use crate::api::workflow::DeletionPolicy;
use crate::api::workflow_status::{Operation, Origin};
use crate::controller::connections::{self, Connection};
use crate::domain::backoff;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::identity::late_for;
use crate::domain::mark::{Mark, release};
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::kubernetes::objects;
use crate::n8n::{N8nClient, N8nError};

/// So long at least between two tries.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// A workflow that was just unpublished is mostly offline within a second.
const OFFLINE_LOOKS: u32 = 8;
const OFFLINE_PAUSE: Duration = Duration::from_millis(250);

/// Settles the workflow in n8n and lets the object go.
pub(super) async fn clean_up(work: &mut Work<'_>) -> Ended {
    let has = work.workflow.metadata.finalizers.iter().flatten().any(|one| one == WORKFLOW_FINALIZER);
    if !has {
        work.ctx.forget(&work.uid());
        return Ended { reason: Reason::Cleaned, next: Next::Never };
    }
    let reason = match settle(work).await {
        Ok(()) => Reason::Cleaned,
        Err(reconcile_error) if overdue(work) => {
            let note = format!(
                "n8n was not settled within the bound and the object is let go: {}; look for the workflow in n8n",
                reconcile_error.message
            );
            warn!(reason = reconcile_error.reason.as_str(), "cleanup abandoned");
            work.ctx.tell(&work.workflow, EventType::Warning, Reason::CleanupAbandoned, note).await;
            Reason::CleanupAbandoned
        }
        Err(mut reconcile_error) => {
            super::doubt_instance(work, &reconcile_error);
            if reconcile_error.reason == Reason::Unauthorized {
                reconcile_error = super::forget_key(work, reconcile_error);
            }
            // What cannot be told apart from a passing trouble must not look like something that a person has to mend.
            reconcile_error.message = format!("being deleted: {}", reconcile_error.message);
            let pause =
                reconcile_error.look_again.unwrap_or_else(|| backoff::at_least(work.ctx.pause(&work.uid()), reconcile_error.retry_after));
            let found = Found { outcome: Outcome::InProgress(Reason::Deleting, reconcile_error.message), details: Vec::new() };
            let ended = report::report(work, &found).await;
            // The last try is at the bound, however long the pauses have grown.
            return Ended { next: Next::Soon(pause.min(time_left(work)).max(SHORTEST_PAUSE)), ..ended };
        }
    };
    match objects::set_finalizer(&work.ctx.client, &work.workflow, WORKFLOW_FINALIZER, false).await {
        Ok(taken_off) => {
            info!(reason = reason.as_str(), "let go");
            // Once for each object: a pass over an old copy of it finds that it is gone.
            if reason == Reason::CleanupAbandoned && taken_off.is_some() {
                work.ctx.metrics.abandoned.inc();
            }
            work.ctx.forget(&work.uid());
            let (namespace, name) = work.instance_key();
            let _ = work.ctx.wake_instance.send(kube::runtime::reflector::ObjectRef::new(&name).within(&namespace));
            Ended { reason, next: Next::Never }
        }
        Err(error) if objects::is_conflict(&error) => Ended { reason: Reason::Progressing, next: Next::Soon(Duration::from_millis(50)) },
        Err(error) => {
            warn!(%error, "cannot take the finalizer off");
            Ended { reason: Reason::RequestFailed, next: Next::Retry(None) }
        }
    }
}

fn time_left(work: &Work<'_>) -> Duration {
    work.ctx.deletion_left(&work.workflow.metadata)
}

fn overdue(work: &Work<'_>) -> bool {
    time_left(work).is_zero()
}

async fn settle(work: &mut Work<'_>) -> Result<(), ReconcileError> {
    let creating = work.status.intent.as_ref().is_some_and(|intent| intent.operation == Operation::Create);
    if work.status.n8n_workflow_id.is_none() && !creating {
        return Ok(());
    }
    let connection = connection(work).await?;
    // What another n8n says of our workflow proves nothing, and that it has none least of all.
    connection.trusted()?;
    let failed = |error| connections::reconcile_error(&error);
    wait_out_interrupted_write(work, &connection)?;
    let found = match &work.status.n8n_workflow_id {
        Some(id) => {
            let found = connection.client.get_workflow(id).await.map_err(failed)?;
            if found.is_none() {
                // One that somebody deleted is settled; where many are gone at once, another n8n answers.
                let listing = connection.listings.scan(&connection.client).await.map_err(failed)?;
                check_instance_identity(work, &connection, &listing.ids())?;
            }
            found
        }
        // A create was announced: what it made, or may still make, must not be left behind.
        None => {
            let listing = connection.listings.scan(&connection.client).await.map_err(failed)?;
            match listing.marked(&work.uid()).as_slice() {
                [] => return still_arriving(work, &connection),
                [only] => connection.client.get_workflow(only).await.map_err(failed)?,
                // Somebody copied it, and nothing tells the copy from what was created.
                _ => None,
            }
        }
    };
    // What is not ours any more is left alone. One without a mark may have lost it, or its id was recorded by somebody else.
    let ours = found.filter(|remote| match Mark::of(&remote.settings) {
        Some(mark) => mark.uid == work.uid(),
        None => may_take(work, &connection, &remote.id),
    });
    if let Some(remote) = &ours {
        dispose(&connection, remote, policy(work)).await?;
    }
    tell_of_copies(work, &connection, ours.as_ref().map(|remote| remote.id.as_str())).await;
    Ok(())
}

/// Copies that somebody made of the workflow carry its mark too. They are left: told of here, and listed as the instance's orphans
/// from now on. Nobody waits for this, so a listing that fails is done without.
async fn tell_of_copies(work: &Work<'_>, connection: &Connection, settled: Option<&str>) {
    let duplicates = connection.instance.status.as_ref().is_some_and(|status| !status.duplicates.is_empty());
    if settled.is_some() && !duplicates {
        return;
    }
    let Ok(listing) = connection.listings.scan(&connection.client).await else { return };
    let copies: Vec<&str> = listing.marked(&work.uid()).into_iter().filter(|id| Some(*id) != settled).collect();
    if !copies.is_empty() {
        let note = format!(
            "workflows {} in n8n carry this object's mark besides the one that it was bound to, and are left; delete them in n8n, or take `customTelemetryTags` out of their settings",
            copies.join(", ")
        );
        work.ctx.tell(&work.workflow, EventType::Warning, Reason::DuplicateMarks, note).await;
    }
}

/// A write that an interrupted pass announced may still be under way in n8n. Deleting a workflow that n8n is publishing leaves
/// its webhook path registered for nobody (seen on the real one), and then nobody can have the path. Half of the bound is left for
/// the deletion itself.
fn wait_out_interrupted_write(work: &Work<'_>, connection: &Connection) -> Result<(), ReconcileError> {
    if work.status.intent.as_ref().is_none_or(|intent| intent.operation == Operation::Create) {
        return Ok(());
    }
    if work.announced_for() >= connection.client.settings().request_timeout || time_left(work) <= work.ctx.settings.deletion_bound / 2 {
        return Ok(());
    }
    let reconcile_error =
        ReconcileError::transient(Reason::Progressing, "a write to n8n was interrupted and may still be under way; it is waited for");
    Err(reconcile_error.again_in(Duration::from_millis(500)))
}

fn still_arriving(work: &Work<'_>, connection: &Connection) -> Result<(), ReconcileError> {
    match late_for(work.status.intent.as_ref(), connection.client.longest_request(), work.announced_for()) {
        Some(_) => {
            let reconcile_error =
                ReconcileError::transient(Reason::CreatePending, "a create was sent to n8n and not answered; it is waited for");
            Err(reconcile_error.again_in(Duration::from_secs(1)))
        }
        None => Ok(()),
    }
}

/// The connection as it is, or else as it last worked: its Secret or the instance itself may be gone already.
async fn connection(work: &Work<'_>) -> Result<std::sync::Arc<Connection>, ReconcileError> {
    let (namespace, name) = work.instance_key();
    match work.ctx.connections.for_workflow(&work.namespace(), (&namespace, &name)).await {
        Ok(connection) => Ok(connection),
        Err(reconcile_error) => work.ctx.connections.last(&objects::key(&namespace, &name)).ok_or(reconcile_error),
    }
}

fn policy(work: &Work<'_>) -> DeletionPolicy {
    // What the spec adopts was there before, whatever the status says.
    let adopts = work.spec().adopt.as_ref().is_some_and(|adopt| work.status.n8n_workflow_id.as_ref() == Some(&adopt.id));
    work.spec().deletion_policy.unwrap_or(match work.status.origin {
        Some(Origin::Adopted) => DeletionPolicy::Retain,
        _ if adopts => DeletionPolicy::Retain,
        Some(Origin::Created) | None => DeletionPolicy::Delete,
    })
}

async fn dispose(connection: &Connection, remote: &RemoteWorkflow, policy: DeletionPolicy) -> Result<(), ReconcileError> {
    let client = &connection.client;
    let failed = |error| connections::reconcile_error(&error);
    if policy == DeletionPolicy::Delete {
        return match client.delete_workflow(&remote.id).await {
            Err(N8nError::Refused { status: 409, .. }) => delete_unpublished(client, remote).await,
            answer => answer.map(drop).map_err(failed),
        };
    }
    if policy == DeletionPolicy::Deactivate && !remote.is_archived {
        client.unpublish(&remote.id).await.map_err(failed)?;
    }
    let mut archived = remote.is_archived;
    // A workflow that nests too deep was read in part and must not be written: it keeps its mark, and is an orphan of the instance from now on.
    if Mark::of(&remote.settings).is_some() && remote.cut.is_none() {
        // An archived workflow takes no writes, so it comes back for the moment in which its mark is released.
        if archived {
            client.unarchive(&remote.id).await.map_err(failed)?;
            archived = false;
        }
        client.update_workflow(&remote.id, &released(remote), false).await.map_err(failed)?;
    }
    if !archived && (remote.is_archived || policy == DeletionPolicy::Archive) {
        client.archive(&remote.id).await.map_err(failed)?;
    }
    Ok(())
}

/// n8n's publication service deletes nothing that is published, and takes a workflow offline some time after it said so.
async fn delete_unpublished(client: &N8nClient, remote: &RemoteWorkflow) -> Result<(), ReconcileError> {
    let failed = |error| connections::reconcile_error(&error);
    if remote.active {
        client.unpublish(&remote.id).await.map_err(failed)?;
    }
    for _ in 0..OFFLINE_LOOKS {
        tokio::time::sleep(OFFLINE_PAUSE).await;
        match client.delete_workflow(&remote.id).await {
            Err(N8nError::Refused { status: 409, .. }) => {}
            answer => return answer.map(drop).map_err(failed),
        }
    }
    let mut reconcile_error =
        ReconcileError::transient(Reason::Progressing, "n8n is still taking the workflow offline; it is deleted after that");
    reconcile_error.look_again = Some(Duration::from_secs(1));
    Err(reconcile_error)
}

/// What n8n holds, without our mark.
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
