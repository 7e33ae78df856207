//! Views of workflows and their versions. The operations return different fields.

use serde_json::{Value, json};

use super::projects::Project;
use super::reply::{Answer, ObjectText, Reply, page};
use super::request::{Request, next_offset};
use super::store::{Publication, Version, Workflow, World};

pub(crate) const PROJECT_NAME: &str = "Test Owner <owner@example.com>";
const AUTHOR: &str = "Test Owner";

/// The operation whose view is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Get,
    Created,
    /// PUT; the publish history is included only if it was published again, and the count of triggers is the previous one.
    Updated {
        republished: bool,
        trigger_count: usize,
    },
    Published,
    /// Unpublish, archive and unarchive.
    Switched,
    Deleted,
}

impl World {
    /// Returns a workflow in the view of an operation.
    pub(crate) fn show(&self, workflow: &Workflow, view: View, pin_data: bool) -> Reply {
        let trigger_count = match view {
            View::Updated { trigger_count, .. } => trigger_count,
            _ => workflow.trigger_count,
        };
        let mut text = head(workflow, true)
            .field("triggerCount", &trigger_count)
            .fields(&workflow.content.text)
            .field("settings", &workflow.settings)
            .field("staticData", &workflow.static_data)
            .field("meta", &Value::Null);
        if pin_data {
            text = text.field("pinData", &workflow.pin_data);
        }
        if matches!(view, View::Get | View::Created | View::Updated { .. }) {
            text = text.field("tags", &self.tags_json(&workflow.tag_ids));
        }
        if matches!(view, View::Get | View::Created | View::Switched | View::Deleted) {
            text = text.field("shared", &self.shared(workflow, true));
        }
        if view != View::Deleted {
            let history = match view {
                View::Updated { republished: false, .. } => History::Without,
                View::Updated { .. } | View::Published => History::AsWritten,
                _ => History::AsIndexed,
            };
            text = text.text("activeVersion", &active_version(workflow, history));
        }
        if view == View::Created {
            text = text.field("parentFolder", &Value::Null);
        }
        Reply::json_text(200, text.finish())
    }

    fn shared(&self, workflow: &Workflow, with_project: bool) -> Value {
        let mut shared = json!({
            "role": "workflow:owner",
            "workflowId": workflow.id,
            "projectId": workflow.project_id,
            "createdAt": workflow.shared_at,
            "updatedAt": workflow.shared_at,
        });
        if with_project {
            shared["project"] = self.project(&workflow.project_id).map_or(Value::Null, Project::json);
        }
        json!([shared])
    }

    fn list_item(&self, workflow: &Workflow, pin_data: bool) -> String {
        let mut text = head(workflow, false)
            .field("triggerCount", &workflow.trigger_count)
            .fields(&workflow.content.text)
            .field("settings", &workflow.settings)
            .field("staticData", &workflow.static_data)
            .field("meta", &Value::Null);
        if pin_data {
            text = text.field("pinData", &workflow.pin_data);
        }
        text.field("tags", &self.tags_json(&workflow.tag_ids))
            .field("shared", &self.shared(workflow, false))
            .text("activeVersion", &active_version(workflow, History::Without))
            .finish()
    }
}

/// The first fields; the id comes first, where the wire log expects it.
fn head(workflow: &Workflow, full: bool) -> ObjectText {
    let mut text = ObjectText::new().field("id", &workflow.id).field("name", &workflow.name);
    if full {
        text = text.field("description", &workflow.description);
    }
    text = text
        .field("active", &workflow.is_active())
        .field("activeVersionId", &workflow.active_version_id)
        .field("createdAt", &workflow.created_at)
        .field("updatedAt", &workflow.updated_at)
        .field("isArchived", &workflow.is_archived)
        .field("versionId", &workflow.version_id);
    if full {
        text = text.field("versionCounter", &workflow.version_counter).field("sourceWorkflowId", &Value::Null);
    }
    text
}

fn version_text(workflow: &Workflow, version: &Version) -> ObjectText {
    ObjectText::new()
        .field("versionId", &version.id)
        .field("workflowId", &workflow.id)
        .fields(&version.content.text)
        .field("authors", AUTHOR)
        .field("name", &version.name)
        .field("description", &version.description)
}

fn active_version(workflow: &Workflow, history: History) -> String {
    let Some(version) = workflow.active_version() else {
        return "null".to_owned();
    };
    let text = version_text(workflow, version)
        .field("autosaved", &version.autosaved)
        .field("createdAt", &version.created_at)
        .field("updatedAt", &version.updated_at);
    if history == History::Without {
        return text.finish();
    }
    let lines = publications(workflow, &version.id, history);
    text.field("workflowPublishHistory", &lines).finish()
}

