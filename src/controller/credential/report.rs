//! The last step of every reconciliation: the status if it differs, events, and the time of the next one.

use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::reconciliation::Reconciliation;
use crate::api::reason::Reason;
use crate::controller::runtime::reconcile::Ended;
use crate::domain::conditions::{Found, state};
use crate::domain::credential::test_result::until_test;
use crate::domain::status::Status;
use crate::domain::transitions::transitions;

/// Writes the status, sends events, and returns when to reconcile again.
pub(super) async fn report(rec: &mut Reconciliation<'_>, found: &Found) -> Ended {
    let (generation, now) = (rec.credential.metadata.generation.unwrap_or(0), Timestamp::now());
    let grace = rec.spec().interval.get() * 3;
    let before = rec.status.report(found, generation, grace, now);
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
    rec.ctx.send_events(&rec.credential, None, transitions(&before, &rec.status.conditions, false)).await;
    ended
}

/// Returns the interval, or the time until the next test if that is sooner.
fn until_next(rec: &Reconciliation<'_>, now: Timestamp) -> Duration {
    let interval = rec.spec().interval.get();
    let test = rec.status.test.as_ref().and_then(|test| until_test(test, rec.spec().test_interval.map(|one| one.get()), now));
    test.map_or(interval, |test| interval.min(test))
}
