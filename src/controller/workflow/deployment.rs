//! A version on its way to n8n, and why it does not get there.

use super::reconciliation::Reconciliation;
use crate::api::reason::Reason;
use crate::api::workflow_status::{Operation, VersionResult};
use crate::document::endpoints::listens;
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::plan::Publication;
use crate::domain::remote::WorkflowWrite;
use crate::n8n::N8nError;

/// A version to bring to n8n.
pub(super) struct Deployment<'a> {
    pub(super) version: i64,
    pub(super) digest: &'a str,
    /// With the ids of this instance, as it is sent.
    pub(super) write: &'a WorkflowWrite,
    pub(super) publication: Publication,
    pub(super) operation: Operation,
}

impl Deployment<'_> {
    /// Whether n8n has to register a webhook for it. One that publishes at once has counted it when it answers.
    pub(super) fn listens(&self) -> bool {
        let enabled = self.write.nodes.iter().filter(|node| node["disabled"] != true);
        enabled.filter_map(|node| node["type"].as_str()).any(listens)
    }
}

/// Why a version is not there.
pub(super) enum Failure {
    /// The version itself is at fault.
    Version(Reason, String),
    /// Something else is.
    ReconcileError(ReconcileError),
}

impl From<N8nError> for Failure {
    fn from(error: N8nError) -> Self {
        Self::ReconcileError(error.into())
    }
}

impl From<ReconcileError> for Failure {
    fn from(error: ReconcileError) -> Self {
        Self::ReconcileError(error)
    }
}

/// Counts one more attempt at the intended version that ended badly, once however often it is asked, and tells whether it happened
/// often and long enough to be the version's fault.
pub(super) fn failed_too_often(rec: &mut Reconciliation<'_>) -> bool {
    let now = rec.now();
    let first = !std::mem::replace(&mut rec.counted, true);
    rec.ctx.remember(&rec.uid(), |memory| memory.counted = true);
    rec.status.count_failed_attempt(!first, now)
}

/// The same of an attempt that an earlier pass made and that left the workflow offline. Where that pass counted it, it is only asked.
pub(super) fn left_offline_too_often(rec: &mut Reconciliation<'_>) -> bool {
    rec.counted = rec.ctx.remember(&rec.uid(), |memory| memory.counted);
    failed_too_often(rec)
}

/// Whether the version proved itself and nothing serves that each try would take offline: then only n8n's own lasting verdict
/// speaks against it.
pub(super) fn proven(rec: &Reconciliation<'_>, operation: Operation, version: i64) -> bool {
    let good = || history::numbered(&rec.status.history, version).is_some_and(|record| record.result == VersionResult::Good);
    operation == Operation::Rollback || (good() && rec.status.active_version == Some(version))
}
