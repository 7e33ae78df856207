//! Status of a `Workflow`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::required_credential::RequiredCredential;
use super::schema::setting_digests;
use super::template_ref::TemplateUse;

/// Observed state of the Workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[serde(default = "unobserved")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Id of the bound workflow in n8n. Absent until the Workflow is bound.
    #[serde(default, rename = "n8nWorkflowId", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_workflow_id: Option<String>,
    /// Origin of the bound workflow: `Created` by Weirkeeper, or `Adopted`. It determines the default deletion policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Names of the WorkflowPolicies that deny the definition. Absent if none does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253)))]
    pub denied_by: Vec<String>,
    /// Write to n8n that is in progress. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Parts of the workflow in n8n as they were last confirmed to match the spec. Drift is measured against them, so that an edit of the
    /// spec is never taken for a change in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Snapshot>,
    /// Parts of the workflow that were last sent to n8n and are not confirmed yet. After an interrupted write they distinguish Weirkeeper's
    /// own change from a change in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Snapshot>,
    /// Number of the version in n8n, as last confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub active_version: Option<i64>,
    /// True if the workflow was published in n8n when last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// Number of the version that the annotation `weirkeeper.dev/pinned-version` requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pinned_version: Option<i64>,
    /// Short form of the message of condition Ready, for printer columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub summary: Option<String>,
    /// Number of the version that was last sent to n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub last_attempted_version: Option<i64>,
    /// Highest version number assigned so far. Numbers are never reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub last_version: Option<i64>,
    /// Digest of the definition that failed. It is not sent again until it changes, until the part of the spec that it failed with changes
    /// (see `failedWith`), or until `weirkeeper.dev/reset-at` is set. If its probes got no answer, it is retried without intervention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub failed_digest: Option<String>,
    /// Digest of the `spec.credentials` and `spec.references` that the definition failed with; if a probe found the failure, also of
    /// `spec.healthCheck`, the resource versions of the Secrets that its probes send and the values of its N8nCredentials. A change of any of
    /// them retries the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub failed_with: Option<String>,
    /// Kept versions, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub history: Vec<VersionRecord>,
    /// Production webhook URLs of the published version.
    #[serde(default, rename = "webhookURLs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2048)))]
    pub webhook_urls: Vec<String>,
    /// Credentials that the definition uses or that its nodes require with their parameters, without duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub required_credentials: Vec<RequiredCredential>,
    /// Names of the N8nCredentials that the draft or the published version in n8n uses. They are not deleted while they are named here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 253)))]
    pub credential_refs: Vec<String>,
    /// Last failed execution that contributed to condition Healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// Time at which Weirkeeper published the current version; start of the bake time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub published_at: Option<MicroTime>,
    /// Time since which `spec.active` is true without the workflow being published. Under a WorkflowQuota, Workflows get published in this
    /// order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub activation_requested_at: Option<MicroTime>,
    /// Keys of the settings that Weirkeeper has ever written to this workflow. n8n keeps keys that are no longer sent, so each of them is
    /// always sent with a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 64)))]
    pub written_settings: Vec<String>,
    /// Ids in n8n of the workflows that may call this one as a sub-workflow or error workflow. Absent if the definition or n8n's users
    /// determine that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(max = 128)))]
    pub callers: Option<Vec<String>>,
    /// Tags that Weirkeeper added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 24)))]
    pub added_tags: Vec<String>,
    /// Id of the n8n project requested by `spec.project`, once the workflow was observed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub project: Option<String>,
    /// Value of the annotation `weirkeeper.dev/requested-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: Option<String>,
    /// Value of the annotation `weirkeeper.dev/reset-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reset_at: Option<String>,
    /// Resource version of the ConfigMap that the definition was last read from. It is only updated together with other changes, so that it
    /// may be an older one with the same content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub source_version: Option<String>,
    /// Template that the definition was last rendered from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateUse>,
    /// Generation whose definition was last validated and found valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub validated_generation: Option<i64>,
    /// True while production URLs of the published version are not registered in n8n.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub webhooks_missing: bool,
    /// True while publication waits for a webhook path that another workflow has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_webhook_path: bool,
    /// Publication (`publishedAt`) since which executions decided condition Healthy. Too few executions leave that decision unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub health_decided_for: Option<MicroTime>,
    /// True if those executions failed more often than `spec.healthCheck` allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub health_failing: bool,
    /// True if the last reconciliation ended with n8n holding and publishing what the spec asks for. Listings of n8n then confirm it, in place
    /// of reconciliations, while nothing changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub complete: bool,
    /// Time since which n8n could not be asked whether it still holds what was last confirmed. Ready stays True for three intervals from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub unverified_since: Option<Time>,
    /// Digest of what else decided about the definition when everything was last in order: the WorkflowPolicies of the namespace, the grants of
    /// an N8nInstance in another namespace, and the ids of the credentials in n8n. If it is the same after a restart of the operator, a listing
    /// of n8n is enough to confirm the Workflow. Absent if nothing else decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub dependency_digest: Option<String>,
    /// Conditions of the Workflow: Ready, Reconciling, Stalled, Validated, CredentialsReady, Synced, Live, Healthy, Drifted and RolledBack.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

