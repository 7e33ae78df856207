//! Conditions in the shape of `metav1.Condition`, with the meaning that kstatus gives them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// Types of conditions that Weirkeeper sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The object is in the state that its spec asks for.
    Ready,
    /// A reconciliation is in progress or will be retried without intervention.
    Reconciling,
    /// Somebody has to intervene; retries continue nonetheless.
    Stalled,
    /// The definition was read and is valid.
    Validated,
    /// Every credential that the definition uses is mapped to a credential of the n8n instance.
    CredentialsReady,
    /// The workflow or the credential in n8n matches the spec, as confirmed by reading it back.
    Synced,
    /// n8n's own test of the credential passes (N8nCredential).
    Tested,
    /// Every production webhook of the published version is registered in n8n.
    Live,
    /// Probes pass and production executions stay below the error limit.
    Healthy,
    /// The workflow or the credential in n8n differs from the state that Weirkeeper last confirmed.
    Drifted,
    /// The last good version is published instead of the version in the spec.
    RolledBack,
    /// The server answers and accepts the key (N8nInstance, ModelProvider).
    Reachable,
    /// The requested catalogue of node types is loaded and matches the version of n8n (N8nInstance).
    CatalogReady,
    /// The API key expires within 14 days (N8nInstance).
    KeyExpiring,
    /// Workflows wait for a place under a limit, or more are in use than a limit allows (WorkflowQuota).
    Exceeded,
    /// The prompt was understood well enough to choose how the workflow is built (WorkflowPrompt).
    Analysed,
    /// Answers of a person are needed (WorkflowPrompt).
    NeedsInput,
    /// A workflow was generated from the prompt (WorkflowPrompt).
    Generated,
    /// A quota or a limit of the prompt stops the use of a language model (WorkflowPrompt).
    BudgetExceeded,
    /// The generated workflow may be deployed (WorkflowPrompt).
    Approved,
    /// The Workflow object holds what was generated (WorkflowPrompt).
    Deployed,
}

/// Status of a condition: `True`, `False` or `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// The status of the condition cannot be determined at the moment.
    Unknown,
}

/// One aspect of the observed state of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type of the condition.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Status of the condition: `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// Machine-readable reason for the status, in CamelCase. docs/reasons.md lists all reasons.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// Human-readable message: what is wrong, where, and how to fix it.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Time at which `status` last changed.
    #[schemars(with = "String", extend("format" = "date-time"), length(max = 64))]
    pub last_transition_time: Time,
    /// `metadata.generation` that this condition was set for.
    #[serde(default)]
    #[schemars(with = "i64", range(min = -1))]
    pub observed_generation: i64,
}

/// New state of one condition; [`merge`] turns it into a [`Condition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Type of the condition.
    pub kind: ConditionType,
    /// Status of the condition.
    pub status: ConditionStatus,
    /// Machine-readable reason.
    pub reason: Reason,
    /// Human-readable message.
    pub message: String,
}

/// Maximum length of a condition's message, in bytes.
pub const MESSAGE_LIMIT: usize = 2048;

impl ConditionUpdate {
    /// Returns an update whose message is cut to [`MESSAGE_LIMIT`].
    pub fn new(kind: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE_LIMIT {
            let end = (0..=MESSAGE_LIMIT - 3).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
            message.push_str("...");
        }
        Self { kind, status, reason, message }
    }
}

/// Merges updates into a list of conditions. The last update of a type wins, `lastTransitionTime` changes only with the status, and
/// conditions without an update are removed.
pub fn merge(old: &[Condition], updates: &[ConditionUpdate], generation: i64, now: Timestamp) -> Vec<Condition> {
    let last = |at: usize| !updates[at + 1..].iter().any(|later| later.kind == updates[at].kind);
    let mut merged: Vec<Condition> = updates
        .iter()
        .enumerate()
        .filter_map(|(at, update)| last(at).then_some(update))
        .map(|update| {
            let before = find(old, update.kind).filter(|before| before.status == update.status);
            Condition {
                kind: update.kind,
                status: update.status,
                reason: update.reason.as_str().to_owned(),
                message: update.message.clone(),
                last_transition_time: before.map_or_else(|| whole_seconds(now), |before| before.last_transition_time.clone()),
                observed_generation: generation,
            }
        })
        .collect();
    merged.sort_by_key(|condition| condition.kind);
    merged
}

/// Returns the condition of a type, if present.
pub fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Truncates a time to milliseconds, the precision of n8n's execution start times.
pub fn milliseconds(now: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now))
}

/// Truncates a time to whole seconds, the precision that Kubernetes stores; a finer one would differ from the stored one.
pub fn whole_seconds(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}
