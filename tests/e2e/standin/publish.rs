//! Publishing and unpublishing. As in n8n this is not atomic: a refusal before the running version is affected leaves it, a later one takes
//! the workflow offline, and in between its webhooks are gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::node_types::{self, Installed, kind, name, short};
use super::reply::{Answer, Reply};
use super::request::Request;
use super::schema::PUBLISH;
use super::site::Site;
use super::store::{Content, World};
use super::webhooks::{Hook, hooks_of};
use super::workflow_views::View;

/// Parameters of a publication.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub version_id: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
}

impl Wish {
    pub(crate) fn version(id: String) -> Self {
        Self { version_id: Some(id), ..Self::default() }
    }
}

fn hooks(workflow: &str, content: &Content) -> Vec<Hook> {
    let nodes = content.node_list().iter();
    nodes.flat_map(|node| hooks_of(workflow, node)).collect()
}

/// Runs the checks that leave the running version, in n8n's order.
fn check(world: &World, installed: &Installed, id: &str, content: &Content) -> Result<(), Reply> {
    let refuse = |message: String| Err(Reply::message(400, message));
    for node in content.node_list() {
        if !installed.knows(kind(node)) {
            return refuse(format!("Unrecognized node type: {}", kind(node)));
        }
        if let Some(version) = node.get("typeVersion").filter(|_| node_types::version(node) >= 90.0) {
            let known = node_types::available_versions(kind(node));
            return refuse(format!(
                "Node type \"{}\" is not available in version {version}. Available versions: {}. Use the latest \
                 version {}.",
                short(kind(node)),
                known.join(", "),
                known.last().copied().unwrap_or_default(),
            ));
        }
    }
    if world.has_conflict(&hooks(id, content)) {
        return Err(Reply::message(409, "There is a conflict with one of the webhooks."));
    }
    if !content.node_list().iter().any(node_types::starts_workflows) {
        return refuse(
            "Workflow cannot be activated because it has no trigger node. At least one trigger, webhook, or \
             polling node is required."
                .to_owned(),
        );
    }
    check_configuration(content).or_else(refuse)?;
    check_children(world, id, content).or_else(refuse)
}

/// Returns the nodes that have a connection, at either end.
fn connected(content: &Content) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (source, kinds) in content.connections.as_object().into_iter().flatten() {
        let kinds = kinds.as_object().into_iter().flatten();
        let buckets = kinds.flat_map(|(_, buckets)| buckets.as_array().into_iter().flatten());
        names.insert(source.as_str());
        names.extend(buckets.flat_map(|bucket| bucket.as_array().into_iter().flatten()).filter_map(|entry| entry["node"].as_str()));
    }
    names
}

