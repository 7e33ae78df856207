//! State of one reconciliation of a Workflow: the object as it was read, and its new status.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use kube::runtime::events::EventType;

use crate::api::annotation;
use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate, find};
use crate::api::reason::Reason;
use crate::api::template_ref::TemplateUse;
use crate::api::workflow::{Workflow, WorkflowSpec};
use crate::api::workflow_status::{Snapshot, WorkflowStatus};
use crate::controller::connections::Connection;
use crate::controller::context::Context;
use crate::controller::runtime::saved::SavedStatus;
use crate::controller::runtime::slots::Slot;
use crate::document::derive::IdentitySeed;
use crate::domain::annotations::silenced;
use crate::domain::confirmed::Known;
use crate::domain::error::ReconcileError;
use crate::domain::mark::Mark;
use crate::domain::status_bounds;
use crate::domain::status_record::StatusRecord;
use crate::domain::sweep::Fingerprint;
use crate::domain::urgency::Urgency;
use crate::http::boot_clock;
use crate::kubernetes::indexed_metadata::change_hash;
use crate::kubernetes::{objects, revisions};
use crate::validator::rules::Pattern;

/// State of one reconciliation of a Workflow.
pub(super) struct Reconciliation<'a> {
    pub(super) ctx: &'a Context,
    pub(super) workflow: Workflow,
    /// The new status.
    pub(super) status: StatusRecord,
    /// Conditions that this reconciliation found.
    pub(super) details: Vec<ConditionUpdate>,
    /// Events that are sent when the reconciliation is reported.
    pub(super) events: Vec<PendingEvent>,
    /// Names of the policies that deny the definition.
    pub(super) denied_by: Vec<String>,
    /// Resource version of the ConfigMap that the definition was read from.
    pub(super) source_version: Option<String>,
    /// When this reconciliation began.
    pub(super) started: Instant,
    /// Number of reasons to reconcile the object when this reconciliation began.
    pub(super) asked: u64,
    /// Appearance in a listing of the workflow as it was last read or written.
    pub(super) seen: Option<Fingerprint>,
    /// Set once the attempt of this reconciliation is counted as failed.
    pub(super) counted: bool,
    /// Set if production URLs of the published version were missing in n8n at the last reconciliation.
    pub(super) webhooks_were_missing: bool,
    /// State that callers depend on, as it was when the reconciliation began.
    began: Callable,
    /// Slot of the instance, while it is held.
    slot: Option<Slot>,
    saved: SavedStatus<WorkflowStatus>,
    /// Revisions of templates that are no longer used, deleted once the status says so.
    unused_revisions: Vec<String>,
    /// Content that was sent without an answer and may still take effect.
    late: Option<Snapshot>,
}

/// Time within which a write without an answer may still take effect.
const LATE: Duration = Duration::from_secs(300);

/// Id in n8n and time of publication.
type Callable = (Option<String>, Option<MicroTime>);

/// An event that belongs to no condition.
pub(super) struct PendingEvent {
    pub(super) kind: EventType,
    pub(super) reason: Reason,
    pub(super) note: String,
}

impl<'a> Reconciliation<'a> {
    pub(super) fn new(ctx: &'a Context, workflow: Workflow, slot: Slot) -> Self {
        let saved = SavedStatus::of(&workflow);
        let status = StatusRecord::from(saved.status().clone());
        let uid = workflow.uid().unwrap_or_default();
        let late = ctx.remember(&uid, |memory| {
            memory.late = memory.late.take().filter(|(_, at)| Timestamp::now().duration_since(*at).unsigned_abs() < LATE);
            memory.late.as_ref().map(|(sent, _)| sent.clone())
        });
        let (namespace, name) = instance_of(&workflow);
        Self {
            started: Instant::now(),
            asked: ctx.sweeps.begin(&objects::key(&namespace, &name), &uid),
            seen: None,
            late,
            ctx,
            workflow,
            began: callable(&status),
            webhooks_were_missing: status.webhooks_missing,
            slot: Some(slot),
            saved,
            status,
            details: Vec::new(),
            denied_by: Vec::new(),
            source_version: None,
            events: Vec::new(),
            counted: false,
            unused_revisions: Vec::new(),
        }
    }