fn unobserved() -> i64 {
    -1
}

/// Origin of the bound workflow: `Created` by Weirkeeper, or `Adopted`. It determines the default deletion policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// Created by Weirkeeper.
    Created,
    /// Existed before and was adopted.
    Adopted,
}

/// Parts of a workflow in n8n, small enough to store in the status. An absent part is unknown or not managed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Name of the workflow in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub name: Option<String>,
    /// Digest of the draft's nodes, connections and groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub draft: Option<String>,
    /// Published content. Absent if `spec.active` is unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<PublishedContent>,
    /// Short digest of the value of each setting that Weirkeeper sends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "setting_digests")]
    pub settings: BTreeMap<String, String>,
}

/// Published content of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedContent {
    /// Digest of the published nodes, connections and groups. Absent if the workflow is not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
}

/// A write to n8n, recorded before its first request, so that its outcome can be determined after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Kind of write: `Create` creates a workflow (its id is unknown until n8n answers), `Adopt` takes over an existing one, `Deploy` sends
    /// a version and publishes it as `spec.active` requests, `Rollback` publishes the last good version again, `Revert` reverts a change
    /// made in n8n.
    pub operation: IntentOperation,
    /// Digest of the definition that is sent.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Version id in n8n of the version that is published now, to publish again if the attempt fails.
    #[serde(default, rename = "lastGoodN8nVersionId", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_good_n8n_version_id: Option<String>,
    /// True if the write publishes the workflow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publishes: bool,
    /// Number of attempts to send this digest that failed or were not confirmed. After three attempts within at least 30s the version has
    /// failed.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub attempts: i64,
    /// Time at which the first of these attempts ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub failing_since: Option<Time>,
    /// Time at which the intent was recorded.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Time,
}

impl Intent {
    /// Returns an intent without attempts.
    pub fn new(operation: IntentOperation, digest: &str, last_good_n8n_version_id: Option<String>, now: jiff::Timestamp) -> Self {
        let started_at = super::condition::whole_seconds(now);
        Self {
            operation,
            digest: digest.to_owned(),
            last_good_n8n_version_id,
            publishes: false,
            attempts: 0,
            failing_since: None,
            started_at,
        }
    }
}

/// Kind of write to n8n: `Create` creates a workflow (its id is unknown until n8n answers), `Adopt` takes over an existing one, `Deploy`
/// sends a version and publishes it as `spec.active` requests, `Rollback` publishes the last good version again, `Revert` reverts a change
/// made in n8n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IntentOperation {
    /// Create a workflow; its id is unknown until n8n answers.
    Create,
    /// Take over an existing workflow.
    Adopt,
    /// Send a version and publish it as `spec.active` requests.
    Deploy,
    /// Publish the last good version again.
    Rollback,
    /// Revert a change made in n8n.
    Revert,
}

/// A numbered version of the definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionRecord {
    /// Number of the version, starting at 1.
    #[schemars(range(min = 1))]
    pub version: i64,
    /// Digest of the nodes, connections and managed settings.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Version id that n8n assigned to the content when it was last sent.
    #[serde(default, rename = "n8nVersionId", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_version_id: Option<String>,
    /// Name of the ControllerRevision that holds the content.
    #[schemars(length(max = 253))]
    pub revision: String,
    /// Source of the version: `Definition` (`spec.definition`), `ConfigMap` (`spec.definitionFrom`), `Template` (`spec.templateRef`), `Adopted` (content of an adopted
    /// workflow before the first write) or `Drift` (a change made in n8n, stored before it was overwritten).
    pub source: VersionSource,
    /// Result of the version: `Pending` (accepted, not sent or not evaluated yet), `Deployed` (saved in n8n and published if `spec.active`
    /// is true; health checks still running), `Good` (passed its health checks; rollbacks return to it), `Failed`, or `Kept` (stored for
    /// reference only).
    pub result: VersionResult,
    /// Machine-readable reason for the result, in CamelCase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// Human-readable message: why the version failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Time at which the version was first accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Time,
    /// Time at which the result was determined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub decided_at: Option<Time>,
}

/// Source of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VersionSource {
    /// `spec.definition`.
    Definition,
    /// `spec.definitionFrom`.
    ConfigMap,
    /// `spec.templateRef`.
    Template,
    /// Content of an adopted workflow before the first write.
    Adopted,
    /// Change made in n8n, stored before it was overwritten.
    Drift,
}

/// Result of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VersionResult {
    /// Accepted, not sent or not evaluated yet.
    Pending,
    /// Saved in n8n and published if `spec.active` is true; health checks are still running.
    Deployed,
    /// Passed its health checks; rollbacks return to it.
    Good,
    /// Failed.
    Failed,
    /// Stored for reference only.
    Kept,
}

/// A failed execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// Id of the execution in n8n.
    #[schemars(length(max = 64))]
    pub execution: String,
    /// Name of the node that failed, if n8n reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub node: Option<String>,
    /// Error message from n8n.
    #[schemars(length(max = 512))]
    pub message: String,
}
