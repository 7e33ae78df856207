//! Binding of the object to a credential in n8n: by its recorded id, or else by its mark.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::runtime::events::EventType;

use super::reconciliation::Reconciliation;
use crate::api::credential_status::CredentialOrigin;
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::controller::connections::{CREDENTIALS_FRESH_FOR, Connection, credentials_fresh_for};
use crate::domain::access::{Use, may_use, no_credential_adoption};
use crate::domain::credential::identity::{Claim, Decision, ListedCredential, claimed, decide, owned_by_previous};
use crate::domain::credential::mark::CredentialMark;
use crate::domain::error::ReconcileError;
use crate::domain::identity::{longest_life, mass_disappearance, vouched};
use crate::domain::remote::RemoteCredential;
use crate::kubernetes::indexed_credential::IndexedCredential;
use crate::n8n::List;

/// Binding of the object.
pub(super) enum Bound {
    /// A credential that exists in n8n.
    Existing(RemoteCredential),
    /// None exists, and no earlier create can still take effect: one may be created.
    ToCreate,
    /// The credential was deleted in n8n, and the drift policy leaves it deleted.
    LeftDeleted(String),
}

/// Finds the credential of this object.
pub(super) async fn bind(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<Bound, ReconcileError> {
    let recorded = rec.status.n8n_credential_id.clone();
    if let Some(id) = &recorded {
        if let Some(remote) = unchanged(rec, connection, id).await? {
            return Ok(Bound::Existing(remote));
        }
        if let Some(remote) = connection.client.get_credential(id).await? {
            check_mark(rec, connection, &remote)?;
            return Ok(Bound::Existing(remote));
        }
        unbound(rec, connection, id, |other| age(&other.metadata) < age(&rec.credential.metadata))?;
    }
    // Nothing was ever announced for a new object, so a list of a minute ago shows what may be its own.
    let newcomer = recorded.is_none() && rec.status.creating_since.is_none() && rec.spec().adopt.is_none();
    let (mark, now) = (rec.mark(), Timestamp::now());
    if newcomer {
        let listed = listed(&*connection.credentials(CREDENTIALS_FRESH_FOR).await?);
        let claim = Claim { mark: &mark, adopt: None, claimed: false, restored_from: connection.restored_from(), late_until: None };
        if decide(claim, &listed, now) == Ok(Decision::Create) {
            return Ok(Bound::ToCreate);
        }
    }
    let all = connection.credentials(Duration::ZERO).await?;
    let listed = listed(&all);
    if recorded.is_some() {
        check_instance_identity(rec, connection, &listed)?;
    }
    let adopt = rec.spec().adopt.as_ref().filter(|_| recorded.is_none()).map(|adopt| adopt.id.clone());
    let own = listed.iter().any(|one| one.mark.as_ref() == Some(&mark));
    let mut taken = false;
    if let Some(id) = adopt.as_ref().filter(|_| !own) {
        may_adopt(rec, connection, id)?;
        let other = listed.iter().find(|one| one.id == *id).and_then(|one| one.mark.as_ref());
        taken = unbound(rec, connection, id, |_| true).is_err() || other.is_some_and(|other| object_exists(rec, other));
    }
    let late = late_until(rec, connection, now);
    // A recorded credential that is gone does not permit taking over another one.
    let restored_from = connection.restored_from().filter(|_| recorded.is_none());
    let claim = Claim { mark: &mark, adopt: adopt.as_deref(), claimed: taken, restored_from, late_until: late };
    match decide(claim, &listed, now)? {
        Decision::Bind(id) => {
            let origin = if rec.spec().adopt.as_ref().is_some_and(|adopt| adopt.id == id) {
                CredentialOrigin::Adopted
            } else {
                CredentialOrigin::Created
            };
            record_bound(rec, connection, &id, origin).await
        }
        Decision::Adopt(id) => {
            if !rec.ctx.credential_reservations.take(&connection.key(), &id, &rec.uid()) {
                return Err(claimed(&id));
            }
            let bound = record_bound(rec, connection, &id, CredentialOrigin::Adopted).await;
            // Once its id is in the status it is kept: the write may have succeeded despite the error.
            if bound.is_err() && rec.status.n8n_credential_id.is_none() {
                rec.ctx.credential_reservations.release(&rec.uid());
            }
            bound
        }
        Decision::Wait(until) => Err(still_arriving(until, now)),
        Decision::Create => match recorded {
            None => Ok(Bound::ToCreate),
            Some(id) => recreate(rec, &id).await,
        },
    }
}

/// Looks for the recorded credential in a list that all credentials of the instance share, which saves a request for each. What differs there is read
/// by itself: the list may be from before the last write.
async fn unchanged(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> Result<Option<RemoteCredential>, ReconcileError> {
    if rec.spec().interval.get() < CREDENTIALS_FRESH_FOR {
        return Ok(None);
    }
    let list = connection.credentials(credentials_fresh_for(rec.spec().interval.get())).await?;
    let listed = list.items.iter().find(|one| one.id == id);
    let status = &rec.status;
    let same = |one: &&RemoteCredential| {
        Some(&one.name) == status.name.as_ref() && one.updated_at.is_some() && one.updated_at == status.n8n_updated_at
    };
    Ok(listed.filter(same).filter(|one| CredentialMark::in_name(&one.name).as_ref() == Some(&rec.mark())).cloned())
}

async fn record_bound(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    id: &str,
    origin: CredentialOrigin,
) -> Result<Bound, ReconcileError> {
    let remote = connection.client.get_credential(id).await?;
    let remote =
        remote.ok_or_else(|| ReconcileError::transient(Reason::NotSynced, format!("credential {id} vanished while it was being bound")))?;
    if remote.kind != rec.spec().kind {
        return Err(ReconcileError::invalid(
            Reason::InvalidCredential,
            format!("credential {id} in n8n has the type {}, and spec.type is {}", remote.kind, rec.spec().kind),
        ));
    }
    connection.trusted()?;
    rec.status.n8n_credential_id = Some(id.to_owned());
    rec.status.origin = Some(origin);
    rec.status.creating_since = None;
    rec.save().await?;
    Ok(Bound::Existing(remote))
}

/// Returns the time until which an announced create may still take effect.
pub(super) fn late_until(rec: &Reconciliation<'_>, connection: &Connection, now: Timestamp) -> Option<Timestamp> {
    rec.status.creating_since.as_ref()?;
    let left = longest_life(connection.client.longest_request()).checked_sub(rec.announced_for())?;
    now.checked_add(left).ok()
}

/// Returns the error for an unanswered create.
pub(super) fn still_arriving(until: Timestamp, now: Timestamp) -> ReconcileError {
    let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
    ReconcileError::transient(
        Reason::CreatePending,
        "a create was sent to n8n and not answered; searching for its credential until the create can no longer take effect",
    )
    .again_in(left.clamp(Duration::from_millis(100), Duration::from_secs(5)))
}

/// Returns the credentials of a list with their marks.
pub(super) fn listed(list: &List<RemoteCredential>) -> Vec<ListedCredential> {
    list.items.iter().map(|one| ListedCredential { id: one.id.clone(), mark: CredentialMark::in_name(&one.name) }).collect()
}

/// Checks that the recorded credential carries this object's mark. One without a mark needs a grant to adopt it: anybody who can write the
/// status may have recorded the id.
fn check_mark(rec: &Reconciliation<'_>, connection: &Connection, remote: &RemoteCredential) -> Result<(), ReconcileError> {
    let (own, id) = (rec.mark(), remote.id.as_str());
    let adopting = rec.spec().adopt.as_ref().is_some_and(|adopt| adopt.id == id);
    match CredentialMark::in_name(&remote.name) {
        Some(mark) if mark == own => Ok(()),
        Some(mark) if mark.restored_as(&own, connection.restored_from()) => Ok(()),
        Some(mark) if !mark.same_cluster(&own) || object_exists(rec, &mark) => Err(claimed(id)),
        None | Some(_) if adopting => may_adopt(rec, connection, id),
        None => {
            unbound(rec, connection, id, |other| age(&other.metadata) < age(&rec.credential.metadata))?;
            if may_take(rec, connection, id) { Ok(()) } else { Err(unmarked(rec, id)) }
        }
        Some(_) => Err(owned_by_previous(id)),
    }
}

fn age(metadata: &ObjectMeta) -> (Option<Timestamp>, Option<String>) {
    (metadata.creation_timestamp.as_ref().map(|time| time.0), metadata.uid.clone())
}

/// Fails if another object that `counts` has recorded the same credential.
fn unbound(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    id: &str,
    counts: impl Fn(&IndexedCredential) -> bool,
) -> Result<(), ReconcileError> {
    let (namespace, name) = rec.instance_key();
    let uid = rec.uid();
    let other = rec.ctx.stores.credentials.store().find(|other| {
        other.status().and_then(|status| status.n8n_credential_id.as_deref()) == Some(id)
            && other.instance() == Some((namespace.as_str(), name.as_str()))
            && other.uid() != uid
            && may_use(&connection.instance.spec, &namespace, other.namespace(), Use::AdoptCredential(id))
            && counts(other)
    });
    other.map_or(Ok(()), |_| Err(claimed(id)))
}

/// Reports whether the object that a mark names exists.
fn object_exists(rec: &Reconciliation<'_>, mark: &CredentialMark) -> bool {
    let cluster = &rec.ctx.cluster;
    let of = |other: &IndexedCredential| CredentialMark::of(cluster, other.uid(), other.namespace(), other.name());
    rec.ctx.stores.credentials.store().find(|other| of(other) == *mark).is_some()
}

fn may_take(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> bool {
    may_use(&connection.instance.spec, &connection.namespace(), &rec.namespace(), Use::AdoptCredential(id))
}

/// Reports whether a credential that was found by its recorded id is this object's.
pub(super) fn is_own(rec: &Reconciliation<'_>, connection: &Connection, remote: &RemoteCredential) -> bool {
    match CredentialMark::in_name(&remote.name) {
        Some(mark) => mark == rec.mark(),
        None => may_take(rec, connection, &remote.id),
    }
}

/// Checks the grant to adopt a credential. Without a grant, the error discloses neither whether it exists nor whose it is.
fn may_adopt(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> Result<(), ReconcileError> {
    if may_take(rec, connection, id) {
        return Ok(());
    }
    Err(ReconcileError::denied(Reason::AdoptNotGranted, no_credential_adoption(&rec.namespace(), id)))
}

fn unmarked(rec: &Reconciliation<'_>, id: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::AdoptNotGranted,
        format!(
            "credential {id} in n8n, which status.n8nCredentialId names, carries no mark of this object in its name, and the N8nInstance grants namespace {} no adoption of it; rename it to {:?} in n8n, or have its owner add it under spec.grants[].adoptCredentials",
            rec.namespace(),
            rec.wanted_name()
        ),
    )
}

/// Fails if many credentials that should exist are gone at once: another n8n answers then, and nothing must be created in it.
pub(super) fn check_instance_identity(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    listed: &[ListedCredential],
) -> Result<(), ReconcileError> {
    let (namespace, name) = rec.instance_key();
    let bound = rec.ctx.stores.credentials.store().state_filter(|other| other.instance() == Some((namespace.as_str(), name.as_str())));
    let ids: Vec<&str> = bound.iter().filter_map(|other| other.n8n_id()).collect();
    let missing = ids.iter().filter(|id| !listed.iter().any(|one| one.id == ***id)).count();
    let accepted = connection.instance.status.as_ref().and_then(|status| status.identity_accepted_at.as_ref()).map(|time| time.0);
    if mass_disappearance(ids.len(), missing) && !vouched(accepted, Timestamp::now()) {
        connection.suspect.store(true, Ordering::SeqCst);
        rec.ctx.ask_instance(&namespace, &name);
    }
    connection.trusted()
}

/// Handles a recorded credential that is gone while no other carries this object's mark.
async fn recreate(rec: &mut Reconciliation<'_>, id: &str) -> Result<Bound, ReconcileError> {
    let note = format!("credential {id} was deleted in n8n");
    if rec.spec().drift_policy != DriftPolicy::Revert {
        return Ok(Bound::LeftDeleted(note));
    }
    rec.record_event(EventType::Warning, Reason::DriftReverted, format!("{note}; it is created again"));
    let status = &mut rec.status;
    (status.n8n_credential_id, status.origin, status.name, status.project) = (None, None, None, None);
    (status.values_hash, status.sent_hash, status.n8n_updated_at, status.test) = (None, None, None, None);
    rec.save().await?;
    Ok(Bound::ToCreate)
}
