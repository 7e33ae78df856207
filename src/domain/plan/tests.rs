use serde_json::json;

use super::*;
use crate::api::workflow_status::{PublishedContent, VersionSource, WorkflowStatus};
use crate::domain::remote::RemoteVersion;
use Publication::{Published, Unpublished, Untouched};
use Step::{Move, Publish, Unarchive, Unpublish, Update};

const POLICIES: [DriftPolicy; 3] = [DriftPolicy::Revert, DriftPolicy::Report, DriftPolicy::Ignore];

/// Snapshot with this name, draft content and published content, if any.
fn holding(name: &str, draft: &str, published: Option<&str>) -> Snapshot {
    let publication = Some(PublishedContent { digest: published.map(str::to_owned) });
    let settings = [("executionOrder".to_owned(), "v1".to_owned())].into();
    Snapshot { name: Some(name.to_owned()), draft: Some(draft.to_owned()), publication, settings }
}

/// Snapshot of what the spec asks for.
fn asking(name: &str, content: &str, publication: Publication) -> Snapshot {
    let published = (publication == Published).then_some(content);
    let publication = (publication != Untouched).then(|| PublishedContent { digest: published.map(str::to_owned) });
    Snapshot { publication, ..holding(name, content, published) }
}

fn with_setting(snapshot: Snapshot, value: &str) -> Snapshot {
    Snapshot { settings: [("executionOrder".to_owned(), value.to_owned())].into(), ..snapshot }
}

/// The sides of a comparison.
#[derive(Clone)]
struct Case {
    confirmed: Option<Snapshot>,
    sent: Option<Snapshot>,
    wanted: Snapshot,
    publication: Publication,
    seen: Snapshot,
    archived: bool,
    project: ProjectState,
    unfinished: bool,
}

impl Case {
    fn new(confirmed: Snapshot, wanted: (&str, &str, Publication), seen: Snapshot) -> Self {
        let (publication, wanted) = (wanted.2, asking(wanted.0, wanted.1, wanted.2));
        let confirmed = Some(confirmed);
        Self { confirmed, sent: None, wanted, publication, seen, archived: false, project: ProjectState::Right, unfinished: false }
    }

    fn compared(&self) -> Comparison {
        let mark = Mark { cluster: "c".into(), uid: "u".into(), namespace: "n".into(), name: "a".into() };
        let active = self.seen.publication.as_ref().is_some_and(|published| published.digest.is_some());
        let mut remote = RemoteWorkflow { active, is_archived: self.archived, ..RemoteWorkflow::default() };
        mark.put(&mut remote.settings);
        let (confirmed, sent) = (self.confirmed.as_ref(), self.sent.as_ref());
        let known = Known { confirmed, sent, late: None, unfinished: self.unfinished };
        Comparison { project: self.project, ..compare(&self.wanted, &mark, &remote, &self.seen, known) }
    }

    fn plan(&self, policy: DriftPolicy) -> Plan {
        plan(&self.compared(), self.publication, policy, false)
    }
}

/// Named A, with version V published, or only saved.
fn serving() -> Snapshot {
    holding("A", "V", Some("V"))
}

fn saved() -> Snapshot {
    holding("A", "V", None)
}

/// The same, confirmed while `spec.active` was absent.
fn of_people(seen: &Snapshot) -> Snapshot {
    Snapshot { publication: None, ..seen.clone() }
}

#[test]
fn nothing_to_do_means_no_steps() {
    for policy in POLICIES {
        for (confirmed, wanted, seen) in [
            (serving(), Published, serving()),
            (saved(), Unpublished, saved()),
            (of_people(&saved()), Untouched, serving()),
            (of_people(&serving()), Untouched, saved()),
            // Whatever was confirmed before, n8n already holds the wanted state.
            (holding("B", "U", None), Published, serving()),
        ] {
            assert_eq!(Case::new(confirmed, ("A", "V", wanted), seen).plan(policy), Plan::default());
        }
    }
}

