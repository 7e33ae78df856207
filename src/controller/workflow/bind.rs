//! Step 2, reads n8n: which workflow in n8n this object is bound to. Promise 2 lives here.

use std::time::Duration;

use kube::api::ObjectMeta;
use kube::runtime::events::EventType;

use super::deploy::fill_published;
use super::failure_class::{self, FailureClass};
use super::work::Work;
use super::{callers, project, versions};
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::api::workflow_status::{Intent, Operation, Origin};
use crate::controller::connections::{self, Connection};
use crate::document::definition::Definition;
use crate::document::lenient_json::beyond;
use crate::domain::access::{Use, may_use};
use crate::domain::error::ReconcileError;
use crate::domain::identity::{Claim, Decision, claimed, decide, late_for, mass_disappearance, owned_by_previous, vouched};
use crate::domain::mark::{KEY, Mark};
use crate::domain::plan::Publication;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::domain::{confirmed, history};
use crate::kubernetes::objects;
use crate::kubernetes::workflow_index::IndexedWorkflow;
use crate::n8n::boot_clock;

/// What the object is bound to.
pub(super) enum Bound {
    /// A workflow that n8n has. Boxed: it carries the whole content.
    Existing(Box<RemoteWorkflow>),
    /// None, and none can still arrive: one may be created.
    ToCreate,
    /// Somebody deleted it, and the drift policy is to leave that.
    LeftDeleted(String),
}

/// Finds the workflow of this object, by its recorded id or by its mark.
pub(super) async fn bind(work: &mut Work<'_>, connection: &Connection) -> Result<Bound, ReconcileError> {
    let recorded = work.status.n8n_workflow_id.clone();
    if let Some(id) = &recorded {
        if let Some(remote) = connection.client.get_workflow(id).await.map_err(|error| connections::reconcile_error(&error))? {
            check_mark(work, connection, &remote).await?;
            return Ok(Bound::Existing(Box::new(remote)));
        }
        claim(work, connection, id)?;
    }
    let newcomer = recorded.is_none() && work.status.intent.is_none() && work.spec().adopt.is_none();
    if newcomer {
        let listing = connection.listings.scan_for_newcomer(&connection.client, &work.uid()).await;
        let listing = listing.map_err(|error| connections::reconcile_error(&error))?;
        // Anything else than a clean start is looked at afresh: the listing may be half a minute old.
        let claim = Claim { restored_from: connection.restored_from(), ..Claim::default() };
        if decide(&work.mark(), claim, &listing.seen.items, None, work.now()) == Ok(Decision::Create) {
            return Ok(Bound::ToCreate);
        }
    }
    let listing = connection.listings.scan(&connection.client).await.map_err(|error| connections::reconcile_error(&error))?;
    if recorded.is_some() {
        check_instance_identity(work, connection, &listing.ids())?;
    }
    let late = late_for(work.status.intent.as_ref(), connection.client.longest_request(), work.announced_for());
    let late = late.map(|left| work.now() + left);
    let adopt = work.spec().adopt.as_ref().filter(|_| recorded.is_none()).map(|adopt| adopt.id.clone());
    if let Some(id) = adopt.as_ref().filter(|_| listing.marked(&work.uid()).is_empty()) {
        may_adopt(work, connection, id)?;
    }
    let rival = adopt.as_ref().and_then(|id| listing.seen.items.iter().find(|sighting| sighting.id == *id)?.mark.clone());
    let claimant_exists = match &rival {
        Some(mark) => lives(work, mark).await?,
        None => false,
    };
    // A recorded workflow that is gone is no reason to take over another one.
    let restored_from = connection.restored_from().filter(|_| recorded.is_none());
    let claims = Claim { adopt: adopt.as_deref(), claimant_exists, restored_from };
    match decide(&work.mark(), claims, &listing.seen.items, late, work.now())? {
        // It carries this object's mark, whatever the status of another one says.
        Decision::Bind(id) => {
            take(work, connection, &id)?;
            let bound = bind_to(work, connection, &id).await;
            bound_or_free(work, &id, bound)
        }
        Decision::Adopt(id) => {
            // Whoever is recorded was first.
            unbound(work, connection, &id, |_| true)?;
            take(work, connection, &id)?;
            let bound = take_over(work, connection, &id).await;
            bound_or_free(work, &id, bound)
        }
        Decision::Wait(until) => Err(still_arriving(work, until)),
        Decision::Create => match recorded {
            None => Ok(Bound::ToCreate),
            Some(id) => recreate(work, &id).await,
        },
    }
}

