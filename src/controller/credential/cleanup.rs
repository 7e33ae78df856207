//! Deletion by policy. It reads no Secret and needs no valid spec. It waits for Workflows that use the credential as the policy says, and for n8n
//! within the time limit only.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::PartialObjectMetaExt;
use kube::runtime::events::EventType;
use tracing::warn;

use super::bind::{check_instance_identity, is_own, late_until, listed, still_arriving};
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
            Reason::CleanupAbandoned
        }
        Err(error) => {
            let mut error = rec.note_error(error);
            error.message = format!("being deleted: {}", error.message);
            let pause = error
                .requeue_after
                .unwrap_or_else(|| backoff::at_least(rec.ctx.runtime.backoffs.after_failure(&rec.uid()), error.retry_after));
            let found = Found { outcome: Outcome::InProgress(Reason::Deleting, error.message), details: Vec::new() };
            let ended = report::report(rec, &found).await;
            return Ended { next: Next::In(pause.min(time_left(rec)).max(SHORTEST_PAUSE)), ..ended };
        }
    };
    let uid = rec.uid();
    rec.ctx.end_deletion(&rec.credential, CREDENTIAL_FINALIZER, reason, || rec.ctx.forget_credential(&uid)).await
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
    let connection = rec.ctx.connect_for_deletion(&rec.namespace(), rec.instance_key()).await?;
    // An untrusted n8n proves nothing about the credential, least of all that it does not exist.
    connection.trusted()?;
    let found = match &rec.status.n8n_credential_id {
        Some(id) => {
            let found = connection.client.get_credential(id).await?;
            if found.is_none() {
                check_instance_identity(rec, &connection, &listed(&*connection.credentials(Duration::ZERO).await?))?;
            }
            found.filter(|remote| is_own(rec, &connection, remote))
        }
        // A create was announced: the credential that it made, or may still make, must not be left behind.
        None => {
            let (all, mark) = (connection.credentials(Duration::ZERO).await?, rec.mark());
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
    late_until(rec, connection, now).filter(|until| *until > now).map_or(Ok(()), |until| Err(still_arriving(until, now)))
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

/// Removes the finalizer of an object that does not fit its kind: what it is about cannot be read. Its credential stays in n8n.
pub(super) async fn release_unreadable(ctx: &Context, object: &Undecodable) -> Ended {
    let bare = object.metadata.clone().into_response_partial::<N8nCredential>();
    let note = format!("the object does not fit the kind N8nCredential: {}; its credential stays in n8n", object.why);
    ctx.send_event(&bare, EventType::Warning, Reason::CleanupAbandoned, note).await;
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    ctx.end_deletion(&bare, CREDENTIAL_FINALIZER, Reason::CleanupAbandoned, || ctx.forget_credential(uid)).await
}
