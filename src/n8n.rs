//! Client of n8n's public API: one [`N8nClient`] per instance.
//!
//! The client knows how n8n behaves on the wire and nothing about what the operator wants. It guarantees:
//! - A 404 is reported as missing only if it is n8n's own and n8n is ready; a starting n8n answers 404 to everything.
//! - An error says whether the request may have taken effect ([`N8nError::unanswered`]); writes are never repeated.
//! - The API key is sent only to the API below the base URL: not to webhooks, not along a redirect, not to a log. No message contains the
//!   body of an answer.
//!
//! Addresses, pacing, deadlines and the bounds of answers are those of [`crate::http`].

mod answer;
mod author;
mod client;
mod credentials;
mod error;
mod executions;
mod instance;
mod item;
mod key;
mod listing;
mod metrics;
mod operation;
mod page;
mod send;
mod settings;
mod tags;
mod webhooks;
mod workflows;

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;

pub use client::N8nClient;
pub use credentials::{CredentialTestAnswer, CredentialUpdate, CredentialWrite};
pub use error::{Denial, N8nError, SettingsError};
pub use executions::{ExecutionQuery, FailedRun};
pub use item::Unread;
pub use key::key_expiry;
pub use listing::{Haste, List};
pub use metrics::N8nMetrics;
pub use operation::Operation;
pub use settings::ClientSettings;
pub use webhooks::{ProbeAnswer, ProbeRequest, WebhookCheck};