#[test]
fn an_edit_of_the_spec_is_written_under_every_policy_and_is_no_drift() {
    for policy in POLICIES {
        for (what, confirmed, wanted, steps) in [
            ("active: false", serving(), ("A", "V", Unpublished), vec![Unpublish]),
            ("active: true", saved(), ("A", "V", Published), vec![Publish]),
            ("active taken out", serving(), ("A", "V", Untouched), vec![]),
            ("active put in, true", of_people(&saved()), ("A", "V", Published), vec![Publish]),
            ("active put in, false", of_people(&serving()), ("A", "V", Unpublished), vec![Unpublish]),
            ("displayName", serving(), ("B", "V", Published), vec![Update]),
            ("displayName of one that is not published", saved(), ("B", "V", Unpublished), vec![Update]),
            ("a new version", serving(), ("A", "W", Published), vec![Update, Publish]),
            ("a new version, not published", saved(), ("A", "W", Unpublished), vec![Update]),
            ("a new version and active: false", serving(), ("A", "W", Unpublished), vec![Update, Unpublish]),
            ("all at once", saved(), ("B", "W", Published), vec![Update, Publish]),
        ] {
            let seen = if confirmed.publication.is_some() { confirmed.clone() } else { serving_or_saved(what) };
            let found = Case::new(confirmed, wanted, seen).plan(policy);
            assert_eq!((found.steps, found.undone, found.left), (steps, vec![], vec![]), "{what}, {policy:?}");
        }
        // A setting that holds the id of another workflow, which changed.
        let mut case = Case::new(serving(), ("A", "V", Published), serving());
        case.wanted = with_setting(case.wanted, "v2");
        assert_eq!(case.plan(policy), Plan { steps: vec![Update], ..Plan::default() });
    }
}

fn serving_or_saved(what: &str) -> Snapshot {
    if what.ends_with("false") { serving() } else { saved() }
}

#[test]
fn without_a_confirmed_state_nothing_is_drift() {
    let never = Case { confirmed: None, ..Case::new(serving(), ("B", "W", Published), saved()) };
    for policy in POLICIES {
        let found = never.plan(policy);
        assert_eq!((found.steps, found.undone, found.left), (vec![Update, Publish], vec![], vec![]));
    }
}

#[test]
fn drift_is_reverted_only_under_the_revert_policy() {
    let order = Drift::Settings(vec!["executionOrder".to_owned()]);
    for (seen, archived, drift, steps) in [
        (holding("A", "X", Some("X")), false, Drift::Edited, vec![Update, Publish]),
        (holding("A", "V", Some("X")), false, Drift::Edited, vec![Publish]),
        (saved(), true, Drift::Archived, vec![Unarchive, Publish]),
        (saved(), false, Drift::Publication, vec![Publish]),
        (holding("C", "V", Some("V")), false, Drift::Renamed, vec![Update]),
        (with_setting(serving(), "v0"), false, order, vec![Update]),
    ] {
        let case = Case { archived, ..Case::new(serving(), ("A", "V", Published), seen) };
        let undone = case.plan(DriftPolicy::Revert);
        assert_eq!((undone.steps, undone.undone, undone.left), (steps, vec![drift.clone()], vec![]), "{drift:?}");
        for left in [case.plan(DriftPolicy::Report), case.plan(DriftPolicy::Ignore)].into_iter().chain([plan(
            &case.compared(),
            Published,
            DriftPolicy::Revert,
            true,
        )]) {
            assert_eq!((left.steps, left.undone, left.left), (vec![], vec![], vec![drift.clone()]), "{drift:?}");
        }
    }
    let published = Case::new(saved(), ("A", "V", Unpublished), serving());
    assert_eq!(published.plan(DriftPolicy::Revert).undone, [Drift::Publication]);
    let edited = Case::new(saved(), ("A", "V", Unpublished), holding("A", "X", None));
    assert_eq!(edited.plan(DriftPolicy::Report).left, [Drift::Edited]);
}

