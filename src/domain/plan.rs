//! The writes that make n8n hold and publish the target version. Usually there are none: an unneeded PUT of an active workflow removes its
//! webhooks for a tenth of a second.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::{Snapshot, VersionRecord};
use crate::domain::confirmed::{self, Difference, Known};

use crate::domain::history;
use crate::domain::mark::Mark;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};

pub use crate::domain::confirmed::Publication;

/// Project of the workflow in n8n, compared with `spec.project`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProjectState {
    /// In the right project, or the spec names none, or n8n does not report it.
    #[default]
    Right,
    /// In another project; it was not yet seen in the one that the spec names.
    ProjectPending,
    /// In another project, although it was seen in the one that the spec names before.
    Moved,
}

impl ProjectState {
    /// Compares `asked`, the spec's project, with `seen`, the project in n8n. `confirmed` is the project in which it was last seen as
    /// asked.
    pub fn of(asked: Option<&str>, confirmed: Option<&str>, seen: Option<&str>) -> Self {
        match (asked, seen) {
            (Some(asked), Some(seen)) if asked != seen => {
                if confirmed == Some(asked) {
                    Self::Moved
                } else {
                    Self::ProjectPending
                }
            }
            _ => Self::Right,
        }
    }
}

/// A write to n8n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Move the workflow to the spec's project; the other writes follow there.
    Move,
    /// Unarchive the workflow, which must come before any other write.
    Unarchive,
    /// Save the definition as the draft, without publishing it.
    Update,
    /// Publish the draft as it was last read or saved.
    Publish,
    /// Unpublish the workflow.
    Unpublish,
}

/// A change that a person made in n8n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The published version was replaced, or the draft was changed of a workflow whose publication is not managed.
    Edited,
    /// Only the unpublished draft differs.
    DraftEdited,
    /// The workflow was unpublished, or published against the spec.
    Publication,
    /// The settings with these keys differ.
    Settings(Vec<String>),
    /// The name differs.
    Renamed,
    /// The workflow was archived.
    Archived,
    /// The workflow was moved to another project.
    Moved,
}

/// The planned writes and the drift found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Writes, in order. If empty, nothing is written.
    pub steps: Vec<Step>,
    /// Drift that the steps revert.
    pub undone: Vec<Drift>,
    /// Drift that is left in place.
    pub left: Vec<Drift>,
    /// Parts for which an update keeps n8n's current value.
    pub keeps: Keeps,
}

/// Parts of a workflow that keep n8n's current value although it differs from the wanted one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Nodes, connections and groups of the draft.
    pub draft: bool,
    /// The publication state.
    pub publication: bool,
    /// The settings with these keys.
    pub settings: BTreeSet<String>,
    /// The name.
    pub name: bool,
}

/// Differences between what n8n holds and what is wanted. A part without a difference is as wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Nodes, connections and groups of the draft.
    pub draft: Option<Difference>,
    /// The publication state.
    pub publication: Option<Difference>,
    /// True if anything is published.
    pub published: bool,
    /// The managed settings, by key.
    pub settings: BTreeMap<String, Difference>,
    /// The name.
    pub name: Option<Difference>,
    /// True if the workflow carries the ownership mark of the object.
    pub marked: bool,
    /// True if the workflow is archived.
    pub archived: bool,
    /// True if the workflow was confirmed in n8n before.
    pub known: bool,
    /// The project of the workflow, which does not affect publication.
    pub project: ProjectState,
}

/// Returns the edits of people: content that n8n holds, as draft or published version, and that Weirkeeper neither sent nor kept.
pub fn edits(remote: &RemoteWorkflow, history: &[VersionRecord], ours: Known<'_>) -> Vec<RemoteWorkflow> {
    let content = |workflow: &RemoteWorkflow| confirmed::content(&workflow.nodes, &workflow.connections, &workflow.node_groups);
    let recorded =
        |workflow: &RemoteWorkflow| workflow.version_id.as_deref().is_none_or(|id| history::version_with_id(history, id).is_some());
    // An interrupted write is not recorded, but its content shows that Weirkeeper wrote it.
    let known = |workflow: &RemoteWorkflow| recorded(workflow) || ours.wrote(&content(workflow));
    let published = remote.published_apart();
    // A rollback leaves a draft whose content repeats the published version.
    let repeats = |published: &RemoteWorkflow| known(published) && content(published) == content(remote);
    let draft = (!known(remote) && !published.as_ref().is_some_and(repeats)).then(|| remote.clone());
    draft.into_iter().chain(published.filter(|published| !known(published))).collect()
}

