//! Runs a definition: a few node types behave as in n8n, all others pass their items on.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::node_types::{self, kind, name, parameter, short, text_parameter};
use super::reply::Reply;
use super::store::{Content, World};

/// Result of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub items: Vec<Value>,
    pub last_node: String,
    /// The node that failed, and the error.
    pub error: Option<(String, String)>,
    /// The output of each node, in order.
    pub outputs: Vec<(String, Vec<Value>)>,
    /// The response of a Respond to Webhook node.
    pub response: Option<Reply>,
    pub pause: Option<Pause>,
}

/// A Wait node was reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pause {
    /// Short enough that the execution stays running.
    For(Duration),
    /// Until a webhook, a form or a time beyond a minute.
    Waiting,
}

/// Runs `content` from `start`. `depth` stops workflows that call each other in a cycle.
pub(crate) fn run(world: &World, content: &Content, start: &str, input: Vec<Value>, depth: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut queue = vec![(start.to_owned(), input)];
    let mut done = BTreeSet::new();
    while !queue.is_empty() {
        let (at, items) = queue.remove(0);
        let node = content.node_list().iter().find(|node| name(node) == at);
        let Some(node) = node.filter(|_| done.insert(at.clone())) else {
            continue;
        };
        outcome.last_node.clone_from(&at);
        match execute(world, node, items, depth, &mut outcome) {
            Ok(items) => {
                outcome.outputs.push((at.clone(), items.clone()));
                outcome.items.clone_from(&items);
                queue.extend(next(content, &at).map(|target| (target, items.clone())));
            }
            Err(message) if text(node, "onError").starts_with("continue") => {
                let items = vec![json!({ "error": message })];
                outcome.outputs.push((at.clone(), items.clone()));
                queue.extend(next(content, &at).map(|target| (target, items.clone())));
            }
            Err(message) => {
                outcome.error = Some((at, message));
                return outcome;
            }
        }
    }
    outcome
}

fn text<'a>(node: &'a Value, field: &str) -> &'a str {
    node.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the nodes after the first output. The branch of a condition is not evaluated.
fn next<'a>(content: &'a Content, node: &str) -> impl Iterator<Item = String> + 'a {
    let bucket = content.connections.get(node).and_then(|kinds| kinds.get("main"));
    let bucket = bucket.and_then(|buckets| buckets.get(0)).and_then(Value::as_array);
    bucket.into_iter().flatten().filter_map(|entry| entry.get("node").and_then(Value::as_str).map(str::to_owned))
}

fn execute(world: &World, node: &Value, items: Vec<Value>, depth: usize, outcome: &mut Outcome) -> Result<Vec<Value>, String> {
    if node_types::is_disabled(node) {
        return Ok(items);
    }
    check_credentials(world, node)?;
    match short(kind(node)) {
        "set" => Ok(items.iter().map(|item| set(node, item)).collect()),
        "stopAndError" => Err(match text_parameter(node, "errorMessage") {
            "" => "An error occurred".to_owned(),
            message => message.to_owned(),
        }),
        "code" => thrown(text_parameter(node, "jsCode")).map_or(Ok(items), Err),
        "executeWorkflow" => call(world, node, items, depth),
        "respondToWebhook" => {
            outcome.response = Some(respond(node, &items));
            Ok(items)
        }
        "wait" => {
            outcome.pause = Some(pause(node));
            Ok(items)
        }
        _ => Ok(items),
    }
}

fn check_credentials(world: &World, node: &Value) -> Result<(), String> {
    let used = node.get("credentials").and_then(Value::as_object);
    for (kind, reference) in used.into_iter().flatten() {
        let id = reference.get("id").and_then(Value::as_str).unwrap_or_default();
        let mut known = world.credentials.iter();
        if !known.any(|credential| credential.id == id && credential.kind == *kind) {
            return Err(format!("Credential with ID \"{id}\" does not exist for type \"{kind}\"."));
        }
    }
    Ok(())
}

