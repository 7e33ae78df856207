//! The controller of `WorkflowTemplate`: validates each template, tells how many Workflows are made from it, and wakes them when it changes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use tokio::sync::Notify;
use tracing::info_span;

use super::context::Context;
use super::runtime::reconcile::Ended;
use crate::api::reason::Reason;
use crate::api::template::{WorkflowTemplate, WorkflowTemplateSpec};
use crate::catalog::Catalog;
use crate::document::finding::{Severity, has_errors, summarise};
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::generation::template::{digest, validate};
use crate::kubernetes::indexed_template::IndexedTemplate;

/// Changes within this time cost one count.
const TOGETHER: Duration = Duration::from_secs(1);
/// Time between two validations while nothing changes.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Maximum length of the findings in a condition.
const FINDINGS_CHARS: usize = 1_500;

/// UID and generation of each template, by namespace and name.
type Known = HashMap<(String, String), (Option<String>, Option<i64>)>;

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
                ctx.forget_reconciled(template.metadata.uid.as_deref().unwrap_or_default());
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
    let span = info_span!("template", namespace = template.namespace(), name = template.name());
    ctx.reconcile("template", span, &*template, reconcile_latest(&ctx, template.namespace(), template.name())).await
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Result<Ended, Ended> {
    let template = ctx.latest::<WorkflowTemplate>(namespace, name).await?;
    let before = template.status.clone().unwrap_or_default();
    let found = Found { outcome: outcome(template.spec.clone()).await, details: Vec::new() };
    let mut after = before.clone();
    after.digest = Some(digest(&template.spec));
    after.workflows = count(ctx, namespace, name);
    ctx.report(&template, None, (&before, &mut after), &found, Duration::ZERO, None).await?;
    Ok(Ended::of(&found.outcome, INTERVAL))
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
