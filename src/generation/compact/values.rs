//! Parameters in the compact form: resource locators, assignments and texts.

use serde_json::{Map, Value, json};

use super::graph::Graph;
use super::texts::{self, Texts, slot_name};
use crate::catalog::display::Rule;
use crate::catalog::{Around, Display, Kind, NodeVersion, Parameter, shown};
use crate::document::finding::{Code, Finding, kind_of};
use crate::document::json_path;

/// Parameters whose texts are code of another language and never expressions.
const CODE: &[&str] = &["jsCode", "pythonCode", "functionCode"];
const TYPES: &[&str] = &["string", "number", "boolean", "array", "object", "binary"];
/// Keys of a locator that only the editor uses.
const CACHED: &[&str] = &["cachedResultName", "cachedResultUrl"];
/// Fields of a node that are not parameters, and where the form has them.
const MISPLACED: &[(&str, &str)] = &[
    ("onError", "onError"),
    ("continueOnFail", "onError"),
    ("retryOnFail", "retry"),
    ("maxTries", "retry.tries"),
    ("waitBetweenTries", "retry.wait"),
    ("executeOnce", "flags: once"),
    ("alwaysOutputData", "flags: always"),
    ("disabled", "flags: off"),
    ("credentials", "no key: credentials are supplied"),
    ("typeVersion", "use, behind @"),
];

/// Returns n8n's parameters.
pub(super) fn compile(set: &Map<String, Value>, known: Known<'_>, texts: &mut Texts<'_>, path: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (key, value) in set {
        let at = json_path::key(path, key);
        let own = known.parameter(key);
        if let Some((_, place)) = MISPLACED.iter().find(|(name, _)| name == key).filter(|_| known.is_misplaced(key)) {
            let message = format!("{key} is no parameter but a setting of the node; the form has it as {place}");
            texts.push(Finding::error(Code::NodeFieldMisplaced, at, message));
            continue;
        }
        let compiled = match (own.map(|own| own.kind), value) {
            (Some(Kind::AssignmentCollection), Value::Array(items)) => assignments(items, texts, &at),
            (Some(Kind::ResourceLocator), Value::String(text)) => own.map_or(Value::Null, |own| located(own, text, texts, &at)),
            (kind, value) => {
                if kind == Some(Kind::ResourceLocator) {
                    doubt_list(own, value, texts, &at);
                }
                deep(value, key, texts, &at)
            }
        };
        parameters.insert(key.clone(), compiled);
    }
    parameters
}

/// Facts about a node: its description, and the resource and operation of its `use`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'f> {
    pub facts: Option<&'f NodeVersion>,
    pub resource: Option<&'f str>,
    pub operation: Option<&'f str>,
    pub version: f64,
    pub kind: &'f str,
}

impl<'f> Known<'f> {
    /// Reports whether a parameter with these conditions exists in the version.
    fn is_of_version(self, display: &Display) -> bool {
        let of = |rules: &[Rule]| rules.iter().filter(|Rule(key, _)| key.starts_with('@')).cloned().collect();
        let none = Map::new();
        let own = Display { show: of(&display.show), hide: of(&display.hide) };
        shown(&own, &none, Around::new(&none, self.version, self.kind))
    }

    /// Reports whether a key is a setting of the node that was put among its parameters, where n8n ignores it.
    pub(super) fn is_misplaced(self, key: &str) -> bool {
        self.facts.is_some_and(|facts| !facts.parameters.iter().any(|own| own.name == key))
            && MISPLACED.iter().any(|(name, _)| *name == key)
    }

    fn parameter(self, name: &str) -> Option<&'f Parameter> {
        let all = || self.facts.into_iter().flat_map(|facts| &facts.parameters).filter(|own| own.name == name).map(|shared| &**shared);
        let shows = |own: &&Parameter| {
            let admits = |key: &str, value: Option<&str>| value.is_none_or(|value| own.display.admits(key, value));
            admits("resource", self.resource) && admits("operation", self.operation) && self.is_of_version(&own.display)
        };
        // A name may occur several times; of those that show, one that needs another shape decides.
        let shaped = |own: &&Parameter| matches!(own.kind, Kind::ResourceLocator | Kind::AssignmentCollection);
        all().filter(shows).find(shaped).or_else(|| all().find(shows)).or_else(|| all().next())
    }
}

