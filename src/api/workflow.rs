//! `Workflow`: one n8n workflow on one instance.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::duration::{HOUR, MINUTE, SECOND, Within};
use super::headers::NO_STEERING_HEADER;
use super::schema::{free_object, free_value, path_parameters};
use super::workflow_status::WorkflowStatus;

/// One n8n workflow on one instance.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// The attributes of printer columns are not those of the kind, although they share names.
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
    validation = kube::core::Rule::new("(has(self.definition) ? 1 : 0) + (has(self.definitionFrom) ? 1 : 0) == 1")
        .message("exactly one of definition and definitionFrom must be set"),
    validation = kube::core::Rule::new("self.instanceRef == oldSelf.instanceRef")
        .message("instanceRef is immutable; make another Workflow for another instance"),
)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowSpec {
    /// The N8nInstance that runs the workflow. It cannot be changed.
    pub instance_ref: InstanceRef,
    /// The workflow as n8n exports it (JSON, written here as a structured object), at most 200 kB. What n8n made by
    /// itself (ids, timestamps, meta) may stay in; it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub definition: Option<Value>,
    /// Where the workflow is read from when it does not stand in `definition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_from: Option<DefinitionFrom>,
    /// The name in n8n. Default: the definition's name, else the object's. It need not be unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub display_name: Option<String>,
    /// true publishes; false unpublishes (new definitions are still saved and numbered); absent leaves publication
    /// to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Tags in n8n. Absent leaves tags alone; tags that Weirkeeper did not add always stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 24), regex(pattern = r"^[^,]+$")))]
    pub tags: Option<Vec<String>>,
    /// The n8n project that the workflow lives in. Absent leaves it where it is; a new one then goes to the personal
    /// project of the API key's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// What the definition calls a credential, mapped to the one on the instance that it means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub credentials: Vec<CredentialMapping>,
    /// What the definition calls another workflow, mapped to the Workflow of this namespace that it means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub references: Vec<WorkflowReference>,
    /// How a new version proves itself before it counts as good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// What happens when a version fails: `Automatic` puts the last good one back, `Manual` only reports.
    #[serde(default)]
    pub rollback: RollbackPolicy,
    /// What happens when somebody changes the workflow in n8n: `Revert`, `Report` or `Ignore`.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// What happens in n8n when this object is deleted: `Delete`, `Archive`, `Deactivate` or `Retain`. Default:
    /// `Delete` for a workflow that Weirkeeper created, `Retain` for one that it adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// A workflow that exists in n8n and should be managed from now on. What it holds is kept as a version first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
    /// true stops all reading from and writing to n8n for this object. Deletion still works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// How often n8n is compared with this object when nothing changes; jittered by a tenth. From 1s to 24h.
    #[serde(default = "default_interval")]
    pub interval: Interval,
    /// How many versions are kept. The serving one, the last good one and the newest edit that was kept from n8n always are.
    #[serde(default = "default_history_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub revision_history_limit: i64,
}

/// How often something is looked at when nothing changes.
pub type Interval = Within<SECOND, { 24 * HOUR }>;

fn default_interval() -> Interval {
    Interval::from_secs(300)
}

fn default_history_limit() -> i64 {
    10
}

/// An N8nInstance, of this namespace unless another is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceRef {
    /// The instance's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The instance's namespace. Default: the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Where a definition is read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionFrom {
    /// A key of a ConfigMap of this namespace that holds the workflow as JSON or YAML.
    pub config_map_key_ref: ConfigMapKeyRef,
}

/// One key of a ConfigMap of this namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// The ConfigMap's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// One credential name of the definition and what it means on the instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialMapping {
    /// The name (or, where a node gives none, the id) by which the definition's nodes call the credential.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The credential's type, such as `slackApi`, where the name alone is not enough.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub kind: Option<String>,
    /// A credential that exists on the instance already.
    pub existing: ExistingCredential,
}

/// A credential on the instance, by id or by a name that only one of its type has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.id) != has(self.name)").message("exactly one of id and name must be set"))]
pub struct ExistingCredential {
    /// The credential's id in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub id: Option<String>,
    /// The credential's name in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
}

