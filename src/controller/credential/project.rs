//! The project in n8n that `spec.project` names.

use super::reconciliation::Reconciliation;
use crate::api::reason::Reason;
use crate::controller::connections::{Connection, errors};
use crate::domain::access::{Use, may_use, no_project};
use crate::domain::error::ReconcileError;

/// Returns the project that the spec names, if this namespace may use it. Without a grant, the error does not disclose whether the project
/// exists.
pub(super) fn granted(rec: &Reconciliation<'_>, connection: &Connection) -> Result<Option<String>, ReconcileError> {
    let Some(project) = &rec.spec().project else { return Ok(None) };
    let namespace = rec.namespace();
    if may_use(&connection.instance.spec, &connection.namespace(), &namespace, Use::Project(&project.id)) {
        return Ok(Some(project.id.clone()));
    }
    Err(ReconcileError::denied(Reason::ProjectNotGranted, no_project(&namespace, &project.id)))
}

/// Moves the credential to its project. Only lists show where a credential is, so one is read when the spec names another project than before.
pub(super) async fn place(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<(), ReconcileError> {
    let project = granted(rec, connection)?;
    if project == rec.status.project {
        return Ok(());
    }
    let Some((project, id)) = project.zip(rec.status.n8n_credential_id.clone()) else {
        rec.status.project = None;
        return Ok(());
    };
    let list = connection.credentials(true).await?;
    let current = list.items.iter().find(|one| one.id == id).and_then(|one| one.project.as_deref());
    if current != Some(project.as_str()) {
        connection.trusted()?;
        connection.client.transfer_credential(&id, &project).await.map_err(errors::project_error)?;
        rec.ctx.metrics.credential_write("move");
    }
    rec.status.project = Some(project);
    Ok(())
}