fn still_arriving(work: &Work<'_>, until: jiff::Timestamp) -> ReconcileError {
    let left = Duration::try_from(until.duration_since(work.now())).unwrap_or_default();
    ReconcileError::transient(
        Reason::CreatePending,
        "a create was sent to n8n and not answered; it is looked for until it cannot arrive any more",
    )
    .again_in(left.clamp(Duration::from_millis(100), Duration::from_secs(5)))
}

/// Of two objects that are bound to one workflow in n8n the older one keeps it.
fn claim(work: &Work<'_>, connection: &Connection, id: &str) -> Result<(), ReconcileError> {
    let age = |meta: &ObjectMeta| (meta.creation_timestamp.as_ref().map(|time| time.0), meta.uid.clone());
    let mine = age(&work.workflow.metadata);
    unbound(work, connection, id, |other| age(&other.metadata) < mine)
}

/// Fails when an object that `counts` is bound to the same workflow in n8n, as far as it is recorded. Whoever may write a status can record
/// any id, so that only those count whose namespace may take a workflow without a mark.
fn unbound(work: &Work<'_>, connection: &Connection, id: &str, counts: impl Fn(&IndexedWorkflow) -> bool) -> Result<(), ReconcileError> {
    let (namespace, name) = (connection.namespace(), connection.instance.metadata.name.clone().unwrap_or_default());
    let uid = work.uid();
    let rival = work.ctx.workflows.find(|other| {
        other.status.n8n_workflow_id.as_deref() == Some(id)
            && other.instance() == (namespace.as_str(), name.as_str())
            && other.uid() != uid
            && may_use(&connection.instance.spec, &namespace, other.namespace(), Use::Adopt(id))
            && counts(other)
    });
    rival.map_or(Ok(()), |_| Err(claimed(id)))
}

/// Takes a workflow before it is recorded, so that no other pass takes it meanwhile.
fn take(work: &Work<'_>, connection: &Connection, id: &str) -> Result<(), ReconcileError> {
    if work.ctx.reservations.take(&connection.key(), id, &work.uid()) { Ok(()) } else { Err(claimed(id)) }
}

/// Gives back what could not be bound. Once its id is in the status, the write may have gone through whatever was answered.
fn bound_or_free(work: &Work<'_>, id: &str, bound: Result<Bound, ReconcileError>) -> Result<Bound, ReconcileError> {
    if bound.is_err() && work.status.n8n_workflow_id.as_deref() != Some(id) {
        work.ctx.reservations.release(&work.uid());
    }
    bound
}

async fn lives(work: &Work<'_>, mark: &Mark) -> Result<bool, ReconcileError> {
    work.ctx.lives(mark).await.map_err(|error| objects::reconcile_error("look for the object of a mark", &error))
}

/// The workflow of the recorded id must carry our mark. One without any may be taken only by who may adopt it, since the id alone may have been
/// recorded by whoever can write the status.
async fn check_mark(work: &Work<'_>, connection: &Connection, remote: &RemoteWorkflow) -> Result<(), ReconcileError> {
    let adopting = work.spec().adopt.as_ref().is_some_and(|adopt| adopt.id == remote.id);
    match Mark::of(&remote.settings) {
        Some(mark) if mark.uid == work.uid() => Ok(()),
        None => {
            claim(work, connection, &remote.id)?;
            if may_take(work, connection, &remote.id) { Ok(()) } else { Err(unmarked(work, &remote.id)) }
        }
        // It was taken over and not written to yet.
        Some(mark) if mark.restored_as(&work.mark(), connection.restored_from()) => Ok(()),
        Some(mark) if mark.cluster != work.ctx.cluster || lives(work, &mark).await? => Err(claimed(&remote.id)),
        Some(_) if adopting => may_adopt(work, connection, &remote.id),
        Some(_) => Err(owned_by_previous(&remote.id, &work.ctx.cluster)),
    }
}

