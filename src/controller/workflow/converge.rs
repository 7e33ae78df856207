//! The pass over a living object: gather, judge, bind, choose, resolve, deploy, observe, watch. Each step takes what the one
//! before it returned, so that none can be left out.

use super::bind::{self, Bound, CreateFailed};
use super::deploy::{Deployment, Failure, deploy, left_offline_too_often, proven};
use super::fail::{fail, handle_reset, held, rolled_back_or};
use super::gather::LoadedSource;
use super::resolve::{Resolved, resolve};
use super::work::Work;
use super::{callers, judge, republish, route_claims, suspend, tags, versions};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::{Class, Reason};
use crate::api::workflow_status::{Operation, Origin, VersionSource};
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::document::derive::keep_ids;
use crate::document::endpoints::endpoint_conflicts;
use crate::document::finding::summarise;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::plan::Publication;
use crate::domain::render::{Symbolic, abstract_references, content_digest};
use crate::domain::target::{Choice, choose, wanted};

/// A pass looks again after a failure, so that a rollback follows at once: the failed version, the good one, and what
/// might be wrong with that.
const MOST_ROUNDS: usize = 4;

/// Brings n8n to what the spec asks for, as far as it goes now.
pub(super) async fn converge(work: &mut Work<'_>) -> Result<Outcome, ReconcileError> {
    let instance = work.instance_key();
    let connection = work.ctx.connections.for_workflow(&work.namespace(), (&instance.0, &instance.1)).await?;
    let timer = work.ctx.metrics.time("gather");
    let gathered = match judge::judge(work, &connection).await {
        Ok(gathered) => gathered,
        Err(reconcile_error) => {
            watch_all_the_same(work, &connection, &reconcile_error).await;
            return Err(reconcile_error);
        }
    };
    timer.done();
    let pinned = work.pinned();
    let brought = bring(work, &connection, &gathered, pinned.as_deref()).await;
    if matches!(&brought, Err(reconcile_error) if reconcile_error.class == Class::Transient) {
        note_change(work, &gathered).await;
    }
    brought
}

/// Brings what is asked for to n8n: the version of that number, or else the spec's.
async fn bring(
    work: &mut Work<'_>,
    connection: &Connection,
    gathered: &LoadedSource,
    asked: Option<&str>,
) -> Result<Outcome, ReconcileError> {
    let timer = work.ctx.metrics.time("bind");
    let (mut bound, mut left_offline) = find(work, connection).await?;
    timer.done();
    if let Bound::LeftDeleted(note) = &bound {
        left_deleted(work, note);
        return Ok(Outcome::Blocked(Reason::DriftReported, format!("{note}; spec.driftPolicy leaves it so")));
    }
    let symbolic = symbolic(work, gathered).await?;
    let desired = judge::number(work, gathered, &symbolic).await?;
    let desired_digest = symbolic.digest.to_string();
    let wanted = wanted(desired, &desired_digest, &work.status, asked)?;
    versions::prune(work, wanted.version, &desired_digest).await?;
    handle_reset(work, &wanted.digest).await;
    let name = display_name(work, &gathered.definition);
    for _ in 0..MOST_ROUNDS {
        let choice = choose(&wanted.digest, &work.status, work.spec().rollback);
        let (version, operation) = match &choice {
            Choice::Wanted => (wanted.version, Operation::Deploy),
            Choice::LastGood(version) => (*version, Operation::Rollback),
            Choice::Hold(reason) => return held(work, connection, *reason, &wanted, &bound).await,
        };
        let definition = if version == desired { symbolic.definition.clone() } else { versions::read(work, version).await? };
        let digest = versions::digest_of(&work.status, version);
        let round = Round {
            connection,
            left_offline: left_offline.as_deref() == Some(&digest),
            pinned: wanted.pinned && operation == Operation::Deploy,
            version,
            digest: &digest,
            definition: &definition,
            operation,
        };
        // What an earlier round found is about another version.
        work.details.retain(|verdict| !matches!(verdict.kind, ConditionType::Synced | ConditionType::Live | ConditionType::Healthy));
        match round.run(work, &name, &mut bound).await {
            Ok(outcome) => return Ok(rolled_back_or(work, &choice, &wanted, outcome)),
            Err(Failure::ReconcileError(reconcile_error)) => return Err(reconcile_error),
            Err(Failure::Version(reason, message)) => {
                fail(work, &choice, version, &wanted.digest, reason, &message).await?;
                if work.status.n8n_workflow_id.is_none() {
                    continue;
                }
                (bound, left_offline) = find(work, connection).await?;
            }
        }
    }
    Err(ReconcileError::transient(Reason::RollbackFailed, "no kept version could be put back; it is tried again"))
}

