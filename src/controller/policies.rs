//! WorkflowPolicies: a change wakes the Workflows that it concerns, and the status of each policy tells how many it denies.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::Event;
use tokio::sync::Notify;
use tracing::{Instrument, info_span};

use super::context::Context;
use crate::api::policy::WorkflowPolicyStatus;
use crate::api::reason::Reason;
use crate::catalog::Catalog;
use crate::domain::policy_status::result;
use crate::kubernetes::indexed_policy::IndexedPolicy;

/// Changes within this time cost one write.
const TOGETHER: Duration = Duration::from_secs(1);
/// Pause before another attempt to write a status.
const RETRY: Duration = Duration::from_secs(5);

/// Wakes the Workflows of a namespace when one of its policies is created, changed or deleted.
pub async fn follow(ctx: Arc<Context>, changed: Arc<Notify>) {
    ctx.listed().await;
    let mut changes = std::pin::pin!(ctx.stores.policies.follow());
    // At the start every Workflow is reconciled anyway.
    let mut known = generations(&ctx);
    while let Some(Ok(event)) = changes.next().await {
        if matches!(event, Event::Init | Event::InitApply(_)) {
            continue;
        }
        let now = generations(&ctx);
        let mut concerned: HashSet<&str> = known.symmetric_difference(&now).map(|(namespace, ..)| namespace.as_str()).collect();
        // One that was created and deleted since the last event may have denied something meanwhile.
        if let Event::Delete(policy) = &event {
            concerned.insert(policy.namespace());
        }
        for namespace in concerned {
            ctx.wake_where(|indexed| indexed.namespace() == namespace);
        }
        known = now;
        changed.notify_one();
    }
}

/// Returns namespace, UID and generation of each policy.
fn generations(ctx: &Context) -> HashSet<(String, Option<String>, Option<i64>)> {
    let all = ctx.stores.policies.store().state();
    all.iter().map(|policy| (policy.namespace().to_owned(), policy.metadata.uid.clone(), policy.metadata.generation)).collect()
}

/// Keeps the status of the policies. `changed` is notified of each change of a Workflow or policy.
pub async fn keep_status(ctx: Arc<Context>, changed: Arc<Notify>) {
    ctx.listed().await;
    loop {
        let mut failed = false;
        let mut denied: HashMap<(String, String), i64> = HashMap::new();
        for indexed in ctx.workflows.state() {
            for name in &indexed.status.denied_by {
                *denied.entry((indexed.namespace().to_owned(), name.clone())).or_default() += 1;
            }
        }
        for policy in ctx.stores.policies.store().state_filter(|policy| ctx.stores.keeps(policy)) {
            let count = denied.get(&(policy.namespace().to_owned(), policy.name().to_owned())).copied().unwrap_or_default();
            failed |= !write(&ctx, &policy, count).await;
        }
        if failed {
            tokio::time::sleep(RETRY).await;
        } else {
            changed.notified().await;
            tokio::time::sleep(TOGETHER).await;
        }
    }
}

/// Writes the status if it differs. Returns whether it is as it should be.
async fn write(ctx: &Context, policy: &IndexedPolicy, denied: i64) -> bool {
    let generation = policy.metadata.generation.unwrap_or(0);
    let before = &policy.status;
    if before.observed_generation == generation && before.denied == denied {
        return true;
    }
    let mut after = WorkflowPolicyStatus { denied, ..before.clone() };
    let found = result(&policy.spec.0, Catalog::embedded());
    let span = info_span!("policy", namespace = policy.namespace(), name = policy.name());
    let reported = ctx.report(policy, None, (before, &mut after), &found, Duration::ZERO, None).instrument(span).await;
    reported.map_or_else(|ended| ended.reason == Reason::Cleaned, |()| true)
}
