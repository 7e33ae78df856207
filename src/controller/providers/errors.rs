//! Failed calls of language models, classed by who must act.

use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;
use crate::llm::{ErrorKind, ModelError};

impl From<ModelError> for ReconcileError {
    fn from(error: ModelError) -> Self {
        let ModelError { kind, message, retry_after, .. } = error;
        let mut classed = match kind {
            ErrorKind::Unauthorized => Self::denied(Reason::Unauthorized, message),
            ErrorKind::OutOfQuota => Self::denied(Reason::OutOfCredit, message),
            ErrorKind::RateLimited | ErrorKind::Busy => Self::transient(Reason::RateLimited, message),
            ErrorKind::Unavailable | ErrorKind::NotConnected | ErrorKind::Broken | ErrorKind::TimedOut | ErrorKind::CircuitOpen => {
                Self::transient(Reason::ProviderUnreachable, message)
            }
            ErrorKind::NotFound | ErrorKind::NotApi => Self::denied(Reason::ModelNotFound, message),
            ErrorKind::AddressDenied => Self::denied(Reason::AddressDenied, message),
            ErrorKind::Unsendable => Self::invalid(Reason::InvalidProvider, message),
            ErrorKind::Rejected | ErrorKind::TooLong | ErrorKind::TooLarge | ErrorKind::Unusable | ErrorKind::OverLimit => {
                Self::denied(Reason::ModelFailed, message)
            }
        };
        classed.retry_after = retry_after;
        classed
    }
}
