//! The controller of `N8nInstance`: reachability, identity, scopes and expiry of the key, and workflows left over in n8n.

mod counts;
mod finalizer;
mod key;
mod undecodable;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tracing::{info, info_span};

use super::connections::{Connection, errors, trust};
use super::context::Context;
use super::listings::Listing;
use super::runtime::reconcile::Ended;
use super::workflow::sweep;
use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate, whole_seconds};
use crate::api::instance::{N8nInstance, N8nInstanceStatus};
use crate::api::reason::Reason;
use crate::api::{INSTANCE_FINALIZER, annotation};
use crate::domain::api_key::{explained, missing_scopes};
use crate::domain::conditions::{Found, Outcome, is_temporary};
use crate::domain::error::ReconcileError;
use crate::domain::identity::vouched;
use crate::domain::status::Status;
use crate::domain::transitions::Turn;
use crate::kubernetes::catalogs::LoadedCatalog;
use crate::kubernetes::workflow_index::IndexedWorkflow;
use crate::n8n::N8nError;

/// Maximum delay between attempts to reach an n8n that does not answer.
const OUTAGE_RETRY: Duration = Duration::from_secs(5);
/// Maximum number of orphans in the status.
const MOST_ORPHANS: usize = 100;

pub(super) use counts::keep_counts;
pub(super) use undecodable::follow_undecodable;

