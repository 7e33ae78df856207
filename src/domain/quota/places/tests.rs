use super::*;
use crate::api::quota::QuotaLimits;
use crate::api::workflow_status::Intent;
use proptest::prelude::*;

const NONE: Places = Places { workflow: false, active: false };
const WORKFLOW: Places = Places { workflow: true, active: false };
const BOTH: Places = Places { workflow: true, active: true };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn candidate(uid: &str, created: i64, holds: Places, claims: Places) -> Candidate<'_> {
    Candidate { uid, name: uid, created: Some(at(created)), activation: None, holds, claims }
}

fn limits(workflows: Option<i64>, active_workflows: Option<i64>) -> Limits {
    Limits::of([("team-a", &QuotaLimits { workflows, active_workflows, ..QuotaLimits::default() })])
}

/// Returns the refused objects, in the order given, each with the resource.
fn refused<'a>(limits: &Limits, candidates: &[Candidate<'a>]) -> Vec<(&'a str, &'static str)> {
    let standings = Standings::new(limits, candidates);
    candidates.iter().filter_map(|one| Some((one.uid, standings.refusal(one)?.resource.as_str()))).collect()
}

#[test]
fn free_places_go_to_the_oldest_and_holders_keep_theirs() {
    let [a, b, c] = [candidate("a", 1, NONE, WORKFLOW), candidate("b", 2, NONE, WORKFLOW), candidate("c", 3, WORKFLOW, WORKFLOW)];
    for (workflows, expected) in [
        (None, vec![]),
        (Some(3), vec![]),
        (Some(2), vec![("b", "workflows")]),
        (Some(1), vec![("a", "workflows"), ("b", "workflows")]),
        (Some(0), vec![("a", "workflows"), ("b", "workflows")]),
    ] {
        assert_eq!(refused(&limits(workflows, None), &[c, b, a]).into_iter().rev().collect::<Vec<_>>(), expected, "{workflows:?}");
    }
}

#[test]
fn objects_of_the_same_second_are_ranked_by_uid() {
    let candidates = [candidate("b", 1, NONE, WORKFLOW), candidate("a", 1, NONE, WORKFLOW)];
    assert_eq!(refused(&limits(Some(1), None), &candidates), [("b", "workflows")]);
}

