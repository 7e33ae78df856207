//! The client of one n8n: its connections, its rate limit and the fence of its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::error::SettingsError;
use super::fence::LeaderFence;
use super::memory::Memory;
use super::metrics::N8nMetrics;
use super::settings::ClientSettings;
use super::throttle::Throttle;

/// The longest time that a call waits for its turn. Beyond it the instance is hopelessly behind.
const LONGEST_QUEUE: Duration = Duration::from_secs(120);

/// A client of one n8n. Clones share the connections, the rate limit and the bulkhead.
#[derive(Clone, Debug)]
pub struct N8nClient {
    pub(super) inner: Arc<Inner>,
    pub(super) fence: LeaderFence,
    /// No write is sent after this moment of [`boot_clock`].
    pub(super) latest: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: ClientSettings,
    pub(super) http: reqwest::Client,
    pub(super) throttle: Throttle,
    pub(super) metrics: N8nMetrics,
    pub(super) memory: Memory,
    publishes_later: AtomicBool,
    /// Set once n8n was seen to name the methods of a path, and none for a path that nobody has.
    pub(super) names_methods: AtomicBool,
    /// So many seconds n8n's clock was ahead of ours at its last answer.
    pub(super) clock_ahead: AtomicI64,
}

impl N8nClient {
    /// Makes a client. Nothing is sent.
    ///
    /// # Errors
    /// When a URL is not a plain base URL or the CA bundle is unreadable.
    pub fn new(settings: ClientSettings, metrics: N8nMetrics) -> Result<Self, SettingsError> {
        Self::within(settings, metrics, Memory::of_process())
    }

    pub(super) fn within(settings: ClientSettings, metrics: N8nMetrics, memory: Memory) -> Result<Self, SettingsError> {
        let http = settings.build_http()?;
        let throttle = Throttle::new(settings.max_concurrent_requests, settings.requests_per_second, LONGEST_QUEUE);
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                http,
                throttle,
                metrics,
                memory,
                publishes_later: AtomicBool::new(false),
                names_methods: AtomicBool::new(false),
                clock_ahead: AtomicI64::new(0),
            }),
            fence: LeaderFence::unlimited(),
            latest: None,
        })
    }

    /// The same client, which writes only while the fence holds.
    #[must_use]
    pub fn fenced_by(self, fence: LeaderFence) -> Self {
        Self { fence, ..self }
    }

    /// The same client, which sends no write after a moment of [`boot_clock`]. What is still in the queue then ends as
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
