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
mod credentials;
mod error;
mod executions;
mod instance;
mod item;
mod key;
mod listing;
mod memory;
mod metrics;
mod operation;
mod pace;
mod page;
mod permit;
mod send;
mod settings;
mod tags;
mod webhooks;
mod workflows;

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use memory::Memory;
use pace::Pace;

pub use credentials::CredentialWrite;
pub use error::{Denial, N8nError, SettingsError};
pub use executions::ExecutionQuery;
pub use item::Unread;
pub use key::{ApiKey, key_expiry};
pub use listing::List;
pub use metrics::N8nMetrics;
pub use operation::Operation;
pub use permit::{WritePermit, awake_or_not};
pub use settings::ClientSettings;
pub use webhooks::{ProbeAnswer, ProbeRequest, WebhookCheck};
pub use workflows::Refusal;

/// The longest time that a call waits for its turn. Beyond it the instance is hopelessly behind.
const LONGEST_QUEUE: Duration = Duration::from_secs(120);

/// A client of one n8n. Clones share the connections, the rate limit and the bulkhead.
#[derive(Clone, Debug)]
pub struct N8nClient {
    inner: Arc<Inner>,
    permit: WritePermit,
    /// No write is sent after this moment of [`awake_or_not`].
    latest: Option<Duration>,
}

#[derive(Debug)]
struct Inner {
    settings: ClientSettings,
    http: reqwest::Client,
    pace: Pace,
    metrics: N8nMetrics,
    memory: Memory,
    publishes_later: AtomicBool,
    /// Set once n8n was seen to name the methods of a path, and none for a path that nobody has.
    names_methods: AtomicBool,
    /// So many seconds n8n's clock was ahead of ours at its last answer.
    clock_ahead: AtomicI64,
}

impl N8nClient {
    /// Makes a client. Nothing is sent.
    ///
    /// # Errors
    /// When a URL is not a plain base URL or the CA bundle is unreadable.
    pub fn new(settings: ClientSettings, metrics: N8nMetrics) -> Result<Self, SettingsError> {
        Self::within(settings, metrics, Memory::of_process())
    }

    fn within(settings: ClientSettings, metrics: N8nMetrics, memory: Memory) -> Result<Self, SettingsError> {
        let http = settings.build_http()?;
        let pace = Pace::new(settings.max_concurrent_requests, settings.requests_per_second, LONGEST_QUEUE);
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                http,
                pace,
                metrics,
                memory,
                publishes_later: AtomicBool::new(false),
                names_methods: AtomicBool::new(false),
                clock_ahead: AtomicI64::new(0),
            }),
            permit: WritePermit::unlimited(),
            latest: None,
        })
    }

    /// The same client, which writes only while the permit holds.
    #[must_use]
    pub fn permitted_by(self, permit: WritePermit) -> Self {
        Self { permit, ..self }
    }

    /// The same client, which sends no write after a moment of [`awake_or_not`]. What is still in the queue then ends as
    /// [`N8nError::Busy`], never sent.
    #[must_use]
    pub fn sending_until(&self, latest: Duration) -> Self {
        Self { latest: Some(latest), ..self.clone() }
    }

    /// The settings it was made from.
    pub fn settings(&self) -> &ClientSettings {
        &self.inner.settings
    }

    /// Whether n8n was seen to publish with a delay: its publication service answers at once and sets up the version and its
    /// triggers afterwards. The API does not tell beforehand, so `false` means that nothing gave it away yet.
    pub fn publishes_later(&self) -> bool {
        self.inner.publishes_later.load(Ordering::Relaxed)
    }

    /// Notes that n8n publishes with a delay.
    pub fn note_publishes_later(&self) {
        self.inner.publishes_later.store(true, Ordering::Relaxed);
    }

    /// The longest time from sending a request to its end, whichever end. After an unanswered create, n8n can
    /// still be working on it for as long as its own processing takes, so wait at least this before scanning again.
    pub fn longest_request(&self) -> Duration {
        self.inner.settings.request_timeout
    }
}
