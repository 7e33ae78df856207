//! Deletion by policy. It reads no Secret and needs no valid spec. It waits for Workflows that use the credential as the policy says, and for n8n
//! within the time limit only.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::core::PartialObjectMetaExt;
use kube::runtime::events::EventType;
use tracing::{info, warn};

use super::bind::{check_instance_identity, is_own, listed, still_arriving};
use super::reconciliation::Reconciliation;
use super::report;
use crate::api::CREDENTIAL_FINALIZER;
use crate::api::credential::{CredentialDeletionPolicy, N8nCredential};
use crate::api::credential_status::CredentialOrigin;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::controller::context::Context;
use crate::controller::runtime::reconcile::{Ended, Next};
use crate::domain::backoff;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::credential::mark::unmarked;
use crate::domain::error::ReconcileError;
use crate::domain::identity::longest_life;
use crate::domain::remote::RemoteCredential;
use crate::kubernetes::decoded::Undecodable;
use crate::kubernetes::objects;
use crate::n8n::CredentialUpdate;

/// Minimum delay between two attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Time after which it is looked again whether Workflows still use the credential; their deletion is noticed at once.
const USED_AGAIN: Duration = Duration::from_secs(10);
/// Minimum length of a name in n8n, in characters.
const SHORTEST_NAME: usize = 3;

/// Deletes or releases the credential in n8n, and removes the finalizer.
pub(super) async fn clean_up(rec: &mut Reconciliation<'_>) -> Ended {
    if !objects::has_finalizer(&rec.credential.metadata, CREDENTIAL_FINALIZER) {
        rec.ctx.forget_credential(&rec.uid());
        return Ended::for_good(Reason::Cleaned);
    }
    if let Some(waiting) = used(rec) {
        let found = Found { outcome: Outcome::InProgress(Reason::CredentialInUse, waiting), details: Vec::new() };
        return Ended { next: Next::In(USED_AGAIN), ..report::report(rec, &found).await };
    }
    let reason = match dispose_remote(rec).await {
        Ok(()) => Reason::Cleaned,
        Err(error) if time_left(rec).is_zero() => {
            let note = format!(
                "n8n was not cleaned up within the time limit, so the finalizer is removed: {}; look for the credential in n8n",
                error.message
            );
            warn!(reason = error.reason.as_str(), "cleanup abandoned");
            rec.ctx.send_event(&rec.credential, EventType::Warning, Reason::CleanupAbandoned, note).await;
            rec.ctx.metrics.abandoned.inc();
            Reason::CleanupAbandoned
        }
        Err(mut error) => {
            rec.doubt_instance(&error);
            if matches!(error.reason, Reason::Unauthorized | Reason::MissingScope) {
                error = rec.forget_key(error);
            }
            error.message = format!("being deleted: {}", error.message);
            let pause = error
                .requeue_after
                .unwrap_or_else(|| backoff::at_least(rec.ctx.runtime.backoffs.after_failure(&rec.uid()), error.retry_after));
            let found = Found { outcome: Outcome::InProgress(Reason::Deleting, error.message), details: Vec::new() };
            let ended = report::report(rec, &found).await;
            return Ended { next: Next::In(pause.min(time_left(rec)).max(SHORTEST_PAUSE)), ..ended };
        }
    };
    match objects::set_finalizer(&rec.ctx.client, &rec.credential, CREDENTIAL_FINALIZER, false).await {
        Ok(_) => {
            info!(reason = reason.as_str(), "finalizer removed");
            rec.ctx.forget_credential(&rec.uid());
            Ended::for_good(reason)
        }
        Err(error) if objects::is_conflict(&error) => Ended::again_in(Reason::Progressing, Duration::from_millis(50)),
        Err(error) => {
            warn!(%error, "cannot remove the finalizer");
            Ended::failed(Reason::RequestFailed)
        }
    }
}

/// Returns the message about Workflows for which the deletion waits.
fn used(rec: &mut Reconciliation<'_>) -> Option<String> {
    rec.count_users();
    let users = rec.status.used_by.unwrap_or_default();
    (policy(rec) == CredentialDeletionPolicy::Delete && users > 0).then(|| {
        format!(
            "{users} Workflows of the namespace use the credential, and fail without it: delete them or remove it from their spec.credentials; deletionPolicy: ForceDelete does not wait"
        )
    })
}

