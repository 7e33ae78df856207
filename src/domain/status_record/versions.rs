//! Changes of the index of versions.

use jiff::Timestamp;

use super::StatusRecord;
use crate::api::reason::Reason;
use crate::api::workflow_status::{Intent, VersionRecord, VersionResult, VersionSource};
use crate::domain::history;

impl StatusRecord {
    /// Numbers a definition; one that is kept has its number already.
    pub fn accept_version(&mut self, digest: &str, source: VersionSource, revision: String, now: Timestamp) -> i64 {
        history::accept(&mut self.0, digest, source, revision, now)
    }

    /// Removes a version whose body could not be stored. `last` is the last number before it.
    pub fn withdraw_version(&mut self, version: i64, last: Option<i64>) {
        self.0.history.retain(|record| record.version != version);
        self.0.last_version = last;
    }

    /// Records the version id under which n8n holds a digest.
    pub fn record_n8n_version(&mut self, digest: &str, n8n_version_id: Option<&str>) {
        history::sent(&mut self.0.history, digest, n8n_version_id);
    }

    /// Records the version id under which n8n holds a version, or that it holds none.
    pub fn replace_n8n_version(&mut self, version: i64, n8n_version_id: Option<&str>) {
        if let Some(record) = self.record_mut(version) {
            record.n8n_version_id = n8n_version_id.map(str::to_owned);
        }
    }

    /// Records that an adopted workflow was not published, so that its version proved nothing.
    pub fn mark_unproven(&mut self, version: i64) {
        if let Some(record) = self.record_mut(version) {
            record.result = VersionResult::Kept;
            record.decided_at = None;
        }
    }

    /// Records that a version passed its probes, or its bake time.
    pub fn mark(&mut self, version: i64, result: VersionResult, now: Timestamp) {
        history::record_result(&mut self.0.history, version, result, None, now);
    }

    /// Records that a version failed.
    pub fn mark_failed(&mut self, version: i64, reason: Reason, message: &str, now: Timestamp) {
        history::record_result(&mut self.0.history, version, VersionResult::Failed, Some((reason, message)), now);
        self.keep_recovery(true);
    }

    /// Records that the wanted definition failed, under which circumstances.
    pub fn hold_definition(&mut self, digest: &str, circumstances: String) {
        self.0.failed_digest = Some(digest.to_owned());
        self.0.failed_with = Some(circumstances);
    }

    /// Lets the wanted definition be tried again.
    pub fn release_definition(&mut self) {
        self.0.failed_digest = None;
        self.0.failed_with = None;
        self.0.intent = self.0.intent.take().map(|intent| Intent { attempts: 0, failing_since: None, ..intent });
    }

    /// Lets a failed version be tried from the start.
    pub fn reset_version(&mut self, digest: &str) {
        let failed = |record: &&mut VersionRecord| record.digest == digest && record.result == VersionResult::Failed;
        if let Some(record) = self.0.history.iter_mut().find(failed) {
            record.result = VersionResult::Pending;
            record.reason = None;
            record.message = None;
            record.decided_at = None;
        }
    }

    /// Lets versions that proved themselves and could not be put back be put back.
    pub fn reset_failed_rollbacks(&mut self) {
        let failed = |record: &&mut VersionRecord| record.reason.as_deref() == Some(Reason::RollbackFailed.as_str());
        for record in self.0.history.iter_mut().filter(failed) {
            record.result = VersionResult::Good;
            record.reason = None;
            record.message = None;
        }
    }

    /// Removes versions beyond the limit, and returns the names of their revisions.
    pub fn prune_versions(&mut self, limit: i64, wanted: i64, desired_digest: &str) -> Vec<String> {
        let active = self.0.active_version;
        history::prune(&mut self.0.history, limit, active, wanted, desired_digest)
    }

    fn record_mut(&mut self, version: i64) -> Option<&mut VersionRecord> {
        self.0.history.iter_mut().find(|record| record.version == version)
    }
}
