//! Verification of a version that n8n holds: its webhooks, its probes, its executions.

use super::attempt::{Applied, Attempt};
use super::bind::Bound;
use super::deploy::Deployed;
use super::deployment::{attempted, failed_too_often};
use super::fail::record_published_version;
use super::reconciliation::Reconciliation;
use super::{answered, observe, route_claims, watch_health};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow_status::{IntentOperation, VersionResult};
use crate::domain::backoff::Silence;
use crate::domain::conditions::Outcome;
use crate::domain::drift::{self, LeftDrift};
use crate::domain::error::ReconcileError;
use crate::domain::failure::{self, Failure};
use crate::domain::health::{Proof, proof};
use crate::domain::history;
use crate::domain::plan::Publication;
use crate::domain::probe_answer::Probed;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::sweep::fingerprint;

impl Attempt<'_> {
    /// Applies the attempt and verifies the result.
    pub(super) async fn run(&self, rec: &mut Reconciliation<'_>, bound: &mut Bound) -> Result<Outcome, Failure> {
        let (deployed, publication, hold) = match self.apply(rec, bound).await? {
            Applied::Republished(why) => {
                rec.seen = None;
                return self.accept_kept_copy(rec, &why).await;
            }
            Applied::Deployed { deployed, publication, hold } => (deployed, publication, hold),
        };
        rec.seen = Some(fingerprint(&deployed.remote));
        let outcome = match drift::left(&deployed.left, rec.spec().drift_policy) {
            LeftDrift::Beside => self.verify(rec, &deployed, publication, hold).await?,
            LeftDrift::Reported(reason) => {
                self.verify(rec, &deployed, publication, hold).await?;
                drifted(rec, &deployed, reason)
            }
            LeftDrift::Foreign(reason) => self.foreign(rec, &deployed, reason),
        };
        self.sync_surroundings(rec, deployed).await?;
        Ok(outcome)
    }

    /// Reports content or a publication that was changed in n8n, is left and cannot be verified.
    fn foreign(&self, rec: &mut Reconciliation<'_>, deployed: &Deployed, reason: Option<Reason>) -> Outcome {
        if deployed.wrote {
            rec.status.finish_intent();
        }
        // The spec requested the unpublication, beside the change that is left.
        let unpublished = deployed.wrote && !deployed.remote.active;
        if unpublished {
            rec.not_published();
            rec.ctx.forget_claims(&rec.uid());
        }
        if let Some(reason) = reason {
            return drifted(rec, deployed, reason);
        }
        let left = "a change made in n8n is left, as spec.driftPolicy says";
        rec.set_condition(ConditionType::Synced, ConditionStatus::True, Reason::DriftIgnored, left);
        if !unpublished {
            let foreign = "n8n holds content that Weirkeeper did not write";
            rec.status.record_missing_webhooks(false);
            rec.set_condition(ConditionType::Live, ConditionStatus::Unknown, Reason::NotVerifiable, foreign);
        }
        Outcome::Ready(format!("version {} was changed in n8n, which spec.driftPolicy ignores", self.version))
    }

    /// Verifies a version that n8n holds: whether its webhooks are registered, and whether it becomes good.
    async fn verify(
        &self,
        rec: &mut Reconciliation<'_>,
        deployed: &Deployed,
        publication: Publication,
        hold: Option<ReconcileError>,
    ) -> Result<Outcome, Failure> {
        let remote = &deployed.remote;
        rec.set_condition(ConditionType::Synced, ConditionStatus::True, Reason::Synced, format!("n8n holds version {}", self.version));
        rec.status.record_attempted(self.version, remote.active);
        let newly = rec.status.active_version != Some(self.version);
        if hold.is_none() {
            // A version whose publication waits lacks something, and would be no copy to go back to.
            self.note(rec, deployed, publication);
        }
        if publication != Publication::Published {
            if let Some(hold) = hold {
                return Err(self.publication_blocked(rec, remote, hold).await);
            }
            rec.status.record_saved(self.version, remote.active);
            return Ok(self.unpublished(rec, publication));
        }
        if deployed.published || newly || rec.status.published_at.is_none() {
            // n8n confirmed it before this: what started earlier may have run the previous version.
            let now = rec.now();
            rec.status.record_published_at(now);
        }
        let timer = rec.ctx.metrics.time("observe");
        let missing = observe::check_live(rec, self.connection, &self.definition, deployed.wrote).await?;
        timer.done();
        if let Some(missing) = missing {
            return self.not_live(rec, missing);
        }
        // It is published from here on, whether or not it becomes good.
        self.record_published(rec);
        self.prove(rec, remote).await?;
        route_claims::confirm_published(rec, self.connection, self.version, &self.definition).await?;
        let pinned = if self.pinned { "pinned and " } else { "" };
        let message = format!("version {} is {pinned}published", self.version);
        Ok(Outcome::Ready(message))
    }

    /// Records that the version is published.
    pub(super) fn record_published(&self, rec: &mut Reconciliation<'_>) {
        rec.status.record_serving(self.version, observe::urls(self.connection, &self.definition));
    }

    fn note(&self, rec: &mut Reconciliation<'_>, deployed: &Deployed, publication: Publication) {
        let remote = &deployed.remote;
        let n8n_version = if publication == Publication::Published { &remote.active_version_id } else { &remote.version_id };
        if deployed.left.is_empty() {
            rec.status.replace_n8n_version(self.version, n8n_version.as_deref());
        }
    }

    /// Handles a saved draft whose publication waits. The previously published version stays published and reported; if the attempt took
    /// it offline, the next reconciliation still knows what to publish again.
    async fn publication_blocked(&self, rec: &mut Reconciliation<'_>, remote: &RemoteWorkflow, hold: ReconcileError) -> Failure {
        rec.status.keep_recovery(!remote.active);
        match record_published_version(rec, self.connection, remote).await {
            Ok(()) => hold.into(),
            Err(error) => error.into(),
        }
    }

    fn unpublished(&self, rec: &mut Reconciliation<'_>, publication: Publication) -> Outcome {
        rec.set_condition(ConditionType::Live, ConditionStatus::Unknown, Reason::NotPublished, Reason::NotPublished.meaning());
        rec.set_condition(
            ConditionType::Healthy,
            ConditionStatus::Unknown,
            Reason::HealthNotChecked,
            "the workflow is not published by Weirkeeper",
        );
        rec.status.record_urls(Vec::new());
        if publication == Publication::Unpublished {
            rec.ctx.forget_claims(&rec.uid());
        }
        Outcome::Ready(match publication {
            Publication::Unpublished => format!("version {} is saved and not published", self.version),
            _ => format!("version {} is saved; publication is left to users of n8n", self.version),
        })
    }

    pub(super) fn not_live(&self, rec: &mut Reconciliation<'_>, missing: String) -> Result<Outcome, Failure> {
        // n8n may be interrupted in a publication and resume it much later, and a starting n8n registers webhooks after its API answers.
        let may_come = answered::may_still_come(rec);
        let too_often = !may_come && failed_too_often(rec);
        let attempted = attempted(rec, self.operation, self.version, too_often);
        Err(failure::of_publication(missing, Reason::NotLive, may_come, attempted))
    }

    /// Makes the probes without a slot: they take as long as the workflow does, and other work on the instance must not wait for that.
    async fn probe(&self, rec: &mut Reconciliation<'_>, remote: &RemoteWorkflow) -> Result<Probed, ReconcileError> {
        if rec.spec().health_check.as_ref().is_none_or(|check| check.probes.is_empty()) {
            return Ok(Probed::Passed);
        }
        rec.release_slot();
        let probed = observe::probe(rec, self.connection, remote, &self.definition).await;
        rec.reacquire_slot().await?;
        probed
    }

    /// Handles a probe without an answer: the version is published and its health unknown, which only counts against it when it happened
    /// often and for long enough.
    fn unanswered(&self, rec: &mut Reconciliation<'_>, message: String) -> Failure {
        rec.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::ProbeUnanswered, &message);
        rec.set_condition(ConditionType::RolledBack, ConditionStatus::False, Reason::ProbeUnanswered, &message);
        rec.status.record_health_decision(None);
        let now = rec.now();
        if rec.ctx.remember(&rec.uid(), |memory| memory.silence.note(&self.digest, now)) {
            return Failure::Version(Reason::ProbeUnanswered, format!("{message} (after several attempts)"));
        }
        ReconcileError::transient(Reason::ProbeUnanswered, message).into()
    }

    /// Probes once after a deployment, then waits for the bake time; both decide whether the version is a good one.
    async fn prove(&self, rec: &mut Reconciliation<'_>, remote: &RemoteWorkflow) -> Result<(), Failure> {
        let result = history::numbered(&rec.status.history, self.version).map(|record| record.result);
        if !matches!(result, Some(VersionResult::Deployed | VersionResult::Good)) {
            let probes = rec.spec().health_check.as_ref().is_some_and(|check| !check.probes.is_empty());
            let before = if probes { Some(answered::before(rec, self.connection, remote, self.version).await?) } else { None };
            let probed = self.probe(rec, remote).await?;
            if let Some(before) = before.filter(|_| !matches!(probed, Probed::Unanswered(_))) {
                answered::by_this_version(rec, self.connection, remote, self.version, before).await?;
            }
            match probed {
                Probed::Passed => rec.ctx.remember(&rec.uid(), |memory| memory.silence = Silence::default()),
                Probed::Failed(message) => {
                    rec.set_condition(ConditionType::Healthy, ConditionStatus::False, Reason::ProbeFailed, &message);
                    return Err(Failure::Version(Reason::ProbeFailed, message));
                }
                Probed::Unanswered(message) => return Err(self.unanswered(rec, message)),
            }
            let now = rec.now();
            rec.status.mark(self.version, VersionResult::Deployed, now);
        }
        let timer = rec.ctx.metrics.time("watch");
        let baking = history::numbered(&rec.status.history, self.version).is_some_and(|record| record.result == VersionResult::Deployed);
        let (health, message) = watch_health::watch(rec, self.connection, remote, baking).await?;
        timer.done();
        match proof(&health, baking, self.operation == IntentOperation::Rollback) {
            Proof::Failed => return Err(Failure::Version(Reason::ErrorRateExceeded, message)),
            Proof::Good if baking => {
                let now = rec.now();
                rec.status.mark(self.version, VersionResult::Good, now);
            }
            Proof::Good | Proof::Pending => {}
        }
        Ok(())
    }
}

/// Reports drift that the policy leaves in place.
fn drifted(rec: &mut Reconciliation<'_>, deployed: &Deployed, reason: Reason) -> Outcome {
    rec.set_condition(ConditionType::Synced, ConditionStatus::False, reason, &deployed.drift);
    Outcome::Blocked(reason, format!("changed in n8n: {}", deployed.drift))
}
