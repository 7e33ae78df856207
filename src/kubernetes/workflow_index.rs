//! Index of all Workflows in memory: metadata and references, never the definition.
//!
//! The types are lenient on purpose: one object that does not fit must not stop the watch of all others.

use std::time::Duration;

use kube::Resource;
use kube::api::ObjectMeta;
use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;
use serde::de::Deserializer;

use super::indexed_metadata;
use super::indexed_status::{IndexedStatus, lenient, or_empty};
use crate::api::annotation;
use crate::api::duration::DurationText;
use crate::api::template_ref::TemplateRef;
use crate::api::workflow::Workflow;
use crate::domain::mark::Mark;
use crate::domain::quota::places::{Candidate, Places};
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
    #[serde(deserialize_with = "or_empty")]
    credentials: Vec<IndexedCredentialUse>,
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

/// A credential that a Workflow takes from an N8nCredential.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
struct IndexedCredentialUse {
    #[serde(deserialize_with = "lenient")]
    credential_ref: Option<IndexedRef>,
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

    /// Reports whether its executions are evaluated.
    pub fn watches_executions(&self) -> bool {
        self.spec.health_check.as_ref().is_some_and(|check| check.bake_time.is_some())
    }

    /// Returns the types of the credentials that its definition uses or requires.
    pub fn credential_types(&self) -> &[Box<str>] {
        &self.status.credential_types
    }

