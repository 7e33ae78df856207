//! Corrections of compact workflows whose meaning is certain. They are recorded, and are no attempt.

use rapidfuzz::distance::osa;
use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding};
use crate::generation::compact::VERSION;

/// Operators of other products and of older versions of n8n, and those of now.
const OPERATORS: &[(&str, &str)] = &[
    ("larger", "gt"),
    ("greater", "gt"),
    ("greaterthan", "gt"),
    ("smaller", "lt"),
    ("less", "lt"),
    ("lessthan", "lt"),
    ("largerequal", "gte"),
    ("greaterequal", "gte"),
    ("greaterthanorequal", "gte"),
    ("greaterorequal", "gte"),
    ("smallerequal", "lte"),
    ("lessequal", "lte"),
    ("lessthanorequal", "lte"),
    ("equal", "equals"),
    ("eq", "equals"),
    ("is", "equals"),
    ("notequal", "notEquals"),
    ("neq", "notEquals"),
    ("ne", "notEquals"),
    ("isnot", "notEquals"),
    ("isempty", "empty"),
    ("isnotempty", "notEmpty"),
    ("isset", "exists"),
    ("doesnotcontain", "notContains"),
    ("doesnotexist", "notExists"),
    ("istrue", "true"),
    ("isfalse", "false"),
];

/// Corrects the shape before it is read: parameters as a list of keys and values become an object, keys without a value are left out, the
/// version is added, operators of other products are renamed.
pub(super) fn even(workflow: &mut Value) -> Vec<String> {
    let mut done = Vec::new();
    let Some(map) = workflow.as_object_mut() else { return done };
    map.retain(|_, value| !value.is_null());
    if map.get("compact").and_then(Value::as_u64) != Some(u64::from(VERSION)) {
        map.insert("compact".to_owned(), VERSION.into());
    }
    for node in map.get_mut("nodes").and_then(Value::as_array_mut).into_iter().flatten() {
        even_node(node, &mut done);
    }
    done
}

/// Corrects the shape of a node.
pub(super) fn even_node(node: &mut Value, done: &mut Vec<String>) {
    let Some(node) = node.as_object_mut() else { return };
    node.retain(|_, value| !value.is_null());
    if let Some(set) = node.get_mut("set") {
        *set = plain(std::mem::take(set));
    }
    let id = node.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    for case in node.get_mut("when").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(case) = case.as_object_mut() else { continue };
        case.retain(|_, value| !value.is_null());
        if let Some(word) = case.get("match").and_then(Value::as_str) {
            let meant = match word.to_lowercase().as_str() {
                "and" | "all" => "all",
                "or" | "any" => "any",
                _ => continue,
            };
            if word != meant {
                done.push(format!("{id}: match {word} means {meant}"));
                case.insert("match".to_owned(), meant.into());
            }
        }
        for condition in case.get_mut("of").and_then(Value::as_array_mut).into_iter().flatten() {
            rename_operator(condition, &id, done);
        }
    }
}

fn rename_operator(condition: &mut Value, id: &str, done: &mut Vec<String>) {
    let Some(op) = condition.get("op").and_then(Value::as_str).map(str::to_owned) else { return };
    let (kind, name) = op.split_once('.').map_or((None, op.as_str()), |(kind, name)| (Some(kind), name));
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let meant = OPERATORS.iter().find(|(old, _)| *old == folded).map_or(name, |(_, new)| *new);
    let kind = match kind {
        Some(kind) => kind.to_owned(),
        // Without a type, that of the value to compare with.
        None => match condition.get("right") {
            Some(Value::Number(_)) => "number".to_owned(),
            Some(Value::Bool(_)) => "boolean".to_owned(),
            Some(Value::String(_)) => "string".to_owned(),
            _ => match meant {
                "true" | "false" => "boolean".to_owned(),
                "empty" | "notEmpty" | "exists" | "notExists" => "string".to_owned(),
                _ => return,
            },
        },
    };
    let new = format!("{kind}.{meant}");
    if new != op {
        done.push(format!("{id}: operator {op} means {new}"));
        condition["op"] = new.into();
    }
}

/// Returns parameters as an object, whichever of the two forms they have.
fn plain(value: Value) -> Value {
    fn entries(items: Vec<Value>) -> Value {
        let pair = |item: Value| {
            let mut item = match item {
                Value::Object(item) => item,
                _ => return None,
            };
            let key = item.remove("key")?.as_str()?.to_owned();
            Some((key, inner(item.remove("value").unwrap_or_default())))
        };
        Value::Object(items.into_iter().filter_map(pair).collect())
    }
    fn inner(value: Value) -> Value {
        match value {
            Value::Array(items) => Value::Array(items.into_iter().map(inner).collect()),
            Value::Object(mut map) if map.len() == 1 && map.get("entries").is_some_and(Value::is_array) => match map.remove("entries") {
                Some(Value::Array(items)) => entries(items),
                _ => Value::Object(map),
            },
            Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, inner(value))).collect()),
            other => other,
        }
    }
    match value {
        Value::Array(items) if items.iter().all(|item| item.get("key").is_some()) => entries(items),
        other => inner(other),
    }
}

