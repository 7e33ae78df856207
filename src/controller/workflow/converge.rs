//! The pass over a living object: gather, bind, choose, resolve, deploy, observe, watch. Each step takes what the one
//! before it returned, so that none can be left out.

use super::bind::{self, Bound, CreateFailed};
use super::deploy::{Deployed, Deployment, Failure, count_failure, deploy};
use super::fail::{fail, handle_reset, held, rolled_back_or};
use super::gather::{Gathered, gather};
use super::resolve::{Resolved, resolve, wake_callers};
use super::work::Work;
use super::{observe, tags, versions, watch_health};
use crate::api::condition::{ConditionStatus, ConditionType, find, whole_seconds};
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::{Operation, Origin, VersionResult};
use crate::controller::connections::{self, Connection};
use crate::domain::conclude::Outcome;
use crate::domain::definition::Definition;
use crate::domain::derive::keep_ids;
use crate::domain::endpoints::{endpoint_conflicts, webhook_endpoints};
use crate::domain::finding::summarise;
use crate::domain::health::Health;
use crate::domain::history;
use crate::domain::paths::Route;
use crate::domain::plan::Publication;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::render::{Symbolic, symbolise};
use crate::domain::target::{Choice, choose};
use crate::domain::trouble::Trouble;
use crate::n8n::WebhookCheck;

/// A pass looks again after a failure, so that a rollback follows at once: the failed version, the good one, and what
/// might be wrong with that.
const MOST_ROUNDS: usize = 4;

/// Brings n8n to what the spec asks for, as far as it goes now.
pub(super) async fn converge(work: &mut Work<'_>) -> Result<Outcome, Trouble> {
    let instance = work.instance_key();
    let connection = connections::for_workflow(work.ctx, &work.namespace(), (&instance.0, &instance.1)).await?;
    let timer = work.ctx.metrics.time("gather");
    let gathered = gather(work).await?;
    timer.done();
    let timer = work.ctx.metrics.time("bind");
    let mut bound = bind::bind(work, &connection).await?;
    timer.done();
    if let Bound::LeftDeleted(note) = &bound {
        work.verdict(ConditionType::Drifted, ConditionStatus::True, Reason::DriftReported, note);
        work.verdict(ConditionType::Synced, ConditionStatus::False, Reason::DriftReported, note);
        return Ok(Outcome::Held(Reason::DriftReported, format!("{note}; spec.driftPolicy leaves it so")));
    }
    let symbolic = symbolic(work, &gathered).await?;
    let digest = symbolic.digest.to_string();
    handle_reset(work, &digest);
    let desired = versions::keep(work, &symbolic, gathered.source).await?;
    let name = display_name(work, &gathered.definition);
    for _ in 0..MOST_ROUNDS {
        let choice = choose(&digest, &work.status, work.pinned().as_deref(), work.spec().rollback)?;
        let (version, definition, operation) = match &choice {
            Choice::Desired => (desired, symbolic.definition.clone(), Operation::Deploy),
            Choice::Pinned(version) => (*version, versions::read(work, *version).await?, Operation::Deploy),
            Choice::LastGood(version) => (*version, versions::read(work, *version).await?, Operation::Rollback),
            Choice::Hold(reason) => return Ok(held(work, *reason, desired)),
        };
        let resolved = resolve(work, &connection, &definition, &name).await?;
        let version_digest = versions::digest_of(&work.status, version);
        let round =
            Round { connection: &connection, choice: &choice, version, digest: &version_digest, definition: &definition, operation };
        match round.run(work, resolved, &mut bound).await {
            Ok(outcome) => {
                versions::prune(work, &digest).await?;
                return Ok(rolled_back_or(work, &choice, desired, outcome));
            }
            Err(Failure::Trouble(trouble)) => return Err(trouble),
            Err(Failure::Version(reason, message)) => {
                fail(work, &choice, version, &digest, reason, &message).await?;
                if matches!(choice, Choice::Pinned(_)) {
                    return Err(Trouble::invalid(reason, message));
                }
                if work.status.n8n_workflow_id.is_none() {
                    continue;
                }
                bound = bind::bind(work, &connection).await?;
            }
        }
    }
    Err(Trouble::transient(Reason::RollbackFailed, "no kept version could be put back; it is tried again"))
}

