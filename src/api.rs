//! The custom resources of `weirkeeper.dev/v1alpha1`: their types, bounds, condition types and reasons.
//!
//! Nothing here makes decisions; the types are what `kubectl explain` shows and what all other layers share.

pub mod admission;
pub mod condition;
pub mod crds;
pub mod credential;
pub mod credential_status;
pub mod duration;
pub mod headers;
pub mod instance;
pub mod money;
pub mod policy;
pub mod prompt;
pub mod prompt_repair;
pub mod prompt_status;
pub mod provider;
pub mod quota;
pub mod reason;
pub mod required_credential;
pub mod schema;
pub mod template;
pub mod template_ref;
pub mod workflow;
pub mod workflow_status;

/// API group of every kind.
pub const GROUP: &str = "weirkeeper.dev";
/// API version of every kind; the only served one.
pub const VERSION: &str = "v1alpha1";
/// Field manager in `metadata.managedFields` and reporting controller of events.
pub const MANAGER: &str = "weirkeeper";
/// Finalizer of a Workflow; removed once its deletion policy has been applied in n8n.
pub const WORKFLOW_FINALIZER: &str = "weirkeeper.dev/workflow";
/// Finalizer of an N8nInstance; keeps the connection usable while bound Workflows are being deleted.
pub const INSTANCE_FINALIZER: &str = "weirkeeper.dev/instance";

/// Finalizer of an N8nCredential; removed once its deletion policy has been applied in n8n.
pub const CREDENTIAL_FINALIZER: &str = "weirkeeper.dev/credential";

/// Annotations that control the operator without an edit of the spec.
pub mod annotation {
    /// Requests an immediate reconciliation when its value changes; echoed in `status.lastHandledRequestedAt`.
    pub const REQUESTED_AT: &str = "weirkeeper.dev/requested-at";
    /// Clears a permanent failure when its value changes; echoed in `status.lastHandledResetAt`.
    pub const RESET_AT: &str = "weirkeeper.dev/reset-at";
    /// On an N8nInstance: UID of the namespace `kube-system` of the cluster from which the Workflows were restored. A restored Workflow
    /// that is not bound to a workflow in n8n yet takes over the one that carries the mark of its namespace and name in that cluster.
    pub const RESTORED_FROM: &str = "weirkeeper.dev/restored-from";
    /// Number of a stored version to publish instead of the version in the spec.
    pub const PINNED_VERSION: &str = "weirkeeper.dev/pinned-version";
    /// On a WorkflowPrompt: digest of the proposal (`status.proposal.digest`) that may be deployed.
    pub const APPROVED_DIGEST: &str = "weirkeeper.dev/approved-digest";
    /// On a WorkflowPrompt: answers and values as a JSON object of texts, in addition to `spec.answers`, which win.
    pub const ANSWERS: &str = "weirkeeper.dev/answers";
    /// On a Workflow: name of the WorkflowPrompt that made it. Its definition counts as generated.
    pub const GENERATED_BY: &str = "weirkeeper.dev/generated-by";
    /// Comma-separated codes of findings that are not reported for this Workflow. Errors cannot be ignored.
    pub const IGNORE_FINDINGS: &str = "weirkeeper.dev/ignore-findings";
}
