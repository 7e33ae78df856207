//! Quotas of the namespace: a place before anything is sent to n8n, and a reservation before a new version is.

use super::reconciliation::Reconciliation;
use crate::api::quota::QuotaResource;
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;
use crate::domain::quota::Limits;
use crate::domain::quota::daily::Use;
use crate::domain::quota::places::{Candidate, Places};

/// Gives the object the places that it asks for, or fails if a quota does not allow it. An object that has its places is not held up.
pub(super) async fn admit(rec: &mut Reconciliation<'_>) -> Result<(), ReconcileError> {
    note_request(rec);
    let (namespace, uid) = (rec.namespace(), rec.uid());
    let holds = Places::of(&rec.status);
    let claims = Places::claimed(rec.spec().active, false, false);
    let limits = if holds.contain(claims) { Limits::default() } else { limits(rec, &namespace, &uid).await? };
    let activation = rec.status.activation_requested_at.as_ref().map(|at| at.0);
    let one = Candidate { uid: &uid, holds, claims, activation, ..Candidate::named(&rec.workflow.metadata) };
    Ok(rec.ctx.admissions.admit(&namespace, &one, &limits)?)
}

/// Reads the limits of the namespace, and its Workflows if there are any.
async fn limits(rec: &Reconciliation<'_>, namespace: &str, uid: &str) -> Result<Limits, ReconcileError> {
    let limits = rec.ctx.quotas.limits(namespace).await;
    // A quota that cannot be read is corrected some time, and the object must not wait for its backoff then.
    let limits = limits.inspect_err(|_| rec.ctx.admissions.wait(namespace, uid, QuotaResource::Workflows))?;
    if !limits.is_empty() {
        rec.ctx.admissions.catch_up(namespace).await?;
    }
    Ok(limits)
}

/// Records since when the object asks to be published.
pub(super) fn note_request(rec: &mut Reconciliation<'_>) {
    let asks = Places::claimed(rec.spec().active, rec.spec().suspend == Some(true), false).active && !Places::of(&rec.status).active;
    let now = rec.now();
    rec.status.record_activation_request(asks, now);
}

/// Records the places that the object has at the end of a reconciliation. Those that were given and not used are free again.
pub(super) fn note_places(rec: &Reconciliation<'_>) {
    let (namespace, uid) = (rec.namespace(), rec.uid());
    if rec.spec().suspend == Some(true) {
        rec.ctx.admissions.leave(&namespace, &uid);
    }
    rec.ctx.admissions.note(&namespace, &uid, Places::of(&rec.status));
}

/// Outcome of a write that a deployment was reserved for.
pub(super) enum Taken {
    /// n8n has the version.
    Yes,
    /// n8n certainly does not have it.
    No,
    /// n8n did not answer: the reservation stays until a later attempt knows.
    Unknown,
}

/// Reserves the deployment of a version, unless it is reserved already.
pub(super) async fn reserve(rec: &Reconciliation<'_>, version: i64) -> Result<(), ReconcileError> {
    let (namespace, uid) = (rec.namespace(), rec.uid());
    let reserved = rec.ctx.quotas.reserve(&namespace, deployment(&key(&uid, version), 1)).await;
    reserved.map_err(|mut error| {
        if error.reason == Reason::QuotaExceeded {
            rec.ctx.admissions.wait(&namespace, &uid, QuotaResource::DeploymentsPerDay);
            // The published version is watched meanwhile, at the same interval.
            let interval = rec.spec().interval.get();
            error.requeue_after = Some(error.requeue_after.map_or(interval, |until| until.min(interval)));
        }
        error
    })
}

/// Settles the deployment of a version, if it is reserved.
pub(super) async fn settle(rec: &Reconciliation<'_>, version: i64, taken: Taken) {
    let amount = match taken {
        Taken::Yes => 1,
        Taken::No => 0,
        Taken::Unknown => return,
    };
    let namespace = rec.namespace();
    rec.ctx.quotas.settle(&namespace, deployment(&key(&rec.uid(), version), amount)).await;
    if amount == 0 {
        rec.ctx.admissions.changed(&namespace);
    }
}

const fn deployment(key: &str, amount: i64) -> Use<'_> {
    Use { resource: QuotaResource::DeploymentsPerDay, key, amount }
}

fn key(uid: &str, version: i64) -> String {
    format!("{uid}/{version}")
}
