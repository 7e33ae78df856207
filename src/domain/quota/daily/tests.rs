use super::*;
use crate::domain::quota::report::refresh;
use proptest::prelude::*;

const NAME: &str = "team-a";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn limited(deployments: i64) -> QuotaLimits {
    QuotaLimits { deployments_per_day: Some(deployments), ..QuotaLimits::default() }
}

fn deployment(key: &str) -> Use<'_> {
    Use { resource: QuotaResource::DeploymentsPerDay, key, amount: 1 }
}

fn used(status: &WorkflowQuotaStatus) -> i64 {
    status.used.deployments_per_day.unwrap_or(0)
}

#[test]
fn a_repetition_counts_once_and_the_limit_holds() {
    let (mut status, hard, now) = (WorkflowQuotaStatus::default(), limited(2), time("2026-11-29T10:00:00Z"));
    for key in ["a/1", "a/1", "b/1"] {
        assert_eq!(reserve(&mut status, (NAME, &hard), deployment(key), now), Ok(()));
    }
    assert_eq!(used(&status), 2);
    let exceeded = reserve(&mut status, (NAME, &hard), deployment("c/1"), now).unwrap_err();
    assert_eq!((exceeded.used, exceeded.limited, exceeded.until), (2, 2, Some(time("2026-11-30T00:00:00Z"))));
    settle(&mut status, Use { amount: 0, ..deployment("b/1") });
    assert_eq!(reserve(&mut status, (NAME, &hard), deployment("c/1"), now), Ok(()));
    settle(&mut status, deployment("a/1"));
    assert_eq!((used(&status), status.reservations.len()), (2, 1));
    assert!(reserve(&mut status, (NAME, &hard), deployment("a/1"), now).is_err(), "a settled use is over; the next is another one");
    assert_eq!(reserve(&mut status, (NAME, &limited(0)), deployment("c/1"), now), Ok(()), "what is reserved goes on under a lowered limit");
}

#[test]
fn an_estimate_is_replaced_by_the_actual_amount() {
    let (mut status, hard, now) = (WorkflowQuotaStatus::default(), limited(1000), time("2026-11-29T10:00:00Z"));
    let estimate = Use { amount: 400, ..deployment("prompt") };
    reserve(&mut status, (NAME, &hard), estimate, now).unwrap();
    settle(&mut status, Use { amount: 250, ..estimate });
    assert_eq!(used(&status), 250);
    settle(&mut status, Use { amount: 250, ..estimate });
    assert_eq!(used(&status), 250, "settled once");
    reserve(&mut status, (NAME, &hard), estimate, now).unwrap();
    settle(&mut status, Use { amount: 900, ..estimate });
    assert_eq!(used(&status), 1150, "what was used is used, even above the limit");
}

#[test]
fn usage_starts_again_at_midnight_in_utc_and_a_clock_that_goes_back_changes_nothing() {
    let (mut status, hard) = (WorkflowQuotaStatus::default(), limited(1));
    reserve(&mut status, (NAME, &hard), deployment("a/1"), time("2026-11-29T23:59:59Z")).unwrap();
    for (now, refused) in
        [("2026-11-29T23:59:59.9Z", true), ("2026-11-28T12:00:00Z", true), ("2026-11-30T00:00:00Z", false), ("2026-11-29T23:00:00Z", true)]
    {
        let outcome = reserve(&mut status, (NAME, &hard), deployment(now), time(now));
        assert_eq!(outcome.is_err(), refused, "{now}");
    }
    assert_eq!((status.day.as_deref(), used(&status)), (Some("2026-11-30"), 1));
    assert_eq!(left(&status, time("2026-11-29T23:00:00Z")), SignedDuration::from_hours(25));
    settle(&mut status, Use { amount: 0, ..deployment("a/1") });
    assert_eq!(used(&status), 1, "a reservation of an earlier day says nothing about this one");
}

#[test]
fn the_list_of_reservations_is_bounded_and_nothing_that_leaves_it_is_given_back() {
    let (mut status, hard, now) = (WorkflowQuotaStatus::default(), limited(500), time("2026-11-29T10:00:00Z"));
    for number in 0..200 {
        reserve(&mut status, (NAME, &hard), deployment(&number.to_string()), now).unwrap();
    }
    assert_eq!((used(&status), status.reservations.len()), (200, MOST_RESERVATIONS));
    settle(&mut status, Use { amount: 0, ..deployment("0") });
    assert_eq!(used(&status), 200);
}

#[test]
fn a_resource_without_a_limit_is_not_counted() {
    let mut status = WorkflowQuotaStatus::default();
    let hard = QuotaLimits { workflows: Some(1), ..QuotaLimits::default() };
    reserve(&mut status, (NAME, &hard), deployment("a/1"), time("2026-11-29T10:00:00Z")).unwrap();
    assert!(status.reservations.is_empty());
    assert_eq!(status.used.deployments_per_day, None);
}

proptest! {
    #[test]
    fn no_sequence_of_reservations_settlements_and_crashes_uses_more_than_the_limit_allows(
        limit in 0..6_i64,
        steps in prop::collection::vec((0..8_usize, 0..4_u8), 0..60),
    ) {
        let (mut status, hard, now) = (WorkflowQuotaStatus::default(), limited(limit), time("2026-11-29T10:00:00Z"));
        let mut sent = 0;
        for (key, step) in steps {
            let key = key.to_string();
            let reserved = is_reserved(&status, QuotaResource::DeploymentsPerDay, &key);
            if reserve(&mut status, (NAME, &hard), deployment(&key), now).is_err() {
                prop_assert!(!reserved && used(&status) == limit);
                continue;
            }
            match step {
                // Sent and confirmed; refused; and two kinds of crash, before and after it was sent.
                0 => { sent += 1; settle(&mut status, deployment(&key)) }
                1 => settle(&mut status, Use { amount: 0, ..deployment(&key) }),
                _ => {}
            }
            refresh(&mut status, &hard);
            prop_assert!(sent <= used(&status) && used(&status) <= limit);
            prop_assert_eq!(status.remaining.deployments_per_day, Some(limit - used(&status)));
        }
    }
}
