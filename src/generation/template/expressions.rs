//! Inputs that may be expressions: their text takes the place of the placeholder before anything else is put in.

use serde_json::Value;

use crate::generation::compact::{Compact, slot_name};
use crate::generation::outcome::Inputs;

/// Puts the expressions into a workflow in the compact form. The values are removed from `values` where they are expressions.
pub(super) fn into_compact(compact: &mut Compact, expressions: &Inputs) {
    if expressions.is_empty() {
        return;
    }
    for node in &mut compact.nodes {
        node.set.iter_mut().for_each(|(key, value)| put(value, key, expressions));
        for condition in node.when.iter_mut().flat_map(|case| &mut case.of) {
            put(&mut condition.left, "", expressions);
            put(&mut condition.right, "", expressions);
        }
    }
}

fn put(value: &mut Value, key: &str, expressions: &Inputs) {
    match value {
        Value::String(text) if !["jsCode", "pythonCode", "functionCode"].contains(&key) => {
            if let Some(replaced) = replaced(text, expressions) {
                *text = replaced;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put(item, key, expressions)),
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| put(value, key, expressions)),
        _ => {}
    }
}

/// Returns the text with the expressions in it, if it has a placeholder of one.
pub(super) fn replaced(text: &str, expressions: &Inputs) -> Option<String> {
    let of = |name: &str| expressions.get(name).and_then(Value::as_str);
    if let Some(name) = slot_name(text) {
        return of(name).map(str::to_owned);
    }
    let (mut out, mut rest, mut any) = (String::new(), text, false);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((code, behind)) = after.split_once("}}") else { break };
        out.push_str(before);
        match slot_name(code.trim()).and_then(of) {
            Some(expression) => {
                any = true;
                out.push_str(expression.strip_prefix('=').unwrap_or(expression));
            }
            None => {
                out.push_str("{{");
                out.push_str(code);
                out.push_str("}}");
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    any.then(|| if out.starts_with('=') { out } else { format!("={out}") })
}
