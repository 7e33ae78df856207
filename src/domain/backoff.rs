//! Times of the next reconciliation: jittered intervals and exponential backoff. The jitter is derived from the object, so it needs no
//! randomness and still spreads a fleet.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Shortest reconciliation interval that is honoured.
pub const MINIMUM_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum backoff between retries: as long as a Secret is cached, so that a corrected Secret is noticed within one retry.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Time window in which repeated events are counted.
const LATELY: Duration = Duration::from_secs(3600);

/// Number of attempts without a clear result after which a version counts as failed.
const ENOUGH_TRIES: i64 = 3;
/// Minimum time over which these attempts must be spread, so that a short outage of n8n fails no version.
const ENOUGH_TIME: Duration = Duration::from_secs(30);
/// Longest pause before a version that was given up for lack of a probe answer is tried again.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// Minimum time for which n8n is tried before a deletion is given up, even if clocks of two machines disagree.
const LEAST_TRIED: Duration = Duration::from_secs(60);

/// Returns how much longer a deletion waits for n8n, out of `bound`. `age` is the time since the deletion timestamp, which the API server
/// set by its own clock and which may be minutes off; `tried` is the time since this process learned of the deletion, measured by one
/// clock.
pub fn deletion_left(bound: Duration, age: Duration, tried: Duration) -> Duration {
    let least = LEAST_TRIED.min(bound);
    bound.saturating_sub(age.max(tried)).max(least.saturating_sub(tried))
}

/// Reports whether there were enough attempts, over a long enough time, to give up.
pub fn enough(tries: i64, since: Timestamp, now: Timestamp) -> bool {
    tries >= ENOUGH_TRIES && now.duration_since(since).unsigned_abs() >= ENOUGH_TIME
}

/// Unanswered probes of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    digest: String,
    tries: i64,
    since: Option<Timestamp>,
    given_up: u32,
}

impl Silence {
    /// Records one more unanswered probe of a version; returns whether the version is given up for now.
    pub fn note(&mut self, digest: &str, now: Timestamp) -> bool {
        if self.digest != digest {
            *self = Self { digest: digest.to_owned(), ..Self::default() };
        }
        self.tries += 1;
        let given_up = enough(self.tries, *self.since.get_or_insert(now), now);
        if given_up {
            *self = Self { tries: 0, since: None, given_up: self.given_up.saturating_add(1), ..std::mem::take(self) };
        }
        given_up
    }

    /// Returns how long a version that was given up pauses before it is tried again: one interval at first, and longer each
    /// time, because callers reach the version while it is tried.
    pub fn rest(&self, digest: &str, interval: Duration) -> Duration {
        let before = if self.digest == digest { self.given_up.saturating_sub(1).min(16) } else { 0 };
        interval.max(ENOUGH_TIME).saturating_mul(1 << before).min(LONGEST_REST)
    }
}

/// Times within the last hour of an event whose rate is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlidingWindow(Vec<Timestamp>);

impl SlidingWindow {
    /// Returns the number of events within the last hour.
    pub fn count(&mut self, now: Timestamp) -> usize {
        self.0.retain(|at| Duration::try_from(now.duration_since(*at)).is_ok_and(|age| age < LATELY));
        self.0.len()
    }

    /// Records an event.
    pub fn note(&mut self, now: Timestamp) {
        self.0.push(now);
    }
}

/// Returns the interval, longer or shorter by up to a tenth, different for each object and each turn.
pub fn jittered(interval: Duration, seed: &str, turn: u64) -> Duration {
    let interval = interval.max(MINIMUM_INTERVAL);
    interval.mul_f64(0.9 + 0.2 * fraction(seed, turn))
}

/// Returns between half of a period and the whole, different for each object and each turn, so that what begins together does not stay so.
pub fn spread(period: Duration, seed: &str, turn: u64) -> Duration {
    period.mul_f64(0.5 + 0.5 * fraction(seed, turn))
}

