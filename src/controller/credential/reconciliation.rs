//! State of one reconciliation of an N8nCredential: the object as it was read, and its new status.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::EventType;

use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate};
use crate::api::credential::{N8nCredential, N8nCredentialSpec};
use crate::api::credential_status::N8nCredentialStatus;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::controller::context::Context;
use crate::controller::runtime::slots::Slot;
use crate::controller::runtime::status;
use crate::domain::api_key::explained;
use crate::domain::credential::confidential::Confidential;
use crate::domain::credential::mark::CredentialMark;
use crate::domain::error::ReconcileError;
use crate::domain::status_bounds;
use crate::http::boot_clock;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::objects;

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
    /// Status as stored in Kubernetes.
    saved: N8nCredentialStatus,
    resource_version: Option<String>,
    wrote: bool,
    superseded: bool,
}

impl<'a> Reconciliation<'a> {
    pub(super) fn new(ctx: &'a Context, credential: N8nCredential, slot: Option<Slot>) -> Self {
        let status = credential.status.clone().unwrap_or_default();
        Self {
            ctx,
            saved: status.clone(),
            status,
            details: Vec::new(),
            events: Vec::new(),
            confidential: Confidential::default(),
            slot,
            resource_version: credential.metadata.resource_version.clone(),
            credential,
            wrote: false,
            superseded: false,
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

    /// Returns the status as it is stored.
    pub(super) fn before(&self) -> &N8nCredentialStatus {
        &self.saved
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
        self.status = self.saved.clone();
        self.details.clear();
    }

    /// Records the object's resource version after a write of this reconciliation.
    pub(super) fn moved_to(&mut self, resource_version: Option<String>) {
        self.resource_version = resource_version;
    }

    /// Returns for how long this process knows of the create that the status announces; zero without one.
    pub(super) fn announced_for(&self) -> Duration {
        let Some(since) = &self.status.creating_since else { return Duration::ZERO };
        self.ctx.remember(&self.uid(), |memory| memory.known_for(since.0, boot_clock()))
    }

    /// Writes the status before something is done in n8n. The object must not have changed since the beginning of the reconciliation, so that
    /// two writers can never both believe that they announced a create.
    pub(super) async fn save(&mut self) -> Result<(), ReconcileError> {
        match self.write_status().await {
            Err(error) if objects::is_conflict(&error) => Err(self.supersede()),
            other => other.map_err(|error| objects::reconcile_error("write the status", &error)),
        }
    }

    /// Writes the status after something was done in n8n, even if the object was edited meanwhile.
    pub(super) async fn record(&mut self) -> Result<(), ReconcileError> {
        match self.save_last().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.supersede()),
            Err(error) => Err(objects::reconcile_error("write the status", &error)),
        }
    }

    /// Writes the status, even if the object was edited meanwhile. If another writer changed the status, or the object is gone, nothing is
    /// written: returns false.
    pub(super) async fn save_last(&mut self) -> Result<bool, kube::Error> {
        while !self.superseded {
            match self.write_status().await {
                Ok(()) => return Ok(true),
                Err(error) if objects::is_gone(&error) => return Ok(false),
                Err(error) if objects::is_conflict(&error) => self.catch_up().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Reads the object again after a conflict, and goes on if only something else than its status changed.
    async fn catch_up(&mut self) -> Result<(), kube::Error> {
        let read = objects::read_as::<N8nCredential>(&self.ctx.client, Some(&self.namespace()), &self.name()).await?;
        let known = (self.credential.status.is_some() || self.wrote).then_some(&self.saved);
        match read {
            Some(Decoded(Ok(now))) if now.uid() == self.credential.uid() && now.status.as_ref() == known => {
                self.resource_version = now.metadata.resource_version.clone();
            }
            _ => self.superseded = true,
        }
        Ok(())
    }

    fn supersede(&mut self) -> ReconcileError {
        self.superseded = true;
        ReconcileError::transient(Reason::Progressing, "the object changed during the reconciliation; reconciling again")
    }

    async fn write_status(&mut self) -> Result<(), kube::Error> {
        status_bounds::fit_credential(&mut self.status);
        let messages = self.status.conditions.iter_mut().map(|condition| &mut condition.message);
        self.ctx.connections.hide_keys(messages.chain(&mut self.status.summary));
        let (client, writes) = (&self.ctx.client, &self.ctx.metrics.writes);
        let version = self.resource_version.as_deref();
        let written = status::write(client, writes, &self.credential, version, (&self.saved, &self.status)).await?;
        if let Some(version) = written {
            self.wrote = true;
            self.resource_version = version;
            self.saved = self.status.clone();
        }
        Ok(())
    }

    /// Requests a reconciliation of the N8nInstance when n8n does not answer: its objects are woken when it does again.
    pub(super) fn doubt_instance(&self, error: &ReconcileError) {
        if matches!(error.reason, Reason::InstanceUnreachable | Reason::InstanceStarting) {
            let (namespace, name) = self.instance_key();
            self.ctx.doubt_instance(&namespace, &name);
        }
    }

    /// Forgets an API key that n8n rejects, so that the next attempt reads it again. Explains the error by what is known of the key.
    pub(super) fn forget_key(&self, error: ReconcileError) -> ReconcileError {
        let (namespace, name) = self.instance_key();
        let Some(instance) = self.ctx.instance(&namespace, &name) else { return error };
        self.ctx.connections.forget_key(&instance);
        let Some(status) = &instance.status else { return error };
        explained(error, status.key_expires_at.as_deref(), &status.key_scopes, Timestamp::now())
    }
}
