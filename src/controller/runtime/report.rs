//! The head and the end of a reconciliation of any kind: the object as it is now with its finalizer, and what is reported about it in its status
//! and by events.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::core::PartialObjectMetaExt;
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use serde_json::Map;
use tracing::{Span, warn};

use super::reconcile::{Ended, REPORTING};
use super::{latest, status};
use crate::api::reason::Reason;
use crate::controller::context::Context;
use crate::domain::annotations::unknown;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::lenient_decode::fitting;
use crate::domain::status::Status;
use crate::domain::transitions::{Turn, transitions};
use crate::kubernetes::decoded::{Decode, Decoded, Undecodable};
use crate::kubernetes::indexed_metadata::change_hash;
use crate::kubernetes::objects;

impl Context {
    /// Runs a reconciliation of an object as soon as the stores are complete, and returns when the next one is due.
    pub async fn reconcile<K: Resource<DynamicType = ()>>(
        &self,
        controller: &'static str,
        span: Span,
        object: &K,
        reconciliation: impl Future<Output = Result<Ended, Ended>>,
    ) -> Result<Action, Infallible> {
        self.listed().await;
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        self.runtime.backoffs.restart_on_change(uid, change_hash(object));
        let ended = async { reconciliation.await.unwrap_or_else(|ended| ended) };
        Ok(self.runtime.run(controller, uid, span, self.settings.reconcile_timeout + REPORTING, ended).await)
    }

    /// Reads an object, because the store lags behind. Returns how the reconciliation ends if it is gone or does not fit its kind.
    pub async fn latest<K>(&self, namespace: &str, name: &str) -> Result<K, Ended>
    where
        K: Decode + Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus<Status: Status>,
    {
        match latest::read::<K>(&self.client, namespace, name).await? {
            Decoded(Ok(object)) => Ok(object),
            Decoded(Err(undecodable)) => Err(self.report_unreadable::<K>(&undecodable).await),
        }
    }

    /// Adds a finalizer, unless the object has it, and returns the object's resource version: nothing is created in n8n for an object that could
    /// vanish unnoticed. Returns how the reconciliation ends if it cannot be added.
    pub async fn ensure_finalizer<K>(&self, object: &K, finalizer: &str) -> Result<Option<String>, Ended>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        if objects::has_finalizer(object.meta(), finalizer) {
            return Ok(object.meta().resource_version.clone());
        }
        match objects::set_finalizer(&self.client, object, finalizer, true).await {
            Ok(version) => {
                self.metrics.writes.with_label_values(&[K::kind(&()).as_ref()]).inc();
                Ok(version)
            }
            Err(error) if objects::is_gone(&error) || objects::is_conflict(&error) => {
                Err(Ended::again_in(Reason::Progressing, Duration::from_millis(50)))
            }
            Err(error) => {
                warn!(%error, "cannot add the finalizer");
                Err(Ended::failed(Reason::RequestFailed))
            }
        }
    }

    /// Reports the result of a reconciliation: completes the status, writes it if it differs from the one `before`, and sends `events` and those
    /// that follow from the status. With a resource version nothing is written if the object changed since. Returns how the reconciliation
    /// ends if the status cannot be written.
    pub async fn report<K, S: Status>(
        &self,
        object: &K,
        resource_version: Option<&str>,
        (before, after): (&S, &mut S),
        found: &Found,
        grace: Duration,
        events: impl IntoIterator<Item = Turn>,
    ) -> Result<(), Ended>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let generation = object.meta().generation.unwrap_or(0);
        let old = after.report(found, generation, grace, Timestamp::now());
        self.hide_keys(after.texts());
        let written = status::write(&self.client, &self.metrics.writes, object, resource_version, (before, &*after)).await;
        written.map_err(|error| latest::unwritten(&error))?;
        self.send_events(object, events, transitions(&old, after.conditions(), false)).await;
        Ok(())
    }

    /// Reports on an object that does not fit its kind what is wrong with it.
    pub async fn report_unreadable<K>(&self, object: &Undecodable) -> Ended
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus<Status: Status>,
    {
        let message = format!(
            "the object does not fit the kind {}: {}; correct the field, or apply the CRDs of this version{}",
            K::kind(&()),
            object.why,
            K::Status::WHILE_UNREADABLE
        );
        let error = ReconcileError::invalid(Reason::UnreadableObject, message);
        let found = Found { outcome: Outcome::Failed(error), details: Vec::new() };
        let before: K::Status = fitting(Map::new(), &object.data["status"]).unwrap_or_default();
        let mut after = before.clone();
        let bare = object.metadata.clone().into_response_partial::<K>();
        let reported = self.report(&bare, None, (&before, &mut after), &found, Duration::ZERO, None).await;
        reported.map_or_else(|ended| ended, |()| Ended::failed(Reason::UnreadableObject))
    }

    /// Sends the events of a reconciliation: `events`, the changed conditions that these do not mention, and a warning about unknown annotations
    /// if it is another one than before.
    pub async fn send_events<K>(&self, object: &K, events: impl IntoIterator<Item = Turn>, mut turns: Vec<Turn>)
    where
        K: Resource<DynamicType = ()>,
    {
        let mut events: Vec<Turn> = events.into_iter().collect();
        turns.retain(|turn| events.iter().all(|event| event.reason != turn.reason && event.note != turn.note));
        events.append(&mut turns);
        let unread = unknown(object.meta().annotations.as_ref(), &K::kind(&()));
        let unread = self.new_unknown_annotations(object.meta().uid.as_deref().unwrap_or_default(), unread);
        events.extend(unread.map(|note| Turn { warning: true, reason: Reason::UnknownAnnotation, note }));
        for Turn { warning, reason, note } in events {
            let kind = if warning { EventType::Warning } else { EventType::Normal };
            self.send_event(object, kind, reason, note).await;
        }
    }
}
