//! The JSON that a model returns: its schemas, and reading it.

use serde_json::{Map, Value, json};

use crate::document::finding::{Code, Finding};
use crate::generation::call::OutputSchema;
use crate::generation::compact::{schema, strict_schema};
use crate::generation::outcome::Question;
use crate::text::one_line;

/// Maximum number of questions.
const MOST_QUESTIONS: usize = 3;
const MOST_OPTIONS: usize = 8;
const MOST_TEXTS: usize = 20;
/// Maximum length of a text for people.
const LONGEST: usize = 400;

/// An answer of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) assumptions: Vec<String>,
    pub(super) effects: Vec<Effect>,
    pub(super) questions: Vec<Question>,
    pub(super) refusal: Option<Refusal>,
    /// A whole workflow in the compact form.
    pub(super) workflow: Option<Value>,
    /// A change of the present workflow.
    pub(super) change: Option<Map<String, Value>>,
}

/// An effect outside of the workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) what: String,
    /// Id of the node that has it.
    pub(super) node: String,
    /// True if it happens once in a run.
    pub(super) once: bool,
}

/// Reason for which a model builds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) harmful: bool,
    pub(super) reason: String,
    pub(super) nearest: Option<String>,
}

/// Content of an answer, apart from its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A whole workflow.
    Workflow,
    /// A change of a workflow, or a whole one.
    Change,
    /// Parameters of nodes.
    Parameters,
}

/// Returns the schemas of an answer.
pub(super) fn output_schema(content: Content) -> OutputSchema {
    let (name, strict, lenient) = match content {
        Content::Workflow => ("workflow", strict_wrapped(&["workflow"]), wrapped(&["workflow"])),
        Content::Change => ("change", strict_wrapped(&["change", "workflow"]), wrapped(&["change", "workflow"])),
        Content::Parameters => ("parameters", strict_parameters(), parameters()),
    };
    OutputSchema { name: name.to_owned(), strict, schema: lenient }
}

fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flatten().map(|(key, _)| key).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Returns the parts beside the workflow.
fn texts() -> Value {
    let maybe = json!({"type": ["string", "null"]});
    json!({
        "assumptions": {"type": "array", "items": {"type": "string"}},
        "effects": {"type": "array", "items": object(&json!({"what": {"type": "string"}, "node": {"type": "string"}, "once": {"type": "boolean"}}))},
        "questions": {"type": "array", "items": object(&json!({
            "id": {"type": "string"}, "text": {"type": "string"}, "options": {"type": "array", "items": {"type": "string"}}, "default": maybe,
        }))},
        "refusal": {"anyOf": [object(&json!({"harmful": {"type": "boolean"}, "reason": {"type": "string"}, "nearest": maybe})), {"type": "null"}]},
    })
}

fn or_null(of: Value) -> Value {
    json!({"anyOf": [of, {"type": "null"}]})
}

/// Returns a schema whose definitions are those of `form`, with its root as the definition `compact`.
fn with_definitions(mut form: Value, properties: Value) -> Value {
    let mut definitions = form.as_object_mut().and_then(|form| form.remove("$defs")).unwrap_or_else(|| json!({}));
    if let Some(form) = form.as_object_mut() {
        ["$schema", "title"].iter().for_each(|key| drop(form.remove(*key)));
    }
    definitions["compact"] = form;
    let mut schema = object(&properties);
    schema["$defs"] = definitions;
    schema
}

fn strict_wrapped(contents: &[&str]) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    let list = |of: Value| json!({"type": "array", "items": of});
    let mut properties = texts();
    for content in contents {
        properties[*content] = or_null(match *content {
            "workflow" => reference("compact"),
            _ => object(&json!({
                "name": {"type": ["string", "null"]},
                "nodes": list(reference("node")),
                "remove": list(json!({"type": "string"})),
                "edges": or_null(list(json!({"type": "string"}))),
                "settings": or_null(reference("settings")),
            })),
        });
    }
    with_definitions(strict_schema(), properties)
}