/// Reconciles one N8nInstance.
pub(super) async fn reconcile(instance: Arc<N8nInstance>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    let (namespace, name) = (instance.namespace().unwrap_or_default(), instance.name_any());
    let span = info_span!("instance", namespace, name);
    ctx.reconcile("instance", span, &*instance, reconcile_latest(&ctx, &namespace, &name)).await
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Result<Ended, Ended> {
    let instance = Arc::new(ctx.latest::<N8nInstance>(namespace, name).await?);
    if instance.meta().deletion_timestamp.is_some() {
        return Ok(finalizer::remove(ctx, &instance).await);
    }
    ctx.ensure_finalizer(&*instance, INSTANCE_FINALIZER).await?;
    let uid = instance.uid().unwrap_or_default();
    let old = instance.status.clone().unwrap_or_default();
    let mut status = old.clone();
    let (found, reached) = observe(ctx, &instance, &mut status).await;
    ctx.remember(&uid, |memory| memory.unreachable = !reached);
    let interval = instance.spec.interval.get();
    // Its Workflows wait for n8n to answer again.
    let ended = Ended::of_check(&found.outcome, interval, OUTAGE_RETRY);
    // A key that n8n rejects is read again at the next attempt.
    if matches!(ended.reason, Reason::Unauthorized | Reason::MissingScope) {
        ctx.connections.forget_key(&instance);
    }
    let (before, after) = (old.last_handled_reset_at.as_ref(), status.last_handled_reset_at.as_ref());
    let reset = Turn::reset(before, after, "the n8n at spec.url is accepted");
    ctx.report(&*instance, None, (&old, &mut status), &found, interval * 3, reset).await?;
    let before = ctx.remember(&uid, |memory| memory.last_reason.replace(ended.reason));
    wake_workflows(ctx, &instance, [&old, &status], before, ended.reason);
    Ok(ended)
}

/// Wakes the Workflows when the connection changed, n8n has another version, or the outcome is another one. A temporary failure wakes
/// none, and its end only those that noticed it. `before` is the reason of the reconciliation before; None after a restart, which
/// reconciles every Workflow anyway.
fn wake_workflows(ctx: &Context, instance: &N8nInstance, statuses: [&N8nInstanceStatus; 2], before: Option<Reason>, reason: Reason) {
    let (namespace, name) = (instance.namespace().unwrap_or_default(), instance.name_any());
    let [old, new] = statuses;
    let connected = |status: &N8nInstanceStatus| (status.observed_generation, status.n8n_version.clone(), status.restored_from.clone());
    let changed = connected(old) != connected(new);
    let another = before.is_some_and(|before| before != reason) && !is_temporary(reason);
    if changed || (another && !before.is_some_and(is_temporary)) {
        ctx.wake_workflows(&namespace, &name);
        ctx.wake_credentials(&namespace, &name, |_| true);
    } else if another {
        ctx.wake_failing_workflows(&namespace, &name);
        let failing = ctx.runtime.backoffs.failing();
        ctx.wake_credentials(&namespace, &name, |credential| failing.contains(credential.uid()));
    }
}

/// Returns the result of an inspection, and whether n8n answered and accepted the key.
async fn observe(ctx: &Context, instance: &Arc<N8nInstance>, status: &mut N8nInstanceStatus) -> (Found, bool) {
    let mut seen = Inspection::default();
    // The catalogue matters even while n8n does not answer.
    let catalog = ctx.catalogs.refresh(instance).await;
    if matches!(catalog, Ok((_, true))) {
        ctx.wake_workflows(&instance.namespace().unwrap_or_default(), &instance.name_any());
    }
    let limit = ctx.settings.reconcile_timeout;
    let inspected = tokio::time::timeout(limit, inspect(ctx, instance, status, &mut seen)).await;
    let inspected = inspected.unwrap_or_else(|_| Err(ReconcileError::timed_out(limit)));
    let Inspection { mut details, reached } = seen;
    details.extend(catalog_condition(&catalog, status));
    let without = catalog.map_or_else(Some, |(loaded, _)| loaded.error);
    let outcome = match inspected.and_then(|message| without.map_or(Ok(message), Err)) {
        Ok(message) => Outcome::Ready(message),
        Err(error) => {
            if !reached {
                details.push(ConditionUpdate::new(ConditionType::Reachable, ConditionStatus::False, error.reason, &error.message));
            }
            Outcome::Failed(error)
        }
    };
    (Found { outcome, details }, reached)
}

/// Findings of an inspection until it ended.
#[derive(Default)]
struct Inspection {
    details: Vec<ConditionUpdate>,
    /// Set once n8n answered and accepted the key.
    reached: bool,
}

async fn inspect(
    ctx: &Context,
    instance: &Arc<N8nInstance>,
    status: &mut N8nInstanceStatus,
    seen: &mut Inspection,
) -> Result<String, ReconcileError> {
    let (namespace, name) = (instance.namespace().unwrap_or_default(), instance.name_any());
    let users = ctx.workflows_of(&namespace, &name);
    let bound: Vec<&str> = users.iter().filter_map(|indexed| indexed.status.n8n_workflow_id.as_deref()).collect();
    status.workflows = i64::try_from(bound.len()).unwrap_or(i64::MAX);
    let unbound = bound.is_empty() && ctx.bound_credentials(&namespace, &name).is_empty();
    let reset = status.take_requests(instance.metadata.annotations.as_ref());
    let origin = trust::origin(&instance.spec.url)
        .map_err(|error| ReconcileError::invalid(Reason::InvalidInstance, format!("spec.url is not a URL: {error}")))?;
    let connection = ctx.connections.open(instance.clone()).await?;
    // A reconciliation that began before the owner accepted the identity may have raised the suspicion again afterwards.
    let accepted = vouched(status.identity_accepted_at.as_ref().map(|time| time.0), Timestamp::now());
    // Workflows that were missing at another origin say nothing about the origin that workflows are bound to.
    let moved = status.bound_origin.as_ref().is_some_and(|bound| *bound != origin);
    let suspect = !accepted && ((!moved && connection.suspect.load(Ordering::SeqCst)) || status.identity_suspect);
    status.identity_suspect = suspect && reset.is_none() && !unbound;
    if reset.is_some() || unbound {
        connection.suspect.store(false, Ordering::SeqCst);
        status.bound_origin = Some(origin);
    } else if suspect {
        connection.suspect.store(true, Ordering::SeqCst);
        return Err(trust::emptied());
    } else if moved {
        return Err(trust::moved_away(status.bound_origin.as_deref()));
    } else {
        connection.suspect.store(false, Ordering::SeqCst);
        status.bound_origin.get_or_insert(origin);
    }
    if reset.is_some() {
        status.last_handled_reset_at = reset;
        status.identity_accepted_at = Some(whole_seconds(Timestamp::now()));
    }
    let expiring = key::expiry(ctx, instance, &connection, status).await;
    let expires_at = status.key_expires_at.clone();
    let failed = |error, scopes: &[String]| explained(ReconcileError::from(error), expires_at.as_deref(), scopes, Timestamp::now());
    connection.client.readiness().await.map_err(|error| failed(error, &[]))?;
    let scopes = connection.client.discover().await.map_err(|error| failed(error, &[]))?;
    seen.reached = true;
    seen.details.push(ConditionUpdate::new(
        ConditionType::Reachable,
        ConditionStatus::True,
        Reason::Succeeded,
        "n8n answers and accepts the key",
    ));
    if scopes.is_none() {
        let message = format!("this n8n is too old to tell what its API offers; {}", errors::UPGRADE);
        return Err(ReconcileError::denied(Reason::UnsupportedN8n, message));
    }
    status.key_scopes = scopes.iter().flat_map(|scopes| scopes.0.iter().cloned()).collect();
    // An n8n that fails to report its version for a moment keeps the last known one.
    if let Ok(found) = connection.client.version().await {
        status.n8n_version = found.or_else(|| instance.spec.n8n_version.clone());
    }
    let away = ctx.remember(&instance.uid().unwrap_or_default(), |memory| memory.unreachable);
    check_start(ctx, &connection, away).await;
    let listing = list(ctx, &connection).await.map_err(|error| failed(error, &status.key_scopes))?;
    status.orphans = orphans(ctx, &listing).await?;
    status.duplicates = duplicates(&users, &listing);
    let missing = missing_scopes(&status.key_scopes);
    if !missing.is_empty() {
        return Err(ReconcileError::denied(
            Reason::MissingScope,
            format!("the API key lacks the scopes {}; add them to the key in n8n", missing.join(", ")),
        ));
    }
    let mut message = format!("n8n {} answers", status.n8n_version.as_deref().unwrap_or("of unknown version"));
    if let Some(expiry) = expiring {
        if expiry.soon {
            message = format!("{message}; {}", expiry.message);
        }
        seen.details.push(expiry.condition());
    }
    status.restored_from = connection.restored_from().map(str::to_owned);
    if let Some(cluster) = &status.restored_from {
        let name = annotation::RESTORED_FROM;
        message = format!("{message}; Workflows take over what cluster {cluster} left: remove the annotation {name} when they have");
    }
    if !status.duplicates.is_empty() {
        message.push_str("; some workflows in n8n are copies that carry the mark of another (status.duplicates): delete them, or remove customTelemetryTags from their settings");
    }
    Ok(message)
}

/// Starts a reconciliation of the Workflows that listings cover if n8n was started again: its webhooks have to be checked.
async fn check_start(ctx: &Context, connection: &Connection, away: bool) {
    let start_mark = connection.client.start_mark().await.ok().flatten();
    let again = ctx.sweeps.started_again(&connection.key(), start_mark, away);
    if !again.is_empty() {
        info!(workflows = again.len(), "n8n was started again or away; checking webhooks");
        sweep::reconcile(ctx, &connection.key(), &again);
    }
}

/// Returns a listing: that of a sweep that has just ended or, right after a start, is running, or else a new one.
async fn list(ctx: &Context, connection: &Connection) -> Result<Arc<Listing>, N8nError> {
    let first = ctx.sweeps.inspected(&connection.key()).is_none();
    if let Some(listing) = ctx.sweeps.take_fresh(&connection.key()) {
        return Ok(listing);
    }
    let (listings, client) = (&connection.listings, &connection.client);
    let listing = if first { listings.recent(client).await? } else { listings.scan(client).await? };
    sweep::evaluate(ctx, connection, &listing).await;
    Ok(listing)
}

/// Returns the condition CatalogReady; None if the ConfigMap could not be read.
fn catalog_condition(catalog: &Result<(LoadedCatalog, bool), ReconcileError>, status: &N8nInstanceStatus) -> Option<ConditionUpdate> {
    let (loaded, _) = catalog.as_ref().ok()?;
    let own = loaded.catalog().index().n8n.as_deref().unwrap_or("of unknown version");
    let update = |status, reason, message| Some(ConditionUpdate::new(ConditionType::CatalogReady, status, reason, message));
    if let Some(error) = &loaded.error {
        let message =
            format!("{}; until then the built-in one of n8n {own} is used, and findings that rest on it are warnings", error.message);
        return update(ConditionStatus::False, error.reason, message);
    }
    if loaded.catalog().is_of(status.n8n_version.as_deref()) {
        return update(ConditionStatus::True, Reason::CatalogLoaded, format!("the catalogue is that of n8n {own}"));
    }
    let n8n = status.n8n_version.as_deref().unwrap_or("of unknown version");
    let message = format!(
        "the catalogue is that of n8n {own} and the instance is n8n {n8n}, so findings that rest on node types are warnings; spec.catalogRef can name a catalogue of this n8n"
    );
    update(ConditionStatus::Unknown, Reason::CatalogOfOtherVersion, message)
}

/// Returns marked workflows whose object is gone. Only marks of this cluster count: another cluster may share the n8n.
async fn orphans(ctx: &Context, listing: &Listing) -> Result<Vec<String>, ReconcileError> {
    let mut ids = Vec::new();
    for (id, mark) in listing.seen.items.iter().filter_map(|listed| Some((&listed.id, listed.mark.as_ref()?))) {
        if ids.len() < MOST_ORPHANS && mark.cluster == ctx.cluster && !ctx.mark_exists(mark).await? {
            ids.push(id.clone());
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Returns copies of a workflow that carry its mark too.
fn duplicates(users: &[Arc<IndexedWorkflow>], listing: &Listing) -> Vec<String> {
    let bound: HashMap<&str, &str> =
        users.iter().filter_map(|indexed| Some((indexed.uid(), indexed.status.n8n_workflow_id.as_deref()?))).collect();
    let present = listing.ids();
    let copy = |id: &str, uid: &str| bound.get(uid).is_some_and(|own| *own != id && present.contains(own));
    let mut ids: Vec<String> = listing
        .seen
        .items
        .iter()
        .filter(|one| one.mark.as_ref().is_some_and(|mark| copy(&one.id, &mark.uid)))
        .map(|one| one.id.clone())
        .collect();
    ids.sort_unstable();
    ids.truncate(MOST_ORPHANS);
    ids
}
