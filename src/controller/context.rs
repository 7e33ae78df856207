//! Shared state of all reconciliations.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::events::EventType;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource};
use prometheus::IntGaugeVec;
use tokio::sync::mpsc::UnboundedSender;
use tracing::debug;

use super::admissions::Admissions;
use super::connections::Connections;
use super::credential_rates::CredentialRates;
use super::memory::{Memory, States};
use super::metrics::Metrics;
use super::models::ModelQueue;
use super::providers::Providers;
use super::quotas::Quotas;
use super::reservations::Reservations;
use super::runtime::reconcile::Runtime;
use super::runtime::slots::InstanceSlots;
use super::secret_versions::SecretVersions;
use super::sweeps::Sweeps;
use crate::api::instance::N8nInstance;
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::domain::credential_ref::NamedCredential;
use crate::domain::error::ReconcileError;
use crate::domain::mark::Mark;
use crate::domain::route_claims::Claims;
use crate::domain::urgency::Urgency;
use crate::http::LeaderFence;
use crate::kubernetes::catalogs::Catalogs;
use crate::kubernetes::events::Events;
use crate::kubernetes::hash_key::HashKey;
use crate::kubernetes::indexed_credential::IndexedCredential;
use crate::kubernetes::indexed_prompt::IndexedPrompt;
use crate::kubernetes::indexed_quota::IndexedQuota;
use crate::kubernetes::indexed_template::IndexedTemplate;
use crate::kubernetes::objects;
use crate::kubernetes::secrets::Secrets;
use crate::kubernetes::stores::Stores;
use crate::kubernetes::workflow_index::IndexedWorkflow;

/// Settings of the operator that reconciliations need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Allows n8n on loopback addresses.
    pub allow_loopback: bool,
    /// Time that a deletion waits for n8n before it gives up.
    pub deletion_bound: Duration,
    /// Time limit of one reconciliation.
    pub reconcile_timeout: Duration,
    /// Maximum number of concurrent reconciliations for each instance.
    pub concurrency: usize,
    /// Time between full reconciliations of a Workflow that listings of its instance confirm meanwhile.
    pub full_interval: Duration,
    /// Label selector of the Workflows and N8nInstances that this operator manages; None selects all.
    pub selector: Option<String>,
    /// Permits writes while this process leads.
    pub fence: LeaderFence,
    /// Namespace of the Secret with the key of the hashes.
    pub own_namespace: String,
}

/// Shared state of all reconciliations.
pub struct Context {
    /// The Kubernetes API.
    pub client: Client,
    /// The UID of `kube-system`.
    pub cluster: String,
    /// Settings of the operator.
    pub settings: Settings,
    /// Every Workflow, without its definition.
    pub workflows: Store<IndexedWorkflow>,
    /// Every N8nInstance.
    pub instances: Store<N8nInstance>,
    /// All objects in memory.
    pub stores: Arc<Stores>,
    /// Open connections.
    pub connections: Connections,
    /// Clients of language models.
    pub providers: Providers,
    /// Cache of Secrets.
    pub secrets: Arc<Secrets>,
    /// Catalogues of node types.
    pub catalogs: Catalogs,
    /// Slots for reconciliations.
    pub slots: InstanceSlots,
    /// Workflows that listings of their instances confirm.
    pub sweeps: Sweeps,
    /// Claims of Workflows on webhook paths.
    pub claims: Mutex<Claims>,
    /// Workflows in n8n that this process gave to objects.
    pub reservations: Reservations,
    /// Credentials in n8n that this process gave to objects.
    pub credential_reservations: Reservations,
    /// Versions of the Secrets that credentials were made from.
    pub secret_versions: SecretVersions,
    /// Key of the hashes of confidential values.
    pub hash_key: HashKey,
    /// Places of Workflows under quotas.
    pub admissions: Admissions,
    /// Calls of language models.
    pub models: ModelQueue,
    /// Requests with credentials that have a rate limit.
    pub credential_rates: CredentialRates,
    /// Quotas, and their usage in a day.
    pub quotas: Quotas,
    /// States by which Workflows are counted.
    pub workflow_states: States,
    /// States by which N8nCredentials are counted.
    pub credential_states: States,
    /// State of each object that is kept between reconciliations; nothing in it is needed after a restart.
    pub memory: Mutex<HashMap<String, Memory>>,
    /// Writes events.
    pub events: Events,
    /// Counters of the controllers.
    pub metrics: Metrics,
    /// Starts a reconciliation of a Workflow.
    pub wake: UnboundedSender<ObjectRef<IndexedWorkflow>>,
    /// UIDs of Workflows whose ConfigMap changed, until their next reconciliation starts.
    pub sources_changed: Mutex<HashSet<String>>,
    /// Starts a reconciliation of an N8nInstance.
    pub wake_instance: UnboundedSender<ObjectRef<N8nInstance>>,
    /// Starts a reconciliation of an N8nCredential.
    pub wake_credential: UnboundedSender<ObjectRef<IndexedCredential>>,
    /// Starts a reconciliation of a WorkflowQuota.
    pub wake_quota: UnboundedSender<ObjectRef<IndexedQuota>>,
    /// Starts a reconciliation of a WorkflowTemplate.
    pub wake_template: UnboundedSender<ObjectRef<IndexedTemplate>>,
    /// Starts a reconciliation of a WorkflowPrompt.
    pub wake_prompt: UnboundedSender<ObjectRef<IndexedPrompt>>,
    /// Runs reconciliations.
    pub runtime: Runtime,
}

