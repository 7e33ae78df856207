//! Step 2, reads n8n: binds the object to its workflow in n8n. An object must never get a second workflow, nor a workflow of another
//! object.

use std::time::Duration;

use kube::api::ObjectMeta;
use kube::runtime::events::EventType;

use super::failure_class;
use super::reconciliation::Reconciliation;
use super::remote::fill_published;
use super::{callers, project, versions};
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::{Intent, IntentOperation, Origin};
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::document::lenient_json::beyond;
use crate::domain::access::{Use, may_use, no_adoption};
use crate::domain::confirmed;
use crate::domain::error::ReconcileError;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::identity::{Claim, Decision, claimed, decide, late_for, mass_disappearance, owned_by_previous, vouched};
use crate::domain::mark::{KEY, Mark};
use crate::domain::plan::Publication;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::http::boot_clock;
use crate::kubernetes::workflow_index::IndexedWorkflow;

/// Binding of the object.
pub(super) enum Bound {
    /// A workflow that exists in n8n. Boxed: it carries the whole content.
    Existing(Box<RemoteWorkflow>),
    /// No workflow exists, and no earlier create can still take effect: one may be created.
    ToCreate,
    /// The workflow was deleted in n8n, and the drift policy leaves it deleted.
    LeftDeleted(String),
}

