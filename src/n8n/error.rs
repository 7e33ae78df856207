//! What can go wrong in a call to n8n, classed by what the caller can do about it.
//!
//! Messages never carry a response body, only n8n's own JSON `message`, made one bounded line.

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use super::operation::Operation;

/// The longest message of n8n that an error carries, in characters.
pub(super) const MESSAGE_CHARS: usize = 500;

/// A failed call. Every message starts with what was attempted.
#[derive(Clone, Debug, Error)]
pub enum N8nError {
    /// 401: the key is missing, wrong or expired; n8n does not say which.
    #[error("{operation}: n8n does not accept the API key (HTTP 401)")]
    Unauthorized {
        /// What was attempted.
        operation: Operation,
    },
    /// 403.
    #[error("{operation}: n8n forbids it: {message}")]
    Forbidden {
        /// What was attempted.
        operation: Operation,
        /// Why, as far as n8n's wording tells.
        denial: Denial,
        /// n8n's message.
        message: String,
    },
    /// A 404 in n8n's JSON while its readiness was 200: the thing is really not there.
    #[error("{operation}: not found: {message}")]
    NotFound {
        /// What was attempted.
        operation: Operation,
        /// n8n's message; it may wrongly speak of permissions.
        message: String,
    },
    /// n8n is starting or stopping: an HTML 404, a 503, a start-up page, or a miss while readiness is not 200.
    #[error("{operation}: n8n is not ready (HTTP {status}); it is starting, or the URL does not lead to n8n")]
    NotReady {
        /// What was attempted.
        operation: Operation,
        /// The HTTP status of the answer.
        status: u16,
        /// How long to wait, where the answer says so.
        retry_after: Option<Duration>,
    },
    /// Something else than n8n's public API answers: a login page, a gate, the editor, another site.
    #[error("{operation}: {asked} answered HTTP {status} ({content}), which is not n8n's public API: {advice}")]
    NotApi {
        /// What was attempted.
        operation: Operation,
        /// The method and the whole path.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// The type of the content.
        content: String,
        /// What to change.
        advice: &'static str,
    },
    /// A 4xx in n8n's JSON: n8n refuses the request as it is.
    #[error("{operation}: refused (HTTP {status}): {message}")]
    Refused {
        /// What was attempted.
        operation: Operation,
        /// The HTTP status.
        status: u16,
        /// n8n's message.
        message: String,
    },
    /// n8n does not know a call, a parameter or a setting that every release since 2.35 knows.
    #[error("{operation}: this n8n is too old: {message}")]
    Outdated {
        /// What was attempted.
        operation: Operation,
        /// n8n's message.
        message: String,
    },
    /// 413: n8n takes at most 16 MiB.
    #[error("{operation}: the request is larger than n8n or a proxy before it accepts (HTTP 413)")]
    TooLarge {
        /// What was attempted.
        operation: Operation,
    },
    /// 429, or a call not made because an earlier answer asked for a pause.
    #[error("{operation}: rate limited{}", .retry_after.map(|d| format!(", retry after {} s", d.as_secs().max(1))).unwrap_or_default())]
    RateLimited {
        /// What was attempted.
        operation: Operation,
        /// How long to wait, where known.
        retry_after: Option<Duration>,
    },
    /// 5xx other than 503.
    #[error("{operation}: server error (HTTP {status}){}", .message.as_deref().map(|m| format!(": {m}")).unwrap_or_default())]
    Server {
        /// What was attempted.
        operation: Operation,
        /// The HTTP status.
        status: u16,
        /// n8n's message, where the answer is n8n's JSON.
        message: Option<String>,
    },
    /// No complete answer in time, although a connection stood.
    #[error("{operation}: no answer within {} s", .after.as_secs_f32())]
    Timeout {
        /// What was attempted.
        operation: Operation,
        /// The limit that passed.
        after: Duration,
    },
    /// No connection: the request was not sent.
    #[error("{operation}: cannot connect: {reason}")]
    Connect {
        /// What was attempted.
        operation: Operation,
        /// The innermost cause, such as `Connection refused`.
        reason: String,
    },
    /// The connection broke before the answer was complete.
    #[error("{operation}: the connection broke before the answer was complete: {reason}")]
    HalfAnswered {
        /// What was attempted.
        operation: Operation,
        /// The innermost cause.
        reason: String,
    },
    /// A complete answer that is not what n8n's API answers, such as no JSON where JSON is due.
    #[error("{operation}: unexpected answer: {reason}")]
    Protocol {
        /// What was attempted.
        operation: Operation,
        /// What was wrong, without any part of the body.
        reason: String,
    },
    /// The answer is larger than the client is willing to hold.
    #[error("{operation}: the answer is larger than {limit} bytes")]
    AnswerTooLarge {
        /// What was attempted.
        operation: Operation,
        /// The limit in bytes.
        limit: usize,
    },
    /// The memory for what n8n sends is in use, by this instance or by others.
    #[error("{operation}: the answer does not fit into the memory that is left for what n8n sends; it is asked for again")]
    MemoryFull {
        /// What was attempted.
        operation: Operation,
    },
    /// The host leads only to addresses that are never connected to. Not sent.
    #[error("{operation}: the address {address} is not allowed{}", if .address.to_canonical().is_loopback() { "; it is loopback, which the operator contacts only when it runs with --allow-loopback" } else { "" })]
    AddressDenied {
        /// What was attempted.
        operation: Operation,
        /// The address, as resolved.
        address: IpAddr,
    },
    /// A redirect: they are never followed, since the API key would travel.
    #[error("{operation}: {asked} answered HTTP {status}, a redirect{}, which is not followed, for the API key would travel; give the URL at which n8n's API itself answers, without a login page before it", .to.as_deref().map(|t| format!(" to {t}")).unwrap_or_default())]
    RedirectRefused {
        /// What was attempted.
        operation: Operation,
        /// The method and the whole path.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// The origin it points to, never the whole URL.
        to: Option<String>,
    },
    /// Too many calls are waiting for this n8n, or the call's time was over when its turn came. Not sent.
    #[error("{operation}: gave up after waiting {} s for a free connection to n8n", .waited.as_secs())]
    Busy {
        /// What was attempted.
        operation: Operation,
        /// How long it waited.
        waited: Duration,
    },
    /// The request could not be built. Not sent.
    #[error("{operation}: cannot build the request: {reason}")]
    Unsendable {
        /// What was attempted.
        operation: Operation,
        /// Why.
        reason: &'static str,
    },
}

