//! The status of a Workflow as a reconciliation changes it. Each change is a method that says what happened; nothing else can write to
//! a field.

mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::api::condition::{Condition, milliseconds, whole_seconds};
use crate::api::required_credential::RequiredCredential;
use crate::api::template_ref::TemplateUse;
use crate::api::workflow_status::{Intent, IntentOperation, LastFailure, Origin, Snapshot, WorkflowStatus};
use crate::domain::backoff::enough;
use crate::domain::conditions::Found;
use crate::domain::health::HealthDecision;
use crate::domain::plan::Keeps;
use crate::domain::status::Status;
use crate::domain::{confirmed, history, plan, settings, status_bounds};

/// Status of one Workflow during a reconciliation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusRecord(WorkflowStatus);

impl Deref for StatusRecord {
    type Target = WorkflowStatus;

    fn deref(&self) -> &WorkflowStatus {
        &self.0
    }
}

impl From<WorkflowStatus> for StatusRecord {
    fn from(status: WorkflowStatus) -> Self {
        Self(status)
    }
}

/// Binding to a workflow in n8n.
impl StatusRecord {
    /// Records a workflow that carries the object's mark. A create that was announced has arrived.
    pub fn record_bound(&mut self, id: &str, origin: Origin, remote_settings: &Map<String, Value>) {
        self.0.n8n_workflow_id = Some(id.to_owned());
        let origin = *self.0.origin.get_or_insert(origin);
        self.0.intent = self.0.intent.take().filter(|intent| intent.operation != IntentOperation::Create);
        if origin == Origin::Created {
            // Which of the settings were sent is not known any more; a rollback has to reset those that it lacks.
            self.0.written_settings = settings::written_after(remote_settings, &self.0.written_settings);
        }
    }

    /// Records a workflow that the object adopts, and the intent to write to it.
    pub fn record_adopted(&mut self, id: &str, intent: Intent) {
        self.0.n8n_workflow_id = Some(id.to_owned());
        self.0.origin = Some(Origin::Adopted);
        self.0.intent = Some(intent);
    }

    /// Records the workflow that n8n created, and the intent to deploy to it.
    pub fn record_created(&mut self, id: &str, intent: Intent, n8n_version_id: Option<&str>, sent_settings: &Map<String, Value>) {
        self.0.n8n_workflow_id = Some(id.to_owned());
        self.0.origin = Some(Origin::Created);
        self.0.written_settings = settings::written_after(sent_settings, &[]);
        history::sent(&mut self.0.history, &intent.digest, n8n_version_id);
        self.0.intent = Some(intent);
    }

    /// Forgets a workflow that somebody deleted in n8n and that is created again.
    pub fn forget_binding(&mut self) {
        let status = &mut self.0;
        status.n8n_workflow_id = None;
        status.active_version = None;
        status.published_at = None;
        status.written_settings.clear();
        status.added_tags.clear();
        status.origin = None;
        status.intent = None;
        status.confirmed = None;
        status.sent = None;
    }

    /// Records the policies that deny the definition.
    pub fn record_denied_by(&mut self, policies: Vec<String>) {
        self.0.denied_by = policies;
    }

    /// Forgets what was confirmed and sent as the publication, so that a later publication is no drift, and no recovery restores it.
    pub fn forget_publication(&mut self) {
        for snapshot in self.0.confirmed.iter_mut().chain(&mut self.0.sent) {
            snapshot.publication = None;
        }
        self.0.intent = None;
    }

    /// Records that the workflow was deleted in n8n and stays deleted.
    pub fn record_deleted_in_n8n(&mut self) {
        self.0.active_version = None;
        self.0.published_at = None;
        self.0.webhook_urls.clear();
        self.0.webhooks_missing = false;
    }
}

/// Intent: a write that is announced before it is sent.
impl StatusRecord {
    /// Announces a write, and returns the intent before it.
    pub fn announce(&mut self, intent: Intent) -> Option<Intent> {
        self.0.intent.replace(intent)
    }

    /// Announces the create of a workflow, and returns the intent before it.
    pub fn announce_create(&mut self, intent: Intent, sent: Snapshot) -> Option<Intent> {
        self.0.sent = Some(sent);
        self.announce(intent)
    }

    /// Announces a write of a version. `serving` is the version in n8n that is published now; `publishes` is set if the write publishes.
    pub fn announce_deployment(
        &mut self,
        (version, operation): (i64, IntentOperation),
        digest: &str,
        serving: Option<String>,
        publishes: bool,
        now: Timestamp,
    ) {
        let before = self.0.intent.take().filter(|intent| intent.operation != IntentOperation::Create);
        let again = before.clone().filter(|intent| intent.digest == digest);
        let earlier = before.and_then(|intent| intent.last_good_n8n_version_id);
        // A version that an earlier attempt at this very one left published is no version to go back to.
        let last_good = match &again {
            Some(again) if again.last_good_n8n_version_id.is_some() => earlier,
            _ => serving.or(earlier),
        };
        let (attempts, failing_since) = again.map(|again| (again.attempts, again.failing_since)).unwrap_or_default();
        self.0.last_attempted_version = Some(version);
        self.0.intent = Some(Intent { attempts, failing_since, publishes, ..Intent::new(operation, digest, last_good, now) });
    }

