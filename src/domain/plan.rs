//! What to write to n8n so that it holds and publishes the version that should serve. Nothing to do is the common
//! answer: an unneeded PUT of an active workflow takes its webhooks away for a tenth of a second.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::canonical::digest_of;
use super::history;
use super::mark::Mark;
use super::remote::{RemoteWorkflow, WorkflowWrite};
use super::settings;
use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::VersionRecord;

/// What publication should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Published with the version that should serve.
    Published,
    /// Not published.
    Unpublished,
    /// Left to people, or waiting for a credential or a referenced workflow.
    Untouched,
}

/// Where the workflow lives, compared with `spec.project`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it should, or nobody asks, or n8n does not say.
    Right,
    /// Elsewhere, since the spec asks for a project in which it was not seen yet.
    ToCome,
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
                    Self::ToCome
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

/// How n8n differs from what was put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Somebody published something else, or saved it where publication is not ours.
    Edited,
    /// Only an unpublished draft differs.
    DraftEdited,
    /// Somebody unpublished it, or published it against the spec.
    Publication,
    /// Settings differ.
    Settings,
    /// The name differs.
    Renamed,
    /// Somebody archived it.
    Archived,
    /// Somebody moved it to another project.
    Moved,
}

/// What to do, and what somebody changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Writes, in order. Empty: nothing is written.
    pub steps: Vec<Step>,
    /// Differences from a version that was confirmed before.
    pub drift: Vec<Drift>,
}

/// What n8n holds, compared with what should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The draft has the wanted nodes, connections and groups.
    pub draft: bool,
    /// What is published has them; None where nothing is published.
    pub published: Option<bool>,
    /// The settings that we manage are as wanted.
    pub settings: bool,
    /// The name is as wanted.
    pub name: bool,
    /// The workflow carries our mark.
    pub marked: bool,
    /// The workflow is archived.
    pub archived: bool,
    /// Where it lives. It serves wherever that is.
    pub place: Place,
}

/// Whether two lots of nodes, connections and groups are the same for n8n.
fn same_content(write: &WorkflowWrite, nodes: &[Value], connections: &Value, groups: &[Value]) -> bool {
    let digest = |nodes, connections, groups| digest_of(nodes, connections, groups, &Map::new(), &BTreeSet::new());
    digest(&write.nodes, &write.connections, write.node_groups.as_deref().unwrap_or_default()) == digest(nodes, connections, groups)
}

/// What n8n holds, as draft or published, that was neither sent nor kept by us: somebody's edits.
pub fn edits(remote: &RemoteWorkflow, history: &[VersionRecord]) -> Vec<RemoteWorkflow> {
    let known = |held: &RemoteWorkflow| held.version_id.as_deref().is_none_or(|id| history::held_as(history, id).is_some());
    let content = |held: &RemoteWorkflow| digest_of(&held.nodes, &held.connections, &held.node_groups, &Map::new(), &BTreeSet::new());
    let published = remote.published_apart();
    // A rollback leaves a draft of its own beside the published version that it repeats.
    let repeats = |published: &RemoteWorkflow| known(published) && content(published) == content(remote);
    let draft = (!known(remote) && !published.as_ref().is_some_and(repeats)).then(|| remote.clone());
    draft.into_iter().chain(published.filter(|published| !known(published))).collect()
}

/// Compares what n8n holds with what should be there; the place is for the caller to add.
pub fn compare(wanted: &WorkflowWrite, mark: &Mark, remote: &RemoteWorkflow) -> Comparison {
    let draft = same_content(wanted, &remote.nodes, &remote.connections, &remote.node_groups);
    let published = remote.active.then(|| {
        if remote.active_version_id.is_some() && remote.active_version_id == remote.version_id {
            draft
        } else {
            remote
                .active_version
                .as_ref()
                .is_some_and(|version| same_content(wanted, &version.nodes, &version.connections, &version.node_groups))
        }
    });
    Comparison {
        draft,
        published,
        settings: settings::hold(&remote.settings, &wanted.settings),
        name: remote.name == wanted.name,
        marked: Mark::of(&remote.settings).as_ref() == Some(mark),
        archived: remote.is_archived,
        place: Place::Right,
    }
}

impl Comparison {
    /// Whether what serves is right, whatever an unpublished draft holds.
    pub fn serves(&self, publication: Publication) -> bool {
        let published = match publication {
            Publication::Published => self.published == Some(true),
            Publication::Unpublished => self.published.is_none() && self.draft,
            Publication::Untouched => self.draft,
        };
        published && self.settings && self.name && self.marked && !self.archived
    }
}