fn deep(value: &Value, key: &str, texts: &mut Texts<'_>, path: &str) -> Value {
    match value {
        Value::String(text) if CODE.contains(&key) => Value::String(text.clone()),
        Value::String(text) => texts.compile(text, path),
        Value::Array(items) => {
            Value::Array(items.iter().enumerate().map(|(at, item)| deep(item, key, texts, &json_path::index(path, at))).collect())
        }
        Value::Object(map) => match mode(map) {
            Some(("", value)) => deep(value, "", texts, path),
            Some((mode, value)) => json!({"__rl": true, "mode": mode, "value": deep(value, "", texts, path)}),
            None => {
                Value::Object(map.iter().map(|(key, value)| (key.clone(), deep(value, key, texts, &json_path::key(path, key)))).collect())
            }
        },
        other => other.clone(),
    }
}

/// Returns the mode and the value of a locator, written as `{"@mode": value}`. Without a mode it is no locator but the plain value, as
/// workflows have it that are older than locators.
fn mode(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, value) = map.iter().next().filter(|_| map.len() == 1)?;
    Some((key.strip_prefix('@').filter(|mode| mode.bytes().all(|byte| byte.is_ascii_alphanumeric()))?, value))
}

/// Returns the locator of a plain text, in the mode that fits it; never an invented choice from a list while there is another mode.
fn located(parameter: &Parameter, text: &str, texts: &mut Texts<'_>, path: &str) -> Value {
    let value = texts.compile(text, path);
    // The value of a slot decides, if it is given.
    let given = slot_name(text).and_then(|name| texts.inputs.get(name)?.as_str()).unwrap_or(text);
    json!({"__rl": true, "mode": mode_for(parameter, given), "value": value})
}

fn mode_for<'p>(parameter: &'p Parameter, text: &str) -> &'p str {
    let order: &[&str] = if slot_name(text).is_none() && text.starts_with("http") {
        &["url", "id", "name"]
    } else if text.starts_with(['#', '@']) || text.contains(' ') && !text.contains("{{") {
        &["name", "username", "id", "url"]
    } else {
        &["id", "name", "url"]
    };
    let named = |name: &&&str| parameter.modes.iter().any(|mode| mode.name == **name);
    let free = || parameter.modes.iter().find(|mode| !mode.list).or(parameter.modes.first()).map_or("id", |mode| mode.name.as_str());
    let chosen = order.iter().find(named).and_then(|name| parameter.modes.iter().find(|mode| mode.name == **name));
    chosen.map_or_else(free, |mode| mode.name.as_str())
}

fn doubt_list(parameter: Option<&Parameter>, value: &Value, texts: &mut Texts<'_>, path: &str) {
    let Some(("list", Value::String(text))) = value.as_object().and_then(mode) else { return };
    let others: Vec<&str> =
        parameter.into_iter().flat_map(|own| &own.modes).map(|mode| mode.name.as_str()).filter(|mode| *mode != "list").collect();
    if !others.is_empty() && (text.contains(' ') && !text.contains("{{") || text.starts_with('#')) {
        let message = "a list takes an id that the service gave, not a name; write the name as plain text, or a ?slot";
        texts.push(Finding::warning(Code::LocatorMode, path, message).mismatch("@list", others.join(", ")));
    }
}

fn inferred(value: &Value) -> &'static str {
    match value {
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::String(_) | Value::Null => "string",
    }
}

