//! What to write to n8n so that it holds and publishes the version that should serve. Nothing to do is the common
//! answer: an unneeded PUT of an active workflow takes its webhooks away for a tenth of a second.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::{Snapshot, VersionRecord};
use crate::domain::confirmed::{self, Difference, Known};

use crate::domain::history;
use crate::domain::mark::Mark;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};

pub use crate::domain::confirmed::Publication;

/// Where the workflow lives, compared with `spec.project`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Where it should, or nobody asks, or n8n does not say.
    #[default]
    Right,
    /// Elsewhere, since the spec asks for a project in which it was not seen yet.
    ProjectPending,
    /// Elsewhere, and it was seen where it should be before.
    Moved,
}

impl Place {
    /// `asked` is the spec's project, `confirmed` the one in which it was seen as asked, `seen` where n8n has it.
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

/// One write to n8n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Move the workflow to the project of the spec; what it is follows where it belongs.
    Move,
    /// Bring the workflow back from the archive; nothing else can be written before.
    Unarchive,
    /// Save the definition as the draft, without publishing.
    Update,
    /// Publish the draft as it was just read or saved.
    Publish,
    /// Take publication back.
    Unpublish,
}

/// What somebody changed in n8n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Somebody published something else, or saved it where publication is not ours.
    Edited,
    /// Only an unpublished draft differs.
    DraftEdited,
    /// Somebody unpublished it, or published it against the spec.
    Publication,
    /// Settings of these keys differ.
    Settings(Vec<String>),
    /// The name differs.
    Renamed,
    /// Somebody archived it.
    Archived,
    /// Somebody moved it to another project.
    Moved,
}

/// What to do, and what somebody changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Writes, in order. Empty: nothing is written.
    pub steps: Vec<Step>,
    /// Changes that the steps undo.
    pub undone: Vec<Drift>,
    /// Changes that are left as they are.
    pub left: Vec<Drift>,
    /// The parts that an update takes from n8n as they are.
    pub keeps: Keeps,
}

/// The parts of a workflow that stay as n8n holds them, although they differ from what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Nodes, connections and groups of the draft.
    pub draft: bool,
    /// What is published, or that nothing is.
    pub publication: bool,
    /// The settings of these keys.
    pub settings: BTreeSet<String>,
    /// The name.
    pub name: bool,
}

/// What n8n holds, compared with what should be there. A part without a difference is as wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Nodes, connections and groups of the draft.
    pub draft: Option<Difference>,
    /// What is published.
    pub publication: Option<Difference>,
    /// Whether anything is published.
    pub published: bool,
    /// The settings that are managed, by key.
    pub settings: BTreeMap<String, Difference>,
    /// The name.
    pub name: Option<Difference>,
    /// The workflow carries our mark.
    pub marked: bool,
    /// The workflow is archived.
    pub archived: bool,
    /// The workflow was confirmed in n8n before.
    pub known: bool,
    /// Where it lives. It serves wherever that is.
    pub place: Place,
}

/// What n8n holds, as draft or published, that was neither sent nor kept by us: somebody's edits.
pub fn edits(remote: &RemoteWorkflow, history: &[VersionRecord], ours: Known<'_>) -> Vec<RemoteWorkflow> {
    let content = |held: &RemoteWorkflow| confirmed::content(&held.nodes, &held.connections, &held.node_groups);
    let recorded = |held: &RemoteWorkflow| held.version_id.as_deref().is_none_or(|id| history::held_as(history, id).is_some());
    // An interrupted write is not recorded, and its content tells whose it is.
    let known = |held: &RemoteWorkflow| recorded(held) || ours.wrote(&content(held));
    let published = remote.published_apart();
    // A rollback leaves a draft of its own beside the published version that it repeats.
    let repeats = |published: &RemoteWorkflow| known(published) && content(published) == content(remote);
    let draft = (!known(remote) && !published.as_ref().is_some_and(repeats)).then(|| remote.clone());
    draft.into_iter().chain(published.filter(|published| !known(published))).collect()
}

/// Compares what n8n holds with what should be there; the place is for the caller to add.
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
        place: Place::Right,
    }
}

impl Comparison {
    /// Whether n8n holds what a plan writes: all that is wanted, except what the plan leaves. A draft counts only where it is not
    /// what is published.
    pub fn holds(&self, publication: Publication, keeps: &Keeps) -> bool {
        let draft = keeps.draft || self.draft.is_none() || publication == Publication::Published && self.publication.is_none();
        let published = keeps.publication || self.publication.is_none();
        let settings = self.settings.keys().all(|key| keeps.settings.contains(key));
        draft && published && settings && (keeps.name || self.name.is_none()) && self.marked && !self.archived
    }
}

/// What to write. The spec wins over a change in n8n of the same part; any other change is left or undone as the policy says.
/// `contested` says that it was undone too often already.
pub fn plan(seen: &Comparison, publication: Publication, policy: DriftPolicy, contested: bool) -> Plan {
    let tolerated = policy != DriftPolicy::Revert || contested;
    let written = |one: Difference| !one.changed || one.asked || !tolerated;
    let publishes = publication == Publication::Published;
    let publication_written = seen.publication.is_some_and(written);
    // An unpublished draft stays until the next real change.
    let only_draft = publishes && seen.publication.is_none() && seen.draft.is_some_and(|one| one.changed && !one.asked);
    // The draft is what is published.
    let draft_written = seen.draft.is_some_and(|one| !only_draft && (written(one) || publishes && publication_written));
    let settings_kept: BTreeSet<String> = seen.settings.iter().filter(|(_, one)| !written(**one)).map(|(key, _)| key.clone()).collect();
    let keeps = Keeps {
        draft: seen.draft.is_some() && !draft_written,
        publication: seen.publication.is_some() && !publication_written,
        name: seen.name.is_some_and(|one| !written(one)),
        settings: settings_kept,
    };
    let updated = draft_written || seen.settings.len() > keeps.settings.len() || seen.name.is_some_and(written);
    // Nothing can be written to an archived workflow.
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
    // Where it lives changes nothing of what it is, so neither waits for the other.
    match seen.place {
        Place::Right => {}
        Place::Moved if tolerated => plan.left.push(Drift::Moved),
        Place::Moved => {
            plan.undone.push(Drift::Moved);
            plan.steps.insert(0, Step::Move);
        }
        Place::ProjectPending => plan.steps.insert(0, Step::Move),
    }
    plan
}

/// What somebody changed and the spec does not ask to change, and whether that is undone.
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
            // Archiving unpublishes, and what only comes back for a write is not published for that.
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

/// The body of an update: what is wanted, with the parts that are kept as n8n holds them.
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

/// What is sent of what is wanted.
pub fn sent(wanted: Snapshot, keeps: &Keeps) -> Snapshot {
    Snapshot {
        name: wanted.name.filter(|_| !keeps.name),
        draft: wanted.draft.filter(|_| !keeps.draft),
        publication: wanted.publication.filter(|_| !keeps.publication),
        settings: wanted.settings.into_iter().filter(|(key, _)| !keeps.settings.contains(key)).collect(),
    }
}

/// Takes over what n8n holds as confirmed, except what a plan keeps of somebody's. `managed` says whether the spec says anything about
/// publication; `waits`, that it does and something holds it up.
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