    /// Reports whether the state that callers depend on changed in this reconciliation.
    pub(super) fn changes_for_callers(&self) -> bool {
        callable(&self.status) != self.began
    }

    pub(super) fn spec(&self) -> &WorkflowSpec {
        &self.workflow.spec
    }

    pub(super) fn namespace(&self) -> String {
        self.workflow.namespace().unwrap_or_default()
    }

    pub(super) fn name(&self) -> String {
        self.workflow.name_any()
    }

    pub(super) fn uid(&self) -> String {
        self.workflow.uid().unwrap_or_default()
    }

    pub(super) fn generation(&self) -> i64 {
        self.workflow.metadata.generation.unwrap_or(0)
    }

    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.workflow.metadata.annotations.as_ref()?.get(name).map(|value| status_bounds::annotation(value))
    }

    pub(super) fn pinned(&self) -> Option<String> {
        self.annotation(annotation::PINNED_VERSION).map(str::to_owned)
    }

    /// Returns the findings that an annotation silences. A code that does not exist silences nothing.
    pub(super) fn silenced(&self) -> Vec<Pattern> {
        silenced(self.workflow.metadata.annotations.as_ref())
    }

    /// Returns the mark of this object.
    pub(super) fn mark(&self) -> Mark {
        Mark { cluster: self.ctx.cluster.clone(), uid: self.uid(), namespace: self.namespace(), name: self.name() }
    }

    /// Returns the seed from which the ids are derived that an author left out.
    pub(super) fn seed(&self) -> IdentitySeed {
        IdentitySeed { cluster_id: self.ctx.cluster.clone(), namespace: self.namespace(), name: self.name() }
    }

    pub(super) fn instance_key(&self) -> (String, String) {
        instance_of(&self.workflow)
    }

    /// Returns the instance as namespace/name.
    pub(super) fn instance_at(&self) -> String {
        let (namespace, name) = self.instance_key();
        objects::key(&namespace, &name)
    }

    /// Returns the hash of the parts of the object that a reconciliation reacts to, as they were read.
    pub(super) fn change_hash(&self) -> Option<u64> {
        change_hash(&self.workflow)
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

    /// Releases the slot while the reconciliation waits for something that does not depend on the instance.
    pub(super) fn release_slot(&mut self) {
        self.slot = None;
    }

    /// Takes a slot again.
    pub(super) async fn reacquire_slot(&mut self) -> Result<(), ReconcileError> {
        let (namespace, name) = self.instance_key();
        let slot = self.ctx.slots.enter(&objects::key(&namespace, &name), &self.uid(), || Urgency::Edit).await;
        self.slot = Some(slot.ok_or_else(|| ReconcileError::transient(Reason::Progressing, "the operator is shutting down"))?);
        Ok(())
    }

    /// Discards the changes of the status that were not saved, as if the operator had been killed.
    pub(super) fn abandon(&mut self) {
        self.status = StatusRecord::from(self.saved.status().clone());
        self.details.clear();
    }

    /// Sets a condition, in place of an earlier one of the same type.
    pub(super) fn set_condition(&mut self, kind: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) {
        self.details.retain(|one| one.kind != kind);
        self.details.push(ConditionUpdate::new(kind, status, reason, message));
    }

    /// Sets a condition whose message holds figures, and returns the message: while status and reason stay as they are, the message does too.
    pub(super) fn set_steady_condition(&mut self, kind: ConditionType, status: ConditionStatus, reason: Reason, message: String) -> String {
        let before = find(&self.status.conditions, kind).filter(|before| before.status == status && before.reason == reason.as_str());
        let message = before.map_or(message, |before| before.message.clone());
        self.set_condition(kind, status, reason, &message);
        message
    }

    /// Drops conditions that were set about another version.
    pub(super) fn clear_conditions(&mut self, kinds: &[ConditionType]) {
        self.details.retain(|one| !kinds.contains(&one.kind));
    }

    /// Records which template the definition is rendered from.
    pub(super) fn use_template(&mut self, used: Option<TemplateUse>) {
        self.unused_revisions.extend(self.status.record_template(used));
    }

    /// Returns what is known of the content that Weirkeeper sent to n8n.
    pub(super) fn known(&self) -> Known<'_> {
        Known {
            confirmed: self.status.confirmed.as_ref(),
            sent: self.status.sent.as_ref(),
            late: self.late.as_ref(),
            unfinished: self.status.intent.is_some(),
        }
    }

    /// Reports whether a version was confirmed in n8n and nothing else was sent since.
    pub(super) fn confirmed(&self, version: i64) -> bool {
        [self.status.active_version, self.status.last_attempted_version] == [Some(version); 2]
    }

    /// Reports whether an attempt was announced that may have taken the published version offline.
    pub(super) fn interrupted(&self) -> bool {
        self.status.intent.as_ref().is_some_and(|intent| intent.last_good_n8n_version_id.is_some())
    }

    /// Records which version of its ConfigMap was read, if the status changes anyway: a ConfigMap that was only labelled is no reason to
    /// write.
    pub(super) fn note_source(&mut self) {
        if self.source_version.is_some() && (self.status.source_version.is_none() || *self.status != *self.saved.status()) {
            self.status.record_source_version(self.source_version.clone());
        }
    }

    /// Records that nothing is published; no field may claim otherwise.
    pub(super) fn not_published(&mut self) {
        self.status.record_unpublished();
        self.set_condition(ConditionType::Live, ConditionStatus::Unknown, Reason::NotPublished, Reason::NotPublished.meaning());
    }

    pub(super) fn record_event(&mut self, kind: EventType, reason: Reason, note: impl Into<String>) {
        self.events.push(PendingEvent { kind, reason, note: note.into() });
    }

    /// Writes the status, if it differs from the stored one, before something is done in n8n. The object must not have changed since the
    /// beginning of the reconciliation, so that two writers can never both believe that they recorded an intent.
    pub(super) async fn save(&mut self) -> Result<(), ReconcileError> {
        let written = self.write_status(true).await;
        self.saved.unless_superseded(written)
    }

    /// Writes the status after something was done in n8n, even if the object was edited meanwhile.
    pub(super) async fn record(&mut self) -> Result<(), ReconcileError> {
        let written = self.save_over(true).await;
        self.saved.recorded(written)
    }

    /// Writes the status at the end of a reconciliation, even if the object was edited meanwhile. If another writer changed the status, or
    /// the object is gone, nothing is written, for this reconciliation rests on stale state: returns false.
    pub(super) async fn save_last(&mut self) -> Result<bool, kube::Error> {
        self.save_over(false).await
    }

    async fn save_over(&mut self, under_way: bool) -> Result<bool, kube::Error> {
        while !self.saved.is_superseded() {
            let Err(error) = self.write_status(under_way).await else { return Ok(true) };
            if !self.saved.try_again(&self.ctx.client, &self.workflow, error).await? {
                break;
            }
        }
        Ok(false)
    }

    async fn write_status(&mut self, under_way: bool) -> Result<(), kube::Error> {
        if let Some(version) =
            self.status.active_version.filter(|version| under_way && self.saved.status().active_version != Some(*version))
        {
            // The conditions describe the previous version until the reconciliation is reported.
            self.status.record_progress(format!("version {version} is in n8n and is being verified"));
        }
        let mut dropped = self.status.fit();
        self.ctx.hide_keys(self.status.texts());
        if !self.saved.write(&self.ctx.client, &self.ctx.metrics.writes, &self.workflow, &self.status).await? {
            return Ok(());
        }
        dropped.append(&mut self.unused_revisions);
        revisions::delete(&self.ctx.client, &self.namespace(), &dropped, &self.uid()).await
    }

    /// Records the object's resource version after a write of this reconciliation.
    pub(super) fn moved_to(&mut self, resource_version: Option<String>) {
        self.saved.moved_to(resource_version);
    }

    /// Returns for how long this process knows of the write that the status announces; zero without one.
    pub(super) fn announced_for(&self) -> Duration {
        let Some(intent) = &self.status.intent else { return Duration::ZERO };
        self.ctx.remember(&self.uid(), |memory| memory.known_for(intent.started_at.0, boot_clock()))
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

fn instance_of(workflow: &Workflow) -> (String, String) {
    let reference = &workflow.spec.instance_ref;
    (reference.namespace.clone().unwrap_or_else(|| workflow.namespace().unwrap_or_default()), reference.name.clone())
}

fn callable(status: &WorkflowStatus) -> Callable {
    (status.n8n_workflow_id.clone(), status.published_at.clone())
}