    /// Announces that a version which n8n kept is published again. `serving` is the version that is published now.
    pub fn announce_rollback(&mut self, digest: &str, serving: Option<String>, now: Timestamp) {
        let earlier = self.0.intent.take().and_then(|intent| intent.last_good_n8n_version_id);
        self.0.intent = Some(Intent { publishes: true, ..Intent::new(IntentOperation::Rollback, digest, serving.or(earlier), now) });
    }

    /// Records the content and settings that are about to be sent. `seen` is what n8n holds before.
    pub fn record_sent(&mut self, sent: Snapshot, sent_settings: &Map<String, Value>, seen: &Snapshot) {
        self.0.written_settings = settings::written_after(sent_settings, &self.0.written_settings);
        let before = self.0.sent.replace(sent);
        confirmed::arrived(&mut self.0.confirmed, before.as_ref(), seen);
    }

    /// Puts back the intent from before a write that was answered, or was not sent.
    pub fn restore_intent(&mut self, before: Option<Intent>) {
        self.0.intent = before;
    }

    /// Records that the announced write is done.
    pub fn finish_intent(&mut self) {
        self.0.intent = None;
    }

    /// Keeps of the intent only the version to publish again, and only if `needed`.
    pub fn keep_recovery(&mut self, needed: bool) {
        self.0.intent = self.0.intent.take().filter(|intent| needed && intent.last_good_n8n_version_id.is_some());
    }

    /// Counts one more failed attempt at the intended version, unless `counted` says that this one is counted already, and reports whether
    /// it failed often and for long enough to be the version's fault.
    pub fn count_failed_attempt(&mut self, counted: &mut bool, now: Timestamp) -> bool {
        let more = i64::from(!std::mem::replace(counted, true));
        self.0.intent.as_mut().is_some_and(|intent| {
            intent.attempts += more;
            let since = intent.failing_since.get_or_insert_with(|| whole_seconds(now)).0;
            enough(intent.attempts, since, now)
        })
    }
}

/// The version in n8n.
impl StatusRecord {
    /// Records what n8n holds as confirmed: a later difference from it is a change that somebody made.
    pub fn confirm(&mut self, seen: Snapshot, keeps: &Keeps, managed: bool, waits: bool) {
        plan::confirm(&mut self.0.confirmed, seen, keeps, managed, managed && waits);
        self.0.sent = None;
    }

    /// Records whether the workflow is published in n8n.
    pub fn record_publication(&mut self, published: bool) {
        self.0.published = Some(published);
    }

    /// Records that n8n holds a version, and whether the workflow is published.
    pub fn record_attempted(&mut self, version: i64, published: bool) {
        self.0.last_attempted_version = Some(version);
        self.0.published = Some(published);
    }

    /// Records that a version is in n8n and is not published by Weirkeeper.
    pub fn record_saved(&mut self, version: i64, published: bool) {
        if !published {
            self.0.published_at = None;
        }
        self.0.webhooks_missing = false;
        self.0.active_version = Some(version);
        self.0.intent = None;
    }

    /// Records that a version is published and can be called at these URLs.
    pub fn record_serving(&mut self, version: i64, urls: Vec<String>) {
        self.0.active_version = Some(version);
        self.0.intent = None;
        self.0.webhook_urls = urls;
    }

    /// Records the time of a publication.
    pub fn record_published_at(&mut self, now: Timestamp) {
        self.0.published = Some(true);
        self.0.published_at = Some(milliseconds(now));
    }

    /// Records the time of a publication, unless one is recorded.
    pub fn ensure_published_at(&mut self, now: Timestamp) {
        self.0.published_at.get_or_insert(milliseconds(now));
    }

    /// Records since when the object asks to be published without being it, or that it does not.
    pub fn record_activation_request(&mut self, asks: bool, now: Timestamp) {
        self.0.activation_requested_at = self.0.activation_requested_at.take().filter(|_| asks).or_else(|| asks.then(|| milliseconds(now)));
    }

    /// Records which version is published while another one is wanted; an unknown one leaves the recorded one.
    pub fn record_published_version(&mut self, version: Option<i64>) {
        self.0.active_version = version.or(self.0.active_version);
    }

    /// Records where the published version can be called.
    pub fn record_urls(&mut self, urls: Vec<String>) {
        self.0.webhook_urls = urls;
    }

    /// Records that no version is published.
    pub fn record_unpublished(&mut self) {
        self.0.published = Some(false);
        self.0.published_at = None;
        self.0.webhook_urls.clear();
        self.0.webhooks_missing = false;
    }

    /// Records that no version is known to be in n8n.
    pub fn record_no_version(&mut self) {
        self.0.active_version = None;
    }

    /// Records the project that holds the workflow.
    pub fn record_project(&mut self, project: Option<String>) {
        self.0.project = project;
    }

