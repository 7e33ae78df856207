//! One owner for each webhook path of an instance: what this object serves, what it wants, and whom it has to wait for.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::bind::Bound;
use super::deploy::fill_published;
use super::work::Work;
use super::{observe, versions};
use crate::api::condition::{ConditionType, find};
use crate::api::reason::Reason;
use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::VersionResult;
use crate::controller::connections::{self, Connection};
use crate::controller::listings::Rival;
use crate::document::definition::Definition;
use crate::document::endpoints::{kept_routes, listens, webhook_endpoints};
use crate::document::finding::cut;
use crate::document::routes::Route;
use crate::domain::access::{Use, may_use};
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::route_claims::Claim;
use crate::n8n::WebhookCheck;

/// Notes which paths n8n serves for this object, before anything is decided: after a restart nothing else tells who serves.
pub(super) async fn note_served(work: &Work<'_>, connection: &Connection, bound: &mut Bound) -> Result<(), ReconcileError> {
    let mut served = served(work, connection, bound).await?;
    if let (false, Some(version)) = (served.is_empty(), work.status.active_version) {
        served.extend(to_go_back(work, connection, version).await?);
    }
    let (uid, created) = (work.uid(), created(work));
    if work.spec().active == Some(true) {
        work.ctx.claims().holds(&uid, created, &served);
    } else {
        // It asks for no path; one that people published has its paths all the same.
        let freed = work.ctx.claims().serves(&uid, created, &served);
        work.ctx.wake(&freed);
    }
    Ok(())
}

