//! The status of a `Workflow`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::schema::setting_digests;

/// What was found out and done about a Workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStatus {
    /// The generation of the spec that this status speaks of; -1 before the first look.
    #[serde(default = "unobserved")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// The workflow's id in n8n, once it is bound.
    #[serde(default, rename = "n8nWorkflowId", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_workflow_id: Option<String>,
    /// Whether Weirkeeper created the workflow or adopted it; decides what deletion does by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What was about to be written to n8n; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The parts of the workflow as n8n held them when Weirkeeper last found each as the spec asks. Drift is what differs from
    /// them, so that an edit of the spec is never taken for a change made in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Snapshot>,
    /// The parts that were last sent to n8n and are not confirmed yet. After an interrupted write it tells Weirkeeper's own change
    /// from somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Snapshot>,
    /// The number of the version that n8n holds, as last confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub active_version: Option<i64>,
    /// Whether n8n had the workflow published when it was last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// The number of the version that the annotation `weirkeeper.dev/pinned-version` asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pinned_version: Option<i64>,
    /// The first point of Ready's message, for tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub summary: Option<String>,
    /// The number of the version that was last sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub last_attempted_version: Option<i64>,
    /// The highest number that was given to a version. Numbers are never used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub last_version: Option<i64>,
    /// The digest of the definition that failed; it is not sent again until it changes, what it
    /// failed with is corrected or `reset-at` is set. One whose probes nobody answered is tried again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub failed_digest: Option<String>,
    /// A digest of the `spec.credentials` and `spec.references` that it failed with, and of the `spec.healthCheck` with the resource
    /// versions of the Secrets that its probes send, where that found the failure. When one of them is corrected, the definition is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub failed_with: Option<String>,
    /// The kept versions, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub history: Vec<VersionRecord>,
    /// The production URLs of the published version.
    #[serde(default, rename = "webhookURLs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2048)))]
    pub webhook_urls: Vec<String>,
    /// The credentials that the definition uses or that its nodes need with their parameters, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub required_credentials: Vec<RequiredCredential>,
    /// The last failed execution that a verdict rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// When the serving version was published by Weirkeeper; bake time counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub published_at: Option<MicroTime>,
    /// The settings keys that Weirkeeper ever wrote to this workflow; n8n keeps a key that is no longer sent, so each
    /// of them must always be sent with a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 64)))]
    pub written_settings: Vec<String>,
    /// The ids in n8n of the workflows that may call this one as a sub-workflow or error workflow, where Weirkeeper decides that. Absent where
    /// the definition, or somebody in n8n, does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(max = 128)))]
    pub callers: Option<Vec<String>>,
    /// The tags that Weirkeeper added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 24)))]
    pub added_tags: Vec<String>,
    /// The id of the n8n project that `spec.project` asked for, once the workflow was seen there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub project: Option<String>,
    /// The value of the annotation `weirkeeper.dev/requested-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: Option<String>,
    /// The value of the annotation `weirkeeper.dev/reset-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reset_at: Option<String>,
    /// The resource version of the ConfigMap that the definition was last read from. It is written along with other changes, so that it
    /// may be an older one that holds the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub source_version: Option<String>,
    /// Ready, Reconciling, Stalled and the details: Validated, CredentialsReady, Synced, Live, Healthy, Drifted, RolledBack.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

fn unobserved() -> i64 {
    -1
}

/// How a workflow in n8n came to be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// Weirkeeper created it.
    Created,
    /// It was there before and was adopted.
    Adopted,
}

/// The parts of a workflow in n8n, small enough to be compared from status. A part that is absent is not known, or left to people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The name in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub name: Option<String>,
    /// The digest of the draft's nodes, connections and groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub draft: Option<String>,
    /// What is published. Absent where `spec.active` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<PublishedContent>,
    /// A short digest of the value of each setting that Weirkeeper sends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "setting_digests")]
    pub settings: BTreeMap<String, String>,
}

