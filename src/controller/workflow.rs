//! The controller of `Workflow`: one pass reads the object, brings n8n to what it asks for, and writes its status.

mod answered;
mod bind;
mod callers;
mod cleanup;
mod converge;
mod deploy;
mod drift;
mod fail;
mod failure_class;
mod gather;
mod judge;
mod observe;
mod probe_headers;
mod project;
mod report;
mod republish;
mod resolve;
mod route_claims;
mod suspend;
mod tags;
mod verify;
mod versions;
mod watch_health;
mod work;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::runtime::controller::Action;
use tracing::{Instrument, error, info, info_span, warn};

use super::context::Context;
use super::slots::Slot;
use crate::api::reason::{Class, Reason};
use crate::api::workflow::Workflow;
use crate::api::{WORKFLOW_FINALIZER, annotation};
use crate::domain::api_key::explained;
use crate::domain::backoff;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::lenient_decode::salvage;
use crate::kubernetes::objects;
use crate::kubernetes::workflow_index::IndexedWorkflow;
use work::Work;

/// How much longer than its bound a pass may take to read its object, to write its status and, of one that is deleted, to settle it.
const REPORTING: Duration = Duration::from_secs(60);

/// How a pass ended: the word for the metric and when to look again.
pub(super) struct Ended {
    pub(super) reason: Reason,
    pub(super) next: Next,
}

/// When to look again.
pub(super) enum Next {
    /// After the object's interval.
    Interval(Duration),
    /// After a growing pause, and not before n8n asked to come back.
    Retry(Option<Duration>),
    /// Soon, without counting it as a failure.
    Soon(Duration),
    /// Not by time.
    Never,
}

/// One pass, bounded and caught: whatever happens in it, the next one comes.
pub(super) async fn reconcile(indexed: Arc<IndexedWorkflow>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    ctx.listed().await;
    let (namespace, instance) = indexed.instance();
    // Tries that failed before say nothing about an edit, which counts once: one whose status cannot be written stays unobserved.
    ctx.remember(indexed.uid(), |memory| memory.asked_anew(indexed.change_hash()));
    let lane = objects::key(namespace, instance);
    ctx.metrics.queue.set(i64::try_from(ctx.slots.waiting() + 1).unwrap_or(i64::MAX));
    let Some(place) = ctx.slots.enter(&lane, indexed.uid(), || ctx.urgency(&indexed)).await else { return Ok(Action::await_change()) };
    ctx.metrics.queue.set(i64::try_from(ctx.slots.waiting()).unwrap_or(i64::MAX));
    ctx.liveness.pass_began();
    let span = info_span!("workflow", namespace = indexed.namespace(), name = indexed.name());
    // Boxed, so that thousands of passes that wait for a place hold no room for what they will need.
    let passing = tokio::time::timeout(ctx.settings.pass_bound + REPORTING, Box::pin(pass(&ctx, &indexed, place)));
    let ended = AssertUnwindSafe(passing).catch_unwind().instrument(span).await;
    ctx.liveness.pass_ended();
    let timed_out = |_| Ended { reason: Reason::TimedOut, next: Next::Retry(None) };
    let ended = ended.map(|ended| ended.unwrap_or_else(timed_out)).unwrap_or_else(|_| {
        ctx.metrics.panics.inc();
        error!(namespace = indexed.namespace(), name = indexed.name(), "a pass panicked; it is tried again with growing pauses");
        Ended { reason: Reason::InternalError, next: Next::Retry(None) }
    });
    ctx.metrics.passes.with_label_values(&["workflow", ended.reason.as_str()]).inc();
    Ok(match ended.next {
        Next::Interval(interval) => Action::requeue(ctx.interval(indexed.uid(), interval)),
        Next::Soon(pause) => Action::requeue(pause),
        Next::Retry(asked) => Action::requeue(backoff::at_least(ctx.pause(indexed.uid()), asked)),
        Next::Never => Action::await_change(),
    })
}

