//! Concurrency limit and rate limit of one server, so that a slow one delays only its own users.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::backoff::LONGEST_ASKED;

/// Maximum pause that an answer can impose; a malicious header must not stop calls for longer.
pub const LONGEST_PAUSE: Duration = LONGEST_ASKED;

/// Pause after a 429 that names none, or a shorter one.
pub const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Maximum number of concurrent long requests.
const LONG: usize = 4;

/// Purpose of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestLength {
    /// A request that the server answers itself.
    Short,
    /// A request that takes as long as the work that it starts. Such requests have slots of their own.
    Long,
}

/// Decides when the next request may be sent.
#[derive(Debug)]
pub struct Throttle {
    slots: Arc<Semaphore>,
    long: Arc<Semaphore>,
    limiter: Option<DefaultDirectRateLimiter>,
    paused_until: Mutex<Option<Instant>>,
    longest_wait: Duration,
}

/// Reason why a request may not be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// An answer asked for a pause, which ends after this time.
    Paused(Duration),
    /// No slot became free within this time.
    Full(Duration),
}

impl Throttle {
    /// Creates a throttle; a request waits for its turn for at most `longest_wait`.
    pub fn new(concurrent: NonZeroU32, per_second: Option<NonZeroU32>, longest_wait: Duration) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(usize::try_from(concurrent.get()).unwrap_or(1))),
            long: Arc::new(Semaphore::new(LONG)),
            limiter: per_second.map(|rate| RateLimiter::direct(Quota::per_second(rate))),
            paused_until: Mutex::new(None),
            longest_wait,
        }
    }

    /// Waits for a slot, then for the rate limit. A pause ends the wait at once. The slot is free again when dropped.
    pub async fn enter(&self, length: RequestLength) -> Result<OwnedSemaphorePermit, NoTurn> {
        self.not_paused()?;
        let slots = match length {
            RequestLength::Short => &self.slots,
            RequestLength::Long => &self.long,
        };
        let wait = async {
            // The semaphore is never closed, so `None` cannot happen; it would mean "no slot".
            let slot = slots.clone().acquire_owned().await.ok()?;
            self.not_paused().ok()?;
            if let Some(limiter) = &self.limiter {
                limiter.until_ready().await;
            }
            Some(slot)
        };
        let slot = tokio::time::timeout(self.longest_wait, wait).await;
        self.not_paused()?;
        match slot {
            Ok(Some(slot)) => Ok(slot),
            Ok(None) | Err(_) => Err(NoTurn::Full(self.longest_wait)),
        }
    }

    /// Stops all requests for `time`, at most [`LONGEST_PAUSE`]. A shorter pause never ends a longer one.
    pub fn pause(&self, time: Duration) {
        let until = Instant::now() + time.min(LONGEST_PAUSE);
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |current| current.max(until)));
    }

    fn not_paused(&self) -> Result<(), NoTurn> {
        let paused = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        match paused.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if !left.is_zero() => Err(NoTurn::Paused(left)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(concurrent: u32, per_second: Option<u32>, wait_ms: u64) -> Throttle {
        Throttle::new(NonZeroU32::new(concurrent).unwrap(), per_second.and_then(NonZeroU32::new), Duration::from_millis(wait_ms))
    }

    #[tokio::test]
    async fn waiting_for_a_slot_ends_after_its_own_limit() {
        let pace = pace(1, None, 30);
        let slot = pace.enter(RequestLength::Short).await.unwrap();
        assert_eq!(pace.enter(RequestLength::Short).await.unwrap_err(), NoTurn::Full(Duration::from_millis(30)));
        drop(slot);
        drop(pace.enter(RequestLength::Short).await.unwrap());
    }

    #[tokio::test]
    async fn long_requests_take_no_slot_from_short_ones_and_are_few() {
        let pace = pace(1, None, 30);
        let mut long = Vec::new();
        for _ in 0..LONG {
            long.push(pace.enter(RequestLength::Long).await.unwrap());
        }
        assert_eq!(pace.enter(RequestLength::Long).await.unwrap_err(), NoTurn::Full(Duration::from_millis(30)));
        drop(pace.enter(RequestLength::Short).await.unwrap());
    }

    #[tokio::test]
    async fn the_rate_is_held() {
        let pace = pace(10, Some(20), 5_000);
        let start = Instant::now();
        for _ in 0..30 {
            drop(pace.enter(RequestLength::Short).await.unwrap());
        }
        // A burst of 20, then 10 more at 20 a second.
        assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_pause_fails_new_requests_at_once_and_ends() {
        let pace = pace(1, None, 5_000);
        pace.pause(Duration::from_millis(60));
        pace.pause(Duration::from_millis(1));
        assert!(matches!(pace.enter(RequestLength::Short).await, Err(NoTurn::Paused(_))));
        tokio::time::sleep(Duration::from_millis(80)).await;
        drop(pace.enter(RequestLength::Short).await.unwrap());
    }

    #[test]
    fn no_answer_can_pause_for_longer_than_the_bound() {
        let pace = pace(1, None, 10);
        pace.pause(Duration::from_secs(1_000_000));
        match pace.not_paused() {
            Err(NoTurn::Paused(left)) => assert!(left <= LONGEST_PAUSE),
            other => panic!("{other:?}"),
        }
    }
}
