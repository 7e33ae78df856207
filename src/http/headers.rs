//! Times in the headers of an answer.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::throttle::LONGEST_PAUSE;

/// Returns `Retry-After`, given in seconds or as an HTTP date, up to the longest pause that an answer can impose.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    Some(asked_pause(headers)?.min(LONGEST_PAUSE))
}

/// Returns `Retry-After` as the server wrote it, for messages.
pub fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default()
    };
    Some(wait)
}

/// Returns how many seconds the server's clock is ahead of the local one. `Date` has no fractions of a second and the answer took time to
/// arrive, so a difference of less than two seconds counts as none.
pub fn clock_ahead(headers: &HeaderMap) -> Option<i64> {
    let date = jiff::fmt::rfc2822::parse(headers.get(DATE)?.to_str().ok()?.trim()).ok()?.timestamp();
    let ahead = date.as_second() - jiff::Timestamp::now().as_second();
    Some(if ahead.abs() < 2 { 0 } else { ahead })
}
