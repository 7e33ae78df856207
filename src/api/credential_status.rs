//! Status of an `N8nCredential`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;

/// Observed state of the N8nCredential.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct N8nCredentialStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[serde(default = "unobserved")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Id of the credential in n8n. Absent until the N8nCredential is bound.
    #[serde(default, rename = "n8nCredentialId", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_credential_id: Option<String>,
    /// Origin of the credential: `Created` by Weirkeeper, or `Adopted`. It determines the default deletion policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<CredentialOrigin>,
    /// Time since which the creation of a credential is in progress. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub creating_since: Option<MicroTime>,
    /// Name of the credential in n8n, with its mark, as last confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub name: Option<String>,
    /// Type of the credential in n8n, as last confirmed.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub kind: Option<String>,
    /// Id of the n8n project requested by `spec.project`, once the credential was observed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub project: Option<String>,
    /// Keyed hash of the values that n8n last confirmed. Its key is only in the cluster, so that nobody can guess values by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub values_hash: Option<String>,
    /// Keyed hash of values that were sent to n8n and are not confirmed yet. After an interrupted write it distinguishes Weirkeeper's own
    /// change from a change in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub sent_hash: Option<String>,
    /// Time at which n8n last changed the credential, as it said after the last write by Weirkeeper. A later one is an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_updated_at: Option<String>,
    /// Time at which the values were last written to n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub last_synced_time: Option<Time>,
    /// Result of the last test by n8n. Absent until the credential was tested with its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<CredentialTest>,
    /// True while a person has to authorise the credential in n8n: open it in the editor and connect the account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_authorization: bool,
    /// Number of Workflows of the namespace that use the credential; counted up to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub used_by: Option<i64>,
    /// Short form of the message of condition Ready, for printer columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub summary: Option<String>,
    /// Value of the annotation `weirkeeper.dev/requested-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: Option<String>,
    /// Time since which n8n could not be asked. Ready stays True for three intervals from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub unverified_since: Option<Time>,
    /// Conditions of the N8nCredential: Ready, Reconciling, Stalled, Synced, Tested and Drifted.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

fn unobserved() -> i64 {
    -1
}

/// Origin of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialOrigin {
    /// Created by Weirkeeper.
    Created,
    /// Existed before and was adopted.
    Adopted,
}

/// Result of a test of a credential by n8n.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialTest {
    /// Result of the test.
    pub result: TestResult,
    /// Time of the test.
    #[schemars(with = "String", extend("format" = "date-time"), length(max = 64))]
    pub time: Time,
    /// Keyed hash of the values that were tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub values_hash: Option<String>,
    /// n8n's message of a failed test. Absent if it is empty or repeats a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// Result of a test of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TestResult {
    /// The service accepts the credential.
    Passed,
    /// The test failed.
    Failed,
    /// n8n has no test for the type, or none before the first use.
    NotTestable,
    /// A person has to authorise the credential in n8n.
    NeedsAuthorization,
}

impl TestResult {
    /// Every result, for metrics.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::NotTestable, Self::NeedsAuthorization];

    /// Returns the value of the metric label `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::NotTestable => "NotTestable",
            Self::NeedsAuthorization => "NeedsAuthorization",
        }
    }
}