#[test]
fn an_edit_of_the_spec_beside_drift_is_written_and_the_policy_decides_about_the_drift() {
    let edited = holding("A", "X", Some("X"));
    // The spec unpublishes while a person published something else.
    let case = Case::new(serving(), ("A", "V", Unpublished), edited.clone());
    let found = case.plan(DriftPolicy::Revert);
    assert_eq!((found.steps, found.undone), (vec![Update, Unpublish], vec![Drift::Edited]));
    for policy in [DriftPolicy::Report, DriftPolicy::Ignore] {
        let found = case.plan(policy);
        assert_eq!((found.steps, found.undone, found.left), (vec![Unpublish], vec![], vec![Drift::Edited]), "{policy:?}");
    }
    // The spec renames; the body keeps the content that a person published.
    let case = Case::new(serving(), ("B", "V", Published), edited);
    for policy in [DriftPolicy::Report, DriftPolicy::Ignore] {
        let found = case.plan(policy);
        assert_eq!((&found.steps, &found.left), (&vec![Update], &vec![Drift::Edited]), "{policy:?}");
        assert!(found.keeps.draft && found.keeps.publication && !found.keeps.name);
    }
    let found = case.plan(DriftPolicy::Revert);
    assert_eq!((found.steps, found.undone), (vec![Update, Publish], vec![Drift::Edited]));
    // The spec publishes while a person changed the draft: the version of the spec is published.
    let case = Case::new(saved(), ("A", "V", Published), holding("A", "X", None));
    for policy in POLICIES {
        assert_eq!(case.plan(policy).steps, [Update, Publish], "{policy:?}");
    }
    // The same part was changed on both sides: the spec wins, and nothing counts as reverted.
    for (wanted, seen) in [
        (("B", "V", Published), holding("C", "V", Some("V"))),
        (("A", "W", Published), holding("A", "X", Some("X"))),
        (("A", "W", Published), holding("A", "X", Some("V"))),
    ] {
        for policy in POLICIES {
            let found = Case::new(serving(), wanted, seen.clone()).plan(policy);
            assert!(!found.steps.is_empty() && found.undone.is_empty() && found.left.is_empty(), "{wanted:?} {policy:?}: {found:?}");
        }
    }
    // A rename in the spec unarchives the workflow, and does nothing more.
    let case = Case { archived: true, ..Case::new(serving(), ("B", "V", Published), saved()) };
    let found = case.plan(DriftPolicy::Ignore);
    assert_eq!((found.steps, found.left), (vec![Unarchive, Update], vec![Drift::Publication]));
}

#[test]
fn an_interrupted_write_is_no_drift_whatever_is_wanted_next() {
    let sent = holding("B", "W", Some("W"));
    for policy in POLICIES {
        // Killed after the draft was saved or published; then the spec is reverted, changed again or unpublishes.
        for seen in [holding("B", "W", Some("V")), holding("B", "W", Some("W")), holding("B", "W", None)] {
            for wanted in [("A", "V", Published), ("A", "U", Published), ("A", "V", Unpublished), ("B", "W", Published)] {
                let known = Case { sent: Some(sent.clone()), unfinished: true, ..Case::new(serving(), wanted, seen.clone()) };
                let found = known.plan(policy);
                assert!(found.undone.is_empty() && found.left.is_empty(), "{wanted:?} {seen:?} {policy:?}: {found:?}");
                assert!(known.compared().holds(wanted.2, &Keeps::default()) || !found.steps.is_empty());
            }
        }
        // Nobody unpublished what an unfinished attempt left unpublished.
        let offline = Case { unfinished: true, ..Case::new(serving(), ("A", "V", Published), saved()) };
        assert_eq!(offline.plan(policy), Plan { steps: vec![Publish], ..Plan::default() });
    }
}