fn policy(rec: &Reconciliation<'_>) -> CredentialDeletionPolicy {
    // An adopted credential existed before the object, whatever the status says.
    let adopts = rec.spec().adopt.as_ref().is_some_and(|adopt| rec.status.n8n_credential_id.as_ref() == Some(&adopt.id));
    let adopted = adopts || rec.status.origin == Some(CredentialOrigin::Adopted);
    rec.spec().deletion_policy.unwrap_or(if adopted { CredentialDeletionPolicy::Retain } else { CredentialDeletionPolicy::Delete })
}

/// Returns the remaining time for which n8n is tried. It begins when the deletion no longer waits for Workflows.
fn time_left(rec: &Reconciliation<'_>) -> Duration {
    rec.ctx.deletion_left_since_tried(&rec.credential.metadata)
}

async fn dispose_remote(rec: &mut Reconciliation<'_>) -> Result<(), ReconcileError> {
    if rec.status.n8n_credential_id.is_none() && rec.status.creating_since.is_none() {
        return Ok(());
    }
    // The time limit starts now.
    time_left(rec);
    let connection = connection(rec).await?;
    // An untrusted n8n proves nothing about the credential, least of all that it does not exist.
    connection.trusted()?;
    let found = match &rec.status.n8n_credential_id {
        Some(id) => {
            let found = connection.client.get_credential(id).await?;
            if found.is_none() {
                check_instance_identity(rec, &connection, &listed(&*connection.credentials(true).await?))?;
            }
            found.filter(|remote| is_own(rec, &connection, remote))
        }
        // A create was announced: the credential that it made, or may still make, must not be left behind.
        None => {
            let (all, mark) = (connection.credentials(true).await?, rec.mark());
            let own = listed(&all).into_iter().find(|one| one.mark.as_ref() == Some(&mark));
            match own {
                Some(own) => all.items.iter().find(|one| one.id == own.id).cloned(),
                None => return wait_for_late_create(rec, &connection),
            }
        }
    };
    match found {
        Some(remote) => dispose(rec, &connection, &remote).await,
        None => Ok(()),
    }
}

fn wait_for_late_create(rec: &Reconciliation<'_>, connection: &Connection) -> Result<(), ReconcileError> {
    let now = Timestamp::now();
    let left = longest_life(connection.client.longest_request()).checked_sub(rec.announced_for());
    match left.filter(|left| !left.is_zero()).and_then(|left| now.checked_add(left).ok()) {
        Some(until) => Err(still_arriving(until, now)),
        None => Ok(()),
    }
}

async fn dispose(rec: &Reconciliation<'_>, connection: &Connection, remote: &RemoteCredential) -> Result<(), ReconcileError> {
    if policy(rec) != CredentialDeletionPolicy::Retain {
        connection.client.delete_credential(&remote.id).await?;
        rec.ctx.metrics.credential_write("delete");
        return Ok(());
    }
    let name = unmarked(&remote.name);
    if name == remote.name {
        return Ok(());
    }
    let name = if name.chars().count() < SHORTEST_NAME { format!("{name} {}", rec.spec().kind) } else { name.to_owned() };
    let change: CredentialUpdate = CredentialUpdate { name, data: None, partial: false };
    connection.client.update_credential(&remote.id, &change).await?;
    rec.ctx.metrics.credential_write("release");
    Ok(())
}

/// Returns the current connection, or else the last working one: its Secret or the instance itself may be gone already.
async fn connection(rec: &Reconciliation<'_>) -> Result<Arc<Connection>, ReconcileError> {
    match rec.connect().await {
        Ok(connection) => Ok(connection),
        Err(error) => {
            let (namespace, name) = rec.instance_key();
            rec.ctx.connections.last(&objects::key(&namespace, &name)).ok_or(error)
        }
    }
}

/// Removes the finalizer of an object that does not fit its kind: what it is about cannot be read. Its credential stays in n8n.
pub(super) async fn release_unreadable(ctx: &Context, object: &Undecodable) -> Ended {
    let bare = object.metadata.clone().into_response_partial::<N8nCredential>();
    let note = format!("the object does not fit the kind N8nCredential: {}; its credential stays in n8n", object.why);
    ctx.send_event(&bare, EventType::Warning, Reason::CleanupAbandoned, note).await;
    match objects::set_finalizer(&ctx.client, &bare, CREDENTIAL_FINALIZER, false).await {
        Ok(_) => {
            ctx.metrics.abandoned.inc();
            ctx.forget_credential(object.metadata.uid.as_deref().unwrap_or_default());
            Ended::for_good(Reason::CleanupAbandoned)
        }
        Err(error) => {
            warn!(%error, "cannot remove the finalizer");
            Ended::failed(Reason::RequestFailed)
        }
    }
}
