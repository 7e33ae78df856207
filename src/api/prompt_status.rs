//! Status of a `WorkflowPrompt`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::prompt_repair::PromptRepair;
use super::required_credential::RequiredCredential;
use super::workflow::LocalRef;

/// Maximum number of calls whose usage is listed one by one.
pub const MOST_CALLS: usize = 32;
/// Maximum number of items of the other lists in the status.
pub const MOST_ITEMS: usize = 32;
/// Maximum number of earlier generations that are listed.
pub const MOST_GENERATIONS: usize = 8;
/// Maximum number of repairs of what one prompt led to.
pub const MOST_REPAIRS: usize = 2;

/// Observed state of the WorkflowPrompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowPromptStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Current stage of the work.
    pub stage: PromptStage,
    /// First point of the message of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
    /// SHA-256 of everything that the generation depends on. Nothing is generated again while it stays the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub input_hash: Option<String>,
    /// SHA-256 of what the user asks for, the part of the inputs that an upgrade of the operator or a change of rules leaves alone. A
    /// proposal that still passes them is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub asked_hash: Option<String>,
    /// Value of the annotation `weirkeeper.dev/reset-at` with which a failed generation was begun again; part of the inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub begun_again_at: Option<String>,
    /// SHA-256 of the definition of the Workflow that `spec.baseWorkflowRef` names, as it was last read; part of the inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub base_digest: Option<String>,
    /// Failed health checks that are repaired, the latest last; part of the inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub repairs: Vec<PromptRepair>,
    /// Maker of the workflow, with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<PromptRoute>,
    /// Nodes of the workflow in the order of execution, each in a line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 256)))]
    pub plan: Vec<String>,
    /// Assumptions where the prompt says nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    pub assumptions: Vec<String>,
    /// Questions whose answers change the workflow. Answer them in `spec.answers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub questions: Vec<PromptQuestion>,
    /// Values that are still to be given in `spec.answers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub required_inputs: Vec<RequiredInput>,
    /// Credentials that the nodes of the workflow need. `spec.workflow.credentials` maps them, by their type as the name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub required_credentials: Vec<RequiredCredential>,
    /// Workflow that waits for approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// Findings of the best candidate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub validation: Vec<PromptFinding>,
    /// Tokens and cost.
    #[serde(skip_serializing_if = "PromptUsage::is_default")]
    pub usage: PromptUsage,
    /// Calls of a model that were begun and whose answer is not recorded yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub pending_calls: Vec<PendingCall>,
    /// Time of the first call of a model for the current inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub began_at: Option<Time>,
    /// The Workflow that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_ref: Option<LocalRef>,
    /// Digest of the proposal that was last deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub deployed_digest: Option<String>,
    /// Earlier generations, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub history: Vec<PromptGeneration>,
    /// Last handled value of the annotation `weirkeeper.dev/reset-at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reset_at: Option<String>,
    /// Last handled value of the annotation `weirkeeper.dev/requested-at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: Option<String>,
    /// Conditions: Ready, Reconciling, Stalled, and one for each step: Analysed, NeedsInput, Generated, Valid, BudgetExceeded, Approved and
    /// Deployed.
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for WorkflowPromptStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            stage: PromptStage::default(),
            summary: None,
            input_hash: None,
            asked_hash: None,
            begun_again_at: None,
            base_digest: None,
            repairs: Vec::new(),
            route: None,
            plan: Vec::new(),
            assumptions: Vec::new(),
            questions: Vec::new(),
            required_inputs: Vec::new(),
            required_credentials: Vec::new(),
            proposal: None,
            validation: Vec::new(),
            usage: PromptUsage::default(),
            pending_calls: Vec::new(),
            began_at: None,
            workflow_ref: None,
            deployed_digest: None,
            history: Vec::new(),
            last_handled_reset_at: None,
            last_handled_requested_at: None,
            conditions: Vec::new(),
        }
    }
}

/// Stage of the work on a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PromptStage {
    /// Nothing was done yet.
    #[default]
    Pending,
    /// The prompt is analysed.
    Understanding,
    /// A model plans the workflow.
    Planning,
    /// The workflow is built, validated and corrected.
    Building,
    /// Answers of a person are needed.
    WaitingForAnswers,
    /// The approval of a person is needed.
    WaitingForApproval,
    /// The Workflow is being deployed.
    Deployment,
    /// The Workflow is deployed and watched.
    Monitoring,
    /// A budget is used up.
    WaitingForBudget,
    /// Nothing is deployed, and a person has to act.
    Failed,
}

impl PromptStage {
    /// Returns the stage as the status has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Understanding => "Understanding",
            Self::Planning => "Planning",
            Self::Building => "Building",
            Self::WaitingForAnswers => "WaitingForAnswers",
            Self::WaitingForApproval => "WaitingForApproval",
            Self::Deployment => "Deployment",
            Self::Monitoring => "Monitoring",
            Self::WaitingForBudget => "WaitingForBudget",
            Self::Failed => "Failed",
        }
    }
}