impl Context {
    /// Waits until the stores are complete.
    pub async fn listed(&self) {
        self.stores.synced().await;
    }

    /// Returns an instance from the store.
    pub fn instance(&self, namespace: &str, name: &str) -> Option<Arc<N8nInstance>> {
        self.instances.get(&ObjectRef::new(name).within(namespace))
    }

    /// Reports whether the object that a mark names still exists. Objects of another shard are not in the store, so Kubernetes is asked
    /// about those that are missing there.
    pub async fn mark_exists(&self, mark: &Mark) -> Result<bool, ReconcileError> {
        let place = ObjectRef::<IndexedWorkflow>::new(&mark.name).within(&mark.namespace);
        if self.workflows.get(&place).is_some_and(|indexed| indexed.uid() == mark.uid) {
            return Ok(true);
        }
        // In a namespace that this operator does not watch it may exist, and another operator knows.
        if !self.stores.scope.covers(&mark.namespace) {
            return Ok(true);
        }
        let found = objects::metadata::<Workflow>(&self.client, &mark.namespace, &mark.name).await;
        let found = found.map_err(|error| objects::reconcile_error("read the object of a mark", &error))?;
        Ok(found.is_some_and(|found| found.uid.as_deref() == Some(mark.uid.as_str())))
    }

    /// Returns the Workflows of an instance.
    pub fn workflows_of(&self, namespace: &str, name: &str) -> Vec<Arc<IndexedWorkflow>> {
        self.workflows.state_filter(|indexed| indexed.instance() == (namespace, name))
    }

    /// Returns an N8nCredential as a Workflow of its namespace sees it.
    pub fn named_credential(&self, namespace: &str, name: &str) -> Option<NamedCredential> {
        Some(self.credential(namespace, name)?.named())
    }

    /// Returns an N8nCredential from the store.
    pub fn credential(&self, namespace: &str, name: &str) -> Option<Arc<IndexedCredential>> {
        self.stores.credentials.store().get(&ObjectRef::new(name).within(namespace))
    }

    /// Starts a reconciliation of every Workflow that `wanted` selects.
    pub fn wake_where(&self, wanted: impl Fn(&IndexedWorkflow) -> bool) {
        for indexed in self.workflows.state_filter(|indexed| wanted(indexed)) {
            self.ask(&indexed);
        }
    }

    /// Starts a reconciliation of a Workflow, whatever listings of its instance show.
    pub fn ask(&self, indexed: &IndexedWorkflow) {
        let (namespace, name) = indexed.instance();
        self.sweeps.ask(&objects::key(namespace, name), indexed.uid());
        // The receiver only goes away with the operator.
        let _ = self.wake.send(indexed.object_ref());
    }

    /// Starts a reconciliation of each Workflow with one of these UIDs.
    pub fn wake(&self, uids: &[String]) {
        // A search through all Workflows costs too much for every reconciliation.
        if !uids.is_empty() {
            self.wake_where(|indexed| uids.iter().any(|uid| uid == indexed.uid()));
        }
    }

    /// Returns the urgency of the next reconciliation of a Workflow, from the latest version in the store.
    pub fn urgency(&self, indexed: &IndexedWorkflow) -> Urgency {
        let source_changed = self.sources_changed.lock().unwrap_or_else(PoisonError::into_inner).remove(indexed.uid());
        let latest = self.workflows.get(&indexed.object_ref()).map_or_else(|| indexed.urgency(), |latest| latest.urgency());
        if source_changed && latest > Urgency::Edit && latest != Urgency::Create { Urgency::Edit } else { latest }
    }

    /// Moves a waiting Workflow ahead in the queue when a user requested something.
    pub fn promote(&self, indexed: &IndexedWorkflow, urgency: Urgency) {
        if urgency < Urgency::Create {
            let (namespace, name) = indexed.instance();
            if self.slots.promote(&objects::key(namespace, name), indexed.uid(), urgency) {
                debug!(namespace = indexed.namespace(), name = indexed.name(), "changed by a user; moved ahead in the queue");
            }
        }
    }

    /// Starts a reconciliation of a Workflow whose ConfigMap changed, ahead of routine ones.
    pub fn source_changed(&self, indexed: &IndexedWorkflow) {
        if indexed.status.n8n_workflow_id.is_some() {
            self.sources_changed.lock().unwrap_or_else(PoisonError::into_inner).insert(indexed.uid().to_owned());
            self.promote(indexed, Urgency::Edit);
        }
        self.ask(indexed);
    }