/// What is published in n8n has its paths. What an attempt took offline is put back, and needs them again.
async fn served(work: &Work<'_>, connection: &Connection, bound: &mut Bound) -> Result<Vec<Claim>, ReconcileError> {
    let Bound::Existing(remote) = bound else { return Ok(Vec::new()) };
    if remote.active {
        fill_published(connection, remote).await?;
        let nodes = remote.active_version.as_ref().map_or(&remote.nodes, |version| &version.nodes);
        let listen = |node: &&Map<String, Value>| node.get("type").and_then(Value::as_str).is_some_and(listens);
        let nodes = nodes.iter().filter_map(Value::as_object).filter(listen).cloned().map(Into::into).collect();
        return Ok(claims(connection, &Definition { nodes, ..Definition::default() }));
    }
    match work.status.active_version.filter(|_| work.interrupted()) {
        Some(version) => Ok(versions::read(work, version).await.map(|definition| claims(connection, &definition)).unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

/// Takes the version's webhook paths, or says who waits. What was adopted as n8n held it may compute its paths.
pub(super) async fn claim(
    work: &Work<'_>,
    connection: &Connection,
    definition: &Definition,
    adopted: bool,
    bound: &Bound,
) -> Result<Option<ReconcileError>, ReconcileError> {
    let kept = kept_routes(definition);
    if let Some(node) = kept.computed.first().filter(|_| !adopted && !may_compute(work, connection)) {
        release_unserved(work);
        return Ok(Some(ReconcileError::denied(
            Reason::WebhookPathComputed,
            format!(
                "node {node:?} computes its webhook path or method, which could be anybody's on this instance; write both plainly, or have the instance's owner grant \"*\" under spec.grants[].workflows"
            ),
        )));
    }
    let wanted = Claim::of(&connection.key(), &kept.routes);
    let (claimed, serves) = {
        let mut claims = work.ctx.claims();
        (claims.claim(&work.uid(), created(work), &wanted), claims.serves_all(&work.uid(), &wanted))
    };
    work.ctx.wake(&claimed.freed);
    if let Some(claim) = claimed.taken {
        let owner = claimed.owner.and_then(|uid| neighbour(work, &uid));
        let owner = owner.map_or_else(|| "a Workflow of another namespace".to_owned(), |name| format!("Workflow {name}"));
        return Ok(Some(taken(format!("{owner} serves {} on this instance", claim.what))));
    }
    if !serves && let Some(rival) = rival(work, connection, bound, &kept.routes).await? {
        // It keeps nothing from others meanwhile.
        release_unserved(work);
        let id = if work.namespace() == connection.namespace() { format!(" ({})", rival.id) } else { String::new() };
        let address = cut(&rival.route.address(), 200);
        return Ok(Some(taken(format!("a workflow in n8n{id} that is not managed here serves {} {address}", rival.route.method))));
    }
    // After n8n refused a path, publishing again would only disturb: some refusals take the workflow offline. What has the path may be
    // nothing that the API key can see.
    let refused =
        find(&work.status.conditions, ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::WebhookPathTaken.as_str());
    // Where our own workflow is published, it may be what serves the path: an interrupted pass may have got that far.
    let published = matches!(bound, Bound::Existing(remote) if remote.active);
    if refused && !published {
        let endpoints = webhook_endpoints(definition);
        for endpoint in &endpoints {
            let check = observe::check(connection, endpoint).await.map_err(|error| connections::reconcile_error(&error))?;
            // Others may serve the path with other methods.
            let theirs = |methods: &[String]| methods.is_empty() || endpoint.methods.iter().any(|method| methods.contains(method));
            if matches!(&check, WebhookCheck::Registered(methods) if theirs(methods)) {
                return Ok(Some(taken(format!("a workflow in n8n that is not managed here serves {}", endpoint.url_path()))));
            }
        }
    }
    Ok(None)
}

/// A namespace that is granted every workflow of the instance can call any of them anyway.
fn may_compute(work: &Work<'_>, connection: &Connection) -> bool {
    may_use(&connection.instance.spec, &connection.namespace(), &work.namespace(), Use::ANY_WORKFLOW)
}

/// A workflow in n8n that has what the routes need and speaks for itself in no claim: one that is not managed here, or whose object
/// had no pass yet since the operator started.
async fn rival(work: &Work<'_>, connection: &Connection, bound: &Bound, routes: &[Route]) -> Result<Option<Rival>, ReconcileError> {
    let own = match bound {
        Bound::Existing(remote) => Some(remote.id.as_str()),
        _ => None,
    };
    if routes.is_empty() {
        return Ok(None);
    }
    let read = |error| connections::reconcile_error(&error);
    // Equal entries n8n refuses itself, so that an older listing will do; templates it takes side by side.
    if !routes.iter().any(|route| route.owns) {
        let lately = connection.listings.scan_for_newcomer(&connection.client, &work.uid()).await.map_err(read)?;
        if unclaimed(work, lately.rivals(own, routes)).is_none() {
            return Ok(None);
        }
    }
    let now = connection.listings.scan(&connection.client).await.map_err(read)?;
    Ok(unclaimed(work, now.rivals(own, routes)))
}

fn unclaimed(work: &Work<'_>, rivals: Vec<Rival>) -> Option<Rival> {
    if rivals.is_empty() {
        return None;
    }
    let (namespace, name) = work.instance_key();
    let managed = work.ctx.workflows_of(&namespace, &name);
    let claims = work.ctx.claims();
    let claimed = |rival: &Rival| {
        let mut objects = managed.iter().filter(|indexed| indexed.status.n8n_workflow_id.as_deref() == Some(&rival.id));
        objects.any(|indexed| claims.knows(indexed.uid()))
    };
    rivals.into_iter().find(|rival| !claimed(rival))
}

/// The name of an object of the same namespace. Those of other namespaces are nobody else's business.
fn neighbour(work: &Work<'_>, uid: &str) -> Option<String> {
    let (namespace, name) = work.instance_key();
    let all = work.ctx.workflows_of(&namespace, &name);
    all.iter().find(|indexed| indexed.uid() == uid && indexed.namespace() == work.namespace()).map(|indexed| indexed.name().to_owned())
}

fn taken(by: String) -> ReconcileError {
    ReconcileError::waiting(Reason::WebhookPathTaken, format!("{by}; this one goes live by itself when the path is free"))
}

/// Notes that the version serves: the paths that only an earlier one had are free, unless it may have to go back there.
pub(super) async fn serves(work: &Work<'_>, connection: &Connection, version: i64, definition: &Definition) -> Result<(), ReconcileError> {
    let mut routes = claims(connection, definition);
    routes.extend(to_go_back(work, connection, version).await?);
    let freed = work.ctx.claims().serves(&work.uid(), created(work), &routes);
    work.ctx.wake(&freed);
    Ok(())
}

/// The paths of the version that takes the place of one that is not proved yet, should that fail.
async fn to_go_back(work: &Work<'_>, connection: &Connection, version: i64) -> Result<Vec<Claim>, ReconcileError> {
    let unproved = history::numbered(&work.status.history, version).filter(|record| record.result != VersionResult::Good);
    match unproved.and_then(|record| history::last_good(&work.status.history, Some(&record.digest))) {
        Some(good) if work.spec().rollback == RollbackPolicy::Automatic => {
            // A lost body is no way back, which must not keep anything from going on.
            Ok(versions::read_if_kept(work, good.version).await?.map(|definition| claims(connection, &definition)).unwrap_or_default())
        }
        _ => Ok(Vec::new()),
    }
}

/// Gives up what was only wished for, and keeps what is served.
pub(super) fn release_unserved(work: &Work<'_>) {
    let claimed = work.ctx.claims().claim(&work.uid(), created(work), &[]);
    work.ctx.wake(&claimed.freed);
}

fn created(work: &Work<'_>) -> Timestamp {
    work.workflow.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

fn claims(connection: &Connection, definition: &Definition) -> Vec<Claim> {
    Claim::of(&connection.key(), &kept_routes(definition).routes)
}
