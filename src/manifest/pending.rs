//! A Workflow whose definition may stand in a later file.

use crate::api::workflow::{ConfigMapKeyRef, WorkflowSpec};
use crate::document::positions::Span;

use super::namespace_rules::Origin;

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
    pub(super) generated: bool,
}

impl Pending {
    /// Returns the Workflow of the definition.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin { spec: self.spec.as_deref(), namespace: self.namespace.as_deref(), generated: self.generated }
    }
}
