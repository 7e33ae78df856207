//! Circuit breaker of one server: after several failures in succession nothing is sent for a while, then one request at a time until one
//! succeeds. A server that is down is not held down by retries, and calls fail at once instead of waiting for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Number of consecutive failures after which the breaker opens.
pub const FAILURES: u32 = 5;
/// Time for which it is open at first; doubled after each request that fails in between.
const OPEN: Duration = Duration::from_secs(15);
const LONGEST_OPEN: Duration = Duration::from_secs(300);

/// State of the circuit breaker of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Requests are sent.
    Closed,
    /// No request is sent for this long.
    Open(Duration),
    /// One request is sent to find out whether the server works again.
    HalfOpen,
}

#[derive(Debug, Default)]
pub(super) struct CircuitBreaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened: u32,
    open_until: Option<Instant>,
    probing: bool,
}

/// A request that the breaker let through. If it is dropped without a result, such as at the deadline of its call, it failed.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    breaker: &'a CircuitBreaker,
    /// True if the breaker was open, and this request finds out if the server works again.
    probe: bool,
    server_state: ServerState,
}

/// Evidence of a request about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerState {
    /// The server works.
    Works,
    /// The server failed.
    Failed,
    /// Nothing: the request was not sent.
    Unknown,
}

impl CircuitBreaker {
    /// Lets a request through; otherwise returns how long nothing is sent.
    pub(super) fn pass(&self) -> Result<Passage<'_>, Duration> {
        let mut state = self.lock();
        let probe = state.open_until.is_some();
        if let Some(until) = state.open_until {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() || state.probing {
                return Err(left.max(Duration::from_secs(1)));
            }
            state.probing = true;
        }
        Ok(Passage { breaker: self, probe, server_state: ServerState::Unknown })
    }

    /// Returns the state.
    pub(super) fn state(&self) -> Breaker {
        let state = self.lock();
        match state.open_until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => Breaker::Closed,
            Some(left) if left.is_zero() => Breaker::HalfOpen,
            Some(left) => Breaker::Open(left),
        }
    }

    fn record(&self, server_state: ServerState, probe: bool) {
        let mut state = self.lock();
        state.probing &= !probe;
        match server_state {
            ServerState::Works => *state = State::default(),
            ServerState::Failed => {
                state.failures = state.failures.saturating_add(1);
                if probe || (state.failures >= FAILURES && state.open_until.is_none()) {
                    let open = OPEN.saturating_mul(1 << state.opened.min(16)).min(LONGEST_OPEN);
                    state.opened = state.opened.saturating_add(1);
                    state.open_until = Some(Instant::now() + open);
                }
            }
            ServerState::Unknown => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn wait_over(&self) {
        self.lock().open_until = Some(Instant::now());
    }
}

impl Passage<'_> {
    /// Notes that the request is sent: from here on silence is a failure.
    pub(super) fn sent(&mut self) {
        self.server_state = ServerState::Failed;
    }

    /// Records what the request says about the server.
    pub(super) fn end(mut self, server_state: ServerState) {
        self.server_state = server_state;
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.breaker.record(self.server_state, self.probe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &CircuitBreaker) {
        breaker.pass().unwrap().end(ServerState::Failed);
    }

    #[test]
    fn it_opens_after_consecutive_failures_and_closes_after_a_success() {
        let breaker = CircuitBreaker::default();
        for _ in 1..FAILURES {
            fail(&breaker);
        }
        breaker.pass().unwrap().end(ServerState::Works);
        for _ in 0..FAILURES {
            assert_eq!(breaker.state(), Breaker::Closed);
            fail(&breaker);
        }
        assert!(matches!(breaker.state(), Breaker::Open(left) if left <= OPEN));
        assert!(breaker.pass().unwrap_err() <= OPEN);
        breaker.wait_over();
        assert_eq!(breaker.state(), Breaker::HalfOpen);
        let probe = breaker.pass().unwrap();
        assert!(breaker.pass().is_err(), "one at a time");
        probe.end(ServerState::Works);
        assert_eq!(breaker.state(), Breaker::Closed);
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_longer_and_one_that_was_not_sent_changes_nothing() {
        let breaker = CircuitBreaker::default();
        for _ in 0..FAILURES {
            fail(&breaker);
        }
        breaker.wait_over();
        drop(breaker.pass().unwrap());
        assert_eq!(breaker.state(), Breaker::HalfOpen);
        let mut silent = breaker.pass().unwrap();
        silent.sent();
        drop(silent);
        assert!(matches!(breaker.state(), Breaker::Open(left) if left > OPEN && left <= OPEN * 2));
        for _ in 0..20 {
            breaker.wait_over();
            fail(&breaker);
        }
        assert!(matches!(breaker.state(), Breaker::Open(left) if left <= LONGEST_OPEN));
    }

    #[test]
    fn requests_that_were_under_way_when_it_opened_do_not_prolong_it() {
        let breaker = CircuitBreaker::default();
        let late: Vec<_> = (0..20).map(|_| breaker.pass().unwrap()).collect();
        late.into_iter().for_each(|passage| passage.end(ServerState::Failed));
        assert!(matches!(breaker.state(), Breaker::Open(left) if left <= OPEN));
    }
}
