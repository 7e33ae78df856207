//! The quotas of a namespace: their limits, and amounts in a day that are reserved before a use and settled after it.
//!
//! Limits are read from Kubernetes before they are decided on: the watch may lag behind a quota that was created just before the objects
//! that it limits. An amount is reserved in the status of every quota that limits it, bound to the resource version, so that two writers
//! cannot both use the last of it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt};
use prometheus::IntCounterVec;
use tracing::warn;

use super::runtime::status;
use crate::api::quota::{QuotaResource, WorkflowQuota, WorkflowQuotaStatus};
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;
use crate::domain::quota::daily::{self, Use};
use crate::domain::quota::{Exceeded, Limits, report, unreadable};
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::indexed_quota::IndexedQuota;
use crate::kubernetes::keyed_mutex::KeyedMutex;
use crate::kubernetes::objects;

/// Attempts to write a status that others write, too.
const ATTEMPTS: usize = 10;

/// Reads quotas and changes their usage in a day.
pub struct Quotas {
    client: Client,
    /// Every quota, as last seen by the watch.
    pub store: Store<IndexedQuota>,
    selector: Option<String>,
    writes: IntCounterVec,
    /// By namespace: concurrent reservations of this process would only make each other fail.
    changing: KeyedMutex,
    /// Keys that this process reserved and did not settle, with the namespace.
    open: Mutex<HashSet<(String, String)>>,
}

