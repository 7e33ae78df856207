//! The controller of `WorkflowTemplate`: validates each template, tells how many Workflows are made from it, and wakes them when it changes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use tokio::sync::Notify;
use tracing::info_span;

use super::context::Context;
use super::runtime::latest;
use super::runtime::reconcile::{Ended, Next, REPORTING};
use super::runtime::status;
use crate::api::reason::Reason;
use crate::api::template::{WorkflowTemplate, WorkflowTemplateSpec, WorkflowTemplateStatus};
use crate::catalog::Catalog;
use crate::document::finding::{Severity, has_errors, summarise};
use crate::domain::conditions::{Found, Outcome, conditions};
use crate::domain::error::ReconcileError;
use crate::generation::template::{digest, validate};
use crate::kubernetes::decoded::{Decoded, Undecodable};
use crate::kubernetes::indexed_template::IndexedTemplate;

/// Changes within this time cost one count.
const TOGETHER: Duration = Duration::from_secs(1);
/// Time between two validations while nothing changes.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Maximum length of the findings in a condition.
const FINDINGS_CHARS: usize = 1_500;

/// UID and generation of each template, by namespace and name.
type Known = HashMap<(String, String), (Option<String>, Option<i64>)>;

/// Returns a hash of the parts whose change needs a reconciliation. The status is left out: it is written by the operator itself.
pub(super) fn change_hash(template: &IndexedTemplate) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    (&template.metadata.uid, template.metadata.generation).hash(&mut hasher);
    Some(hasher.finish())
}

/// Wakes the Workflows that are made from a template when it is created, changed or deleted.
pub(super) fn following(ctx: Arc<Context>) -> impl FnMut(&Result<Event<IndexedTemplate>, watcher::Error>) + Send {
    let (mut known, mut before) = (Known::new(), None::<Known>);
    move |event| {
        let wake = |(namespace, name): &(String, String)| ctx.wake_where(|indexed| indexed.is_made_from(namespace, name));
        match event {
            Ok(Event::Init) => before = Some(std::mem::take(&mut known)),
            Ok(Event::Apply(template) | Event::InitApply(template)) => {
                let (key, state) = (key(template), (template.metadata.uid.clone(), template.metadata.generation));
                let earlier = known.insert(key.clone(), state.clone());
                let earlier = earlier.or_else(|| before.as_ref()?.get(&key).cloned());
                if earlier != Some(state) {
                    wake(&key);
                }
            }
            Ok(Event::Delete(template)) => {
                known.remove(&key(template));
                wake(&key(template));
            }
            // One that was deleted while the watch was broken is only missing in the new list.
            Ok(Event::InitDone) => before.take().iter().flat_map(HashMap::keys).filter(|key| !known.contains_key(*key)).for_each(wake),
            Err(_) => {}
        }
    }
}

fn key(template: &IndexedTemplate) -> (String, String) {
    (template.namespace().to_owned(), template.name().to_owned())
}

/// Reconciles one WorkflowTemplate.
pub(super) async fn reconcile(template: Arc<IndexedTemplate>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    ctx.listed().await;
    let (namespace, name, uid) = (template.namespace().to_owned(), template.name_any(), template.uid().unwrap_or_default());
    let span = info_span!("template", namespace, name);
    Ok(ctx.runtime.run("template", &uid, span, ctx.settings.reconcile_timeout + REPORTING, reconcile_latest(&ctx, &namespace, &name)).await)
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Ended {
    let template = match latest::read::<WorkflowTemplate>(&ctx.client, namespace, name).await {
        Ok(Decoded(Ok(template))) => template,
        Ok(Decoded(Err(undecodable))) => return unreadable(ctx, &undecodable).await,
        Err(ended) => return ended,
    };
    let before = template.status.clone().unwrap_or_default();
    let outcome = outcome(template.spec.clone()).await;
    let next = match &outcome {
        Outcome::Failed(error) => Ended::failed(error.reason),
        _ => Ended { reason: Reason::Succeeded, next: Next::Interval(INTERVAL) },
    };
    let generation = template.metadata.generation.unwrap_or(0);
    let found = Found { outcome, details: Vec::new() };
    let (after, _) = conditions(&before.conditions, None, &found, generation, Duration::ZERO, Timestamp::now());
    let after = WorkflowTemplateStatus {
        observed_generation: generation,
        digest: Some(digest(&template.spec)),
        workflows: count(ctx, namespace, name),
        conditions: after,
    };
    if let Err(error) = status::write(&ctx.client, &ctx.metrics.writes, &template, None, (&before, &after)).await {
        return latest::unwritten(&error);
    }
    ctx.send_transitions(&template, &before.conditions, &after.conditions).await;
    next
}

/// Validates a template.
async fn outcome(spec: WorkflowTemplateSpec) -> Outcome {
    // A large one takes long, and must not delay other reconciliations.
    let validated = tokio::task::spawn_blocking(move || validate(&spec, Catalog::embedded())).await;
    let mut findings = match validated {
        Ok(findings) => findings,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => return Outcome::Failed(ReconcileError::transient(Reason::Progressing, "the operator is shutting down")),
        },
    };
    findings.retain(|finding| finding.severity < Severity::Info);
    match (findings.is_empty(), has_errors(&findings)) {
        (true, _) => Outcome::Ready("the template and its examples are valid".to_owned()),
        (false, false) => Outcome::Ready(summarise(&findings, FINDINGS_CHARS)),
        (false, true) => Outcome::Failed(ReconcileError::invalid(Reason::TemplateInvalid, summarise(&findings, FINDINGS_CHARS))),
    }
}

fn count(ctx: &Context, namespace: &str, name: &str) -> i64 {
    i64::try_from(ctx.workflows.state_filter(|indexed| indexed.is_made_from(namespace, name)).len()).unwrap_or(i64::MAX)
}

/// Writes a status that says so to a template that does not fit its kind.
async fn unreadable(ctx: &Context, object: &Undecodable) -> Ended {
    let message =
        format!("the object does not fit the kind WorkflowTemplate: {}; correct the field, or apply the CRDs of this version", object.why);
    let updated = |old: &WorkflowTemplateStatus, generation, conditions| WorkflowTemplateStatus {
        observed_generation: generation,
        conditions,
        ..old.clone()
    };
    let writer = (&ctx.client, &ctx.metrics.writes);
    status::write_unreadable::<WorkflowTemplate, _>(writer, object, &status::unfit(message), updated, |old| &old.conditions).await
}

/// Counts the Workflows of each template again whenever Workflows changed.
pub(super) async fn keep_counts(ctx: Arc<Context>, changed: Arc<Notify>) {
    ctx.listed().await;
    loop {
        changed.notified().await;
        tokio::time::sleep(TOGETHER).await;
        for template in ctx.stores.templates.store().state() {
            if template.counted().is_some_and(|counted| counted != count(&ctx, template.namespace(), template.name())) {
                // The receiver only goes away with the operator.
                let _ = ctx.wake_template.send(ObjectRef::from_obj(template.as_ref()));
            }
        }
    }
}