/// When many workflows that should be there are gone at once, another n8n answers and nothing must be created on it.
pub(super) fn check_instance_identity(
    work: &Work<'_>,
    connection: &Connection,
    present: &std::collections::HashSet<&str>,
) -> Result<(), ReconcileError> {
    let (namespace, name) = (connection.namespace(), connection.instance.metadata.name.clone().unwrap_or_default());
    let bound = work.ctx.workflows_of(&namespace, &name);
    // Objects that are being deleted are left out, for their workflows may be gone already; this one's workflow was missed.
    let own = work.status.n8n_workflow_id.as_deref().filter(|_| work.workflow.metadata.deletion_timestamp.is_some());
    let ids: Vec<&str> = bound.iter().filter_map(|indexed| indexed.should_exist()).chain(own).collect();
    let missing = ids.iter().filter(|id| !present.contains(*id)).count();
    let accepted = connection.instance.status.as_ref().and_then(|status| status.identity_accepted_at.as_ref()).map(|time| time.0);
    if mass_disappearance(ids.len(), missing) && !vouched(accepted, work.now()) {
        connection.suspect.store(true, std::sync::atomic::Ordering::SeqCst);
        let _ = work.ctx.wake_instance.send(kube::runtime::reflector::ObjectRef::new(&name).within(&namespace));
    }
    connection.trusted()
}

async fn bind_to(work: &mut Work<'_>, connection: &Connection, id: &str) -> Result<Bound, ReconcileError> {
    let remote = connection.client.get_workflow(id).await.map_err(|error| connections::reconcile_error(&error))?;
    let remote =
        remote.ok_or_else(|| ReconcileError::transient(Reason::NotSynced, format!("workflow {id} vanished while it was being bound")))?;
    let adopted = work.spec().adopt.as_ref().is_some_and(|adopt| adopt.id == id);
    work.status.n8n_workflow_id = Some(id.to_owned());
    work.status.origin.get_or_insert(if adopted { Origin::Adopted } else { Origin::Created });
    if work.status.intent.as_ref().is_some_and(|intent| intent.operation == Operation::Create) {
        work.status.intent = None;
    }
    if work.status.origin == Some(Origin::Created) {
        // Which of them we wrote is not known any more; a rollback has to reset those that it lacks.
        work.status.written_settings = crate::domain::settings::written_after(&remote.settings, &work.status.written_settings);
    }
    work.save().await?;
    Ok(Bound::Existing(Box::new(remote)))
}

/// Whether the object's namespace may take a workflow that carries no mark of the object.
pub(super) fn may_take(work: &Work<'_>, connection: &Connection, id: &str) -> bool {
    may_use(&connection.instance.spec, &connection.namespace(), &work.namespace(), Use::Adopt(id))
}

/// The workflow that is recorded does not say that it is this object's.
fn unmarked(work: &Work<'_>, id: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::AdoptNotGranted,
        format!(
            "workflow {id} in n8n, which status.n8nWorkflowId names, carries no mark of this object, and the N8nInstance grants namespace {} no adoption of it; its owner can add it under spec.grants[].adopt, or put back the telemetry tag {KEY} with the value {} under customTelemetryTags in its settings",
            work.namespace(),
            work.mark().to_value()
        ),
    )
}

/// Without a grant nobody learns whether there is such a workflow, or whose it is.
fn may_adopt(work: &Work<'_>, connection: &Connection, id: &str) -> Result<(), ReconcileError> {
    let namespace = work.namespace();
    if may_take(work, connection, id) {
        return Ok(());
    }
    Err(ReconcileError::denied(
        Reason::AdoptNotGranted,
        format!(
            "the N8nInstance grants namespace {namespace} no adoption of workflow {id}; its owner can add it under spec.grants[].adopt"
        ),
    ))
}

/// Takes over a workflow that exists and that may be adopted: what it holds is kept as a version before anything is written to it.
async fn take_over(work: &mut Work<'_>, connection: &Connection, id: &str) -> Result<Bound, ReconcileError> {
    let remote = connection.client.get_workflow(id).await.map_err(|error| connections::reconcile_error(&error))?;
    let mut remote = remote.ok_or_else(|| {
        ReconcileError::waiting(Reason::AdoptNotFound, format!("no workflow in n8n has the id {id} that spec.adopt names"))
    })?;
    fill_published(connection, &mut remote).await?;
    if let Some(path) = &remote.cut {
        return Err(ReconcileError::denied(
            Reason::TooLarge,
            format!(
                "workflow {id} in n8n {} at {path}, so that what it holds cannot be kept; flatten it in n8n, then it is adopted",
                beyond()
            ),
        ));
    }
    connection.trusted()?;
    let version = versions::keep_adopted(work, &remote).await?;
    work.status.n8n_workflow_id = Some(id.to_owned());
    work.status.origin = Some(Origin::Adopted);
    let digest = versions::digest_of(&work.status, version);
    work.status.intent = Some(Intent::new(Operation::Adopt, &digest, remote.active_version_id.clone(), work.now()));
    work.save().await?;
    Ok(Bound::Existing(Box::new(remote)))
}

