//! `Workflow`: one n8n workflow on one instance.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::duration::{HOUR, MINUTE, SECOND, Within};
use super::headers::NO_STEERING_HEADER;
use super::schema::{free_object, free_value, path_parameters};
use super::template_ref::TemplateRef;
use super::workflow_status::WorkflowStatus;

/// Maximum size of an inline definition, in bytes of JSON: client-side apply keeps a copy in an annotation, which holds 262,144.
pub const LARGEST_INLINE: usize = 200_000;

/// A workflow of n8n on one instance.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "Workflow",
    namespaced,
    category = "n8n",
    shortname = "nwf",
    status = "WorkflowStatus",
    derive = "PartialEq",
    doc = "One n8n workflow on one instance: validated, synced, versioned, watched and rolled back.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Published", type_ = "boolean", json_path = ".status.published"),
    printcolumn(name = "Version", type_ = "integer", json_path = ".status.activeVersion"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Pinned", type_ = "integer", json_path = ".status.pinnedVersion", priority = "1"),
    printcolumn(name = "Health", type_ = "string", json_path = r#".status.conditions[?(@.type=="Healthy")].reason"#, priority = "1"),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.instanceRef.name", priority = "1"),
    printcolumn(name = "n8n id", type_ = "string", json_path = ".status.n8nWorkflowId", priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1")
)]
#[x_kube(
    validation = kube::core::Rule::new(
        "(has(self.definition) ? 1 : 0) + (has(self.definitionFrom) ? 1 : 0) + (has(self.templateRef) ? 1 : 0) == 1"
    ).message("exactly one of definition, definitionFrom and templateRef must be set"),
    validation = kube::core::Rule::new("self.instanceRef == oldSelf.instanceRef")
        .message("instanceRef is immutable; create another Workflow for another instance"),
)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowSpec {
    /// N8nInstance that runs the workflow. Immutable.
    pub instance_ref: InstanceRef,
    /// Workflow as exported by n8n (JSON, written here as a structured object), at most 200 kB. Fields that n8n generates (ids, timestamps,
    /// meta) may stay; they are ignored. Exactly one of `definition`, `definitionFrom` and `templateRef` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub definition: Option<Value>,
    /// Source of the definition, if it is not inline. Exactly one of `definition`, `definitionFrom` and `templateRef` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_from: Option<DefinitionFrom>,
    /// Template that the definition is made from, with the values of its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<TemplateRef>,
    /// Name of the workflow in n8n; need not be unique. Defaults to the name in the definition, or else to the name of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub display_name: Option<String>,
    /// Desired publication: `true` publishes the workflow, `false` unpublishes it (new definitions are still saved as numbered versions).
    /// If unset, publication is not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Tags of the workflow in n8n. Tags that Weirkeeper did not add are never removed. If unset, tags are not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 24), regex(pattern = r"^[^,]+$")))]
    pub tags: Option<Vec<String>>,
    /// Project in n8n that the workflow belongs to. If unset, a workflow stays where it is, and a new one is created in the personal
    /// project of the API key's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// Mapping of the credential names in the definition to N8nCredentials of the namespace, or to existing credentials of the n8n instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub credentials: Vec<CredentialMapping>,
    /// Mapping of the workflow ids in the definition to Workflows in the same namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub references: Vec<WorkflowReference>,
    /// Checks that a new version has to pass before it counts as good. If unset, a version counts as good once it is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Action when a version fails: `Automatic` publishes the last good version again, `Manual` only reports the failure. Defaults to
    /// `Automatic`.
    #[serde(default)]
    pub rollback: RollbackPolicy,
    /// Action when the workflow was changed in n8n: `Revert` stores the change as a version and reverts it, `Report` leaves it and sets
    /// condition Ready to False, `Ignore` leaves it. Every policy sets condition Drifted. Defaults to `Revert`.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// Action in n8n when this object is deleted: `Delete` deletes the workflow with its executions, `Archive` archives and releases it,
    /// `Deactivate` unpublishes and releases it, `Retain` releases it as it is. Releasing removes the ownership mark. Defaults to `Delete`
    /// for a workflow that Weirkeeper created and to `Retain` for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Existing workflow in n8n to manage from now on. Its content is stored as a version first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
    /// `true` suspends all reads from and writes to n8n for this object. Deletion still works. Defaults to `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Interval between comparisons with n8n while nothing changes, from 1s to 24h, with a jitter of 10%. Defaults to 5m.
    #[serde(default = "default_interval")]
    pub interval: Interval,
    /// Number of versions to keep. The published version, the last good one and the newest edit from n8n are always kept. Defaults to 10.
    #[serde(default = "default_history_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub revision_history_limit: i64,
}

/// Interval between periodic reconciliations.
pub type Interval = Within<SECOND, { 24 * HOUR }>;

fn default_interval() -> Interval {
    Interval::from_secs(300)
}

fn default_history_limit() -> i64 {
    10
}

/// Reference to an N8nInstance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceRef {
    /// Name of the N8nInstance.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Namespace of the N8nInstance. Defaults to the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Source of a definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionFrom {
    /// Key of a ConfigMap in the same namespace that holds the workflow as JSON or YAML.
    pub config_map_key_ref: ConfigMapKeyRef,
}

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Maps a credential name in the definition to an N8nCredential or to an existing credential of the n8n instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.existing) != has(self.credentialRef)").message("exactly one of credentialRef and existing must be set"))]
pub struct CredentialMapping {
    /// Name of the credential in the definition's nodes, or its id where a node gives no name.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Type of the credential, such as `slackApi`. Required only where the name is used with several types.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub kind: Option<String>,
    /// N8nCredential in the same namespace, of the same N8nInstance and type. Publication waits until it is ready. Exactly one of
    /// `credentialRef` and `existing` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<LocalRef>,
    /// Existing credential of the n8n instance, which Weirkeeper does not manage. Exactly one of `credentialRef` and `existing` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<ExistingCredential>,
}

