//! The pass over a living object: gather, judge, bind, choose, resolve, deploy, observe, watch. Each step takes what the one
//! before it returned, so that none can be left out.

use super::attempt::Attempt;
use super::bind::{self, Bound, CreateFailed};
use super::deploy::deploy;
use super::deployment::{Deployment, Failure, left_offline_too_often, proven};
use super::fail::{fail, handle_reset, held, rolled_back_or};
use super::reconciliation::Reconciliation;
use super::resolve::{Resolved, resolve};
use super::source::Source;
use super::{callers, republish, route_claims, suspend, tags, validate, versions};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::{Class, Reason};
use crate::api::workflow_status::{Operation, VersionSource};
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::document::endpoints::endpoint_conflicts;
use crate::document::finding::summarise;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::plan::Publication;
use crate::domain::render::content_digest;
use crate::domain::target::{Choice, choose, wanted};

/// A pass looks again after a failure, so that a rollback follows at once: the failed version, the good one, and what
/// might be wrong with that.
const MAX_ATTEMPTS: usize = 4;

/// Brings n8n to what the spec asks for, as far as it goes now.
pub(super) async fn converge(rec: &mut Reconciliation<'_>) -> Result<Outcome, ReconcileError> {
    let instance = rec.instance_key();
    let connection = rec.ctx.connections.for_workflow(&rec.namespace(), (&instance.0, &instance.1)).await?;
    let timer = rec.ctx.metrics.time("gather");
    let source = match validate::load(rec, &connection).await {
        Ok(source) => source,
        Err(error) => {
            watch_all_the_same(rec, &connection, &error).await;
            return Err(error);
        }
    };
    timer.done();
    let pinned = rec.pinned();
    let brought = bring(rec, &connection, &source, pinned.as_deref()).await;
    if matches!(&brought, Err(error) if error.class == Class::Transient) {
        note_change(rec, &source).await;
    }
    brought
}

/// Brings what is asked for to n8n: the version of that number, or else the spec's.
async fn bring(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    source: &Source,
    asked: Option<&str>,
) -> Result<Outcome, ReconcileError> {
    let timer = rec.ctx.metrics.time("bind");
    let (mut bound, mut left_offline) = find(rec, connection).await?;
    timer.done();
    if let Bound::LeftDeleted(note) = &bound {
        left_deleted(rec, note);
        return Ok(Outcome::Blocked(Reason::DriftReported, format!("{note}; spec.driftPolicy leaves it so")));
    }
    let symbolic = versions::symbolic(rec, &source.definition).await?;
    let desired = validate::number(rec, source, &symbolic).await?;
    let desired_digest = symbolic.digest.to_string();
    let wanted = wanted(desired, &desired_digest, &rec.status, asked)?;
    versions::prune(rec, wanted.version, &desired_digest).await?;
    handle_reset(rec, &wanted.digest).await;
    let name = display_name(rec, &source.definition);
    for _ in 0..MAX_ATTEMPTS {
        let choice = choose(&wanted.digest, &rec.status, rec.spec().rollback);
        let (version, operation) = match &choice {
            Choice::Wanted => (wanted.version, Operation::Deploy),
            Choice::LastGood(version) => (*version, Operation::Rollback),
            Choice::Hold(reason) => return held(rec, connection, *reason, &wanted, &bound).await,
        };
        let definition = if version == desired { symbolic.definition.clone() } else { versions::read(rec, version).await? };
        let digest = versions::digest_of(&rec.status, version);
        let attempt = Attempt {
            connection,
            left_offline: left_offline.as_deref() == Some(&digest),
            pinned: wanted.pinned && operation == Operation::Deploy,
            version,
            digest: &digest,
            definition: &definition,
            operation,
        };
        // What an earlier round found is about another version.
        rec.details.retain(|verdict| !matches!(verdict.kind, ConditionType::Synced | ConditionType::Live | ConditionType::Healthy));
        match attempt.run(rec, &name, &mut bound).await {
            Ok(outcome) => return Ok(rolled_back_or(rec, &choice, &wanted, outcome)),
            Err(Failure::ReconcileError(error)) => return Err(error),
            Err(Failure::Version(reason, message)) => {
                fail(rec, &choice, version, &wanted.digest, reason, &message).await?;
                if rec.status.n8n_workflow_id.is_none() {
                    continue;
                }
                (bound, left_offline) = find(rec, connection).await?;
            }
        }
    }
    Err(ReconcileError::transient(Reason::RollbackFailed, "no kept version could be put back; it is tried again"))
}

/// A definition that cannot be used is no reason to leave alone what serves: it stays published, is watched and proves itself, or is
/// rolled back. What comes of that stands in the details; what the pass ends with is the definition's trouble.
async fn watch_all_the_same(rec: &mut Reconciliation<'_>, connection: &Connection, error: &ReconcileError) {
    let published = rec.spec().active == Some(true) && (rec.status.published_at.is_some() || rec.interrupted());
    let serving = rec.status.active_version.filter(|_| published);
    let Some(serving) = serving.filter(|_| matches!(error.class, Class::Invalid | Class::Waiting)) else { return };
    let watched = match validate::kept(rec, serving).await {
        Some(source) => bring(rec, connection, &source, Some(&serving.to_string())).await,
        None => return,
    };
    if let Err(error) = watched {
        tracing::debug!(reason = error.reason.as_str(), "what serves cannot be watched");
    }
}

