//! Deletions that wait for n8n: their time, their connection and their end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::ObjectMeta;
use tracing::{info, warn};

use super::connections::Connection;
use super::context::Context;
use super::runtime::reconcile::Ended;
use crate::api::reason::Reason;
use crate::domain::backoff;
use crate::domain::error::ReconcileError;
use crate::http::boot_clock;
use crate::kubernetes::objects;

impl Context {
    /// Returns the remaining time for which n8n is tried, counted from the first call: before that, the deletion waited for something else.
    pub fn deletion_left_since_tried(&self, metadata: &ObjectMeta) -> Duration {
        self.settings.deletion_bound.saturating_sub(self.tried_for(metadata))
    }

    /// Returns the time since this process first asked.
    fn tried_for(&self, metadata: &ObjectMeta) -> Duration {
        let (uid, now) = (metadata.uid.as_deref().unwrap_or_default(), boot_clock());
        self.remember(uid, |memory| now.saturating_sub(*memory.deleting_since.get_or_insert(now)))
    }

    /// Returns the remaining time for which an object that is being deleted may wait for n8n.
    pub fn deletion_left(&self, metadata: &ObjectMeta) -> Duration {
        let since = metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let age = since.and_then(|since| Duration::try_from(Timestamp::now().duration_since(since)).ok()).unwrap_or_default();
        backoff::deletion_left(self.settings.deletion_bound, age, self.tried_for(metadata))
    }

    /// Returns the current connection to an instance, or else the last working one: its Secret or the instance itself may be gone already.
    pub async fn connect_for_deletion(&self, namespace: &str, instance: (String, String)) -> Result<Arc<Connection>, ReconcileError> {
        let (home, name) = (&*instance.0, &*instance.1);
        match self.connections.for_workflow(namespace, (home, name)).await {
            Ok(connection) => Ok(connection),
            Err(error) => self.connections.last(&objects::key(home, name)).ok_or(error),
        }
    }

    /// Removes the finalizer of an object whose deletion has ended with this reason, and forgets the object.
    pub async fn end_deletion<K>(&self, object: &K, finalizer: &str, reason: Reason, forget: impl FnOnce()) -> Ended
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match objects::set_finalizer(&self.client, object, finalizer, false).await {
            Ok(taken_off) => {
                info!(reason = reason.as_str(), "finalizer removed");
                // Counted once for each object: a reconciliation of an old copy finds that the object is gone.
                if reason == Reason::CleanupAbandoned && taken_off.is_some() {
                    self.metrics.abandoned.inc();
                }
                forget();
                Ended::for_good(reason)
            }
            Err(error) if objects::is_conflict(&error) => Ended::again_in(Reason::Progressing, Duration::from_millis(50)),
            Err(error) => {
                warn!(%error, "cannot remove the finalizer");
                Ended::failed(Reason::RequestFailed)
            }
        }
    }
}
