//! An N8nCredential in memory: what Workflows and Secrets are compared with, and no value.

use kube::Resource;
use kube::api::ObjectMeta;
use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;

use super::indexed_metadata;
use super::indexed_policy::Readable;
use crate::api::credential::{CredentialField, N8nCredential, RateLimit};
use crate::api::credential_status::{CredentialTest, N8nCredentialStatus, TestResult};
use crate::api::workflow::{InstanceRef, LocalRef};
use crate::document::finding::quoted;
use crate::domain::credential_ref::{NamedCredential, Standing};

/// An N8nCredential without its values.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = "N8nCredential")]
pub struct IndexedCredential {
    /// Metadata without the parts that only other tools read.
    pub metadata: ObjectMeta,
    /// Parts of the spec.
    #[serde(default)]
    pub spec: Readable<IndexedCredentialSpec>,
    /// Observed state of the object.
    #[serde(default)]
    pub status: Readable<N8nCredentialStatus>,
}

/// The parts of an N8nCredential's spec that other objects are compared with.
#[derive(Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", from = "Spec")]
pub struct IndexedCredentialSpec {
    /// N8nInstance that holds the credential.
    pub instance_ref: InstanceRef,
    /// Type of the credential in n8n.
    pub kind: String,
    /// Names of the Secrets that the values come from, in order.
    pub secrets: Vec<String>,
    /// Number of requests that the service allows.
    pub rate_limit: Option<RateLimit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    instance_ref: InstanceRef,
    #[serde(rename = "type")]
    kind: String,
    secret_ref: Option<LocalRef>,
    #[serde(default)]
    data: Vec<CredentialField>,
    rate_limit: Option<RateLimit>,
}

impl From<Spec> for IndexedCredentialSpec {
    fn from(spec: Spec) -> Self {
        let of_fields = spec.data.into_iter().filter_map(|field| Some(field.secret_key_ref?.name));
        let mut secrets: Vec<String> = spec.secret_ref.into_iter().map(|secret| secret.name).chain(of_fields).collect();
        secrets.sort_unstable();
        secrets.dedup();
        Self { instance_ref: spec.instance_ref, kind: spec.kind, secrets, rate_limit: spec.rate_limit }
    }
}

impl IndexedCredential {
    /// Returns a credential of which only the metadata can be read.
    pub fn without_spec(metadata: ObjectMeta) -> Self {
        Self { metadata, spec: Readable(Err("the object does not fit its kind".to_owned())), status: Readable::default() }
    }

    /// Returns the object's namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the object's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Returns the object's UID.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Returns the instance that it refers to, as (namespace, name), if its spec can be read.
    pub fn instance(&self) -> Option<(&str, &str)> {
        let instance = &self.spec.0.as_ref().ok()?.instance_ref;
        Some((instance.namespace.as_deref().unwrap_or(self.namespace()), &instance.name))
    }

    /// Returns the type of the credential in n8n, if the spec can be read.
    pub fn kind(&self) -> Option<&str> {
        Some(&self.spec.0.as_ref().ok()?.kind)
    }

    /// Reports whether values come from the Secret of that name in its namespace.
    pub fn reads(&self, secret: &str) -> bool {
        self.spec.0.as_ref().is_ok_and(|spec| spec.secrets.iter().any(|name| name == secret))
    }

