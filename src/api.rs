//! The custom resources of `weirkeeper.dev/v1alpha1`: shapes, bounds and the words that status uses.
//!
//! Nothing here decides anything; the types are what `kubectl explain` shows and what the other layers agree on.

pub mod admission;
pub mod condition;
pub mod crds;
pub mod duration;
pub mod headers;
pub mod instance;
pub mod reason;
pub mod schema;
pub mod workflow;
pub mod workflow_status;

/// The API group of every kind.
pub const GROUP: &str = "weirkeeper.dev";
/// The only served version.
pub const VERSION: &str = "v1alpha1";
/// Who writes, in `metadata.managedFields` and as the reporter of events.
pub const MANAGER: &str = "weirkeeper";
/// Keeps a Workflow until its n8n side is settled.
pub const WORKFLOW_FINALIZER: &str = "weirkeeper.dev/workflow";
/// Keeps an N8nInstance usable while bound Workflows are being deleted.
pub const INSTANCE_FINALIZER: &str = "weirkeeper.dev/instance";

/// Annotations by which people decide something outside Git.
pub mod annotation {
    /// Any new value asks for a pass now; echoed in `status.lastHandledRequestedAt`.
    pub const REQUESTED_AT: &str = "weirkeeper.dev/requested-at";
    /// Any new value leaves a sticky failure; echoed in `status.lastHandledResetAt`.
    pub const RESET_AT: &str = "weirkeeper.dev/reset-at";
    /// On an N8nInstance: the UID of the namespace `kube-system` of the cluster from which its Workflows were restored. Those that have no
    /// workflow in n8n yet take over the one that carries the mark of their namespace and name there.
    pub const RESTORED_FROM: &str = "weirkeeper.dev/restored-from";
    /// The number of a kept version that should serve instead of the spec's.
    pub const PINNED_VERSION: &str = "weirkeeper.dev/pinned-version";
    /// Codes of findings, parted by commas, that are not told of a Workflow where they are no errors.
    pub const IGNORE_FINDINGS: &str = "weirkeeper.dev/ignore-findings";
}
