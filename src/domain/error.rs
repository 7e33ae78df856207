//! Why a pass could not finish, classed by who must act.

use std::time::Duration;

use crate::api::reason::{Class, Reason};

/// Why a pass could not finish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReconcileError {
    /// Who must act.
    pub class: Class,
    /// The word for conditions, events and metrics.
    pub reason: Reason,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// How long n8n or a proxy asked to wait at least, if it did.
    pub retry_after: Option<Duration>,
    /// When the next look makes sense, where that is known better than by growing pauses.
    pub look_again: Option<Duration>,
}

impl ReconcileError {
    fn new(class: Class, reason: Reason, message: impl Into<String>) -> Self {
        Self { class, reason, message: message.into(), retry_after: None, look_again: None }
    }

    /// The author edits the object or its source.
    pub fn invalid(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Invalid, reason, message)
    }

    /// Something that the object refers to is not there yet.
    pub fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Waiting, reason, message)
    }

    /// Somebody has to grant, renew or allow.
    pub fn denied(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Denied, reason, message)
    }

    /// Time heals it.
    pub fn transient(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Class::Transient, reason, message)
    }

    /// The same, to be looked at again after this time.
    #[must_use]
    pub fn again_in(self, pause: Duration) -> Self {
        Self { look_again: Some(pause), ..self }
    }

    /// Weirkeeper itself is wrong.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Class::Bug, Reason::InternalError, message)
    }
}
