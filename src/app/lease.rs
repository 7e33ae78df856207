//! Who leads: one replica holds a Lease and works, the others wait for it.
//!
//! Another holder's times are never compared with our own clock, for clocks differ: a lease has run out when its record has not
//! changed for its whole duration while we watched it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tracing::{info, warn};

use crate::n8n::{LeaderFence, boot_clock};

/// How long a lease lasts after its last renewal.
const DURATION: Duration = Duration::from_secs(15);
/// How long its holder believes in it. The rest of [`DURATION`] is for a request that was sent at the last moment.
const TRUSTED: Duration = Duration::from_secs(10);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(3);
/// How often one who waits looks whether it is free.
const LOOK: Duration = Duration::from_secs(1);
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(4);

/// A lease, as one replica sees it.
pub(super) struct Candidacy {
    api: Api<Lease>,
    namespace: String,
    name: String,
    identity: String,
    fence: LeaderFence,
    seen: Option<ListedWorkflow>,
}

/// A record of another holder, and since when it stands unchanged.
struct ListedWorkflow {
    resource_version: Option<String>,
    since: Duration,
}

/// What one look at the lease showed.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Ours,
    /// Another one holds it, or came first.
    Theirs(String),
}

impl Candidacy {
    /// A candidate for the lease of that name. `identity` has to differ between processes, not only between pods: a
    /// restarted process must not believe that it still holds what its predecessor held.
    pub(super) fn new(client: Client, namespace: &str, name: &str, identity: String, fence: LeaderFence) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, namespace: namespace.to_owned(), name: name.to_owned(), identity, fence, seen: None }
    }

    /// Waits until the lease is ours.
    pub(super) async fn win(&mut self) {
        info!(lease = self.name, identity = self.identity, "waits for the lease");
        let mut told = String::new();
        loop {
            match self.look().await {
                Ok(Look::Ours) => {
                    info!(lease = self.name, identity = self.identity, "leads");
                    return;
                }
                Ok(Look::Theirs(holder)) if holder != told => {
                    info!(lease = self.name, %holder, "another operator works on the same objects; stands by until it ends");
                    told = holder;
                }
                Ok(Look::Theirs(_)) => {}
                Err(error) => {
                    let said = error.to_string();
                    // Once is enough while nothing changes.
                    if said != told {
                        let needed = "it needs get, create and update on leases there, which config/rbac grants, or --leader-elect off";
                        warn!(error = said, lease = self.name, namespace = self.namespace, needed, "cannot take the lease");
                        told = said;
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Renews the lease; returns when it is lost.
    pub(super) async fn keep(&mut self) {
        loop {
            tokio::time::sleep(RENEW).await;
            match self.look().await {
                Ok(Look::Ours) => {}
                Ok(Look::Theirs(_)) => return self.fence.revoke(),
                Err(error) => warn!(%error, "cannot renew the lease"),
            }
            if !self.fence.holds() {
                return;
            }
        }
    }

    /// Gives the lease back, so that the next one need not wait until it runs out. Nothing is written after it.
    pub(super) async fn hand_over(&self) {
        self.fence.revoke();
        let handed = tokio::time::timeout(REQUEST, async {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
                return Ok(());
            }
            spec.holder_identity = None;
            spec.renew_time = Some(MicroTime(Timestamp::now()));
            self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
        });
        match handed.await {
            Ok(Ok(())) => info!(lease = self.name, "handed the lease over"),
            Ok(Err(error)) => warn!(%error, "cannot hand the lease over; it runs out by itself"),
            Err(_) => warn!("the API server does not answer; the lease runs out by itself"),
        }
    }

    /// Takes the lease if it is free, renews it if it is ours.
    async fn look(&mut self) -> Result<Look, LookError> {
        // Whatever the answer takes, the lease began to run when the request went out.
        let asked = boot_clock();
        let look = tokio::time::timeout(REQUEST, self.take(asked)).await.map_err(|_| LookError::Unanswered)??;
        if look == Look::Ours {
            self.fence.extend(asked + TRUSTED);
        }
        Ok(look)
    }

    async fn take(&mut self, now: Duration) -> Result<Look, kube::Error> {
        let params = PostParams::default();
        let written = match self.api.get_opt(&self.name).await? {
            None => {
                let lease = Lease {
                    metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                    spec: Some(self.record(None)),
                };
                self.api.create(&params, &lease).await
            }
            Some(lease) if !self.may_take(&lease, now) => {
                return Ok(Look::Theirs(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()));
            }
            // The resource version makes sure that nobody else took it in between.
            Some(mut lease) => {
                lease.spec = Some(self.record(lease.spec.as_ref()));
                self.api.replace(&self.name, &params, &lease).await
            }
        };
        match written {
            Ok(_) => Ok(Look::Ours),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Look::Theirs(String::new())),
            Err(error) => Err(error),
        }
    }

    fn may_take(&mut self, lease: &Lease, now: Duration) -> bool {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let lasts = spec.and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok()).map_or(DURATION, Duration::from_secs);
        match &self.seen {
            Some(seen) if seen.resource_version == lease.metadata.resource_version => now.saturating_sub(seen.since) > lasts,
            _ => {
                self.seen = Some(ListedWorkflow { resource_version: lease.metadata.resource_version.clone(), since: now });
                false
            }
        }
    }

    fn record(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = before.filter(|spec| spec.holder_identity.as_deref() == Some(self.identity.as_str()));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: ours.and_then(|spec| spec.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: match ours {
                Some(spec) => spec.lease_transitions,
                None => Some(before.and_then(|spec| spec.lease_transitions).map_or(0, |before| before.saturating_add(1))),
            },
            ..before.cloned().unwrap_or_default()
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("the API server does not answer")]
    Unanswered,
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
}