/// Why n8n answered 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The key lacks a scope, or its user lacks the permission.
    MissingScope,
    /// The licence of the n8n does not include it.
    Unlicensed,
    /// The draft was saved and not published, since the key may not publish. The published version stays live.
    SavedAsDraft {
        /// The version that the draft became, where n8n says.
        version_id: Option<String>,
    },
    /// Anything else, such as a proxy's own 403.
    Other,
}

impl N8nError {
    /// What was attempted.
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

    /// Whether the request may have taken effect at n8n although no usable answer came back. Always false for a
    /// read. A 503 counts, since a proxy answers so too when its connection to n8n breaks midway.
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

    /// How long the answer asks to wait; at most five minutes.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::NotReady { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The value of the metric label `outcome`.
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

/// Settings from which no client can be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A URL that is not a plain base URL. The first field says which one.
    #[error("{0} {1}")]
    Url(&'static str, &'static str),
    /// The key is empty or cannot be sent as an HTTP header.
    #[error("the API key is empty or contains characters that cannot be sent")]
    ApiKey,
    /// The CA bundle holds no readable certificate.
    #[error("the CA bundle is not a list of PEM certificates: {0}")]
    CaBundle(String),
    /// The TLS or HTTP layer cannot be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

/// n8n's reason not to take something, whole: an error carries only its beginning, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status: 400, 409 or 422.
    pub status: u16,
    /// What n8n says. It names nodes and parameters, and may quote a value.
    pub message: String,
}

/// Turns a confirmed miss into `None`.
pub(super) fn present<T>(result: Result<T, N8nError>) -> Result<Option<T>, N8nError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(N8nError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