/// Edit Fields. Before version 3 it had another shape and kept other fields by default.
fn set(node: &Value, item: &Value) -> Value {
    let on = |name| parameter(node, name) == Some(&Value::Bool(true));
    let is_old = node_types::version(node) < 3.0;
    let keeps = if is_old { !on("keepOnlySet") } else { on("includeOtherFields") };
    let mut fields = match item {
        Value::Object(fields) if keeps => fields.clone(),
        _ => Map::new(),
    };
    let assignments: Vec<&Value> = if is_old {
        let values = parameter(node, "values").and_then(Value::as_object);
        let lists = values.into_iter().flat_map(Map::values);
        lists.filter_map(Value::as_array).flatten().collect()
    } else {
        let list = parameter(node, "assignments").and_then(|list| list.get("assignments"));
        let list = list.and_then(Value::as_array);
        list.into_iter().flatten().collect()
    };
    for assignment in assignments {
        let value = assignment.get("value").cloned().unwrap_or(Value::Null);
        fields.insert(text(assignment, "name").to_owned(), evaluate(value, item));
    }
    Value::Object(fields)
}

/// Expressions of the form `={{ $json.a.b }}`; any other stays as it is.
fn evaluate(value: Value, item: &Value) -> Value {
    let path = value
        .as_str()
        .and_then(|text| text.strip_prefix("={{"))
        .and_then(|text| text.strip_suffix("}}"))
        .and_then(|text| text.trim().strip_prefix("$json."));
    match path {
        Some(path) => path.split('.').try_fold(item, |at, part| at.get(part)).cloned().unwrap_or(Value::Null),
        None => value,
    }
}

/// Returns the message of a script that does nothing but throw.
fn thrown(code: &str) -> Option<String> {
    let rest = code.split_once("throw new Error(")?.1.trim_start();
    let quote = rest.chars().next().filter(|first| "'\"`".contains(*first))?;
    let message = rest[1..].split(quote).next()?;
    Some(message.to_owned())
}

fn call(world: &World, node: &Value, items: Vec<Value>, depth: usize) -> Result<Vec<Value>, String> {
    let Some(id) = node_types::called_workflow(node) else {
        return Ok(items);
    };
    let child = world.workflows.get(id);
    let Some(child) = child.and_then(|workflow| workflow.active_version()) else {
        return Err(format!("Workflow is not active: {id}"));
    };
    if depth > 10 {
        return Err("Too many nested workflow executions".to_owned());
    }
    let start = child
        .content
        .node_list()
        .iter()
        .find(|node| short(kind(node)) == "executeWorkflowTrigger")
        .ok_or("Missing node to start execution")?;
    let outcome = run(world, &child.content, name(start), items, depth + 1);
    match outcome.error {
        Some((_, message)) => Err(message),
        None => Ok(outcome.items),
    }
}

fn respond(node: &Value, items: &[Value]) -> Reply {
    let status = parameter(node, "options").and_then(|options| options.get("responseCode")).and_then(Value::as_u64).unwrap_or(200) as u16;
    let body = parameter(node, "responseBody").cloned().unwrap_or(json!({}));
    match text_parameter(node, "respondWith") {
        "json" => match body {
            Value::String(text) => Reply::json_text(status, text),
            body => Reply::json(status, &body),
        },
        "text" => Reply::new(status, "text/html; charset=utf-8", body.as_str().unwrap_or_default().to_owned()),
        "noData" => Reply::new(status, "text/html; charset=utf-8", ""),
        "allIncomingItems" => Reply::json(status, &Value::from(items.to_vec())),
        _ => Reply::json(status, items.first().unwrap_or(&Value::Null)),
    }
}

fn pause(node: &Value) -> Pause {
    if ["webhook", "form", "specificTime"].contains(&text_parameter(node, "resume")) {
        return Pause::Waiting;
    }
    // The first version of the node had other defaults.
    let (usual, unit) = if node_types::version(node) < 1.1 { (1.0, "hours") } else { (5.0, "seconds") };
    let amount = parameter(node, "amount").and_then(Value::as_f64).unwrap_or(usual);
    let unit = match text_parameter(node, "unit") {
        "" => unit,
        unit => unit,
    };
    let seconds = match unit {
        "minutes" => amount * 60.0,
        "hours" => amount * 3600.0,
        "days" => amount * 86_400.0,
        _ => amount,
    };
    // n8n parks an execution that waits for longer than this.
    if seconds >= 65.0 { Pause::Waiting } else { Pause::For(Duration::from_secs_f64(seconds.max(0.0))) }
}
