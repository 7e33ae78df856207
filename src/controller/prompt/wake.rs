//! Further triggers of a prompt's reconciliation: changes of its Workflow, of the rules, of the instance and of the provider.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, future};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;

use crate::controller::context::Context;
use crate::kubernetes::indexed_prompt::IndexedPrompt;

/// Wakes prompts whenever something changes that they depend on, until the process ends.
pub async fn follow_changes(ctx: Arc<Context>) {
    ctx.listed().await;
    let rules = future::join(follow_policies(&ctx), follow_quotas(&ctx));
    future::join5(follow_workflows(&ctx), rules, follow_instances(&ctx), follow_providers(&ctx), follow_prompts(&ctx)).await;
}

/// Forgets prompts that are gone: nothing is asked for them any more.
async fn follow_prompts(ctx: &Context) {
    let mut changes = std::pin::pin!(ctx.stores.prompts.follow());
    while let Some(event) = changes.next().await {
        if let Ok(Event::Delete(prompt)) = event {
            let uid = prompt.metadata.uid.as_deref().unwrap_or_default();
            ctx.models.forget_prompt(uid);
            ctx.forget_reconciled(uid);
        }
    }
}

/// Wakes the prompt of each Workflow that changes, and those that change its definition.
async fn follow_workflows(ctx: &Context) {
    let mut changes = std::pin::pin!(ctx.stores.workflows.follow());
    while let Some(event) = changes.next().await {
        if let Ok(Event::Apply(workflow) | Event::Delete(workflow)) = event {
            wake(ctx, |prompt| prompt.namespace() == workflow.namespace() && prompt.concerns(workflow.name()));
        }
    }
}

/// Wakes the prompts of a namespace whose rules change: what is proposed may be denied now.
async fn follow_policies(ctx: &Context) {
    let mut changes = std::pin::pin!(ctx.stores.policies.follow());
    let mut known: HashSet<(Option<String>, Option<i64>)> = HashSet::new();
    while let Some(event) = changes.next().await {
        let (policy, gone) = match event {
            Ok(Event::Apply(policy)) => (policy, false),
            Ok(Event::Delete(policy)) => (policy, true),
            _ => continue,
        };
        // The operator writes the status of policies itself.
        if known.insert((policy.metadata.uid.clone(), policy.metadata.generation)) || gone {
            wake(ctx, |prompt| prompt.namespace() == policy.namespace());
        }
    }
}

/// Wakes the prompts of an instance that is there now, or has another spec.
async fn follow_instances(ctx: &Context) {
    let mut changes = std::pin::pin!(ctx.stores.instances.follow());
    let mut known: HashSet<(Option<String>, Option<i64>)> = HashSet::new();
    while let Some(event) = changes.next().await {
        let Ok(Event::Apply(instance)) = event else { continue };
        if known.insert((instance.metadata.uid.clone(), instance.metadata.generation)) {
            let (namespace, name) = (instance.namespace().unwrap_or_default(), instance.name_any());
            wake(ctx, |prompt| prompt.runs_on(&namespace, &name));
        }
    }
}

/// Wakes the prompts of a namespace whose limits change.
async fn follow_quotas(ctx: &Context) {
    let mut changes = std::pin::pin!(ctx.stores.quotas.follow());
    let mut known: HashSet<(Option<String>, Option<i64>)> = HashSet::new();
    while let Some(event) = changes.next().await {
        let (Ok(Event::Apply(quota)) | Ok(Event::Delete(quota))) = event else { continue };
        if known.insert((quota.metadata.uid.clone(), quota.metadata.generation)) {
            wake(ctx, |prompt| prompt.namespace() == quota.namespace());
        }
    }
}

/// Wakes the prompts of a provider that is there now, has another spec, or is Ready or not any more: their backoff may be long.
async fn follow_providers(ctx: &Context) {
    let mut changes = std::pin::pin!(ctx.stores.providers.follow());
    let mut known: HashMap<(String, String), (Option<i64>, bool)> = HashMap::new();
    while let Some(event) = changes.next().await {
        let (provider, gone) = match event {
            Ok(Event::Apply(provider)) => (provider, false),
            Ok(Event::Delete(provider)) => (provider, true),
            _ => continue,
        };
        let (namespace, name) = (provider.namespace().to_owned(), provider.name().to_owned());
        let now = (provider.metadata.generation, provider.is_ready());
        if gone || known.get(&(namespace.clone(), name.clone())) != Some(&now) {
            wake(ctx, |prompt| prompt.asks(&namespace, &name));
        }
        if gone {
            known.remove(&(namespace, name));
        } else {
            known.insert((namespace, name), now);
        }
    }
}

fn wake(ctx: &Context, wanted: impl Fn(&IndexedPrompt) -> bool) {
    for prompt in ctx.stores.prompts.store().state_filter(|prompt| wanted(prompt)) {
        // The receiver only goes away with the operator.
        let _ = ctx.wake_prompt.send(ObjectRef::from_obj(prompt.as_ref()));
    }
}
