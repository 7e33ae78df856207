//! A version that is deployed to n8n, and the count of its failed attempts.

use super::reconciliation::Reconciliation;
use crate::api::workflow_status::{IntentOperation, VersionResult};
use crate::document::endpoints::listens;
use crate::domain::failure::{Attempted, Failure};
use crate::domain::history;
use crate::domain::plan::Publication;
use crate::domain::remote::WorkflowWrite;
use crate::n8n::N8nError;

/// A version to deploy.
pub(super) struct Deployment<'a> {
    pub(super) version: i64,
    pub(super) digest: &'a str,
    /// Content to send, with the ids of this instance.
    pub(super) write: &'a WorkflowWrite,
    pub(super) publication: Publication,
    pub(super) operation: IntentOperation,
    /// Set if it may bring a new version to n8n, which quotas count.
    pub(super) counts: bool,
}

impl Deployment<'_> {
    /// Reports whether n8n has to register a webhook for it. An n8n that publishes at once has counted it when it answers.
    pub(super) fn listens(&self) -> bool {
        let enabled = self.write.nodes.iter().filter(|node| node["disabled"] != true);
        enabled.filter_map(|node| node["type"].as_str()).any(listens)
    }
}

impl From<N8nError> for Failure {
    fn from(error: N8nError) -> Self {
        Self::Elsewhere(error.into())
    }
}

/// Counts a failed attempt at the intended version, once for each attempt, and reports whether it failed often and long enough to be the
/// version's fault.
pub(super) fn failed_too_often(rec: &mut Reconciliation<'_>) -> bool {
    let now = rec.now();
    rec.ctx.remember(&rec.uid(), |memory| memory.counted = true);
    rec.status.count_failed_attempt(&mut rec.counted, now)
}

/// Reports the same of an attempt of an earlier reconciliation that left the workflow offline. If that reconciliation counted it, it is
/// not counted again.
pub(super) fn left_offline_too_often(rec: &mut Reconciliation<'_>) -> bool {
    rec.counted = rec.ctx.remember(&rec.uid(), |memory| memory.counted);
    failed_too_often(rec)
}

/// Reports whether the version proved itself, so that no try takes anything offline that is published.
pub(super) fn proven(rec: &Reconciliation<'_>, operation: IntentOperation, version: i64) -> bool {
    let good = || history::numbered(&rec.status.history, version).is_some_and(|record| record.result == VersionResult::Good);
    operation == IntentOperation::Rollback || (good() && rec.status.active_version == Some(version))
}

/// Returns the facts that decide whether a failure is the version's fault.
pub(super) fn attempted(rec: &Reconciliation<'_>, operation: IntentOperation, version: i64, too_often: bool) -> Attempted {
    Attempted { proven: proven(rec, operation, version), rollback: operation == IntentOperation::Rollback, too_often }
}
