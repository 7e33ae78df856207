//! State of one reconciliation of an N8nCredential: the object as it was read, and its new status.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::events::EventType;

use crate::api::annotation;
use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate};
use crate::api::credential::{N8nCredential, N8nCredentialSpec};
use crate::api::credential_status::N8nCredentialStatus;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::controller::context::Context;
use crate::controller::runtime::saved::SavedStatus;
use crate::controller::runtime::slots::Slot;
use crate::domain::credential::confidential::Confidential;
use crate::domain::credential::mark::CredentialMark;
use crate::domain::error::ReconcileError;
use crate::domain::status::Status;
use crate::domain::status_bounds;
use crate::http::boot_clock;

/// State of one reconciliation of an N8nCredential.
pub(super) struct Reconciliation<'a> {
    pub(super) ctx: &'a Context,
    pub(super) credential: N8nCredential,
    /// The new status.
    pub(super) status: N8nCredentialStatus,
    /// Conditions that this reconciliation found.
    pub(super) details: Vec<ConditionUpdate>,
    /// Events that are sent when the reconciliation is reported.
    pub(super) events: Vec<(EventType, Reason, String)>,
    /// Values that no message may show.
    pub(super) confidential: Confidential,
    slot: Option<Slot>,
    saved: SavedStatus<N8nCredentialStatus>,
}

impl<'a> Reconciliation<'a> {
    pub(super) fn new(ctx: &'a Context, credential: N8nCredential, slot: Option<Slot>) -> Self {
        let saved = SavedStatus::of(&credential);
        Self {
            ctx,
            status: saved.status().clone(),
            saved,
            details: Vec::new(),
            events: Vec::new(),
            confidential: Confidential::default(),
            slot,
            credential,
        }
    }

    pub(super) fn spec(&self) -> &N8nCredentialSpec {
        &self.credential.spec
    }

    pub(super) fn namespace(&self) -> String {
        self.credential.namespace().unwrap_or_default()
    }

    pub(super) fn name(&self) -> String {
        self.credential.name_any()
    }

    pub(super) fn uid(&self) -> String {
        self.credential.uid().unwrap_or_default()
    }

    pub(super) fn generation(&self) -> i64 {
        self.credential.metadata.generation.unwrap_or(0)
    }

    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.credential.metadata.annotations.as_ref()?.get(name).map(|value| status_bounds::annotation(value))
    }

    /// Reports whether a person asks for this reconciliation with the annotation.
    pub(super) fn is_requested(&self) -> bool {
        let requested = self.annotation(annotation::REQUESTED_AT);
        requested.is_some() && requested != self.before().last_handled_requested_at.as_deref()
    }

    /// Returns the status as it is stored.
    pub(super) fn before(&self) -> &N8nCredentialStatus {
        self.saved.status()
    }

    /// Returns the mark of this object.
    pub(super) fn mark(&self) -> CredentialMark {
        CredentialMark::of(&self.ctx.cluster, &self.uid(), &self.namespace(), &self.name())
    }

    /// Returns the name that the credential should have in n8n.
    pub(super) fn wanted_name(&self) -> String {
        self.mark().mark(self.spec().display_name.as_deref().unwrap_or(&self.name()))
    }

    pub(super) fn instance_key(&self) -> (String, String) {
        let reference = &self.spec().instance_ref;
        (reference.namespace.clone().unwrap_or_else(|| self.namespace()), reference.name.clone())
    }

    /// Returns the connection of the object's instance, if the object may refer to it.
    pub(super) async fn connect(&self) -> Result<Arc<Connection>, ReconcileError> {
        let (namespace, name) = self.instance_key();
        self.ctx.connections.for_workflow(&self.namespace(), (&namespace, &name)).await
    }

    /// See [`Context::note_error`].
    pub(super) fn note_error(&self, error: ReconcileError) -> ReconcileError {
        let (namespace, name) = self.instance_key();
        self.ctx.note_error((&namespace, &name), error)
    }

    /// Releases the slot of the instance while the reconciliation waits for a service that a test calls.
    pub(super) fn release_slot(&mut self) {
        self.slot = None;
    }

    /// Counts the Workflows that use the credential.
    pub(super) fn count_users(&mut self) {
        self.status.used_by = Some(self.ctx.users_of_credential(&self.namespace(), &self.name()));
    }

    pub(super) fn set_condition(&mut self, kind: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) {
        self.details.retain(|one| one.kind != kind);
        self.details.push(ConditionUpdate::new(kind, status, reason, message));
    }

    pub(super) fn record_event(&mut self, kind: EventType, reason: Reason, note: impl Into<String>) {
        self.events.push((kind, reason, note.into()));
    }

    /// Discards the changes of the status that were not saved, as if the operator had been killed.
    pub(super) fn abandon(&mut self) {
        self.status = self.before().clone();
        self.details.clear();
    }

    /// Records the object's resource version after a write of this reconciliation.
    pub(super) fn moved_to(&mut self, resource_version: Option<String>) {
        self.saved.moved_to(resource_version);
    }

    /// Returns for how long this process knows of the create that the status announces; zero without one.
    pub(super) fn announced_for(&self) -> Duration {
        let Some(since) = &self.status.creating_since else { return Duration::ZERO };
        self.ctx.remember(&self.uid(), |memory| memory.known_for(since.0, boot_clock()))
    }

    /// Writes the status before something is done in n8n. The object must not have changed since the beginning of the reconciliation, so that
    /// two writers can never both believe that they announced a create.
    pub(super) async fn save(&mut self) -> Result<(), ReconcileError> {
        let written = self.write_status().await;
        self.saved.unless_superseded(written)
    }

    /// Writes the status after something was done in n8n, even if the object was edited meanwhile.
    pub(super) async fn record(&mut self) -> Result<(), ReconcileError> {
        let written = self.save_last().await;
        self.saved.recorded(written)
    }

    /// Writes the status, even if the object was edited meanwhile. If another writer changed the status, or the object is gone, nothing is
    /// written: returns false.
    pub(super) async fn save_last(&mut self) -> Result<bool, kube::Error> {
        while !self.saved.is_superseded() {
            let Err(error) = self.write_status().await else { return Ok(true) };
            if !self.saved.try_again(&self.ctx.client, &self.credential, error).await? {
                break;
            }
        }
        Ok(false)
    }

    async fn write_status(&mut self) -> Result<(), kube::Error> {
        self.status.fit();
        self.ctx.hide_keys(self.status.texts());
        self.saved.write(&self.ctx.client, &self.ctx.metrics.writes, &self.credential, &self.status).await.map(drop)
    }
}
