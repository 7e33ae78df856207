//! Errors of calls, by what can be done about them.

use std::time::Duration;

use crate::generation::call::CallFailure;
use crate::http::TransportError;

/// A call without an answer. Its message is on one line, and contains neither the body of an answer nor a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// Kind, which decides what can be done.
    pub kind: ErrorKind,
    /// Message with the cause and the remedy.
    pub message: String,
    /// Time after which the call may be tried again, if one is known.
    pub retry_after: Option<Duration>,
    /// True if the server may have worked, and been paid, for the call.
    pub may_have_been_paid: bool,
}

/// Kind of an error, which decides what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The server does not accept the key, or the key may not use the model.
    Unauthorized,
    /// The account has no credit or quota left.
    OutOfQuota,
    /// Too many requests or tokens in a short time.
    RateLimited,
    /// The server failed or is overloaded (408, 409, 5xx).
    Unavailable,
    /// The server refuses the request for another reason.
    Rejected,
    /// Question and answer do not fit into the context of the model.
    TooLong,
    /// The server has no such model, or the base URL leads elsewhere.
    NotFound,
    /// The answer is not from a model server: a page, a redirect.
    NotApi,
    /// The address is not allowed.
    AddressDenied,
    /// There is no connection.
    NotConnected,
    /// The connection broke before the answer was complete.
    Broken,
    /// There was no answer in time.
    TimedOut,
    /// The answer is larger than any answer may be.
    TooLarge,
    /// The answer is complete and cannot be used.
    Unusable,
    /// The server failed several times in succession and is left alone for a while. Not sent.
    CircuitOpen,
    /// No turn came in time under the limits of the provider. Not sent.
    Busy,
    /// One call needs more tokens than the limits of the provider ever allow. Not sent.
    OverLimit,
    /// The request cannot be sent.
    Unsendable,
}

impl ErrorKind {
    /// Returns the value of the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::OutOfQuota => "out_of_quota",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
            Self::TooLong => "too_long",
            Self::NotFound => "not_found",
            Self::NotApi => "not_api",
            Self::AddressDenied => "address_denied",
            Self::NotConnected => "not_connected",
            Self::Broken => "broken",
            Self::TimedOut => "timed_out",
            Self::TooLarge => "too_large",
            Self::Unusable => "unusable",
            Self::CircuitOpen => "circuit_open",
            Self::Busy => "busy",
            Self::OverLimit => "over_limit",
            Self::Unsendable => "unsendable",
        }
    }

    /// Reports whether the server itself failed, so that further requests are likely to fail too.
    pub(super) const fn is_failure_of_server(self) -> bool {
        matches!(self, Self::Unavailable | Self::NotConnected | Self::Broken | Self::TimedOut | Self::TooLarge)
    }
}

impl ModelError {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, may_have_been_paid: false }
    }

    /// Returns the error of a call for which the server may have worked.
    pub(super) fn paid(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { may_have_been_paid: true, ..Self::new(kind, message) }
    }

    pub(super) fn timed_out(limit: Duration, sent: bool) -> Self {
        let message = format!(
            "no answer of the model within {}: the server is slow or overloaded; requestTimeout of the ModelProvider (--model-timeout on the command line) allows more",
            seconds(limit)
        );
        Self { may_have_been_paid: sent, ..Self::new(ErrorKind::TimedOut, message) }
    }

    /// Returns the error of a request that got no complete answer.
    pub(super) fn of_transport(error: TransportError, limit: Duration) -> Self {
        match error {
            TransportError::Paused(left) => Self {
                retry_after: Some(left),
                ..Self::new(ErrorKind::RateLimited, format!("the server asked for a pause, which ends in {}", seconds(left)))
            },
            TransportError::NoTurn(waited) => Self::new(
                ErrorKind::Busy,
                format!(
                    "no turn within {}: other calls of the provider are running; limits.concurrency of the ModelProvider allows more",
                    seconds(waited)
                ),
            ),
            TransportError::AddressDenied(address) => Self::new(
                ErrorKind::AddressDenied,
                format!(
                    "the base URL leads to {address}, to which no connections are allowed: link-local addresses, metadata services, this machine"
                ),
            ),
            TransportError::Unsendable => Self::new(ErrorKind::Unsendable, "the HTTP client refuses the request"),
            TransportError::NotConnected(reason) => Self::new(
                ErrorKind::NotConnected,
                format!("no connection to the server of the model: {reason}; check that it runs, and the base URL"),
            ),
            TransportError::TimedOut => Self::timed_out(limit, true),
            TransportError::Broken { reason, .. } => {
                Self::paid(ErrorKind::Broken, format!("the connection broke before the answer was complete: {reason}"))
            }
            TransportError::MemoryFull => {
                Self::paid(ErrorKind::Busy, "the memory for answers is in use by others; the call is tried again later")
            }
        }
    }
}

/// Returns a time in words, for messages.
pub(super) fn seconds(time: Duration) -> String {
    match time.as_millis() {
        millis if millis < 1000 => format!("{millis} ms"),
        millis => format!("{} s", millis.div_ceil(1000)),
    }
}

impl From<ModelError> for CallFailure {
    fn from(error: ModelError) -> Self {
        Self { message: error.message, may_have_been_paid: error.may_have_been_paid }
    }
}
