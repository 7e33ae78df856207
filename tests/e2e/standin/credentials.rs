//! Credentials, and how n8n binds the references in nodes to them when a workflow is saved.

use serde_json::{Value, json};

use super::reply::{Answer, Reply, page};
use super::request::{Request, next_offset};
use super::schema::{CREATE_CREDENTIAL, UPDATE_CREDENTIAL};
use super::store::{Credential, World, now};

impl Credential {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "type": self.kind,
            "isManaged": false, "isGlobal": false, "isResolvable": false,
            "resolvableAllowFallback": false, "resolverId": null,
            "createdAt": self.created_at, "updatedAt": self.updated_at,
        })
    }

    fn list_item(&self, world: &World) -> String {
        json!({
            "id": self.id, "name": self.name, "type": self.kind,
            "createdAt": self.created_at, "updatedAt": self.updated_at,
            "shared": [{ "id": world.project_id, "name": super::workflow_views::PROJECT_NAME,
                "role": "credential:owner", "createdAt": self.created_at, "updatedAt": self.updated_at }],
        })
        .to_string()
    }
}

/// Returns the fields that a credential's data must have.
fn required_data(kind: &str) -> &'static [&'static str] {
    match kind {
        "slackApi" | "telegramApi" => &["accessToken"],
        "openAiApi" => &["apiKey"],
        _ => &[],
    }
}

/// Returns further fields that a credential's data may have.
fn optional_data(kind: &str) -> &'static [&'static str] {
    match kind {
        "httpHeaderAuth" => &["name", "value"],
        "postgres" => &["host", "port", "database", "user", "password"],
        "smtp" => &["host", "user", "password"],
        _ => &[],
    }
}

fn check_type(kind: &str) -> Result<(), Reply> {
    if kind.contains("doesNotExist") {
        return Err(Reply::message(400, "req.body.type is not a known type"));
    }
    Ok(())
}

fn check_data(kind: &str, data: &Value) -> Result<(), Reply> {
    let missing: Vec<String> = required_data(kind)
        .iter()
        .filter(|field| data.get(**field).is_none())
        .map(|field| format!("request.body.data requires property \"{field}\""))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Reply::message(400, missing.join(",")))
}

fn text(body: &Value, field: &str) -> Option<String> {
    body.get(field).and_then(Value::as_str).map(str::to_owned)
}