/// Compares what n8n holds with what is wanted; the caller adds the project.
pub fn compare(wanted: &Snapshot, mark: &Mark, remote: &RemoteWorkflow, seen: &Snapshot, known: Known<'_>) -> Comparison {
    let setting = |(key, value): (&String, &String)| {
        Some((key.clone(), known.part(Some(value), seen.settings.get(key), |side| side.settings.get(key))?))
    };
    Comparison {
        draft: known.part(wanted.draft.as_ref(), seen.draft.as_ref(), |side| side.draft.as_ref()),
        publication: known.publication(wanted, seen),
        published: remote.active,
        settings: wanted.settings.iter().filter_map(setting).collect(),
        name: known.part(wanted.name.as_ref(), seen.name.as_ref(), |side| side.name.as_ref()),
        marked: Mark::of(&remote.settings).as_ref() == Some(mark),
        archived: remote.is_archived,
        known: known.confirmed.is_some(),
        project: ProjectState::Right,
    }
}

impl Comparison {
    /// Reports whether n8n holds what a plan writes: everything wanted, except what the plan keeps. The draft does not count while
    /// the wanted version is published.
    pub fn holds(&self, publication: Publication, keeps: &Keeps) -> bool {
        let draft = keeps.draft || self.draft.is_none() || publication == Publication::Published && self.publication.is_none();
        let published = keeps.publication || self.publication.is_none();
        let settings = self.settings.keys().all(|key| keeps.settings.contains(key));
        draft && published && settings && (keeps.name || self.name.is_none()) && self.marked && !self.archived
    }
}

/// Plans the writes. The spec wins over a change of the same part in n8n; the drift policy decides whether any other change is left or
/// reverted. `contested` means that drift was reverted too often already.
pub fn plan(seen: &Comparison, publication: Publication, policy: DriftPolicy, contested: bool) -> Plan {
    let tolerated = policy != DriftPolicy::Revert || contested;
    let written = |one: Difference| !one.changed || one.asked || !tolerated;
    let publishes = publication == Publication::Published;
    let publication_written = seen.publication.is_some_and(written);
    // An unpublished draft stays until the next change that has to be written.
    let only_draft = publishes && seen.publication.is_none() && seen.draft.is_some_and(|one| one.changed && !one.asked);
    // The draft becomes the published version.
    let draft_written = seen.draft.is_some_and(|one| !only_draft && (written(one) || publishes && publication_written));
    let settings_kept: BTreeSet<String> = seen.settings.iter().filter(|(_, one)| !written(**one)).map(|(key, _)| key.clone()).collect();
    let keeps = Keeps {
        draft: seen.draft.is_some() && !draft_written,
        publication: seen.publication.is_some() && !publication_written,
        name: seen.name.is_some_and(|one| !written(one)),
        settings: settings_kept,
    };
    let updated = draft_written || seen.settings.len() > keeps.settings.len() || seen.name.is_some_and(written);
    // n8n refuses any other write to an archived workflow.
    let restored = seen.archived && (updated || publication_written || !tolerated || !seen.known);
    let mut steps = Vec::new();
    if restored {
        steps.push(Step::Unarchive);
    }
    if updated || !seen.marked && (restored || !seen.archived) {
        steps.push(Step::Update);
    }
    if publication_written {
        steps.push(if publishes { Step::Publish } else { Step::Unpublish });
    }
    let mut plan = Plan { steps, keeps, ..Plan::default() };
    for (drift, undone) in drift(seen, publication, only_draft, &plan.keeps, restored) {
        if undone { plan.undone.push(drift) } else { plan.left.push(drift) }
    }
    // The project does not affect the content, so neither write waits for the other.
    match seen.project {
        ProjectState::Right => {}
        ProjectState::Moved if tolerated => plan.left.push(Drift::Moved),
        ProjectState::Moved => {
            plan.undone.push(Drift::Moved);
            plan.steps.insert(0, Step::Move);
        }
        ProjectState::ProjectPending => plan.steps.insert(0, Step::Move),
    }
    plan
}

