//! One attempt of a reconciliation to bring a version to n8n: resolve, decide the publication, deploy, verify.

use std::collections::BTreeSet;

use super::bind::{self, Bound};
use super::deploy::{Deployed, deploy};
use super::deployment::{Deployment, left_offline_too_often, proven};
use super::quota::Taken;
use super::reconciliation::Reconciliation;
use super::resolve::{Resolved, resolve};
use super::{callers, credentials, quota, route_claims, tags, validate, versions};
use crate::api::reason::Reason;
use crate::api::workflow_status::{IntentOperation, VersionSource};
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::document::endpoints::endpoint_conflicts;
use crate::document::finding::summarise;
use crate::domain::error::ReconcileError;
use crate::domain::failure::Failure;
use crate::domain::history;
use crate::domain::plan::Publication;
use crate::domain::quota::places::Places;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::domain::render::content_digest;

/// An attempt at one version.
pub(super) struct Attempt<'a> {
    pub(super) connection: &'a Connection,
    /// Set if an earlier attempt at it left the workflow offline.
    pub(super) left_offline: bool,
    /// Set if the version is pinned.
    pub(super) pinned: bool,
    pub(super) version: i64,
    pub(super) digest: String,
    pub(super) definition: Definition,
    pub(super) operation: IntentOperation,
    /// Name of the workflow in n8n.
    pub(super) name: String,
}

/// State of n8n after the writes of an attempt.
pub(super) enum Applied {
    /// n8n published the copy that it kept; the stored body cannot be sent because of this error.
    Republished(ReconcileError),
    /// n8n holds the version.
    Deployed {
        deployed: Box<Deployed>,
        publication: Publication,
        /// Reason why publication waits, if it does.
        hold: Option<ReconcileError>,
    },
}

