//! The project in n8n that `spec.project` names.

use std::time::Duration;

use kube::runtime::events::EventType;

use super::drift;
use super::reconciliation::Reconciliation;
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::controller::connections::{Connection, credentials_fresh_for, errors};
use crate::domain::access::{Use, may_use, no_project};
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteCredential;
use crate::n8n::List;

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

/// Moves the credential to its project: when the spec names another one, and by policy when somebody moved it in n8n. Only lists show where a
/// credential is. Returns an outcome if the move by somebody else is left.
pub(super) async fn place(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<Option<Outcome>, ReconcileError> {
    let Some((project, id)) = granted(rec, connection)?.zip(rec.status.n8n_credential_id.clone()) else {
        rec.status.project = None;
        return Ok(None);
    };
    // A list that others share suffices to notice a move, but not to act on it.
    let known = rec.status.project.as_ref() == Some(&project);
    let max_age = if known { credentials_fresh_for(rec.spec().interval.get()) } else { Duration::ZERO };
    let mut current = holder(&*connection.credentials(max_age).await?, &id);
    if known {
        if current.as_ref().is_none_or(|current| *current == project) {
            return Ok(None);
        }
        if rec.spec().drift_policy != DriftPolicy::Revert {
            return Ok(drift::leave(rec, &format!("credential {id} was moved to another project in n8n")));
        }
        current = holder(&*connection.credentials(Duration::ZERO).await?, &id);
    }
    if current.as_ref() != Some(&project) {
        connection.trusted()?;
        connection.client.transfer_credential(&id, &project).await.map_err(errors::project_error)?;
        rec.ctx.metrics.credential_write("move");
        // The list that others share shows where it was before.
        connection.credentials(Duration::ZERO).await?;
        if known {
            let note = format!("credential {id} was moved to another project in n8n; it is in that of the spec again");
            rec.record_event(EventType::Warning, Reason::DriftReverted, note);
            rec.ctx.metrics.reverts.inc();
        }
    }
    rec.status.project = Some(project);
    Ok(None)
}

/// Returns the project that holds a credential, as far as a list shows it.
fn holder(list: &List<RemoteCredential>, id: &str) -> Option<String> {
    list.items.iter().find(|one| one.id == id)?.project.clone()
}
