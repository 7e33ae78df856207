//! The controller of `ModelProvider`: whether the server answers and accepts the key, and what was found out about its models.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tracing::info_span;

use super::context::Context;
use super::providers::{ModelConnection, Provided, server_digest};
use super::runtime::reconcile::Ended;
use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate, whole_seconds};
use crate::api::provider::{BreakerState, BreakerStatus, ModelProvider, ModelProviderStatus, ModelStatus};
use crate::api::reason::Reason;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::status::Status;
use crate::domain::transitions::Turn;
use crate::kubernetes::indexed_provider::IndexedProvider;
use crate::llm::{Breaker, Listed};

/// Longest time between two attempts to reach a server that does not answer.
const OUTAGE_RETRY: Duration = Duration::from_secs(15);

/// Reconciles one ModelProvider.
pub(super) async fn reconcile(provider: Arc<IndexedProvider>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    let span = info_span!("provider", namespace = provider.namespace(), name = provider.name());
    ctx.reconcile("provider", span, &*provider, reconcile_latest(&ctx, provider.namespace(), provider.name())).await
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Result<Ended, Ended> {
    let provider = Arc::new(ctx.latest::<ModelProvider>(namespace, name).await?);
    if provider.meta().deletion_timestamp.is_some() {
        return Ok(Ended::for_good(Reason::Cleaned));
    }
    let old = provider.status.clone().unwrap_or_default();
    let mut status = old.clone();
    let provider = handle_annotations(ctx, provider, &mut status);
    let limit = ctx.settings.reconcile_timeout;
    let observed = tokio::time::timeout(limit, observe(ctx, &provider, &mut status)).await;
    let found = observed.unwrap_or_else(|_| failed(ReconcileError::timed_out(limit)));
    let interval = provider.spec.interval.get();
    let mut ended = Ended::of_check(&found.outcome, interval, OUTAGE_RETRY);
    if ended.reason == Reason::Unauthorized {
        ctx.providers.forget_key(&provider);
    }
    if let Outcome::InProgress(reason, _) = found.outcome {
        ended = Ended::again_in(reason, until_closed(&status));
    }
    let (before, after) = (old.last_handled_reset_at.as_ref(), status.last_handled_reset_at.as_ref());
    let reset = Turn::reset(before, after, "what was found out about the server is forgotten");
    ctx.report(&*provider, None, (&old, &mut status), &found, interval * 3, reset).await?;
    Ok(ended)
}

/// Returns the time until the breaker lets a request through: nothing else tells.
fn until_closed(status: &ModelProviderStatus) -> Duration {
    let until = status.breaker.as_ref().and_then(|breaker| breaker.open_until.as_ref());
    let left = until.map_or(Duration::ZERO, |until| Duration::try_from(until.0.duration_since(Timestamp::now())).unwrap_or_default());
    left + Duration::from_secs(1)
}

/// Handles the annotations: a new value of `reset-at` forgets what was found out about the server, in memory and in the status.
fn handle_annotations(ctx: &Context, provider: Arc<ModelProvider>, status: &mut ModelProviderStatus) -> Arc<ModelProvider> {
    let Some(reset) = status.take_requests(provider.metadata.annotations.as_ref()) else { return provider };
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
