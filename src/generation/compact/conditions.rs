//! The `when` of a node: n8n's filters.

use serde_json::{Map, Value, json};

use super::form::{Case, Condition, Match};
use super::graph::Graph;
use super::texts::{self, Texts};
use crate::catalog::{Kind, NodeVersion, Parameter};
use crate::document::finding::{Code, Finding};
use crate::document::json_path;

/// Node types with one filter, and the type with one for each output.
const ONE: &[&str] = &["n8n-nodes-base.if", "n8n-nodes-base.filter"];
pub(super) const SWITCH: &str = "n8n-nodes-base.switch";
/// Operators without a right side.
pub(super) const UNARY: &[&str] = &["exists", "notExists", "empty", "notEmpty", "true", "false"];

/// Adds the conditions to the parameters.
pub(super) fn compile(
    cases: &[Case],
    kind: &str,
    facts: Option<&NodeVersion>,
    version: f64,
    parameters: &mut Map<String, Value>,
    texts: &mut Texts<'_>,
    path: &str,
) {
    if cases.is_empty() {
        return;
    }
    let Some(form) = facts.and_then(|facts| form(facts, kind, version)) else {
        let message = "only if, filter and switch have conditions, in their present versions; put an if before the node";
        return texts.push(Finding::error(Code::CompactInvalid, path, message));
    };
    if kind != SWITCH {
        if let [case] = cases {
            parameters.insert("conditions".to_owned(), filter(case, form, texts, &json_path::index(path, 0)));
        } else {
            let message = "the node has one case; join conditions in its `of`, or use a switch for several outputs";
            texts.push(Finding::error(Code::CompactInvalid, path, message));
        }
        return;
    }
    let mut rules = Vec::with_capacity(cases.len());
    for (index, case) in cases.iter().enumerate() {
        let mut rule = json!({"conditions": filter(case, form, texts, &json_path::index(path, index))});
        if let Some(name) = &case.name {
            rule["renameOutput"] = Value::Bool(true);
            rule["outputKey"] = Value::from(name.as_str());
        }
        rules.push(rule);
    }
    parameters.insert("rules".to_owned(), json!({"values": rules}));
}

/// Returns the version of the filters of a node.
fn form(facts: &NodeVersion, kind: &str, version: f64) -> Option<u32> {
    if !ONE.contains(&kind) && kind != SWITCH {
        return None;
    }
    let own = |parameter: &Parameter| {
        let versions = &parameter.bounds.filter_version;
        let found = versions.iter().find(|(least, _)| version >= *least).map_or(1, |(_, form)| *form);
        (parameter.kind == Kind::Filter).then_some(found)
    };
    let nested = |parameter: &Parameter| parameter.groups.iter().flat_map(|group| &group.fields).find_map(|field| own(field));
    facts.parameters.iter().find_map(|parameter| own(parameter).or_else(|| nested(parameter)))
}

fn filter(case: &Case, form: u32, texts: &mut Texts<'_>, path: &str) -> Value {
    let at = json_path::key(path, "of");
    let mut conditions = Vec::with_capacity(case.of.len());
    for (index, condition) in case.of.iter().enumerate() {
        let at = json_path::index(&at, index);
        let Some((kind, operation)) = condition.op.split_once('.') else {
            let finding = Finding::error(Code::ConditionUnknown, json_path::key(&at, "op"), "an operator is written with its type");
            texts.push(finding.mismatch("no type", "number.gt, string.equals, dateTime.after, boolean.true, …"));
            continue;
        };
        let mut side = |value: &Value, key: &str| match value {
            Value::String(text) => texts.compile(text, &json_path::key(&at, key)),
            other => other.clone(),
        };
        let (left, right) = (side(&condition.left, "left"), side(&condition.right, "right"));
        let id = format!("{}-{}", texts.graph.ids[texts.at], index + 1);
        conditions.push(joined(id, left, right, kind, operation));
    }
    let combinator = if case.matches == Match::Any { "or" } else { "and" };
    let types = if case.loose { "loose" } else { "strict" };
    json!({
        "options": {"version": form, "leftValue": "", "caseSensitive": !case.ignore_case, "typeValidation": types},
        "combinator": combinator, "conditions": conditions,
    })
}

fn joined(id: String, left: Value, right: Value, kind: &str, operation: &str) -> Value {
    let mut operator = json!({"type": kind, "operation": operation});
    let unary = UNARY.contains(&operation);
    if unary {
        operator["singleValue"] = Value::Bool(true);
    } else if kind == "array" {
        operator["rightType"] = Value::from(if operation.starts_with("length") { "number" } else { "any" });
    }
    let right = if unary || right.is_null() { Value::from("") } else { right };
    json!({"id": id, "leftValue": left, "rightValue": right, "operator": operator})
}