async fn pass(ctx: &Context, indexed: &IndexedWorkflow, place: Slot) -> Ended {
    let (namespace, name) = (indexed.namespace(), indexed.name());
    let read = match objects::read_as::<Workflow>(&ctx.client, Some(namespace), name).await {
        Ok(Some(read)) => read,
        Ok(None) => {
            ctx.forget(indexed.uid());
            return Ended { reason: Reason::Cleaned, next: Next::Never };
        }
        Err(failed) => {
            warn!(error = %failed, "cannot read the object");
            return Ended { reason: Reason::RequestFailed, next: Next::Retry(None) };
        }
    };
    let workflow = match read.0 {
        Ok(workflow) => workflow,
        Err(unfit) => {
            let deleting = unfit.metadata.deletion_timestamp.is_some();
            match deleting.then(|| salvage(&unfit.metadata, &unfit.data)) {
                Some(Ok(workflow)) => workflow,
                _ => return report::unreadable(ctx, &unfit).await,
            }
        }
    };
    let mut work = Work::new(ctx, workflow, place);
    if work.workflow.metadata.deletion_timestamp.is_some() {
        return cleanup::clean_up(&mut work).await;
    }
    if let Err(failed) = finalize(&mut work).await {
        return if objects::is_gone(&failed) || objects::is_conflict(&failed) {
            Ended { reason: Reason::Progressing, next: Next::Soon(Duration::from_millis(50)) }
        } else {
            warn!(error = %failed, "cannot put the finalizer on");
            Ended { reason: Reason::RequestFailed, next: Next::Retry(None) }
        };
    }
    let mut outcome = if work.spec().suspend == Some(true) {
        Outcome::Suspended { spec_changed: suspend::spec_changed(&mut work).await }
    } else {
        bounded(&mut work).await
    };
    if gives_up(&outcome) {
        route_claims::release_unserved(&work);
    }
    if let Outcome::Failed(reconcile_error @ ReconcileError { reason: Reason::Unauthorized | Reason::MissingScope, .. }) = outcome {
        outcome = Outcome::Failed(forget_key(&work, reconcile_error));
    }
    if let Outcome::Failed(reconcile_error) = &outcome {
        doubt_instance(&work, reconcile_error);
    }
    let requested = work.annotation(annotation::REQUESTED_AT).map(str::to_owned);
    work.status.last_handled_requested_at = requested.or(work.status.last_handled_requested_at.take());
    let details = std::mem::take(&mut work.details);
    let ended = report::report(&mut work, &Found { outcome, details }).await;
    info!(reason = ended.reason.as_str(), version = work.status.active_version, "pass ended");
    ended
}

/// Converges within the bound of a pass. What is cut off is as if the operator had been killed there: what it announced is found again.
async fn bounded(work: &mut Work<'_>) -> Outcome {
    let bound = work.ctx.settings.pass_bound;
    match tokio::time::timeout(bound, converge::converge(work)).await {
        Ok(outcome) => outcome.unwrap_or_else(Outcome::Failed),
        Err(_) => {
            work.abandon();
            let said = format!("the pass took longer than {} s and was stopped; it is tried again with growing pauses", bound.as_secs());
            Outcome::Failed(ReconcileError::transient(Reason::TimedOut, said))
        }
    }
}

/// Whether the object goes nowhere by itself: then it keeps no webhook path from others that it does not serve.
fn gives_up(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Suspended { .. } => true,
        Outcome::Failed(reconcile_error) => reconcile_error.class != Class::Transient && reconcile_error.reason != Reason::WebhookPathTaken,
        _ => false,
    }
}

/// Nothing is made in n8n for an object that could vanish without us.
async fn finalize(work: &mut Work<'_>) -> Result<(), kube::Error> {
    let has = work.workflow.metadata.finalizers.iter().flatten().any(|one| one == WORKFLOW_FINALIZER);
    if has {
        return Ok(());
    }
    let version = objects::set_finalizer(&work.ctx.client, &work.workflow, WORKFLOW_FINALIZER, true).await?;
    work.ctx.metrics.writes.with_label_values(&["Workflow"]).inc();
    work.moved_to(version);
    Ok(())
}

/// An n8n that does not answer is looked at: its Workflows are woken when it does again.
fn doubt_instance(work: &Work<'_>, reconcile_error: &ReconcileError) {
    if matches!(reconcile_error.reason, Reason::InstanceUnreachable | Reason::InstanceStarting) {
        let (namespace, name) = work.instance_key();
        work.ctx.doubt_instance(&namespace, &name);
    }
}

/// A key that n8n refuses is read again at the next try, for somebody may have renewed it.
fn forget_key(work: &Work<'_>, reconcile_error: ReconcileError) -> ReconcileError {
    let (namespace, name) = work.instance_key();
    let Some(instance) = work.ctx.instance(&namespace, &name) else { return reconcile_error };
    work.ctx.connections.forget_key(&instance);
    let Some(status) = &instance.status else { return reconcile_error };
    explained(reconcile_error, status.key_expires_at.as_deref(), &status.key_scopes, work.now())
}
