//! The controller of `ModelProvider`: whether the server answers and accepts the key, and what was found out about its models.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use tracing::info_span;

use super::context::Context;
use super::providers::{ModelConnection, Provided, server_digest};
use super::runtime::latest;
use super::runtime::reconcile::{Ended, Next, REPORTING};
use super::runtime::status;
use crate::api::annotation;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, ConditionUpdate, whole_seconds};
use crate::api::provider::{BreakerState, BreakerStatus, ModelProvider, ModelProviderStatus, ModelStatus};
use crate::api::reason::{Class, Reason};
use crate::domain::annotations::{OF_PROVIDER, unknown};
use crate::domain::conditions::{Found, Outcome, conditions};
use crate::domain::error::ReconcileError;
use crate::domain::status_bounds;
use crate::domain::summary::summary;
use crate::kubernetes::decoded::{Decoded, Undecodable};
use crate::kubernetes::indexed_provider::IndexedProvider;
use crate::llm::{Breaker, Listed};

/// Longest time between two attempts to reach a server that does not answer.
const OUTAGE_RETRY: Duration = Duration::from_secs(15);

/// Reconciles one ModelProvider.
pub(super) async fn reconcile(provider: Arc<IndexedProvider>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    ctx.listed().await;
    let (namespace, name, uid) = (provider.namespace().to_owned(), provider.name().to_owned(), provider.uid().unwrap_or_default());
    let span = info_span!("provider", namespace, name);
    Ok(ctx.runtime.run("provider", &uid, span, ctx.settings.reconcile_timeout + REPORTING, reconcile_latest(&ctx, &namespace, &name)).await)
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Ended {
    let provider = match latest::read::<ModelProvider>(&ctx.client, namespace, name).await {
        Ok(Decoded(Ok(provider))) if provider.meta().deletion_timestamp.is_none() => Arc::new(provider),
        Ok(Decoded(Err(undecodable))) => return unreadable(ctx, &undecodable).await,
        Ok(_) => return Ended::for_good(Reason::Cleaned),
        Err(ended) => return ended,
    };
    let old = provider.status.clone().unwrap_or_default();
    let mut status = old.clone();
    let provider = handle_annotations(ctx, provider, &mut status);
    let limit = ctx.settings.reconcile_timeout;
    let observed = tokio::time::timeout(limit, observe(ctx, &provider, &mut status)).await;
    let found = observed.unwrap_or_else(|_| failed(ReconcileError::timed_out(limit)));
    if matches!(&found.outcome, Outcome::Failed(error) if error.reason == Reason::Unauthorized) {
        ctx.providers.forget_key(&provider);
    }
    let (generation, now) = (provider.meta().generation.unwrap_or(0), Timestamp::now());
    let grace = provider.spec.interval.get() * 3;
    (status.conditions, status.unverified_since) =
        conditions(&old.conditions, old.unverified_since.as_ref(), &found, generation, grace, now);
    status.observed_generation = generation;
    status.summary = summary(&status.conditions);
    status_bounds::fit_provider(&mut status);
    ctx.providers.hide_keys(status.conditions.iter_mut().map(|condition| &mut condition.message).chain(&mut status.summary));
    let ended = ended(found.outcome, &provider, &status, now);
    if let Err(error) = status::write(&ctx.client, &ctx.metrics.writes, &*provider, None, (&old, &status)).await {
        return latest::unwritten(&error);
    }
    send_events(ctx, &provider, &old, &status).await;
    ended
}

/// Returns how the reconciliation ended, and when the next one is due.
fn ended(outcome: Outcome, provider: &ModelProvider, status: &ModelProviderStatus, now: Timestamp) -> Ended {
    match outcome {
        Outcome::Failed(error) if error.class == Class::Transient => {
            Ended { reason: error.reason, next: Next::Backoff { asked: error.retry_after, longest: OUTAGE_RETRY } }
        }
        Outcome::Failed(error) => Ended::failed(error.reason),
        // The breaker lets a request through then; nothing else tells.
        Outcome::InProgress(reason, _) => {
            let until = status.breaker.as_ref().and_then(|breaker| breaker.open_until.as_ref());
            let left = until.map_or(Duration::ZERO, |until| Duration::try_from(until.0.duration_since(now)).unwrap_or_default());
            Ended::again_in(reason, left + Duration::from_secs(1))
        }
        _ => Ended { reason: Reason::Succeeded, next: Next::Interval(provider.spec.interval.get()) },
    }
}

/// Handles the annotations: a new value of `reset-at` forgets what was found out about the server, in memory and in the status.
fn handle_annotations(ctx: &Context, provider: Arc<ModelProvider>, status: &mut ModelProviderStatus) -> Arc<ModelProvider> {
    let value = |name: &str| provider.annotations().get(name).map(|value| status_bounds::annotation(value).to_owned());
    status.last_handled_requested_at = value(annotation::REQUESTED_AT).or(status.last_handled_requested_at.take());
    let Some(reset) = value(annotation::RESET_AT).filter(|reset| status.last_handled_reset_at.as_ref() != Some(reset)) else {
        return provider;
    };
    status.last_handled_reset_at = Some(reset);
    status.models.clear();
    status.breaker = None;
    ctx.providers.close(&provider.namespace().unwrap_or_default(), &provider.name_any());
    ctx.providers.forget_key(&provider);
    Arc::new(ModelProvider { status: Some(status.clone()), ..(*provider).clone() })
}

fn failed(error: ReconcileError) -> Found {
    let reachable = ConditionUpdate::new(ConditionType::Reachable, ConditionStatus::False, error.reason, &error.message);
    Found { outcome: Outcome::Failed(error), details: vec![reachable] }
}

async fn observe(ctx: &Context, provider: &Arc<ModelProvider>, status: &mut ModelProviderStatus) -> Found {
    let reachable = |message: &str| ConditionUpdate::new(ConditionType::Reachable, ConditionStatus::True, Reason::Succeeded, message);
    let connection = match ctx.providers.open(provider.clone()).await {
        Ok(Provided::Model(connection)) => connection,
        Ok(Provided::Builtin) => {
            (status.models, status.breaker, status.observed_server) = (Vec::new(), None, None);
            let message = "templates and patterns are built in; no model is asked";
            return Found { outcome: Outcome::Ready(message.to_owned()), details: vec![reachable("no server is needed")] };
        }
        Err(error) => return failed(error),
    };
    let checked = connection.client.check().await;
    record(&connection, status);
    match checked {
        Ok(listed) => {
            let details = vec![reachable("the server answers and accepts the key")];
            let outcome = match connection.client.breaker() {
                Breaker::Open(_) => Outcome::InProgress(
                    Reason::ProviderUnreachable,
                    "the server answers, but the last calls of its models failed one after the other: no further ones are sent until status.breaker.openUntil".to_owned(),
                ),
                Breaker::HalfOpen | Breaker::Closed => Outcome::Ready(describe(&connection, &listed)),
            };
            Found { outcome, details }
        }
        Err(error) => failed(error.into()),
    }
}

/// Records what the client found out.
fn record(connection: &ModelConnection, status: &mut ModelProviderStatus) {
    let modes = connection.client.output_modes();
    status.models = modes.into_iter().map(|(name, output)| ModelStatus { name, output }).collect();
    status.observed_server = Some(server_digest(&connection.provider.spec));
    let (state, left) = match connection.client.breaker() {
        Breaker::Closed => (BreakerState::Closed, None),
        Breaker::HalfOpen => (BreakerState::HalfOpen, None),
        Breaker::Open(left) => (BreakerState::Open, Some(left)),
    };
    let open_until = left.and_then(|left| Some(whole_seconds(Timestamp::now().checked_add(left).ok()?)));
    status.breaker = Some(BreakerStatus { state, open_until });
}

/// Returns the message of Ready.
fn describe(connection: &ModelConnection, listed: &Listed) -> String {
    use crate::generation::call::ModelTier::{Complex, Simple};
    let (simple, complex) = (connection.model(Simple), connection.model(Complex));
    let models = if simple == complex { complex.to_owned() } else { format!("{simple} and {complex}") };
    let mut message = format!("the server of {models} answers");
    if !listed.missing.is_empty() {
        message = format!("{message}; it does not list {}: check the name if calls fail", listed.missing.join(", "));
    }
    message
}

async fn send_events(ctx: &Context, provider: &ModelProvider, old: &ModelProviderStatus, new: &ModelProviderStatus) {
    if old.last_handled_reset_at != new.last_handled_reset_at {
        let note = "a new value of weirkeeper.dev/reset-at is handled: what was found out about the server is forgotten".to_owned();
        ctx.send_event(provider, EventType::Normal, Reason::Reset, note).await;
    }
    ctx.send_transitions(provider, &old.conditions, &new.conditions).await;
    let unread = unknown(provider.metadata.annotations.as_ref(), OF_PROVIDER);
    if let Some(note) = ctx.new_unknown_annotations(&provider.uid().unwrap_or_default(), unread) {
        ctx.send_event(provider, EventType::Warning, Reason::UnknownAnnotation, note).await;
    }
}

/// Writes a status that says so to a provider that does not fit its kind.
async fn unreadable(ctx: &Context, object: &Undecodable) -> Ended {
    let message = format!(
        "the object does not fit the kind ModelProvider: {}; correct the field, or apply the CRDs of this version: nobody can use it until then",
        object.why
    );
    let updated = |old: &ModelProviderStatus, generation, conditions: Vec<Condition>| {
        let mut new = ModelProviderStatus { observed_generation: generation, summary: summary(&conditions), conditions, ..old.clone() };
        status_bounds::fit_provider(&mut new);
        new
    };
    let writer = (&ctx.client, &ctx.metrics.writes);
    let found = failed(ReconcileError::invalid(Reason::UnreadableObject, message));
    status::write_unreadable::<ModelProvider, _>(writer, object, &found, updated, |old| &old.conditions).await
}
