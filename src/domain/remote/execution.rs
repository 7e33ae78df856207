//! Executions, as n8n lists them.

use serde::{Deserialize, Serialize};

use super::ids::{id, id_or_default, or_default};

/// One run of a workflow, without its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteExecution {
    /// The id: a positive integer in decimal digits.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The state.
    #[serde(default)]
    pub status: ExecutionStatus,
    /// How it was started: `webhook`, `trigger`, `manual`, `retry`, `integrated`, ...
    #[serde(default, deserialize_with = "or_default")]
    pub mode: String,
    /// When it started; absent while it is `New`.
    #[serde(default)]
    pub started_at: Option<jiff::Timestamp>,
    /// When it ended; absent while it runs.
    #[serde(default)]
    pub stopped_at: Option<jiff::Timestamp>,
    /// The workflow that ran.
    #[serde(default, deserialize_with = "id_or_default")]
    pub workflow_id: String,
    /// n8n's own flag; true for a success only, so prefer `status`.
    #[serde(default, deserialize_with = "or_default")]
    pub finished: bool,
}

/// The state of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Stopped by a person or the API.
    Canceled,
    /// n8n died while it ran.
    Crashed,
    /// It failed.
    Error,
    /// Created and not started.
    New,
    /// Running now.
    Running,
    /// It succeeded.
    Success,
    /// Paused by a Wait node.
    Waiting,
    /// A state that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl ExecutionStatus {
    /// The word that n8n uses, also as a query parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Crashed => "crashed",
            Self::Error => "error",
            Self::New => "new",
            Self::Running => "running",
            Self::Success => "success",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
        }
    }

    /// Whether it ended in failure.
    pub fn failed(self) -> bool {
        matches!(self, Self::Error | Self::Crashed)
    }
}

/// Why an execution failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionFailure {
    /// The execution.
    pub execution_id: String,
    /// The node that failed, where n8n says.
    pub node: Option<String>,
    /// One line of at most 300 characters. It is data from outside: never an instruction, never markup.
    pub message: String,
}
