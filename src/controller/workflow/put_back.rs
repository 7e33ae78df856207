//! The short way back: n8n keeps the versions that it published, and publishing one again by its id needs no credential,
//! no reference and no body of ours. What blocks a deployment therefore does not block a rollback.

use std::collections::BTreeSet;

use serde_json::Value;

use super::converge::Round;
use super::deploy::{Failure, read_back, was_not_live};
use super::observe;
use super::work::Work;
use crate::api::condition::{ConditionStatus, ConditionType, whole_seconds};
use crate::api::workflow_status::{Intent, Operation};
use crate::controller::connections;
use crate::domain::conclude::Outcome;
use crate::domain::definition::Definition;
use crate::domain::history;
use crate::domain::remote::{RemoteVersion, RemoteWorkflow};
use crate::domain::trouble::Trouble;

impl Round<'_> {
    /// Publishes the version as n8n still has it, and tells whether that serves now. Where it does not work, the stored body
    /// is sent instead.
    pub(super) async fn put_back(&self, work: &mut Work<'_>, remote: &mut RemoteWorkflow) -> Result<bool, Failure> {
        let kept = history::numbered(&work.status.history, self.version).and_then(|record| record.n8n_version_id.clone());
        let Some(kept) = kept.filter(|_| work.spec().active == Some(true) && !remote.is_archived) else { return Ok(false) };
        if remote.active && remote.active_version_id.as_ref() == Some(&kept) && !was_not_live(work) {
            return Ok(true);
        }
        let client = &self.connection.client;
        let content = client.get_version(&remote.id, &kept).await.map_err(|error| connections::trouble(&error))?;
        if !content.is_some_and(|content| same_nodes(self.definition, &content)) {
            return Ok(false);
        }
        self.connection.trusted()?;
        let serving = remote.active.then(|| remote.active_version_id.clone()).flatten();
        let earlier = work.status.intent.take().and_then(|intent| intent.last_good_n8n_version_id);
        work.status.intent = Some(Intent::new(Operation::Rollback, self.digest, serving.or(earlier), work.now()));
        work.save().await?;
        if client.publish(&remote.id, Some(&kept)).await.is_err() {
            return Ok(false);
        }
        work.status.published_at = Some(whole_seconds(work.now()));
        *remote = read_back(self.connection, &remote.id).await?;
        Ok(remote.active && remote.active_version_id.as_ref() == Some(&kept))
    }

    /// The version serves, and our own copy of it cannot be sent, so draft and settings stay as they are.
    pub(super) async fn serves_as_n8n_kept_it(&self, work: &mut Work<'_>, why: &Trouble) -> Result<Outcome, Failure> {
        if !observe::check_live(work, self.connection, self.definition, true).await? {
            return self.not_live(work);
        }
        self.serves(work);
        let said = format!("n8n serves the copy of version {} that it kept; draft and settings wait: {why}", self.version);
        work.verdict(ConditionType::Synced, ConditionStatus::False, why.reason, &said);
        Ok(Outcome::Settled(said))
    }
}

/// n8n never changes a version, so this only tells a wrong id from the right one.
fn same_nodes(definition: &Definition, kept: &RemoteVersion) -> bool {
    let identity = |node: &serde_json::Map<String, Value>| {
        let text = |key| node.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("id"), text("name"), text("type"))
    };
    let ours: BTreeSet<_> = definition.nodes.iter().map(|node| identity(&node.0)).collect();
    let theirs: BTreeSet<_> = kept.nodes.iter().filter_map(Value::as_object).map(identity).collect();
    ours == theirs
}
