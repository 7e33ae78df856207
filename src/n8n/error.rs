//! Errors of calls to n8n, classed by what the caller can do about them.
//!
//! Messages never contain a response body, only n8n's own JSON `message`, limited to one bounded line.

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use super::operation::Operation;
use crate::http::{ClientError, UnsendableKey};

/// Maximum length of n8n's message in an error, in characters.
pub(super) const MESSAGE_CHARS: usize = 500;

/// A failed call. Every message starts with the operation.
#[derive(Clone, Debug, Error)]
pub enum N8nError {
    /// 401: the key is missing, wrong or expired; n8n does not say which.
    #[error("{operation}: n8n does not accept the API key (HTTP 401)")]
    Unauthorized {
        /// The operation that was attempted.
        operation: Operation,
    },
    /// 403.
    #[error("{operation}: forbidden by n8n: {message}")]
    Forbidden {
        /// The operation that was attempted.
        operation: Operation,
        /// Kind of denial, derived from n8n's message.
        denial: Denial,
        /// n8n's message.
        message: String,
    },
    /// A 404 in n8n's JSON while n8n was ready: the object does not exist.
    #[error("{operation}: not found: {message}")]
    NotFound {
        /// The operation that was attempted.
        operation: Operation,
        /// n8n's message; it may wrongly mention permissions.
        message: String,
    },
    /// n8n is starting or stopping: an HTML 404, a 503, a start-up page, or a 404 while n8n is not ready.
    #[error("{operation}: n8n is not ready (HTTP {status}); it is starting, or the URL does not point to n8n")]
    NotReady {
        /// The operation that was attempted.
        operation: Operation,
        /// The HTTP status of the answer.
        status: u16,
        /// Time to wait, if the answer names one.
        retry_after: Option<Duration>,
    },
    /// Something other than n8n's public API answers: a login page, a gateway, the editor, another site.
    #[error("{operation}: {asked} answered HTTP {status} ({content}), which is not n8n's public API: {advice}")]
    NotApi {
        /// The operation that was attempted.
        operation: Operation,
        /// The method and the full path.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// The content type.
        content: String,
        /// Advice on what to change.
        advice: &'static str,
    },
    /// A 4xx in n8n's JSON: n8n refuses the request.
    #[error("{operation}: refused (HTTP {status}): {message}")]
    Refused {
        /// The operation that was attempted.
        operation: Operation,
        /// The HTTP status.
        status: u16,
        /// n8n's message.
        message: String,
    },
    /// n8n does not know a call, a parameter or a setting that every release since 2.35 knows.
    #[error("{operation}: this n8n is too old: {message}")]
    Outdated {
        /// The operation that was attempted.
        operation: Operation,
        /// n8n's message.
        message: String,
    },
    /// 413: n8n accepts at most 16 MiB.
    #[error("{operation}: the request is larger than n8n or a proxy in front of it accepts (HTTP 413)")]
    TooLarge {
        /// The operation that was attempted.
        operation: Operation,
    },
    /// 429, or a call that was not made because an earlier answer asked for a pause.
    #[error("{operation}: rate limited{}", .retry_after.map(|d| format!(", retry after {} s", d.as_secs().max(1))).unwrap_or_default())]
    RateLimited {
        /// The operation that was attempted.
        operation: Operation,
        /// Time to wait, if known.
        retry_after: Option<Duration>,
    },
    /// 5xx other than 503.
    #[error("{operation}: server error (HTTP {status}){}", .message.as_deref().map(|m| format!(": {m}")).unwrap_or_default())]
    Server {
        /// The operation that was attempted.
        operation: Operation,
        /// The HTTP status.
        status: u16,
        /// n8n's message, if the answer is n8n's JSON.
        message: Option<String>,
    },
    /// No complete answer in time, although a connection was established.
    #[error("{operation}: no answer within {} s", .after.as_secs_f32())]
    Timeout {
        /// The operation that was attempted.
        operation: Operation,
        /// The time limit.
        after: Duration,
    },
    /// No connection: the request was not sent.
    #[error("{operation}: cannot connect: {reason}")]
    Connect {
        /// The operation that was attempted.
        operation: Operation,
        /// The innermost cause, such as `Connection refused`.
        reason: String,
    },
    /// The connection broke before the answer was complete.
    #[error("{operation}: the connection broke before the answer was complete: {reason}")]
    HalfAnswered {
        /// The operation that was attempted.
        operation: Operation,
        /// The innermost cause.
        reason: String,
    },
    /// A complete answer that n8n's API does not send, such as one without JSON.
    #[error("{operation}: unexpected answer: {reason}")]
    Protocol {
        /// The operation that was attempted.
        operation: Operation,
        /// The problem, without any part of the body.
        reason: String,
    },
    /// The answer exceeds the size limit of the client.
    #[error("{operation}: the answer is larger than {limit} bytes")]
    AnswerTooLarge {
        /// The operation that was attempted.
        operation: Operation,
        /// The limit in bytes.
        limit: usize,
    },
    /// The memory for answers of n8n is in use, by this instance or by others.
    #[error("{operation}: the answer does not fit into the remaining memory for answers from n8n; the request is retried")]
    MemoryFull {
        /// The operation that was attempted.
        operation: Operation,
    },
    /// The host resolves only to addresses that are not allowed. Not sent.
    #[error("{operation}: the address {address} is not allowed{}", if .address.to_canonical().is_loopback() { "; it is loopback, which the operator contacts only when it runs with --allow-loopback" } else { "" })]
    AddressDenied {
        /// The operation that was attempted.
        operation: Operation,
        /// The address, as resolved.
        address: IpAddr,
    },
    /// A redirect, which is never followed because that would leak the API key.
    #[error("{operation}: {asked} answered HTTP {status}, a redirect{}, which is not followed because it would leak the API key; set the URL at which n8n's API itself answers, without a login page in front of it", .to.as_deref().map(|t| format!(" to {t}")).unwrap_or_default())]
    RedirectRefused {
        /// The operation that was attempted.
        operation: Operation,
        /// The method and the full path.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// The origin that it points to, never the full URL.
        to: Option<String>,
    },
    /// Too many calls are waiting for this n8n, or the call's time limit passed before its turn. Not sent.
    #[error("{operation}: gave up after waiting {} s for a free connection to n8n", .waited.as_secs())]
    Busy {
        /// The operation that was attempted.
        operation: Operation,
        /// Time spent waiting.
        waited: Duration,
    },
    /// The request could not be built. Not sent.
    #[error("{operation}: cannot build the request: {reason}")]
    Unsendable {
        /// The operation that was attempted.
        operation: Operation,
        /// The reason.
        reason: &'static str,
    },
}