    /// Changes the remembered state of an object by `with` and returns its result.
    pub fn remember<R>(&self, uid: &str, with: impl FnOnce(&mut Memory) -> R) -> R {
        with(self.memory.lock().unwrap_or_else(PoisonError::into_inner).entry(uid.to_owned()).or_default())
    }

    /// Returns the claims on webhook paths.
    pub fn claims(&self) -> std::sync::MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes API keys from texts for people.
    pub fn hide_keys<'t>(&self, texts: impl IntoIterator<Item = &'t mut String>) {
        for text in texts {
            self.connections.hide_keys(text);
            self.providers.hide_keys(text);
        }
    }

    /// Sends an event. The loss of an event has no other effect, so a failure is only logged.
    pub async fn send_event<K: Resource<DynamicType = ()>>(&self, object: &K, kind: EventType, reason: Reason, mut note: String) {
        self.hide_keys([&mut note]);
        if let Err(error) = self.events.send(&object.object_ref(&()), kind, reason, note).await {
            debug!(%error, "cannot send the event");
        }
    }

    /// Returns the warning about unknown annotations if it was not sent before.
    pub fn new_unknown_annotations(&self, uid: &str, message: Option<String>) -> Option<String> {
        self.remember(uid, |memory| {
            let new = message.clone().filter(|message| memory.unknown_annotations.as_ref() != Some(message));
            memory.unknown_annotations = message;
            new
        })
    }

    /// Counts an object by its state.
    pub fn count_state(&self, uid: &str, state: Option<&'static str>) {
        let before = self.workflow_states.replace(uid, state);
        recount(&self.metrics.workflows, before, state);
    }

    /// Counts a credential by its state.
    pub fn count_credential(&self, uid: &str, state: Option<&'static str>) {
        let before = self.credential_states.replace(uid, state);
        recount(&self.metrics.credentials, before, state);
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.count_state(uid, None);
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.sources_changed.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.runtime.backoffs.forget(uid);
        self.reservations.release(uid);
        self.admissions.forget(uid);
        self.sweeps.forget(uid);
        self.credential_rates.forget(&self.metrics, uid);
        self.forget_claims(uid);
    }

    /// Forgets what reconciliations of an object without anything else in memory remember, when it is gone.
    pub fn forget_reconciled(&self, uid: &str) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.runtime.backoffs.forget(uid);
    }

    /// Releases the resources of an instance that is gone, once no Workflow is bound to a workflow in it: until then a deletion needs the
    /// last working key.
    pub fn release_instance(&self, key: &str) {
        let Some((namespace, name)) = key.split_once('/') else { return };
        let bound = || self.workflows_of(namespace, name).iter().any(|indexed| indexed.status.n8n_workflow_id.is_some());
        if self.instance(namespace, name).is_some() || bound() || !self.bound_credentials(namespace, name).is_empty() {
            return;
        }
        self.catalogs.forget(key);
        self.sweeps.forget_instance(key);
        let Some(closed) = self.connections.close(key) else { return };
        self.connections.forget_key(&closed.instance);
        self.forget_reconciled(closed.instance.metadata.uid.as_deref().unwrap_or_default());
        debug!(key, "instance and its bound Workflows are gone; connection closed");
    }

    /// Releases the resources of every instance that is gone.
    pub fn release_instances(&self) {
        for key in self.connections.keys() {
            self.release_instance(&key);
        }
    }

    /// Starts a reconciliation of each Workflow of an instance.
    pub fn wake_workflows(&self, namespace: &str, name: &str) {
        self.wake_where(|indexed| indexed.instance() == (namespace, name));
    }

    /// Starts a reconciliation of each Workflow of an instance whose last reconciliation failed: n8n answers again, and their backoff may
    /// be long.
    pub fn wake_failing_workflows(&self, namespace: &str, name: &str) {
        let failing = self.runtime.backoffs.failing();
        self.wake_where(|indexed| indexed.instance() == (namespace, name) && failing.contains(indexed.uid()));
    }

    /// Forgets every Workflow that is not in the store.
    pub fn forget_absent(&self) {
        let mut known: HashSet<String> = self.claims().objects().map(str::to_owned).collect();
        known.extend(self.reservations.objects());
        known.extend(self.admissions.objects());
        known.extend(self.workflow_states.objects());
        for indexed in self.workflows.state() {
            known.remove(indexed.uid());
        }
        for uid in known {
            self.forget(&uid);
        }
    }

    /// Releases the claims of an object on webhook paths, and wakes the Workflows that waited for one of them.
    pub fn forget_claims(&self, uid: &str) {
        let waiting = self.claims().release(uid);
        self.wake(&waiting);
    }
}

/// Moves an object from the gauge of one state to that of another.
fn recount(gauges: &IntGaugeVec, before: Option<&'static str>, now: Option<&'static str>) {
    if before != now {
        before.inspect(|label| gauges.with_label_values(&[label]).dec());
        now.inspect(|label| gauges.with_label_values(&[label]).inc());
    }
}
