//! Memory of each object between reconciliations. Nothing in it is needed after a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::api::workflow_status::{Intent, Snapshot};
use crate::domain::backoff::{Silence, SlidingWindow};
use crate::domain::validation::ValidationReport;

/// What is remembered of an object between passes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The state that it is counted by.
    pub state: Option<&'static str>,
    /// When its drift was undone.
    pub reverts: SlidingWindow,
    /// When it was published again because its webhooks did not answer.
    pub reregistrations: SlidingWindow,
    /// The digest of which n8n held something else than what was sent, and when.
    pub readback_mismatches: (String, SlidingWindow),
    /// What was told about annotations that nobody reads.
    pub unread: Option<String>,
    /// Set while the last reconciliation of this instance did not reach n8n.
    pub unreachable: bool,
    /// When a Workflow doubted that this instance is reachable.
    pub doubted: Option<Instant>,
    /// What was sent to n8n without an answer, and when: it may take effect late.
    pub late: Option<(Snapshot, Timestamp)>,
    /// The announcement of a write that is in its status, by when it says that it was made, and since when it is known here, on a
    /// clock that runs through suspension.
    announced: Option<(i64, Duration)>,
    /// Since when this process knows that it is being deleted, on a clock that runs through suspension.
    pub deleting_since: Option<Duration>,
    /// Set once the write that its status announces is counted as an attempt that ended badly.
    pub counted: bool,
    /// Probes that no workflow answered.
    pub silence: Silence,
    /// What the validator said of its definition last.
    pub validation: Option<CachedValidation>,
}

impl Memory {
    /// Returns for how long this process knows that a write was announced.
    pub fn known_for(&mut self, intent: &Intent, now: Duration) -> Duration {
        // Kubernetes keeps whole seconds.
        let at = intent.started_at.0.as_second();
        let since = match self.announced {
            Some((known, since)) if known == at => since,
            _ => self.announced.insert((at, now)).1,
        };
        now.saturating_sub(since)
    }

    /// A person asked for everything to be tried again.
    pub fn start_afresh(&mut self) {
        self.reverts = SlidingWindow::default();
        self.reregistrations = SlidingWindow::default();
        self.readback_mismatches = Default::default();
        self.silence = Silence::default();
    }
}

/// What is remembered of the last judgement of an object's definition.
#[derive(Clone, Debug)]
pub enum CachedValidation {
    /// The verdict in the status was believed.
    Believed,
    /// What was said, of what: the text, the spec, the catalogue and n8n.
    Known([u8; 32], Arc<ValidationReport>),
}