/// A definition that cannot be used is no reason to leave alone what serves: it stays published, is watched and proves itself, or is
/// rolled back. What comes of that stands in the details; what the pass ends with is the definition's trouble.
async fn watch_all_the_same(work: &mut Work<'_>, connection: &Connection, reconcile_error: &ReconcileError) {
    let published = work.spec().active == Some(true) && (work.status.published_at.is_some() || work.interrupted());
    let serving = work.status.active_version.filter(|_| published);
    let Some(serving) = serving.filter(|_| matches!(reconcile_error.class, Class::Invalid | Class::Waiting)) else { return };
    let watched = match judge::kept(work, serving).await {
        Some(gathered) => bring(work, connection, &gathered, Some(&serving.to_string())).await,
        None => return,
    };
    if let Err(reconcile_error) = watched {
        tracing::debug!(reason = reconcile_error.reason.as_str(), "what serves cannot be watched");
    }
}

/// Finds the object's workflow in n8n, notes what it serves, and puts back what an attempt took offline; with the digest of
/// that attempt.
async fn find(work: &mut Work<'_>, connection: &Connection) -> Result<(Bound, Option<String>), ReconcileError> {
    let mut bound = bind::bind(work, connection).await?;
    route_claims::note_served(work, connection, &mut bound).await?;
    work.status.published = Some(matches!(&bound, Bound::Existing(remote) if remote.active));
    let left_offline = republish::recover(work, connection, &mut bound).await?;
    Ok((bound, left_offline))
}

/// One version on its way to n8n.
pub(super) struct Round<'a> {
    pub(super) connection: &'a Connection,
    /// Whether an earlier attempt at it was found to have left the workflow offline.
    pub(super) left_offline: bool,
    /// Whether a pin asks for the version.
    pub(super) pinned: bool,
    pub(super) version: i64,
    pub(super) digest: &'a str,
    pub(super) definition: &'a Definition,
    pub(super) operation: Operation,
}

