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

/// A connection to one n8n and who may use it for what.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// The attributes of printer columns are not those of the kind, although they share names.
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
    /// Where n8n's API is reached, without `/api/v1`, for example `http://n8n.automation.svc:5678`. The API key is
    /// only ever sent to this origin.
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    #[x_kube(validation = kube::core::Rule::new("!self.matches('/api/v1/*$')").message("url is n8n's own address; leave /api/v1 out"))]
    pub url: String,
    /// The Secret of this namespace that holds an API key of n8n. It is read again about once a minute.
    pub api_key_secret_ref: SecretKeyRef,
    /// Certificate authorities, as PEM, that are trusted for `url` and `webhookCheckURL` in place of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub ca_bundle: Option<String>,
    /// How long one request to n8n may take. From 1s to 5m.
    #[serde(default = "default_request_timeout")]
    pub request_timeout: RequestTimeout,
    /// The most requests a second that are sent to this n8n. Absent means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub requests_per_second: Option<i64>,
    /// The most requests that are under way to this n8n at one time, probes of webhooks apart.
    #[serde(default = "default_concurrent_requests")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent_requests: i64,
    /// The address under which callers reach webhooks, shown in the status of Workflows. Default: `url`.
    #[serde(default, rename = "webhookBaseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub webhook_base_url: Option<String>,
    /// The address under which the operator reaches webhooks when it checks and probes them. Default: `url`.
    #[serde(default, rename = "webhookCheckURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub webhook_check_url: Option<String>,
    /// Which finished executions this n8n saves where a workflow's own settings do not say: `All` (n8n's default) or
    /// `ErrorsOnly`, with which no error rate can be told.
    #[serde(default)]
    pub executions_saved: ExecutionsSaved,
    /// The version of n8n, as a hint where it cannot be found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+.*$"))]
    pub n8n_version: Option<String>,
    /// A ConfigMap of this namespace that holds the catalogue of this n8n's node types, in place of the one that is built in. Made by
    /// `weirkeeper catalog build --config-map NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_ref: Option<CatalogRef>,
    /// Which namespaces may refer to this instance. Its own always may.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// What other namespaces may use of what already exists in n8n. Its own namespace may use all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub grants: Vec<Grant>,
    /// How often the connection is looked at again. From 1s to 24h.
    #[serde(default = "default_interval")]
    pub interval: Interval,
}

/// How long one request to n8n may take.
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

/// One key of a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[serde(default = "default_secret_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogRef {
    /// The ConfigMap's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in its `binaryData`.
    #[serde(default = "default_catalog_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// The key under which a ConfigMap holds a catalogue unless said otherwise.
pub const CATALOG_KEY: &str = "n8n.catalog";

fn default_catalog_key() -> String {
    CATALOG_KEY.to_owned()
}

fn default_secret_key() -> String {
    "apiKey".to_owned()
}

/// Which finished executions n8n keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExecutionsSaved {
    /// Successes and errors.
    #[default]
    All,
    /// Errors only.
    ErrorsOnly,
}

/// Which namespaces may refer to an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("self.from != 'Selector' || has(self.selector)").message("from: Selector needs a selector"))]
pub struct AllowedNamespaces {
    /// `Same` (only the instance's own), `All`, or `Selector`.
    #[serde(default)]
    pub from: AllowedFrom,
    /// The labels that a namespace must have, with `from: Selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<NamespaceSelector>,
}

/// Where Workflows may live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AllowedFrom {
    /// The instance's own namespace.
    #[default]
    Same,
    /// Every namespace.
    All,
    /// Namespaces with certain labels.
    Selector,
}

/// Labels that a namespace must have, all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Label and value pairs, all of which must be there.
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
}

/// What some namespaces may use of what already exists in n8n.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The namespaces that it is given to; `*` is all that may refer to the instance.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// Names or ids of credentials in n8n that they may use; `*` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 128)))]
    pub credentials: Vec<String>,
    /// Ids of n8n workflows that they may adopt; `*` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub adopt: Vec<String>,
    /// Ids of n8n workflows that their definitions may call by raw id; `*` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub workflows: Vec<String>,
    /// Ids of n8n projects that their workflows may be put into; `*` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub projects: Vec<String>,
    /// Ids of n8n data tables that their definitions may work with; `*` is all, and is needed for a table by name or by a computed id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 64)))]
    pub data_tables: Vec<String>,
    /// Node types that their definitions may use although such a node can reach more than its own definition, or is not known:
    /// whole names, or patterns in which `*` stands for any letters. A `…Tool` type counts as its node. Who is granted a type that runs
    /// code, or reaches files, has all that n8n has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 214)))]
    pub node_types: Vec<String>,
    /// Names of tags that they may give to their workflows and take away again; `*` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 24)))]
    pub tags: Vec<String>,
}

/// What was found out about the connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct N8nInstanceStatus {
    /// The generation of the spec that this status speaks of; -1 before the first look.
    #[serde(default = "unobserved")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// The origin of `spec.url` to which workflows are bound. A change of it stops all writes until `reset-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub bound_origin: Option<String>,
    /// The version of n8n, where it could be found out or was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub n8n_version: Option<String>,
    /// When the API key expires, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub key_expires_at: Option<String>,
    /// What the API key may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(max = 128)))]
    pub key_scopes: Vec<String>,
    /// The first point of Ready's message, for tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub summary: Option<String>,
    /// How many Workflows are bound to this instance.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub workflows: i64,
    /// Ids of marked workflows in n8n whose object is gone. They are listed, never deleted; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 64)))]
    pub orphans: Vec<String>,
    /// Ids of workflows in n8n that carry the mark of an object which is bound to another one: copies that somebody made
    /// in the editor. They are listed, never deleted; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 64)))]
    pub duplicates: Vec<String>,
    /// The cluster whose workflows are taken over by restored objects, as the annotation `weirkeeper.dev/restored-from` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub restored_from: Option<String>,
    /// When a person last vouched, by `weirkeeper.dev/reset-at`, that the n8n at `url` is the right one. For ten minutes
    /// after that, workflows that are missing are created again however many they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub identity_accepted_at: Option<Time>,
    /// The value of the annotation `weirkeeper.dev/requested-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: Option<String>,
    /// The value of the annotation `weirkeeper.dev/reset-at` that was last handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reset_at: Option<String>,
    /// Ready, Reconciling, Stalled, Reachable, CatalogReady and KeyExpiring.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

fn unobserved() -> i64 {
    -1
}