/// One workflow id of the definition and the Workflow that it means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowReference {
    /// What the definition says where it means the other workflow: an id of another n8n, or any word.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// The Workflow of this namespace that is meant.
    pub workflow_ref: LocalRef,
}

/// An object of the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// How a new version proves itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new(
    "!has(self.probes) || self.probes.map(probe, has(probe.timeout) ? duration(probe.timeout) : duration('10s')).sum() <= duration('5m')"
).message("the timeouts of all probes together are at most 5m (10s where none is given)"))]
pub struct HealthCheck {
    /// Calls that are made once after each deployment, and again while the workflow does not answer. They run the workflow for real, so
    /// choose what they run. Their timeouts together are at most 5m.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub probes: Vec<Probe>,
    /// How long real executions are watched after publication before the version counts as good. From 1s to 168h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_time: Option<Within<SECOND, { 168 * HOUR }>>,
    /// How many executions a verdict needs.
    #[serde(default = "default_minimum_executions")]
    #[schemars(range(min = 1, max = 10000))]
    pub minimum_executions: i64,
    /// The highest share of failed executions, in percent, with which the version still counts as good.
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

/// One call of a production webhook and the answer it must get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The name of the webhook node that is called.
    #[schemars(length(min = 1, max = 256))]
    pub node: String,
    /// The HTTP method. Default: the node's only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 6), regex(pattern = r"^(GET|HEAD|POST|PUT|PATCH|DELETE)$"))]
    pub method: Option<String>,
    /// Values for the `:name` parts of the path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "path_parameters")]
    pub path_parameters: BTreeMap<String, String>,
    /// The JSON body that is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_value")]
    pub body: Option<Value>,
    /// Headers that are sent, for example for the webhook's own authentication.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub headers: Vec<ProbeHeader>,
    /// The HTTP status that must come back. Default: 200.
    #[serde(default = "default_probe_status")]
    #[schemars(range(min = 100, max = 599))]
    pub expected_status: i64,
    /// JSON that must be contained in the answer: each key given must be there with an equal value.
    #[serde(default, rename = "expectedJSON", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_value")]
    pub expected_json: Option<Value>,
    /// How long the answer may take, from 100ms to 5m. Default: 10s.
    #[serde(default = "default_probe_timeout")]
    pub timeout: ProbeTimeout,
}

/// How long the answer to a probe may take.
pub type ProbeTimeout = Within<100, { 5 * MINUTE }>;

fn default_probe_status() -> i64 {
    200
}

fn default_probe_timeout() -> ProbeTimeout {
    ProbeTimeout::from_secs(10)
}

/// A header of a probe, with its value here or in a Secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.value) != has(self.secretKeyRef)").message("exactly one of value and secretKeyRef must be set"))]
#[x_kube(validation = kube::core::Rule::new(NO_STEERING_HEADER).message("the header steers the connection, or names another site, path or caller to a proxy before n8n; a probe may not set it"))]
pub struct ProbeHeader {
    /// The header's name. Those that steer the connection or a proxy (`Host`, `Forwarded`, `X-Forwarded-*`, `X-Original-*`, ...) are refused.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub name: String,
    /// Its value, where it is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub value: Option<String>,
    /// The Secret of this namespace that holds its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<ProbeSecretRef>,
}

/// One key of a Secret of the Workflow's namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeSecretRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A workflow of n8n that should be managed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// Its id in n8n.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub id: String,
}

/// A project in n8n.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its id in n8n, which is in the URL of the project's page. Another namespace than the instance's needs a grant for it.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub id: String,
}

/// What happens when a version fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RollbackPolicy {
    /// The last good version is put back.
    #[default]
    Automatic,
    /// The failure is reported and nothing is changed.
    Manual,
}

/// What happens when somebody changes the workflow in n8n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// The change is kept as a revision and undone.
    #[default]
    Revert,
    /// The change is reported and left.
    Report,
    /// The change is left.
    Ignore,
}

/// What happens in n8n when the object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The workflow and its executions are deleted.
    Delete,
    /// The workflow is archived.
    Archive,
    /// The workflow is unpublished and released.
    Deactivate,
    /// The workflow stays as it is and is released.
    Retain,
}
