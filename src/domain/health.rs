//! Whether a published version proves itself: by the share of real executions that fail.

use std::time::Duration;

use serde_json::Value;

use crate::api::workflow::HealthCheck;

/// Finished executions of a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All that finished.
    pub finished: u64,
    /// Those that failed or crashed.
    pub failed: u64,
}

impl Tally {
    /// The share that failed, in percent.
    pub fn percent(self) -> f64 {
        if self.finished == 0 { 0.0 } else { self.failed as f64 * 100.0 / self.finished as f64 }
    }
}

/// What is known of a version's health.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// Nothing is asked for.
    NotChecked,
    /// The bake time runs on.
    Baking,
    /// Enough executions, few enough failures.
    Healthy,
    /// Too few executions for a verdict.
    NotEnough(Tally),
    /// Successes are not saved, so that a rate means nothing.
    NotSaved,
    /// Over the limit, and worse than what served before.
    Failing(Tally),
    /// Over the limit, but what served before was as bad: going back would not help.
    AsBadAsBefore(Tally),
}

/// Judges by the executions since publication (`now`) and those of the version before it.
pub fn judge(check: Option<&HealthCheck>, since: Tally, before: Option<Tally>, successes_saved: bool, age: Duration) -> Health {
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

/// Whether a JSON answer contains what a probe expects: objects by the keys that are named, anything else whole.
pub fn contains(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            expected.iter().all(|(key, expected)| answer.get(key).is_some_and(|answer| contains(answer, expected)))
        }
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len() && answer.iter().zip(expected).all(|(answer, expected)| contains(answer, expected))
        }
        (Value::Number(answer), Value::Number(expected)) => answer.as_f64() == expected.as_f64(),
        _ => answer == expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check() -> HealthCheck {
        serde_json::from_value(json!({ "bakeTime": "1m", "minimumExecutions": 4, "maximumErrorRate": 25 })).unwrap()
    }

    fn judged(finished: u64, failed: u64, before: Option<(u64, u64)>, age: u64) -> Health {
        let before = before.map(|(finished, failed)| Tally { finished, failed });
        judge(Some(&check()), Tally { finished, failed }, before, true, Duration::from_secs(age))
    }

    #[test]
    fn a_verdict_needs_enough_executions() {
        assert_eq!(judged(3, 3, None, 10), Health::Baking);
        assert_eq!(judged(3, 3, None, 61), Health::NotEnough(Tally { finished: 3, failed: 3 }));
        assert_eq!(judged(4, 2, None, 10), Health::Failing(Tally { finished: 4, failed: 2 }));
        assert_eq!(judged(4, 1, None, 10), Health::Baking);
        assert_eq!(judged(4, 1, None, 61), Health::Healthy);
    }

    #[test]
    fn going_back_to_something_as_bad_would_not_help() {
        assert_eq!(judged(4, 2, Some((10, 5)), 10), Health::AsBadAsBefore(Tally { finished: 4, failed: 2 }));
        assert_eq!(judged(4, 2, Some((10, 4)), 10), Health::Failing(Tally { finished: 4, failed: 2 }));
        assert_eq!(judged(4, 2, Some((1, 1)), 10), Health::Failing(Tally { finished: 4, failed: 2 }));
    }

    #[test]
    fn without_saved_successes_or_a_check_there_is_no_verdict() {
        let tally = Tally { finished: 9, failed: 9 };
        assert_eq!(judge(Some(&check()), tally, None, false, Duration::ZERO), Health::NotSaved);
        assert_eq!(judge(None, tally, None, true, Duration::ZERO), Health::NotChecked);
    }

    #[test]
    fn an_expected_object_names_only_the_keys_that_matter() {
        let answer = json!({ "status": "ok", "items": [{ "id": 1.0, "at": "now" }] });
        assert!(contains(&answer, &json!({ "items": [{ "id": 1 }] })));
        assert!(!contains(&answer, &json!({ "items": [] })));
        assert!(!contains(&answer, &json!({ "status": "failed" })));
    }
}
