//! A Workflow whose definition may stand in a later file.

use crate::api::workflow::{ConfigMapKeyRef, WorkflowSpec};
use crate::document::positions::Span;

/// A Workflow whose definition is stored in a ConfigMap.
pub(super) struct Pending {
    /// Index of its report.
    pub(super) report: usize,
    pub(super) source: usize,
    /// Position at which it names the ConfigMap.
    pub(super) span: Option<Span>,
    pub(super) namespace: Option<String>,
    pub(super) from: ConfigMapKeyRef,
    pub(super) spec: Option<Box<WorkflowSpec>>,
}
