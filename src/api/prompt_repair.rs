//! Failures of deployed workflows in the status of a `WorkflowPrompt`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A deployed workflow that failed its health check, and what a model reads of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptRepair {
    /// Beginning of the hash of what the user asked for.
    #[schemars(length(max = 64))]
    pub asked_hash: String,
    /// Digest of the proposal that failed.
    #[schemars(length(max = 64))]
    pub failed_digest: String,
    /// Id of the failed execution in n8n; absent if none was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub execution: Option<String>,
    /// Node that failed, if n8n reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub node: Option<String>,
    /// Message of n8n or of the health check.
    #[schemars(length(max = 512))]
    pub message: String,
    /// Keys and kinds of values of the node's input. It has no values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub input_shape: Option<String>,
    /// True if the workflow recovered before the repair was deployed: then it is none of the inputs any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// Time at which the failure was seen.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Time,
}
