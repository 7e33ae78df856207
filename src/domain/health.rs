//! Health of a published version: the share of real executions that fail.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::workflow::HealthCheck;

/// Counts of finished executions in a period of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of executions that finished.
    pub finished: u64,
    /// Number of executions that failed or crashed.
    pub failed: u64,
}

impl Tally {
    /// Returns the share that failed, in percent.
    pub fn percent(self) -> f64 {
        if self.finished == 0 { 0.0 } else { self.failed as f64 * 100.0 / self.finished as f64 }
    }
}

/// Health of a version.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// No health check is configured.
    NotChecked,
    /// The bake time has not ended.
    Baking,
    /// Enough executions, few enough failures.
    Healthy,
    /// Too few executions to decide.
    NotEnough(Tally),
    /// Successful executions are not saved, so an error rate cannot be computed.
    NotSaved,
    /// Over the limit, and worse than the version published before.
    Failing(Tally),
    /// Over the limit, but the version published before was as bad, so a rollback would not help.
    AsBadAsBefore(Tally),
}

/// Decision about a published version that lasts until executions decide otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthDecision {
    /// Few enough executions failed.
    Healthy,
    /// Too many executions failed.
    Failing,
}

impl Health {
    /// Returns the decision that holds from now on; `before` is the one that held about the same publication. Too few executions prove
    /// nothing either way: the decision before stands, or sparse traffic would turn the condition to and fro, with a write and an event
    /// each time.
    pub fn decision(&self, before: Option<HealthDecision>) -> Option<HealthDecision> {
        match self {
            Self::Healthy => Some(HealthDecision::Healthy),
            Self::Failing(_) | Self::AsBadAsBefore(_) => Some(HealthDecision::Failing),
            Self::NotEnough(_) => before,
            Self::NotChecked | Self::Baking | Self::NotSaved => None,
        }
    }
}

/// Returns the period whose executions decide the health of a version published at that time. While the version is `baking`, this is its
/// bake time, even if the check comes late; afterwards it is the most recent period of that length.
pub fn window(published_at: Timestamp, bake: Duration, baking: bool, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
    let over = published_at + bake;
    if baking {
        return (published_at, Some(over).filter(|over| *over < now));
    }
    ((now - bake).max(published_at), None)
}

/// Maximum time between two checks of a baking version; they are a tenth of the bake time apart if that is less.
const BAKING_INTERVAL: Duration = Duration::from_secs(30);

/// Returns the time until the next check of a version that was baking at this age: soon after the end of the bake time at the latest, even
/// if that has passed by now.
pub fn next_check(bake: Duration, age: Duration) -> Duration {
    (bake / 10).min(BAKING_INTERVAL).min(bake.saturating_sub(age)).max(Duration::from_secs(1))
}

/// Decides the health from the executions since publication (`since`) and those of the version before (`before`).
pub fn evaluate(check: Option<&HealthCheck>, since: Tally, before: Option<Tally>, successes_saved: bool, age: Duration) -> Health {
    let Some((check, bake)) = check.and_then(|check| Some((check, check.bake_time?.get()))) else {
        return Health::NotChecked;
    };
    if !successes_saved {
        return Health::NotSaved;
    }
    let minimum = u64::try_from(check.minimum_executions).unwrap_or(1).max(1);
    let over = since.percent() > check.maximum_error_rate as f64;
    if since.finished >= minimum && over {
        let as_bad = before.is_some_and(|before| before.finished >= minimum && before.percent() >= since.percent());
        return if as_bad { Health::AsBadAsBefore(since) } else { Health::Failing(since) };
    }
    if age < bake {
        return Health::Baking;
    }
    if since.finished < minimum { Health::NotEnough(since) } else { Health::Healthy }
}

/// Consequence of the health of a published version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The version failed, and another one replaces it.
    Failed,
    /// The version stays published and is not proved yet.
    Pending,
    /// The version proved itself.
    Good,
}

