//! Retries of failed requests within a call.

use std::time::Duration;

use super::error::{ErrorKind, ModelError};

/// Maximum number of times that a request is sent within a call.
pub const MOST_ATTEMPTS: u32 = 8;
/// Maximum number of times that a request is sent again although the server may have been paid for it.
const MOST_PAID: u32 = 1;
/// Longest pause that a server may ask for within a call; a call that had to wait longer fails, and says when to try again.
pub const LONGEST_ASKED: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Returns how long to wait before the request is sent again; None if it is not. `attempts` counts the requests so far, `paid` those of them
/// that may have been paid for, `left` is the time that remains of the call, and `jitter` is from 0 to 1.
pub fn pause(error: &ModelError, attempts: u32, paid: u32, left: Duration, jitter: f64) -> Option<Duration> {
    let retryable = match error.kind {
        ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::NotConnected => true,
        // The connection broke or the memory was full after the server had answered.
        ErrorKind::Broken | ErrorKind::Busy => paid <= MOST_PAID,
        _ => false,
    };
    if !retryable || attempts >= MOST_ATTEMPTS || error.retry_after.is_some_and(|asked| asked > LONGEST_ASKED) {
        return None;
    }
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    let pause = doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
    // Calls that wait for the same time do not go on at the same moment.
    let pause = error.retry_after.map_or(pause, |asked| asked.max(pause) + FIRST_PAUSE.mul_f64(jitter.clamp(0.0, 1.0)));
    (pause < left).then_some(pause)
}

/// Returns a number from 0 to 1 that depends on the call and the attempt, so that calls that failed together are not repeated together.
pub fn jitter(key: &str, attempt: u32) -> f64 {
    let digits = crate::text::sha256::sha256_hex(format!("{attempt} {key}"));
    f64::from(u32::from_str_radix(&digits[..8], 16).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn error(kind: ErrorKind, asked: Option<u64>) -> ModelError {
        ModelError { retry_after: asked.map(Duration::from_secs), ..ModelError::new(kind, "x") }
    }

    #[test]
    fn what_may_pass_is_tried_again_with_growing_pauses() {
        for kind in [ErrorKind::RateLimited, ErrorKind::Unavailable, ErrorKind::NotConnected, ErrorKind::Broken] {
            let pauses: Vec<u64> = (1..MOST_ATTEMPTS)
                .map(|attempts| u64::try_from(pause(&error(kind, None), attempts, 0, LONG, 1.0).unwrap().as_millis()).unwrap())
                .collect();
            assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000]);
            assert_eq!(pause(&error(kind, None), MOST_ATTEMPTS, 0, LONG, 1.0), None);
        }
        assert_eq!(pause(&error(ErrorKind::Unavailable, None), 1, 0, LONG, 0.0), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        use ErrorKind as K;
        for kind in
            [K::Unauthorized, K::OutOfQuota, K::Rejected, K::TooLong, K::NotFound, K::NotApi, K::AddressDenied, K::TimedOut, K::Unusable]
        {
            assert_eq!(pause(&error(kind, Some(1)), 1, 0, LONG, 0.5), None, "{kind:?}");
        }
    }

    #[test]
    fn a_pause_that_the_server_asks_for_is_kept_up_to_the_bound_and_the_deadline() {
        let limited = |asked, left| pause(&error(ErrorKind::RateLimited, Some(asked)), 1, 0, Duration::from_secs(left), 0.5);
        assert_eq!(limited(7, 600), Some(Duration::from_millis(7_250)));
        assert_eq!(limited(60, 600), Some(Duration::from_millis(60_250)));
        assert_eq!(limited(61, 600), None);
        assert_eq!(limited(7, 7), None);
        assert!(limited(0, 600).unwrap() >= Duration::from_millis(250));
    }

    #[test]
    fn a_request_that_may_have_been_paid_for_is_sent_again_once() {
        let broken = error(ErrorKind::Broken, None);
        assert!(pause(&broken, 1, 1, LONG, 0.5).is_some());
        assert_eq!(pause(&broken, 2, 2, LONG, 0.5), None);
        assert!((0.0..=1.0).contains(&jitter("key", 1)) && jitter("key", 1).to_bits() != jitter("key", 2).to_bits());
    }
}
