//! Places of Workflows under quotas, as this process decided them.
//!
//! The index lags behind the operator's own writes, so a place that was just given, or given back, does not show there yet. All decisions
//! are made under one lock, on the index and on what this process knows better.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::ListParams;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client};
use tokio::sync::Notify;

use crate::api::quota::QuotaResource;
use crate::domain::error::ReconcileError;
use crate::domain::quota::places::{Candidate, Places, Standings};
use crate::domain::quota::{Exceeded, Limits};
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::keyed_mutex::KeyedMutex;
use crate::kubernetes::objects;
use crate::kubernetes::workflow_index::IndexedWorkflow;

/// Page size of lists: an object may have one and a half megabytes.
const PAGE: u32 = 50;

/// Places of Workflows, and the Workflows that wait for one.
pub struct Admissions {
    client: Client,
    selector: Option<String>,
    index: Store<IndexedWorkflow>,
    /// Namespaces that are being read.
    reading: KeyedMutex,
    state: Mutex<State>,
    /// Notified when places of a namespace may have become free.
    freed: Notify,
    /// Notified when the usage in a namespace may have changed.
    counted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Places of each object, by UID, as its last reconciliation in this process left them.
    assigned: HashMap<String, Places>,
    /// Refused objects of each namespace, by UID, with the exceeded resource.
    waiting: HashMap<String, HashMap<String, QuotaResource>>,
    /// Objects of each namespace that were read and are not in the index yet; present for a namespace that was read.
    unseen: HashMap<String, Vec<Arc<IndexedWorkflow>>>,
    /// Namespaces whose waiting objects have to be looked at.
    freed: HashSet<String>,
    /// Namespaces whose usage has to be counted.
    counted: HashSet<String>,
}

