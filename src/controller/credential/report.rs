//! The last step of every reconciliation: the status if it differs, events, and the time of the next one.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::events::EventType;
use tracing::warn;

use super::reconciliation::Reconciliation;
use crate::api::condition::Condition;
use crate::api::credential::N8nCredential;
use crate::api::credential_status::N8nCredentialStatus;
use crate::api::reason::Reason;
use crate::controller::context::Context;
use crate::controller::runtime::reconcile::Ended;
use crate::controller::runtime::status;
use crate::domain::annotations::{OF_CREDENTIAL, unknown};
use crate::domain::conditions::{Found, conditions, state};
use crate::domain::credential::test_result::until_test;
use crate::domain::status_bounds;
use crate::domain::summary::summary;
use crate::kubernetes::decoded::Undecodable;

/// Writes the status, sends events, and returns when to reconcile again.
pub(super) async fn report(rec: &mut Reconciliation<'_>, found: &Found) -> Ended {
    let (generation, now) = (rec.generation(), Timestamp::now());
    let before = rec.before().clone();
    let grace = rec.spec().interval.get() * 3;
    let (after, unverified_since) = conditions(&before.conditions, before.unverified_since.as_ref(), found, generation, grace, now);
    let status = &mut rec.status;
    status.summary = summary(&after);
    (status.observed_generation, status.conditions, status.unverified_since) = (generation, after, unverified_since);
    let ended = Ended::of(&found.outcome, until_next(rec, now));
    let saved = rec.save_last().await;
    for (kind, reason, note) in std::mem::take(&mut rec.events) {
        rec.ctx.send_event(&rec.credential, kind, reason, note).await;
    }
    match saved {
        Ok(true) => {}
        // Another writer was first, or the object is gone. The next reconciliation reports the changed conditions.
        Ok(false) => return Ended::failed(Reason::Progressing),
        Err(error) => {
            warn!(%error, "cannot write the status");
            return Ended::failed(ended.reason);
        }
    }
    rec.ctx.count_credential(&rec.uid(), Some(state(&rec.status.conditions, &found.outcome)));
    send_events(rec, &before).await;
    ended
}

async fn send_events(rec: &Reconciliation<'_>, before: &N8nCredentialStatus) {
    rec.ctx.send_transitions(&rec.credential, &before.conditions, &rec.status.conditions).await;
    let unread = unknown(rec.credential.metadata.annotations.as_ref(), OF_CREDENTIAL);
    if let Some(note) = rec.ctx.new_unknown_annotations(&rec.uid(), unread) {
        rec.ctx.send_event(&rec.credential, EventType::Warning, Reason::UnknownAnnotation, note).await;
    }
}

/// Returns the interval, or the time until the next test if that is sooner.
fn until_next(rec: &Reconciliation<'_>, now: Timestamp) -> Duration {
    let interval = rec.spec().interval.get();
    let test = rec.status.test.as_ref().and_then(|test| until_test(test, rec.spec().test_interval.map(|one| one.get()), now));
    test.map_or(interval, |test| interval.min(test))
}

/// Writes a status that says so to an object that does not fit its kind.
pub(super) async fn unreadable(ctx: &Context, object: &Undecodable) -> Ended {
    let message =
        format!("the object does not fit the kind N8nCredential: {}; correct the field, or apply the CRDs of this version", object.why);
    let updated = |old: &N8nCredentialStatus, generation, conditions: Vec<Condition>| {
        let summary = summary(&conditions);
        let mut new = N8nCredentialStatus { observed_generation: generation, summary, conditions, ..old.clone() };
        status_bounds::fit_credential(&mut new);
        new
    };
    let writer = (&ctx.client, &ctx.metrics.writes);
    status::write_unreadable::<N8nCredential, _>(writer, object, &status::unfit(message), updated, |old| &old.conditions).await
}
