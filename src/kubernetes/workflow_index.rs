//! Index of all Workflows in memory: metadata and references, never the definition.
//!
//! The types are lenient on purpose: one object that does not fit must not stop the watch of all others.

use std::time::Duration;

use kube::Resource;
use kube::api::ObjectMeta;
use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::indexed_metadata;
use super::indexed_status::{IndexedStatus, lenient, or_empty};
use crate::api::annotation;
use crate::api::duration::DurationText;
use crate::api::template_ref::TemplateRef;
use crate::api::workflow::{CredentialMapping, Workflow};
use crate::domain::mark::Mark;
use crate::domain::quota::places::{Candidate, Places};
use crate::domain::render::{CredentialSymbol, mapped_symbol};
use crate::domain::status_bounds;
use crate::domain::sweep::{Asked, Shown, hash};
use crate::domain::urgency::Urgency;

/// Default of `spec.interval`.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// A Workflow without its definition.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = "Workflow")]
pub struct IndexedWorkflow {
    /// Metadata without the parts that only other tools read.
    pub metadata: ObjectMeta,
    /// References of the spec.
    #[serde(default)]
    pub spec: IndexedSpec,
    /// Binding of the object.
    #[serde(default)]
    pub status: IndexedStatus,
}

/// The references of a Workflow's spec.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedSpec {
    instance_ref: IndexedRef,
    definition_from: Option<IndexedSource>,
    #[serde(deserialize_with = "lenient")]
    template_ref: Option<TemplateRef>,
    references: Vec<IndexedReference>,
    #[serde(deserialize_with = "fitting")]
    credentials: Vec<CredentialMapping>,
    #[serde(deserialize_with = "lenient")]
    active: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    suspend: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    interval: Option<DurationText>,
    #[serde(deserialize_with = "tags")]
    tags: Option<Box<[u64]>>,
    #[serde(deserialize_with = "lenient")]
    project: Option<IndexedProject>,
    #[serde(deserialize_with = "lenient")]
    health_check: Option<IndexedHealthCheck>,
}

#[derive(Deserialize, Clone, Debug)]
struct IndexedProject {
    id: String,
}

#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
struct IndexedHealthCheck {
    bake_time: Option<DurationText>,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
struct IndexedRef {
    name: String,
    namespace: Option<String>,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
struct IndexedSource {
    config_map_key_ref: IndexedRef,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
struct IndexedReference {
    workflow_ref: IndexedRef,
}

/// Reads a list without the items that do not fit.
fn fitting<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(or_empty::<D, Value>(deserializer)?.into_iter().filter_map(|item| T::deserialize(item).ok()).collect())
}

/// Returns hashes of tags.
fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<[u64]>>, D::Error> {
    Ok(lenient::<D, Vec<String>>(deserializer)?.map(|tags| tags.iter().map(hash).collect()))
}

impl IndexedWorkflow {
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

    /// Returns the instance that it refers to, as (namespace, name).
    pub fn instance(&self) -> (&str, &str) {
        (self.spec.instance_ref.namespace.as_deref().unwrap_or(self.namespace()), &self.spec.instance_ref.name)
    }

    /// Returns the name of the ConfigMap that holds its definition, if one does.
    pub fn config_map(&self) -> Option<&str> {
        self.spec.definition_from.as_ref().map(|source| source.config_map_key_ref.name.as_str())
    }

    /// Reports whether it is made from this WorkflowTemplate.
    pub fn is_made_from(&self, namespace: &str, name: &str) -> bool {
        self.spec
            .template_ref
            .as_ref()
            .is_some_and(|reference| reference.name == name && reference.home(self.namespace()) == Some(namespace))
    }

    /// Reports whether it refers to the Workflow of that name in its namespace.
    pub fn refers_to(&self, name: &str) -> bool {
        self.spec.references.iter().any(|reference| reference.workflow_ref.name == name)
    }

    /// Reports whether it uses the N8nCredential of that name in its namespace.
    pub fn uses_credential(&self, name: &str) -> bool {
        self.credential_names().any(|used| used == name)
    }

    /// Returns the names of the N8nCredentials of its namespace that it uses, possibly more than once each: its spec names them, or the workflow
    /// in n8n still has them.
    pub fn credential_names(&self) -> impl Iterator<Item = &str> {
        let named = self.spec.credentials.iter().filter_map(|used| used.credential_ref.as_ref()).map(|reference| reference.name.as_str());
        named.chain(self.status.credential_refs.iter().map(String::as_str))
    }

    /// Returns the names of the Workflows of its namespace that it refers to.
    pub fn references(&self) -> Vec<String> {
        self.spec.references.iter().map(|reference| reference.workflow_ref.name.clone()).collect()
    }

    /// Reports whether the object is being deleted.
    pub fn deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Returns the id of the workflow that n8n should have: one that was confirmed, is not known to be gone, and is not about to be
    /// deleted.
    pub fn should_exist(&self) -> Option<&str> {
        self.status.n8n_workflow_id.as_deref().filter(|_| self.status.active_version.is_some() && !self.deleting())
    }