    /// Records the tags that Weirkeeper is about to add.
    pub fn record_tags<'a>(&mut self, tags: impl Iterator<Item = &'a String>) {
        self.0.added_tags.extend(tags.cloned());
        self.0.added_tags.sort_unstable();
        self.0.added_tags.dedup();
    }

    /// Forgets added tags that are not wanted any more and are gone.
    pub fn keep_tags(&mut self, wanted: &[String]) {
        self.0.added_tags.retain(|name| wanted.contains(name));
    }

    /// Records the workflows that may call this one; None where people decide that.
    pub fn record_callers(&mut self, callers: Option<Vec<String>>) {
        self.0.callers = callers;
    }

    /// Records the credentials that the definition needs.
    pub fn record_credentials(&mut self, credentials: Vec<RequiredCredential>) {
        self.0.required_credentials = credentials;
    }

    /// Records that a version with these N8nCredentials is about to be sent; what is in n8n now may use others.
    pub fn record_credentials_sent(&mut self, names: &BTreeSet<String>) {
        let all: BTreeSet<&String> = self.0.credential_refs.iter().chain(names).collect();
        self.0.credential_refs = all.into_iter().cloned().collect();
    }

    /// Records that everything in n8n uses these N8nCredentials and no others.
    pub fn record_credentials_confirmed(&mut self, names: BTreeSet<String>) {
        self.0.credential_refs = names.into_iter().collect();
    }

    /// Records the digest of what else decides about the definition.
    pub fn record_dependency_digest(&mut self, digest: Option<String>) {
        self.0.dependency_digest = digest;
    }

    /// Records whether webhooks of the published version are missing in n8n.
    pub fn record_missing_webhooks(&mut self, missing: bool) {
        self.0.webhooks_missing = missing;
    }

    /// Records the failed execution that explains the health condition.
    pub fn record_last_failure(&mut self, failure: LastFailure) {
        self.0.last_failure = Some(failure);
    }

    /// Returns the decision about the health of the current publication.
    pub fn health_decision(&self) -> Option<HealthDecision> {
        let decided = self.0.health_decided_for.is_some() && self.0.health_decided_for == self.0.published_at;
        decided.then_some(if self.0.health_failing { HealthDecision::Failing } else { HealthDecision::Healthy })
    }

    /// Records the decision about the health of the current publication.
    pub fn record_health_decision(&mut self, decision: Option<HealthDecision>) {
        self.0.health_decided_for = self.0.published_at.clone().filter(|_| decision.is_some());
        self.0.health_failing = decision == Some(HealthDecision::Failing);
    }
}

/// Reports.
impl StatusRecord {
    /// Records that a request for a reset is handled.
    pub fn record_reset(&mut self, requested: Option<String>) {
        self.0.last_handled_reset_at = requested;
    }

    /// Records that a request for a reconciliation is handled, and returns the value of `reset-at` if it is not handled yet.
    pub fn take_requests(&mut self, annotations: Option<&BTreeMap<String, String>>) -> Option<String> {
        self.0.take_requests(annotations)
    }

    /// Records the resource version of the ConfigMap that was read.
    pub fn record_source_version(&mut self, version: Option<String>) {
        self.0.source_version = version;
    }

    /// Records the template that the definition was rendered from. Returns the revision of an earlier one that is no longer used.
    pub fn record_template(&mut self, used: Option<TemplateUse>) -> Option<String> {
        let before = std::mem::replace(&mut self.0.template, used)?.revision?;
        (self.0.template.as_ref().and_then(|now| now.revision.as_ref()) != Some(&before)).then_some(before)
    }

    /// Records the generation whose definition is valid.
    pub fn record_validated(&mut self, generation: Option<i64>) {
        self.0.validated_generation = generation;
    }

    /// Records whether another workflow has a webhook path that this one waits for.
    pub fn record_waits_for_path(&mut self, waits: bool) {
        self.0.waits_for_webhook_path = waits;
    }

    /// Records whether n8n holds and publishes what the spec asks for.
    pub fn record_complete(&mut self, complete: bool) {
        self.0.complete = complete;
    }

    /// Records a summary while the reconciliation goes on.
    pub fn record_progress(&mut self, summary: String) {
        self.0.summary = Some(summary);
    }

    /// Records the result of a reconciliation, and returns the conditions before it. See [`Status::report`].
    pub fn report(&mut self, found: &Found, generation: i64, grace: Duration, now: Timestamp) -> Vec<Condition> {
        self.0.report(found, generation, grace, now)
    }

    /// Records the version that an annotation pins.
    pub fn record_pinned(&mut self, pinned: Option<i64>) {
        self.0.pinned_version = pinned;
    }

    /// Shortens the status to its bounds, and returns the names of revisions whose versions did not fit.
    pub fn fit(&mut self) -> Vec<String> {
        self.0.fit();
        status_bounds::fit_workflow(&mut self.0)
    }

    /// Returns every text that people read.
    pub fn texts(&mut self) -> Vec<&mut String> {
        self.0.texts()
    }
}

#[cfg(test)]
mod tests;