/// Reason for n8n's 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The key lacks a scope, or its user lacks the permission.
    MissingScope,
    /// The n8n licence does not include the feature.
    Unlicensed,
    /// The draft was saved but not published, because the key may not publish. The published version stays live.
    SavedAsDraft {
        /// The version id of the draft, if n8n reports it.
        version_id: Option<String>,
    },
    /// Anything else, such as a proxy's own 403.
    Other,
}

impl N8nError {
    /// Returns the operation that was attempted.
    pub fn operation(&self) -> Operation {
        match self {
            Self::Unauthorized { operation }
            | Self::Forbidden { operation, .. }
            | Self::NotFound { operation, .. }
            | Self::NotReady { operation, .. }
            | Self::NotApi { operation, .. }
            | Self::Refused { operation, .. }
            | Self::Outdated { operation, .. }
            | Self::TooLarge { operation }
            | Self::RateLimited { operation, .. }
            | Self::Server { operation, .. }
            | Self::Timeout { operation, .. }
            | Self::Connect { operation, .. }
            | Self::HalfAnswered { operation, .. }
            | Self::Protocol { operation, .. }
            | Self::AnswerTooLarge { operation, .. }
            | Self::MemoryFull { operation }
            | Self::AddressDenied { operation, .. }
            | Self::RedirectRefused { operation, .. }
            | Self::Busy { operation, .. }
            | Self::Unsendable { operation, .. } => *operation,
        }
    }

    /// Reports whether the request may have taken effect in n8n although no usable answer arrived. Always false for a read. A 503 counts,
    /// because a proxy also sends it when its connection to n8n breaks midway.
    pub fn unanswered(&self) -> bool {
        self.operation().writes()
            && match self {
                Self::Timeout { .. }
                | Self::HalfAnswered { .. }
                | Self::Protocol { .. }
                | Self::AnswerTooLarge { .. }
                | Self::MemoryFull { .. }
                | Self::Server { .. } => true,
                Self::NotReady { status, .. } => *status == 503,
                Self::NotApi { status, .. } => *status != 404,
                Self::Unauthorized { .. }
                | Self::Forbidden { .. }
                | Self::NotFound { .. }
                | Self::Refused { .. }
                | Self::Outdated { .. }
                | Self::TooLarge { .. }
                | Self::RateLimited { .. }
                | Self::Connect { .. }
                | Self::AddressDenied { .. }
                | Self::RedirectRefused { .. }
                | Self::Busy { .. }
                | Self::Unsendable { .. } => false,
            }
    }

    /// Returns how long the answer asks to wait; at most five minutes.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::NotReady { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns the value of the metric label `outcome`.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::NotReady { .. } => "not_ready",
            Self::NotApi { .. } => "not_api",
            Self::Refused { .. } => "refused",
            Self::Outdated { .. } => "outdated",
            Self::TooLarge { .. } => "too_large",
            Self::RateLimited { .. } => "rate_limited",
            Self::Server { .. } => "server_error",
            Self::Timeout { .. } => "timeout",
            Self::Connect { .. } => "connect",
            Self::HalfAnswered { .. } => "half_answered",
            Self::Protocol { .. } => "protocol",
            Self::AnswerTooLarge { .. } => "answer_too_large",
            Self::MemoryFull { .. } => "memory_full",
            Self::AddressDenied { .. } => "address_denied",
            Self::RedirectRefused { .. } => "redirect_refused",
            Self::Busy { .. } => "busy",
            Self::Unsendable { .. } => "unsendable",
        }
    }
}

/// Error for settings from which no client can be created.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A URL that is not a plain base URL. The first field names it.
    #[error("{0} {1}")]
    Url(&'static str, &'static str),
    /// The key is empty or cannot be sent as an HTTP header.
    #[error(transparent)]
    ApiKey(#[from] UnsendableKey),
    /// The CA bundle is unreadable, or TLS cannot be set up.
    #[error(transparent)]
    Http(#[from] ClientError),
}

/// Turns a confirmed 404 into `None`.
pub(super) fn present<T>(result: Result<T, N8nError>) -> Result<Option<T>, N8nError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(N8nError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
