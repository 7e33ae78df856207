//! Sweeps: one listing of an instance in place of a reconciliation of each of its Workflows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::runtime::controller::Action;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::credentials::CredentialScope;
use super::dependencies::{self, InstanceFacts};
use super::reconciliation::Reconciliation;
use super::watch_health::bake_times;
use crate::api::WORKFLOW_FINALIZER;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::controller::context::Context;
use crate::controller::executions::Executions;
use crate::controller::listings::Listing;
use crate::controller::runtime::reconcile::{Ended, Next};
use crate::controller::sweeps::{Covered, Due, Expected, SHORTEST};
use crate::domain::error::ReconcileError;
use crate::domain::reference_cycle::CycleSearch;
use crate::domain::route_claims::Claim;
use crate::domain::sweep::hash;
use crate::domain::urgency::Urgency;
use crate::kubernetes::indexed_metadata::change_hash;
use crate::kubernetes::objects;
use crate::kubernetes::workflow_index::IndexedWorkflow;
use crate::n8n::Haste;

/// Maximum number of instances that are listed at once, so that memory does not grow with their number.
const AT_ONCE: usize = 4;
/// Time after which listings that nobody needs any more are dropped.
const EXPIRY: Duration = Duration::from_secs(40);

/// Returns when an object is due again, if it needs no reconciliation now.
pub(super) fn pass(ctx: &Context, indexed: &IndexedWorkflow) -> Option<Action> {
    let latest = ctx.workflows.get(&indexed.object_ref())?;
    if latest.urgency() != Urgency::Routine || latest.uid() != indexed.uid() {
        return None;
    }
    let (namespace, name) = latest.instance();
    let key = objects::key(namespace, name);
    let due = Due { instance: &key, uid: latest.uid(), change: change_hash(&*latest), interval: latest.interval() };
    let now = Instant::now();
    let first = || {
        let may = latest.may_be_confirmed();
        may.then(|| ctx.sweeps.pass_first(&due, now, || ctx.workflows_of(namespace, name).len())).flatten()
    };
    ctx.sweeps.pass(&due, now).or_else(first).map(Action::requeue)
}

/// Returns what listings have to show from now on, if a reconciliation found everything in order and only n8n, time and the object itself
/// can change that without a reconciliation being asked for.
pub(super) fn covered(rec: &Reconciliation<'_>, ended: &Ended) -> Option<Covered> {
    let interval = rec.spec().interval.get();
    let in_order = ended.reason == Reason::Succeeded && ended.next == Next::Interval(interval);
    let unfinished = rec.status.intent.is_some() || rec.status.webhooks_missing || rec.status.failed_digest.is_some();
    let (in_order, fingerprint) = (in_order && !unfinished && interval >= SHORTEST, rec.seen?);
    in_order.then(|| Covered { fingerprint, change: rec.change_hash(), confirmed: rec.started, interval })
}

/// Reads the listings that objects wait for.
pub async fn run(ctx: Arc<Context>, mut wanted: UnboundedReceiver<String>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let mut expiry = tokio::time::interval(EXPIRY);
    loop {
        tokio::select! {
            Some(key) = wanted.recv() => drop(running.spawn(sweep(ctx.clone(), key, turns.clone()))),
            Some(_) = running.join_next() => {}
            _ = expiry.tick() => {
                for key in ctx.connections.keys() {
                    ctx.connections.last(&key).inspect(|connection| connection.listings.expire());
                }
                ctx.metrics.covered.set(i64::try_from(ctx.sweeps.covered()).unwrap_or(i64::MAX));
            }
        }
    }
}

/// A running sweep. However it ends, no object waits for it any more.
struct Sweep {
    ctx: Arc<Context>,
    key: String,
    listing: Option<Arc<Listing>>,
    outcome: &'static str,
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.ctx.metrics.sweeps.with_label_values(&[self.outcome]).inc();
        let waiting = self.ctx.sweeps.ended(&self.key, self.listing.take());
        reconcile(&self.ctx, &self.key, &waiting);
    }
}

async fn sweep(ctx: Arc<Context>, key: String, turns: Arc<Semaphore>) {
    let mut sweep = Sweep { ctx: ctx.clone(), key: key.clone(), listing: None, outcome: "abandoned" };
    let Ok(_turn) = turns.acquire().await else { return };
    let (timer, began) = (ctx.metrics.time("sweep"), Instant::now());
    let limit = ctx.settings.reconcile_timeout;
    let read = tokio::time::timeout(limit, read(&ctx, &key)).await.unwrap_or_else(|_| Err(ReconcileError::timed_out(limit)));
    match read {
        Ok(listing) => {
            timer.done();
            sweep.outcome = "done";
            info!(instance = key, workflows = listing.shown.len(), seconds = began.elapsed().as_secs_f64(), "instance listed");
            sweep.listing = Some(listing);
        }
        Err(error) => {
            sweep.outcome = "failed";
            warn!(instance = key, reason = error.reason.as_str(), "cannot list the instance; its Workflows are reconciled one by one");
        }
    }
    drop(sweep);
    let Some((namespace, name)) = key.split_once('/') else { return };
    let Some(instance) = ctx.instance(namespace, name) else { return };
    if ctx.sweeps.inspection_is_due(&key, instance.spec.interval.get()) {
        ctx.ask_instance(namespace, name);
    }
}