/// Corrects what findings are certain about, and returns what was done. `nothing` means that the findings stay.
pub(super) fn mend(workflow: &mut Value, findings: &[Finding], catalog: &Catalog) -> Vec<String> {
    let mut done = Vec::new();
    for finding in findings {
        let Some(meant) = finding.suggestion.as_deref() else { continue };
        let fixed = match finding.code {
            Code::NodeTypeUnknown => in_use(workflow, finding, meant, catalog),
            Code::ParameterOption if finding.path.ends_with(".use") => in_operation(workflow, finding, meant),
            Code::ParameterOption | Code::ConditionUnknown => value(workflow, finding, meant),
            Code::ParameterUnknown => key(workflow, finding, meant),
            Code::CompactInvalid if finding.path.starts_with("nodes[") && meant.starts_with("{{") => reference(workflow, finding, meant),
            Code::CompactInvalid => key(workflow, finding, meant),
            Code::ConnectionSourceUnknown | Code::ConnectionTargetUnknown if finding.path.starts_with("edges[") => {
                in_edge(workflow, finding, meant)
            }
            _ => false,
        };
        if fixed {
            let place = finding.node.as_ref().map_or_else(|| finding.path.clone(), |node| format!("{node}, {}", finding.path));
            done.push(format!("{place}: {meant}"));
        }
    }
    done
}

/// Reports whether one word is certainly another: the same letters, or one mistake.
fn is_slip(wrong: &str, meant: &str) -> bool {
    let fold = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let (wrong, meant) = (fold(wrong), fold(meant));
    wrong == meant || meant.len() >= 4 && osa::distance(wrong.chars(), meant.chars()) <= 1
}

fn in_use(workflow: &mut Value, finding: &Finding, meant: &str, catalog: &Catalog) -> bool {
    let Some(Value::String(text)) = place(workflow, &finding.path) else { return false };
    let whole = text.split('@').next().unwrap_or_default().to_owned();
    let packaged = whole.starts_with('@') || whole.starts_with("n8n-nodes-") || whole.starts_with("nodes-");
    let (name, rest) = if packaged {
        whole.rsplit_once('.').map_or((whole.as_str(), ""), |(_, name)| (name, ""))
    } else {
        whole.split_once('.').unwrap_or((&whole, ""))
    };
    let close = |entry: &&crate::catalog::NodeEntry| is_slip(name, entry.name.rsplit_once('.').map_or(&entry.name, |(_, short)| short));
    let single = catalog.index().nodes.iter().filter(close).take(2).count() == 1;
    if !is_slip(name, meant.rsplit_once('.').map_or(meant, |(_, short)| short)) || !single {
        return false;
    }
    *text = if rest.is_empty() { meant.to_owned() } else { format!("{meant}.{rest}") };
    true
}

/// Corrects a word of a `use`: `slack.message.pst`.
fn in_operation(workflow: &mut Value, finding: &Finding, meant: &str) -> bool {
    let Some(Value::String(text)) = place(workflow, &finding.path) else { return false };
    let Some((before, last)) = text.rsplit_once('.').map(|(before, last)| (before.to_owned(), last.to_owned())) else { return false };
    if meant.contains('.') || !is_slip(&last, meant) {
        return false;
    }
    *text = format!("{before}.{meant}");
    true
}

fn value(workflow: &mut Value, finding: &Finding, meant: &str) -> bool {
    match place(workflow, &finding.path) {
        Some(Value::String(text)) if is_slip(text, meant) => {
            *text = meant.to_owned();
            true
        }
        _ => false,
    }
}

/// Renames a key, unless there is one of that name.
fn key(workflow: &mut Value, finding: &Finding, meant: &str) -> bool {
    let Some((outer, last)) = finding.path.rsplit_once('.') else { return false };
    let last = last.to_owned();
    if !is_slip(&last, meant) {
        return false;
    }
    let Some(Value::Object(map)) = place(workflow, outer) else { return false };
    if map.contains_key(meant) {
        return false;
    }
    let Some(value) = map.remove(&last) else { return false };
    map.insert(meant.to_owned(), value);
    true
}