impl Quotas {
    /// Creates the service. `selector` selects the quotas that this operator manages.
    pub fn new(client: Client, store: Store<IndexedQuota>, selector: Option<String>, writes: IntCounterVec) -> Self {
        Self { client, store, selector, writes, changing: KeyedMutex::default(), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the quotas of a namespace as the watch last saw them.
    pub fn known(&self, namespace: &str) -> Vec<Arc<IndexedQuota>> {
        self.store.state_filter(|quota| quota.namespace() == namespace)
    }

    /// Returns the limits on the number of objects as the watch last saw them.
    pub fn known_limits(&self, namespace: &str) -> Limits {
        let known = self.known(namespace);
        Limits::of(known.iter().filter_map(|quota| quota.limits()))
    }

    /// Reports whether one more of a resource may be used today, as the watch last saw the quotas.
    pub fn may_use(&self, namespace: &str, resource: QuotaResource) -> bool {
        let now = Timestamp::now();
        self.known(namespace).iter().all(|quota| quota.limits().is_some() && quota.used_up(resource, now).is_none())
    }

    /// Reads the limits on the number of objects.
    pub async fn limits(&self, namespace: &str) -> Result<Limits, ReconcileError> {
        Ok(limits(&self.list(namespace).await?))
    }

    /// Reads the quotas of a namespace. One that cannot be decoded may limit anything, so nothing is decided without it.
    async fn list(&self, namespace: &str) -> Result<Vec<WorkflowQuota>, ReconcileError> {
        let quotas = Api::<Decoded<WorkflowQuota>>::namespaced(self.client.clone(), namespace);
        let params = self.selector.iter().fold(ListParams::default(), |params, selector| params.labels(selector));
        let listed = quotas.list(&params).await.map_err(|error| match &error {
            kube::Error::Api(status) if status.code == 404 => ReconcileError::transient(
                Reason::RequestFailed,
                "read the WorkflowQuotas of the namespace: the API server does not know the kind; apply the CRDs of this version",
            ),
            error => objects::reconcile_error("read the WorkflowQuotas of the namespace", error),
        })?;
        let decoded = listed.items.into_iter().map(|quota| {
            quota.0.map_err(|undecodable| {
                let name = undecodable.metadata.name.unwrap_or_default();
                ReconcileError::denied(Reason::UnreadableObject, unreadable(&name, &undecodable.why))
            })
        });
        decoded.collect()
    }

    /// Reserves an amount in every quota of the namespace that limits it. A use that is reserved already is not counted again. If one
    /// quota refuses, none keeps the reservation.
    pub async fn reserve(&self, namespace: &str, of: Use<'_>) -> Result<(), ReconcileError> {
        let _alone = self.changing.lock(namespace).await;
        let quotas = self.list(namespace).await?;
        let limiting: Vec<WorkflowQuota> = quotas.into_iter().filter(|quota| quota.spec.hard.get(of.resource).is_some()).collect();
        let mut fresh = Vec::new();
        for quota in limiting {
            if !is_reserved(&quota, of) {
                fresh.push(quota.name_any());
            }
            let reserving = |name: &str, quota: &WorkflowQuota, status: &mut WorkflowQuotaStatus| {
                daily::reserve(status, (name, &quota.spec.hard), of, Timestamp::now())
            };
            let error = match self.change(quota, reserving).await {
                Ok(Ok(())) => {
                    self.open().insert((namespace.to_owned(), of.key.to_owned()));
                    continue;
                }
                Ok(Err(exceeded)) => denied(exceeded),
                Err(error) => error,
            };
            // Those that this attempt did not reserve belong to an earlier one, which n8n may have taken.
            match self.list(namespace).await {
                Ok(quotas) => {
                    let fresh = quotas.into_iter().filter(|quota| fresh.contains(&quota.name_any()) && is_reserved(quota, of));
                    self.settle_in(namespace, Use { amount: 0, ..of }, fresh.collect()).await;
                }
                Err(why) => warn!(error = %why, namespace, key = of.key, "cannot give back the reservation"),
            }
            return Err(error);
        }
        Ok(())
    }

    /// Replaces the reserved amount of a use by the actual one, zero if nothing was used. If Kubernetes cannot be reached the reservation
    /// stays, and counts until the end of the day.
    pub async fn settle(&self, namespace: &str, of: Use<'_>) {
        let known = || self.known(namespace).iter().any(|quota| daily::is_reserved(&quota.status(), of.resource, of.key));
        if !self.open().contains(&(namespace.to_owned(), of.key.to_owned())) && !known() {
            return;
        }
        let _alone = self.changing.lock(namespace).await;
        match self.list(namespace).await {
            Ok(quotas) => self.settle_in(namespace, of, quotas.into_iter().filter(|quota| is_reserved(quota, of)).collect()).await,
            Err(error) => warn!(%error, namespace, key = of.key, "cannot settle the use of a quota"),
        }
    }

    async fn settle_in(&self, namespace: &str, of: Use<'_>, quotas: Vec<WorkflowQuota>) {
        let mut settled = true;
        for quota in quotas {
            let name = quota.name_any();
            let done = self.change(quota, |_, _, status| {
                daily::settle(status, of);
                Ok::<(), Exceeded>(())
            });
            if let Err(error) = done.await {
                warn!(%error, namespace, quota = name, key = of.key, "cannot settle the use of a quota");
                settled = false;
            }
        }
        if settled {
            self.open().remove(&(namespace.to_owned(), of.key.to_owned()));
        }
    }

    /// Changes the status of a quota, and writes it unless another writer was first: then it is read and changed again. A quota that is
    /// gone limits nothing.
    pub async fn change<E>(
        &self,
        mut quota: WorkflowQuota,
        with: impl Fn(&str, &WorkflowQuota, &mut WorkflowQuotaStatus) -> Result<(), E>,
    ) -> Result<Result<(), E>, ReconcileError> {
        let (namespace, name) = (quota.namespace().unwrap_or_default(), quota.name_any());
        let attempt = format!("write the status of WorkflowQuota {name}");
        for _ in 0..ATTEMPTS {
            let before = quota.status.clone().unwrap_or_default();
            let mut after = before.clone();
            if let Err(refused) = with(&name, &quota, &mut after) {
                return Ok(Err(refused));
            }
            report::refresh(&mut after, &quota.spec.hard);
            let version = quota.resource_version();
            match status::write(&self.client, &self.writes, &quota, version.as_deref(), (&before, &after)).await {
                Ok(_) => return Ok(Ok(())),
                Err(error) if objects::is_gone(&error) => return Ok(Ok(())),
                Err(error) if objects::is_conflict(&error) => {}
                Err(error) => return Err(objects::reconcile_error(&attempt, &error)),
            }
            match objects::get::<WorkflowQuota>(&self.client, Some(&namespace), &name).await {
                Ok(Some(now)) => quota = now,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Err(objects::reconcile_error(&attempt, &error)),
            }
        }
        let again = ReconcileError::transient(Reason::Progressing, format!("{attempt}: others keep changing it; retrying"));
        Err(again.again_in(Duration::from_millis(500)))
    }
}

fn is_reserved(quota: &WorkflowQuota, of: Use<'_>) -> bool {
    quota.status.as_ref().is_some_and(|status| daily::is_reserved(status, of.resource, of.key))
}

/// Returns the limits that quotas set together.
fn limits<'a>(quotas: impl IntoIterator<Item = &'a WorkflowQuota>) -> Limits {
    Limits::of(quotas.into_iter().map(|quota| (quota.metadata.name.as_deref().unwrap_or_default(), &quota.spec.hard)))
}

/// Returns the error for an amount in a day, with the time until the next attempt: the end of the day.
fn denied(exceeded: Exceeded) -> ReconcileError {
    let left = exceeded.until.map(|until| Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default());
    let error = ReconcileError::from(exceeded);
    match left {
        Some(left) => error.again_in(left + Duration::from_secs(1)),
        None => error,
    }
}

#[cfg(test)]
mod tests;
