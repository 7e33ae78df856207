//! The project in n8n that `spec.project` names: the workflow is created there, moved there, and moved back.
//!
//! Where a workflow lives is no part of its version. What keeps it out of its project therefore stops a new version, which
//! must not show up elsewhere, but neither the watch over one that serves nor a rollback.

use super::deploy::{Deployment, read_back};
use super::work::Work;
use crate::api::reason::Reason;
use crate::api::workflow_status::{Intent, Operation};
use crate::controller::connections::{self, Connection};
use crate::domain::access::{Use, may_use};
use crate::domain::error::ReconcileError;
use crate::domain::plan::{Drift, Place, Plan, Publication, Step};
use crate::domain::remote::RemoteWorkflow;
use crate::n8n::N8nError;

/// n8n's words for a project that is not there, or in which the key's user may not create (n8n 2.39.10, measured). The
/// first is the answer to a create, the second to a move.
const NO_PROJECT: [&str; 2] = ["Project not found", "Could not find project"];

/// What became of the place.
pub(super) struct Placed {
    /// Whether this pass moved the workflow.
    pub(super) moved: bool,
    /// Why it is not where it should be, or may not be.
    pub(super) misplaced: Option<ReconcileError>,
}

/// Where the workflow lives, compared with where it should.
pub(super) fn of(work: &Work<'_>, remote: &RemoteWorkflow) -> Place {
    Place::of(asked(work).as_deref(), work.status.project.as_deref(), remote.project.as_deref())
}

fn asked(work: &Work<'_>) -> Option<String> {
    work.spec().project.as_ref().map(|project| project.id.clone())
}

/// The project that the spec names, if this namespace may use it. Without a grant nobody learns whether there is such a one.
pub(super) fn granted(work: &Work<'_>, connection: &Connection) -> Result<Option<String>, ReconcileError> {
    let Some(project) = asked(work) else { return Ok(None) };
    let namespace = work.namespace();
    if may_use(&connection.instance.spec, &connection.namespace(), &namespace, Use::Project(&project)) {
        return Ok(Some(project));
    }
    Err(ReconcileError::denied(
        Reason::ProjectNotGranted,
        format!(
            "the N8nInstance grants namespace {namespace} no use of the n8n project {project} that spec.project names; its owner can add it under spec.grants[].projects"
        ),
    ))
}

/// A create or a move that failed, as trouble.
pub(super) fn reconcile_error(error: &N8nError) -> ReconcileError {
    match error {
        N8nError::NotFound { message, .. } if NO_PROJECT.iter().any(|words| message.starts_with(words)) => ReconcileError::waiting(
            Reason::ProjectNotFound,
            "n8n has no project with the id that spec.project names, or the user of the API key may not create workflows in it",
        ),
        error => connections::reconcile_error(error),
    }
}

/// Does the plan's move, if there is one.
pub(super) async fn place(
    work: &mut Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &mut RemoteWorkflow,
    plan: &mut Plan,
    confirmed: bool,
) -> Result<Placed, ReconcileError> {
    let moves = plan.steps.contains(&Step::Move);
    plan.steps.retain(|step| *step != Step::Move);
    let done = match granted(work, connection) {
        Ok(Some(project)) if moves => move_to(work, connection, wanted, remote, &project).await?,
        Ok(project) => {
            if project.is_none() || project == remote.project {
                work.status.project = project;
            }
            return Ok(Placed { moved: false, misplaced: None });
        }
        Err(reconcile_error) => Err(reconcile_error),
    };
    let Err(reconcile_error) = done else { return Ok(Placed { moved: true, misplaced: None }) };
    // It was not put right, so nothing says that it was.
    plan.undone.retain(|drift| *drift != Drift::Moved);
    match (wanted.operation, confirmed) {
        // That the failed version is gone matters more; the next version waits for the project.
        (Operation::Rollback, _) => Ok(Placed { moved: false, misplaced: None }),
        (_, true) => Ok(Placed { moved: false, misplaced: Some(reconcile_error) }),
        (_, false) => Err(reconcile_error),
    }
}

/// Moves the workflow. The outer error ends the pass, the inner one is n8n's refusal, after which all is as it was.
async fn move_to(
    work: &mut Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &mut RemoteWorkflow,
    project: &str,
) -> Result<Result<(), ReconcileError>, ReconcileError> {
    connection.trusted()?;
    let before = work.status.intent.clone();
    if remote.active && before.is_none() {
        // n8n takes what is published away and registers it again: a pass that is killed in between must know what served.
        work.status.intent = Some(Intent::new(wanted.operation, wanted.digest, remote.active_version_id.clone(), work.now()));
        work.save().await?;
    }
    let timer = work.ctx.metrics.time("move");
    let answer = connection.client.transfer_workflow(&remote.id, project).await;
    timer.done();
    match answer {
        Err(error) if error.unanswered() => return Err(reconcile_error(&error)),
        Err(error) => {
            work.status.intent = before;
            return Ok(Err(reconcile_error(&error)));
        }
        Ok(()) => {}
    }
    let after = read_back(connection, &remote.id).await?;
    if after.project.as_deref() != Some(project) {
        return Err(ReconcileError::transient(Reason::NotSynced, "n8n accepted the move and has the workflow in another project"));
    }
    work.status.project = Some(project.to_owned());
    *remote = if remote.active && !after.active && wanted.publication != Publication::Unpublished {
        publish_again(connection, remote).await?
    } else {
        after
    };
    work.status.intent = before;
    Ok(Ok(()))
}

/// n8n answers a move with success although it could not register the triggers again, and takes the workflow offline.
async fn publish_again(connection: &Connection, before: &RemoteWorkflow) -> Result<RemoteWorkflow, ReconcileError> {
    if let Err(error) = connection.client.publish(&before.id, before.active_version_id.as_deref()).await {
        let said = format!("n8n took the workflow offline when it moved it, and does not publish it again yet: {error}");
        return Err(ReconcileError::transient(Reason::PublishUnconfirmed, said));
    }
    read_back(connection, &before.id).await
}
