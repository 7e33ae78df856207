//! Detection of values that wrap a workflow, or stand in its place.

use serde_json::{Map, Value};

use crate::document::finding::{Code, Finding, kind_of, quoted};
use crate::document::json_path;

/// Keys under which tools put a workflow: `{"workflow": {...}}` of the template site, `{"data": ...}` of n8n's API, `{"workflows": [...]}`
/// of backups.
const WRAPPERS: &[&str] = &["workflow", "data", "workflows", "definition", "json"];

/// Returns the workflow object itself. Wrappers are removed with a warning if they are unambiguous.
pub(super) fn unwrap<'a>(raw: &'a Value, findings: &mut Vec<Finding>) -> Result<&'a Map<String, Value>, Box<Finding>> {
    let mut current = raw;
    let mut layers = Vec::new();
    loop {
        match current {
            Value::Object(map) if is_workflow(map) => {
                if !layers.is_empty() {
                    let message = format!("the workflow was found inside {}, which was removed", layers.join(", "));
                    findings.push(Finding::warning(Code::DocumentWrapped, "", message));
                }
                return Ok(map);
            }
            // Two layers occur in practice; more would be something else.
            Value::Object(map) if layers.len() < 3 => match wrapped(map) {
                Some((key, inner)) => {
                    layers.push(format!("a top-level key `{key}`"));
                    current = inner;
                }
                None => return Err(Box::new(name_object(map))),
            },
            Value::Array(items) if layers.len() < 3 => match items.as_slice() {
                [only] if !is_node(only) => {
                    layers.push("a list of one item".to_owned());
                    current = only;
                }
                _ => return Err(Box::new(name_array(items))),
            },
            other => {
                let finding = Finding::error(Code::DocumentKind, "", "this is not an n8n workflow");
                return Err(Box::new(finding.mismatch(kind_of(other), "an object with `nodes` and `connections`")));
            }
        }
    }
}

/// Returns the path of the workflow that [`parse`](super::parse) reads; empty if it is the value itself or none is found.
pub fn place_of_workflow(raw: &Value) -> String {
    let (mut at, mut current) = (String::new(), raw);
    for _ in 0..4 {
        match current {
            Value::Object(map) if is_workflow(map) => return at,
            Value::Object(map) => {
                let Some((key, inner)) = wrapped(map) else { break };
                json_path::push_key(&mut at, key);
                current = inner;
            }
            Value::Array(items) => {
                let [only] = items.as_slice() else { break };
                json_path::push_index(&mut at, 0);
                current = only;
            }
            _ => break,
        }
    }
    String::new()
}

/// Returns the workflows of an export of several: a list of them, or an object that holds a list under `data` or `workflows`, as n8n's API
/// and backups have it. Each comes with its path. Empty for anything else.
pub fn several(raw: &Value) -> Vec<(String, &Value)> {
    let (at, items) = match raw {
        Value::Array(items) => (String::new(), items),
        Value::Object(map) if !is_workflow(map) => match wrapped(map) {
            Some((key, Value::Array(items))) => (json_path::key("", key), items),
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    if items.len() < 2 || !items.iter().all(|item| item.as_object().is_some_and(is_workflow)) {
        return Vec::new();
    }
    items.iter().enumerate().map(|(index, item)| (json_path::index(&at, index), item)).collect()
}

/// Reports whether an object is a workflow itself.
pub(super) fn is_workflow(map: &Map<String, Value>) -> bool {
    map.contains_key("nodes") || map.contains_key("connections")
}

fn is_node(value: &Value) -> bool {
    let has = |key| value.get(key).is_some();
    value.get("type").is_some_and(Value::is_string) && (has("parameters") || has("typeVersion")) && !has("nodes")
}

/// Returns the member that holds a workflow, if exactly one does and it holds exactly one.
fn wrapped(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    if map.contains_key("apiVersion") || is_execution(map) {
        return None;
    }
    let mut found = WRAPPERS.iter().filter_map(|key| Some((*key, map.get(*key).filter(|v| leads_to_workflow(v, 0))?)));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn leads_to_workflow(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if is_workflow(map) => true,
        Value::Object(map) if depth < 2 => WRAPPERS.iter().filter_map(|key| map.get(*key)).any(|v| leads_to_workflow(v, depth + 1)),
        // A list of several is also followed, so that it is reported as such.
        Value::Array(items) => items.iter().any(|item| item.as_object().is_some_and(is_workflow)),
        _ => false,
    }
}

fn is_execution(map: &Map<String, Value>) -> bool {
    map.contains_key("workflowData") || map.get("data").is_some_and(|data| data.get("resultData").is_some())
}

fn name_object(map: &Map<String, Value>) -> Finding {
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    if let (Some(_), Some(kind)) = (text("apiVersion"), text("kind")) {
        let message = format!(
            "this is a Kubernetes manifest of kind {}, not a workflow; provide only n8n's export (for a Workflow, \
             the value of spec.definition)",
            quoted(kind)
        );
        return Finding::error(Code::DocumentKind, "", message);
    }
    if is_execution(map) {
        let message = "this is an execution, not a workflow; provide the value of `workflowData`";
        return Finding::error(Code::DocumentKind, "", message);
    }
    if map.contains_key("type") && (map.contains_key("parameters") || map.contains_key("typeVersion")) {
        let message = "this is a single node, not a workflow; put it in a list called `nodes`";
        return Finding::error(Code::DocumentKind, "", message);
    }
    let keys: Vec<&str> = map.keys().map(String::as_str).take(6).collect();
    let found = match keys.len() {
        0 => "an empty object".to_owned(),
        _ => format!("an object with the keys {}", keys.join(", ")),
    };
    let message = "there are no nodes; a workflow needs a list called `nodes`";
    Finding::error(Code::NodesMissing, "nodes", message).mismatch(found, "an object with `nodes` and `connections`")
}

fn name_array(items: &[Value]) -> Finding {
    if items.is_empty() {
        return Finding::error(Code::DocumentEmpty, "", "this is an empty list, without a workflow");
    }
    if items.iter().all(is_node) {
        let message = format!("this is a list of {} node(s), not a workflow; put it under the key `nodes`", items.len());
        return Finding::error(Code::DocumentKind, "", message);
    }
    let names: Vec<String> = items.iter().filter_map(|item| item.get("name")?.as_str()).take(5).map(quoted).collect();
    let named = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let message = format!("this is an export of {} workflows{named}; give each its own object", items.len());
    Finding::error(Code::DocumentSeveral, "", message)
}