/// Maker of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptRoute {
    /// Kind: `template`, `pattern`, `model`, `planned` or `edit`.
    #[schemars(length(max = 32))]
    pub kind: String,
    /// Name of the template or of the patterns, or the tier of the model.
    #[schemars(length(max = 128))]
    pub name: String,
    /// Why it was chosen.
    #[schemars(length(max = 512))]
    pub reason: String,
}

/// A question whose answer changes the workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptQuestion {
    /// Id that `spec.answers` uses.
    #[schemars(length(max = 64))]
    pub id: String,
    /// The question.
    #[schemars(length(max = 512))]
    pub text: String,
    /// Possible answers; any text if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 128)))]
    pub options: Vec<String>,
    /// Answer that `clarification: AssumeDefaults` takes; none if a guess is not safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub default: Option<String>,
}

/// A value that is still to be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequiredInput {
    /// Name that `spec.answers` uses.
    #[schemars(length(max = 128))]
    pub name: String,
    /// Where the value is used: node and parameter.
    #[schemars(length(max = 256))]
    pub used_in: String,
}

/// Workflow that waits for approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Digest of the workflow and of the rules it was checked against: the value of the annotation `weirkeeper.dev/approved-digest`.
    #[schemars(length(max = 64))]
    pub digest: String,
    /// Name of the ControllerRevision that holds the workflow.
    #[schemars(length(max = 253))]
    pub revision: String,
    /// Effect in one paragraph: triggers, hosts that are called, credentials that are used.
    #[schemars(length(max = 2048))]
    pub summary: String,
    /// Difference to what is deployed, node by node; empty if nothing is deployed yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    pub difference: Vec<String>,
}

/// A finding of the validator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptFinding {
    /// Code, as docs/findings.md lists them.
    #[schemars(length(max = 64))]
    pub code: String,
    /// `error` or `warning`.
    #[schemars(length(max = 16))]
    pub severity: String,
    /// Node, field and problem.
    #[schemars(length(max = 512))]
    pub message: String,
}

/// Tokens and cost of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PromptUsage {
    /// Tokens of all questions and answers since the object was created.
    #[schemars(range(min = 0))]
    pub tokens: i64,
    /// Cost of all of them, in the currency of the providers' prices.
    #[schemars(length(max = 32))]
    pub cost: String,
    /// Answers for the current inputs that were to be a whole workflow or a correction of one, and those that were lost. One that was cut off and
    /// its repetition count once.
    #[schemars(range(min = 0))]
    pub attempts: i64,
    /// The last calls, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub calls: Vec<CallUsage>,
}

impl PromptUsage {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Usage of one call of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallUsage {
    /// Beginning of the hash of the question.
    #[schemars(length(max = 64))]
    pub key: String,
    /// `plan`, `fill` or `repair`.
    #[schemars(length(max = 16))]
    pub stage: String,
    /// Provider as namespace/name, and the model.
    #[schemars(length(max = 512))]
    pub model: String,
    /// Tokens of the question.
    #[schemars(range(min = 0))]
    pub input: i64,
    /// Tokens of the answer.
    #[schemars(range(min = 0))]
    pub output: i64,
    /// Cost, in the currency of the provider's prices.
    #[schemars(length(max = 32))]
    pub cost: String,
    /// True if the provider reported no usage, or an impossible one, or the answer was lost: the numbers are the operator's own estimate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Time of the answer.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Time,
}

/// A call of a model that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingCall {
    /// Hash of the question. A call with this hash is never sent again.
    #[schemars(length(max = 64))]
    pub key: String,
    /// `plan`, `fill` or `repair`.
    #[schemars(length(max = 16))]
    pub stage: String,
    /// Which of the provider's models is asked: `simple` or `complex`.
    #[schemars(length(max = 16))]
    pub tier: String,
    /// Tokens that are reserved for it.
    #[schemars(range(min = 0))]
    pub tokens: i64,
    /// Cost that is reserved for it, in millionths of the currency.
    #[schemars(range(min = 0))]
    pub micros: i64,
    /// Time at which it was begun.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Time,
}

/// An earlier generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptGeneration {
    /// Beginning of the hash of what the user asked for.
    #[schemars(length(max = 64))]
    pub asked_hash: String,
    /// Digest of its proposal.
    #[schemars(length(max = 64))]
    pub digest: String,
    /// Name of the ControllerRevision that holds its workflow.
    #[schemars(length(max = 253))]
    pub revision: String,
    /// Beginning of its prompt.
    #[schemars(length(max = 256))]
    pub prompt: String,
    /// True if it was deployed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deployed: bool,
    /// Time of the proposal.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Time,
}