/// Decides what the health of a version proves. Only a version in its bake time (`baking`) can fail by its health, and none that a rollback
/// published.
pub fn proof(health: &Health, baking: bool, rollback: bool) -> Proof {
    match health {
        Health::Failing(_) if baking && !rollback => Proof::Failed,
        Health::Baking | Health::AsBadAsBefore(_) | Health::Failing(_) => Proof::Pending,
        Health::NotChecked | Health::Healthy | Health::NotEnough(_) | Health::NotSaved => Proof::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check() -> HealthCheck {
        serde_json::from_value(json!({ "bakeTime": "1m", "minimumExecutions": 4, "maximumErrorRate": 25 })).unwrap()
    }

    fn health_of(finished: u64, failed: u64, before: Option<(u64, u64)>, age: u64) -> Health {
        let before = before.map(|(finished, failed)| Tally { finished, failed });
        evaluate(Some(&check()), Tally { finished, failed }, before, true, Duration::from_secs(age))
    }

    #[test]
    fn the_next_check_is_never_long_after_the_end_of_the_bake_time() {
        let pause = |bake, age| next_check(Duration::from_millis(bake), Duration::from_millis(age)).as_millis();
        // Baking at 7.99 s, and recorded at 8.01 s.
        assert_eq!([pause(8_000, 0), pause(8_000, 7_990), pause(8_000, 8_010)], [1_000, 1_000, 1_000]);
        assert_eq!([pause(600_000, 0), pause(600_000, 590_000)], [30_000, 10_000]);
    }

    #[test]
    fn a_version_is_evaluated_by_its_bake_time_however_late_that_is() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = |baking, now| window(at(100), Duration::from_secs(10), baking, at(now));
        assert_eq!(window(true, 105), (at(100), None));
        assert_eq!(window(true, 500), (at(100), Some(at(110))));
        assert_eq!(window(false, 500), (at(490), None));
        assert_eq!(window(false, 105), (at(100), None));
    }

    #[test]
    fn a_decision_needs_enough_executions() {
        assert_eq!(health_of(3, 3, None, 10), Health::Baking);
        assert_eq!(health_of(3, 3, None, 61), Health::NotEnough(Tally { finished: 3, failed: 3 }));
        assert_eq!(health_of(4, 2, None, 10), Health::Failing(Tally { finished: 4, failed: 2 }));
        assert_eq!(health_of(4, 1, None, 10), Health::Baking);
        assert_eq!(health_of(4, 1, None, 61), Health::Healthy);
    }

    #[test]
    fn a_rollback_to_a_version_that_was_as_bad_would_not_help() {
        assert_eq!(health_of(4, 2, Some((10, 5)), 10), Health::AsBadAsBefore(Tally { finished: 4, failed: 2 }));
        assert_eq!(health_of(4, 2, Some((10, 4)), 10), Health::Failing(Tally { finished: 4, failed: 2 }));
        assert_eq!(health_of(4, 2, Some((1, 1)), 10), Health::Failing(Tally { finished: 4, failed: 2 }));
    }

    #[test]
    fn without_saved_successes_or_a_check_there_is_no_decision() {
        let tally = Tally { finished: 9, failed: 9 };
        assert_eq!(evaluate(Some(&check()), tally, None, false, Duration::ZERO), Health::NotSaved);
        assert_eq!(evaluate(None, tally, None, true, Duration::ZERO), Health::NotChecked);
    }

    #[test]
    fn a_version_fails_by_its_executions_only_in_its_bake_time_and_never_where_it_was_put_back() {
        let tally = Tally::default();
        for (health, baking, rollback, expected) in [
            (Health::Failing(tally), true, false, Proof::Failed),
            (Health::Failing(tally), false, false, Proof::Pending),
            (Health::Failing(tally), true, true, Proof::Pending),
            (Health::AsBadAsBefore(tally), true, false, Proof::Pending),
            (Health::Baking, true, false, Proof::Pending),
            (Health::Healthy, true, false, Proof::Good),
            (Health::NotEnough(tally), true, false, Proof::Good),
            (Health::NotSaved, true, false, Proof::Good),
            (Health::NotChecked, true, true, Proof::Good),
        ] {
            assert_eq!(proof(&health, baking, rollback), expected, "{health:?} {baking} {rollback}");
        }
    }

    #[test]
    fn a_decision_stands_until_executions_decide_otherwise() {
        use HealthDecision::{Failing, Healthy};
        let few = Tally { finished: 1, failed: 1 };
        for (health, before, after) in [
            (Health::NotEnough(few), None, None),
            (Health::NotEnough(few), Some(Healthy), Some(Healthy)),
            (Health::NotEnough(few), Some(Failing), Some(Failing)),
            (Health::Healthy, Some(Failing), Some(Healthy)),
            (Health::Failing(few), Some(Healthy), Some(Failing)),
            (Health::AsBadAsBefore(few), None, Some(Failing)),
            (Health::Baking, Some(Healthy), None),
            (Health::NotSaved, Some(Failing), None),
            (Health::NotChecked, Some(Failing), None),
        ] {
            assert_eq!(health.decision(before), after, "{health:?} after {before:?}");
        }
    }
}
