//! `N8nInstance`: a connection to one n8n.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::duration::{MINUTE, SECOND, Within};
use super::schema::labels;
use super::workflow::Interval;

/// A connection to one n8n, and what each namespace may use of it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "N8nInstance",
    namespaced,
    category = "n8n",
    shortname = "n8ni",
    status = "N8nInstanceStatus",
    derive = "PartialEq",
    doc = "A connection to one n8n: its address, its API key, and which namespaces may use it for what.",
    validation = kube::core::Rule::new("self.metadata.name.size() <= 63").message("metadata.name must be at most 63 characters long"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.n8nVersion"),
    printcolumn(name = "Workflows", type_ = "integer", json_path = ".status.workflows"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url", priority = "1"),
    printcolumn(name = "Key expires", type_ = "string", json_path = ".status.keyExpiresAt", priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1")
)]
#[serde(rename_all = "camelCase")]
pub struct N8nInstanceSpec {
    /// Base URL of n8n without `/api/v1`, for example `http://n8n.automation.svc:5678`. The API key is sent to this origin only.
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    #[x_kube(validation = kube::core::Rule::new("!self.matches('/api/v1/*$')").message("url is the base URL of n8n and must not end in /api/v1"))]
    pub url: String,
    /// Secret in the same namespace that holds the API key of n8n. It is read again about once a minute.
    pub api_key_secret_ref: SecretKeyRef,
    /// PEM-encoded certificate authorities to trust for `url` and `webhookCheckURL`, instead of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub ca_bundle: Option<String>,
    /// Timeout of one request to n8n, from 1s to 5m. Defaults to 30s.
    #[serde(default = "default_request_timeout")]
    pub request_timeout: RequestTimeout,
    /// Maximum number of requests per second to this n8n. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub requests_per_second: Option<i64>,
    /// Maximum number of concurrent requests to this n8n; probes of webhooks are not counted. Defaults to 10.
    #[serde(default = "default_concurrent_requests")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent_requests: i64,
    /// Base URL that callers use to reach production webhooks, shown in the status of Workflows. Defaults to `url`.
    #[serde(default, rename = "webhookBaseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub webhook_base_url: Option<String>,
    /// Base URL that the operator uses to check and probe production webhooks. Defaults to `url`.
    #[serde(default, rename = "webhookCheckURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub webhook_check_url: Option<String>,
    /// Finished executions that this n8n saves unless a workflow's own settings say otherwise: `All` (successes and errors, the default of
    /// n8n) or `ErrorsOnly`, with which no error rate can be calculated. Defaults to `All`.
    #[serde(default)]
    pub executions_saved: ExecutionsSaved,
    /// Version of n8n, used only where it cannot be detected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+.*$"))]
    pub n8n_version: Option<String>,
    /// ConfigMap in the same namespace that holds the catalogue of this n8n's node types, as written by `weirkeeper catalog build
    /// --config-map NAME`. Defaults to the built-in catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_ref: Option<CatalogRef>,
    /// Namespaces whose Workflows may refer to this instance. Its own namespace always may. Defaults to its own namespace only.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// Resources of n8n that other namespaces may use. The namespace of the instance may use all. Defaults to none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub grants: Vec<Grant>,
    /// Interval between checks of the connection, from 1s to 24h. Defaults to 5m.
    #[serde(default = "default_interval")]
    pub interval: Interval,
}

/// Timeout of one request to n8n.
pub type RequestTimeout = Within<SECOND, { 5 * MINUTE }>;

fn default_request_timeout() -> RequestTimeout {
    RequestTimeout::from_secs(30)
}

fn default_interval() -> Interval {
    Interval::from_secs(300)
}

fn default_concurrent_requests() -> i64 {
    10
}

/// A key of a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret. Defaults to `apiKey`.
    #[serde(default = "default_secret_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the `binaryData` of the ConfigMap. Defaults to `n8n.catalog`.
    #[serde(default = "default_catalog_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Default key of the catalogue in a ConfigMap.
pub const CATALOG_KEY: &str = "n8n.catalog";

fn default_catalog_key() -> String {
    CATALOG_KEY.to_owned()
}

fn default_secret_key() -> String {
    "apiKey".to_owned()
}

/// Finished executions that n8n saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExecutionsSaved {
    /// Successes and errors.
    #[default]
    All,
    /// Errors only.
    ErrorsOnly,
}