/// Corrects a reference: one without braces, or to a field of a webhook's body.
fn reference(workflow: &mut Value, finding: &Finding, meant: &str) -> bool {
    let inner = meant.trim_start_matches('{').trim_end_matches('}');
    let Some(Value::String(text)) = place(workflow, &finding.path) else { return false };
    if text.as_str() == inner {
        *text = meant.to_owned();
        return true;
    }
    // `n1.body.kind` in the place of `n1.kind`.
    let Some((id, field)) = inner.split_once(".body.") else { return false };
    let wrong = format!("{id}.{field}");
    let Some(at) = text.find(&wrong) else { return false };
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '$';
    if text[..at].ends_with(part) || text[at + wrong.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return false;
    }
    text.replace_range(at..at + wrong.len(), inner);
    true
}

/// Puts the id of a node in the place of its name.
fn in_edge(workflow: &mut Value, finding: &Finding, meant: &str) -> bool {
    let names: Map<String, Value> = workflow
        .get("nodes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|node| Some((node.get("id")?.as_str()?.to_owned(), node.get("as")?.clone())))
        .collect();
    let Some(Value::String(name)) = names.get(meant).cloned() else { return false };
    let Some(Value::String(text)) = place(workflow, &finding.path) else { return false };
    let ends: Vec<String> = text.split('>').map(|end| if end.trim() == name { meant.to_owned() } else { end.to_owned() }).collect();
    let joined = ends.join(">");
    let changed = joined != *text;
    *text = joined;
    changed
}

/// Returns the value at a path such as `nodes[2].set.url`.
pub(super) fn place<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let mut at = value;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']')?;
            at = match serde_json::from_str::<Value>(step).ok()? {
                Value::String(key) => at.get_mut(key)?,
                Value::Number(index) => at.get_mut(usize::try_from(index.as_u64()?).ok()?)?,
                _ => return None,
            };
            rest = after;
        } else {
            let inner = rest.strip_prefix('.').unwrap_or(rest);
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            at = at.get_mut(&inner[..end])?;
            rest = &inner[end..];
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strict_output_becomes_plain_and_operators_are_renamed() {
        let mut workflow = json!({"name": null, "nodes": [{"id": "n1", "use": "if", "as": "If", "onError": null, "set": [
            {"key": "options", "value": {"entries": [{"key": "a", "value": [1, {"entries": []}]}]}}],
            "when": [{"as": null, "match": "OR", "of": [{"left": "x", "op": "larger", "right": 1}, {"left": "x", "op": "string.isEmpty", "right": null}]}]}]});
        let done = even(&mut workflow);
        assert_eq!(done.len(), 3, "{done:?}");
        assert_eq!(
            workflow,
            json!({"compact": 1, "nodes": [{"id": "n1", "use": "if", "as": "If", "set": {"options": {"a": [1, {}]}}, "when": [
                {"match": "any", "of": [{"left": "x", "op": "number.gt", "right": 1}, {"left": "x", "op": "string.empty", "right": null}]}]}]})
        );
    }

    #[test]
    fn only_slips_are_corrected() {
        let catalog = Catalog::embedded();
        let finding = |code, path: &str, meant: &str| Finding::error(code, path, "x").suggest(Some(meant));
        let workflow = || json!({"nodes": [{"id": "n1", "use": "slak.message.post", "as": "Tell", "set": {"chanelId": "a", "text": "n1.body.x", "url": "{{n1.kind}}", "kind": "zebra"}}], "edges": ["Tell>n1"]});
        for (code, path, meant, at, wanted) in [
            (Code::NodeTypeUnknown, "nodes[0].use", "slack", "nodes[0].use", json!("slack.message.post")),
            (Code::ParameterUnknown, "nodes[0].set.chanelId", "channelId", "nodes[0].set.channelId", json!("a")),
            (Code::CompactInvalid, "nodes[0].set.text", "{{n1.body.x}}", "nodes[0].set.text", json!("{{n1.body.x}}")),
            (Code::CompactInvalid, "nodes[0].set.url", "{{n1.body.kind}}", "nodes[0].set.url", json!("{{n1.body.kind}}")),
            (Code::ConnectionSourceUnknown, "edges[0]", "n1", "edges[0]", json!("n1>n1")),
        ] {
            let mut workflow = workflow();
            assert_eq!(mend(&mut workflow, &[finding(code, path, meant)], catalog).len(), 1, "{path}");
            assert_eq!(place(&mut workflow, at), Some(&mut wanted.clone()));
        }
        let mut workflow = workflow();
        assert!(mend(&mut workflow, &[finding(Code::ParameterOption, "nodes[0].set.kind", "channel")], catalog).is_empty());
    }
}
