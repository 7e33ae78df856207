//! Memory of each object between reconciliations. Nothing in it is needed after a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::api::reason::Reason;
use crate::api::workflow_status::Snapshot;
use crate::domain::backoff::{Silence, SlidingWindow};
use crate::domain::error::ReconcileError;
use crate::domain::validation::ValidationReport;

/// Number of reverts within an hour after which a change counts as contested.
const MOST_REVERTS: usize = 5;

/// State of an object that is kept between reconciliations.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Times at which drift was reverted.
    pub reverts: SlidingWindow,
    /// Times at which it was published again because its webhooks did not answer.
    pub reregistrations: SlidingWindow,
    /// Digest of the content that n8n stored differently than it was sent, and when.
    pub readback_mismatches: (String, SlidingWindow),
    /// Last warning about unknown annotations.
    pub unknown_annotations: Option<String>,
    /// Set while the last reconciliation of this instance did not reach n8n.
    pub unreachable: bool,
    /// Reason of the last reconciliation of this instance.
    pub last_reason: Option<Reason>,
    /// Time at which a Workflow reported that this instance is unreachable.
    pub doubted: Option<Instant>,
    /// Content that was sent to n8n without an answer, and when: it may take effect late.
    pub late: Option<(Snapshot, Timestamp)>,
    /// The announced write in the status: when, by the status, it was announced, and since when this process knows of it, on a clock that
    /// runs through suspension.
    announced: Option<(i64, Duration)>,
    /// Time since when this process knows of the deletion, on a clock that runs through suspension.
    pub deleting_since: Option<Duration>,
    /// Set once the announced write in the status is counted as a failed attempt.
    pub counted: bool,
    /// Probes that no workflow answered.
    pub silence: Silence,
    /// Version, policies and catalogue with which the policies with `enforce: Running` last allowed the published version.
    pub allowed: Option<String>,
    /// Why the last call of a model for this prompt was not answered: it is reported until one is.
    pub unanswered: Option<ReconcileError>,
    /// Last validation of the definition.
    pub validation: Option<CachedValidation>,
}

impl Memory {
    /// Returns for how long this process knows of a write that was announced at a time.
    pub fn known_for(&mut self, announced: Timestamp, now: Duration) -> Duration {
        // Kubernetes stores whole seconds.
        let at = announced.as_second();
        let since = match self.announced {
            Some((known, since)) if known == at => since,
            _ => self.announced.insert((at, now)).1,
        };
        now.saturating_sub(since)
    }

    /// Reports whether the same changes are made in n8n again and again.
    pub fn is_contested(&mut self, now: Timestamp) -> bool {
        self.reverts.count(now) >= MOST_REVERTS
    }

    /// Resets the limits on automatic actions, when a user requested a retry.
    pub fn start_afresh(&mut self) {
        self.reverts = SlidingWindow::default();
        self.reregistrations = SlidingWindow::default();
        self.readback_mismatches = Default::default();
        self.silence = Silence::default();
    }
}

/// States by which objects are counted, by UID. They are kept apart from the rest: most objects have nothing else between reconciliations.
#[derive(Debug, Default)]
pub struct States(Mutex<HashMap<Box<str>, &'static str>>);

impl States {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, &'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the state of an object, and returns the one before.
    pub fn replace(&self, uid: &str, state: Option<&'static str>) -> Option<&'static str> {
        let mut states = self.lock();
        match state {
            Some(state) => states.insert(uid.into(), state),
            None => states.remove(uid),
        }
    }

    /// Returns the UIDs of the objects that have a state.
    pub fn objects(&self) -> Vec<String> {
        self.lock().keys().map(|uid| uid.to_string()).collect()
    }
}

/// Cached result of the last validation of an object's definition.
#[derive(Clone, Debug)]
pub enum CachedValidation {
    /// The result recorded in the status was accepted.
    Believed,
    /// The report, with the digest of its inputs: the text, the spec, the catalogue and n8n.
    Known([u8; 32], Arc<ValidationReport>),
}
