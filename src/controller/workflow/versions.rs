//! Versions of one Workflow: the index in status, the bodies in ControllerRevisions.

use crate::api::reason::Reason;
use crate::api::workflow_status::{VersionResult, VersionSource, WorkflowStatus};
use crate::document::definition::Definition;
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::render::{Symbolic, symbolise_remote};
use crate::domain::{history, stored_body};
use crate::kubernetes::{objects, revisions};

use super::work::Work;

/// Numbers a definition and stores its body, before anything of it is sent.
pub(super) async fn keep(work: &mut Work<'_>, symbolic: &Symbolic, source: VersionSource) -> Result<i64, ReconcileError> {
    let digest = symbolic.digest.to_string();
    let known = work.status.history.iter().find(|record| record.digest == digest).map(|record| record.version);
    if let Some(version) = known {
        return Ok(version);
    }
    let revision = history::revision_name(&work.name(), &digest);
    let now = work.now();
    let last = work.status.last_version;
    let version = history::accept(&mut work.status, &digest, source, revision.clone(), now);
    let body = stored_body::encode(&symbolic.definition);
    match revisions::keep(&work.ctx.client, &work.workflow, &revision, (version, source), body).await {
        Ok(true) => work.ctx.metrics.writes.with_label_values(&["ControllerRevision"]).inc(),
        Ok(false) => {}
        Err(error) => {
            // An index entry without a body would be believed for ever.
            work.status.history.retain(|record| record.version != version);
            work.status.last_version = last;
            return Err(objects::reconcile_error(&format!("store the body of version {version}"), &error));
        }
    }
    Ok(version)
}

/// Keeps what an adopted workflow serves, as the version to go back to, and a draft that differs from it.
pub(super) async fn keep_adopted(work: &mut Work<'_>, remote: &RemoteWorkflow) -> Result<i64, ReconcileError> {
    let published = remote.published_apart();
    let version = keep_remote(work, published.as_ref().unwrap_or(remote), VersionSource::Adopted).await?;
    if published.is_some() {
        keep_remote(work, remote, VersionSource::Drift).await?;
    }
    if let Some(record) = work.status.history.iter_mut().find(|record| record.version == version && !remote.active) {
        // What did not serve proved nothing.
        record.result = VersionResult::Kept;
        record.judged_at = None;
    }
    Ok(version)
}

/// Keeps the draft of a workflow as n8n has it.
pub(super) async fn keep_remote(work: &mut Work<'_>, remote: &RemoteWorkflow, source: VersionSource) -> Result<i64, ReconcileError> {
    let symbolic = symbolise_remote(remote);
    let version = keep(work, &symbolic, source).await?;
    history::sent(&mut work.status.history, &symbolic.digest.to_string(), remote.version_id.as_deref());
    Ok(version)
}

/// The body of a kept version.
pub(super) async fn read(work: &Work<'_>, version: i64) -> Result<Definition, ReconcileError> {
    let record = history::numbered(&work.status.history, version)
        .ok_or_else(|| ReconcileError::bug(format!("version {version} is not in the history")))?;
    let data = revisions::read(&work.ctx.client, &work.namespace(), &record.revision, &work.uid())
        .await
        .map_err(|error| objects::reconcile_error(&format!("read the body of version {version}"), &error))?;
    let data = data.ok_or_else(|| {
        ReconcileError::invalid(
            Reason::VersionNotFound,
            format!("the ControllerRevision {} with the body of version {version} is gone, or is another object's", record.revision),
        )
    })?;
    stored_body::decode(&data).map_err(|error| ReconcileError::bug(format!("ControllerRevision {}: {error}", record.revision)))
}

/// The body of a version, for those who can do without: none where it is gone.
pub(super) async fn read_if_kept(work: &Work<'_>, version: i64) -> Result<Option<Definition>, ReconcileError> {
    match read(work, version).await {
        Err(reconcile_error) if reconcile_error.reason == Reason::VersionNotFound => Ok(None),
        definition => definition.map(Some),
    }
}

/// Whether a version is what the workflow held when it was adopted, for which n8n's owner answers.
pub(super) async fn was_adopted(work: &Work<'_>, version: i64) -> Result<bool, ReconcileError> {
    let record = history::numbered(&work.status.history, version).filter(|record| record.source == VersionSource::Adopted);
    let Some(record) = record else { return Ok(false) };
    revisions::holds_adopted(&work.ctx.client, &work.namespace(), &record.revision, &work.uid())
        .await
        .map_err(|error| objects::reconcile_error(&format!("read where version {version} came from"), &error))
}

/// The nodes of the workflow that was adopted, whose ids are kept.
pub(super) async fn adopted_nodes(work: &Work<'_>) -> Result<Option<Definition>, ReconcileError> {
    match work.status.history.iter().find(|record| record.source == VersionSource::Adopted).map(|record| record.version) {
        Some(version) => read(work, version).await.map(Some),
        None => Ok(None),
    }
}

/// The digest of a version.
pub(super) fn digest_of(status: &WorkflowStatus, version: i64) -> String {
    history::numbered(&status.history, version).map(|record| record.digest.clone()).unwrap_or_default()
}

/// Drops what the limit does not keep. The index is written first: a body without an entry is garbage, an entry
/// without a body would be a lie.
pub(super) async fn prune(work: &mut Work<'_>, wanted: i64, desired_digest: &str) -> Result<(), ReconcileError> {
    let (limit, active) = (work.spec().revision_history_limit, work.status.active_version);
    let dropped = history::prune(&mut work.status.history, limit, active, wanted, desired_digest);
    if dropped.is_empty() {
        return Ok(());
    }
    work.save().await?;
    revisions::delete(&work.ctx.client, &work.namespace(), &dropped, &work.uid())
        .await
        .map_err(|error| objects::reconcile_error("drop old versions", &error))
}