impl Round<'_> {
    async fn run(&self, work: &mut Work<'_>, name: &str, bound: &mut Bound) -> Result<Outcome, Failure> {
        let mut reregistered = false;
        let mut republish = false;
        if let Bound::Existing(remote) = bound {
            reregistered = self.reregister_webhooks(work, remote).await?;
            republish = self.operation == Operation::Rollback && self.republish(work, remote).await?;
        }
        // The body is read from an object that others may write; the exemption from grants is for what was adopted, not for its name. And a
        // status may be forged, so that the object has to say so too.
        let adopted = history::numbered(&work.status.history, self.version)
            .is_some_and(|record| record.source == VersionSource::Adopted && record.digest == content_digest(self.definition).to_string());
        let adopted = adopted && versions::was_adopted(work, self.version).await?;
        let resolved = resolve(work, self.connection, self.definition, name, adopted).await;
        let Resolved { mut rendered, mut hold } = match resolved {
            Ok(Resolved { hold: Some(why), .. }) | Err(why) if republish => return self.serves_as_n8n_kept_it(work, &why).await,
            resolved => resolved?,
        };
        work.status.required_credentials = judge::required(work, self, &rendered.credentials).await?;
        if work.spec().active == Some(true) {
            // n8n answers this with the same words as a path that somebody else has, and that would wait for ever.
            let conflicts = endpoint_conflicts(self.definition);
            if !conflicts.is_empty() {
                return Err(Failure::Version(Reason::PublishRefused, summarise(&conflicts, 500)));
            }
        }
        let publication = match (work.spec().active, &hold) {
            (Some(true), None) => match route_claims::claim(work, self.connection, self.definition, adopted, bound).await? {
                None => Publication::Published,
                taken => {
                    hold = taken;
                    Publication::Untouched
                }
            },
            (Some(true), Some(_)) => {
                // It may lack that for long, and keeps no path meanwhile that it does not serve.
                route_claims::release_unserved(work);
                Publication::Untouched
            }
            (None, _) => Publication::Untouched,
            (Some(false), _) => Publication::Unpublished,
        };
        if let (Some(why), Bound::Existing(remote)) = (&hold, &*bound)
            && remote.active
            && work.confirmed(self.version)
        {
            // It serves as it was published; what is missing since then could only take something away from it.
            return Err(why.clone().into());
        }
        // That the operator was interrupted says nothing about the version; that its attempt left the workflow offline does.
        if self.left_offline
            && publication == Publication::Published
            && left_offline_too_often(work)
            && !proven(work, self.operation, self.version)
        {
            let message = "publication was asked for again and again and left the workflow offline each time";
            return Err(Failure::Version(Reason::PublishUnconfirmed, message.to_owned()));
        }
        let remote = match std::mem::replace(bound, Bound::ToCreate) {
            Bound::Existing(remote) => {
                work.mark().put_beside(&mut rendered.write.settings, &remote.settings);
                remote
            }
            _ => match bind::create(work, self.connection, &rendered.write, self.definition, self.digest).await {
                Ok(remote) => remote,
                Err(CreateFailed::Rejected(message)) => return Err(Failure::Version(Reason::RejectedByN8n, message)),
                Err(CreateFailed::ReconcileError(reconcile_error)) => return Err(reconcile_error.into()),
            },
        };
        let wanted =
            Deployment { version: self.version, digest: self.digest, write: &rendered.write, publication, operation: self.operation };
        let timer = work.ctx.metrics.time("deploy");
        let mut deployed = deploy(work, self.connection, &wanted, *remote).await?;
        timer.done();
        deployed.wrote |= reregistered;
        let outcome = match self.left_to_others(work, &deployed) {
            Some(outcome) => outcome,
            None => {
                let settled = self.settle(work, &deployed, publication, hold).await?;
                self.left_alone(work, &deployed).unwrap_or(settled)
            }
        };
        if let Some(reconcile_error) = deployed.misplaced {
            return Err(reconcile_error.into());
        }
        callers::sync(work, self.connection, &deployed.remote, self.definition).await?;
        // Tags stand in nobody's way: they come when all else is there.
        tags::sync(work, self.connection, &deployed.remote).await?;
        Ok(outcome)
    }
}

/// Somebody deleted the workflow and it stays so: nothing of it serves, and it is not missed any more.
fn left_deleted(work: &mut Work<'_>, note: &str) {
    work.set_condition(ConditionType::Drifted, ConditionStatus::True, Reason::DriftReported, note);
    for gone in [ConditionType::Synced, ConditionType::Live] {
        work.set_condition(gone, ConditionStatus::False, Reason::DriftReported, note);
    }
    work.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::HealthNotChecked, note);
    work.status.active_version = None;
    work.status.published_at = None;
    work.status.webhook_urls.clear();
    work.ctx.forget_claims(&work.uid());
}

/// n8n could not be asked, or not now. That Ready outlasts that is for what did not change; a ConfigMap or a pin changes without
/// moving the generation.
async fn note_change(work: &mut Work<'_>, gathered: &LoadedSource) {
    let known = work.status.active_version.is_some() && work.status.failed_digest.is_none();
    if known && suspend::another_wanted(work, gathered).await {
        let said = "another version is wanted than the one that n8n is known to serve";
        work.set_condition(ConditionType::Synced, ConditionStatus::False, Reason::NotSynced, said);
    }
}

/// The content of a version: ids of what was adopted are kept, the others derived, names replaced by symbols.
pub(super) async fn symbolic(work: &Work<'_>, gathered: &LoadedSource) -> Result<Symbolic, ReconcileError> {
    let mut definition = gathered.definition.clone();
    if work.status.origin == Some(Origin::Adopted)
        && let Some(adopted) = versions::adopted_nodes(work).await?
    {
        let nodes: Vec<serde_json::Value> = adopted.nodes.into_iter().map(|node| serde_json::Value::Object(node.0)).collect();
        keep_ids(&mut definition, &nodes);
    }
    Ok(abstract_references(definition, work.spec(), &work.seed()))
}

fn display_name(work: &Work<'_>, definition: &Definition) -> String {
    work.spec().display_name.clone().or_else(|| definition.name.clone()).unwrap_or_else(|| work.name().chars().take(128).collect())
}
