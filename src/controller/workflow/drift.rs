//! Changes made in n8n: detected, stored, and handled as the policy says.

use std::collections::BTreeSet;

use kube::runtime::events::EventType;

use super::deployment::Deployment;
use super::reconciliation::Reconciliation;
use super::versions;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow_status::VersionSource;
use crate::document::canonical::Parts;
use crate::document::difference::difference;
use crate::domain::drift;
use crate::domain::error::ReconcileError;
use crate::domain::plan::{Comparison, Drift, Keeps, Plan, edits};
use crate::domain::remote::RemoteWorkflow;

/// Maximum length of a difference in a condition or an event.
const SUMMARY_CHARS: usize = 800;

/// Reports whether the same changes are made again and again.
pub(super) fn contested(rec: &Reconciliation<'_>) -> bool {
    let now = rec.now();
    rec.ctx.remember(&rec.uid(), |memory| memory.is_contested(now))
}

/// Reports the changes made in n8n that the plan leaves.
pub(super) fn left(rec: &mut Reconciliation<'_>, plan: &Plan, wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> String {
    if plan.left.is_empty() {
        rec.clear_conditions(&[ConditionType::Drifted]);
        if plan.undone.is_empty() {
            rec.set_condition(ConditionType::Drifted, ConditionStatus::False, Reason::InSync, "");
        }
        return String::new();
    }
    let message = describe(&plan.left, wanted, remote);
    let reason = drift::reason(&plan.left, rec.spec().drift_policy);
    let message = if reason == Reason::DraftEdited { format!("an unpublished draft differs: {message}") } else { message };
    rec.set_condition(ConditionType::Drifted, ConditionStatus::True, reason, &message);
    message
}

/// Reports the changes that are reverted now, and the versions under which they are stored. `remote` is n8n as it was before. Returns what
/// was reverted; empty if nothing was.
pub(super) fn undone(
    rec: &mut Reconciliation<'_>,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    drift: &[Drift],
    kept: &[i64],
) -> String {
    if drift.is_empty() {
        return String::new();
    }
    let kept: String = kept.iter().map(|version| format!("; kept as version {version}")).collect();
    let message = describe(drift, wanted, remote) + &kept;
    rec.record_event(EventType::Warning, Reason::DriftReverted, format!("reverted a change in n8n: {message}"));
    rec.ctx.metrics.reverts.inc();
    let now = rec.now();
    rec.ctx.remember(&rec.uid(), |memory| memory.reverts.note(now));
    message
}

/// Stores an edit made in n8n before it is overwritten, by a revert or by a new version, so that no edit is lost. Returns the version
/// numbers.
pub(super) async fn keep_edits(
    rec: &mut Reconciliation<'_>,
    remote: &RemoteWorkflow,
    keeps: &Keeps,
    seen: &Comparison,
) -> Result<Vec<i64>, ReconcileError> {
    let stays = |edit: &RemoteWorkflow| if edit.version_id == remote.version_id { keeps.draft } else { keeps.publication };
    let mut lost = edits(remote, &rec.status.history, rec.known());
    lost.retain(|edit| !stays(edit));
    // Settings have no version of their own in n8n.
    if seen.settings.iter().any(|(key, one)| one.changed && !keeps.settings.contains(key)) {
        lost.push(remote.clone());
    }
    let mut kept = Vec::new();
    for edit in lost {
        let version = versions::keep_remote(rec, &edit, VersionSource::Drift).await?;
        if !kept.contains(&version) {
            kept.push(version);
        }
    }
    Ok(kept)
}

fn describe(drift: &[Drift], wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> String {
    let parts: Vec<String> = drift
        .iter()
        .map(|one| match one {
            Drift::Edited | Drift::DraftEdited => summary(wanted, remote),
            Drift::Publication if remote.active => "publication (published)".to_owned(),
            Drift::Publication => "publication (unpublished)".to_owned(),
            Drift::Settings(keys) => format!("settings {}", keys.join(", ")),
            Drift::Renamed => "name".to_owned(),
            Drift::Archived => "archived".to_owned(),
            Drift::Moved => "moved to another project".to_owned(),
        })
        .collect();
    parts.join("; ")
}

/// Returns the difference between what was sent and what n8n holds, node by node, without values.
pub(super) fn summary(wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> String {
    let none = serde_json::Map::new();
    let write = wanted.write;
    let groups = write.node_groups.as_deref().unwrap_or_default();
    let desired = Parts::read(&write.nodes, &write.connections, groups, &none);
    let draft = Parts::read(&remote.nodes, &remote.connections, &remote.node_groups, &none);
    let found = difference(desired, draft, &BTreeSet::new());
    let published =
        remote.active_version.as_ref().map(|version| Parts::read(&version.nodes, &version.connections, &version.node_groups, &none));
    match published {
        // The draft is right, so what is published must be what differs.
        Some(published) if found.is_empty() => {
            format!("another version was published: {}", difference(desired, published, &BTreeSet::new()).summary(SUMMARY_CHARS))
        }
        _ => found.summary(SUMMARY_CHARS),
    }
}