fn wrapped(contents: &[&str]) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    let mut properties = texts();
    for content in contents {
        properties[*content] = or_null(match *content {
            "workflow" => reference("compact"),
            _ => json!({"type": "object", "additionalProperties": false, "properties": {
                "name": {"type": "string"},
                "nodes": {"type": "array", "items": reference("CompactNode")},
                "remove": {"type": "array", "items": {"type": "string"}},
                "edges": or_null(json!({"type": "array", "items": {"type": "string"}})),
                "settings": or_null(reference("Settings")),
            }}),
        });
    }
    with_definitions(schema(), properties)
}

fn strict_parameters() -> Value {
    let mut schema = strict_schema();
    let node = |schema: &Value, key: &str| schema["$defs"]["node"]["properties"][key].clone();
    let nodes = object(&json!({"id": node(&schema, "id"), "set": node(&schema, "set"), "when": node(&schema, "when")}));
    let mut root = object(&json!({"nodes": {"type": "array", "items": nodes}}));
    root["$defs"] = schema["$defs"].take();
    root
}

fn parameters() -> Value {
    let mut schema = schema();
    let when = json!({"type": "array", "items": {"$ref": "#/$defs/Case"}});
    let nodes = json!({"type": "object", "required": ["id", "set"], "properties": {"id": {"type": "string"}, "set": {"type": "object"}, "when": when}});
    let mut root = json!({"type": "object", "required": ["nodes"], "properties": {"nodes": {"type": "array", "items": nodes}}});
    root["$defs"] = schema["$defs"].take();
    root
}

/// Reads an answer. What is a matter of taste is read leniently: an absent list is empty, a workflow need not be wrapped.
///
/// # Errors
///
/// The answer has neither a workflow, nor questions, nor a refusal.
pub(super) fn read(mut object: Map<String, Value>) -> Result<Reply, Box<Finding>> {
    let bare = object.contains_key("nodes") && !object.contains_key("workflow") && !object.contains_key("change");
    let reply = Reply {
        assumptions: list(&object, "assumptions").iter().filter_map(text_of).take(MOST_TEXTS).collect(),
        effects: list(&object, "effects").iter().filter_map(effect).take(MOST_TEXTS).collect(),
        questions: questions(list(&object, "questions")),
        refusal: object.get("refusal").and_then(refusal),
        change: match object.remove("change").map(unpacked) {
            Some(Value::Object(change)) => Some(change),
            _ => None,
        },
        workflow: match object.remove("workflow").map(unpacked) {
            Some(workflow @ Value::Object(_)) => Some(workflow),
            _ if bare => {
                for key in ["assumptions", "effects", "questions", "refusal"] {
                    object.remove(key);
                }
                Some(Value::Object(object))
            }
            _ => None,
        },
    };
    let empty = reply.workflow.is_none() && reply.change.is_none() && reply.questions.is_empty() && reply.refusal.is_none();
    if empty {
        let message = "the answer has no workflow, no question and no refusal; return the workflow under the key workflow";
        return Err(Finding::error(Code::CompactInvalid, "workflow", message).into());
    }
    Ok(reply)
}

/// Returns the object that a text holds as JSON, as some models write it.
fn unpacked(value: Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::Null),
        other => other,
    }
}

fn list<'o>(object: &'o Map<String, Value>, key: &str) -> &'o [Value] {
    object.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text_of(value: &Value) -> Option<String> {
    let text = one_line(value.as_str()?, LONGEST);
    (!text.trim().is_empty()).then_some(text)
}

fn effect(value: &Value) -> Option<Effect> {
    let node = value.get("node").and_then(Value::as_str)?;
    let what = value.get("what").and_then(text_of).unwrap_or_default();
    Some(Effect { what, node: node.to_owned(), once: value.get("once") == Some(&Value::Bool(true)) })
}

