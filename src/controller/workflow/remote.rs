//! Reads of one workflow in n8n, with the content of its published version.

use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteWorkflow;

/// Reads the content of the published version, if that is not the draft and the answer lacks it.
pub(super) async fn fill_published(connection: &Connection, remote: &mut RemoteWorkflow) -> Result<(), ReconcileError> {
    let differs = remote.active && remote.active_version_id != remote.version_id && remote.active_version.is_none();
    if let (true, Some(version)) = (differs, remote.active_version_id.clone()) {
        remote.active_version = connection.client.get_version(&remote.id, &version).await?;
    }
    Ok(())
}

/// Reads a workflow after a write.
pub(super) async fn read_back(connection: &Connection, id: &str) -> Result<RemoteWorkflow, ReconcileError> {
    let remote = connection.client.get_workflow(id).await?;
    let mut remote =
        remote.ok_or_else(|| ReconcileError::transient(Reason::NotSynced, format!("workflow {id} vanished while it was being written")))?;
    fill_published(connection, &mut remote).await?;
    Ok(remote)
}
