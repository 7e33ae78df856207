//! Client of one n8n: its connections and the permit of its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::error::SettingsError;
use super::metrics::N8nMetrics;
use super::settings::ClientSettings;
use crate::http::{LeaderFence, Memory, Transport, WritePermit};

/// Client of one n8n. Clones share the connections, the rate limit and the concurrency limit.
#[derive(Clone, Debug)]
pub struct N8nClient {
    pub(super) inner: Arc<Inner>,
    pub(super) permit: WritePermit,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: ClientSettings,
    pub(super) http: Transport,
    pub(super) metrics: N8nMetrics,
    publishes_later: AtomicBool,
    /// Set once n8n was seen to name the methods of a path, and none for a path that does not exist.
    pub(super) names_methods: AtomicBool,
    /// Number of seconds that n8n's clock was ahead of the local one at its last answer.
    pub(super) clock_ahead: AtomicI64,
    /// Size in bytes of a workflow on the last page of a list; 0 before the first.
    pub(super) bytes_per_workflow: AtomicU64,
}

impl N8nClient {
    /// Creates a client. Nothing is sent.
    ///
    /// # Errors
    /// If a URL is not a plain base URL or the CA bundle is unreadable.
    pub fn new(settings: ClientSettings, metrics: N8nMetrics) -> Result<Self, SettingsError> {
        Self::within(settings, metrics, Memory::of_process())
    }

    pub(super) fn within(settings: ClientSettings, metrics: N8nMetrics, memory: Memory) -> Result<Self, SettingsError> {
        settings.check()?;
        let http = Transport::new(&settings.http(), memory)?;
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                http,
                metrics,
                publishes_later: AtomicBool::new(false),
                names_methods: AtomicBool::new(false),
                clock_ahead: AtomicI64::new(0),
                bytes_per_workflow: AtomicU64::new(0),
            }),
            permit: WritePermit { fence: LeaderFence::unlimited(), latest: None },
        })
    }

    /// Returns the client restricted to writes while the leader fence holds.
    #[must_use]
    pub fn fenced_by(self, fence: LeaderFence) -> Self {
        Self { permit: WritePermit { fence, ..self.permit }, ..self }
    }

    /// Returns the client restricted to writes before a time of [`boot_clock`](crate::http::boot_clock). Writes still in the queue then
    /// fail as busy and are never sent.
    #[must_use]
    pub fn sending_until(&self, latest: Duration) -> Self {
        Self { permit: WritePermit { latest: Some(latest), ..self.permit.clone() }, ..self.clone() }
    }

    /// Returns the settings of the client.
    pub fn settings(&self) -> &ClientSettings {
        &self.inner.settings
    }

    /// Reports whether n8n was seen to publish with a delay: its publication service answers at once and sets up the version and its
    /// triggers afterwards. The API does not report this in advance, so `false` means that it has not shown yet.
    pub fn publishes_later(&self) -> bool {
        self.inner.publishes_later.load(Ordering::Relaxed)
    }

    /// Records that n8n publishes with a delay.
    pub fn note_publishes_later(&self) {
        self.inner.publishes_later.store(true, Ordering::Relaxed);
    }

    /// Returns the maximum time from sending a request to its end, successful or not. After an unanswered create, n8n may still be
    /// processing it, so wait at least this long before scanning again.
    pub fn longest_request(&self) -> Duration {
        self.inner.settings.request_timeout
    }
}
