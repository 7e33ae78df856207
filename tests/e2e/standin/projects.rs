//! Projects of workflows. Without a licence there are only the personal ones of the users, which can nevertheless contain workflows.

use serde_json::{Value, json};

use super::reply::{Answer, Reply};
use super::request::Request;
use super::schema::TRANSFER;
use super::site::Site;
use super::store::{World, now};
use super::{StandIn, publish};

#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub id: String,
    name: String,
    creator: String,
    born: String,
}

impl Project {
    pub(crate) fn personal(id: String, name: &str, creator: String) -> Self {
        Self { id, name: name.to_owned(), creator, born: now() }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "type": "personal", "icon": null, "description": null, "customTelemetryTags": [],
            "creatorId": self.creator, "createdAt": self.born, "updatedAt": self.born })
    }
}

impl World {
    pub(crate) fn project(&self, id: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }
}

impl StandIn {
    /// Invites another user, who gets a personal project; returns its id.
    pub(crate) fn add_project(&self) -> String {
        let mut world = self.site.world();
        let (id, user) = (world.nano_id(), world.uuid());
        world.projects.push(Project::personal(id.clone(), "<second@example.com>", user));
        id
    }

    /// Returns the personal project of the owner, who created the keys.
    pub(crate) fn own_project(&self) -> String {
        self.site.world().project_id.clone()
    }

    /// Removes a project.
    pub(crate) fn remove_project(&self, id: &str) {
        self.site.world().projects.retain(|project| project.id != id);
    }

    /// Moves a workflow as the editor does; its triggers are not affected.
    pub(crate) fn ui_move(&self, id: &str, project: &str) {
        self.site.world().put_into(id, project);
    }
}

impl World {
    fn put_into(&mut self, id: &str, project: &str) {
        if let Some(workflow) = self.workflows.get_mut(id) {
            workflow.project_id = project.to_owned();
            workflow.shared_at = now();
            workflow.updated_at = now();
        }
    }
}

pub(crate) async fn transfer(site: &Site, request: &Request, id: &str) -> Answer {
    let body = request.body(&TRANSFER)?;
    let target = body["destinationProjectId"].as_str().unwrap_or_default();
    begin(&mut site.world(), id, target)?;
    let fails = site.options().moves_go_offline;
    publish::register_anew(site, id, fails).await;
    Ok(Reply::new(204, "text/plain", ""))
}

fn begin(world: &mut World, id: &str, target: &str) -> Result<(), Reply> {
    let miss = |message: String| Err(Reply::message(404, message));
    let Some(workflow) = world.workflows.get(id) else {
        return miss(format!("Could not find workflow with the id \"{id}\". Make sure you have the permission to move it."));
    };
    if world.project(target).is_none() {
        return miss(format!(
            "Could not find project with the id \"{target}\". Make sure you have the permission to create workflows in it."
        ));
    }
    if workflow.project_id == target {
        return Err(Reply::message(400, "You can't transfer a workflow into the same destination it already belongs to."));
    }
    world.put_into(id, target);
    Ok(())
}
