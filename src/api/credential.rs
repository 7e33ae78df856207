//! `N8nCredential`: a credential in n8n that is made from a Secret.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credential_status::N8nCredentialStatus;
use super::duration::{HOUR, MINUTE, SECOND, Within};
use super::workflow::{DriftPolicy, InstanceRef, Interval, LocalRef, Project};

/// Text in the manifests that `weirkeeper credentials` writes, in the place of each value that a person has to give.
pub const PLACEHOLDER: &str = "REPLACE-ME";

/// A credential in n8n that is made from a Secret.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "N8nCredential",
    namespaced,
    category = "n8n",
    shortname = "n8nc",
    status = "N8nCredentialStatus",
    derive = "PartialEq",
    doc = "A credential in n8n that is made from a Secret: kept up to date, tested, and used by Workflows of the namespace.",
    validation = kube::core::Rule::new("self.metadata.name.size() <= 63").message("metadata.name must be at most 63 characters long"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Tested", type_ = "string", json_path = ".status.test.result"),
    printcolumn(name = "Used by", type_ = "integer", json_path = ".status.usedBy"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Synced", type_ = "date", json_path = ".status.lastSyncedTime", priority = "1"),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.instanceRef.name", priority = "1"),
    printcolumn(name = "n8n id", type_ = "string", json_path = ".status.n8nCredentialId", priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1")
)]
#[x_kube(
    validation = kube::core::Rule::new("has(self.secretRef) != has(self.data)").message("exactly one of secretRef and data must be set"),
    validation = kube::core::Rule::new("self.instanceRef == oldSelf.instanceRef")
        .message("instanceRef is immutable; create another N8nCredential for another instance"),
    validation = kube::core::Rule::new("self.type == oldSelf.type")
        .message("type is immutable, because nodes use a credential by its type; create another N8nCredential for another type"),
)]
#[serde(rename_all = "camelCase")]
pub struct N8nCredentialSpec {
    /// N8nInstance that holds the credential. Immutable.
    pub instance_ref: InstanceRef,
    /// Type of the credential in n8n, such as `httpHeaderAuth` or `slackApi`. Immutable.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z][A-Za-z0-9_.@/-]*$"))]
    pub kind: String,
    /// Secret in the same namespace whose keys are the fields of the type. Exactly one of `secretRef` and `data` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
    /// Fields of the type, each with its value or a key of a Secret in the same namespace. Exactly one of `secretRef` and `data` must be
    /// set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["field"]))]
    pub data: Vec<CredentialField>,
    /// Name of the credential in n8n, to which a mark is appended that makes it recognisable: `NAME [wk-MARK]`. Defaults to the name of this
    /// object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[^\x00-\x1f\x7f]+$"))]
    pub display_name: Option<String>,
    /// Project in n8n that the credential belongs to. If unset, a credential stays where it is, and a new one is created in the personal
    /// project of the API key's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// Action when the credential was changed in n8n: `Revert` writes the name and the values again, `Report` leaves the change and sets
    /// condition Ready to False, `Ignore` leaves it. Every policy sets condition Drifted. Defaults to `Revert`.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// Action in n8n when this object is deleted: `Delete` waits until no Workflow uses the credential and deletes it, `ForceDelete` deletes
    /// it although Workflows use it, which then fail, `Retain` keeps it and takes the mark out of its name. Defaults to `Delete` for a
    /// credential that Weirkeeper created and to `Retain` for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<CredentialDeletionPolicy>,
    /// Existing credential in n8n to manage from now on. Its values are overwritten. It requires a grant outside the namespace of the
    /// instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<AdoptCredential>,
    /// Interval between tests of the credential by n8n, from 1m to 168h. A test calls the service. If unset, a credential is tested only
    /// after its values were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_interval: Option<Within<MINUTE, { 168 * HOUR }>>,
    /// `true` suspends all reads from and writes to n8n for this object. Deletion still works. Defaults to `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Number of requests that the service allows with this credential. Workflows that may exceed it get a warning; nothing is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Interval between comparisons with n8n while nothing changes, from 1s to 24h, with a jitter of 10%. A changed Secret is noticed at
    /// once. Defaults to 5m.
    #[serde(default = "default_interval")]
    pub interval: Interval,
}

fn default_interval() -> Interval {
    Interval::from_secs(300)
}

/// A field of a credential type with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.value) != has(self.secretKeyRef)").message("exactly one of value and secretKeyRef must be set"))]
pub struct CredentialField {
    /// Name of the field in n8n's schema of the type, such as `host`.
    #[schemars(length(min = 1, max = 128))]
    pub field: String,
    /// Value of the field, unless it is confidential: text, which is converted to the type of the field: a number, `true` or `false`, or JSON for what
    /// is nested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// Key of a Secret in the same namespace that holds the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<CredentialSecretRef>,
}

/// A key of a Secret in the namespace of the N8nCredential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialSecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// An existing credential in n8n to adopt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdoptCredential {
    /// Id of the credential in n8n, as in the URL of its page.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub id: String,
}

/// Number of requests in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Number of requests.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: i64,
    /// Time in which they are allowed, from 1s to 24h. Defaults to 1m.
    #[serde(default = "default_per")]
    pub per: RateLimitPeriod,
}

/// Time that a [`RateLimit`] is about.
pub type RateLimitPeriod = Within<SECOND, { 24 * HOUR }>;

fn default_per() -> RateLimitPeriod {
    RateLimitPeriod::from_secs(60)
}

/// Action in n8n when an N8nCredential is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialDeletionPolicy {
    /// Delete the credential once no Workflow uses it.
    Delete,
    /// Delete the credential although Workflows use it.
    ForceDelete,
    /// Keep the credential and release it.
    Retain,
}

impl N8nCredentialSpec {
    /// Returns the names of the Secrets that the values come from, without duplicates, in order.
    pub fn secrets(&self) -> Vec<&str> {
        let of_fields = self.data.iter().filter_map(|field| field.secret_key_ref.as_ref()).map(|key| key.name.as_str());
        let mut names: Vec<&str> = self.secret_ref.iter().map(|secret| secret.name.as_str()).chain(of_fields).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_named_once() {
        let key = |name: &str| json!({ "field": name, "secretKeyRef": { "name": name, "key": "k" } });
        let spec = |extra: serde_json::Value| {
            let mut spec = json!({ "instanceRef": { "name": "n8n" }, "type": "httpHeaderAuth" });
            spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            serde_json::from_value::<N8nCredentialSpec>(spec).unwrap()
        };
        assert_eq!(spec(json!({ "secretRef": { "name": "a" } })).secrets(), ["a"]);
        let several = spec(json!({ "data": [key("b"), key("a"), key("b"), { "field": "host", "value": "x" }] }));
        assert_eq!(several.secrets(), ["a", "b"]);
        assert_eq!(several.interval.get().as_secs(), 300);
    }

    #[test]
    fn a_rate_limit_is_for_a_minute_unless_it_says_otherwise() {
        let limit: RateLimit = serde_json::from_value(json!({ "requests": 60 })).unwrap();
        assert_eq!((limit.requests, limit.per.get().as_secs()), (60, 60));
    }
}
