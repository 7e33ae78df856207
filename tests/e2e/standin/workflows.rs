//! Creating, changing, archiving and deleting workflows.

use serde_json::{Map, Value, json};

use super::publish::{self, Wish};
use super::reply::{Answer, Reply};
use super::request::Request;
use super::schema::{CREATE_WORKFLOW, UPDATE_WORKFLOW};
use super::site::Site;
use super::store::{Content, Workflow, World, now};
use super::workflow_views::View;
use super::{node_types, structure};

fn refuse(message: String) -> Reply {
    Reply::message(400, message)
}

fn check_name(name: &str) -> Result<(), Reply> {
    if (1..=128).contains(&name.encode_utf16().count()) {
        return Ok(());
    }
    let message = "Workflow name must be 1 to 128 characters long.";
    Err(Reply::message(400, message))
}

/// Drops settings that the API accepts and discards, or that require a licence.
fn drop_unkept(settings: &mut Map<String, Value>) {
    for name in ["binaryMode", "credentialResolverId", "redactionPolicy"] {
        settings.remove(name);
    }
}

/// Drops settings with n8n's value for "default of the instance": an update removes such a key.
fn drop_defaults(settings: &mut Map<String, Value>) {
    for name in ["errorWorkflow", "timezone", "saveDataErrorExecution", "saveDataSuccessExecution"] {
        if settings.get(name) == Some(&json!("DEFAULT")) {
            settings.remove(name);
        }
    }
    if settings.get("executionTimeout") == Some(&json!(-1)) {
        settings.remove("executionTimeout");
    }
}

impl World {
    /// Adds missing ids; an empty one counts as missing.
    fn add_ids(&mut self, nodes: &mut Value) {
        let is_missing = |node: &Value, field: &str| node.get(field).and_then(Value::as_str).unwrap_or_default().is_empty();
        for node in nodes.as_array_mut().into_iter().flatten() {
            if is_missing(node, "id") {
                node["id"] = json!(self.uuid());
            }
            if node_types::has_webhook(node) && is_missing(node, "webhookId") {
                node["webhookId"] = json!(self.uuid());
            }
        }
    }

    /// Saves a new workflow and returns its id.
    pub(crate) fn insert_workflow(&mut self, document: &Value) -> Result<String, String> {
        let mut nodes = document["nodes"].clone();
        self.bind_credentials(&mut nodes);
        self.add_ids(&mut nodes);
        let connections = document["connections"].clone();
        let groups = document.get("nodeGroups").cloned().unwrap_or(json!([]));
        structure::check(&nodes, &connections)?;
        structure::check_groups(&nodes, &groups)?;
        let mut settings = document["settings"].as_object().cloned().unwrap_or_default();
        drop_unkept(&mut settings);
        let at = now();
        let field = |name: &str| document.get(name).cloned().unwrap_or(Value::Null);
        let mut workflow = Workflow {
            id: self.nano_id(),
            name: document["name"].as_str().unwrap_or_default().to_owned(),
            description: None,
            project_id: document["projectId"].as_str().unwrap_or(&self.project_id).to_owned(),
            shared_at: at.clone(),
            content: Content::new(nodes, connections, groups),
            settings,
            static_data: field("staticData"),
            pin_data: field("pinData"),
            version_id: self.uuid(),
            version_counter: 1,
            active_version_id: None,
            is_archived: false,
            trigger_count: 0,
            tag_ids: Vec::new(),
            created_at: at.clone(),
            updated_at: at,
            history: Vec::new(),
            publications: Vec::new(),
        };
        workflow.save_version(false);
        let id = workflow.id.clone();
        self.workflows.insert(id.clone(), workflow);
        self.note_most();
        Ok(id)
    }

    /// Saves a draft. It does not publish; the result has the steps that follow.
    pub(crate) fn save_draft(&mut self, id: &str, document: &Value, autosaved: bool) -> Result<Saved, Reply> {
        let missing = "You do not have permission to update this workflow. Ask the owner to share it with you.";
        let old = self.workflows.get(id).cloned().ok_or_else(|| Reply::message(404, missing))?;
        if old.is_archived {
            return Err(Reply::message(400, "Cannot update an archived workflow."));
        }
        let mut nodes = document["nodes"].clone();
        self.bind_credentials(&mut nodes);
        let connections = document["connections"].clone();
        let groups = document.get("nodeGroups").unwrap_or(&old.content.groups);
        // Compared before ids are added: a document without them is always a new version.
        let is_new = nodes != old.content.nodes || connections != old.content.connections || *groups != old.content.groups;
        self.add_ids(&mut nodes);
        if is_new {
            structure::check(&nodes, &connections).map_err(refuse)?;
            structure::check_groups(&nodes, groups).map_err(refuse)?;
        }
        let mut settings = old.settings.clone();
        let mut sent = document["settings"].as_object().cloned().unwrap_or_default();
        drop_unkept(&mut sent);
        settings.extend(sent);
        drop_defaults(&mut settings);
        let name = document["name"].as_str().unwrap_or_default().to_owned();
        if !name.is_empty() {
            check_name(&name)?;
        }
        let settings_changed = settings != old.settings;
        let nodes_changed = nodes != old.content.nodes;
        let content = Content::new(nodes, connections, groups.clone());
        let version_id = if is_new { self.uuid() } else { old.version_id };
        self.marks.follow(id, &settings);
        let workflow = self.workflows.get_mut(id).expect("the workflow just read");
        workflow.name = name;
        workflow.settings = settings;
        workflow.content = content;
        workflow.version_id = version_id;
        workflow.version_counter += u64::from(nodes_changed || settings_changed);
        workflow.updated_at = now();
        if let Some(description) = document.get("description").and_then(Value::as_str) {
            workflow.description = Some(description.to_owned());
        }
        for (name, place) in [("staticData", &mut workflow.static_data), ("pinData", &mut workflow.pin_data)] {
            if let Some(value) = document.get(name) {
                place.clone_from(value);
            }
        }
        if is_new {
            workflow.save_version(autosaved);
        }
        Ok(Saved {
            version_id: workflow.version_id.clone(),
            trigger_count: workflow.trigger_count,
            active_version_id: old.active_version_id,
            settings_changed,
        })
    }
}