impl World {
    /// Stores a credential and returns its id.
    pub(crate) fn add_credential(&mut self, name: &str, kind: &str, data: &Value) -> String {
        let (id, at) = (self.nano_id(), now());
        self.credentials.push(Credential {
            id: id.clone(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            data: data.as_object().cloned().unwrap_or_default(),
            created_at: at.clone(),
            updated_at: at,
        });
        id
    }

    fn credential(&self, id: &str) -> Option<&Credential> {
        self.credentials.iter().find(|known| known.id == id)
    }

    /// Rewrites the references in nodes as n8n does on every save. A reference without the key `id` takes
    /// any credential of the type.
    pub(crate) fn bind_credentials(&self, nodes: &mut Value) {
        for node in nodes.as_array_mut().into_iter().flatten() {
            if super::node_types::is_disabled(node) {
                continue;
            }
            let used = node.get_mut("credentials").and_then(Value::as_object_mut);
            for (kind, reference) in used.into_iter().flatten() {
                if let Some(found) = self.binding(kind, reference) {
                    *reference = json!({ "id": found.id, "name": found.name });
                }
            }
        }
    }

    fn binding(&self, kind: &str, reference: &Value) -> Option<&Credential> {
        let of_type = || self.credentials.iter().filter(|known| known.kind == kind);
        let by_name = |name: Option<&str>| {
            let mut named = of_type().filter(|known| name.is_none_or(|name| known.name == name));
            named.next().filter(|_| named.next().is_none())
        };
        let name = reference.get("name").and_then(Value::as_str);
        match reference {
            Value::String(name) => by_name(Some(name)),
            Value::Object(fields) => match fields.get("id") {
                None => of_type().next(),
                Some(Value::String(id)) => of_type().find(|known| known.id == *id).or_else(|| by_name(name)),
                Some(_) => by_name(name),
            },
            _ => None,
        }
    }
}

pub(crate) fn list(world: &World, request: &Request) -> Answer {
    let (offset, limit) = request.paging()?;
    let newest_first = world.credentials.iter().rev().skip(offset).take(limit);
    let items: Vec<String> = newest_first.map(|known| known.list_item(world)).collect();
    Ok(page(&items, next_offset(offset, limit, world.credentials.len())))
}

pub(crate) fn get(world: &World, id: &str) -> Answer {
    match world.credential(id) {
        Some(known) => Ok(Reply::json(200, &known.json())),
        None => Err(Reply::message(404, "Credential not found")),
    }
}

pub(crate) fn create(world: &mut World, request: &Request) -> Answer {
    let body = request.body(&CREATE_CREDENTIAL)?;
    let kind = text(body, "type").unwrap_or_default();
    check_type(&kind)?;
    check_data(&kind, &body["data"])?;
    let name = text(body, "name").unwrap_or_default();
    let id = world.add_credential(&name, &kind, &body["data"]);
    get(world, &id)
}

pub(crate) fn update(world: &mut World, request: &Request, id: &str) -> Answer {
    let body = request.body(&UPDATE_CREDENTIAL)?;
    let kind = text(body, "type");
    if let Some(kind) = &kind {
        check_type(kind)?;
    }
    let known = world.credentials.iter_mut().find(|known| known.id == id);
    let Some(known) = known else {
        return Err(Reply::message(404, "Credential not found"));
    };
    let partial = body.get("isPartialData") == Some(&json!(true));
    let data = body.get("data").and_then(Value::as_object);
    if let Some(data) = data.filter(|_| !partial) {
        check_data(kind.as_deref().unwrap_or(&known.kind), &json!(data))?;
    }
    let name = text(body, "name").unwrap_or_else(|| known.name.clone());
    if data.is_some() && !(3..=128).contains(&name.chars().count()) {
        let message = "Credential name must be 3 to 128 characters long.";
        return Err(Reply::message(400, message));
    }
    match data {
        Some(data) if partial => known.data.extend(data.clone()),
        Some(data) => known.data.clone_from(data),
        None if kind.as_ref().is_some_and(|kind| *kind != known.kind) => {
            let message = "req.body.data is required when changing credential type. The existing data cannot be \
                           used with the new type.";
            return Err(Reply::message(400, message));
        }
        None => {}
    }
    known.name = name;
    known.kind = kind.unwrap_or_else(|| known.kind.clone());
    known.updated_at = now();
    Ok(Reply::json(200, &known.json()))
}

pub(crate) fn delete(world: &mut World, id: &str) -> Answer {
    let at = world.credentials.iter().position(|known| known.id == id);
    let Some(at) = at else {
        return Err(Reply::message(404, "Not Found"));
    };
    let mut shown = world.credentials.remove(at).json();
    shown["usageScope"] = json!("project");
    Ok(Reply::json(200, &shown))
}

pub(crate) fn test(world: &World, id: &str) -> Answer {
    match world.credential(id) {
        None => Err(Reply::message(404, format!("Credential with ID \"{id}\" could not be found."))),
        Some(_) => Ok(Reply::json(200, &json!({ "status": "Error", "message": "No testing function found for this credential." }))),
    }
}

pub(crate) fn schema(kind: &str) -> Answer {
    if kind.contains("doesNotExist") {
        return Err(Reply::message(404, "Not Found"));
    }
    let required = required_data(kind);
    let described = |field: &&str| ((*field).to_owned(), json!({ "type": if *field == "port" { "number" } else { "string" } }));
    let properties: serde_json::Map<String, Value> = required.iter().chain(optional_data(kind)).map(described).collect();
    Ok(Reply::json(200, &json!({ "additionalProperties": false, "type": "object", "properties": properties, "required": required })))
}
