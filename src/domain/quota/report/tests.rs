use jiff::Timestamp;

use super::*;
use crate::domain::quota::places::Places;

const IN: Places = Places { workflow: true, active: false };
const PUBLISHED: Places = Places { workflow: true, active: true };

fn candidate(name: &str, created: i64, holds: Places, claims: Places) -> Candidate<'_> {
    Candidate { uid: name, name, created: Timestamp::from_second(created).ok(), activation: None, holds, claims }
}

fn limits(workflows: Option<i64>, active_workflows: Option<i64>) -> QuotaLimits {
    QuotaLimits { workflows, active_workflows, deployments_per_day: Some(50), ..QuotaLimits::default() }
}

#[test]
fn the_line_reads_like_the_one_of_resource_quota() {
    let mut status = WorkflowQuotaStatus::default();
    status.used.deployments_per_day = Some(7);
    let own = limits(Some(5), Some(2));
    let all = Limits::of([("team-a", &own)]);
    let candidates = [candidate("a", 1, PUBLISHED, PUBLISHED), candidate("b", 2, PUBLISHED, PUBLISHED), candidate("c", 3, IN, IN)];
    let exceeded = count(&mut status, &own, &all, &candidates);
    refresh(&mut status, &own);
    assert_eq!(status.summary.as_deref(), Some("workflows: 3/5, activeWorkflows: 2/2, deploymentsPerDay: 7/50"));
    assert_eq!((status.remaining.workflows, status.remaining.active_workflows), (Some(2), Some(0)));
    assert_eq!(exceeded.status, ConditionStatus::False);
    refresh(&mut status, &QuotaLimits { workflows: Some(2), ..QuotaLimits::default() });
    assert_eq!(status.summary.as_deref(), Some("workflows: 3/2"));
    assert_eq!((status.remaining.workflows, status.used.deployments_per_day), (Some(0), None));
}

#[test]
fn who_waits_and_who_is_beyond_a_lowered_limit_is_named() {
    let names: Vec<String> = (0..15).map(|number| format!("w{number:02}")).collect();
    let mut candidates: Vec<Candidate<'_>> = names.iter().map(|name| candidate(name, 1, IN, IN)).collect();
    candidates.push(candidate("new", 2, Places::default(), IN));
    candidates.push(candidate("to-publish", 3, IN, PUBLISHED));
    let own = limits(Some(4), Some(0));
    let all = Limits::of([("a", &own)]);
    let exceeded = count(&mut WorkflowQuotaStatus::default(), &own, &all, &candidates);
    assert_eq!(
        exceeded.message,
        "workflows: 12 beyond the limit of 4, and kept: w04, w05, w06, w07, w08, w09, w10, w11, w12, w13 and 2 more; \
         workflows: 1 waiting for a place: new; activeWorkflows: 1 waiting for a place: to-publish"
    );
    assert_eq!((exceeded.status, exceeded.reason), (ConditionStatus::True, Reason::QuotaExceeded));
}

#[test]
fn a_quota_does_not_report_those_who_wait_for_a_lower_limit_of_another() {
    let (own, other) = (limits(Some(9), None), limits(Some(1), None));
    let all = Limits::of([("own", &own), ("other", &other)]);
    let candidates = [candidate("a", 1, IN, IN), candidate("b", 2, Places::default(), IN)];
    let mut status = WorkflowQuotaStatus::default();
    assert_eq!(count(&mut status, &own, &all, &candidates).status, ConditionStatus::False);
    assert_eq!(status.used.workflows, Some(1));
    assert_eq!(count(&mut status, &other, &all, &candidates).message, "workflows: 1 waiting for a place: b");
}