fn questions(items: &[Value]) -> Vec<Question> {
    let read = |(at, item): (usize, &Value)| {
        let text = item.get("text").or(Some(item)).and_then(text_of)?;
        let id: String = item
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .take(40)
            .collect();
        let id = id.replace('_', "-");
        let id = if id.starts_with(|c: char| c.is_ascii_alphabetic()) { id } else { format!("question-{}", at + 1) };
        let options: Vec<String> =
            item.get("options").and_then(Value::as_array).into_iter().flatten().filter_map(text_of).take(MOST_OPTIONS).collect();
        let default = item.get("default").and_then(text_of);
        Some(Question { id, text, options, default })
    };
    items.iter().enumerate().filter_map(read).take(MOST_QUESTIONS).collect()
}

fn refusal(value: &Value) -> Option<Refusal> {
    match value {
        Value::String(_) => Some(Refusal { harmful: false, reason: text_of(value)?, nearest: None }),
        Value::Object(map) => {
            let reason = map.get("reason").and_then(text_of)?;
            Some(Refusal { harmful: map.get("harmful") == Some(&Value::Bool(true)), reason, nearest: map.get("nearest").and_then(text_of) })
        }
        _ => None,
    }
}

/// Returns the parameters of nodes by id, of an answer about parameters.
pub(super) fn read_parameters(object: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let read = |item: &Value| {
        let mut node = item.as_object()?.clone();
        let id = node.remove("id")?.as_str()?.to_owned();
        node.retain(|key, value| ["set", "when", "onError", "retry", "flags"].contains(&key.as_str()) && !value.is_null());
        Some((id, node))
    };
    list(object, "nodes").iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(value: Value) -> Result<Reply, Box<Finding>> {
        read(value.as_object().unwrap().clone())
    }

    #[test]
    fn an_answer_is_read_whether_it_is_wrapped_or_not() {
        let workflow = json!({"compact": 1, "nodes": [{"id": "n1"}], "edges": []});
        for given in [
            json!({"workflow": workflow}),
            json!({"workflow": workflow.to_string(), "questions": null}),
            json!({"compact": 1, "nodes": [{"id": "n1"}], "edges": [], "assumptions": ["x"]}),
        ] {
            assert_eq!(reply(given).unwrap().workflow, Some(workflow.clone()));
        }
        assert!(reply(json!({"workflow": null, "refusal": null, "questions": []})).is_err());
        assert!(reply(json!({"text": "hello"})).is_err());
    }

    #[test]
    fn questions_and_refusals_are_bounded() {
        let many: Vec<Value> =
            (0..9).map(|at| json!({"id": format!("q_{at}"), "text": "a\nb", "options": ["x"], "default": null})).collect();
        let read = reply(json!({"questions": many, "refusal": {"harmful": true, "reason": "x"}})).unwrap();
        assert_eq!(read.questions.len(), MOST_QUESTIONS);
        assert_eq!((read.questions[0].id.as_str(), read.questions[0].text.as_str()), ("q-0", "a b"));
        assert!(read.refusal.unwrap().harmful);
    }

    #[test]
    fn strict_schemas_list_all_keys_of_every_object() {
        fn look(value: &Value) {
            if let Value::Object(map) = value {
                if map.get("type") == Some(&json!("object")) {
                    let keys: Vec<&String> = map["properties"].as_object().unwrap().keys().collect();
                    assert_eq!(map["required"], json!(keys), "{value}");
                    assert_eq!(map["additionalProperties"], false);
                }
                map.values().for_each(look);
            } else if let Value::Array(items) = value {
                items.iter().for_each(look);
            }
        }
        for content in [Content::Workflow, Content::Change, Content::Parameters] {
            let schema = output_schema(content);
            look(&schema.strict);
            let text = schema.strict.to_string();
            for reference in text.split("#/$defs/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(schema.strict["$defs"].get(name).is_some(), "{name}");
            }
            let text = schema.schema.to_string();
            for reference in text.split("#/$defs/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(schema.schema["$defs"].get(name).is_some(), "{name}");
            }
        }
    }
}
