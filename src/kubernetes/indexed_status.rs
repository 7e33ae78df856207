//! The status of a Workflow in the index: its binding, and what n8n should hold, reduced to a few bytes while it is decoded.
//!
//! Lenient like the rest of the index: a field that does not fit counts as absent.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde_json::Value;

use crate::api::required_credential::RequiredCredential;
use crate::api::workflow_status::{IntentOperation, Snapshot, VersionRecord};
use crate::domain::quota::places::Announced;
use crate::domain::sweep::{ConfirmedState, Recorded};

/// Binding of a Workflow.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(from = "Status")]
pub struct IndexedStatus {
    /// Generation that was last reconciled.
    pub observed_generation: i64,
    /// The workflow's id in n8n.
    pub n8n_workflow_id: Option<String>,
    /// Version that n8n holds, as last confirmed; None if it is known to hold none.
    pub active_version: Option<i64>,
    /// Names of the WorkflowPolicies that deny the definition.
    pub denied_by: Vec<String>,
    pub(super) last_handled_requested_at: Option<String>,
    pub(super) last_handled_reset_at: Option<String>,
    pub(super) pinned_version: Option<i64>,
    /// Resource version of the ConfigMap that the definition was last read from.
    pub(super) source_version: Option<String>,
    pub(super) published: Option<bool>,
    /// Names of the N8nCredentials that the workflow in n8n uses.
    pub(super) credential_refs: Vec<String>,
    pub(super) intent: Option<Announced>,
    pub(super) activation_requested_at: Option<Timestamp>,
    /// Types of the credentials that the definition uses or requires, and its names for them.
    pub(super) credentials: Box<[(Box<str>, Box<str>)]>,
    pub(super) dependency_digest: Option<Box<str>>,
    /// True if executions of the published version decided that it is healthy.
    pub(super) healthy: bool,
    /// State that n8n should hold, if the last reconciliation left nothing unfinished. Boxed, for many objects have none.
    pub(super) recorded: Option<Box<Recorded>>,
}

/// The fields of the status that are read.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    n8n_workflow_id: Option<String>,
    active_version: Option<i64>,
    denied_by: Vec<String>,
    last_handled_requested_at: Option<String>,
    last_handled_reset_at: Option<String>,
    pinned_version: Option<i64>,
    source_version: Option<String>,
    published: Option<bool>,
    #[serde(deserialize_with = "or_empty")]
    credential_refs: Vec<String>,
    #[serde(deserialize_with = "lenient")]
    intent: Option<IndexedIntent>,
    #[serde(deserialize_with = "lenient")]
    activation_requested_at: Option<MicroTime>,
    #[serde(deserialize_with = "lenient")]
    history: Option<Vec<VersionRecord>>,
    #[serde(deserialize_with = "lenient")]
    confirmed: Option<Snapshot>,
    sent: Option<IgnoredAny>,
    failed_digest: Option<IgnoredAny>,
    unverified_since: Option<IgnoredAny>,
    #[serde(deserialize_with = "lenient")]
    webhooks_missing: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    waits_for_webhook_path: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    project: Option<String>,
    #[serde(deserialize_with = "lenient")]
    callers: Option<Vec<String>>,
    #[serde(deserialize_with = "lenient")]
    added_tags: Option<Vec<String>>,
    #[serde(deserialize_with = "lenient")]
    required_credentials: Option<Vec<RequiredCredential>>,
    #[serde(deserialize_with = "lenient")]
    complete: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    dependency_digest: Option<String>,
    #[serde(deserialize_with = "lenient")]
    published_at: Option<MicroTime>,
    #[serde(deserialize_with = "lenient")]
    health_decided_for: Option<MicroTime>,
    #[serde(deserialize_with = "lenient")]
    health_failing: Option<bool>,
}

/// The parts of an intent that decide which places it may use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IndexedIntent {
    operation: IntentOperation,
    #[serde(default)]
    publishes: bool,
    #[serde(default, rename = "lastGoodN8nVersionId")]
    last_good_n8n_version_id: Option<IgnoredAny>,
}

/// Reads a value, or None if it does not fit.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(Value::deserialize(deserializer)?).ok())
}

/// Reads a list; one that does not fit is empty.
pub(super) fn or_empty<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(lenient(deserializer)?.unwrap_or_default())
}

impl From<Status> for IndexedStatus {
    fn from(status: Status) -> Self {
        let required = status.required_credentials.iter().flatten();
        Self {
            credentials: required.map(|one| (one.kind.as_str().into(), one.name.as_str().into())).collect(),
            healthy: status.is_healthy(),
            dependency_digest: status.dependency_digest.as_deref().map(Box::from),
            recorded: status.recorded().map(Box::new),
            observed_generation: status.observed_generation,
            n8n_workflow_id: status.n8n_workflow_id,
            active_version: status.active_version,
            denied_by: status.denied_by,
            last_handled_requested_at: status.last_handled_requested_at,
            last_handled_reset_at: status.last_handled_reset_at,
            pinned_version: status.pinned_version,
            source_version: status.source_version,
            published: status.published,
            credential_refs: status.credential_refs,
            intent: status.intent.map(|intent| Announced {
                creates: intent.operation == IntentOperation::Create,
                publishes: intent.publishes || intent.last_good_n8n_version_id.is_some(),
            }),
            activation_requested_at: status.activation_requested_at.map(|time| time.0),
        }
    }
}

impl Status {
    fn is_healthy(&self) -> bool {
        let decided = self.health_decided_for.is_some() && self.health_decided_for == self.published_at;
        decided && self.health_failing != Some(true)
    }

    fn recorded(&self) -> Option<Recorded> {
        let unfinished = [&self.sent, &self.failed_digest, &self.unverified_since].iter().any(|one| one.is_some()) || self.intent.is_some();
        let waits = [self.webhooks_missing, self.waits_for_webhook_path].contains(&Some(true));
        if self.complete != Some(true) || unfinished || waits {
            return None;
        }
        Recorded::of(ConfirmedState {
            generation: self.observed_generation,
            version: self.active_version?,
            history: self.history.as_deref()?,
            confirmed: self.confirmed.as_ref()?,
            published: self.published == Some(true),
            project: self.project.as_deref(),
            callers: self.callers.as_deref(),
            added_tags: self.added_tags.as_deref().unwrap_or_default(),
        })
    }
}