/// What is published of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedContent {
    /// The digest of the published nodes, connections and groups. Absent where nothing is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
}

/// What is about to be written to n8n. It is recorded before the first write, so that a crash is understood afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// What kind of write.
    pub operation: Operation,
    /// The digest of the definition that is being sent.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// The n8n version id that serves now and should serve again if the attempt fails.
    #[serde(default, rename = "lastGoodN8nVersionId", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_good_n8n_version_id: Option<String>,
    /// How often sending this digest ended badly or without confirmation; after three times in half a minute or more it counts
    /// as failed.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub attempts: i64,
    /// When the first of these attempts ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub failing_since: Option<Time>,
    /// When the intent was recorded.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Time,
}

impl Intent {
    /// An intent that was not tried yet.
    pub fn new(operation: Operation, digest: &str, last_good_n8n_version_id: Option<String>, now: jiff::Timestamp) -> Self {
        let started_at = super::condition::whole_seconds(now);
        Self { operation, digest: digest.to_owned(), last_good_n8n_version_id, attempts: 0, failing_since: None, started_at }
    }
}

/// The kinds of writes to n8n that an intent announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operation {
    /// A workflow is created; until it is answered, its id is unknown.
    Create,
    /// A workflow that exists is taken over.
    Adopt,
    /// A version is sent and published as `spec.active` says.
    Deploy,
    /// The last good version is put back.
    Rollback,
    /// A change made in n8n is undone.
    Revert,
}

/// One numbered version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionRecord {
    /// Its number, counted from 1.
    #[schemars(range(min = 1))]
    pub version: i64,
    /// The digest of nodes, connections and managed settings.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// The version id that n8n gave to the content when it was last sent.
    #[serde(default, rename = "n8nVersionId", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_version_id: Option<String>,
    /// The ControllerRevision that holds the body.
    #[schemars(length(max = 253))]
    pub revision: String,
    /// Where the definition came from.
    pub source: VersionSource,
    /// How it went.
    pub result: VersionResult,
    /// Why it went so, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// Why it failed, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// When it was first accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Time,
    /// When its result was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub judged_at: Option<Time>,
}

/// Where a version came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VersionSource {
    /// `spec.definition`.
    Definition,
    /// `spec.definitionFrom`.
    ConfigMap,
    /// What an adopted workflow held before the first write.
    Adopted,
    /// What somebody's change in n8n held before it was undone.
    Drift,
}

/// How a version went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VersionResult {
    /// Accepted, not sent or not judged yet.
    Pending,
    /// Saved in n8n and, where `spec.active` is true, published; still watched.
    Deployed,
    /// It proved itself: the version that a rollback goes back to.
    Good,
    /// It failed.
    Failed,
    /// It was kept for reference only.
    Kept,
}

/// A credential that the definition uses, or that a node of it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequiredCredential {
    /// The credential's type, such as `slackApi`.
    #[serde(rename = "type")]
    #[schemars(length(max = 128))]
    pub kind: String,
    /// What the definition calls it. Absent where a node needs it and names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub name: String,
    /// The first node that uses or needs it.
    #[schemars(length(max = 256))]
    pub node: String,
    /// Whether it is mapped to exactly one credential on the instance.
    pub satisfied: bool,
    /// What the catalogue says a node cannot do without it. Absent where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_for: Option<NeededFor>,
    /// The OAuth scopes that n8n asks for by default, where the type says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub scopes: Vec<String>,
}

/// What a node cannot do without a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NeededFor {
    /// n8n does not publish the workflow without it.
    Publication,
    /// A parameter of the node chooses this type: n8n publishes without it, and the node fails when it runs.
    Run,
}

/// A failed execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// Its id in n8n.
    #[schemars(length(max = 64))]
    pub execution: String,
    /// The node that failed, where n8n says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub node: Option<String>,
    /// What n8n says about it.
    #[schemars(length(max = 512))]
    pub message: String,
}
