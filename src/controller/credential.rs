//! The controller of `N8nCredential`: one reconciliation reads the Secrets, converges the credential in n8n with them, tests it, and writes the
//! status.

mod apply;
mod bind;
mod cleanup;
mod drift;
mod following;
mod project;
mod reconciliation;
mod report;
mod rotation;
mod test;
mod values;

use std::convert::Infallible;
use std::sync::Arc;

use kube::runtime::controller::Action;
use tracing::{info, info_span};

pub(super) use following::{following, keep_counts};
pub(super) use rotation::follow_secrets;

use super::context::Context;
use super::runtime::latest;
use super::runtime::reconcile::{Ended, REPORTING};
use super::runtime::slots::Slot;
use crate::api::CREDENTIAL_FINALIZER;
use crate::api::credential::N8nCredential;
use crate::api::reason::Reason;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::status::Status;
use crate::domain::urgency::Urgency;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::indexed_credential::IndexedCredential;
use crate::kubernetes::indexed_metadata::change_hash;
use crate::kubernetes::objects;
use reconciliation::Reconciliation;

/// Reconciles one N8nCredential.
pub(super) async fn reconcile(indexed: Arc<IndexedCredential>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    ctx.listed().await;
    ctx.runtime.backoffs.restart_on_change(indexed.uid(), change_hash(&*indexed));
    // Without a spec there is no instance whose turn it could be.
    let slot = match indexed.instance() {
        Some((namespace, name)) => {
            let slot = ctx.slots.enter(&objects::key(namespace, name), indexed.uid(), || urgency(&indexed)).await;
            let Some(slot) = slot else { return Ok(Action::await_change()) };
            Some(slot)
        }
        None => None,
    };
    let span = info_span!("credential", namespace = indexed.namespace(), name = indexed.name());
    let reconciliation = Box::pin(reconcile_in_slot(&ctx, &indexed, slot));
    Ok(ctx.runtime.run("credential", indexed.uid(), span, ctx.settings.reconcile_timeout + REPORTING, reconciliation).await)
}

fn urgency(indexed: &IndexedCredential) -> Urgency {
    let observed = indexed.status().map(|status| status.observed_generation);
    if indexed.deleting() {
        Urgency::Deletion
    } else if observed == indexed.metadata.generation {
        Urgency::Routine
    } else {
        Urgency::Edit
    }
}

async fn reconcile_in_slot(ctx: &Context, indexed: &IndexedCredential, slot: Option<Slot>) -> Ended {
    let credential = match latest::read::<N8nCredential>(&ctx.client, indexed.namespace(), indexed.name()).await {
        Ok(Decoded(Ok(credential))) => credential,
        Ok(Decoded(Err(undecodable))) if undecodable.metadata.deletion_timestamp.is_some() => {
            return cleanup::release_unreadable(ctx, &undecodable).await;
        }
        Ok(Decoded(Err(undecodable))) => return ctx.report_unreadable::<N8nCredential>(&undecodable).await,
        Err(ended) => {
            if ended.reason == Reason::Cleaned {
                ctx.forget_credential(indexed.uid());
            }
            return ended;
        }
    };
    let mut rec = Reconciliation::new(ctx, credential, slot);
    if rec.credential.metadata.deletion_timestamp.is_some() {
        return cleanup::clean_up(&mut rec).await;
    }
    match ctx.ensure_finalizer(&rec.credential, CREDENTIAL_FINALIZER).await {
        Ok(version) => rec.moved_to(version),
        Err(ended) => return ended,
    }
    let mut outcome = if rec.spec().suspend == Some(true) {
        Outcome::Suspended { spec_changed: rec.status.observed_generation != rec.generation() }
    } else {
        bounded(&mut rec).await
    };
    if let Outcome::Failed(error) = outcome {
        outcome = Outcome::Failed(rec.note_error(error));
    }
    rec.status.take_requests(rec.credential.metadata.annotations.as_ref());
    let details = std::mem::take(&mut rec.details);
    let ended = report::report(&mut rec, &Found { outcome, details }).await;
    info!(reason = ended.reason.as_str(), "reconciled");
    ended
}

/// Converges within the time limit. A cut-off reconciliation is as if the operator had been killed there.
async fn bounded(rec: &mut Reconciliation<'_>) -> Outcome {
    let bound = rec.ctx.settings.reconcile_timeout;
    match tokio::time::timeout(bound, converge(rec)).await {
        Ok(outcome) => outcome.unwrap_or_else(Outcome::Failed),
        Err(_) => {
            rec.abandon();
            Outcome::Failed(ReconcileError::timed_out(bound))
        }
    }
}

async fn converge(rec: &mut Reconciliation<'_>) -> Result<Outcome, ReconcileError> {
    rec.count_users();
    let given = values::read(rec).await?;
    let connection = rec.connect().await?;
    let wanted = values::wanted(rec, &connection, &given).await?;
    if let Some(left) = apply::apply(rec, &connection, &wanted).await? {
        return Ok(left);
    }
    if let Some(left) = project::place(rec, &connection).await? {
        return Ok(left);
    }
    test::test(rec, &connection, &wanted).await
}
