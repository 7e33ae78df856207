//! One owner for each webhook path of an instance: the paths that this object serves, those that it claims, and the owners that it waits
//! for.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::bind::Bound;
use super::reconciliation::Reconciliation;
use super::remote::fill_published;
use super::{observe, versions};
use crate::api::reason::Reason;
use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::VersionResult;
use crate::controller::connections::Connection;
use crate::controller::listings::ListedRoute;
use crate::document::definition::Definition;
use crate::document::endpoints::{kept_routes, listens, webhook_endpoints};
use crate::document::finding::cut;
use crate::document::routes::Route;
use crate::domain::access::{Use, may_use};
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::route_claims::Claim;
use crate::n8n::WebhookCheck;

/// Records which paths n8n serves for this object, before anything is decided: after a restart no other record exists.
pub(super) async fn note_served(rec: &Reconciliation<'_>, connection: &Connection, bound: &mut Bound) -> Result<(), ReconcileError> {
    let mut served = served(rec, connection, bound).await?;
    if let (false, Some(version)) = (served.is_empty(), rec.status.active_version) {
        served.extend(to_go_back(rec, connection, version).await?);
    }
    let (uid, created) = (rec.uid(), created(rec));
    if rec.spec().active == Some(true) {
        rec.ctx.claims().record_published(&uid, created, &served);
    } else {
        // It claims no path; a version that was published in n8n has its paths all the same.
        let freed = rec.ctx.claims().keep_only(&uid, created, &served);
        rec.ctx.wake(&freed);
    }
    Ok(())
}

