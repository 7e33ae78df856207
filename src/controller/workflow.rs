//! The controller of `Workflow`: one reconciliation reads the object, converges n8n with its spec, and writes its status.

mod answered;
mod attempt;
mod bind;
mod callers;
mod cleanup;
mod converge;
mod credentials;
mod dependencies;
mod deploy;
mod deployment;
mod drift;
mod fail;
mod failure_class;
mod observe;
mod policy;
mod probe_headers;
mod project;
mod quota;
mod reconciliation;
mod remote;
mod report;
mod republish;
mod resolve;
mod route_claims;
mod source;
mod suspend;
pub(super) mod sweep;
mod tags;
mod template;
mod validate;
mod verify;
mod versions;
mod watch_health;

use std::convert::Infallible;
use std::sync::Arc;

use kube::runtime::controller::Action;
use tracing::{info, info_span};

use super::context::Context;
use super::metrics::Counted;
use super::runtime::latest;
use super::runtime::reconcile::{Ended, REPORTING};
use super::runtime::slots::Slot;
use crate::api::WORKFLOW_FINALIZER;
use crate::api::reason::{Class, Reason};
use crate::api::workflow::Workflow;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::lenient_decode::decode_leniently;
use crate::kubernetes::indexed_metadata::change_hash;
use crate::kubernetes::objects;
use crate::kubernetes::workflow_index::IndexedWorkflow;
use reconciliation::Reconciliation;

/// Reconciles one Workflow.
pub(super) async fn reconcile(indexed: Arc<IndexedWorkflow>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    ctx.listed().await;
    let (namespace, instance) = indexed.instance();
    ctx.runtime.backoffs.restart_on_change(indexed.uid(), change_hash(&*indexed));
    if let Some(later) = sweep::pass(&ctx, &indexed) {
        return Ok(later);
    }
    let waiting = Counted::on(&ctx.metrics.queue);
    let slot = ctx.slots.enter(&objects::key(namespace, instance), indexed.uid(), || ctx.urgency(&indexed)).await;
    let Some(slot) = slot else { return Ok(Action::await_change()) };
    drop(waiting);
    let span = info_span!("workflow", namespace = indexed.namespace(), name = indexed.name());
    // Boxed, so that thousands of reconciliations that wait for a slot hold no memory for what they will need.
    let reconciliation = Box::pin(reconcile_in_slot(&ctx, &indexed, slot));
    Ok(ctx.runtime.run("workflow", indexed.uid(), span, ctx.settings.reconcile_timeout + REPORTING, reconciliation).await)
}

async fn reconcile_in_slot(ctx: &Context, indexed: &IndexedWorkflow, slot: Slot) -> Ended {
    let read = match latest::read::<Workflow>(&ctx.client, indexed.namespace(), indexed.name()).await {
        Ok(read) => read,
        Err(ended) => {
            if ended.reason == Reason::Cleaned {
                ctx.forget(indexed.uid());
            }
            return ended;
        }
    };
    let workflow = match read.0 {
        Ok(workflow) => workflow,
        Err(undecodable) => {
            let deleting = undecodable.metadata.deletion_timestamp.is_some();
            match deleting.then(|| decode_leniently(&undecodable.metadata, &undecodable.data)) {
                Some(Ok(workflow)) => workflow,
                _ => return ctx.report_unreadable::<Workflow>(&undecodable).await,
            }
        }
    };
    let mut rec = Reconciliation::new(ctx, workflow, slot);
    if rec.workflow.metadata.deletion_timestamp.is_some() {
        return cleanup::clean_up(&mut rec).await;
    }
    match ctx.ensure_finalizer(&rec.workflow, WORKFLOW_FINALIZER).await {
        Ok(version) => rec.moved_to(version),
        Err(ended) => return ended,
    }
    let mut outcome = if rec.spec().suspend == Some(true) {
        Outcome::Suspended { spec_changed: suspend::spec_changed(&mut rec).await }
    } else {
        bounded(&mut rec).await
    };
    if gives_up(&outcome) {
        route_claims::release_unserved(&rec);
    }
    if let Outcome::Failed(error) = outcome {
        outcome = Outcome::Failed(rec.note_error(error));
    }
    let denied_by = std::mem::take(&mut rec.denied_by);
    rec.status.record_denied_by(denied_by);
    rec.status.take_requests(rec.workflow.metadata.annotations.as_ref());
    quota::note_request(&mut rec);
    let details = std::mem::take(&mut rec.details);
    let ended = report::report(&mut rec, &Found { outcome, details }).await;
    quota::note_places(&rec);
    ctx.sweeps.end(&rec.instance_at(), &rec.uid(), rec.asked, sweep::covered(&rec, &ended));
    info!(reason = ended.reason.as_str(), version = rec.status.active_version, "reconciled");
    ended
}

/// Converges within the time limit. A cut-off reconciliation is as if the operator had been killed there: the announced write is found
/// again.
async fn bounded(rec: &mut Reconciliation<'_>) -> Outcome {
    let bound = rec.ctx.settings.reconcile_timeout;
    match tokio::time::timeout(bound, converge::converge(rec)).await {
        Ok(outcome) => outcome.unwrap_or_else(Outcome::Failed),
        Err(_) => {
            rec.abandon();
            Outcome::Failed(ReconcileError::timed_out(bound))
        }
    }
}

/// Reports whether the object makes no progress by itself: then it releases the webhook paths that it does not serve.
fn gives_up(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Suspended { .. } => true,
        Outcome::Failed(error) => error.class != Class::Transient && error.reason != Reason::WebhookPathTaken,
        _ => false,
    }
}
