//! Tags, and their assignment to workflows.

use super::reply::{Answer, Reply, page};
use super::request::{Request, next_offset};
use super::schema::{TAG, TAG_IDS};
use super::store::{Tag, World, now};
use serde_json::Value;

impl World {
    fn tag_name_is_free(&self, name: &str, but: Option<&str>) -> bool {
        let taken = |tag: &Tag| tag.name == name && but != Some(tag.id.as_str());
        (1..=24).contains(&name.encode_utf16().count()) && !self.tags.values().any(taken)
    }

    /// Stores a tag and returns its id.
    pub(crate) fn add_tag(&mut self, name: &str) -> String {
        let (id, at) = (self.nano_id(), now());
        let tag = Tag { id: id.clone(), name: name.to_owned(), created_at: at.clone(), updated_at: at };
        self.tags.insert(id.clone(), tag);
        id
    }

    pub(crate) fn tags_json(&self, ids: &[String]) -> Value {
        ids.iter().filter_map(|id| self.tags.get(id)).map(Tag::json).collect()
    }
}

fn wanted_name(request: &Request) -> Result<String, Reply> {
    let body = request.body(&TAG)?;
    let name = body["name"].as_str().unwrap_or_default();
    Ok(name.trim().to_owned())
}

pub(crate) fn list(world: &World, request: &Request) -> Answer {
    let (offset, limit) = request.paging()?;
    let shown = world.tags.values().skip(offset).take(limit);
    let items: Vec<String> = shown.map(|tag| tag.json().to_string()).collect();
    Ok(page(&items, next_offset(offset, limit, world.tags.len())))
}

pub(crate) fn get(world: &World, id: &str) -> Answer {
    match world.tags.get(id) {
        Some(tag) => Ok(Reply::json(200, &tag.json())),
        None => Err(Reply::message(404, "Not Found")),
    }
}

/// Any failure, including a name of the wrong length, is reported as a tag that already exists.
pub(crate) fn create(world: &mut World, request: &Request) -> Answer {
    let name = wanted_name(request)?;
    if !world.tag_name_is_free(&name, None) {
        return Err(Reply::message(409, "Tag already exists"));
    }
    let id = world.add_tag(&name);
    Ok(Reply::json(201, &world.tags[&id].json()))
}

pub(crate) fn update(world: &mut World, request: &Request, id: &str) -> Answer {
    let name = wanted_name(request)?;
    if !world.tags.contains_key(id) {
        return Err(Reply::message(404, "Not Found"));
    }
    if !world.tag_name_is_free(&name, Some(id)) {
        return Err(Reply::message(409, "Tag already exists"));
    }
    let tag = world.tags.get_mut(id).expect("a tag that was just found");
    tag.name = name;
    tag.updated_at = now();
    Ok(Reply::json(200, &tag.json()))
}

pub(crate) fn delete(world: &mut World, id: &str) -> Answer {
    let Some(tag) = world.tags.remove(id) else {
        return Err(Reply::message(404, "Not Found"));
    };
    for workflow in world.workflows.values_mut() {
        workflow.tag_ids.retain(|tag| tag != id);
    }
    Ok(Reply::json(200, &tag.json()))
}

pub(crate) fn of_workflow(world: &World, id: &str) -> Answer {
    match world.workflows.get(id) {
        Some(workflow) => Ok(Reply::json(200, &world.tags_json(&workflow.tag_ids))),
        None => Err(Reply::message(404, "Not Found")),
    }
}

pub(crate) fn put_on_workflow(world: &mut World, request: &Request, id: &str) -> Answer {
    let body = request.body(&TAG_IDS)?;
    if !world.workflows.contains_key(id) {
        return Err(Reply::message(404, "Not Found"));
    }
    let ids: Vec<String> = body.as_array().into_iter().flatten().filter_map(|tag| tag["id"].as_str().map(str::to_owned)).collect();
    if !ids.iter().all(|id| world.tags.contains_key(id)) {
        return Err(Reply::message(404, "Some tags not found"));
    }
    if let Some(workflow) = world.workflows.get_mut(id) {
        workflow.tag_ids = ids;
    }
    of_workflow(world, id)
}
