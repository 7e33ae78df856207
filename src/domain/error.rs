//! Errors of a reconciliation, classed by who must act.

use std::time::Duration;

use crate::api::reason::{Class, Reason};

/// Reason why a reconciliation could not finish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReconcileError {
    /// Class of the error, which says who must act.
    pub class: Class,
    /// Reason for conditions, events and metrics.
    pub reason: Reason,
    /// Message: what is wrong, where, and how to fix it.
    pub message: String,
    /// Minimum time to wait that n8n or a proxy asked for, if any.
    pub retry_after: Option<Duration>,
    /// Time until the next reconciliation, if a better one than the exponential backoff is known.
    pub requeue_after: Option<Duration>,
}

impl ReconcileError {
    fn new(class: Class, reason: Reason, message: impl Into<String>) -> Self {
        Self { class, reason, message: message.into(), retry_after: None, requeue_after: None }
    }

    /// An error that the author fixes by editing the object or its source.
    pub fn invalid(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Invalid, reason, message)
    }

    /// A dependency of the object does not exist yet.
    pub fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Waiting, reason, message)
    }

    /// Somebody has to grant, renew or allow something.
    pub fn denied(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Denied, reason, message)
    }

    /// A temporary error that needs no action.
    pub fn transient(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Transient, reason, message)
    }

    /// The reconciliation was stopped at its time limit.
    pub fn timed_out(limit: Duration) -> Self {
        let seconds = limit.as_secs();
        let message = format!("the reconciliation took longer than {seconds} s and was stopped; retrying with exponential backoff");
        Self::transient(Reason::TimedOut, message)
    }

    /// Sets the time until the next reconciliation.
    #[must_use]
    pub fn again_in(self, pause: Duration) -> Self {
        Self { requeue_after: Some(pause), ..self }
    }

    /// A bug in Weirkeeper.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Class::Bug, Reason::InternalError, message)
    }
}
