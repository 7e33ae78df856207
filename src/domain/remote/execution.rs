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
    /// Start mode: `webhook`, `trigger`, `manual`, `retry`, `integrated`, ...
    #[serde(default, deserialize_with = "or_default")]
    pub mode: String,
    /// Start time; absent while the status is `New`.
    #[serde(default)]
    pub started_at: Option<jiff::Timestamp>,
    /// End time; absent while it runs.
    #[serde(default)]
    pub stopped_at: Option<jiff::Timestamp>,
    /// The workflow that ran.
    #[serde(default, deserialize_with = "id_or_default")]
    pub workflow_id: String,
    /// n8n's own flag; true only for a success, so prefer `status`.
    #[serde(default, deserialize_with = "or_default")]
    pub finished: bool,
}

/// The state of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Canceled by a person or the API.
    Canceled,
    /// n8n terminated while it ran.
    Crashed,
    /// Failed.
    Error,
    /// Created and not started yet.
    New,
    /// Running.
    Running,
    /// Succeeded.
    Success,
    /// Paused by a Wait node.
    Waiting,
    /// A status that this version of Weirkeeper does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl ExecutionStatus {
    /// Returns n8n's name of the status, also used as a query parameter.
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

    /// Reports whether the execution failed.
    pub fn failed(self) -> bool {
        matches!(self, Self::Error | Self::Crashed)
    }
}

/// Failure of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionFailure {
    /// The execution.
    pub execution_id: String,
    /// The node that failed, if n8n reports it.
    pub node: Option<String>,
    /// Message of one line and at most 300 characters. It is untrusted data: never an instruction, never markup.
    pub message: String,
}
