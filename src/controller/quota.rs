//! The controller of `WorkflowQuota`: counts the places in use, begins a new day, and names the Workflows that wait for a place or are beyond a limit.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::info_span;

use super::context::Context;
use super::runtime::latest;
use super::runtime::reconcile::{Ended, Next, REPORTING};
use super::runtime::status;
use crate::api::quota::{WorkflowQuota, WorkflowQuotaStatus};
use crate::api::reason::Reason;
use crate::domain::conditions::{Found, Outcome, conditions};
use crate::domain::quota::{Limits, daily, report};
use crate::kubernetes::decoded::{Decoded, Undecodable};
use crate::kubernetes::indexed_quota::IndexedQuota;
use crate::kubernetes::objects;

/// Changes within this time cost one count.
const TOGETHER: Duration = Duration::from_secs(1);
/// Longest time between two counts.
const LONGEST: Duration = Duration::from_secs(600);

/// Returns a hash of the parts whose change needs a count at once. The status is left out: it is written by the operator itself.
pub(super) fn change_hash(quota: &IndexedQuota) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    (&quota.metadata.uid, quota.metadata.generation).hash(&mut hasher);
    Some(hasher.finish())
}

/// Reconciles one WorkflowQuota.
pub(super) async fn reconcile(quota: Arc<IndexedQuota>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    ctx.listed().await;
    let (namespace, name, uid) = (quota.namespace().to_owned(), quota.name_any(), quota.uid().unwrap_or_default());
    let span = info_span!("quota", namespace, name);
    Ok(ctx.runtime.run("quota", &uid, span, ctx.settings.reconcile_timeout + REPORTING, reconcile_latest(&ctx, &namespace, &name)).await)
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Ended {
    let quota = match latest::read::<WorkflowQuota>(&ctx.client, namespace, name).await {
        Ok(Decoded(Ok(quota))) => quota,
        Ok(Decoded(Err(undecodable))) => return unreadable(ctx, &undecodable).await,
        Err(ended) => return ended,
    };
    let before = quota.status.clone().unwrap_or_default();
    let (after, now) = observe(ctx, namespace, &quota, &before);
    let version = quota.resource_version();
    match status::write(&ctx.client, &ctx.metrics.writes, &quota, version.as_deref(), (&before, &after)).await {
        Ok(_) => {}
        // A reservation was first.
        Err(error) if objects::is_conflict(&error) => return Ended::again_in(Reason::Progressing, Duration::from_millis(100)),
        Err(error) => return latest::unwritten(&error),
    }
    ctx.send_transitions(&quota, &before.conditions, &after.conditions).await;
    // The day ends by the clock, and nothing else tells.
    let left = Duration::try_from(daily::left(&after, now)).unwrap_or_default() + Duration::from_millis(500);
    Ended { reason: Reason::Succeeded, next: Next::In(left.min(LONGEST)) }
}

/// Returns the status as it is now.
fn observe(ctx: &Context, namespace: &str, quota: &WorkflowQuota, before: &WorkflowQuotaStatus) -> (WorkflowQuotaStatus, Timestamp) {
    let (own, now) = (&quota.spec.hard, Timestamp::now());
    let mut status = before.clone();
    daily::roll(&mut status, now);
    let (others, name) = (ctx.quotas.known(namespace), quota.metadata.name.as_deref().unwrap_or_default());
    let others = others.iter().filter(|other| other.name() != name).filter_map(|other| other.limits());
    let all = Limits::of(others.chain([(name, own)]));
    let exceeded = ctx.admissions.with_candidates(namespace, |candidates| report::count(&mut status, own, &all, candidates));
    report::refresh(&mut status, own);
    let generation = quota.metadata.generation.unwrap_or(0);
    let found = Found { outcome: Outcome::Ready("the limits are enforced".to_owned()), details: vec![exceeded] };
    (status.conditions, _) = conditions(&before.conditions, None, &found, generation, Duration::ZERO, now);
    status.observed_generation = generation;
    (status, now)
}

/// Writes a status that says so to a quota that does not fit its kind: nothing is added in its namespace until it is corrected.
async fn unreadable(ctx: &Context, object: &Undecodable) -> Ended {
    let message = format!(
        "the object does not fit the kind WorkflowQuota: {}; correct the field, or apply the CRDs of this version: nothing is added in this namespace until then",
        object.why
    );
    let updated = |old: &WorkflowQuotaStatus, generation, conditions| WorkflowQuotaStatus {
        observed_generation: generation,
        conditions,
        ..old.clone()
    };
    let writer = (&ctx.client, &ctx.metrics.writes);
    status::write_unreadable::<WorkflowQuota, _>(writer, object, &status::unfit(message), updated, |old| &old.conditions).await
}

/// Counts again whenever Workflows or quotas of a namespace changed.
pub(super) async fn keep_counts(ctx: Arc<Context>) {
    ctx.listed().await;
    loop {
        ctx.admissions.usage_changed().await;
        tokio::time::sleep(TOGETHER).await;
        let changed = ctx.admissions.take_counted();
        for quota in ctx.quotas.store.state() {
            if changed.contains(quota.namespace()) {
                // The receiver only goes away with the operator.
                let _ = ctx.wake_quota.send(ObjectRef::from_obj(quota.as_ref()));
            }
        }
    }
}

/// Wakes the Workflows that wait for a place as soon as there is one.
pub(super) async fn admit_waiting(ctx: Arc<Context>) {
    ctx.listed().await;
    loop {
        for namespace in ctx.admissions.freed().await {
            let limits = ctx.quotas.known_limits(&namespace);
            let woken = ctx.admissions.admissible(&namespace, &limits, |resource| ctx.quotas.may_use(&namespace, resource));
            for object in woken {
                // The receiver only goes away with the operator.
                let _ = ctx.wake.send(object);
            }
        }
    }
}