    /// Returns the object as one that asks for places under a quota. `holds` are its places, as far as they are known better than from its
    /// status.
    pub fn candidate(&self, holds: Option<Places>) -> Candidate<'_> {
        let status = &self.status;
        let occupied = || Places::occupied(status.n8n_workflow_id.is_some(), status.published == Some(true), status.intent);
        Candidate {
            activation: status.activation_requested_at,
            holds: holds.unwrap_or_else(occupied),
            claims: Places::claimed(self.spec.active, self.spec.suspend == Some(true), self.deleting()),
            ..Candidate::named(&self.metadata)
        }
    }

    /// Returns the urgency of its next reconciliation.
    pub fn urgency(&self) -> Urgency {
        if self.deleting() {
            Urgency::Deletion
        } else if self.status.n8n_workflow_id.is_none() {
            Urgency::Create
        } else if self.asks_for_something() {
            Urgency::Edit
        } else {
            Urgency::Routine
        }
    }

    /// Reports whether a user changed the spec, set or removed a pin, or requested a reset or a reconciliation, and no reconciliation has
    /// handled that yet.
    fn asks_for_something(&self) -> bool {
        let asked =
            |name: &str| self.metadata.annotations.as_ref().and_then(|all| all.get(name)).map(|value| status_bounds::annotation(value));
        let (requested, reset) = (asked(annotation::REQUESTED_AT), asked(annotation::RESET_AT));
        let pin = asked(annotation::PINNED_VERSION).and_then(|pin| pin.trim().parse().ok()).filter(|pin: &i64| *pin > 0);
        self.metadata.generation.unwrap_or(0) != self.status.observed_generation
            || requested.is_some() && requested != self.status.last_handled_requested_at.as_deref()
            || reset.is_some() && reset != self.status.last_handled_reset_at.as_deref()
            || pin != self.status.pinned_version
    }

    /// Returns the time between comparisons with n8n.
    pub fn interval(&self) -> Duration {
        self.spec.interval.map_or(DEFAULT_INTERVAL, DurationText::get)
    }

    /// Returns the time during which executions count for its health, if they are evaluated.
    pub fn bake_time(&self) -> Option<Duration> {
        Some(self.spec.health_check.as_ref()?.bake_time?.get())
    }

    /// Reports whether executions in its bake time, of which some failed or none did, leave its health as the status says. Without any, the
    /// last decision stands.
    pub fn health_stands(&self, executions: usize, failed: usize) -> bool {
        self.status.recorded.is_some() && (executions == 0 || failed == 0 && self.status.healthy)
    }

    /// Returns the types of the credentials that its definition uses or requires.
    pub fn credential_types(&self) -> impl Iterator<Item = &str> {
        self.status.credentials.iter().map(|(kind, _)| &**kind)
    }

    /// Returns the symbols of the credentials that its definition names; None if that is not certain: one is not mapped, or a kept version is
    /// pinned, whose credentials were mapped by an earlier spec.
    pub fn credential_symbols(&self) -> Option<Vec<CredentialSymbol>> {
        let named = self.status.credentials.iter().filter(|(_, name)| !name.is_empty());
        let symbols: Vec<_> = named.map(|(kind, name)| mapped_symbol(&self.spec.credentials, kind, name)).collect::<Option<_>>()?;
        (symbols.is_empty() || self.status.pinned_version.is_none()).then_some(symbols)
    }

    /// Returns the digest of what else decides about the definition, as it was at the last reconciliation that found everything in order.
    pub fn dependency_digest(&self) -> Option<&str> {
        self.status.dependency_digest.as_deref()
    }

    /// Reports whether a listing alone may confirm it after a restart: it is Ready, nothing is unfinished, and the object itself has the
    /// definition.
    pub fn may_be_confirmed(&self) -> bool {
        let ready = self.status.recorded.as_ref().is_some_and(|recorded| Some(recorded.generation) == self.metadata.generation);
        let own = self.spec.template_ref.is_none() && self.spec.definition_from.is_none();
        ready && own && self.spec.suspend != Some(true) && self.urgency() == Urgency::Routine
    }

    /// Reports whether a listing shows its workflow as the status says.
    pub fn confirmed_by(&self, shown: &Shown, cluster: &str) -> bool {
        let [cluster, uid, namespace, name] = [cluster, self.uid(), self.namespace(), self.name()].map(str::to_owned);
        let asked = Asked {
            active: self.spec.active,
            tags: self.spec.tags.as_deref(),
            project: self.spec.project.as_ref().map(|project| hash(&project.id)),
        };
        let recorded = self.status.recorded.as_deref().filter(|_| self.may_be_confirmed());
        recorded.is_some_and(|recorded| recorded.is_shown(asked, &Mark { cluster, uid, namespace, name }, shown))
    }

    /// Reports whether the spec asks to be published.
    pub fn asks_to_be_published(&self) -> bool {
        self.spec.active == Some(true)
    }

    /// Reports whether its definition was last read from this version of its ConfigMap.
    pub fn has_read(&self, source_version: Option<&str>) -> bool {
        source_version.is_some() && self.status.source_version.as_deref() == source_version
    }

    /// Returns a reference to the object.
    pub fn object_ref(&self) -> ObjectRef<IndexedWorkflow> {
        ObjectRef::from_obj(self)
    }

    /// Drops the parts that only other tools read.
    pub fn slim(&mut self) {
        indexed_metadata::slim(&mut self.metadata);
    }
}

#[cfg(test)]
mod tests;