#[test]
fn publication_is_ranked_by_the_time_of_the_request_and_then_by_creation() {
    let asking =
        |uid, created, activation: Option<i64>| Candidate { activation: activation.map(at), ..candidate(uid, created, WORKFLOW, BOTH) };
    let candidates = [asking("old", 1, Some(9)), asking("new", 2, Some(5)), asking("unseen", 0, None), candidate("p", 3, BOTH, BOTH)];
    let expected = |refused: &[&'static str]| refused.iter().map(|uid| (*uid, "activeWorkflows")).collect::<Vec<_>>();
    assert_eq!(refused(&limits(None, Some(3)), &candidates), expected(&["unseen"]));
    assert_eq!(refused(&limits(None, Some(2)), &candidates), expected(&["old", "unseen"]));
    assert_eq!(refused(&limits(None, Some(1)), &candidates), expected(&["old", "new", "unseen"]));
}

#[test]
fn one_without_a_place_in_n8n_keeps_nobody_from_being_published() {
    let candidates = [candidate("in", 2, WORKFLOW, BOTH), candidate("out", 1, NONE, BOTH)];
    assert_eq!(refused(&limits(Some(1), Some(1)), &candidates), [("out", "workflows")]);
}

#[test]
fn one_that_cannot_be_published_takes_no_place_in_n8n_from_others() {
    let candidates = [candidate("published", 1, BOTH, BOTH), candidate("active", 2, NONE, BOTH), candidate("draft", 3, NONE, WORKFLOW)];
    assert_eq!(refused(&limits(Some(2), Some(1)), &candidates), [("active", "activeWorkflows")]);
    assert_eq!(refused(&limits(Some(2), Some(2)), &candidates), [("draft", "workflows")]);
    let candidates = [candidate("in", 2, WORKFLOW, BOTH), candidate("out", 1, NONE, BOTH)];
    assert_eq!(refused(&limits(Some(2), Some(1)), &candidates), [("in", "activeWorkflows")]);
}

#[test]
fn usage_is_what_is_held_or_about_to_be() {
    let candidates = [
        candidate("a", 1, BOTH, BOTH),
        candidate("b", 2, WORKFLOW, WORKFLOW),
        candidate("c", 3, NONE, BOTH),
        candidate("d", 4, NONE, NONE),
        candidate("e", 5, NONE, BOTH),
    ];
    for (workflows, active, expected) in
        [(None, None, (4, 3)), (Some(3), None, (3, 2)), (Some(1), None, (2, 1)), (None, Some(2), (3, 2)), (Some(9), Some(0), (2, 1))]
    {
        let limits = limits(workflows, active);
        let standings = Standings::new(&limits, &candidates);
        let used = |resource| standings.used(resource).unwrap();
        assert_eq!((used(QuotaResource::Workflows), used(QuotaResource::ActiveWorkflows)), expected, "{workflows:?} {active:?}");
    }
}

#[test]
fn places_follow_from_status_and_spec() {
    let mut status = WorkflowStatus::default();
    assert_eq!(Places::of(&status), NONE);
    status.intent = Some(Intent::new(IntentOperation::Create, "d", None, at(1)));
    assert_eq!(Places::of(&status), WORKFLOW);
    status.n8n_workflow_id = Some("w".to_owned());
    status.intent = Some(Intent::new(IntentOperation::Deploy, "d", None, at(1)));
    assert_eq!(Places::of(&status), WORKFLOW);
    status.intent = Some(Intent { publishes: true, ..Intent::new(IntentOperation::Deploy, "d", None, at(1)) });
    assert_eq!(Places::of(&status), BOTH);
    status.intent = Some(Intent::new(IntentOperation::Deploy, "d", Some("v".to_owned()), at(1)));
    assert_eq!(Places::of(&status), BOTH, "the version that was published is published again");
    status.intent = None;
    status.published = Some(true);
    assert_eq!(Places::of(&status), BOTH);
    for (active, suspended, deleting, claimed) in [
        (Some(true), false, false, BOTH),
        (Some(false), false, false, WORKFLOW),
        (None, false, false, WORKFLOW),
        (Some(true), true, false, NONE),
        (Some(true), false, true, NONE),
    ] {
        assert_eq!(Places::claimed(active, suspended, deleting), claimed);
    }
}

#[test]
fn only_a_request_for_more_is_refused() {
    let others = [candidate("a", 1, BOTH, BOTH), candidate("b", 2, NONE, WORKFLOW)];
    let new = Candidate { uid: "", name: "new", created: None, ..candidate("", 0, NONE, BOTH) };
    let says = |limits: &Limits, before: Option<&Candidate<'_>>, after: &Candidate<'_>| {
        refusal(limits, &others, before, after).map(|exceeded| (exceeded.resource.as_str(), exceeded.used))
    };
    assert_eq!(says(&limits(Some(2), None), None, &new), Some(("workflows", 2)));
    assert_eq!(says(&limits(Some(3), None), None, &new), None);
    assert_eq!(says(&limits(Some(3), Some(1)), None, &new), Some(("activeWorkflows", 1)));
    assert_eq!(says(&limits(Some(0), Some(0)), Some(&others[0]), &others[0]), None, "an edit passes, however low the limit is");
    assert_eq!(says(&limits(Some(0), None), Some(&others[1]), &others[1]), None, "also of one that waits");
    let activated = candidate("b", 2, NONE, BOTH);
    assert_eq!(says(&limits(None, Some(1)), Some(&others[1]), &activated), Some(("activeWorkflows", 1)));
    let suspended = candidate("b", 2, NONE, NONE);
    assert_eq!(says(&limits(Some(1), None), Some(&suspended), &others[1]), Some(("workflows", 1)), "resuming asks for a place");
    assert_eq!(says(&limits(Some(0), None), Some(&others[1]), &suspended), None);
}

fn places() -> impl Strategy<Value = Places> {
    any::<(bool, bool)>().prop_map(|(workflow, active)| Places { workflow, active: workflow && active })
}

fn crowd() -> impl Strategy<Value = Vec<(i64, Option<i64>, Places, Places)>> {
    prop::collection::vec((0..4_i64, prop::option::of(0..4_i64), places(), places()), 0..12)
}

proptest! {
    #[test]
    fn admission_one_by_one_in_any_order_never_exceeds_a_limit_and_uses_all_of_it(
        crowd in crowd(),
        workflows in prop::option::of(0..8_i64),
        active in prop::option::of(0..8_i64),
        order in any::<prop::sample::Index>(),
    ) {
        let limits = limits(workflows, active);
        let uids: Vec<String> = (0..crowd.len()).map(|number| format!("u{number}")).collect();
        let mut all: Vec<Candidate<'_>> = uids.iter().zip(&crowd).map(|(uid, (created, activation, holds, claims))| Candidate {
            uid, name: uid, created: Some(at(*created)), activation: activation.map(at), holds: *holds, claims: *claims,
        }).collect();
        let count = |all: &[Candidate<'_>]| {
            (all.iter().filter(|one| one.holds.workflow).count(), all.iter().filter(|one| one.holds.active).count())
        };
        let before = count(&all);
        let ends = Standings::new(&limits, &all);
        let expected = (ends.used(QuotaResource::Workflows), ends.used(QuotaResource::ActiveWorkflows));
        // Each asks in turn, beginning anywhere, and takes its places when it gets them.
        let start = if all.is_empty() { 0 } else { order.index(all.len()) };
        for number in 0..all.len() {
            let number = (start + number) % all.len();
            let one = all[number];
            if Standings::new(&limits, &all).refusal(&one).is_none() {
                all[number].holds.workflow |= one.claims.workflow;
                all[number].holds.active |= one.claims.active;
            }
            let now = count(&all);
            let within = |now: usize, before: usize, limit: Option<i64>| {
                limit.is_none_or(|limit| now <= before.max(usize::try_from(limit).unwrap()))
            };
            prop_assert!(within(now.0, before.0, workflows) && within(now.1, before.1, active));
        }
        // No waiting object would get a place now, and no place is left for another one.
        let after = Standings::new(&limits, &all);
        prop_assert_eq!((after.used(QuotaResource::Workflows), after.used(QuotaResource::ActiveWorkflows)), expected);
        let number_of = |number: usize| Some(i64::try_from(number).unwrap());
        let now = count(&all);
        prop_assert_eq!((number_of(now.0), number_of(now.1)), expected);
    }
}
