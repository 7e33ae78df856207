//! `WorkflowPolicy`: rules for the definitions of a namespace.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::duration::{HOUR, SECOND, Within};

/// Rules for the definitions of Workflows in this namespace. Several policies of a namespace all apply.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "WorkflowPolicy",
    plural = "workflowpolicies",
    namespaced,
    category = "n8n",
    shortname = "n8np",
    status = "WorkflowPolicyStatus",
    derive = "PartialEq",
    doc = "Rules for the definitions of Workflows in this namespace.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Applies to", type_ = "string", json_path = ".spec.appliesTo"),
    printcolumn(name = "Enforce", type_ = "string", json_path = ".spec.enforce"),
    printcolumn(name = "Denied", type_ = "integer", json_path = ".status.denied"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowPolicySpec {
    /// Definitions that the rules apply to: `All`, or only `Generated` ones, which a language model made. Defaults to `All`.
    #[serde(default)]
    pub applies_to: AppliesTo,
    /// Patterns of the node types that may be used, such as `n8n-nodes-base.*`; `*` stands for any characters. A `…Tool` variant counts as
    /// its node. Sticky notes are always allowed. Defaults to all types; an empty list allows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)))]
    pub allowed_node_types: Option<Vec<String>>,
    /// Patterns of the node types that may not be used, even if they are allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)))]
    pub denied_node_types: Vec<String>,
    /// Patterns of the hosts that HTTP nodes may call, such as `*.example.com` or `api.example.com:8443`; `*` stands for any characters.
    /// A pattern without a port allows every port. Defaults to all hosts; an empty list allows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 300)))]
    pub allowed_hosts: Option<Vec<String>>,
    /// Effect of a host that an expression computes, if `allowedHosts` is set: `Deny`, or `Warn`. Defaults to `Deny`.
    #[serde(default)]
    pub unknown_hosts: Effect,
    /// First segments of the paths of webhooks, forms and MCP servers, such as `team-a`. Paths that n8n makes of an id are not affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$"))]
    pub webhook_path_prefix: Option<String>,
    /// Shortest time between two starts by a schedule or a poll, from 1s to 8760h. It holds for each schedule or poll alone, and for the
    /// average of all those of a workflow together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_schedule_interval: Option<ScheduleInterval>,
    /// Effect of secrets that are written into a definition: `Deny`, or `Warn`. Defaults to `Deny`.
    #[serde(default)]
    pub literal_secrets: Effect,
    /// Requires the setting `errorWorkflow`. Defaults to false.
    #[serde(default)]
    pub require_error_workflow: bool,
    /// Requires the approval of a person for each definition that a WorkflowPrompt makes, whatever its `approval` says. Defaults to false.
    #[serde(default)]
    pub require_approval: bool,
    /// Maximum number of nodes, including those of workflows inside nodes, and without sticky notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5000))]
    pub maximum_nodes: Option<i64>,
    /// Time at which the rules are enforced: `Deployment` refuses what is to be deployed and changes nothing that is published; `Running`
    /// also unpublishes what breaks the rules. Defaults to `Deployment`.
    #[serde(default)]
    pub enforce: Enforce,
}

/// Shortest time between two starts.
pub type ScheduleInterval = Within<SECOND, { 8760 * HOUR }>;

/// Definitions that a policy applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AppliesTo {
    /// Every definition.
    #[default]
    All,
    /// Definitions that a language model made.
    Generated,
}

/// Effect of a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// The definition is refused.
    #[default]
    Deny,
    /// The violation is a warning.
    Warn,
}

/// Time at which rules are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Enforce {
    /// When a version is about to be deployed.
    #[default]
    Deployment,
    /// Always: a published version that breaks the rules is unpublished.
    Running,
}

/// Observed state of the WorkflowPolicy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowPolicyStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// First point of the message of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
    /// Number of Workflows that break the rules.
    #[schemars(range(min = 0))]
    pub denied: i64,
    /// Conditions: Ready, Reconciling and Stalled.
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}
