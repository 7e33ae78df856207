//! Number of Workflows that are bound to each instance. A reconciliation of an instance sends many requests to n8n, so the number is kept
//! up to date separately, as Workflows come and go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::sync::Notify;
use tracing::debug;

use crate::api::instance::{N8nInstance, N8nInstanceStatus};
use crate::controller::context::Context;
use crate::controller::runtime::status;

/// Changes within this time cost one write.
const TOGETHER: Duration = Duration::from_secs(1);

/// Writes the number into the status of each instance whenever it changed. `changed` is notified of each change of a Workflow.
pub async fn keep_counts(ctx: Arc<Context>, changed: Arc<Notify>) {
    ctx.listed().await;
    loop {
        changed.notified().await;
        tokio::time::sleep(TOGETHER).await;
        let mut bound: HashMap<(String, String), i64> = HashMap::new();
        for indexed in ctx.workflows.state().iter().filter(|indexed| indexed.status.n8n_workflow_id.is_some()) {
            let (namespace, name) = indexed.instance();
            *bound.entry((namespace.to_owned(), name.to_owned())).or_default() += 1;
        }
        for instance in ctx.instances.state() {
            let at = (instance.namespace().unwrap_or_default(), instance.name_any());
            let count = bound.get(&at).copied().unwrap_or_default();
            // An instance without a status is about to be reconciled.
            if let Some(status) = instance.status.as_ref().filter(|status| status.workflows != count && status.observed_generation >= 0) {
                write(&ctx, &instance, status, count).await;
            }
        }
    }
}

async fn write(ctx: &Context, instance: &N8nInstance, before: &N8nInstanceStatus, workflows: i64) {
    let after = N8nInstanceStatus { workflows, ..before.clone() };
    // The next change, or the next reconciliation of the instance, writes what could not be written.
    if let Err(error) = status::write(&ctx.client, &ctx.metrics.writes, instance, None, (before, &after)).await {
        debug!(%error, "cannot write the number of Workflows");
    }
}
