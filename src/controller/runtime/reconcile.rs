//! One reconciliation of an object of any kind: limited in time, its panics caught, counted, and followed by the next one.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use kube::runtime::controller::Action;
use prometheus::{IntCounter, IntCounterVec};
use tracing::{Span, error, warn};

use super::backoffs::Backoffs;
use super::liveness::Liveness;
use crate::api::reason::{Class, Reason};
use crate::domain::backoff;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;

/// Time that a reconciliation may take beyond its limit to read its object, to write its status and, for a deleted object, to clean up.
pub const REPORTING: Duration = Duration::from_secs(60);

/// Result of a reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Reason that metrics count it by.
    pub reason: Reason,
    /// Time of the next one.
    pub next: Next,
}

impl Ended {
    /// Returns a result without a next reconciliation.
    pub const fn for_good(reason: Reason) -> Self {
        Self { reason, next: Next::OnChange }
    }

    /// Returns a failure that is retried with exponential backoff.
    pub const fn failed(reason: Reason) -> Self {
        Self { reason, next: Next::Backoff { asked: None, longest: backoff::LONGEST_PAUSE } }
    }

    /// Returns the result of a reconciliation with this outcome. Without a failure the next one is after `interval`.
    pub fn of(outcome: &Outcome, interval: Duration) -> Self {
        match outcome {
            Outcome::Ready(_) => Self { reason: Reason::Succeeded, next: Next::Interval(interval) },
            Outcome::Blocked(reason, _) => Self { reason: *reason, next: Next::Interval(interval) },
            Outcome::InProgress(reason, _) => Self::failed(*reason),
            Outcome::Failed(ReconcileError { reason, requeue_after: Some(pause), .. }) => Self::again_in(*reason, *pause),
            Outcome::Failed(ReconcileError { reason, retry_after, .. }) => {
                Self { reason: *reason, next: Next::Backoff { asked: *retry_after, longest: backoff::LONGEST_PAUSE } }
            }
            Outcome::Suspended { .. } => Self::for_good(Reason::Suspended),
        }
    }

    /// Returns the result of a reconciliation that checks a server. One that is temporarily not available is tried again after `outage` at most.
    pub fn of_check(outcome: &Outcome, interval: Duration, outage: Duration) -> Self {
        let ended = Self::of(outcome, interval);
        match (outcome, ended.next) {
            (Outcome::Failed(error), Next::Backoff { asked, .. }) if error.class == Class::Transient => {
                Self { next: Next::Backoff { asked, longest: outage }, ..ended }
            }
            _ => ended,
        }
    }

    /// Returns a result that is followed by another reconciliation soon, and is no failure.
    pub const fn again_in(reason: Reason, delay: Duration) -> Self {
        Self { reason, next: Next::In(delay) }
    }
}

/// Time of the next reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// After the object's interval.
    Interval(Duration),
    /// With exponential backoff.
    Backoff {
        /// Delay that a server asked for.
        asked: Option<Duration>,
        /// Longest delay otherwise.
        longest: Duration,
    },
    /// After a delay that is not counted as a failure.
    In(Duration),
    /// When the object changes.
    OnChange,
}

/// Runs the reconciliations of all controllers.
#[derive(Debug)]
pub struct Runtime {
    /// Failures of each object.
    pub backoffs: Backoffs,
    /// Progress that the liveness probe reports.
    pub liveness: Liveness,
    /// Reconciliations by controller and reason.
    pub reconciliations: IntCounterVec,
    /// Reconciliations that panicked.
    pub panics: IntCounter,
}

impl Runtime {
    /// Runs a reconciliation for at most `limit`, and returns when the next one is due. There is a next one after any failure or panic.
    pub async fn run(
        &self,
        controller: &'static str,
        uid: &str,
        span: Span,
        limit: Duration,
        reconciliation: impl Future<Output = Ended>,
    ) -> Action {
        use tracing::Instrument;
        let running = self.liveness.reconciliation();
        let limited = tokio::time::timeout(limit, reconciliation);
        let ended = AssertUnwindSafe(limited).catch_unwind().instrument(span.clone()).await;
        drop(running);
        let ended = match ended {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => {
                span.in_scope(|| warn!(seconds = limit.as_secs(), "reconciliation took too long and was stopped"));
                Ended::failed(Reason::TimedOut)
            }
            Err(_) => {
                self.panics.inc();
                span.in_scope(|| error!("reconciliation panicked; retrying with exponential backoff"));
                Ended::failed(Reason::InternalError)
            }
        };
        self.reconciliations.with_label_values(&[controller, ended.reason.as_str()]).inc();
        match ended.next {
            Next::Interval(interval) => Action::requeue(self.backoffs.after_success(uid, interval)),
            Next::Backoff { asked, longest } => Action::requeue(backoff::at_least(self.backoffs.after_failure(uid).min(longest), asked)),
            Next::In(delay) => Action::requeue(delay),
            Next::OnChange => Action::await_change(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::Opts;

    fn runtime() -> Runtime {
        Runtime {
            backoffs: Backoffs::default(),
            liveness: Liveness::new(Duration::from_secs(60), Vec::new(), Vec::new()),
            reconciliations: IntCounterVec::new(Opts::new("reconciliations", "x"), &["controller", "reason"]).unwrap(),
            panics: IntCounter::new("panics", "x").unwrap(),
        }
    }

    async fn run(runtime: &Runtime, reconciliation: impl Future<Output = Ended>) -> Action {
        runtime.run("kind", "uid", Span::none(), Duration::from_millis(50), reconciliation).await
    }

    #[tokio::test]
    async fn a_reconciliation_that_panics_or_takes_too_long_is_counted_and_tried_again() {
        let runtime = runtime();
        let retry = run(&runtime, async { panic!("a test panics here") }).await;
        assert_ne!(retry, Action::await_change());
        run(&runtime, std::future::pending()).await;
        let count = |reason: Reason| runtime.reconciliations.with_label_values(&["kind", reason.as_str()]).get();
        assert_eq!((runtime.panics.get(), count(Reason::InternalError), count(Reason::TimedOut)), (1, 1, 1));
        assert_eq!(runtime.backoffs.failing().len(), 1);
        run(&runtime, async { Ended { reason: Reason::Succeeded, next: Next::Interval(Duration::from_secs(9)) } }).await;
        assert!(runtime.backoffs.failing().is_empty());
    }

    #[tokio::test]
    async fn a_delay_that_a_server_asks_for_is_kept_and_one_that_is_no_failure_is_not_counted() {
        let runtime = runtime();
        let asked = Some(Duration::from_secs(7));
        let ended = Ended { reason: Reason::RateLimited, next: Next::Backoff { asked, longest: Duration::from_secs(5) } };
        assert_eq!(run(&runtime, async { ended }).await, Action::requeue(Duration::from_secs(7)));
        runtime.backoffs.forget("uid");
        let soon = run(&runtime, async { Ended::again_in(Reason::Progressing, Duration::from_secs(3)) }).await;
        assert_eq!(soon, Action::requeue(Duration::from_secs(3)));
        assert_eq!(run(&runtime, async { Ended::for_good(Reason::Cleaned) }).await, Action::await_change());
        assert!(runtime.backoffs.failing().is_empty());
    }
}