/// Returns the cases of a node, and the parameters that are left.
pub(super) fn decompile(
    kind: &str,
    facts: Option<&NodeVersion>,
    version: f64,
    parameters: &Map<String, Value>,
    graph: &Graph,
    at: usize,
) -> (Vec<Case>, Map<String, Value>) {
    let mut rest = parameters.clone();
    let Some(form) = facts.and_then(|facts| form(facts, kind, version)) else { return (Vec::new(), rest) };
    let key = if kind == SWITCH { "rules" } else { "conditions" };
    let found = match parameters.get(key) {
        Some(Value::Object(rules)) if kind == SWITCH && rules.len() == 1 => {
            let rules = rules.get("values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            rules.iter().map(|rule| rule_case(rule, form, graph, at)).collect::<Option<Vec<_>>>()
        }
        Some(filter) if kind != SWITCH => case(filter, form, graph, at).map(|case| vec![case]),
        _ => None,
    };
    match found.filter(|cases| !cases.is_empty()) {
        Some(cases) => {
            rest.remove(key);
            (cases, rest)
        }
        None => (Vec::new(), rest),
    }
}

fn rule_case(rule: &Value, form: u32, graph: &Graph, at: usize) -> Option<Case> {
    let rule = rule.as_object()?;
    if rule.keys().any(|key| !["conditions", "renameOutput", "outputKey"].contains(&key.as_str())) {
        return None;
    }
    let case = case(rule.get("conditions")?, form, graph, at)?;
    let named = rule.get("renameOutput") == Some(&Value::Bool(true));
    let name = rule.get("outputKey").and_then(Value::as_str).filter(|name| !name.is_empty());
    match (named, name) {
        (true, Some(name)) => Some(Case { name: Some(name.to_owned()), ..case }),
        // Without renaming the key does not count.
        (false, _) if rule.get("renameOutput").is_none_or(|value| *value == Value::Bool(false)) => Some(case),
        _ => None,
    }
}

fn case(filter: &Value, form: u32, graph: &Graph, at: usize) -> Option<Case> {
    let filter = filter.as_object()?;
    if filter.keys().any(|key| !["options", "combinator", "conditions"].contains(&key.as_str())) {
        return None;
    }
    let options = filter.get("options").and_then(Value::as_object);
    let option = |key: &str| options.and_then(|options| options.get(key));
    let known = |key: &String| ["version", "leftValue", "caseSensitive", "typeValidation"].contains(&key.as_str());
    let same_form = option("version").map_or(form == 1, |version| version.as_f64() == Some(f64::from(form)));
    let no_left = option("leftValue").is_none_or(|left| left == "");
    if !options.is_none_or(|options| options.keys().all(known)) || !same_form || !no_left {
        return None;
    }
    let matches = match filter.get("combinator").map(Value::as_str) {
        None | Some(Some("and")) => Match::All,
        Some(Some("or")) => Match::Any,
        _ => return None,
    };
    let ignore_case = match option("caseSensitive") {
        None | Some(Value::Bool(true)) => false,
        Some(Value::Bool(false)) => true,
        _ => return None,
    };
    let loose = match option("typeValidation").map(Value::as_str) {
        None | Some(Some("strict")) => false,
        Some(Some("loose")) => true,
        _ => return None,
    };
    let of = filter.get("conditions")?.as_array()?.iter().map(|one| condition(one, graph, at)).collect::<Option<Vec<_>>>()?;
    (!of.is_empty()).then_some(Case { name: None, matches, of, ignore_case, loose })
}

fn condition(condition: &Value, graph: &Graph, at: usize) -> Option<Condition> {
    let map = condition.as_object()?;
    if map.keys().any(|key| !["id", "leftValue", "rightValue", "operator"].contains(&key.as_str())) {
        return None;
    }
    let operator = map.get("operator")?.as_object()?;
    let (kind, operation) = (operator.get("type")?.as_str()?, operator.get("operation")?.as_str()?);
    if kind.contains('.') || kind.starts_with('=') {
        return None;
    }
    let wanted = joined(String::new(), Value::Null, Value::Null, kind, operation);
    let ordinary = operator.iter().all(|(key, value)| key == "name" || wanted["operator"].get(key) == Some(value) || key == "singleValue");
    // Without its right type a condition compares with the type of its left side.
    let complete = wanted["operator"].get("rightType").is_none_or(|kind| operator.get("rightType") == Some(kind));
    if !ordinary || !complete {
        return None;
    }
    let side = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Some(Value::String(texts::decompile(graph, at, text))),
        None => Some(Value::Null),
        Some(Value::Object(_) | Value::Array(_)) => None,
        Some(other) => Some(other.clone()),
    };
    let left = side(map.get("leftValue"))?;
    let right = if UNARY.contains(&operation) { Value::Null } else { side(map.get("rightValue"))? };
    // An empty text is the value of an absent right side.
    let right = if right == "" { Value::Null } else { right };
    Some(Condition { left, op: format!("{kind}.{operation}"), right })
}