#[test]
fn a_write_that_took_effect_is_confirmed_before_the_next_is_sent() {
    let (first, second) = (holding("B", "W", Some("W")), holding("B", "X", Some("X")));
    let seen = holding("B", "W", Some("V"));
    let mut confirmed = Some(serving());
    confirmed::arrived(&mut confirmed, Some(&first), &seen);
    assert_eq!(confirmed, Some(holding("B", "W", Some("V"))));
    // Killed again before the second was saved.
    let case = Case { confirmed, sent: Some(second), unfinished: true, ..Case::new(serving(), ("B", "X", Published), seen) };
    assert_eq!(case.plan(DriftPolicy::Ignore), Plan { steps: vec![Update, Publish], ..Plan::default() });
    let mut never = None;
    confirmed::arrived(&mut never, Some(&first), &saved());
    assert_eq!(never.map(|known| (known.name, known.draft)), Some((None, None)), "only a setting is as sent");
}

#[test]
fn drift_that_is_left_is_neither_sent_nor_confirmed() {
    let case = Case::new(serving(), ("B", "V", Published), with_setting(holding("A", "X", Some("X")), "v0"));
    let found = case.plan(DriftPolicy::Report);
    assert_eq!(found.left, [Drift::Edited, Drift::Settings(vec!["executionOrder".to_owned()])]);
    let sent = sent(case.wanted.clone(), &found.keeps);
    assert_eq!(sent, Snapshot { name: Some("B".to_owned()), ..Snapshot::default() });
    let mut confirmed = case.confirmed.clone();
    confirm(&mut confirmed, Snapshot { name: Some("B".to_owned()), ..case.seen.clone() }, &found.keeps, true, false);
    assert_eq!(confirmed, Some(holding("B", "V", Some("V"))));
    let remote = RemoteWorkflow { name: "A".into(), nodes: vec![json!({ "name": "theirs" })], ..RemoteWorkflow::default() };
    let settings = json!({ "executionOrder": "v1", "timezone": "DEFAULT" }).as_object().unwrap().clone();
    let wanted = WorkflowWrite { name: "B".into(), nodes: vec![], connections: json!({ "x": 1 }), settings, node_groups: None };
    let body = body(&wanted, &remote, &found.keeps);
    assert_eq!((body.name.as_str(), &body.nodes, &body.connections), ("B", &remote.nodes, &remote.connections));
    assert_eq!(body.settings.keys().collect::<Vec<_>>(), ["timezone"]);
}

#[test]
fn publication_is_confirmed_only_if_the_spec_manages_it() {
    let confirmed = |managed, waits| {
        let mut confirmed = Some(saved());
        confirm(&mut confirmed, serving(), &Keeps::default(), managed, waits);
        confirmed.unwrap().publication
    };
    assert_eq!(confirmed(true, false), serving().publication);
    assert_eq!(confirmed(true, true), saved().publication, "publication waits for a credential");
    assert_eq!(confirmed(false, false), None);
}

#[test]
fn an_edited_draft_is_reported_and_left_until_the_next_write() {
    let drafted = holding("A", "X", Some("V"));
    for policy in POLICIES {
        let found = Case::new(serving(), ("A", "V", Published), drafted.clone()).plan(policy);
        assert_eq!((found.steps, found.undone, found.left), (vec![], vec![], vec![Drift::DraftEdited]));
        // A rename sends the draft as it is.
        let found = Case::new(serving(), ("B", "V", Published), drafted.clone()).plan(policy);
        assert_eq!((&found.steps, &found.left), (&vec![Update], &vec![Drift::DraftEdited]));
        assert!(found.keeps.draft);
        assert_eq!(Case::new(serving(), ("A", "W", Published), drafted.clone()).plan(policy).steps, [Update, Publish]);
    }
}

#[test]
fn a_project_is_wrong_only_if_the_spec_names_one_and_n8n_reports_it() {
    assert_eq!(ProjectState::of(None, Some("a"), Some("b")), ProjectState::Right);
    assert_eq!(ProjectState::of(Some("a"), Some("a"), None), ProjectState::Right);
    assert_eq!(ProjectState::of(Some("a"), None, Some("a")), ProjectState::Right);
    assert_eq!(ProjectState::of(Some("a"), None, Some("b")), ProjectState::ProjectPending);
    assert_eq!(ProjectState::of(Some("a"), Some("b"), Some("b")), ProjectState::ProjectPending);
    assert_eq!(ProjectState::of(Some("a"), Some("a"), Some("b")), ProjectState::Moved);
}

