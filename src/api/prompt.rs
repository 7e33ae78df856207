//! `WorkflowPrompt`: a sentence from which a Workflow is made.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::{HOUR, SECOND, Within};
use super::prompt_status::WorkflowPromptStatus;
use super::schema::{object_labels, short_texts};
use super::workflow::{CredentialMapping, HealthCheck, InstanceRef, LocalRef, RollbackPolicy};

/// Maximum length of a prompt in characters.
pub const LONGEST_PROMPT: u32 = 8192;

/// A sentence from which a Workflow is made.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "WorkflowPrompt",
    namespaced,
    category = "n8n",
    shortname = "nwfp",
    status = "WorkflowPromptStatus",
    derive = "PartialEq",
    doc = "A sentence from which a Workflow is made: planned, built, validated, approved and deployed.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage"),
    printcolumn(name = "Workflow", type_ = "string", json_path = ".status.workflowRef.name"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Route", type_ = "string", json_path = ".status.route.name", priority = "1"),
    printcolumn(name = "Tokens", type_ = "integer", json_path = ".status.usage.tokens", priority = "1"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.usage.cost", priority = "1"),
    printcolumn(name = "Proposal", type_ = "string", json_path = ".status.proposal.digest", priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1")
)]
#[x_kube(
    validation = kube::core::Rule::new("self.instanceRef == oldSelf.instanceRef")
        .message("instanceRef is immutable; create another WorkflowPrompt for another instance"),
    validation = kube::core::Rule::new("(has(self.workflow) && has(self.workflow.name)) == (has(oldSelf.workflow) && has(oldSelf.workflow.name)) && (!(has(self.workflow) && has(self.workflow.name)) || self.workflow.name == oldSelf.workflow.name)")
        .message("workflow.name is immutable; create another WorkflowPrompt for another Workflow"),
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowPromptSpec {
    /// Task of the workflow, in plain words. It is sent to the model provider: write no secret into it.
    #[schemars(length(min = 1, max = 8192))]
    pub prompt: String,
    /// N8nInstance that runs the workflow. Immutable.
    pub instance_ref: InstanceRef,
    /// ModelProvider that is asked. If unset, no model is asked: the workflow is built from templates and patterns, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,
    /// The Workflow that is made.
    #[serde(default, skip_serializing_if = "GeneratedWorkflow::is_default")]
    pub workflow: GeneratedWorkflow,
    /// Workflow in the same namespace whose definition the prompt changes. What the prompt does not ask for stays as it is. The result is
    /// a Workflow of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_workflow_ref: Option<LocalRef>,
    /// Model that is asked first: the `Simple` or the `Complex` one of the provider; `Auto` decides by the complexity of the prompt.
    /// Defaults to `Auto`.
    #[serde(default)]
    pub tier: Tier,
    /// Reaction to an ambiguous prompt: `Ask` waits for answers, `AssumeDefaults` takes the default of each question that has one, `Never`
    /// asks nothing and fails if a guess would not be safe. Defaults to `Ask`.
    #[serde(default)]
    pub clarification: Clarification,
    /// Answers by the id of the question, and values by the name of the input, as `status.questions` and `status.requiredInputs` list them.
    /// The annotation `weirkeeper.dev/answers` may hold further ones, as JSON.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "short_texts")]
    pub answers: BTreeMap<String, String>,
    /// Approval before deployment: `Required`, by the annotation `weirkeeper.dev/approved-digest` with the
    /// value of `status.proposal.digest`, or `Automatic`. A WorkflowPolicy may require it, too. Defaults to `Required`.
    #[serde(default)]
    pub approval: Approval,
    /// IANA time zone of times in the prompt, such as `Europe/Berlin`. If unset, that of the n8n instance applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z][A-Za-z0-9_+/-]*$"))]
    pub timezone: Option<String>,
    /// Limits of a generation.
    #[serde(default, skip_serializing_if = "GenerationLimits::is_default")]
    pub limits: GenerationLimits,
    /// Handling of the Workflow when this object is deleted: `Delete` deletes it, `Retain` keeps it. Defaults to `Delete`.
    #[serde(default)]
    pub deletion_policy: PromptDeletion,
    /// `true` suspends the generation and the delivery. Defaults to `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Reference to a ModelProvider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderRef {
    /// Name of the ModelProvider.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the ModelProvider. Defaults to the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// The Workflow that is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeneratedWorkflow {
    /// Name of the Workflow. Defaults to the name of the WorkflowPrompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// Labels of the Workflow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "object_labels")]
    pub labels: BTreeMap<String, String>,
    /// Name of the workflow in n8n. Defaults to the name that the generation chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub display_name: Option<String>,
    /// `active` of the Workflow: `true` publishes it, `false` does not, and if unset people decide in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Credentials of the Workflow. A generated node names its credential by the credential's type, such as `slackApi`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub credentials: Vec<CredentialMapping>,
    /// Health check of the Workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Rollback of the Workflow.
    #[serde(default)]
    pub rollback: RollbackPolicy,
}

impl GeneratedWorkflow {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Model that is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tier {
    /// As the complexity of the prompt suggests.
    #[default]
    Auto,
    /// The cheaper model.
    Simple,
    /// The more capable model.
    Complex,
}

/// Reaction to an ambiguous prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Clarification {
    /// Wait for answers.
    #[default]
    Ask,
    /// Take the default of each question that has one, and ask the others.
    AssumeDefaults,
    /// Ask nothing.
    Never,
}

/// Approval before deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Approval {
    /// Nothing is deployed before somebody approves it.
    #[default]
    Required,
    /// A workflow that is valid and allowed is deployed.
    Automatic,
}

/// Handling of the Workflow at deletion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PromptDeletion {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays.
    Retain,
}

/// Limits of a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerationLimits {
    /// Maximum number of tokens of questions and answers together. If unset, only the quotas of the namespace limit them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub tokens: Option<i64>,
    /// Maximum number of attempts, from 1 to 3. Defaults to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3))]
    pub attempts: Option<i64>,
    /// Time from the first answer of a model after which no further call is made, from 1s to 24h. Defaults to 15m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Within<SECOND, { 24 * HOUR }>>,
}

impl GenerationLimits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