/// One version on its way to n8n.
struct Round<'a> {
    connection: &'a Connection,
    choice: &'a Choice,
    version: i64,
    digest: &'a str,
    definition: &'a Definition,
    operation: Operation,
}

impl Round<'_> {
    async fn run(&self, work: &mut Work<'_>, resolved: Resolved, bound: &mut Bound) -> Result<Outcome, Failure> {
        let Resolved { rendered, mut hold } = resolved;
        work.status.required_credentials = rendered.credentials.clone();
        if work.spec().active == Some(true) {
            // n8n answers this with the same words as a path that somebody else has, and that would wait for ever.
            let conflicts = endpoint_conflicts(self.definition);
            if !conflicts.is_empty() {
                return Err(Failure::Version(Reason::PublishRefused, summarise(&conflicts, 500)));
            }
        }
        let publication = match (work.spec().active, &hold) {
            (Some(true), None) => match self.claim_paths(work, bound).await? {
                None => Publication::Published,
                taken => {
                    hold = taken;
                    Publication::Untouched
                }
            },
            (Some(true), Some(_)) | (None, _) => Publication::Untouched,
            (Some(false), _) => Publication::Unpublished,
        };
        let remote = match std::mem::replace(bound, Bound::ToCreate) {
            Bound::Existing(remote) => remote,
            _ => match bind::create(work, self.connection, &rendered.write, self.digest).await {
                Ok(remote) => remote,
                Err(CreateFailed::Rejected(message)) => return Err(Failure::Version(Reason::RejectedByN8n, message)),
                Err(CreateFailed::Trouble(trouble)) => return Err(trouble.into()),
            },
        };
        let wanted =
            Deployment { version: self.version, digest: self.digest, write: &rendered.write, publication, operation: self.operation };
        let timer = work.ctx.metrics.time("deploy");
        let deployed = deploy(work, self.connection, &wanted, *remote).await?;
        timer.done();
        tags::sync(work, self.connection, &deployed.remote).await?;
        self.settle(work, deployed, publication, hold).await
    }

    /// n8n holds the version: look whether it lives, prove it, and write down what is known.
    async fn settle(
        &self,
        work: &mut Work<'_>,
        deployed: Deployed,
        publication: Publication,
        hold: Option<Trouble>,
    ) -> Result<Outcome, Failure> {
        let remote = &deployed.remote;
        if let Some(outcome) = self.left_alone(work, &deployed) {
            return Ok(outcome);
        }
        if deployed.left.iter().any(|drift| *drift != crate::domain::plan::Drift::DraftEdited) {
            // Somebody's change is ignored, so nothing here can say whether it lives.
            work.verdict(
                ConditionType::Synced,
                ConditionStatus::True,
                Reason::DriftIgnored,
                "a change made in n8n is left, as spec.driftPolicy says",
            );
            work.verdict(ConditionType::Live, ConditionStatus::Unknown, Reason::NotVerifiable, "n8n holds what somebody else put there");
            return Ok(Outcome::Settled(format!("version {} was changed in n8n, which spec.driftPolicy ignores", self.version)));
        }
        work.verdict(ConditionType::Synced, ConditionStatus::True, Reason::Synced, format!("n8n holds version {}", self.version));
        work.status.last_attempted_version = Some(self.version);
        let newly = work.status.active_version != Some(self.version);
        self.note(work, remote);
        if publication != Publication::Published {
            if newly {
                // A caller waits for the id, whether or not this is published.
                wake_callers(work);
            }
            if let Some(hold) = hold {
                return Err(self.held_up(work, remote, hold));
            }
            if !remote.active {
                work.status.published_at = None;
            }
            work.status.active_version = Some(self.version);
            work.status.intent = None;
            return Ok(self.unpublished(work, publication));
        }
        if deployed.published || newly || work.status.published_at.is_none() {
            work.status.published_at =
                Some(whole_seconds(work.status.intent.as_ref().map_or_else(|| work.now(), |intent| intent.started_at.0)));
        }
        let timer = work.ctx.metrics.time("observe");
        let live = observe::check_live(work, self.connection, self.definition).await?;
        timer.done();
        if !live {
            return self.not_live(work);
        }
        work.ctx.claims().serves(&work.uid());
        self.prove(work, remote).await?;
        work.status.active_version = Some(self.version);
        work.status.intent = None;
        work.status.webhook_urls = observe::urls(self.connection, self.definition);
        if newly || deployed.published {
            wake_callers(work);
        }
        let said = match self.choice {
            Choice::Pinned(_) => format!("version {} is pinned and serves", self.version),
            _ => format!("version {} serves", self.version),
        };
        Ok(Outcome::Settled(said))
    }

    /// What somebody changed and the policy leaves is said, not settled.
    fn left_alone(&self, work: &mut Work<'_>, deployed: &Deployed) -> Option<Outcome> {
        use crate::domain::plan::Drift;
        if deployed.left.iter().all(|drift| *drift == Drift::DraftEdited) || work.spec().drift_policy == DriftPolicy::Ignore {
            return None;
        }
        let reason = if work.spec().drift_policy == DriftPolicy::Report { Reason::DriftReported } else { Reason::DriftContested };
        let said = work
            .details
            .iter()
            .find(|verdict| verdict.kind == ConditionType::Drifted)
            .map(|verdict| verdict.message.clone())
            .unwrap_or_default();
        work.verdict(ConditionType::Synced, ConditionStatus::False, reason, &said);
        Some(Outcome::Held(reason, format!("changed in n8n: {said}")))
    }

    fn note(&self, work: &mut Work<'_>, remote: &RemoteWorkflow) {
        let n8n_version = remote.active_version_id.clone().or_else(|| remote.version_id.clone());
        let left = work.details.iter().any(|verdict| verdict.kind == ConditionType::Drifted && verdict.status == ConditionStatus::True);
        if let Some(record) = work.status.history.iter_mut().find(|record| record.version == self.version)
            && !left
        {
            record.n8n_version_id = n8n_version;
        }
    }

    /// The draft is saved and publication waits. What was published before goes on serving and stays what is reported.
    fn held_up(&self, work: &mut Work<'_>, remote: &RemoteWorkflow, hold: Trouble) -> Failure {
        work.status.intent = None;
        if !remote.active {
            work.status.published_at = None;
            work.status.webhook_urls.clear();
            work.verdict(ConditionType::Live, ConditionStatus::Unknown, Reason::NotPublished, Reason::NotPublished.meaning());
        }
        hold.into()
    }

    fn unpublished(&self, work: &mut Work<'_>, publication: Publication) -> Outcome {
        work.verdict(ConditionType::Live, ConditionStatus::Unknown, Reason::NotPublished, Reason::NotPublished.meaning());
        work.verdict(
            ConditionType::Healthy,
            ConditionStatus::Unknown,
            Reason::HealthNotChecked,
            "the workflow is not published by Weirkeeper",
        );
        work.status.webhook_urls.clear();
        work.ctx.forget_claims(&work.uid());
        Outcome::Settled(match publication {
            Publication::Unpublished => format!("version {} is saved and not published", self.version),
            _ => format!("version {} is saved; publication is left to people", self.version),
        })
    }

    fn not_live(&self, work: &mut Work<'_>) -> Result<Outcome, Failure> {
        let message = work
            .details
            .iter()
            .find(|verdict| verdict.kind == ConditionType::Live)
            .map(|verdict| verdict.message.clone())
            .unwrap_or_default();
        let attempts = count_failure(work);
        let proven = history::numbered(&work.status.history, self.version).is_some_and(|record| record.result == VersionResult::Good);
        if attempts >= 3 && !proven {
            return Err(Failure::Version(Reason::PublishUnconfirmed, message));
        }
        Err(Trouble::transient(Reason::NotLive, message).into())
    }

    /// Probes once after a deployment, then the bake time; both decide whether the version is a good one.
    async fn prove(&self, work: &mut Work<'_>, remote: &RemoteWorkflow) -> Result<(), Failure> {
        let result = history::numbered(&work.status.history, self.version).map(|record| record.result);
        if !matches!(result, Some(VersionResult::Deployed | VersionResult::Good)) {
            if let Some(said) = observe::probe(work, self.connection, self.definition).await? {
                work.verdict(ConditionType::Healthy, ConditionStatus::False, Reason::ProbeFailed, &said);
                return Err(Failure::Version(Reason::ProbeFailed, said));
            }
            let now = work.now();
            history::judge(&mut work.status.history, self.version, VersionResult::Deployed, None, now);
        }
        let timer = work.ctx.metrics.time("watch");
        let health = watch_health::watch(work, self.connection, remote).await?;
        timer.done();
        let baking = history::numbered(&work.status.history, self.version).is_some_and(|record| record.result == VersionResult::Deployed);
        match health {
            Health::Failing(_) if baking && !matches!(self.choice, Choice::LastGood(_)) => {
                let said = work
                    .details
                    .iter()
                    .find(|verdict| verdict.kind == ConditionType::Healthy)
                    .map(|verdict| verdict.message.clone())
                    .unwrap_or_default();
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

    /// Takes the version's webhook paths, or says who waits: one owner for each path of the instance.
    async fn claim_paths(&self, work: &mut Work<'_>, bound: &Bound) -> Result<Option<Trouble>, Trouble> {
        let endpoints = webhook_endpoints(self.definition);
        let routes: Vec<Route> = endpoints
            .iter()
            .filter(|endpoint| endpoint.verifiable)
            .flat_map(|endpoint| endpoint.methods.iter().map(|method| (method.clone(), endpoint.url_path())))
            .map(|(method, path)| Route { instance: self.connection.key(), method, path })
            .collect();
        let created = work.workflow.metadata.creation_timestamp.as_ref().map_or(jiff::Timestamp::UNIX_EPOCH, |time| time.0);
        let taken = work.ctx.claims().claim(&work.uid(), created, &routes);
        if let Some(route) = taken {
            return Ok(Some(Trouble::waiting(
                Reason::WebhookPathTaken,
                format!(
                    "another Workflow on this instance serves {} {}; this one goes live by itself when the path is free",
                    route.method, route.path
                ),
            )));
        }
        // After n8n refused a path, publishing again would only disturb: some refusals take the workflow offline.
        let refused =
            find(&work.status.conditions, ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::WebhookPathTaken.as_str());
        // Where our own workflow is published, it may be what serves the path: an interrupted pass may have got that far.
        let published = matches!(bound, Bound::Existing(remote) if remote.active);
        if refused && !published {
            for endpoint in &endpoints {
                let check = observe::check(self.connection, &endpoints, endpoint).await.map_err(|error| connections::trouble(&error))?;
                if matches!(check, WebhookCheck::Registered(_)) {
                    return Ok(Some(Trouble::waiting(
                        Reason::WebhookPathTaken,
                        format!(
                            "a workflow in n8n that is not managed here serves {}; this one goes live by itself when the path is free",
                            endpoint.url_path()
                        ),
                    )));
                }
            }
        }
        Ok(None)
    }
}

/// The content of a version: ids of what was adopted are kept, the others derived, names replaced by symbols.
pub(super) async fn symbolic(work: &Work<'_>, gathered: &Gathered) -> Result<Symbolic, Trouble> {
    let mut definition = gathered.definition.clone();
    if work.status.origin == Some(Origin::Adopted)
        && let Some(adopted) = versions::adopted_nodes(work).await?
    {
        let nodes: Vec<serde_json::Value> = adopted.nodes.into_iter().map(|node| serde_json::Value::Object(node.0)).collect();
        keep_ids(&mut definition, &nodes);
    }
    Ok(symbolise(definition, work.spec(), &work.seed()))
}

fn display_name(work: &Work<'_>, definition: &Definition) -> String {
    work.spec().display_name.clone().or_else(|| definition.name.clone()).unwrap_or_else(|| work.name().chars().take(128).collect())
}