fn check_configuration(content: &Content) -> Result<(), String> {
    let connected = connected(content);
    let mut found = Vec::new();
    for node in content.node_list() {
        let starts = node_types::is_trigger(kind(node)) || node_types::has_webhook(node);
        if node_types::is_disabled(node) || !(starts || connected.contains(name(node))) {
            continue;
        }
        let mut issues = Vec::new();
        if let Some(credential) = node_types::required_credential(node) {
            let set = node.get("credentials").and_then(|used| used.get(credential));
            match set.map(|reference| reference.get("id").and_then(Value::as_str)) {
                None => issues.push(format!("Missing required credential: {credential}")),
                Some(None | Some("")) => {
                    issues.push(format!("Credential not configured: {credential}"));
                }
                Some(Some(_)) => {}
            }
        }
        let missing = node_types::missing_parameters(node);
        if !missing.is_empty() {
            let missing = missing.join(", ");
            issues.push(format!("Missing or invalid required parameters: {missing}"));
        }
        if !issues.is_empty() {
            let lines: Vec<String> = issues.iter().map(|issue| format!("  - {issue}")).collect();
            found.push(format!("Node \"{}\":\n{}", name(node), lines.join("\n")));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let plural = if found.len() == 1 { "" } else { "s" };
    Err(format!("Cannot publish workflow: {} node{plural} have configuration issues:\n\n{}", found.len(), found.join("\n\n")))
}

fn check_children(world: &World, id: &str, content: &Content) -> Result<(), String> {
    let mut unpublished = Vec::new();
    for node in content.node_list() {
        let called = node_types::called_workflow(node).filter(|_| !node_types::is_disabled(node));
        let Some(called) = called.filter(|called| *called != id) else {
            continue;
        };
        let child = world.workflows.get(called);
        if child.is_some_and(|child| child.is_active()) {
            continue;
        }
        let title = child.map_or(String::new(), |child| format!(" (\"{}\")", child.name));
        unpublished.push(format!("Node \"{}\" references workflow {called}{title} which is not published", name(node)));
    }
    if unpublished.is_empty() {
        return Ok(());
    }
    Err(format!("Cannot publish workflow: {}. Please publish all referenced sub-workflows first.", unpublished.join("; ")))
}

/// Publishes, with the gap in which callers of the webhooks get a 404.
pub(crate) async fn publish(site: &Site, id: &str, wish: Wish) -> Result<(), Reply> {
    let (gap, broker_hang) = site.gaps();
    let (version, hangs) = begin(site, id, &wish)?;
    if site.world().sets_up_later(id) {
        site.world().record_publication(id, &version, "activated");
        return Ok(());
    }
    tokio::time::sleep(gap).await;
    if hangs {
        // A trigger whose broker cannot be reached: the workflow reads as active meanwhile.
        tokio::time::sleep(broker_hang).await;
    }
    let mut world = site.world();
    complete(&mut world, id)?;
    if let Some(workflow) = world.workflows.get_mut(id) {
        let named = workflow.history.iter_mut().find(|known| known.id == version);
        if let Some(named) = named {
            named.name = wish.name.or(named.name.take());
            named.description = wish.description.or(named.description.take());
        }
    }
    Ok(())
}

/// Checks the version, removes the old version's webhooks and marks the new one as active.
fn begin(site: &Site, id: &str, wish: &Wish) -> Result<(String, bool), Reply> {
    let installed = site.installed();
    let mut world = site.world();
    let Some(workflow) = world.workflows.get(id) else {
        return Err(Reply::message(404, "You do not have permission to activate this workflow. Ask the owner to share it with you."));
    };
    if workflow.is_archived {
        return Err(Reply::message(400, "Cannot activate an archived workflow."));
    }
    let version = wish.version_id.as_ref().unwrap_or(&workflow.version_id).clone();
    let Some(content) = workflow.version(&version).map(|known| Arc::clone(&known.content)) else {
        return Err(Reply::message(404, "Version not found"));
    };
    let previous = workflow.active_version_id.clone();
    check(&world, &installed, id, &content)?;
    let at_once = world.outbox.is_none();
    if let Some(previous) = previous {
        if at_once {
            world.remove_webhooks(id);
        }
        world.record_publication(id, &previous, "deactivated");
    }
    if let Some(workflow) = world.workflows.get_mut(id) {
        workflow.active_version_id = Some(version.clone());
    }
    world.note_most();
    let hangs = content.node_list().iter().any(|node| !node_types::is_disabled(node) && short(kind(node)) == "redisTrigger");
    Ok((version, hangs))
}

/// Registers the version that is active now, which may be another than the one this call began with.
fn complete(world: &mut World, id: &str) -> Result<(), Reply> {
    let Some(workflow) = world.workflows.get(id) else {
        let message = format!("Workflow with ID \"{id}\" could not be found.");
        return Err(Reply::message(404, message));
    };
    let Some(active) = workflow.active_version() else {
        let message = format!("Active version not found for workflow with id \"{id}\"");
        return Err(Reply::message(400, message));
    };
    let (version, content) = (active.id.clone(), Arc::clone(&active.content));
    if let Err(message) = register(world, id, &content) {
        take_down(world, id);
        return Err(Reply::message(400, message));
    }
    world.record_publication(id, &version, "activated");
    Ok(())
}

/// Registers a version's triggers.
fn register(world: &mut World, id: &str, content: &Content) -> Result<(), String> {
    let before = world.workflows.get(id).map(|workflow| workflow.trigger_count).unwrap_or_default();
    start(world, id, content)?;
    if content.node_list().iter().any(node_types::has_bad_cron) {
        if let Some(workflow) = world.workflows.get_mut(id) {
            workflow.trigger_count = before;
        }
        return Err("There was a problem activating the workflow: \"Invalid cron expression\"".to_owned());
    }
    Ok(())
}

/// Registers those triggers of a version that can be started.
pub(crate) fn start(world: &mut World, id: &str, content: &Content) -> Result<(), String> {
    world
        .add_webhooks(hooks(id, content))
        .map_err(|node| format!("The URL path that the \"{node}\" node uses is already taken. Please change it to something else."))?;
    let nodes = content.node_list().iter();
    let count = nodes.filter(|node| node_types::counts_as_trigger(node)).count();
    if let Some(workflow) = world.workflows.get_mut(id) {
        workflow.trigger_count = count;
    }
    Ok(())
}

fn take_down(world: &mut World, id: &str) {
    match &mut world.outbox {
        Some(outbox) => outbox.put(id),
        None => world.remove_webhooks(id),
    }
    if let Some(workflow) = world.workflows.get_mut(id) {
        workflow.active_version_id = None;
    }
}

/// Unpublishes a workflow; does nothing if it is not published.
pub(crate) fn take_offline(world: &mut World, id: &str) {
    let active = world.workflows.get(id).and_then(|workflow| workflow.active_version_id.clone());
    if let Some(active) = active {
        take_down(world, id);
        world.record_publication(id, &active, "deactivated");
    }
}

/// Registers the triggers of every active workflow, as n8n does at its start. A failed one stays marked as active; n8n retries it later,
/// the stand-in does not.
pub(crate) fn activate_all(world: &mut World) {
    let active: Vec<(String, Arc<Content>)> = world
        .workflows
        .values()
        .filter_map(|workflow| {
            let version = workflow.active_version()?;
            Some((workflow.id.clone(), Arc::clone(&version.content)))
        })
        .collect();
    for (id, content) in active {
        let _ = register(world, &id, &content);
    }
}

/// Removes and registers the triggers of a published workflow, as a move to another project does.
pub(crate) async fn register_anew(site: &Site, id: &str, fails: bool) {
    let active = |world: &World| world.workflows.get(id).and_then(|workflow| Some(Arc::clone(&workflow.active_version()?.content)));
    if active(&site.world()).is_none() {
        return;
    }
    site.world().remove_webhooks(id);
    tokio::time::sleep(site.gaps().0).await;
    let mut world = site.world();
    let Some(content) = active(&world) else { return };
    if fails || register(&mut world, id, &content).is_err() {
        take_offline(&mut world, id);
    }
}

pub(crate) async fn publish_call(site: &Site, request: &Request, id: &str) -> Answer {
    let body = request.optional_body(&PUBLISH)?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).map(str::to_owned);
    let wish = Wish { version_id: text("versionId"), name: text("name"), description: text("description") };
    publish(site, id, wish).await?;
    let world = site.world();
    match world.workflows.get(id) {
        Some(workflow) => Ok(world.show(workflow, View::Published, true)),
        None => {
            let message = format!("Workflow with ID \"{id}\" could not be found.");
            Err(Reply::message(404, message))
        }
    }
}

pub(crate) fn unpublish_call(world: &mut World, id: &str) -> Answer {
    take_offline(world, id);
    match world.workflows.get(id) {
        Some(workflow) => Ok(world.show(workflow, View::Switched, true)),
        None => Err(Reply::message(404, "You do not have permission to deactivate this workflow. Ask the owner to share it with you.")),
    }
}
