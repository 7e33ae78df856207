//! Leader election: one replica holds a Lease and reconciles, the others wait for it.
//!
//! Times in another holder's record are never compared with the local clock, because clocks differ: a lease has expired if its record did
//! not change for its whole duration while this process watched it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tracing::{info, warn};

use crate::http::{LeaderFence, boot_clock};

/// Duration that the record of a holder without one is given.
const DURATION: Duration = Duration::from_secs(15);
/// Interval at which a waiting replica checks whether the lease is free.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The times of a lease, as shares of its duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    /// Time after the last renewal at which others may take it.
    duration: Duration,
    /// Time after a renewal for which the holder relies on the lease. The rest covers a request sent at the last moment.
    trusted: Duration,
    /// Interval between renewals.
    renew: Duration,
    /// Timeout of a request.
    request: Duration,
}

impl Times {
    fn of(duration: Duration) -> Self {
        Self { duration, trusted: duration * 2 / 3, renew: duration / 5, request: duration * 4 / 15 }
    }
}

/// A lease from the perspective of one replica.
pub(super) struct Candidacy {
    api: Api<Lease>,
    namespace: String,
    name: String,
    identity: String,
    fence: LeaderFence,
    times: Times,
    seen: Option<ForeignRecord>,
}

/// A record of another holder, and the time since which it is unchanged.
struct ForeignRecord {
    resource_version: Option<String>,
    since: Duration,
}

/// Result of one attempt to take or renew the lease.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Held,
    /// Another process holds it, or was faster.
    HeldByAnother(String),
}

impl Candidacy {
    /// Creates a candidate for the lease of that name. `identity` must differ between processes, not only between pods: a restarted process
    /// must not believe that it holds the lease of its predecessor.
    pub(super) fn new(client: Client, namespace: &str, name: &str, identity: String, fence: LeaderFence) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, namespace: namespace.to_owned(), name: name.to_owned(), identity, fence, times: Times::of(DURATION), seen: None }
    }

    /// The same with a lease of another duration.
    pub(super) fn lasting(self, duration: Duration) -> Self {
        Self { times: Times::of(duration), ..self }
    }

    /// Waits until this process holds the lease.
    pub(super) async fn win(&mut self) {
        info!(lease = self.name, identity = self.identity, "waiting for the lease");
        let mut logged = String::new();
        loop {
            match self.attempt().await {
                Ok(Attempt::Held) => {
                    info!(lease = self.name, identity = self.identity, "acquired the lease");
                    return;
                }
                Ok(Attempt::HeldByAnother(holder)) if holder != logged => {
                    info!(lease = self.name, %holder, "another operator holds the lease; standing by");
                    logged = holder;
                }
                Ok(Attempt::HeldByAnother(_)) => {}
                Err(error) => {
                    let message = error.to_string();
                    // Logged once as long as nothing changes.
                    if message != logged {
                        let needed =
                            "grant get, create and update on leases in this namespace, as config/rbac does, or run with --leader-elect off";
                        warn!(error = message, lease = self.name, namespace = self.namespace, needed, "cannot acquire the lease");
                        logged = message;
                    }
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Renews the lease; returns when it is lost.
    pub(super) async fn keep(&mut self) {
        loop {
            tokio::time::sleep(self.times.renew).await;
            match self.attempt().await {
                Ok(Attempt::Held) => {}
                Ok(Attempt::HeldByAnother(_)) => return self.fence.revoke(),
                Err(error) => warn!(%error, "cannot renew the lease"),
            }
            if !self.fence.holds() {
                return;
            }
        }
    }

    /// Releases the lease, so that the next holder need not wait until it expires. Nothing is written afterwards.
    pub(super) async fn hand_over(&self) {
        self.fence.revoke();
        let handed = tokio::time::timeout(self.times.request, async {
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
            Ok(Ok(())) => info!(lease = self.name, "released the lease"),
            Ok(Err(error)) => warn!(%error, "cannot release the lease; it expires by itself"),
            Err(_) => warn!("the API server does not answer; the lease expires by itself"),
        }
    }

    /// Takes the lease if it is free; renews it if this process holds it.
    async fn attempt(&mut self) -> Result<Attempt, AttemptError> {
        // However long the answer takes, the lease began when the request was sent.
        let asked = boot_clock();
        let attempt = tokio::time::timeout(self.times.request, self.take(asked)).await.map_err(|_| AttemptError::Unanswered)??;
        if attempt == Attempt::Held {
            self.fence.extend(asked + self.times.trusted);
        }
        Ok(attempt)
    }

    async fn take(&mut self, now: Duration) -> Result<Attempt, kube::Error> {
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
                return Ok(Attempt::HeldByAnother(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()));
            }
            // The resource version ensures that nobody else took the lease in between.
            Some(mut lease) => {
                lease.spec = Some(self.record(lease.spec.as_ref()));
                self.api.replace(&self.name, &params, &lease).await
            }
        };
        match written {
            Ok(_) => Ok(Attempt::Held),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Attempt::HeldByAnother(String::new())),
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
                self.seen = Some(ForeignRecord { resource_version: lease.metadata.resource_version.clone(), since: now });
                false
            }
        }
    }

    fn record(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = before.filter(|spec| spec.holder_identity.as_deref() == Some(self.identity.as_str()));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.times.duration.as_secs()).ok(),
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
enum AttemptError {
    #[error("the API server does not answer")]
    Unanswered,
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_gives_up_before_others_may_take_over_and_has_time_for_several_renewals() {
        let seconds = |times: Times| [times.duration, times.trusted, times.renew, times.request].map(|time| time.as_secs());
        assert_eq!(seconds(Times::of(DURATION)), [15, 10, 3, 4]);
        for duration in [5, 15, 60, 600].map(Duration::from_secs) {
            let times = Times::of(duration);
            assert!(times.trusted + times.request < times.duration, "{times:?}");
            assert!(2 * times.renew + times.request <= times.trusted, "{times:?}");
        }
    }
}
