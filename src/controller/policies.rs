//! WorkflowPolicies: a change wakes the Workflows that it concerns, and the status of each policy tells how many it denies.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::runtime::watcher::Event;
use tokio::sync::Notify;
use tracing::warn;

use super::context::Context;
use super::runtime::status;
use crate::catalog::Catalog;
use crate::domain::policy_status::status_of;
use crate::kubernetes::indexed_policy::IndexedPolicy;

/// Changes within this time cost one write.
const TOGETHER: Duration = Duration::from_secs(1);
/// Pause before another attempt to write a status.
const RETRY: Duration = Duration::from_secs(5);

/// Wakes the Workflows of a namespace when one of its policies is created, changed or deleted.
pub async fn follow(ctx: Arc<Context>, changed: Arc<Notify>) {
    ctx.listed().await;
    let mut changes = std::pin::pin!(ctx.stores.policies.follow());
    // Namespace and generation of each policy, by its UID.
    let mut known: HashMap<String, (String, Option<i64>)> = HashMap::new();
    let mut listed: Option<HashMap<String, (String, Option<i64>)>> = None;
    let mut first = true;
    while let Some(Ok(event)) = changes.next().await {
        let entry = |policy: &IndexedPolicy| {
            let meta = &policy.metadata;
            (meta.uid.clone().unwrap_or_default(), (policy.namespace().to_owned(), meta.generation))
        };
        let concerned: Vec<String> = match event {
            Event::Init => {
                listed = Some(HashMap::new());
                continue;
            }
            Event::InitApply(policy) => {
                listed.get_or_insert_default().extend([entry(&policy)]);
                continue;
            }
            Event::InitDone => {
                let now = listed.take().unwrap_or_default();
                let of = |this: &HashMap<String, (String, Option<i64>)>, other: &HashMap<String, (String, Option<i64>)>| {
                    let other = other.clone();
                    let differs = move |uid: &String, at: &(String, Option<i64>)| other.get(uid) != Some(at);
                    this.iter().filter(|(uid, at)| differs(uid, at)).map(|(_, (namespace, _))| namespace.clone()).collect::<Vec<_>>()
                };
                let concerned = [of(&now, &known), of(&known, &now)].concat();
                known = now;
                // At the start every Workflow is reconciled anyway.
                if std::mem::take(&mut first) { Vec::new() } else { concerned }
            }
            Event::Apply(policy) => {
                let (uid, at) = entry(&policy);
                let differs = known.get(&uid) != Some(&at);
                known.insert(uid, at.clone());
                differs.then_some(at.0).into_iter().collect()
            }
            Event::Delete(policy) => {
                known.remove(&entry(&policy).0);
                vec![policy.namespace().to_owned()]
            }
        };
        for namespace in concerned {
            ctx.wake_where(|indexed| indexed.namespace() == namespace);
        }
        changed.notify_one();
    }
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
    let after = status_of(before, &policy.spec.0, (generation, denied), Catalog::embedded(), Timestamp::now());
    match status::write(&ctx.client, &ctx.metrics.writes, policy, None, (before, &after)).await {
        Ok(_) => true,
        Err(error) if crate::kubernetes::objects::is_gone(&error) => true,
        Err(error) => {
            warn!(%error, namespace = policy.namespace(), name = policy.name(), "cannot write the status of the WorkflowPolicy");
            false
        }
    }
}