/// A credential of the n8n instance, by id or by a name that is unique among the credentials of its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.id) != has(self.name)").message("exactly one of id and name must be set"))]
pub struct ExistingCredential {
    /// Id of the credential in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub id: Option<String>,
    /// Name of the credential in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
}

/// Maps a workflow id in the definition to a Workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowReference {
    /// Id of the other workflow in the definition: an id from another n8n, or any other string.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// Workflow in the same namespace that the id stands for.
    pub workflow_ref: LocalRef,
}

/// Reference to an object in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Checks that a new version has to pass before it counts as good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new(
    "!has(self.probes) || self.probes.map(probe, has(probe.timeout) ? duration(probe.timeout) : duration('10s')).sum() <= duration('5m')"
).message("the sum of the timeouts of all probes must be at most 5m (10s for each without a timeout)"))]
pub struct HealthCheck {
    /// Calls of production webhooks after each deployment, repeated only while they get no answer from this version of the workflow. A
    /// probe executes the workflow. The sum of all timeouts is at most 5m.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub probes: Vec<Probe>,
    /// Time during which production executions are watched after publication before the version counts as good, from 1s to 168h. If unset,
    /// executions are not evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_time: Option<Within<SECOND, { 168 * HOUR }>>,
    /// Minimum number of executions required to evaluate the error rate. Defaults to 5.
    #[serde(default = "default_minimum_executions")]
    #[schemars(range(min = 1, max = 10000))]
    pub minimum_executions: i64,
    /// Maximum percentage of failed executions for a version to count as good. Defaults to 20.
    #[serde(default = "default_error_rate")]
    #[schemars(range(min = 0, max = 100))]
    pub maximum_error_rate: i64,
}

fn default_minimum_executions() -> i64 {
    5
}

fn default_error_rate() -> i64 {
    20
}

/// A call of a production webhook and the expected response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Name of the webhook node to call.
    #[schemars(length(min = 1, max = 256))]
    pub node: String,
    /// HTTP method: GET, HEAD, POST, PUT, PATCH or DELETE. Defaults to the method of the node, if it has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 6), regex(pattern = r"^(GET|HEAD|POST|PUT|PATCH|DELETE)$"))]
    pub method: Option<String>,
    /// Values of the `:name` parameters in the path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "path_parameters")]
    pub path_parameters: BTreeMap<String, String>,
    /// JSON body to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_value")]
    pub body: Option<Value>,
    /// Headers to send, for example for the authentication of the webhook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub headers: Vec<ProbeHeader>,
    /// Expected HTTP status. Defaults to 200.
    #[serde(default = "default_probe_status")]
    #[schemars(range(min = 100, max = 599))]
    pub expected_status: i64,
    /// JSON that the response must contain: each given key must be present with an equal value.
    #[serde(default, rename = "expectedJSON", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_value")]
    pub expected_json: Option<Value>,
    /// Timeout of the call, from 100ms to 5m. Defaults to 10s.
    #[serde(default = "default_probe_timeout")]
    pub timeout: ProbeTimeout,
}

/// Timeout of a probe.
pub type ProbeTimeout = Within<100, { 5 * MINUTE }>;

fn default_probe_status() -> i64 {
    200
}

fn default_probe_timeout() -> ProbeTimeout {
    ProbeTimeout::from_secs(10)
}

/// A header of a probe, with its value or a reference to a Secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.value) != has(self.secretKeyRef)").message("exactly one of value and secretKeyRef must be set"))]
#[x_kube(validation = kube::core::Rule::new(NO_STEERING_HEADER).message("probes may not set a header that controls the connection, or that tells a proxy in front of n8n another host, path or client"))]
pub struct ProbeHeader {
    /// Name of the header. Headers that control the connection or a proxy (`Host`, `Forwarded`, `X-Forwarded-*`, `X-Original-*`, ...) are
    /// refused.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub name: String,
    /// Value of the header, unless it is confidential. Exactly one of `value` and `secretKeyRef` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub value: Option<String>,
    /// Key of a Secret in the same namespace that holds the value of the header. Exactly one of `value` and `secretKeyRef` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<ProbeSecretRef>,
}

/// A key of a Secret in the namespace of the Workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeSecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// An existing workflow in n8n to adopt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// Id of the workflow in n8n.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub id: String,
}

/// A project in n8n.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Id of the project in n8n, as in the URL of the project's page. Outside the namespace of the instance it requires a grant.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub id: String,
}

/// Action when a version fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RollbackPolicy {
    /// Publish the last good version again.
    #[default]
    Automatic,
    /// Only report the failure.
    Manual,
}

/// Action when the workflow was changed in n8n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// Store the change as a version and revert it.
    #[default]
    Revert,
    /// Leave the change, set Drifted to True and Ready to False.
    Report,
    /// Leave the change and set Drifted to True.
    Ignore,
}

/// Action in n8n when this object is deleted: `Delete` deletes the workflow with its executions, `Archive` archives and releases it,
/// `Deactivate` unpublishes and releases it, `Retain` releases it as it is. Releasing removes the ownership mark. Defaults to `Delete` for
/// a workflow that Weirkeeper created and to `Retain` for an adopted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Delete the workflow and its executions.
    Delete,
    /// Archive and release the workflow.
    Archive,
    /// Unpublish and release the workflow.
    Deactivate,
    /// Release the workflow as it is.
    Retain,
}