impl Admissions {
    /// Creates the places over an index of all Workflows that `selector` selects.
    pub fn new(client: Client, selector: Option<String>, index: Store<IndexedWorkflow>) -> Self {
        Self {
            client,
            selector,
            index,
            reading: KeyedMutex::default(),
            state: Mutex::default(),
            freed: Notify::new(),
            counted: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the Workflows of a namespace, once before the first decision about it: the index of a replica that has just become the leader
    /// may lag behind what the one before it did. While an object that was read is missing in the index, they are read again.
    pub async fn catch_up(&self, namespace: &str) -> Result<(), ReconcileError> {
        let read = |state: &State| state.unseen.get(namespace).is_some_and(Vec::is_empty);
        if read(&self.lock()) {
            return Ok(());
        }
        let _reading = self.reading.lock(namespace).await;
        if read(&self.lock()) {
            return Ok(());
        }
        let listed = self.list(namespace).await?;
        let mut state = self.lock();
        for indexed in &listed {
            // Later actions of this process are newer.
            state.assigned.entry(indexed.uid().to_owned()).or_insert_with(|| indexed.candidate(None).holds);
        }
        let unseen =
            listed.into_iter().filter(|listed| self.index.get(&listed.object_ref()).is_none_or(|known| known.uid() != listed.uid()));
        state.unseen.insert(namespace.to_owned(), unseen.map(Arc::new).collect());
        Ok(())
    }

    async fn list(&self, namespace: &str) -> Result<Vec<IndexedWorkflow>, ReconcileError> {
        let workflows = Api::<Decoded<IndexedWorkflow>>::namespaced(self.client.clone(), namespace);
        let mut params = self.selector.iter().fold(ListParams::default().limit(PAGE), |params, selector| params.labels(selector));
        let mut all = Vec::new();
        loop {
            let page =
                workflows.list(&params).await.map_err(|error| objects::reconcile_error("read the Workflows of the namespace", &error))?;
            all.extend(page.items.into_iter().filter_map(|object| object.0.ok()));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Gives an object the places that it asks for, or lets it wait.
    pub fn admit(&self, namespace: &str, one: &Candidate<'_>, limits: &Limits) -> Result<(), Exceeded> {
        let mut state = self.lock();
        state.assigned.insert(one.uid.to_owned(), one.holds);
        state.stop_waiting(namespace, one.uid);
        if !limits.is_empty() && !one.holds.contain(one.claims) {
            let mut indexed = self.indexed(&state, namespace);
            indexed.retain(|indexed| indexed.uid() != one.uid);
            let mut candidates = state.candidates(&indexed);
            candidates.push(*one);
            let refusal = Standings::new(limits, &candidates).refusal(one);
            if let Some(exceeded) = refusal {
                state.waiting.entry(namespace.to_owned()).or_default().insert(one.uid.to_owned(), exceeded.resource);
                return Err(exceeded);
            }
        }
        let places = Places { workflow: one.holds.workflow || one.claims.workflow, active: one.holds.active || one.claims.active };
        state.assigned.insert(one.uid.to_owned(), places);
        Ok(())
    }

    /// Records the places that an object has at the end of a reconciliation: one that was given and not used is free again.
    pub fn note(&self, namespace: &str, uid: &str, places: Places) {
        let before = self.lock().assigned.insert(uid.to_owned(), places);
        if before.is_none_or(|before| !places.contain(before)) {
            self.changed(namespace);
        }
    }

    /// Lets an object wait for an amount in a day.
    pub fn wait(&self, namespace: &str, uid: &str, resource: QuotaResource) {
        self.lock().waiting.entry(namespace.to_owned()).or_default().insert(uid.to_owned(), resource);
    }

    /// Removes an object that waits no longer: it is suspended or being deleted.
    pub fn leave(&self, namespace: &str, uid: &str) {
        self.lock().stop_waiting(namespace, uid);
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        let mut state = self.lock();
        state.assigned.remove(uid);
        state.waiting.retain(|_, waiting| {
            waiting.remove(uid);
            !waiting.is_empty()
        });
    }

    /// Returns the UIDs of the objects that are known.
    pub fn objects(&self) -> Vec<String> {
        self.lock().assigned.keys().cloned().collect()
    }

    /// Notes a change of the Workflows or quotas of a namespace.
    pub fn changed(&self, namespace: &str) {
        let mut state = self.lock();
        if state.waiting.contains_key(namespace) {
            state.freed.insert(namespace.to_owned());
            self.freed.notify_one();
        }
        state.counted.insert(namespace.to_owned());
        self.counted.notify_one();
    }

    /// Notes that anything may have changed: a watch began again.
    pub fn all_changed(&self) {
        let mut state = self.lock();
        let waiting: Vec<String> = state.waiting.keys().cloned().collect();
        state.freed.extend(waiting);
        self.freed.notify_one();
        let namespaces = self.index.state().iter().map(|indexed| indexed.namespace().to_owned()).collect::<Vec<_>>();
        state.counted.extend(namespaces);
        self.counted.notify_one();
    }

    /// Waits until places of namespaces may be free, and returns the namespaces.
    pub async fn freed(&self) -> HashSet<String> {
        self.freed.notified().await;
        std::mem::take(&mut self.lock().freed)
    }

    /// Waits until the usage in a namespace may have changed.
    pub async fn usage_changed(&self) {
        self.counted.notified().await;
    }

    /// Takes the namespaces whose usage may have changed.
    pub fn take_counted(&self) -> HashSet<String> {
        std::mem::take(&mut self.lock().counted)
    }

    /// Returns the objects of a namespace that wait and would get their places now. `daily` tells whether an amount in a day is left.
    pub fn admissible(&self, namespace: &str, limits: &Limits, daily: impl Fn(QuotaResource) -> bool) -> Vec<ObjectRef<IndexedWorkflow>> {
        let state = self.lock();
        let Some(waiting) = state.waiting.get(namespace) else { return Vec::new() };
        let indexed = self.indexed(&state, namespace);
        let candidates = state.candidates(&indexed);
        let standings = Standings::new(limits, &candidates);
        let admissible = indexed.iter().zip(&candidates).filter(|(indexed, one)| {
            waiting
                .get(indexed.uid())
                .filter(|_| one.claims.workflow)
                .is_some_and(|resource| if resource.per_day() { daily(*resource) } else { standings.refusal(one).is_none() })
        });
        admissible.map(|(indexed, _)| indexed.object_ref()).collect()
    }

    fn indexed(&self, state: &State, namespace: &str) -> Vec<Arc<IndexedWorkflow>> {
        let mut indexed = self.index.state_filter(|indexed| indexed.namespace() == namespace);
        let unseen = state.unseen.get(namespace).into_iter().flatten();
        let unseen: Vec<_> = unseen.filter(|unseen| indexed.iter().all(|known| known.uid() != unseen.uid())).cloned().collect();
        indexed.extend(unseen);
        indexed
    }

    /// Calls `with` with the Workflows of a namespace.
    pub fn with_candidates<R>(&self, namespace: &str, with: impl FnOnce(&[Candidate<'_>]) -> R) -> R {
        let state = self.lock();
        let indexed = self.indexed(&state, namespace);
        with(&state.candidates(&indexed))
    }
}

impl State {
    fn candidates<'a>(&self, indexed: &'a [Arc<IndexedWorkflow>]) -> Vec<Candidate<'a>> {
        indexed.iter().map(|indexed| indexed.candidate(self.assigned.get(indexed.uid()).copied())).collect()
    }

    fn stop_waiting(&mut self, namespace: &str, uid: &str) {
        if let Some(waiting) = self.waiting.get_mut(namespace) {
            waiting.remove(uid);
            if waiting.is_empty() {
                self.waiting.remove(namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests;