/// Finds the object's workflow in n8n, notes what it serves, and puts back what an attempt took offline; with the digest of
/// that attempt.
async fn find(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<(Bound, Option<String>), ReconcileError> {
    let mut bound = bind::bind(rec, connection).await?;
    route_claims::note_served(rec, connection, &mut bound).await?;
    rec.status.record_publication(matches!(&bound, Bound::Existing(remote) if remote.active));
    let left_offline = republish::recover(rec, connection, &mut bound).await?;
    Ok((bound, left_offline))
}

impl Attempt<'_> {
    async fn run(&self, rec: &mut Reconciliation<'_>, name: &str, bound: &mut Bound) -> Result<Outcome, Failure> {
        let mut reregistered = false;
        let mut republish = false;
        if let Bound::Existing(remote) = bound {
            reregistered = self.reregister_webhooks(rec, remote).await?;
            republish = self.operation == Operation::Rollback && self.republish(rec, remote).await?;
        }
        // The body is read from an object that others may write; the exemption from grants is for what was adopted, not for its name. And a
        // status may be forged, so that the object has to say so too.
        let adopted = history::numbered(&rec.status.history, self.version)
            .is_some_and(|record| record.source == VersionSource::Adopted && record.digest == content_digest(self.definition).to_string());
        let adopted = adopted && versions::was_adopted(rec, self.version).await?;
        let resolved = resolve(rec, self.connection, self.definition, name, adopted).await;
        let Resolved { mut rendered, mut hold } = match resolved {
            Ok(Resolved { hold: Some(why), .. }) | Err(why) if republish => return self.serves_as_n8n_kept_it(rec, &why).await,
            resolved => resolved?,
        };
        let credentials = validate::required(rec, self, &rendered.credentials).await?;
        rec.status.record_credentials(credentials);
        if rec.spec().active == Some(true) {
            // n8n answers this with the same words as a path that somebody else has, and that would wait for ever.
            let conflicts = endpoint_conflicts(self.definition);
            if !conflicts.is_empty() {
                return Err(Failure::Version(Reason::PublishRefused, summarise(&conflicts, 500)));
            }
        }
        let publication = match (rec.spec().active, &hold) {
            (Some(true), None) => match route_claims::claim(rec, self.connection, self.definition, adopted, bound).await? {
                None => Publication::Published,
                taken => {
                    hold = taken;
                    Publication::Untouched
                }
            },
            (Some(true), Some(_)) => {
                // It may lack that for long, and keeps no path meanwhile that it does not serve.
                route_claims::release_unserved(rec);
                Publication::Untouched
            }
            (None, _) => Publication::Untouched,
            (Some(false), _) => Publication::Unpublished,
        };
        if let (Some(why), Bound::Existing(remote)) = (&hold, &*bound)
            && remote.active
            && rec.confirmed(self.version)
        {
            // It serves as it was published; what is missing since then could only take something away from it.
            return Err(why.clone().into());
        }
        // That the operator was interrupted says nothing about the version; that its attempt left the workflow offline does.
        if self.left_offline
            && publication == Publication::Published
            && left_offline_too_often(rec)
            && !proven(rec, self.operation, self.version)
        {
            let message = "publication was asked for again and again and left the workflow offline each time";
            return Err(Failure::Version(Reason::PublishUnconfirmed, message.to_owned()));
        }
        let remote = match std::mem::replace(bound, Bound::ToCreate) {
            Bound::Existing(remote) => {
                rec.mark().put_beside(&mut rendered.write.settings, &remote.settings);
                remote
            }
            _ => match bind::create(rec, self.connection, &rendered.write, self.definition, self.digest).await {
                Ok(remote) => remote,
                Err(CreateFailed::Rejected(message)) => return Err(Failure::Version(Reason::RejectedByN8n, message)),
                Err(CreateFailed::ReconcileError(error)) => return Err(error.into()),
            },
        };
        let wanted =
            Deployment { version: self.version, digest: self.digest, write: &rendered.write, publication, operation: self.operation };
        let timer = rec.ctx.metrics.time("deploy");
        let mut deployed = deploy(rec, self.connection, &wanted, *remote).await?;
        timer.done();
        deployed.wrote |= reregistered;
        let outcome = match self.left_to_others(rec, &deployed) {
            Some(outcome) => outcome,
            None => {
                let settled = self.settle(rec, &deployed, publication, hold).await?;
                self.left_alone(rec, &deployed).unwrap_or(settled)
            }
        };
        if let Some(error) = deployed.misplaced {
            return Err(error.into());
        }
        callers::sync(rec, self.connection, &deployed.remote, self.definition).await?;
        // Tags stand in nobody's way: they come when all else is there.
        tags::sync(rec, self.connection, &deployed.remote).await?;
        Ok(outcome)
    }
}

/// Somebody deleted the workflow and it stays so: nothing of it serves, and it is not missed any more.
fn left_deleted(rec: &mut Reconciliation<'_>, note: &str) {
    rec.set_condition(ConditionType::Drifted, ConditionStatus::True, Reason::DriftReported, note);
    for gone in [ConditionType::Synced, ConditionType::Live] {
        rec.set_condition(gone, ConditionStatus::False, Reason::DriftReported, note);
    }
    rec.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::HealthNotChecked, note);
    rec.status.record_deleted_in_n8n();
    rec.ctx.forget_claims(&rec.uid());
}

/// n8n could not be asked, or not now. That Ready outlasts that is for what did not change; a ConfigMap or a pin changes without
/// moving the generation.
async fn note_change(rec: &mut Reconciliation<'_>, source: &Source) {
    let known = rec.status.active_version.is_some() && rec.status.failed_digest.is_none();
    if known && suspend::another_wanted(rec, source).await {
        let said = "another version is wanted than the one that n8n is known to serve";
        rec.set_condition(ConditionType::Synced, ConditionStatus::False, Reason::NotSynced, said);
    }
}

fn display_name(rec: &Reconciliation<'_>, definition: &Definition) -> String {
    rec.spec().display_name.clone().or_else(|| definition.name.clone()).unwrap_or_else(|| rec.name().chars().take(128).collect())
}
