//! Failed calls to n8n, classed by who must act.

use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;
use crate::n8n::N8nError;

/// n8n's messages for a project that does not exist, or in which the key's user may not create (n8n 2.39.10, measured). The first answers
/// a create, the second a move.
const NO_PROJECT: [&str; 2] = ["Project not found", "Could not find project"];

/// Advice for an n8n that lacks calls that Weirkeeper is built on.
pub const UPGRADE: &str = "Weirkeeper needs n8n 2.35 or newer";

/// Classes a failed call to n8n by who must act.
impl From<N8nError> for ReconcileError {
    fn from(error: N8nError) -> Self {
        let message = error.to_string();
        let mut classed = match &error {
            N8nError::Unauthorized { .. } => {
                ReconcileError::denied(Reason::Unauthorized, format!("{message}; store a valid key in the instance's Secret"))
            }
            N8nError::Forbidden { .. } => {
                let scope = error.operation().scope().unwrap_or("it lacks");
                ReconcileError::denied(Reason::MissingScope, format!("{message}; give the API key the scope {scope}"))
            }
            N8nError::AddressDenied { .. } => ReconcileError::denied(Reason::AddressDenied, message),
            // An n8n whose API becomes available a moment after its readiness answers like this too.
            N8nError::NotApi { status: 404, .. } => ReconcileError::transient(Reason::ApiNotFound, message),
            N8nError::NotApi { .. } | N8nError::RedirectRefused { .. } => ReconcileError::denied(Reason::ApiNotFound, message),
            N8nError::NotReady { .. } => ReconcileError::transient(Reason::InstanceStarting, message),
            N8nError::RateLimited { .. } => ReconcileError::transient(Reason::RateLimited, message),
            N8nError::Connect { .. } | N8nError::Timeout { .. } => ReconcileError::transient(Reason::InstanceUnreachable, message),
            N8nError::TooLarge { .. } => ReconcileError::invalid(Reason::TooLarge, message),
            N8nError::Outdated { .. } => ReconcileError::denied(Reason::UnsupportedN8n, format!("{message}; {UPGRADE}")),
            N8nError::Refused { .. } => ReconcileError::invalid(Reason::RejectedByN8n, message),
            _ => ReconcileError::transient(Reason::RequestFailed, message),
        };
        classed.retry_after = error.retry_after();
        classed
    }
}

/// Returns the error of a create or a move, which may name a project that does not exist.
pub fn project_error(error: N8nError) -> ReconcileError {
    match &error {
        N8nError::NotFound { message, .. } if NO_PROJECT.iter().any(|words| message.starts_with(words)) => ReconcileError::waiting(
            Reason::ProjectNotFound,
            "n8n has no project with the id that spec.project names, or the user of the API key may create nothing in it",
        ),
        _ => error.into(),
    }
}