/// Returns the changes that people made and the spec does not ask to change, each with whether it is reverted.
fn drift(seen: &Comparison, publication: Publication, only_draft: bool, keeps: &Keeps, restored: bool) -> Vec<(Drift, bool)> {
    let changed = |one: Option<Difference>| one.is_some_and(|one| one.changed && !one.asked);
    let mut drift = Vec::new();
    if seen.archived && seen.known {
        drift.push((Drift::Archived, restored));
    }
    let mut edited = false;
    if changed(seen.publication) {
        match (publication, seen.published) {
            (Publication::Published, true) => {
                edited = true;
                drift.push((Drift::Edited, !keeps.publication));
            }
            // Archiving unpublishes a workflow, and one that is unarchived only for another write is not published again.
            (Publication::Published, false) if seen.archived && !(restored && keeps.publication) => {}
            _ => drift.push((Drift::Publication, !keeps.publication)),
        }
    }
    if changed(seen.draft) && !edited {
        drift.push((if only_draft { Drift::DraftEdited } else { Drift::Edited }, !keeps.draft));
    }
    let mut settings = |undone: bool| {
        let keys = seen.settings.iter().filter(|(key, one)| changed(Some(**one)) && keeps.settings.contains(*key) != undone);
        let keys: Vec<String> = keys.map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            drift.push((Drift::Settings(keys), undone));
        }
    };
    settings(true);
    settings(false);
    if changed(seen.name) {
        drift.push((Drift::Renamed, !keeps.name));
    }
    drift
}

/// Returns the body of an update: the wanted content, with n8n's current value for the parts that are kept.
pub fn body(wanted: &WorkflowWrite, remote: &RemoteWorkflow, keeps: &Keeps) -> WorkflowWrite {
    let mut body = wanted.clone();
    if keeps.draft {
        body.nodes.clone_from(&remote.nodes);
        body.connections.clone_from(&remote.connections);
        body.node_groups = Some(remote.node_groups.clone());
    }
    if keeps.name {
        body.name.clone_from(&remote.name);
    }
    // n8n keeps a setting that is not sent.
    body.settings.retain(|key, _| !keeps.settings.contains(key));
    body
}

/// Returns the part of the wanted state that is sent.
pub fn sent(wanted: Snapshot, keeps: &Keeps) -> Snapshot {
    Snapshot {
        name: wanted.name.filter(|_| !keeps.name),
        draft: wanted.draft.filter(|_| !keeps.draft),
        publication: wanted.publication.filter(|_| !keeps.publication),
        settings: wanted.settings.into_iter().filter(|(key, _)| !keeps.settings.contains(key)).collect(),
    }
}

/// Records what n8n holds as confirmed, except the changes of people that the plan keeps. `managed`: the spec says something about
/// publication; `waits`: it does, and the publication waits for something.
pub fn confirm(confirmed: &mut Option<Snapshot>, seen: Snapshot, keeps: &Keeps, managed: bool, waits: bool) {
    let before = confirmed.take().unwrap_or_default();
    let mut settings = before.settings;
    settings.retain(|key, _| keeps.settings.contains(key));
    settings.extend(seen.settings.into_iter().filter(|(key, _)| !keeps.settings.contains(key)));
    let publication = if keeps.publication || waits { before.publication } else { seen.publication };
    *confirmed = Some(Snapshot {
        name: if keeps.name { before.name } else { seen.name },
        draft: if keeps.draft { before.draft } else { seen.draft },
        publication: publication.filter(|_| managed),
        settings,
    });
}

#[cfg(test)]
mod tests;