/// Finds the workflow of this object by its recorded id or by its mark.
pub(super) async fn bind(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<Bound, ReconcileError> {
    let recorded = rec.status.n8n_workflow_id.clone();
    if let Some(id) = &recorded {
        if let Some(remote) = connection.client.get_workflow(id).await? {
            check_mark(rec, connection, &remote).await?;
            return Ok(Bound::Existing(Box::new(remote)));
        }
        claim(rec, connection, id)?;
    }
    let newcomer = recorded.is_none() && rec.status.intent.is_none() && rec.spec().adopt.is_none();
    if newcomer {
        let listing = connection.listings.scan_for_newcomer(&connection.client, &rec.uid()).await;
        let listing = listing?;
        // Anything but a clean start needs a new listing: the shared one may be half a minute old.
        let claim = Claim { restored_from: connection.restored_from(), ..Claim::default() };
        if decide(&rec.mark(), claim, &listing.seen.items, None, rec.now()) == Ok(Decision::Create) {
            return Ok(Bound::ToCreate);
        }
    }
    let listing = connection.listings.scan(&connection.client).await?;
    if recorded.is_some() {
        check_instance_identity(rec, connection, &listing.ids())?;
    }
    let late = late_for(rec.status.intent.as_ref(), connection.client.longest_request(), rec.announced_for());
    let late = late.map(|left| rec.now() + left);
    let adopt = rec.spec().adopt.as_ref().filter(|_| recorded.is_none()).map(|adopt| adopt.id.clone());
    if let Some(id) = adopt.as_ref().filter(|_| listing.marked(&rec.uid()).is_empty()) {
        may_adopt(rec, connection, id)?;
    }
    let marked_by = adopt.as_ref().and_then(|id| listing.seen.items.iter().find(|listed| listed.id == *id)?.mark.clone());
    let claimant_exists = match &marked_by {
        Some(mark) => rec.ctx.mark_exists(mark).await?,
        None => false,
    };
    // A recorded workflow that is gone does not permit taking over another one.
    let restored_from = connection.restored_from().filter(|_| recorded.is_none());
    let claims = Claim { adopt: adopt.as_deref(), claimant_exists, restored_from };
    match decide(&rec.mark(), claims, &listing.seen.items, late, rec.now())? {
        // It carries this object's mark, whatever another object's status records.
        Decision::Bind(id) => {
            take(rec, connection, &id)?;
            let bound = bind_to(rec, connection, &id).await;
            bound_or_free(rec, &id, bound)
        }
        Decision::Adopt(id) => {
            // The object that recorded it first keeps it.
            unbound(rec, connection, &id, |_| true)?;
            take(rec, connection, &id)?;
            let bound = take_over(rec, connection, &id).await;
            bound_or_free(rec, &id, bound)
        }
        Decision::Wait(until) => Err(still_arriving(rec, until)),
        Decision::Create => match recorded {
            None => Ok(Bound::ToCreate),
            Some(id) => recreate(rec, &id).await,
        },
    }
}

fn still_arriving(rec: &Reconciliation<'_>, until: jiff::Timestamp) -> ReconcileError {
    let left = Duration::try_from(until.duration_since(rec.now())).unwrap_or_default();
    ReconcileError::transient(
        Reason::CreatePending,
        "a create was sent to n8n and not answered; searching for its workflow until the create can no longer take effect",
    )
    .again_in(left.clamp(Duration::from_millis(100), Duration::from_secs(5)))
}

/// Fails if an older object is bound to the same workflow in n8n.
fn claim(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> Result<(), ReconcileError> {
    let age = |meta: &ObjectMeta| (meta.creation_timestamp.as_ref().map(|time| time.0), meta.uid.clone());
    let mine = age(&rec.workflow.metadata);
    unbound(rec, connection, id, |other| age(&other.metadata) < mine)
}

/// Fails if another object that `counts` has recorded the same workflow in n8n. Anybody who may write a status can record any id, so only
/// objects count whose namespace may take a workflow without a mark.
fn unbound(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    id: &str,
    counts: impl Fn(&IndexedWorkflow) -> bool,
) -> Result<(), ReconcileError> {
    let (namespace, name) = (connection.namespace(), connection.instance.metadata.name.clone().unwrap_or_default());
    let uid = rec.uid();
    let claimant = rec.ctx.workflows.find(|other| {
        other.status.n8n_workflow_id.as_deref() == Some(id)
            && other.instance() == (namespace.as_str(), name.as_str())
            && other.uid() != uid
            && may_use(&connection.instance.spec, &namespace, other.namespace(), Use::Adopt(id))
            && counts(other)
    });
    claimant.map_or(Ok(()), |_| Err(claimed(id)))
}

/// Reserves a workflow before it is recorded, so that no concurrent reconciliation takes it.
fn take(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> Result<(), ReconcileError> {
    if rec.ctx.reservations.take(&connection.key(), id, &rec.uid()) { Ok(()) } else { Err(claimed(id)) }
}

/// Releases the reservation of a workflow that could not be bound. Once its id is in the status it is kept: the write may have succeeded
/// despite the error.
fn bound_or_free(rec: &Reconciliation<'_>, id: &str, bound: Result<Bound, ReconcileError>) -> Result<Bound, ReconcileError> {
    if bound.is_err() && rec.status.n8n_workflow_id.as_deref() != Some(id) {
        rec.ctx.reservations.release(&rec.uid());
    }
    bound
}

/// Checks that the recorded workflow carries this object's mark. A workflow without a mark needs a grant to adopt it: anybody who can
/// write the status may have recorded the id.
async fn check_mark(rec: &Reconciliation<'_>, connection: &Connection, remote: &RemoteWorkflow) -> Result<(), ReconcileError> {
    let adopting = rec.spec().adopt.as_ref().is_some_and(|adopt| adopt.id == remote.id);
    match Mark::of(&remote.settings) {
        Some(mark) if mark.uid == rec.uid() => Ok(()),
        None => {
            claim(rec, connection, &remote.id)?;
            if may_take(rec, connection, &remote.id) { Ok(()) } else { Err(unmarked(rec, &remote.id)) }
        }
        // It was taken over and not written to yet.
        Some(mark) if mark.restored_as(&rec.mark(), connection.restored_from()) => Ok(()),
        Some(mark) if mark.cluster != rec.ctx.cluster || rec.ctx.mark_exists(&mark).await? => Err(claimed(&remote.id)),
        Some(_) if adopting => may_adopt(rec, connection, &remote.id),
        Some(_) => Err(owned_by_previous(&remote.id, &rec.ctx.cluster)),
    }
}

/// Fails if many workflows that should exist are gone at once: another n8n answers then, and nothing must be created in it.
pub(super) fn check_instance_identity(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    present: &std::collections::HashSet<&str>,
) -> Result<(), ReconcileError> {
    let (namespace, name) = (connection.namespace(), connection.instance.metadata.name.clone().unwrap_or_default());
    let bound = rec.ctx.workflows_of(&namespace, &name);
    // Objects that are being deleted are left out, for their workflows may be gone already; this object's workflow was missed.
    let own = rec.status.n8n_workflow_id.as_deref().filter(|_| rec.workflow.metadata.deletion_timestamp.is_some());
    let ids: Vec<&str> = bound.iter().filter_map(|indexed| indexed.should_exist()).chain(own).collect();
    let missing = ids.iter().filter(|id| !present.contains(*id)).count();
    let accepted = connection.instance.status.as_ref().and_then(|status| status.identity_accepted_at.as_ref()).map(|time| time.0);
    if mass_disappearance(ids.len(), missing) && !vouched(accepted, rec.now()) {
        connection.suspect.store(true, std::sync::atomic::Ordering::SeqCst);
        rec.ctx.ask_instance(&namespace, &name);
    }
    connection.trusted()
}

async fn bind_to(rec: &mut Reconciliation<'_>, connection: &Connection, id: &str) -> Result<Bound, ReconcileError> {
    let remote = connection.client.get_workflow(id).await?;
    let remote =
        remote.ok_or_else(|| ReconcileError::transient(Reason::NotSynced, format!("workflow {id} vanished while it was being bound")))?;
    let adopted = rec.spec().adopt.as_ref().is_some_and(|adopt| adopt.id == id);
    rec.status.record_bound(id, if adopted { Origin::Adopted } else { Origin::Created }, &remote.settings);
    rec.save().await?;
    Ok(Bound::Existing(Box::new(remote)))
}

/// Reports whether the object's namespace may take a workflow that does not carry the object's mark.
pub(super) fn may_take(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> bool {
    may_use(&connection.instance.spec, &connection.namespace(), &rec.namespace(), Use::Adopt(id))
}

/// Returns the error for a recorded workflow that does not carry this object's mark.
fn unmarked(rec: &Reconciliation<'_>, id: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::AdoptNotGranted,
        format!(
            "workflow {id} in n8n, which status.n8nWorkflowId names, carries no mark of this object, and the N8nInstance grants namespace {} no adoption of it; its owner can add it under spec.grants[].adopt, or put back the telemetry tag {KEY} with the value {} under customTelemetryTags in its settings",
            rec.namespace(),
            rec.mark().to_value()
        ),
    )
}

/// Checks the grant to adopt a workflow. Without a grant, the error discloses neither whether the workflow exists nor whose it is.
fn may_adopt(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> Result<(), ReconcileError> {
    let namespace = rec.namespace();
    if may_take(rec, connection, id) {
        return Ok(());
    }
    Err(ReconcileError::denied(Reason::AdoptNotGranted, no_adoption(&namespace, id)))
}

/// Takes over an existing workflow that may be adopted: its content is stored as a version before anything is written to it.
async fn take_over(rec: &mut Reconciliation<'_>, connection: &Connection, id: &str) -> Result<Bound, ReconcileError> {
    let remote = connection.client.get_workflow(id).await?;
    let mut remote = remote.ok_or_else(|| {
        ReconcileError::waiting(Reason::AdoptNotFound, format!("no workflow in n8n has the id {id} that spec.adopt names"))
    })?;
    fill_published(connection, &mut remote).await?;
    if let Some(path) = &remote.cut {
        return Err(ReconcileError::denied(
            Reason::TooLarge,
            format!("workflow {id} in n8n {} at {path}, so its content cannot be stored; flatten it in n8n to have it adopted", beyond()),
        ));
    }
    connection.trusted()?;
    let version = versions::keep_adopted(rec, &remote).await?;
    let digest = versions::digest_of(&rec.status, version);
    let intent = Intent::new(IntentOperation::Adopt, &digest, remote.active_version_id.clone(), rec.now());
    rec.status.record_adopted(id, intent);
    rec.save().await?;
    Ok(Bound::Existing(Box::new(remote)))
}

/// Handles a recorded workflow that is gone while no other carries this object's mark.
async fn recreate(rec: &mut Reconciliation<'_>, id: &str) -> Result<Bound, ReconcileError> {
    let note = format!("workflow {id} was deleted in n8n");
    if rec.spec().drift_policy != DriftPolicy::Revert {
        return Ok(Bound::LeftDeleted(note));
    }
    rec.record_event(EventType::Warning, Reason::DriftReverted, format!("{note}; it is created again"));
    rec.status.forget_binding();
    rec.save().await?;
    Ok(Bound::ToCreate)
}

/// Creates the workflow. The intent is recorded first, bound to the resource version, so that no two writers create; the id in the
/// response is recorded before anything else happens.
pub(super) async fn create(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    body: &WorkflowWrite,
    definition: &Definition,
    digest: &str,
) -> Result<Box<RemoteWorkflow>, Failure> {
    connection.trusted()?;
    let project = project::granted(rec, connection)?;
    let mut body = body.clone();
    if body.node_groups.as_ref().is_some_and(Vec::is_empty) {
        body.node_groups = None;
    }
    let intent = |operation, at| Intent::new(operation, digest, None, at);
    // Rounded down, the time would end the longest life a second early.
    let rounding = Duration::from_secs(1);
    let started = rec.now() + rounding;
    let latest = boot_clock() + rounding + connection.client.longest_request();
    let sent = confirmed::wanted(&body, Publication::Unpublished);
    let before = rec.status.announce_create(intent(IntentOperation::Create, started), sent);
    let settings = body.settings.clone();
    // Settings beside those of the version; later changes to them in n8n are left.
    body.settings.extend(callers::at_create(rec, definition));
    if let Err(error) = rec.save().await {
        // Nothing was sent, so nothing has to be waited for.
        rec.status.restore_intent(before);
        return Err(error.into());
    }
    // Its longest life starts now.
    rec.announced_for();
    rec.ctx.reservations.release(&rec.uid());
    connection.listings.sending(&rec.uid());
    match connection.client.sending_until(latest).create_workflow_in(project.as_deref(), &body).await {
        Ok(remote) => {
            let deploys = intent(IntentOperation::Deploy, rec.now());
            rec.status.record_created(&remote.id, deploys, remote.version_id.as_deref(), &settings);
            rec.record().await?;
            Ok(Box::new(remote))
        }
        Err(error) if error.unanswered() => {
            let mut error = ReconcileError::from(error);
            error.reason = Reason::CreatePending;
            Err(error.into())
        }
        Err(error) => {
            // It was answered or never sent: no late create can follow.
            rec.status.finish_intent();
            rec.record().await?;
            Err(match failure_class::read(&error) {
                FailureClass::Never(_, message) => Failure::Version(Reason::RejectedByN8n, message),
                FailureClass::NotNow(reason, message) => ReconcileError::transient(reason, message).into(),
                FailureClass::Perhaps(_, _, error) | FailureClass::Nothing(error) => error.into(),
            })
        }
    }
}