async fn read(ctx: &Context, key: &str) -> Result<Arc<Listing>, ReconcileError> {
    let (namespace, name) = key.split_once('/').unwrap_or_default();
    let gone = || ReconcileError::waiting(Reason::InstanceNotFound, format!("N8nInstance {name} does not exist"));
    let connection = ctx.connections.open(ctx.instance(namespace, name).ok_or_else(gone)?).await?;
    connection.trusted()?;
    let listing = if ctx.sweeps.started(key) {
        // Objects wait since the start, and so may the N8nInstance.
        connection.listings.recent(&connection.client).await?
    } else {
        connection.listings.sweep(&connection.client, Haste::Idle).await?
    };
    evaluate(ctx, &connection, &listing).await;
    Ok(listing)
}

/// Evaluates a listing: confirms the Workflows that it shows as expected, and starts a reconciliation of all others that listings cover.
pub async fn evaluate(ctx: &Context, connection: &Connection, listing: &Listing) {
    let key = connection.key();
    let (namespace, name) = key.split_once('/').unwrap_or_default();
    let users = ctx.workflows_of(namespace, name);
    let by_uid: HashMap<&str, &Arc<IndexedWorkflow>> = users.iter().map(|indexed| (indexed.uid(), indexed)).collect();
    let barred = barred(ctx, (namespace, name), &users).await;
    let changed = changed_credentials(ctx, connection, &users).await;
    let executions = match bake_times(ctx, (namespace, name)) {
        (0, _) => None,
        (_, longest) => connection.executions.recent(&connection.client, longest, longest).await.ok().flatten(),
    };
    let credentials_stand = |indexed: &IndexedWorkflow| {
        let foreign = indexed.namespace() != namespace;
        match &changed {
            Some(kinds) => !(foreign && !kinds.is_empty() || indexed.credential_types().any(|kind| kinds.contains(kind))),
            None => !foreign && indexed.credential_types().next().is_none(),
        }
    };
    let uses_some = users.iter().any(|indexed| indexed.credential_types().next().is_some());
    let facts = InstanceFacts::read(ctx, connection, uses_some, users.iter().any(|indexed| indexed.namespace() != namespace)).await;
    let depends_on_the_same = |indexed: &IndexedWorkflow| {
        let scope = CredentialScope { ctx, connection, namespace: indexed.namespace() };
        let now = indexed.credential_symbols().and_then(|symbols| dependencies::digest(scope, &symbols, &facts));
        now.is_some_and(|now| now.as_deref() == indexed.dependency_digest())
    };
    let mut first = Vec::new();
    let confirms = |uid: &str, expected: Expected| {
        let indexed = *by_uid.get(uid)?;
        let shown_id = indexed.status.n8n_workflow_id.as_deref()?;
        let shown = listing.shown.get(shown_id)?;
        let finalized = objects::has_finalizer(&indexed.metadata, WORKFLOW_FINALIZER);
        let stands = finalized
            && !barred.contains(indexed.namespace())
            && references_stand(ctx, indexed)
            && health_stands(ctx, indexed, shown_id, executions.as_deref());
        let as_expected = match expected {
            Expected::Fingerprint(fingerprint, change) => {
                fingerprint == shown.fingerprint && change == change_hash(&**indexed) && credentials_stand(indexed)
            }
            Expected::Status => indexed.confirmed_by(shown, &ctx.cluster) && depends_on_the_same(indexed),
        };
        if !stands || !as_expected {
            return None;
        }
        if expected == Expected::Status {
            first.push(indexed.clone());
        }
        let (fingerprint, change, interval) = (shown.fingerprint, change_hash(&**indexed), indexed.interval());
        Some(Covered { fingerprint, change, confirmed: listing.began, interval })
    };
    let result = ctx.sweeps.evaluate(&key, listing, confirms);
    note_served(ctx, &key, listing, &first);
    for (result, count) in [("confirmed", result.confirmed), ("reconciled", result.differing.len())] {
        ctx.metrics.swept.with_label_values(&[result]).inc_by(count as u64);
    }
    reconcile(ctx, &key, &result.differing);
}