/// Reads assignments: objects of one key, `name` or `name:type`.
fn assignments(items: &[Value], texts: &mut Texts<'_>, path: &str) -> Value {
    let mut list = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let at = json_path::index(path, index);
        let Some((key, value)) = item.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next()) else {
            let finding = Finding::error(Code::CompactInvalid, at, "an assignment is an object of one field");
            texts.push(finding.mismatch(kind_of(item), r#"{"field": value} or {"field:number": "{{n2.total}}"}"#));
            continue;
        };
        let id = format!("{}-{}", texts.graph.ids[texts.at], index + 1);
        let value = deep(value, "", texts, &json_path::key(&at, key));
        let (name, kind) = typed_key(key).unwrap_or_else(|| (key, inferred(&value)));
        list.push(json!({"id": id, "name": name, "type": kind, "value": value}));
    }
    json!({"assignments": list})
}

fn typed_key(key: &str) -> Option<(&str, &'static str)> {
    let (name, wanted) = key.rsplit_once(':')?;
    TYPES.iter().find(|kind| **kind == wanted).map(|kind| (name, *kind))
}

/// Returns the compact form of n8n's parameters.
pub(super) fn decompile(parameters: &Map<String, Value>, known: Known<'_>, graph: &Graph, at: usize) -> Map<String, Value> {
    let short = |(key, value): (&String, &Value)| {
        let own = known.parameter(key);
        let said = match own.map(|own| (own.kind, own)) {
            Some((Kind::AssignmentCollection, _)) => short_assignments(value, graph, at),
            Some((Kind::ResourceLocator, own)) => short_located(own, value, graph, at),
            _ => None,
        };
        (key.clone(), said.unwrap_or_else(|| short_deep(value, key, graph, at)))
    };
    parameters.iter().map(short).collect()
}

fn short_deep(value: &Value, key: &str, graph: &Graph, at: usize) -> Value {
    match value {
        Value::String(text) if CODE.contains(&key) => Value::String(text.clone()),
        Value::String(text) => Value::String(texts::decompile(graph, at, text)),
        Value::Array(items) => Value::Array(items.iter().map(|item| short_deep(item, key, graph, at)).collect()),
        Value::Object(map) => match locator(map) {
            Some((mode, value)) => json!({format!("@{mode}"): short_deep(value, "", graph, at)}),
            None => Value::Object(map.iter().map(|(key, value)| (key.clone(), short_deep(value, key, graph, at))).collect()),
        },
        other => other.clone(),
    }
}

/// Returns mode and value of n8n's locator, if it has nothing else that counts.
fn locator(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let known = |key: &String| ["__rl", "mode", "value"].contains(&key.as_str()) || CACHED.contains(&key.as_str());
    let mode = map.get("mode")?.as_str().filter(|mode| !mode.is_empty() && mode.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
    (map.get("__rl") == Some(&Value::Bool(true)) && map.keys().all(known)).then_some((mode, map.get("value")?))
}

fn short_located(parameter: &Parameter, value: &Value, graph: &Graph, at: usize) -> Option<Value> {
    if let Value::String(text) = value {
        return Some(json!({"@": texts::decompile(graph, at, text)}));
    }
    let (mode, value) = locator(value.as_object()?)?;
    let text = texts::decompile(graph, at, value.as_str()?);
    (mode_for(parameter, &text) == mode).then_some(Value::String(text))
}

fn short_assignments(value: &Value, graph: &Graph, at: usize) -> Option<Value> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let short = |item: &Value| {
        let item = item.as_object()?;
        if item.keys().any(|key| !["id", "name", "type", "value"].contains(&key.as_str())) {
            return None;
        }
        let (name, kind, value) = (item.get("name")?.as_str()?, item.get("type")?.as_str()?, item.get("value")?);
        let key = if inferred(value) == kind && typed_key(name).is_none() { name.to_owned() } else { format!("{name}:{kind}") };
        TYPES.contains(&kind).then(|| json!({key: short_deep(value, "", graph, at)}))
    };
    map.get("assignments")?.as_array()?.iter().map(short).collect::<Option<Vec<_>>>().map(Value::Array)
}
