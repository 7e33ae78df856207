//! The wire client of n8n's public API: one [`N8nClient`] per instance.
//!
//! It knows how n8n behaves on the wire and nothing of what the operator wants. What it promises:
//! - A miss is reported only when it is n8n's own and n8n is ready; a starting n8n answers 404 to everything.
//! - An error says whether the request may have taken effect ([`N8nError::unanswered`]); writes are never repeated.
//! - The API key goes to the API below the base URL and nowhere else: not to webhooks, not along a redirect, not
//!   into a log. Bodies of answers go into no message.
//! - Only allowed addresses are connected to, as seen after DNS. No answer is held beyond a bound, and all of them together not beyond
//!   the memory of the process for them.
//! - A slow n8n holds up its own calls only.

mod address;
mod answer;
mod author;
mod client;
mod credentials;
mod error;
mod executions;
mod fence;
mod instance;
mod item;
mod key;
mod listing;
mod memory;
mod metrics;
mod operation;
mod page;
mod send;
mod settings;
mod tags;
mod throttle;
mod webhooks;
mod workflows;

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

pub use client::N8nClient;
pub use credentials::CredentialWrite;
pub use error::{Denial, N8nError, Refusal, SettingsError};
pub use executions::ExecutionQuery;
pub use fence::{LeaderFence, boot_clock};
pub use item::Unread;
pub use key::{ApiKey, key_expiry};
pub use listing::List;
pub use metrics::N8nMetrics;
pub use operation::Operation;
pub use settings::ClientSettings;
pub use webhooks::{ProbeAnswer, ProbeRequest, WebhookCheck};
