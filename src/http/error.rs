//! Reasons for which there is no complete answer.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use super::address::Denied;
use super::throttle::NoTurn;
use crate::text::one_line;

/// Reason for which there is no complete answer. Reasons are on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// An answer asked for a pause, which ends after this time. Not sent.
    Paused(Duration),
    /// No slot became free within this time, or the write came too late. Not sent.
    NoTurn(Duration),
    /// The host resolves only to addresses that are not allowed. Not sent.
    AddressDenied(IpAddr),
    /// The HTTP client refuses the request. Not sent.
    Unsendable,
    /// There is no connection, with the innermost cause and advice. Not sent.
    NotConnected(String),
    /// There was no complete answer in time.
    TimedOut,
    /// The connection broke before the answer was complete.
    Broken {
        /// The innermost cause.
        reason: String,
        /// True if not even its headers had arrived.
        before_answer: bool,
    },
    /// The memory for answers is in use.
    MemoryFull,
}

impl From<NoTurn> for TransportError {
    fn from(no_turn: NoTurn) -> Self {
        match no_turn {
            NoTurn::Paused(left) => Self::Paused(left),
            NoTurn::Full(waited) => Self::NoTurn(waited),
        }
    }
}

impl TransportError {
    /// Classifies an error of the HTTP client.
    pub(super) fn of(error: &reqwest::Error, trust_named_in: &str) -> Self {
        if let Some(Denied(address)) = find_cause::<Denied>(error) {
            Self::AddressDenied(*address)
        } else if error.is_connect() {
            let reason = innermost(error);
            let advice = if reason.contains("UnknownIssuer") {
                format!("; trusted certificate authorities are set in {trust_named_in}")
            } else if reason.contains("InvalidContentType") {
                "; the port does not speak TLS, write http:// in the URL".to_owned()
            } else {
                String::new()
            };
            Self::NotConnected(reason + &advice)
        } else if error.is_timeout() {
            Self::TimedOut
        } else if error.is_builder() {
            Self::Unsendable
        } else {
            Self::Broken { reason: innermost(error), before_answer: error.is_request() }
        }
    }
}

fn find_cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        cause = current.source();
    }
    None
}

/// Returns the message of the innermost cause, which is the most helpful one.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    one_line(&cause.to_string(), 200)
}