/// Records for objects that were confirmed without a reconciliation what one would have recorded in memory: the paths that n8n serves for
/// them, and that they are Ready.
fn note_served(ctx: &Context, key: &str, listing: &Listing, first: &[Arc<IndexedWorkflow>]) {
    let routes = if first.is_empty() { HashMap::new() } else { listing.routes_by_id() };
    for indexed in first {
        ctx.count_state(indexed.uid(), Some("ready"));
        let served = indexed.status.n8n_workflow_id.as_deref().and_then(|id| routes.get(id));
        let served = Claim::of(key, served.into_iter().flatten().copied());
        let created = indexed.metadata.creation_timestamp.as_ref().map_or(jiff::Timestamp::UNIX_EPOCH, |time| time.0);
        if indexed.asks_to_be_published() {
            ctx.claims().record_published(indexed.uid(), created, &served);
        } else {
            let freed = ctx.claims().keep_only(indexed.uid(), created, &served);
            ctx.wake(&freed);
        }
    }
}

/// Starts a reconciliation of the objects with these UIDs.
pub fn reconcile(ctx: &Context, key: &str, uids: &HashSet<String>) {
    let Some((namespace, name)) = key.split_once('/').filter(|_| !uids.is_empty()) else { return };
    for indexed in ctx.workflows_of(namespace, name).iter().filter(|indexed| uids.contains(indexed.uid())) {
        // The receiver only goes away with the operator.
        let _ = ctx.wake.send(indexed.object_ref());
    }
}

/// Returns the namespaces that may not refer to the instance, or of which that is not known.
async fn barred(ctx: &Context, instance: (&str, &str), users: &[Arc<IndexedWorkflow>]) -> HashSet<String> {
    let namespaces: HashSet<&str> = users.iter().map(|indexed| indexed.namespace()).collect();
    let mut barred = HashSet::new();
    for namespace in namespaces {
        if ctx.connections.for_workflow(namespace, instance).await.is_err() {
            barred.insert(namespace.to_owned());
        }
    }
    barred
}

/// Returns the types whose credentials were changed, renamed or deleted since the last listing; None if that is not known.
async fn changed_credentials(ctx: &Context, connection: &Connection, users: &[Arc<IndexedWorkflow>]) -> Option<HashSet<String>> {
    let home = connection.namespace();
    if users.iter().all(|indexed| indexed.credential_types().next().is_none() && indexed.namespace() == home) {
        return Some(HashSet::new());
    }
    let listed = connection.credentials(Duration::ZERO).await.ok();
    let digests = listed.map(|listed| {
        let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for credential in &listed.items {
            kinds.entry(credential.kind.clone()).or_default().push(format!("{} {}", credential.id, credential.name));
        }
        let digest = |(kind, mut all): (String, Vec<String>)| {
            all.sort_unstable();
            (kind, hash(all.join("\n")))
        };
        kinds.into_iter().map(digest).collect()
    });
    ctx.sweeps.credentials_changed(&connection.key(), digests)
}

/// Reports whether the executions of a Workflow leave its health as the status says. Those of a credential with a rate limit are also counted.
fn health_stands(ctx: &Context, indexed: &IndexedWorkflow, id: &str, executions: Option<&Executions>) -> bool {
    let Some(bake) = indexed.bake_time() else { return true };
    let from = SignedDuration::try_from(bake).ok().and_then(|bake| Timestamp::now().checked_sub(bake).ok());
    let Some(found) = from.and_then(|from| executions?.of(id, (from, None))) else { return false };
    let failed = found.iter().filter(|one| one.status.failed()).count();
    let limited = |name: &str| ctx.credential(indexed.namespace(), name).is_some_and(|credential| credential.rate_limit().is_some());
    indexed.health_stands(found.len(), failed) && (found.is_empty() || !indexed.credential_names().any(limited))
}

/// Reports whether the Workflows that an object refers to exist and do not refer back to it.
fn references_stand(ctx: &Context, indexed: &IndexedWorkflow) -> bool {
    let names = indexed.references();
    if names.is_empty() {
        return true;
    }
    let find =
        |name: &str| ctx.workflows.get(&kube::runtime::reflector::ObjectRef::<IndexedWorkflow>::new(name).within(indexed.namespace()));
    if names.iter().any(|name| find(name).is_none_or(|one| one.deleting() || one.instance() != indexed.instance())) {
        return false;
    }
    let mut search = CycleSearch::new(indexed.name(), names);
    loop {
        match search.advance() {
            Err(_) => return false,
            Ok(None) => return true,
            Ok(Some(next)) => {
                let next = find(next).map(|next| next.references()).unwrap_or_default();
                search.follow(next);
            }
        }
    }
}
