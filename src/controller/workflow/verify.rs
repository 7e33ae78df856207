//! Steps 5 and 6: n8n holds the version; whether it lives and proves itself, and what is written down of that.

use super::converge::Round;
use super::deploy::{Deployed, Failure, failed_too_often, proven};
use super::fail::note_what_serves;
use super::work::Work;
use super::{answered, observe, route_claims, watch_health};
use crate::api::condition::{ConditionStatus, ConditionType, milliseconds};
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::{Operation, VersionResult};
use crate::domain::backoff::Silence;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::health::Health;
use crate::domain::history;
use crate::domain::plan::{Drift, Publication};
use crate::domain::probe_answer::Probed;
use crate::domain::remote::RemoteWorkflow;

impl Round<'_> {
    /// What serves is somebody else's and is left: there is nothing of ours to settle.
    pub(super) fn left_to_others(&self, work: &mut Work<'_>, deployed: &Deployed) -> Option<Outcome> {
        // Settings, a name or a place say nothing about what serves, which is watched all the same.
        let beside = |drift: &Drift| matches!(drift, Drift::DraftEdited | Drift::Settings(_) | Drift::Renamed | Drift::Moved);
        if deployed.left.iter().all(beside) {
            return None;
        }
        if deployed.wrote {
            work.status.intent = None;
        }
        // The spec asked for that beside the change that is left.
        let unpublished = deployed.wrote && !deployed.remote.active;
        if unpublished {
            work.not_published();
            work.ctx.forget_claims(&work.uid());
        }
        self.left_alone(work, deployed).or_else(|| {
            // Somebody's change is ignored, so nothing here can say whether it lives.
            work.set_condition(
                ConditionType::Synced,
                ConditionStatus::True,
                Reason::DriftIgnored,
                "a change made in n8n is left, as spec.driftPolicy says",
            );
            if !unpublished {
                work.set_condition(
                    ConditionType::Live,
                    ConditionStatus::Unknown,
                    Reason::NotVerifiable,
                    "n8n holds what somebody else put there",
                );
            }
            Some(Outcome::Ready(format!("version {} was changed in n8n, which spec.driftPolicy ignores", self.version)))
        })
    }

    /// n8n holds the version: look whether it lives, prove it, and write down what is known.
    pub(super) async fn settle(
        &self,
        work: &mut Work<'_>,
        deployed: &Deployed,
        publication: Publication,
        hold: Option<ReconcileError>,
    ) -> Result<Outcome, Failure> {
        let remote = &deployed.remote;
        work.set_condition(ConditionType::Synced, ConditionStatus::True, Reason::Synced, format!("n8n holds version {}", self.version));
        work.status.last_attempted_version = Some(self.version);
        work.status.published = Some(remote.active);
        let newly = work.status.active_version != Some(self.version);
        if hold.is_none() {
            // What is held up lacks something, and would be no copy to go back to.
            self.note(work, remote, publication);
        }
        if publication != Publication::Published {
            if let Some(hold) = hold {
                return Err(self.held_up(work, remote, hold).await);
            }
            if !remote.active {
                work.status.published_at = None;
            }
            work.status.active_version = Some(self.version);
            work.status.intent = None;
            return Ok(self.unpublished(work, publication));
        }
        if deployed.published || newly || work.status.published_at.is_none() {
            // n8n confirmed it before this: what started earlier may have run the version before.
            work.status.published_at = Some(milliseconds(work.now()));
        }
        let timer = work.ctx.metrics.time("observe");
        let live = observe::check_live(work, self.connection, self.definition, deployed.wrote).await?;
        timer.done();
        if !live {
            return self.not_live(work);
        }
        // It serves from here on, whether or not it proves itself.
        self.serves(work);
        self.prove(work, remote).await?;
        route_claims::serves(work, self.connection, self.version, self.definition).await?;
        let pinned = if self.pinned { "is pinned and " } else { "" };
        let said = format!("version {} {pinned}serves", self.version);
        Ok(Outcome::Ready(said))
    }

    /// Writes down that the version serves.
    pub(super) fn serves(&self, work: &mut Work<'_>) {
        work.status.active_version = Some(self.version);
        work.status.intent = None;
        work.status.webhook_urls = observe::urls(self.connection, self.definition);
    }

    /// What somebody changed and the policy leaves is said, not settled.
    pub(super) fn left_alone(&self, work: &mut Work<'_>, deployed: &Deployed) -> Option<Outcome> {
        if deployed.left.iter().all(|drift| *drift == Drift::DraftEdited) || work.spec().drift_policy == DriftPolicy::Ignore {
            return None;
        }
        let reason = if work.spec().drift_policy == DriftPolicy::Report { Reason::DriftReported } else { Reason::DriftContested };
        let said = work.said(ConditionType::Drifted);
        work.set_condition(ConditionType::Synced, ConditionStatus::False, reason, &said);
        Some(Outcome::Blocked(reason, format!("changed in n8n: {said}")))
    }

    fn note(&self, work: &mut Work<'_>, remote: &RemoteWorkflow, publication: Publication) {
        let n8n_version = if publication == Publication::Published { &remote.active_version_id } else { &remote.version_id };
        let left = work.details.iter().any(|verdict| verdict.kind == ConditionType::Drifted && verdict.status == ConditionStatus::True);
        if let Some(record) = work.status.history.iter_mut().find(|record| record.version == self.version)
            && !left
        {
            record.n8n_version_id = n8n_version.clone();
        }
    }

    /// The draft is saved and publication waits. What was published before goes on serving and stays what is reported; where
    /// the attempt took it offline, the next pass still knows what to put back.
    async fn held_up(&self, work: &mut Work<'_>, remote: &RemoteWorkflow, hold: ReconcileError) -> Failure {
        work.status.intent = work.status.intent.take().filter(|intent| !remote.active && intent.last_good_n8n_version_id.is_some());
        match note_what_serves(work, self.connection, remote).await {
            Ok(()) => hold.into(),
            Err(reconcile_error) => reconcile_error.into(),
        }
    }

    fn unpublished(&self, work: &mut Work<'_>, publication: Publication) -> Outcome {
        work.set_condition(ConditionType::Live, ConditionStatus::Unknown, Reason::NotPublished, Reason::NotPublished.meaning());
        work.set_condition(
            ConditionType::Healthy,
            ConditionStatus::Unknown,
            Reason::HealthNotChecked,
            "the workflow is not published by Weirkeeper",
        );
        work.status.webhook_urls.clear();
        if publication == Publication::Unpublished {
            work.ctx.forget_claims(&work.uid());
        }
        Outcome::Ready(match publication {
            Publication::Unpublished => format!("version {} is saved and not published", self.version),
            _ => format!("version {} is saved; publication is left to people", self.version),
        })
    }

    pub(super) fn not_live(&self, work: &mut Work<'_>) -> Result<Outcome, Failure> {
        let message = work.said(ConditionType::Live);
        if self.connection.client.publishes_later() && answered::may_still_come(work) {
            // n8n may be interrupted in a publication and take it up again much later.
            return Err(ReconcileError::transient(Reason::NotLive, message).into());
        }
        if failed_too_often(work) && !proven(work, self.operation, self.version) {
            return Err(Failure::Version(Reason::PublishUnconfirmed, message));
        }
        Err(ReconcileError::transient(Reason::NotLive, message).into())
    }

    fn rolls_back(&self) -> bool {
        self.operation == Operation::Rollback
    }

    /// Makes the probes. They take as long as the workflow does, and what else there is to do on the instance does not wait for that.
    async fn probe(&self, work: &mut Work<'_>, remote: &RemoteWorkflow) -> Result<Probed, ReconcileError> {
        if work.spec().health_check.as_ref().is_none_or(|check| check.probes.is_empty()) {
            return Ok(Probed::Passed);
        }
        work.step_aside();
        let probed = observe::probe(work, self.connection, remote, self.definition).await;
        work.step_back().await?;
        probed
    }

    /// The version serves and nobody knows how well: that says nothing about it until it happened often and for long enough.
    fn unanswered(&self, work: &mut Work<'_>, said: String) -> Failure {
        work.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::ProbeUnanswered, &said);
        work.set_condition(ConditionType::RolledBack, ConditionStatus::False, Reason::ProbeUnanswered, &said);
        let now = work.now();
        if work.ctx.remember(&work.uid(), |memory| memory.silence.note(self.digest, now)) {
            return Failure::Version(Reason::ProbeUnanswered, format!("{said} (tried again and again)"));
        }
        ReconcileError::transient(Reason::ProbeUnanswered, said).into()
    }

    /// Probes once after a deployment, then the bake time; both decide whether the version is a good one.
    async fn prove(&self, work: &mut Work<'_>, remote: &RemoteWorkflow) -> Result<(), Failure> {
        let result = history::numbered(&work.status.history, self.version).map(|record| record.result);
        if !matches!(result, Some(VersionResult::Deployed | VersionResult::Good)) {
            let probes = work.spec().health_check.as_ref().is_some_and(|check| !check.probes.is_empty());
            let before = if probes { Some(answered::before(work, self.connection, remote, self.version).await?) } else { None };
            let probed = self.probe(work, remote).await?;
            if let Some(before) = before.filter(|_| !matches!(probed, Probed::Unanswered(_))) {
                answered::by_this_version(work, self.connection, remote, self.version, before).await?;
            }
            match probed {
                Probed::Passed => work.ctx.remember(&work.uid(), |memory| memory.silence = Silence::default()),
                Probed::Failed(said) => {
                    work.set_condition(ConditionType::Healthy, ConditionStatus::False, Reason::ProbeFailed, &said);
                    return Err(Failure::Version(Reason::ProbeFailed, said));
                }
                Probed::Unanswered(said) => return Err(self.unanswered(work, said)),
            }
            let now = work.now();
            history::judge(&mut work.status.history, self.version, VersionResult::Deployed, None, now);
        }
        let timer = work.ctx.metrics.time("watch");
        let baking = history::numbered(&work.status.history, self.version).is_some_and(|record| record.result == VersionResult::Deployed);
        let health = watch_health::watch(work, self.connection, remote, baking).await?;
        timer.done();
        match health {
            Health::Failing(_) if baking && !self.rolls_back() => {
                let said = work.said(ConditionType::Healthy);
                Err(Failure::Version(Reason::ErrorRateExceeded, said))
            }
            Health::Baking | Health::AsBadAsBefore(_) | Health::Failing(_) => Ok(()),
            Health::NotChecked | Health::Healthy | Health::NotEnough(_) | Health::NotSaved => {
                if baking {
                    let now = work.now();
                    history::judge(&mut work.status.history, self.version, VersionResult::Good, None, now);
                }
                Ok(())
            }
        }
    }
}
