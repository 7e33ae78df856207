//! Types of the compact form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the form.
pub const VERSION: u32 = 1;

/// A workflow in the compact form.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Compact {
    /// Version of the form: 1.
    #[schemars(range(min = 1, max = 1))]
    pub compact: u32,
    /// Name of the workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The nodes, triggers first.
    pub nodes: Vec<CompactNode>,
    /// The connections: `n1>n2>n3` joins nodes in a row, `n2.true>n3` begins at a named output, `n2>n4:1` leads to the second input. A
    /// sub-node of an AI node is written as the source: `model>agent`.
    pub edges: Vec<String>,
    /// Texts of notes on the canvas.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// Settings of the workflow.
    #[serde(skip_serializing_if = "Settings::is_default", default)]
    pub settings: Settings,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CompactNode {
    /// Short id, by which edges and `{{n2.field}}` refer to the node: a letter, then letters, digits and underscores.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_]*$"))]
    pub id: String,
    /// Node type with its resource and operation, such as `slack.message.post`; `@2.2` behind it selects a version of the type.
    #[serde(rename = "use")]
    pub kind: String,
    /// Name of the node in n8n.
    #[serde(rename = "as")]
    pub name: String,
    /// Parameters by name. `{{n2.field}}` refers to the output of another node, `?slot` stands for a value that the user gives.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub set: Map<String, Value>,
    /// Conditions of an `if` or `filter` (one case), or the cases of a `switch`, in the order of its outputs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub when: Vec<Case>,
    /// Reaction to an error; without it the execution stops.
    #[serde(rename = "onError", skip_serializing_if = "Option::is_none", default)]
    pub on_error: Option<OnError>,
    /// Retries after an error.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry: Option<Retry>,
    /// Further settings of the node.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub flags: Vec<Flag>,
    /// Note of the author on the node.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// Conditions that are met together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Case {
    /// Name of the output, in a `switch`.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// `any` if one condition is enough; all otherwise.
    #[serde(rename = "match", skip_serializing_if = "Match::is_all", default)]
    pub matches: Match,
    /// The conditions.
    pub of: Vec<Condition>,
    /// True if texts are equal whatever their case is.
    #[serde(rename = "ignoreCase", skip_serializing_if = "std::ops::Not::not", default)]
    pub ignore_case: bool,
    /// True if values are converted to the type of the condition.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub loose: bool,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Condition {
    /// Value that is compared, mostly a reference such as `{{n2.total}}`.
    pub left: Value,
    /// Type and operator of n8n, such as `number.gt`.
    pub op: String,
    /// Value to compare with; absent for operators such as `string.empty`.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub right: Value,
}

/// Which conditions must be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// All.
    #[default]
    All,
    /// At least one.
    Any,
}

impl Match {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it with a reference.
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// Reaction to an error of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The execution stops.
    Stop,
    /// Failed items continue at the ordinary output.
    Continue,
    /// Failed items leave through the output `error`.
    Output,
}

/// Retries of a node that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Number of attempts in all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(range(min = 2, max = 5))]
    pub tries: Option<u32>,
    /// Milliseconds between attempts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(range(min = 0, max = 5000))]
    pub wait: Option<u32>,
}

/// A setting of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Flag {
    /// Runs once, for the first item only.
    Once,
    /// Outputs an empty item if there is none.
    Always,
    /// Is disabled.
    Off,
    /// Shows its note on the canvas.
    ShowNote,
}

/// Settings of a workflow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Time zone of schedules, such as `Europe/Berlin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Workflow that n8n runs if an execution fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_workflow: Option<String>,
    /// Seconds after which an execution is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<i64>,
    /// Workflows that may call this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_policy: Option<String>,
    /// Ids of the workflows that may call this one, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_ids: Option<String>,
    /// Whether failed executions are kept: `all` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_data_error_execution: Option<String>,
    /// Whether successful executions are kept: `all` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_data_success_execution: Option<String>,
    /// Whether progress is kept after each node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_execution_progress: Option<bool>,
    /// Whether manual executions are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_manual_executions: Option<bool>,
    /// True if branches run in n8n's old order, level by level, as in workflows without this setting.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub old_order: bool,
}

impl Settings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