    /// Returns the number of requests that the service allows, if the spec limits it.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.spec.0.as_ref().ok()?.rate_limit
    }

    /// Returns the observed state.
    pub fn status(&self) -> Option<&N8nCredentialStatus> {
        self.status.0.as_ref().ok()
    }

    /// Returns the id of the credential in n8n, once it holds the values of the spec.
    pub fn n8n_id(&self) -> Option<&str> {
        let status = self.status()?;
        status.n8n_credential_id.as_deref().filter(|_| status.values_hash.is_some() && !self.deleting())
    }

    /// Returns the credential as a Workflow of its namespace sees it.
    pub fn named(&self) -> NamedCredential {
        let (instance, kind) = (self.instance().unwrap_or_default(), self.kind().unwrap_or_default());
        let (standing, message) = self.standing();
        NamedCredential {
            uid: self.uid().to_owned(),
            instance: (instance.0.to_owned(), instance.1.to_owned()),
            kind: kind.to_owned(),
            id: self.status().and_then(|status| status.n8n_credential_id.clone()),
            standing,
            message,
            rate_limit: self.rate_limit(),
        }
    }

    /// Returns the standing of the credential, and a message about it. What n8n holds counts: a Secret that went missing since takes nothing
    /// away from it.
    fn standing(&self) -> (Standing, String) {
        if self.deleting() {
            return (Standing::Deleting, String::new());
        }
        let Some(status) = self.status().filter(|_| self.spec.0.is_ok()) else {
            return (Standing::Pending, "it does not fit its kind".to_owned());
        };
        let name = status.name.as_deref().unwrap_or(self.name());
        let summary = || status.summary.clone().unwrap_or_else(|| "it was not reconciled yet".to_owned());
        let failed = |test: &CredentialTest| test.result == TestResult::Failed && test.values_hash == status.values_hash;
        // Only a test tells whether somebody has to authorise it; one of a type without a test has that as its result.
        if status.values_hash.is_none() || status.test.is_none() {
            (Standing::Pending, summary())
        } else if status.needs_authorization {
            (Standing::NeedsAuthorization, format!("open {} in n8n under Credentials and connect the account", quoted(name)))
        } else if status.test.as_ref().is_some_and(failed) {
            (Standing::Invalid, format!("its test in n8n failed; see `kubectl describe n8ncredential {}`", self.name()))
        } else {
            (Standing::Ready, String::new())
        }
    }

    /// Reports whether the object is being deleted.
    pub fn deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Returns a reference to the object.
    pub fn object_ref(&self) -> ObjectRef<IndexedCredential> {
        ObjectRef::from_obj(self)
    }

    /// Drops the parts that only other tools read.
    pub fn slim(&mut self) {
        indexed_metadata::slim(&mut self.metadata);
        // Conditions and messages are for people, and may be long.
        if let Ok(status) = &mut self.status.0 {
            status.conditions = Vec::new();
            status.test.iter_mut().for_each(|test| test.message = None);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn indexed(spec: serde_json::Value, status: serde_json::Value) -> IndexedCredential {
        let metadata = json!({ "name": "slack", "namespace": "team-a", "uid": "u", "labels": { "a": "b" } });
        let mut indexed: IndexedCredential =
            serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": status })).unwrap();
        indexed.slim();
        indexed
    }

    #[test]
    fn secrets_and_the_instance_are_known_and_written_values_are_not_kept() {
        let field = |secret: &str| json!({ "field": secret, "secretKeyRef": { "name": secret, "key": "k" } });
        let spec = json!({ "instanceRef": { "name": "main" }, "type": "slackApi",
            "data": [field("b"), field("a"), { "field": "host", "value": "written" }] });
        let one = indexed(spec, json!({}));
        assert_eq!((one.instance(), one.kind()), (Some(("team-a", "main")), Some("slackApi")));
        assert!(one.reads("a") && one.reads("b") && !one.reads("host"));
        assert!(!format!("{one:?}").contains("written"));
        assert!(one.metadata.labels.is_none() && one.n8n_id().is_none());
    }

    #[test]
    fn an_id_counts_once_the_credential_holds_its_values() {
        let spec = json!({ "instanceRef": { "name": "main", "namespace": "n8n" }, "type": "slackApi", "secretRef": { "name": "slack" } });
        let id = |status: serde_json::Value| indexed(spec.clone(), status).n8n_id().map(str::to_owned);
        assert_eq!(id(json!({ "n8nCredentialId": "c1" })), None);
        assert_eq!(id(json!({ "n8nCredentialId": "c1", "valuesHash": "h" })), Some("c1".to_owned()));
    }

    #[test]
    fn workflows_wait_for_what_n8n_does_not_hold_or_cannot_use() {
        let spec = json!({ "instanceRef": { "name": "main" }, "type": "slackApi", "secretRef": { "name": "slack" } });
        let time = "2026-01-01T00:00:00Z";
        for (status, standing, id) in [
            (json!({}), Standing::Pending, None),
            (json!({ "n8nCredentialId": "c1", "summary": "no Secret" }), Standing::Pending, Some("c1")),
            (json!({ "n8nCredentialId": "c1", "valuesHash": "h" }), Standing::Pending, Some("c1")),
            (
                json!({ "n8nCredentialId": "c1", "valuesHash": "h", "test": { "result": "NotTestable", "time": time, "valuesHash": "h" } }),
                Standing::Ready,
                Some("c1"),
            ),
            (
                json!({ "n8nCredentialId": "c1", "valuesHash": "h", "needsAuthorization": true,
                    "test": { "result": "NeedsAuthorization", "time": time, "valuesHash": "h" } }),
                Standing::NeedsAuthorization,
                Some("c1"),
            ),
            (
                json!({ "n8nCredentialId": "c1", "valuesHash": "h", "test": { "result": "Failed", "time": time, "valuesHash": "h" } }),
                Standing::Invalid,
                Some("c1"),
            ),
            (
                json!({ "n8nCredentialId": "c1", "valuesHash": "new", "test": { "result": "Failed", "time": time, "valuesHash": "h" } }),
                Standing::Ready,
                Some("c1"),
            ),
        ] {
            let named = indexed(spec.clone(), status.clone()).named();
            assert_eq!((named.standing, named.id.as_deref()), (standing, id), "{status}");
            assert_eq!(named.instance, ("team-a".to_owned(), "main".to_owned()));
        }
        assert_eq!(
            indexed(json!({ "type": 7 }), json!({ "n8nCredentialId": "c1", "valuesHash": "h" })).named().standing,
            Standing::Pending
        );
    }

    #[test]
    fn a_spec_that_cannot_be_read_names_nothing() {
        let one = indexed(json!({ "type": 7 }), json!([]));
        assert_eq!((one.instance(), one.kind(), one.rate_limit(), one.reads("")), (None, None, None, false));
    }
}
