//! The controller of `WorkflowQuota`: counts the places in use, begins a new day, and names the Workflows that wait for a place or are beyond a limit.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::info_span;

use super::context::Context;
use super::runtime::reconcile::{Ended, Next};
use crate::api::quota::{WorkflowQuota, WorkflowQuotaStatus};
use crate::api::reason::Reason;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::quota::{Limits, daily, report};
use crate::kubernetes::indexed_quota::IndexedQuota;

/// Changes within this time cost one count.
const TOGETHER: Duration = Duration::from_secs(1);
/// Longest time between two counts.
const LONGEST: Duration = Duration::from_secs(600);

/// Reconciles one WorkflowQuota.
pub(super) async fn reconcile(quota: Arc<IndexedQuota>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    let span = info_span!("quota", namespace = quota.namespace(), name = quota.name());
    ctx.reconcile("quota", span, &*quota, reconcile_latest(&ctx, quota.namespace(), quota.name())).await
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Result<Ended, Ended> {
    let quota = ctx.latest::<WorkflowQuota>(namespace, name).await?;
    let (before, now) = (quota.status.clone().unwrap_or_default(), Timestamp::now());
    let mut after = before.clone();
    let found = observe(ctx, namespace, &quota, &mut after, now);
    // A reservation may be first.
    let version = quota.metadata.resource_version.as_deref();
    ctx.report(&quota, version, (&before, &mut after), &found, Duration::ZERO, None).await?;
    // The day ends by the clock, and nothing else tells.
    let left = Duration::try_from(daily::left(&after, now)).unwrap_or_default() + Duration::from_millis(500);
    Ok(Ended { reason: Reason::Succeeded, next: Next::In(left.min(LONGEST)) })
}

/// Counts the places in use, and begins a new day.
fn observe(ctx: &Context, namespace: &str, quota: &WorkflowQuota, status: &mut WorkflowQuotaStatus, now: Timestamp) -> Found {
    let own = &quota.spec.hard;
    daily::roll(status, now);
    let (others, name) = (ctx.quotas.known(namespace), quota.metadata.name.as_deref().unwrap_or_default());
    let others = others.iter().filter(|other| other.name() != name).filter_map(|other| other.limits());
    let all = Limits::of(others.chain([(name, own)]));
    let exceeded = ctx.admissions.with_candidates(namespace, |candidates| report::count(status, own, &all, candidates));
    report::refresh(status, own);
    Found { outcome: Outcome::Ready("the limits are enforced".to_owned()), details: vec![exceeded] }
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