/// Result of a save.
pub(crate) struct Saved {
    pub version_id: String,
    /// The version that was published before.
    pub active_version_id: Option<String>,
    pub settings_changed: bool,
    pub trigger_count: usize,
}

pub(crate) fn create(world: &mut World, request: &Request) -> Answer {
    let body = request.body(&CREATE_WORKFLOW)?;
    check_name(body["name"].as_str().unwrap_or_default())?;
    let project = body.get("projectId").and_then(Value::as_str);
    if project.is_some_and(|project| world.project(project).is_none()) {
        return Err(Reply::message(404, "Project not found"));
    }
    let id = world.check_folder_and_insert(body)?;
    let settings = world.workflows[&id].settings.clone();
    world.marks.created(&id, &settings);
    Ok(world.show(&world.workflows[&id], View::Created, true))
}

impl World {
    fn check_folder_and_insert(&mut self, body: &Value) -> Result<String, Reply> {
        // Folders require a licence, so that none is ever found; n8n searches for it after it checked the structure.
        let folder = body.get("parentFolderId").and_then(Value::as_str);
        let id = self.insert_workflow(body).map_err(refuse)?;
        if let Some(folder) = folder.filter(|folder| !folder.is_empty() && *folder != "0") {
            self.remove_workflow(&id);
            let message = format!("Could not find the folder: {folder}");
            return Err(Reply::message(404, message));
        }
        Ok(id)
    }
}

pub(crate) async fn put(site: &Site, request: &Request, id: &str, scopes: &[String]) -> Answer {
    let body = request.body(&UPDATE_WORKFLOW)?;
    let publish_if_active = request.flag("publishIfActive", true)?;
    let saved = site.world().save_draft(id, body, false)?;
    let trigger_count = saved.trigger_count;
    let mut republished = false;
    if let Some(active) = saved.active_version_id {
        if publish_if_active {
            if saved.version_id != active && !scopes.iter().any(|scope| scope == "workflow:activate") {
                return Err(forbidden(&saved.version_id));
            }
            publish::publish(site, id, Wish::version(saved.version_id)).await?;
            republished = true;
        } else if saved.settings_changed {
            publish::publish(site, id, Wish::version(active)).await?;
        }
    }
    let world = site.world();
    match world.workflows.get(id) {
        Some(workflow) => {
            let view = View::Updated { republished, trigger_count };
            Ok(world.show(workflow, view, true))
        }
        None => {
            let message = format!("Workflow with ID \"{id}\" could not be found to be updated.");
            Err(Reply::message(400, message))
        }
    }
}

fn forbidden(version: &str) -> Reply {
    Reply::json(
        403,
        &json!({
            "message": "Your change was saved as a draft. It wasn't published because this API key does not have \
                        the workflow:activate scope.",
            "reason": "insufficient_api_key_scope",
            "versionId": version,
        }),
    )
}

pub(crate) fn delete(world: &mut World, id: &str) -> Answer {
    let refusal = world.workflows.get(id).and_then(|workflow| world.outbox.as_ref()?.forbids_deletion(workflow));
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    let Some(workflow) = world.remove_workflow(id) else {
        return Err(Reply::message(404, "Not Found"));
    };
    Ok(world.show(&workflow, View::Deleted, true))
}

impl World {
    fn switch_archived(&mut self, id: &str, archived: bool) {
        let version_id = self.uuid();
        if let Some(workflow) = self.workflows.get_mut(id) {
            workflow.is_archived = archived;
            workflow.version_id = version_id;
            workflow.save_version(false);
        }
    }

    /// Unpublishes and archives a workflow; does nothing if it is archived.
    pub(crate) fn archive_workflow(&mut self, id: &str) -> bool {
        match self.workflows.get(id) {
            None => return false,
            Some(workflow) if workflow.is_archived => return true,
            Some(_) => {}
        }
        publish::take_offline(self, id);
        self.switch_archived(id, true);
        true
    }
}

pub(crate) fn archive(world: &mut World, id: &str) -> Answer {
    if !world.archive_workflow(id) {
        return Err(Reply::message(404, "Workflow not found"));
    }
    Ok(world.show(&world.workflows[id], View::Switched, true))
}

pub(crate) fn unarchive(world: &mut World, id: &str) -> Answer {
    match world.workflows.get(id) {
        None => return Err(Reply::message(404, "Workflow not found")),
        Some(workflow) if !workflow.is_archived => {
            return Err(Reply::message(400, "Workflow is not archived."));
        }
        Some(_) => world.switch_archived(id, false),
    }
    Ok(world.show(&world.workflows[id], View::Switched, true))
}
