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
use crate::domain::definition::Definition;
use crate::domain::endpoints::{listens, webhook_endpoints};
use crate::domain::history;
use crate::domain::paths::Route;
use crate::domain::trouble::Trouble;
use crate::n8n::WebhookCheck;

/// Notes which paths n8n serves for this object, before anything is decided: after a restart nothing else tells who serves.
pub(super) async fn note_served(work: &Work<'_>, connection: &Connection, bound: &mut Bound) -> Result<(), Trouble> {
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
async fn served(work: &Work<'_>, connection: &Connection, bound: &mut Bound) -> Result<Vec<Route>, Trouble> {
    let Bound::Existing(remote) = bound else { return Ok(Vec::new()) };
    if remote.active {
        fill_published(connection, remote).await?;
        let nodes = remote.active_version.as_ref().map_or(&remote.nodes, |version| &version.nodes);
        let listen = |node: &&Map<String, Value>| node.get("type").and_then(Value::as_str).is_some_and(listens);
        let nodes = nodes.iter().filter_map(Value::as_object).filter(listen).cloned().map(Into::into).collect();
        return Ok(routes(connection, &Definition { nodes, ..Definition::default() }));
    }
    match work.status.active_version.filter(|_| work.interrupted()) {
        Some(version) => Ok(versions::read(work, version).await.map(|definition| routes(connection, &definition)).unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

/// Takes the version's webhook paths, or says who waits.
pub(super) async fn claim(
    work: &Work<'_>,
    connection: &Connection,
    definition: &Definition,
    bound: &Bound,
) -> Result<Option<Trouble>, Trouble> {
    let claimed = work.ctx.claims().claim(&work.uid(), created(work), &routes(connection, definition));
    work.ctx.wake(&claimed.freed);
    if let Some(route) = claimed.taken {
        let owner = claimed.owner.and_then(|uid| neighbour(work, &uid));
        let owner = owner.map_or_else(|| "a Workflow of another namespace".to_owned(), |name| format!("Workflow {name}"));
        return Ok(Some(taken(format!("{owner} serves {} {} on this instance", route.method, route.path))));
    }
    // After n8n refused a path, publishing again would only disturb: some refusals take the workflow offline.
    let refused =
        find(&work.status.conditions, ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::WebhookPathTaken.as_str());
    // Where our own workflow is published, it may be what serves the path: an interrupted pass may have got that far.
    let published = matches!(bound, Bound::Existing(remote) if remote.active);
    if refused && !published {
        let endpoints = webhook_endpoints(definition);
        for endpoint in &endpoints {
            let check = observe::check(connection, &endpoints, endpoint).await.map_err(|error| connections::trouble(&error))?;
            // Others may serve the path with other methods.
            let theirs = |methods: &[String]| methods.is_empty() || endpoint.methods.iter().any(|method| methods.contains(method));
            if matches!(&check, WebhookCheck::Registered(methods) if theirs(methods)) {
                return Ok(Some(taken(format!("a workflow in n8n that is not managed here serves {}", endpoint.url_path()))));
            }
        }
    }
    Ok(None)
}

/// The name of an object of the same namespace. Those of other namespaces are nobody else's business.
fn neighbour(work: &Work<'_>, uid: &str) -> Option<String> {
    let (namespace, name) = work.instance_key();
    let all = work.ctx.workflows_of(&namespace, &name);
    all.iter().find(|glimpse| glimpse.uid() == uid && glimpse.namespace() == work.namespace()).map(|glimpse| glimpse.name().to_owned())
}

fn taken(by: String) -> Trouble {
    Trouble::waiting(Reason::WebhookPathTaken, format!("{by}; this one goes live by itself when the path is free"))
}

/// Notes that the version serves: the paths that only an earlier one had are free, unless it may have to go back there.
pub(super) async fn serves(work: &Work<'_>, connection: &Connection, version: i64, definition: &Definition) -> Result<(), Trouble> {
    let mut routes = routes(connection, definition);
    routes.extend(to_go_back(work, connection, version).await?);
    let freed = work.ctx.claims().serves(&work.uid(), created(work), &routes);
    work.ctx.wake(&freed);
    Ok(())
}

/// The paths of the version that takes the place of one that is not proved yet, should that fail.
async fn to_go_back(work: &Work<'_>, connection: &Connection, version: i64) -> Result<Vec<Route>, Trouble> {
    let unproved = history::numbered(&work.status.history, version).filter(|record| record.result != VersionResult::Good);
    match unproved.and_then(|record| history::last_good(&work.status.history, Some(&record.digest))) {
        Some(good) if work.spec().rollback == RollbackPolicy::Automatic => {
            // A lost body is no way back, which must not keep anything from going on.
            Ok(versions::read_if_kept(work, good.version).await?.map(|definition| routes(connection, &definition)).unwrap_or_default())
        }
        _ => Ok(Vec::new()),
    }
}

/// Gives up what was only wished for, and keeps what is served.
pub(super) fn wishes_nothing(work: &Work<'_>) {
    let claimed = work.ctx.claims().claim(&work.uid(), created(work), &[]);
    work.ctx.wake(&claimed.freed);
}

fn created(work: &Work<'_>) -> Timestamp {
    work.workflow.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

fn routes(connection: &Connection, definition: &Definition) -> Vec<Route> {
    webhook_endpoints(definition)
        .iter()
        .filter(|endpoint| endpoint.verifiable)
        .flat_map(|endpoint| endpoint.methods.iter().map(|method| (method.clone(), endpoint.url_path())))
        .map(|(method, path)| Route { instance: connection.key(), method, path })
        .collect()
}
