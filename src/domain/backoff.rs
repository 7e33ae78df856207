//! When to look again: jittered intervals and growing pauses. The jitter is derived from the object, so that it needs
//! no randomness and spreads a fleet all the same.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The shortest interval that is honoured.
pub const MINIMUM_INTERVAL: Duration = Duration::from_secs(1);
/// The longest pause between tries: as long as a Secret is believed, so that a mended one is noticed as soon.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// For so long something that happened is remembered where it must not happen too often.
const LATELY: Duration = Duration::from_secs(3600);

/// How often a version is tried without a clear end before it counts as failed.
const ENOUGH_TRIES: i64 = 3;
/// The least time over which that must have happened: a hiccup of n8n condemns no version.
const ENOUGH_TIME: Duration = Duration::from_secs(30);
/// The longest rest of a version that was given up because nobody answered.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// For so long at least n8n is tried before a deletion is given up, whatever the clocks of two machines say.
const LEAST_TRIED: Duration = Duration::from_secs(60);

/// How much longer a deletion waits for n8n, out of `bound`. `age` is the time since the API server noted the deletion by a clock of its own,
/// which may be minutes off; `tried` is the time since this process knows of it, by one clock.
pub fn deletion_left(bound: Duration, age: Duration, tried: Duration) -> Duration {
    let least = LEAST_TRIED.min(bound);
    bound.saturating_sub(age.max(tried)).max(least.saturating_sub(tried))
}

/// Whether something was tried often and for long enough to be given up.
pub fn enough(tries: i64, since: Timestamp, now: Timestamp) -> bool {
    tries >= ENOUGH_TRIES && now.duration_since(since).unsigned_abs() >= ENOUGH_TIME
}

/// Probes of one version that no workflow answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    digest: String,
    tries: i64,
    since: Option<Timestamp>,
    given_up: u32,
}

impl Silence {
    /// One more probe of a version was not answered; tells whether it is given up for now.
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

    /// How long a version that was given up rests before it is tried again: until the next look, and longer each time. Callers meet
    /// the version while it is tried.
    pub fn rest(&self, digest: &str, interval: Duration) -> Duration {
        let before = if self.digest == digest { self.given_up.saturating_sub(1).min(16) } else { 0 };
        interval.max(ENOUGH_TIME).saturating_mul(1 << before).min(LONGEST_REST)
    }
}

/// What must not happen too often, and when it did lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlidingWindow(Vec<Timestamp>);

impl SlidingWindow {
    /// How often it happened within the last hour.
    pub fn count(&mut self, now: Timestamp) -> usize {
        self.0.retain(|at| Duration::try_from(now.duration_since(*at)).is_ok_and(|age| age < LATELY));
        self.0.len()
    }

    /// It happens again.
    pub fn note(&mut self, now: Timestamp) {
        self.0.push(now);
    }
}

/// The interval, longer or shorter by up to a tenth, different for each object and each turn.
pub fn jittered(interval: Duration, seed: &str, turn: u64) -> Duration {
    let interval = interval.max(MINIMUM_INTERVAL);
    interval.mul_f64(0.9 + 0.2 * fraction(seed, turn))
}

/// The pause after so many failures in a row: doubling from half a second to a minute, jittered by a quarter.
pub fn pause(failures: u32, seed: &str) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.75 + 0.25 * fraction(seed, u64::from(failures)))
}

/// The longest pause that a server can ask for.
pub const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// The pause after a failure: never shorter than the growing one, whatever a server says, and not much longer than it may ask for.
pub fn at_least(pause: Duration, asked: Option<Duration>) -> Duration {
    pause.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

/// A number in [0, 1) that depends on the arguments only.
fn fraction(seed: &str, turn: u64) -> f64 {
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
    fn silence_gives_a_version_up_after_three_probes_in_half_a_minute_and_lets_it_rest_longer_each_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut silence = Silence::default();
        let noted: Vec<bool> = [0, 1, 2, 29, 30].map(|second| silence.note("a", at(second))).to_vec();
        assert_eq!(noted, [false, false, false, false, true]);
        assert_eq!([100, 200].map(|second| silence.note("b", at(second))), [false, false], "what another version met does not count");
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
    fn no_clock_of_another_machine_lets_a_deletion_go_untried_or_wait_for_ever() {
        let seconds = Duration::from_secs;
        for (bound, age, tried, left) in [
            (600, 0, 0, 600),
            (600, 200, 200, 400),
            // The operator was started anew.
            (600, 500, 0, 100),
            (600, 590, 0, 60),
            (600, 590, 60, 10),
            (600, 600, 61, 0),
            // Our clock is hours ahead, or behind.
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
    fn what_a_server_asks_for_never_shortens_a_pause_and_lengthens_it_within_bounds() {
        let seconds = Duration::from_secs;
        for (pause, asked, then) in
            [(8, None, 8), (8, Some(0), 8), (8, Some(7), 8), (8, Some(17), 17), (60, Some(300), 300), (8, Some(86_400), 300)]
        {
            assert_eq!(at_least(seconds(pause), asked.map(seconds)), seconds(then), "{asked:?}");
        }
    }
}
