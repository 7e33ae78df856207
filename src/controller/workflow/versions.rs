//! Versions of one Workflow: the index in status, the bodies in ControllerRevisions.

use crate::api::reason::Reason;
use crate::api::workflow_status::{Origin, VersionSource, WorkflowStatus};
use crate::document::definition::Definition;
use crate::document::derive::keep_ids;
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::render::{Symbolic, abstract_references, symbolise_remote};
use crate::domain::{history, stored_body};
use crate::kubernetes::{objects, revisions};

use super::reconciliation::Reconciliation;

/// Numbers a definition and stores its body, before anything of it is sent.
pub(super) async fn keep(rec: &mut Reconciliation<'_>, symbolic: &Symbolic, source: VersionSource) -> Result<i64, ReconcileError> {
    let digest = symbolic.digest.to_string();
    let known = rec.status.history.iter().find(|record| record.digest == digest).map(|record| record.version);
    if let Some(version) = known {
        return Ok(version);
    }
    let revision = history::revision_name(&rec.name(), &digest);
    let now = rec.now();
    let last = rec.status.last_version;
    let version = rec.status.accept_version(&digest, source, revision.clone(), now);
    let body = stored_body::encode(&symbolic.definition);
    match revisions::keep(&rec.ctx.client, &rec.workflow, &revision, (version, source), body).await {
        Ok(true) => rec.ctx.metrics.writes.with_label_values(&["ControllerRevision"]).inc(),
        Ok(false) => {}
        Err(error) => {
            // An index entry without a body would be believed for ever.
            rec.status.withdraw_version(version, last);
            return Err(objects::reconcile_error(&format!("store the body of version {version}"), &error));
        }
    }
    Ok(version)
}

/// Stores the published content of an adopted workflow as the version to go back to, and a draft that differs from it.
pub(super) async fn keep_adopted(rec: &mut Reconciliation<'_>, remote: &RemoteWorkflow) -> Result<i64, ReconcileError> {
    let published = remote.published_apart();
    let version = keep_remote(rec, published.as_ref().unwrap_or(remote), VersionSource::Adopted).await?;
    if published.is_some() {
        keep_remote(rec, remote, VersionSource::Drift).await?;
    }
    if !remote.active {
        rec.status.mark_unproven(version);
    }
    Ok(version)
}

/// Stores the draft of a workflow as n8n has it.
pub(super) async fn keep_remote(
    rec: &mut Reconciliation<'_>,
    remote: &RemoteWorkflow,
    source: VersionSource,
) -> Result<i64, ReconcileError> {
    let symbolic = symbolise_remote(remote);
    let version = keep(rec, &symbolic, source).await?;
    rec.status.record_n8n_version(&symbolic.digest.to_string(), remote.version_id.as_deref());
    Ok(version)
}

/// Returns the body of a stored version.
pub(super) async fn read(rec: &Reconciliation<'_>, version: i64) -> Result<Definition, ReconcileError> {
    let record = history::numbered(&rec.status.history, version)
        .ok_or_else(|| ReconcileError::bug(format!("version {version} is not in the history")))?;
    let data = revisions::read(&rec.ctx.client, &rec.namespace(), &record.revision, &rec.uid())
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

/// Returns the body of a version for callers that can do without; None if it is gone.
pub(super) async fn read_if_kept(rec: &Reconciliation<'_>, version: i64) -> Result<Option<Definition>, ReconcileError> {
    match read(rec, version).await {
        Err(error) if error.reason == Reason::VersionNotFound => Ok(None),
        definition => definition.map(Some),
    }
}

/// Reports whether a version is the content of an adopted workflow, for which n8n's owner answers.
pub(super) async fn was_adopted(rec: &Reconciliation<'_>, version: i64) -> Result<bool, ReconcileError> {
    let record = history::numbered(&rec.status.history, version).filter(|record| record.source == VersionSource::Adopted);
    let Some(record) = record else { return Ok(false) };
    revisions::holds_adopted(&rec.ctx.client, &rec.namespace(), &record.revision, &rec.uid())
        .await
        .map_err(|error| objects::reconcile_error(&format!("read where version {version} came from"), &error))
}

/// Returns the nodes of the adopted workflow, whose ids are kept.
pub(super) async fn adopted_nodes(rec: &Reconciliation<'_>) -> Result<Option<Definition>, ReconcileError> {
    match rec.status.history.iter().find(|record| record.source == VersionSource::Adopted).map(|record| record.version) {
        Some(version) => read(rec, version).await.map(Some),
        None => Ok(None),
    }
}

/// Returns the digest of a version.
pub(super) fn digest_of(status: &WorkflowStatus, version: i64) -> String {
    history::numbered(&status.history, version).map(|record| record.digest.clone()).unwrap_or_default()
}

/// Deletes the versions beyond the limit. The index is written first: a body without an entry is garbage, an entry without a body would be
/// a lie.
pub(super) async fn prune(rec: &mut Reconciliation<'_>, wanted: i64, desired_digest: &str) -> Result<(), ReconcileError> {
    let limit = rec.spec().revision_history_limit;
    let dropped = rec.status.prune_versions(limit, wanted, desired_digest);
    if dropped.is_empty() {
        return Ok(());
    }
    rec.save().await?;
    revisions::delete(&rec.ctx.client, &rec.namespace(), &dropped, &rec.uid())
        .await
        .map_err(|error| objects::reconcile_error("drop old versions", &error))
}

/// Returns the content of a version: ids of adopted nodes are kept, the others derived, names replaced by symbols.
pub(super) async fn symbolic(rec: &Reconciliation<'_>, source: &Definition) -> Result<Symbolic, ReconcileError> {
    let mut definition = source.clone();
    if rec.status.origin == Some(Origin::Adopted)
        && let Some(adopted) = adopted_nodes(rec).await?
    {
        let nodes: Vec<serde_json::Value> = adopted.nodes.into_iter().map(|node| serde_json::Value::Object(node.0)).collect();
        keep_ids(&mut definition, &nodes);
    }
    Ok(abstract_references(definition, rec.spec(), &rec.seed()))
}
