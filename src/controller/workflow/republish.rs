//! Publication of versions that n8n keeps: publishing one again by its id sends no credential, reference or body. What blocks a deployment
//! therefore does not block a rollback, unless it is a missing grant.

use std::collections::BTreeSet;

use serde_json::Value;

use super::attempt::Attempt;
use super::bind::Bound;
use super::failure_class;
use super::reconciliation::Reconciliation;
use super::remote::read_back;
use super::{answered, observe, resolve, route_claims};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow_status::Intent;
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::history;
use crate::domain::recovery::{self, Published};
use crate::domain::remote::{RemoteVersion, RemoteWorkflow};

/// Publishes again what an earlier attempt took offline, before the next attempt, whatever that has to wait for. Returns the digest of the
/// earlier attempt.
pub(super) async fn recover(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    bound: &mut Bound,
) -> Result<Option<String>, ReconcileError> {
    let Bound::Existing(remote) = bound else { return Ok(None) };
    let active = rec.spec().active == Some(true);
    let Some(left) = recovery::left_offline(rec.status.intent.as_ref(), active, remote.active, rec.spec().rollback) else {
        return Ok(None);
    };
    connection.trusted()?;
    // Best effort: n8n may have dropped the version, and then the deployment itself publishes it.
    if let Some(version) = left.publish
        && connection.client.publish(&remote.id, Some(version)).await.is_ok()
    {
        **remote = read_back(connection, &remote.id).await?;
    }
    Ok(Some(left.digest.to_owned()))
}

impl Attempt<'_> {
    /// Returns the id under which n8n keeps the version.
    fn kept_as(&self, rec: &Reconciliation<'_>) -> Option<String> {
        history::numbered(&rec.status.history, self.version)?.n8n_version_id.clone()
    }

    /// Publishes a version again whose webhooks did not answer although n8n reports it as published: that registers them. Returns whether
    /// that was done.
    pub(super) async fn reregister_webhooks(&self, rec: &mut Reconciliation<'_>, remote: &mut RemoteWorkflow) -> Result<bool, Failure> {
        let kept = self.kept_as(rec);
        let serving = remote.active_version_id.clone().filter(|_| remote.active && rec.spec().active == Some(true));
        let now = rec.now();
        let facts = Published {
            published: serving.as_deref(),
            kept: kept.as_deref(),
            missing: rec.webhooks_were_missing,
            may_come: self.connection.client.publishes_later() && answered::published_for(rec) < answered::APPLIED_WITHIN,
            reregistrations: rec.ctx.remember(&rec.uid(), |memory| memory.reregistrations.count(now)),
        };
        if !recovery::reregisters(facts) {
            return Ok(false);
        }
        // n8n takes webhooks away while it handles a write of somebody else, which a publication would overwrite.
        let missing = observe::check_live(rec, self.connection, &self.definition, true).await?;
        *remote = read_back(self.connection, &remote.id).await?;
        if missing.is_none() || !remote.active || remote.active_version_id != serving {
            return Ok(false);
        }
        self.connection.trusted()?;
        let before = rec.status.intent.clone();
        if before.is_none() {
            rec.status.announce(Intent::new(self.operation, &self.digest, serving.clone(), now));
        }
        rec.save().await?;
        rec.ctx.remember(&rec.uid(), |memory| memory.reregistrations.note(now));
        if let Err(error) = self.connection.client.publish(&remote.id, serving.as_deref()).await {
            // It was published before, so n8n's answer is about this moment and not about the version.
            return Err(match failure_class::read(&error) {
                FailureClass::Never(_, words) | FailureClass::NotNow(_, words) => ReconcileError::transient(Reason::NotLive, words).into(),
                FailureClass::Perhaps(_, _, error) | FailureClass::Nothing(error) => error.into(),
            });
        }
        *remote = read_back(self.connection, &remote.id).await?;
        rec.status.restore_intent(before);
        Ok(true)
    }

    /// Publishes the version as n8n still has it, and returns whether it is published now. If that fails, the stored body is sent instead.
    pub(super) async fn republish(
        &self,
        rec: &mut Reconciliation<'_>,
        remote: &mut RemoteWorkflow,
        adopted: bool,
    ) -> Result<bool, Failure> {
        let kept = self.kept_as(rec);
        let Some(kept) = kept.filter(|_| rec.spec().active == Some(true) && !remote.is_archived) else { return Ok(false) };
        if remote.active && remote.active_version_id.as_ref() == Some(&kept) {
            return Ok(true);
        }
        // A grant that was removed takes nothing offline, and publishes nothing either.
        resolve::check_grants(rec, self.connection, &self.definition, adopted).await?;
        let client = &self.connection.client;
        let content = client.get_version(&remote.id, &kept).await?;
        if !content.is_some_and(|content| same_nodes(&self.definition, &content)) {
            return Ok(false);
        }
        self.connection.trusted()?;
        let serving = remote.active.then(|| remote.active_version_id.clone()).flatten();
        let now = rec.now();
        rec.status.announce_rollback(&self.digest, serving, now);
        rec.save().await?;
        if client.publish(&remote.id, Some(&kept)).await.is_err() {
            return Ok(false);
        }
        rec.status.record_published_at(now);
        *remote = read_back(self.connection, &remote.id).await?;
        Ok(remote.active && remote.active_version_id.as_ref() == Some(&kept))
    }

    /// Records that the version is published while its stored body cannot be sent, so draft and settings stay as they are.
    pub(super) async fn accept_kept_copy(&self, rec: &mut Reconciliation<'_>, why: &ReconcileError) -> Result<Outcome, Failure> {
        if let Some(missing) = observe::check_live(rec, self.connection, &self.definition, true).await? {
            return self.not_live(rec, missing);
        }
        self.record_published(rec);
        let now = rec.now();
        rec.status.ensure_published_at(now);
        route_claims::confirm_published(rec, self.connection, self.version, &self.definition).await?;
        let message = format!("the copy of version {} that n8n kept is published; draft and settings wait: {why}", self.version);
        rec.set_condition(ConditionType::Synced, ConditionStatus::False, why.reason, &message);
        Ok(Outcome::Ready(message))
    }
}

/// Compares the nodes: n8n never changes a version, so this only tells a wrong id from the right one.
fn same_nodes(definition: &Definition, kept: &RemoteVersion) -> bool {
    let identity = |node: &serde_json::Map<String, Value>| {
        let text = |key| node.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("id"), text("name"), text("type"))
    };
    let ours: BTreeSet<_> = definition.nodes.iter().map(|node| identity(&node.0)).collect();
    let theirs: BTreeSet<_> = kept.nodes.iter().filter_map(Value::as_object).map(identity).collect();
    ours == theirs
}