/// Visibility of a version's publish history, and in which of the orders in which SQLite returns it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum History {
    Without,
    AsWritten,
    AsIndexed,
}

fn publications(workflow: &Workflow, version: &str, order: History) -> Value {
    let line = |line: &Publication| {
        json!({ "id": line.id, "workflowId": workflow.id, "versionId": line.version_id,
            "event": line.event, "userId": null, "createdAt": line.created_at })
    };
    let lines = workflow.publications.iter();
    let mut lines: Vec<_> = lines.filter(|line| line.version_id == version).collect();
    if order == History::AsIndexed {
        lines.sort_by_key(|line| (line.event, line.id));
    }
    lines.into_iter().map(line).collect()
}

pub(crate) fn get(world: &World, request: &Request, id: &str) -> Answer {
    let pin_data = !request.flag("excludePinnedData", false)?;
    match world.workflows.get(id) {
        Some(workflow) => Ok(world.show(workflow, View::Get, pin_data)),
        None => Err(Reply::message(404, "Not Found")),
    }
}

/// SQL's LIKE, case-insensitive: `%` is anything, `_` any one character.
fn is_like(text: &str, pattern: &str) -> bool {
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|skip| matches(&text[skip..], rest)),
            Some((first, rest)) => text.split_first().is_some_and(|(head, tail)| (*first == '_' || first == head) && matches(tail, rest)),
        }
    }
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    matches(&letters(text), &letters(&format!("%{pattern}%")))
}

pub(crate) fn list(world: &World, request: &Request) -> Answer {
    let (offset, limit) = request.paging()?;
    let active = match request.query("active") {
        Some(_) => Some(request.flag("active", false)?),
        None => None,
    };
    let pin_data = !request.flag("excludePinnedData", false)?;
    let names = request.query("tags").filter(|tags| !tags.is_empty());
    let names: Vec<&str> = names.map(|tags| tags.split(',').map(str::trim).collect()).unwrap_or_default();
    let name = request.query("name").map(str::trim).filter(|name| !name.is_empty());
    let project = request.query("projectId").filter(|id| !id.is_empty());
    let has_tag = |workflow: &Workflow, name: &str| {
        let mut tags = workflow.tag_ids.iter().filter_map(|id| world.tags.get(id));
        tags.any(|tag| tag.name == name)
    };
    let found: Vec<&Workflow> = world
        .workflows
        .values()
        .filter(|workflow| active.is_none_or(|active| workflow.is_active() == active))
        .filter(|workflow| name.is_none_or(|name| is_like(&workflow.name, name)))
        .filter(|workflow| names.iter().all(|name| has_tag(workflow, name)))
        .filter(|workflow| project.is_none_or(|project| project == workflow.project_id))
        .collect();
    // `take(0)` means no limit in n8n, while the cursor still counts in steps of 0.
    let take = if limit == 0 { usize::MAX } else { limit };
    let shown = found.iter().skip(offset).take(take);
    let items: Vec<String> = shown.map(|workflow| world.list_item(workflow, pin_data)).collect();
    Ok(page(&items, next_offset(offset, limit, found.len())))
}

pub(crate) fn history(world: &World, request: &Request, id: &str) -> Answer {
    let (offset, limit) = request.paging()?;
    let Some(workflow) = world.workflows.get(id) else {
        return Err(Reply::message(404, "Not Found"));
    };
    let newest_first = workflow.history.iter().rev().skip(offset).take(limit);
    let items: Vec<String> = newest_first
        .map(|version| {
            ObjectText::new()
                .field("versionId", &version.id)
                .field("workflowId", &workflow.id)
                .field("authors", AUTHOR)
                .field("createdAt", &version.created_at)
                .field("updatedAt", &version.updated_at)
                .field("name", &version.name)
                .field("description", &version.description)
                .finish()
        })
        .collect();
    Ok(page(&items, next_offset(offset, limit, workflow.history.len())))
}

pub(crate) fn version(world: &World, id: &str, version: &str) -> Answer {
    let Some(workflow) = world.workflows.get(id) else {
        return Err(Reply::message(404, "Workflow not found"));
    };
    let Some(version) = workflow.version(version) else {
        return Err(Reply::message(404, "Version not found"));
    };
    let text = version_text(workflow, version).field("createdAt", &version.created_at).field("updatedAt", &version.updated_at);
    Ok(Reply::json_text(200, text.finish()))
}