/// Returns the exponential backoff after this number of consecutive failures: doubling from half a second to a minute, with a jitter of a
/// quarter.
pub fn pause(failures: u32, seed: &str) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.75 + 0.25 * fraction(seed, u64::from(failures)))
}

/// Longest pause that a server can request (`Retry-After`).
pub const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// Returns the pause after a failure: the longer of the exponential backoff and the pause that a server requests, which is limited.
pub fn at_least(pause: Duration, asked: Option<Duration>) -> Duration {
    pause.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

/// Returns a number in [0, 1) that depends on the arguments only.
pub fn fraction(seed: &str, turn: u64) -> f64 {
    let hash = Sha256::new().chain_update(seed).chain_update(turn.to_be_bytes()).finalize();
    let bits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_stay_within_a_tenth_and_differ() {
        let interval = Duration::from_secs(300);
        let spans: Vec<_> = (0..100).map(|turn| jittered(interval, "uid", turn)).collect();
        assert!(spans.iter().all(|span| (270..=330).contains(&span.as_secs())));
        assert!(spans.iter().collect::<std::collections::BTreeSet<_>>().len() > 90);
    }

    #[test]
    fn three_unanswered_probes_in_half_a_minute_give_a_version_up_and_each_pause_is_longer() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut silence = Silence::default();
        let noted: Vec<bool> = [0, 1, 2, 29, 30].map(|second| silence.note("a", at(second))).to_vec();
        assert_eq!(noted, [false, false, false, false, true]);
        assert_eq!([100, 200].map(|second| silence.note("b", at(second))), [false, false], "probes of another version do not count");
        let mut silence = Silence::default();
        let (minutes, hour) = (Duration::from_secs(300), Duration::from_secs(3600));
        let rests: Vec<Duration> = (0..5)
            .map(|round| {
                assert_eq!([0, 15, 31].map(|second| silence.note("a", at(1000 * round + second))), [false, false, true]);
                silence.rest("a", minutes)
            })
            .collect();
        assert_eq!(rests, [minutes, minutes * 2, minutes * 4, minutes * 8, hour]);
        assert_eq!(silence.rest("b", minutes), minutes);
        assert_eq!(Silence::default().rest("a", Duration::from_secs(1)), Duration::from_secs(30));
    }

    #[test]
    fn a_wrong_clock_neither_skips_the_attempts_of_a_deletion_nor_makes_it_wait_for_ever() {
        let seconds = Duration::from_secs;
        for (bound, age, tried, left) in [
            (600, 0, 0, 600),
            (600, 200, 200, 400),
            // The operator was restarted.
            (600, 500, 0, 100),
            (600, 590, 0, 60),
            (600, 590, 60, 10),
            (600, 600, 61, 0),
            // The clock of this machine is hours ahead or behind.
            (600, 9000, 0, 60),
            (600, 9000, 60, 0),
            (600, 0, 600, 0),
            (12, 9000, 0, 12),
            (12, 12, 12, 0),
        ] {
            assert_eq!(deletion_left(seconds(bound), seconds(age), seconds(tried)), seconds(left), "{bound} {age} {tried}");
        }
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        assert!(pause(1, "uid") <= Duration::from_millis(500));
        assert!(pause(5, "uid") > pause(1, "uid"));
        assert!(pause(1000, "uid") <= LONGEST_PAUSE);
        assert!(pause(1000, "uid") >= LONGEST_PAUSE.mul_f64(0.75));
    }

    #[test]
    fn retry_after_never_shortens_a_pause_and_lengthens_it_within_bounds() {
        let seconds = Duration::from_secs;
        for (pause, asked, then) in
            [(8, None, 8), (8, Some(0), 8), (8, Some(7), 8), (8, Some(17), 17), (60, Some(300), 300), (8, Some(86_400), 300)]
        {
            assert_eq!(at_least(seconds(pause), asked.map(seconds)), seconds(then), "{asked:?}");
        }
    }
}