/// The recorded workflow is gone and no other carries our mark.
async fn recreate(work: &mut Work<'_>, id: &str) -> Result<Bound, ReconcileError> {
    let note = format!("workflow {id} was deleted in n8n");
    if work.spec().drift_policy != DriftPolicy::Revert {
        return Ok(Bound::LeftDeleted(note));
    }
    work.happened(EventType::Warning, Reason::DriftReverted, format!("{note}; it is created again"));
    work.status.n8n_workflow_id = None;
    work.status.active_version = None;
    work.status.published_at = None;
    work.status.written_settings.clear();
    work.status.added_tags.clear();
    work.status.origin = None;
    work.status.intent = None;
    work.status.confirmed = None;
    work.status.sent = None;
    work.save().await?;
    Ok(Bound::ToCreate)
}

/// Creates the workflow. The intent is recorded first, bound to the object as it was read, so that no two writers
/// create; the answer's id is recorded before anything else happens.
pub(super) async fn create(
    work: &mut Work<'_>,
    connection: &Connection,
    body: &WorkflowWrite,
    definition: &Definition,
    digest: &str,
) -> Result<Box<RemoteWorkflow>, CreateFailed> {
    connection.trusted()?;
    let project = project::granted(work, connection)?;
    let mut body = body.clone();
    if body.node_groups.as_ref().is_some_and(Vec::is_empty) {
        body.node_groups = None;
    }
    let intent = |operation, at| Intent::new(operation, digest, None, at);
    // Rounded down, the time would let the longest life end a second early.
    let rounding = Duration::from_secs(1);
    let started = work.now() + rounding;
    let latest = boot_clock() + rounding + connection.client.longest_request();
    let before = work.status.intent.replace(intent(Operation::Create, started));
    work.status.sent = Some(confirmed::wanted(&body, Publication::Unpublished));
    let written = crate::domain::settings::written_after(&body.settings, &[]);
    // Beside what the version says, and people's from then on.
    body.settings.extend(callers::at_create(work, definition));
    if let Err(reconcile_error) = work.save().await {
        // Nothing was sent, so that nothing has to be waited for.
        work.status.intent = before;
        return Err(reconcile_error.into());
    }
    // From now on its longest life runs.
    work.announced_for();
    work.ctx.reservations.release(&work.uid());
    connection.listings.sending(&work.uid());
    match connection.client.sending_until(latest).create_workflow_in(project.as_deref(), &body).await {
        Ok(remote) => {
            work.status.n8n_workflow_id = Some(remote.id.clone());
            work.status.origin = Some(Origin::Created);
            work.status.intent = Some(intent(Operation::Deploy, work.now()));
            work.status.written_settings = written;
            history::sent(&mut work.status.history, digest, remote.version_id.as_deref());
            work.record().await?;
            Ok(Box::new(remote))
        }
        Err(error) if error.unanswered() => {
            let mut reconcile_error = connections::reconcile_error(&error);
            reconcile_error.reason = Reason::CreatePending;
            Err(reconcile_error.into())
        }
        Err(error) => {
            // It was answered or never sent: no late create can follow.
            work.status.intent = None;
            work.record().await?;
            Err(match failure_class::read(&error) {
                FailureClass::Never(_, message) => CreateFailed::Rejected(message),
                FailureClass::NotNow(reason, message) => ReconcileError::transient(reason, message).into(),
                FailureClass::Perhaps(_, _, reconcile_error) | FailureClass::Nothing(reconcile_error) => reconcile_error.into(),
            })
        }
    }
}

/// Why nothing was created.
pub(super) enum CreateFailed {
    /// n8n refuses the definition.
    Rejected(String),
    /// Anything else.
    ReconcileError(ReconcileError),
}

impl From<ReconcileError> for CreateFailed {
    fn from(reconcile_error: ReconcileError) -> Self {
        Self::ReconcileError(reconcile_error)
    }
}
