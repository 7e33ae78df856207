//! The project in n8n that `spec.project` names: the workflow is created there, moved there, and moved back.
//!
//! The project of a workflow is no part of its version. An error that keeps it out of its project therefore stops a new version, which
//! must not appear in another project, but neither the monitoring of a published one nor a rollback.

use super::deployment::Deployment;
use super::reconciliation::Reconciliation;
use super::remote::read_back;
use crate::api::reason::Reason;
use crate::api::workflow_status::{Intent, IntentOperation};
use crate::controller::connections::{Connection, errors};
use crate::domain::access::{Use, may_use, no_project};
use crate::domain::error::ReconcileError;
use crate::domain::plan::{Drift, Plan, ProjectState, Publication, Step};
use crate::domain::remote::RemoteWorkflow;

/// Result of placing the workflow in its project.
pub(super) struct Placed {
    /// Set if this reconciliation moved the workflow.
    pub(super) moved: bool,
    /// Reason why the workflow is not in its project, or may not be.
    pub(super) misplaced: Option<ReconcileError>,
}

/// Compares the workflow's project with the wanted one.
pub(super) fn of(rec: &Reconciliation<'_>, remote: &RemoteWorkflow) -> ProjectState {
    ProjectState::of(asked(rec).as_deref(), rec.status.project.as_deref(), remote.project.as_deref())
}

fn asked(rec: &Reconciliation<'_>) -> Option<String> {
    rec.spec().project.as_ref().map(|project| project.id.clone())
}

/// Returns the project that the spec names, if this namespace may use it. Without a grant, the error does not disclose whether the project
/// exists.
pub(super) fn granted(rec: &Reconciliation<'_>, connection: &Connection) -> Result<Option<String>, ReconcileError> {
    let Some(project) = asked(rec) else { return Ok(None) };
    let namespace = rec.namespace();
    if may_use(&connection.instance.spec, &connection.namespace(), &namespace, Use::Project(&project)) {
        return Ok(Some(project));
    }
    Err(ReconcileError::denied(Reason::ProjectNotGranted, no_project(&namespace, &project)))
}

/// Moves the workflow, if the plan contains a move.
pub(super) async fn place(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &mut RemoteWorkflow,
    plan: &mut Plan,
    confirmed: bool,
) -> Result<Placed, ReconcileError> {
    let moves = plan.steps.contains(&Step::Move);
    plan.steps.retain(|step| *step != Step::Move);
    let done = match granted(rec, connection) {
        Ok(Some(project)) if moves => move_to(rec, connection, wanted, remote, &project).await?,
        Ok(project) => {
            if project.is_none() || project == remote.project {
                rec.status.record_project(project);
            }
            return Ok(Placed { moved: false, misplaced: None });
        }
        Err(error) => Err(error),
    };
    let Err(error) = done else { return Ok(Placed { moved: true, misplaced: None }) };
    // It was not reverted, so nothing may report that it was.
    plan.undone.retain(|drift| *drift != Drift::Moved);
    match (wanted.operation, confirmed) {
        // Replacing the failed version matters more; the next version waits for the project.
        (IntentOperation::Rollback, _) => Ok(Placed { moved: false, misplaced: None }),
        (_, true) => Ok(Placed { moved: false, misplaced: Some(error) }),
        (_, false) => Err(error),
    }
}

/// Moves the workflow. The outer error ends the reconciliation; the inner one is n8n's refusal, after which nothing has changed.
async fn move_to(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &mut RemoteWorkflow,
    project: &str,
) -> Result<Result<(), ReconcileError>, ReconcileError> {
    connection.trusted()?;
    let before = rec.status.intent.clone();
    if remote.active && before.is_none() {
        // n8n unregisters the published version and registers it again: a reconciliation that is killed in between must know what was
        // published.
        let intent = Intent::new(wanted.operation, wanted.digest, remote.active_version_id.clone(), rec.now());
        rec.status.announce(intent);
        rec.save().await?;
    }
    let timer = rec.ctx.metrics.time("move");
    let answer = connection.client.transfer_workflow(&remote.id, project).await;
    timer.done();
    match answer {
        Err(error) if error.unanswered() => return Err(errors::project_error(error)),
        Err(error) => {
            rec.status.restore_intent(before);
            return Ok(Err(errors::project_error(error)));
        }
        Ok(()) => {}
    }
    let after = read_back(connection, &remote.id).await?;
    if after.project.as_deref() != Some(project) {
        return Err(ReconcileError::transient(Reason::NotSynced, "n8n accepted the move and has the workflow in another project"));
    }
    rec.status.record_project(Some(project.to_owned()));
    *remote = if remote.active && !after.active && wanted.publication != Publication::Unpublished {
        publish_again(connection, remote).await?
    } else {
        after
    };
    rec.status.restore_intent(before);
    Ok(Ok(()))
}

/// Publishes again after a move: n8n answers a move with success even if it could not register the triggers again, and takes the workflow
/// offline.
async fn publish_again(connection: &Connection, before: &RemoteWorkflow) -> Result<RemoteWorkflow, ReconcileError> {
    if let Err(error) = connection.client.publish(&before.id, before.active_version_id.as_deref()).await {
        let message = format!("n8n took the workflow offline when it moved it, and does not publish it again yet: {error}");
        return Err(ReconcileError::transient(Reason::PublishUnconfirmed, message));
    }
    read_back(connection, &before.id).await
}