/// What to write. `confirmed` says that this version was seen in n8n before, so that a difference is somebody's
/// change and not ours to come; `contested`, that it was undone too often already.
pub fn plan(seen: &Comparison, publication: Publication, confirmed: bool, policy: DriftPolicy, contested: bool) -> Plan {
    let mut drift = if confirmed { drift(seen, publication) } else { Vec::new() };
    let tolerated = policy != DriftPolicy::Revert || contested;
    let only_draft = drift == [Drift::DraftEdited];
    let left_alone = !drift.is_empty() && tolerated;
    let mut steps = if only_draft || left_alone { Vec::new() } else { steps(seen, publication) };
    // Where it lives changes nothing of what it is, so neither waits for the other.
    if confirmed && seen.place == Place::Moved {
        if !tolerated {
            // The draft is told of again in the next pass.
            drift.retain(|one| *one != Drift::DraftEdited || !only_draft);
        }
        drift.push(Drift::Moved);
    }
    if seen.place != Place::Right && !(tolerated && drift.contains(&Drift::Moved)) {
        steps.insert(0, Step::Move);
    }
    Plan { steps, drift }
}

fn steps(seen: &Comparison, publication: Publication) -> Vec<Step> {
    let mut steps = Vec::new();
    if seen.archived {
        steps.push(Step::Unarchive);
    }
    if !(seen.draft && seen.settings && seen.name && seen.marked) {
        steps.push(Step::Update);
    }
    match publication {
        // Archiving unpublishes, so what an archived workflow says of itself does not count.
        Publication::Published if seen.published != Some(true) || seen.archived => steps.push(Step::Publish),
        Publication::Unpublished if seen.published.is_some() => steps.push(Step::Unpublish),
        _ => {}
    }
    steps
}

