//! Operations of n8n's editor, for tests: no API request, no line in the wire log.

use serde_json::{Value, json};

use super::StandIn;
use super::executions::Start;
use super::node_types::{is_trigger, kind, name};
use super::publish::{self, Wish};
use super::reply::Reply;
use super::workflow_views::View;

fn message(refusal: &Reply) -> String {
    let value = refusal.value().unwrap_or_default();
    value["message"].as_str().unwrap_or_default().to_owned()
}

impl StandIn {
    /// Returns every workflow as GET shows it, in the order of ids.
    pub(crate) fn workflows(&self) -> Vec<Value> {
        let world = self.site.world();
        let shown = world.workflows.values();
        shown.map(|workflow| world.show(workflow, View::Get, true).value().unwrap_or_default()).collect()
    }

    /// Returns one workflow as GET shows it.
    pub(crate) fn workflow(&self, id: &str) -> Option<Value> {
        let world = self.site.world();
        let workflow = world.workflows.get(id)?;
        world.show(workflow, View::Get, true).value()
    }

    /// Changes a draft and saves it as the editor does: a new version if the definition differs, nothing published. The function gets name,
    /// nodes, connections, nodeGroups, settings and description.
    pub(crate) fn ui_edit_draft(&self, id: &str, edit: impl FnOnce(&mut Value)) -> Result<String, String> {
        let mut shown = self.workflow(id).ok_or("no such workflow")?;
        let fields = ["name", "nodes", "connections", "nodeGroups", "settings", "description"];
        let mut document = json!({});
        for field in fields {
            document[field] = shown[field].take();
        }
        edit(&mut document);
        let saved = self.site.world().save_draft(id, &document, true);
        saved.map(|saved| saved.version_id).map_err(|refusal| message(&refusal))
    }

    pub(crate) fn ui_rename(&self, id: &str, name: &str) -> Result<(), String> {
        self.ui_edit_draft(id, |document| document["name"] = json!(name)).map(drop)
    }

    /// Publishes the draft, with the same checks and the same gap as through the API.
    pub(crate) fn ui_publish(&self, id: &str) -> Result<(), String> {
        self.publish_version(id, None)
    }

    /// Publishes an older version from the history.
    pub(crate) fn ui_publish_version(&self, id: &str, version: &str) -> Result<(), String> {
        self.publish_version(id, Some(version.to_owned()))
    }

    fn publish_version(&self, id: &str, version_id: Option<String>) -> Result<(), String> {
        let (site, id) = (std::sync::Arc::clone(&self.site), id.to_owned());
        let (done, outcome) = std::sync::mpsc::channel();
        self.runtime().spawn(async move {
            let wish = Wish { version_id, ..Wish::default() };
            let result = publish::publish(&site, &id, wish).await;
            let _ = done.send(result.map_err(|refusal| message(&refusal)));
        });
        outcome.recv().map_err(|_| "the stand-in stopped".to_owned())?
    }

    pub(crate) fn ui_unpublish(&self, id: &str) {
        publish::take_offline(&mut self.site.world(), id);
    }

    /// Sets the delay with which publications are set up from now on.
    pub(crate) fn publish_after(&self, delay: std::time::Duration) {
        if let Some(outbox) = &mut self.site.world().outbox {
            outbox.set_delay(delay);
        }
    }

    /// Loses the record of the version of a workflow that runs, and keeps its routes.
    pub(crate) fn forget_running(&self, id: &str) {
        self.site.world().forget_running(id);
    }

    pub(crate) fn ui_archive(&self, id: &str) -> bool {
        self.site.world().archive_workflow(id)
    }

    pub(crate) fn ui_delete(&self, id: &str) -> bool {
        self.site.world().remove_workflow(id).is_some()
    }

    /// Duplicates a workflow as the editor does: definition, tags and settings, including telemetry tags, are copied; node ids, webhook ids
    /// and webhook paths are new. Returns the id of the copy.
    pub(crate) fn ui_duplicate(&self, id: &str) -> Option<String> {
        let mut document = self.workflow(id)?;
        let world = &mut *self.site.world();
        document["name"] = json!(format!("{} copy", document["name"].as_str()?));
        document["nodeGroups"] = json!([]);
        for node in document["nodes"].as_array_mut()? {
            node["id"] = json!(world.uuid());
            if node.get("webhookId").is_some() {
                let webhook_id = json!(world.uuid());
                if node["parameters"].get("path").is_some() {
                    node["parameters"]["path"] = webhook_id.clone();
                }
                node["webhookId"] = webhook_id;
            }
        }
        let copy = world.insert_workflow(&document).ok()?;
        let original = &world.workflows[id];
        let (tags, settings) = (original.tag_ids.clone(), original.settings.clone());
        world.marks.follow(&copy, &settings);
        if let Some(workflow) = world.workflows.get_mut(&copy) {
            workflow.tag_ids = tags;
        }
        Some(copy)
    }

    /// Adds a credential without a request; returns its id.
    pub(crate) fn add_credential(&self, name: &str, kind: &str, data: &Value) -> String {
        self.site.world().add_credential(name, kind, data)
    }

    /// Runs a published workflow from its first trigger, as a schedule does, and returns the execution's id. The run is over at once.
    pub(crate) fn fire_trigger(&self, id: &str) -> Option<u64> {
        let world = &mut *self.site.world();
        let workflow = world.workflows.get(id)?;
        let version = workflow.active_version()?;
        let trigger = version.content.node_list().iter().find(|node| is_trigger(kind(node)))?;
        let start = Start {
            workflow_id: id.to_owned(),
            mode: "trigger",
            content: std::sync::Arc::clone(&version.content),
            version_id: version.id.clone(),
            start: name(trigger).to_owned(),
            input: vec![json!({})],
            retry_of: None,
        };
        let execution = world.begin(start);
        world.finish(execution);
        Some(execution)
    }

    /// Returns the registered production webhooks as (method, public path, workflow id).
    pub(crate) fn webhooks(&self) -> Vec<(String, String, String)> {
        let world = self.site.world();
        let mut hooks: Vec<_> =
            world.webhooks.values().map(|hook| (hook.method.clone(), hook.public_path(), hook.workflow_id.clone())).collect();
        hooks.sort();
        hooks
    }
}
