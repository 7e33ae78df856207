//! What somebody changed in n8n: seen, kept, and treated as the policy says.

use std::collections::BTreeSet;

use kube::runtime::events::EventType;
use kube::runtime::reflector::ObjectRef;

use super::deploy::Deployment;
use super::versions;
use super::work::Work;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::VersionSource;
use crate::controller::glimpse::Glimpse;
use crate::domain::canonical::Parts;
use crate::domain::difference::difference;
use crate::domain::plan::{Drift, Plan, edits};
use crate::domain::remote::RemoteWorkflow;
use crate::domain::render::{put_workflow_ids, workflow_symbols};
use crate::domain::settings;
use crate::domain::trouble::Trouble;

/// So many changes undone within the hour mean that somebody, or something, insists.
const MOST_REVERTS: usize = 5;
/// How much of a difference a condition and an event show.
const SUMMARY_CHARS: usize = 800;

/// Whether undoing has become a fight.
pub(super) fn contested(work: &Work<'_>) -> bool {
    let now = work.now();
    work.ctx.remember(&work.uid(), |memory| memory.reverts.count(now) >= MOST_REVERTS)
}

/// Says what differs, and keeps what is about to be overwritten.
pub(super) async fn judge(
    work: &mut Work<'_>,
    plan: &Plan,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    contested: bool,
) -> Result<(), Trouble> {
    let Some(first) = plan.drift.first() else {
        work.verdict(ConditionType::Drifted, ConditionStatus::False, Reason::InSync, "");
        return Ok(());
    };
    let said = describe(&plan.drift, wanted, remote);
    if *first == Drift::DraftEdited && plan.drift.len() == 1 {
        work.verdict(ConditionType::Drifted, ConditionStatus::True, Reason::DraftEdited, format!("an unpublished draft differs: {said}"));
        return Ok(());
    }
    let reason = match (work.spec().drift_policy, contested) {
        (DriftPolicy::Revert, false) => Reason::DriftReverted,
        (DriftPolicy::Revert, true) => Reason::DriftContested,
        (DriftPolicy::Report, _) => Reason::DriftReported,
        (DriftPolicy::Ignore, _) => Reason::DriftIgnored,
    };
    if reason != Reason::DriftReverted {
        work.verdict(ConditionType::Drifted, ConditionStatus::True, reason, said);
        return Ok(());
    }
    if plan.drift.contains(&Drift::Settings) {
        // Settings have no version of their own in n8n.
        versions::keep_remote(work, remote, VersionSource::Drift).await?;
    }
    keep_edits(work, remote).await?;
    work.happened(EventType::Warning, Reason::DriftReverted, format!("changed in n8n and put right: {said}"));
    work.verdict(ConditionType::Drifted, ConditionStatus::False, Reason::DriftReverted, format!("last put right: {said}"));
    work.ctx.metrics.reverts.inc();
    let now = work.now();
    work.ctx.remember(&work.uid(), |memory| memory.reverts.note(now));
    Ok(())
}

/// Keeps what somebody wrote before it is overwritten, be it by a revert or by a new version: nobody loses an edit. Returns
/// the numbers under which it is kept.
pub(super) async fn keep_edits(work: &mut Work<'_>, remote: &RemoteWorkflow) -> Result<Vec<i64>, Trouble> {
    let mut kept = Vec::new();
    for edit in edits(remote, &work.status.history) {
        kept.push(versions::keep_remote(work, &edit, VersionSource::Drift).await?);
    }
    if kept.is_empty() && settings_edited(work, remote).await? {
        kept.push(versions::keep_remote(work, remote, VersionSource::Drift).await?);
    }
    Ok(kept)
}

/// Whether somebody changed settings since the version that serves was confirmed. They move no version of n8n's, so that
/// only its body tells.
async fn settings_edited(work: &Work<'_>, remote: &RemoteWorkflow) -> Result<bool, Trouble> {
    let Some(serving) = work.status.active_version.filter(|serving| work.confirmed(*serving)) else { return Ok(false) };
    let Some(mut body) = versions::read_if_kept(work, serving).await? else { return Ok(false) };
    let id_of = |name: &String| {
        let place = ObjectRef::<Glimpse>::new(name).within(&work.namespace());
        work.ctx.workflows.get(&place)?.status.n8n_workflow_id.clone()
    };
    let ids = workflow_symbols(&body).into_keys().filter_map(|name| Some((name.clone(), id_of(&name)?))).collect();
    put_workflow_ids(&mut body, &ids);
    Ok(!settings::hold(&remote.settings, &settings::to_send(&body.settings, &work.status.written_settings)))
}

fn describe(drift: &[Drift], wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> String {
    let said: Vec<String> = drift
        .iter()
        .map(|one| match one {
            Drift::Edited | Drift::DraftEdited => summary(wanted, remote),
            Drift::Publication if remote.active => "it was published".to_owned(),
            Drift::Publication => "it was unpublished".to_owned(),
            Drift::Settings => format!("settings changed: {}", settings::differing(&remote.settings, &wanted.write.settings).join(", ")),
            Drift::Renamed => "it was renamed".to_owned(),
            Drift::Archived => "it was archived".to_owned(),
            Drift::Moved => "it was moved to another project".to_owned(),
        })
        .collect();
    said.join("; ")
}

/// The difference between what was sent and what n8n holds, node by node, without values.
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