    /// Reports whether a listing alone may confirm it after a restart: it is Ready, nothing is unfinished, and nothing but the object itself
    /// and n8n decides about its definition.
    pub fn may_be_confirmed(&self) -> bool {
        let ready = self.status.recorded.as_ref().is_some_and(|recorded| Some(recorded.generation) == self.metadata.generation);
        let own = self.spec.template_ref.is_none() && self.spec.definition_from.is_none();
        ready
            && own
            && self.credential_types().is_empty()
            && !self.watches_executions()
            && self.spec.suspend != Some(true)
            && self.urgency() == Urgency::Routine
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

    /// Returns a hash of the parts that a reconciliation reacts to.
    pub fn change_hash(&self) -> Option<u64> {
        Some(indexed_metadata::change_hash(&self.metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::annotation;
    use serde_json::json;

    fn indexed(status: serde_json::Value) -> IndexedWorkflow {
        let mut indexed: IndexedWorkflow = serde_json::from_value(json!({
            "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
            "metadata": { "name": "a", "namespace": "n", "uid": "u", "generation": 2,
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}", annotation::RESET_AT: "1" } },
            "spec": { "instanceRef": { "name": "main" }, "definition": { "nodes": [] } },
            "status": status,
        }))
        .unwrap();
        indexed.slim();
        indexed
    }

    #[test]
    fn credentials_that_come_from_objects_are_known() {
        let with = |credentials: serde_json::Value| -> IndexedWorkflow {
            serde_json::from_value(json!({ "metadata": {}, "spec": { "credentials": credentials } })).unwrap()
        };
        let one = with(json!([{ "name": "a", "existing": { "id": "1" } }, { "name": "b", "credentialRef": { "name": "slack" } }]));
        assert!(one.uses_credential("slack") && !one.uses_credential("a"));
        assert!(indexed(json!({ "credentialRefs": ["old"] })).uses_credential("old"), "the version in n8n still has it");
        assert!(!with(json!([{ "credentialRef": 7 }])).uses_credential("") && !with(json!({})).uses_credential("slack"));
    }

    #[test]
    fn edits_start_a_reconciliation_and_writes_of_status_or_finalizer_do_not() {
        let before = indexed(json!({ "observedGeneration": 1 }));
        let mut after = indexed(json!({ "observedGeneration": 2, "n8nWorkflowId": "w" }));
        after.metadata.finalizers = Some(vec![crate::api::WORKFLOW_FINALIZER.to_owned()]);
        assert_eq!(before.change_hash(), after.change_hash());
        assert_eq!(before.metadata.annotations.as_ref().unwrap().len(), 1);
        assert_eq!(after.instance(), ("n", "main"));
        after.metadata.generation = Some(3);
        assert_ne!(before.change_hash(), after.change_hash());
    }

    #[test]
    fn urgency_follows_from_requests_that_are_not_handled_yet() {
        let with = |generation: i64, annotations: serde_json::Value, status: serde_json::Value| {
            let mut one = indexed(status);
            one.metadata.generation = Some(generation);
            one.metadata.annotations = serde_json::from_value(annotations).unwrap();
            one
        };
        let answered = json!({ "observedGeneration": 2, "n8nWorkflowId": "w", "lastHandledRequestedAt": "1", "lastHandledResetAt": "1",
            "pinnedVersion": 3 });
        let pin = json!({ annotation::PINNED_VERSION: "3" });
        for (generation, annotations, status, urgency) in [
            (2, pin.clone(), answered.clone(), Urgency::Routine),
            (3, pin.clone(), answered.clone(), Urgency::Edit),
            (2, json!({}), answered.clone(), Urgency::Edit),
            (2, json!({ annotation::PINNED_VERSION: "2" }), answered.clone(), Urgency::Edit),
            (
                2,
                json!({ annotation::PINNED_VERSION: "3", annotation::RESET_AT: "1", annotation::REQUESTED_AT: "1" }),
                answered.clone(),
                Urgency::Routine,
            ),
            (2, json!({ annotation::PINNED_VERSION: "3", annotation::RESET_AT: "2" }), answered.clone(), Urgency::Edit),
            (2, json!({ annotation::PINNED_VERSION: "3", annotation::REQUESTED_AT: "2" }), answered, Urgency::Edit),
            (1, json!({}), json!({ "observedGeneration": -1 }), Urgency::Create),
        ] {
            assert_eq!(with(generation, annotations.clone(), status).urgency(), urgency, "{generation} {annotations}");
        }
        let mut going = with(3, pin, json!({ "n8nWorkflowId": "w" }));
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(going.urgency(), Urgency::Deletion);
    }

    #[test]
    fn only_what_was_there_and_is_not_given_up_is_expected_in_n8n() {
        let there = indexed(json!({ "n8nWorkflowId": "w", "activeVersion": 1 }));
        assert_eq!(there.should_exist(), Some("w"));
        assert_eq!(indexed(json!({ "n8nWorkflowId": "w" })).should_exist(), None);
        let mut going = there;
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(going.should_exist(), None);
    }

    #[test]
    fn places_under_a_quota_are_those_that_the_whole_object_shows() {
        for (spec, status) in [
            (json!({ "active": true }), json!({})),
            (json!({ "active": true }), json!({ "activationRequestedAt": "2026-11-29T10:00:00.123456Z", "n8nWorkflowId": "w" })),
            (json!({ "active": true, "suspend": true }), json!({ "published": true, "n8nWorkflowId": "w" })),
            (json!({}), json!({ "intent": { "operation": "Create", "digest": "d", "startedAt": "2026-11-29T10:00:00Z" } })),
            (
                json!({ "active": false }),
                json!({ "n8nWorkflowId": "w", "intent": { "operation": "Deploy", "digest": "d", "publishes": true, "startedAt": "2026-11-29T10:00:00Z" } }),
            ),
            (
                json!({}),
                json!({ "intent": { "operation": "Revert", "digest": "d", "lastGoodN8nVersionId": "v", "startedAt": "2026-11-29T10:00:00Z" } }),
            ),
        ] {
            let mut object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "spec": spec, "status": status,
                "metadata": { "name": "a", "namespace": "n", "uid": "u", "creationTimestamp": "2026-11-29T09:00:00Z" } });
            object["spec"]["instanceRef"] = json!({ "name": "main" });
            let whole: Workflow = serde_json::from_value(object.clone()).unwrap();
            let indexed: IndexedWorkflow = serde_json::from_value(object).unwrap();
            assert_eq!(indexed.candidate(None), Candidate::of(&whole, None), "{spec} {status}");
            let none = Some(Places::default());
            assert_eq!(indexed.candidate(none), Candidate::of(&whole, none));
        }
    }

    #[test]
    fn an_object_that_does_not_fit_is_indexed_all_the_same() {
        let odd: IndexedWorkflow = serde_json::from_value(json!({ "metadata": { "name": "a" }, "spec": { "active": "yes" } })).unwrap();
        assert_eq!(odd.name(), "a");
    }
}