/// Namespaces whose objects may refer to this one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("self.from != 'Selector' || has(self.selector)").message("from: Selector requires a selector"))]
pub struct AllowedNamespaces {
    /// Selection of namespaces: `Same` (only the namespace of this object), `All` (every namespace) or `Selector` (namespaces whose labels
    /// match `selector`). Defaults to `Same`.
    #[serde(default)]
    pub from: AllowedFrom,
    /// Selector of namespaces by label; required with `from: Selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<NamespaceSelector>,
}

/// Selection of the namespaces whose objects may refer to this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AllowedFrom {
    /// Only the namespace of this object.
    #[default]
    Same,
    /// Every namespace.
    All,
    /// Namespaces whose labels match the selector.
    Selector,
}

/// Selector of namespaces by label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that a namespace must have, all with the given values.
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
}

/// Resources of n8n that some namespaces may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Namespaces that receive the grant; `*` stands for every namespace that may refer to the instance.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// Names or ids of credentials in n8n that Workflows of these namespaces may use; `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 128)))]
    pub credentials: Vec<String>,
    /// Ids of workflows in n8n that these namespaces may adopt; `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub adopt: Vec<String>,
    /// Ids of credentials in n8n that N8nCredentials of these namespaces may adopt, which overwrites their values; `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub adopt_credentials: Vec<String>,
    /// Ids of workflows in n8n that definitions may call by id; `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub workflows: Vec<String>,
    /// Ids of projects in n8n that Workflows and N8nCredentials may be placed in; `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub projects: Vec<String>,
    /// Ids of data tables in n8n that definitions may use; `*` stands for all, and is required for a table that is selected by name or by a
    /// computed id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub data_tables: Vec<String>,
    /// Node types that definitions may use although such a node can access more than its own definition, or is unknown: full names, or
    /// patterns in which `*` matches any characters. A `…Tool` type counts as its node. A type that runs code or accesses files gives
    /// access to everything in n8n.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 214)))]
    pub node_types: Vec<String>,
    /// Names of tags that Workflows may add and remove; `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 24)))]
    pub tags: Vec<String>,
}

/// Observed state of the N8nInstance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct N8nInstanceStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[serde(default = "unobserved")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Origin of `spec.url` at which the Workflows are bound. While `spec.url` leads to another origin, nothing is written until
    /// `weirkeeper.dev/reset-at` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub bound_origin: Option<String>,
    /// Version of n8n, as detected or as given in `spec.n8nVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_version: Option<String>,
    /// Time at which the API key expires. Absent if it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub key_expires_at: Option<String>,
    /// Scopes of the API key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(max = 128)))]
    pub key_scopes: Vec<String>,
    /// Short form of the message of condition Ready, for printer columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub summary: Option<String>,
    /// Number of Workflows that are bound to this instance.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub workflows: i64,
    /// Ids of workflows in n8n that carry a mark of this cluster and whose Workflow object no longer exists. They are never deleted; at
    /// most 100 are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 64)))]
    pub orphans: Vec<String>,
    /// Ids of workflows in n8n that carry the mark of a Workflow object that is bound to another workflow: copies made in the editor. They
    /// are never deleted; at most 100 are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 64)))]
    pub duplicates: Vec<String>,
    /// UID of the cluster whose workflows the restored Workflows take over, from the annotation `weirkeeper.dev/restored-from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub restored_from: Option<String>,
    /// Time at which `weirkeeper.dev/reset-at` last confirmed that the n8n at `url` is the right one. For ten minutes from then, missing
    /// workflows are recreated however many they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub identity_accepted_at: Option<Time>,
    /// Value of the annotation `weirkeeper.dev/requested-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: Option<String>,
    /// Value of the annotation `weirkeeper.dev/reset-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reset_at: Option<String>,
    /// True while many managed workflows (more than 5, and more than 10 %) are missing at `spec.url`, so that another n8n may answer
    /// there. Nothing is written until `weirkeeper.dev/reset-at` is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub identity_suspect: bool,
    /// Time since which n8n could not be asked. Ready stays True for three intervals from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub unverified_since: Option<Time>,
    /// Conditions of the N8nInstance: Ready, Reconciling, Stalled, Reachable, CatalogReady and KeyExpiring.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

fn unobserved() -> i64 {
    -1
}