impl Attempt<'_> {
    /// Applies the version to n8n: updates the workflow, or creates it.
    pub(super) async fn apply(&self, rec: &mut Reconciliation<'_>, bound: &mut Bound) -> Result<Applied, Failure> {
        let (mut reregistered, mut republished, mut served) = (false, false, BTreeSet::new());
        let adopted = self.is_adopted(rec).await?;
        if let Bound::Existing(remote) = bound {
            served = credentials::served(remote);
            reregistered = self.reregister_webhooks(rec, remote).await?;
            republished = self.operation == IntentOperation::Rollback && self.republish(rec, remote, adopted).await?;
        }
        let resolved = resolve(rec, self.connection, &self.definition, &self.name, (adopted, &served)).await;
        let Resolved { mut rendered, hold } = match resolved {
            Ok(Resolved { hold: Some(why), .. }) | Err(why) if republished => return Ok(Applied::Republished(why)),
            resolved => resolved?,
        };
        let own = !self.pinned && self.operation != IntentOperation::Rollback;
        let required = validate::required(rec, self.connection, own, &rendered.credentials).await?;
        rec.status.record_credentials(required);
        let named: BTreeSet<String> = rendered.credentials.iter().filter_map(|one| one.credential_ref.clone()).collect();
        let (publication, hold) = self.publication(rec, bound, adopted, hold).await?;
        if let (Some(why), Bound::Existing(remote)) = (&hold, &*bound)
            && remote.active
            && rec.confirmed(self.version)
        {
            // The version is published as it should be; a dependency that went missing since could only take something away from it.
            return Err(why.clone().into());
        }
        rec.status.record_credentials_sent(&named);
        let remote = self.bind_or_create(rec, bound, &mut rendered.write).await?;
        let wanted = Deployment {
            version: self.version,
            digest: &self.digest,
            write: &rendered.write,
            publication,
            operation: self.operation,
            counts: self.counts(),
        };
        let timer = rec.ctx.metrics.time("deploy");
        let mut deployed = deploy(rec, self.connection, &wanted, *remote).await?;
        timer.done();
        deployed.wrote |= reregistered;
        // Otherwise what is published may be an older version.
        let all_of_it = hold.is_none() && (publication != Publication::Untouched || !deployed.remote.active);
        if all_of_it && deployed.left.is_empty() {
            rec.status.record_credentials_confirmed(named);
        }
        Ok(Applied::Deployed { deployed: Box::new(deployed), publication, hold })
    }

    /// Reports whether the attempt may bring a new version to n8n: it is neither a rollback nor a stored version that a person pinned.
    fn counts(&self) -> bool {
        self.operation == IntentOperation::Deploy && !self.pinned
    }

    /// Reports whether the version is the content of an adopted workflow, which needs no grants for its references. The body is read from
    /// an object that others may write, so its digest is compared; a status may be forged, so the object must confirm it, too.
    async fn is_adopted(&self, rec: &Reconciliation<'_>) -> Result<bool, ReconcileError> {
        let recorded = history::numbered(&rec.status.history, self.version)
            .is_some_and(|record| record.source == VersionSource::Adopted && record.digest == content_digest(&self.definition).to_string());
        Ok(recorded && versions::was_adopted(rec, self.version).await?)
    }

    /// Decides the publication, and the reason why it waits, if it does.
    async fn publication(
        &self,
        rec: &mut Reconciliation<'_>,
        bound: &Bound,
        adopted: bool,
        hold: Option<ReconcileError>,
    ) -> Result<(Publication, Option<ReconcileError>), Failure> {
        match rec.spec().active {
            None => return Ok((Publication::Untouched, hold)),
            Some(false) => return Ok((Publication::Unpublished, hold)),
            Some(true) => {}
        }
        // n8n rejects this with the message for a path that another workflow has, and waiting for that would never end.
        let conflicts = endpoint_conflicts(&self.definition);
        if !conflicts.is_empty() {
            return Err(Failure::Version(Reason::PublishRefused, summarise(&conflicts, 500)));
        }
        if hold.is_some() {
            // That may take long; meanwhile the object releases the webhook paths that it does not serve.
            route_claims::release_unserved(rec);
            return Ok((Publication::Untouched, hold));
        }
        if let taken @ Some(_) = route_claims::claim(rec, self.connection, &self.definition, adopted, bound).await? {
            return Ok((Publication::Untouched, taken));
        }
        // An interrupted operator says nothing about the version; an attempt that left the workflow offline does.
        if self.left_offline && left_offline_too_often(rec) && !proven(rec, self.operation, self.version) {
            let message = "each of several publications left the workflow offline";
            return Err(Failure::Version(Reason::PublishUnconfirmed, message.to_owned()));
        }
        Ok((Publication::Published, None))
    }

    /// Returns the workflow in n8n; creates it if there is none.
    async fn bind_or_create(
        &self,
        rec: &mut Reconciliation<'_>,
        bound: &mut Bound,
        write: &mut WorkflowWrite,
    ) -> Result<Box<RemoteWorkflow>, Failure> {
        if let Bound::Existing(remote) = std::mem::replace(bound, Bound::ToCreate) {
            rec.mark().put_beside(&mut write.settings, &remote.settings);
            return Ok(remote);
        }
        // A workflow that somebody deleted in n8n is created again: that is no new version.
        if self.counts() && rec.status.last_attempted_version != Some(self.version) {
            quota::reserve(rec, self.version).await?;
        }
        let created = bind::create(rec, self.connection, write, &self.definition, &self.digest).await;
        if created.is_err() && !Places::of(&rec.status).workflow {
            quota::settle(rec, self.version, Taken::No).await;
        }
        created
    }

    /// Syncs what is not part of the version: callers, and at last the tags, which delay nothing else.
    pub(super) async fn sync_surroundings(&self, rec: &mut Reconciliation<'_>, deployed: Box<Deployed>) -> Result<(), Failure> {
        if let Some(error) = deployed.misplaced {
            return Err(error.into());
        }
        callers::sync(rec, self.connection, &deployed.remote, &self.definition).await?;
        tags::sync(rec, self.connection, &deployed.remote).await?;
        Ok(())
    }
}