#[test]
fn the_spec_moves_a_workflow_and_the_drift_policy_decides_about_moving_it_back() {
    let at = |project, seen| Case { project, ..Case::new(serving(), ("A", "V", Published), seen) };
    for policy in POLICIES {
        assert_eq!(at(ProjectState::ProjectPending, serving()).plan(policy), Plan { steps: vec![Move], ..Plan::default() });
    }
    let moved = at(ProjectState::Moved, serving());
    let back = Plan { steps: vec![Move], undone: vec![Drift::Moved], ..Plan::default() };
    assert_eq!(moved.plan(DriftPolicy::Revert), back);
    let left = Plan { left: vec![Drift::Moved], ..Plan::default() };
    assert_eq!(moved.plan(DriftPolicy::Report), left);
    assert_eq!(plan(&moved.compared(), Published, DriftPolicy::Revert, true), left);
    // Neither waits for the other.
    let draft = at(ProjectState::Moved, holding("A", "X", Some("V")));
    let found = draft.plan(DriftPolicy::Revert);
    assert_eq!((found.steps, found.undone, found.left), (vec![Move], vec![Drift::Moved], vec![Drift::DraftEdited]));
    assert_eq!(draft.plan(DriftPolicy::Report).left, [Drift::DraftEdited, Drift::Moved]);
    let renamed = at(ProjectState::ProjectPending, holding("C", "V", Some("V"))).plan(DriftPolicy::Report);
    assert_eq!((renamed.steps, renamed.left), (vec![Move], vec![Drift::Renamed]));
}

#[test]
fn only_content_that_was_neither_sent_nor_kept_is_an_edit() {
    let version =
        |id: &str, note: &str| RemoteVersion { version_id: id.into(), nodes: vec![json!({ "name": note })], ..RemoteVersion::default() };
    let stored = |draft: &str, note: &str, active: RemoteVersion| RemoteWorkflow {
        active: true,
        version_id: Some(draft.into()),
        nodes: vec![json!({ "name": note })],
        connections: json!({}),
        active_version_id: Some(active.version_id.clone()),
        active_version: Some(active),
        ..RemoteWorkflow::default()
    };
    let mut status = WorkflowStatus::default();
    history::accept(&mut status, "digest", VersionSource::Definition, "revision".into(), jiff::Timestamp::UNIX_EPOCH);
    let mut ours = status.history;
    history::sent(&mut ours, "digest", Some("1"));
    let found = |remote: &RemoteWorkflow, sent: Option<&Snapshot>| {
        let known = Known { sent, ..Known::default() };
        edits(remote, &ours, known).into_iter().filter_map(|edit| edit.version_id).collect::<Vec<_>>()
    };
    let ids = |remote| found(&remote, None);
    assert_eq!(ids(stored("1", "a", version("1", "a"))), [""; 0]);
    assert_eq!(ids(stored("2", "b", version("1", "a"))), ["2"]);
    assert_eq!(ids(stored("2", "a", version("1", "a"))), [""; 0], "the draft left by a rollback");
    assert_eq!(ids(stored("1", "a", version("2", "b"))), ["2"]);
    assert_eq!(ids(stored("3", "c", version("2", "b"))), ["3", "2"]);
    assert_eq!(ids(RemoteWorkflow::default()), [""; 0]);
    // Killed before n8n's version id of the saved draft was recorded.
    let interrupted = stored("2", "b", version("1", "a"));
    let sent = confirmed::seen(&interrupted, &Default::default());
    assert_eq!(found(&interrupted, Some(&Snapshot { draft: sent.draft, ..Snapshot::default() })), [""; 0]);
}