/// Returns the paths of the published version. A version that an attempt took offline is published again, and needs its paths.
async fn served(rec: &Reconciliation<'_>, connection: &Connection, bound: &mut Bound) -> Result<Vec<Claim>, ReconcileError> {
    let Bound::Existing(remote) = bound else { return Ok(Vec::new()) };
    if remote.active {
        fill_published(connection, remote).await?;
        let nodes = remote.active_version.as_ref().map_or(&remote.nodes, |version| &version.nodes);
        let listen = |node: &&Map<String, Value>| node.get("type").and_then(Value::as_str).is_some_and(listens);
        let nodes = nodes.iter().filter_map(Value::as_object).filter(listen).cloned().map(Into::into).collect();
        return Ok(claims(connection, &Definition { nodes, ..Definition::default() }));
    }
    match rec.status.active_version.filter(|_| rec.interrupted()) {
        Some(version) => Ok(versions::read(rec, version).await.map(|definition| claims(connection, &definition)).unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

/// Claims the version's webhook paths, or returns whom it waits for. Content of an adopted workflow may compute its paths.
pub(super) async fn claim(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
    adopted: bool,
    bound: &Bound,
) -> Result<Option<ReconcileError>, ReconcileError> {
    let kept = kept_routes(definition);
    if let Some(node) = kept.computed.first().filter(|_| !adopted && !may_compute(rec, connection)) {
        release_unserved(rec);
        return Ok(Some(ReconcileError::denied(
            Reason::WebhookPathComputed,
            format!(
                "node {node:?} computes its webhook path or method, which could be those of another workflow on this instance; use literal values, or have the instance's owner grant \"*\" under spec.grants[].workflows"
            ),
        )));
    }
    let wanted = Claim::of(&connection.key(), &kept.routes);
    let (claimed, serves) = {
        let mut claims = rec.ctx.claims();
        (claims.claim(&rec.uid(), created(rec), &wanted), claims.publishes_all(&rec.uid(), &wanted))
    };
    rec.ctx.wake(&claimed.freed);
    if let Some(claim) = claimed.taken {
        let owner = claimed.owner.and_then(|uid| neighbour(rec, &uid));
        let owner = owner.map_or_else(|| "a Workflow of another namespace".to_owned(), |name| format!("Workflow {name}"));
        return Ok(Some(taken(format!("{owner} serves {} on this instance", claim.what))));
    }
    if !serves && let Some(other) = foreign_route(rec, connection, bound, &kept.routes).await? {
        // Meanwhile it keeps no path from others.
        release_unserved(rec);
        let id = if rec.namespace() == connection.namespace() { format!(" ({})", other.id) } else { String::new() };
        let address = cut(&other.route.address(), 200);
        return Ok(Some(taken(format!("a workflow in n8n{id} that is not managed here serves {} {address}", other.route.method))));
    }
    // After n8n refused a path, publishing again would only disturb: some refusals take the workflow offline. The path's owner may be a
    // workflow that the API key cannot see.
    let refused = rec.status.waits_for_webhook_path;
    // If this object's own workflow is published, it may serve the path itself: an interrupted reconciliation may have got that far.
    let published = matches!(bound, Bound::Existing(remote) if remote.active);
    if refused && !published {
        let endpoints = webhook_endpoints(definition);
        for endpoint in &endpoints {
            let check = observe::check(connection, endpoint).await?;
            // Others may serve the path with other methods.
            let theirs = |methods: &[String]| methods.is_empty() || endpoint.methods.iter().any(|method| methods.contains(method));
            if matches!(&check, WebhookCheck::Registered(methods) if theirs(methods)) {
                return Ok(Some(taken(format!("a workflow in n8n that is not managed here serves {}", endpoint.url_path()))));
            }
        }
    }
    Ok(None)
}

/// Reports whether paths may be computed: a namespace that is granted every workflow of the instance can call any of them anyway.
fn may_compute(rec: &Reconciliation<'_>, connection: &Connection) -> bool {
    may_use(&connection.instance.spec, &connection.namespace(), &rec.namespace(), Use::ANY_WORKFLOW)
}

/// Returns a workflow in n8n that has the routes and no claim: one that is not managed here, or whose object was not reconciled yet since
/// the operator started.
async fn foreign_route(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    bound: &Bound,
    routes: &[Route],
) -> Result<Option<ListedRoute>, ReconcileError> {
    let own = match bound {
        Bound::Existing(remote) => Some(remote.id.as_str()),
        _ => None,
    };
    if routes.is_empty() {
        return Ok(None);
    }
    // n8n itself refuses equal entries, so an older listing will do; it accepts templates side by side.
    if !routes.iter().any(|route| route.owns) {
        let lately = connection.listings.scan_for_newcomer(&connection.client, &rec.uid()).await?;
        if unclaimed(rec, lately.conflicting_routes(own, routes)).is_none() {
            return Ok(None);
        }
    }
    let now = connection.listings.scan(&connection.client).await?;
    Ok(unclaimed(rec, now.conflicting_routes(own, routes)))
}

fn unclaimed(rec: &Reconciliation<'_>, conflicting: Vec<ListedRoute>) -> Option<ListedRoute> {
    if conflicting.is_empty() {
        return None;
    }
    let (namespace, name) = rec.instance_key();
    let managed = rec.ctx.workflows_of(&namespace, &name);
    let claims = rec.ctx.claims();
    let claimed = |other: &ListedRoute| {
        let mut objects = managed.iter().filter(|indexed| indexed.status.n8n_workflow_id.as_deref() == Some(&other.id));
        objects.any(|indexed| claims.knows(indexed.uid()))
    };
    conflicting.into_iter().find(|other| !claimed(other))
}

/// Returns the name of an object in the same namespace. Names in other namespaces are not disclosed.
fn neighbour(rec: &Reconciliation<'_>, uid: &str) -> Option<String> {
    let (namespace, name) = rec.instance_key();
    let all = rec.ctx.workflows_of(&namespace, &name);
    all.iter().find(|indexed| indexed.uid() == uid && indexed.namespace() == rec.namespace()).map(|indexed| indexed.name().to_owned())
}

fn taken(by: String) -> ReconcileError {
    ReconcileError::waiting(Reason::WebhookPathTaken, format!("{by}; this one is published automatically when the path is free"))
}

/// Records that the version is published: paths of earlier versions are released, unless it may have to go back to one.
pub(super) async fn confirm_published(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    version: i64,
    definition: &Definition,
) -> Result<(), ReconcileError> {
    let mut routes = claims(connection, definition);
    routes.extend(to_go_back(rec, connection, version).await?);
    let freed = rec.ctx.claims().keep_only(&rec.uid(), created(rec), &routes);
    rec.ctx.wake(&freed);
    Ok(())
}

/// Returns the paths of the version to go back to, should a version fail that is not proven yet.
async fn to_go_back(rec: &Reconciliation<'_>, connection: &Connection, version: i64) -> Result<Vec<Claim>, ReconcileError> {
    let unproved = history::numbered(&rec.status.history, version).filter(|record| record.result != VersionResult::Good);
    match unproved.and_then(|record| history::last_good(&rec.status.history, Some(&record.digest))) {
        Some(good) if rec.spec().rollback == RollbackPolicy::Automatic => {
            // A lost body cannot be gone back to, which must not block anything.
            Ok(versions::read_if_kept(rec, good.version).await?.map(|definition| claims(connection, &definition)).unwrap_or_default())
        }
        _ => Ok(Vec::new()),
    }
}

/// Releases the paths that the object claims and does not serve.
pub(super) fn release_unserved(rec: &Reconciliation<'_>) {
    let claimed = rec.ctx.claims().claim(&rec.uid(), created(rec), &[]);
    rec.ctx.wake(&claimed.freed);
}

fn created(rec: &Reconciliation<'_>) -> Timestamp {
    rec.workflow.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

fn claims(connection: &Connection, definition: &Definition) -> Vec<Claim> {
    Claim::of(&connection.key(), &kept_routes(definition).routes)
}