fn drift(seen: &Comparison, publication: Publication) -> Vec<Drift> {
    let mut drift = Vec::new();
    if seen.archived {
        drift.push(Drift::Archived);
    }
    match (publication, seen.published) {
        (Publication::Published, Some(false)) => drift.push(Drift::Edited),
        (Publication::Published, None) if !seen.archived => drift.push(Drift::Publication),
        (Publication::Unpublished, Some(_)) => drift.push(Drift::Publication),
        _ => {}
    }
    if !seen.draft && !drift.contains(&Drift::Edited) {
        let unpublished_edit = publication == Publication::Published && seen.published == Some(true);
        drift.push(if unpublished_edit { Drift::DraftEdited } else { Drift::Edited });
    }
    if !seen.settings {
        drift.push(Drift::Settings);
    }
    if !seen.name {
        drift.push(Drift::Renamed);
    }
    drift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workflow_status::VersionSource;
    use crate::domain::remote::RemoteVersion;
    use Publication::{Published, Unpublished, Untouched};
    use serde_json::json;

    const FINE: Comparison =
        Comparison { draft: true, published: Some(true), settings: true, name: true, marked: true, archived: false, place: Place::Right };

    fn steps_of(seen: Comparison, publication: Publication, confirmed: bool) -> Vec<Step> {
        plan(&seen, publication, confirmed, DriftPolicy::Revert, false).steps
    }

    #[test]
    fn nothing_to_do_means_no_steps() {
        for confirmed in [true, false] {
            assert_eq!(steps_of(FINE, Published, confirmed), []);
            assert_eq!(steps_of(Comparison { published: None, ..FINE }, Unpublished, confirmed), []);
            assert_eq!(steps_of(FINE, Untouched, confirmed), []);
        }
    }

    #[test]
    fn a_new_version_is_saved_and_then_published() {
        let old = Comparison { draft: false, published: Some(false), ..FINE };
        assert_eq!(steps_of(old, Published, false), [Step::Update, Step::Publish]);
        assert_eq!(steps_of(old, Untouched, false), [Step::Update]);
        assert_eq!(steps_of(old, Unpublished, false), [Step::Update, Step::Unpublish]);
        assert_eq!(steps_of(Comparison { published: None, ..FINE }, Published, false), [Step::Publish]);
    }

    #[test]
    fn only_what_was_neither_sent_nor_kept_is_an_edit() {
        let version = |id: &str, note: &str| RemoteVersion {
            version_id: id.into(),
            nodes: vec![json!({ "name": note })],
            ..RemoteVersion::default()
        };
        let held = |draft: &str, note: &str, active: RemoteVersion| RemoteWorkflow {
            active: true,
            version_id: Some(draft.into()),
            nodes: vec![json!({ "name": note })],
            active_version_id: Some(active.version_id.clone()),
            active_version: Some(active),
            ..RemoteWorkflow::default()
        };
        let mut ours = Vec::new();
        history::accept(&mut ours, "digest", VersionSource::Definition, "revision".into(), jiff::Timestamp::UNIX_EPOCH);
        history::sent(&mut ours, "digest", Some("1"));
        let ids = |remote| edits(&remote, &ours).into_iter().filter_map(|edit| edit.version_id).collect::<Vec<_>>();
        assert_eq!(ids(held("1", "a", version("1", "a"))), [""; 0]);
        assert_eq!(ids(held("2", "b", version("1", "a"))), ["2"]);
        assert_eq!(ids(held("2", "a", version("1", "a"))), [""; 0], "the draft that a rollback leaves");
        assert_eq!(ids(held("1", "a", version("2", "b"))), ["2"]);
        assert_eq!(ids(held("3", "c", version("2", "b"))), ["3", "2"]);
        assert_eq!(ids(RemoteWorkflow::default()), [""; 0]);
    }

    #[test]
    fn an_unpublished_draft_is_reported_and_left_until_the_next_real_change() {
        let draft = Comparison { draft: false, ..FINE };
        let found = plan(&draft, Published, true, DriftPolicy::Revert, false);
        assert_eq!(found, Plan { steps: vec![], drift: vec![Drift::DraftEdited] });
        assert_eq!(steps_of(draft, Published, false), [Step::Update]);
    }

    #[test]
    fn a_place_is_wrong_only_where_somebody_asks_and_n8n_tells() {
        assert_eq!(Place::of(None, Some("a"), Some("b")), Place::Right);
        assert_eq!(Place::of(Some("a"), Some("a"), None), Place::Right);
        assert_eq!(Place::of(Some("a"), None, Some("a")), Place::Right);
        assert_eq!(Place::of(Some("a"), None, Some("b")), Place::ToCome);
        assert_eq!(Place::of(Some("a"), Some("b"), Some("b")), Place::ToCome);
        assert_eq!(Place::of(Some("a"), Some("a"), Some("b")), Place::Moved);
    }

    #[test]
    fn a_workflow_is_moved_when_the_spec_says_so_and_moved_back_when_the_policy_says_so() {
        let (to_come, moved) = (Comparison { place: Place::ToCome, ..FINE }, Comparison { place: Place::Moved, ..FINE });
        for policy in [DriftPolicy::Revert, DriftPolicy::Report, DriftPolicy::Ignore] {
            assert_eq!(plan(&to_come, Published, true, policy, false), Plan { steps: vec![Step::Move], drift: vec![] });
        }
        let reverted = Plan { steps: vec![Step::Move], drift: vec![Drift::Moved] };
        assert_eq!(plan(&moved, Published, true, DriftPolicy::Revert, false), reverted);
        let left = Plan { steps: vec![], drift: vec![Drift::Moved] };
        assert_eq!(plan(&moved, Published, true, DriftPolicy::Report, false), left);
        assert_eq!(plan(&moved, Published, true, DriftPolicy::Revert, true), left);
        // A new version goes where it belongs, and only then there.
        let old = Comparison { draft: false, published: Some(false), place: Place::Moved, ..FINE };
        let steps = [Step::Move, Step::Update, Step::Publish];
        assert_eq!(plan(&old, Published, false, DriftPolicy::Report, false), Plan { steps: steps.to_vec(), drift: vec![] });
    }

    #[test]
    fn a_move_overwrites_nothing() {
        let draft = Comparison { draft: false, place: Place::Moved, ..FINE };
        let both = [Drift::DraftEdited, Drift::Moved];
        assert_eq!(plan(&draft, Published, true, DriftPolicy::Revert, false).steps, [Step::Move]);
        assert_eq!(plan(&draft, Published, true, DriftPolicy::Report, false), Plan { steps: vec![], drift: both.to_vec() });
        let renamed = Comparison { name: false, place: Place::ToCome, ..FINE };
        let left = Plan { steps: vec![Step::Move], drift: vec![Drift::Renamed] };
        assert_eq!(plan(&renamed, Published, true, DriftPolicy::Report, false), left);
    }

    #[test]
    fn drift_is_undone_only_when_the_policy_says_so() {
        let edited = Comparison { draft: false, published: Some(false), ..FINE };
        let archived = Comparison { published: None, archived: true, ..FINE };
        let unpublished = Comparison { published: None, ..FINE };
        let renamed = Comparison { name: false, ..FINE };
        for (seen, drift, steps) in [
            (edited, Drift::Edited, vec![Step::Update, Step::Publish]),
            (archived, Drift::Archived, vec![Step::Unarchive, Step::Publish]),
            (unpublished, Drift::Publication, vec![Step::Publish]),
            (renamed, Drift::Renamed, vec![Step::Update]),
        ] {
            assert_eq!(plan(&seen, Published, true, DriftPolicy::Revert, false), Plan { steps, drift: vec![drift.clone()] });
            assert_eq!(plan(&seen, Published, true, DriftPolicy::Report, false).steps, vec![]);
            assert_eq!(plan(&seen, Published, true, DriftPolicy::Revert, true), Plan { steps: vec![], drift: vec![drift] });
        }
    }
}
