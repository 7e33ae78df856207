//! Changes that n8n makes to the value of a parameter when it loads a workflow.

use serde_json::{Map, Value, json};

use super::js::is_expression;
use super::model::{Kind, Parameter};

/// Reports quickly whether n8n may change the own value of a parameter when it loads it.
pub(super) fn may_change(parameter: &Parameter, given: &Value) -> bool {
    parameter.kind == Kind::Filter || parameter.no_data_expression && is_expression(given)
}

/// Returns what n8n makes of a value when it loads it, if it changes it. `given` is None if the value is the default.
pub(super) fn changed(parameter: &Parameter, given: Option<&Value>, value: &Value) -> Option<Value> {
    match (parameter.kind, value) {
        (Kind::ResourceLocator, Value::Object(locator)) if given.is_none() && !locator.contains_key("__rl") => {
            let mut locator = locator.clone();
            locator.insert("__rl".to_owned(), Value::Bool(true));
            Some(Value::Object(locator))
        }
        (Kind::Filter, Value::Object(filter)) if given.is_some() => Some(Value::Object(with_filter_defaults(filter))),
        (_, Value::String(text)) if parameter.no_data_expression && text.starts_with('=') && !is_from_ai_only(text) => {
            Some(Value::String(text[1..].to_owned()))
        }
        _ => None,
    }
}

/// Completes a filter without a combinator or options, as language models write them; n8n accepts such filters.
fn with_filter_defaults(filter: &Map<String, Value>) -> Map<String, Value> {
    let mut filter = filter.clone();
    if filter.get("combinator").is_none_or(Value::is_null) {
        filter.insert("combinator".to_owned(), json!("and"));
    }
    let mut options = Map::new();
    for (key, value) in
        [("caseSensitive", json!(true)), ("leftValue", json!("")), ("typeValidation", json!("strict")), ("version", json!(1))]
    {
        options.insert(key.to_owned(), value);
    }
    if let Some(Value::Object(own)) = filter.get("options") {
        options.extend(own.clone());
    }
    filter.insert("options".to_owned(), Value::Object(options));
    filter
}

/// Reports whether the whole expression is a single call of `$fromAI` without another call inside: n8n keeps it as an expression even where
/// expressions are taken as text, since the agent fills it in.
pub(crate) fn is_from_ai_only(expression: &str) -> bool {
    let mut rest = expression.strip_prefix('=').unwrap_or(expression).trim();
    if let Some(inner) = rest.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        rest = inner.trim();
    }
    rest = rest.strip_prefix("/*n8n-auto-generated-fromAI-override*/").unwrap_or(rest).trim();
    let Some((name, arguments)) = rest.split_once('(') else { return false };
    if !name.trim_end().eq_ignore_ascii_case("$fromAI") {
        return false;
    }
    let (mut quote, mut before) = (None, ' ');
    let mut letters = arguments.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some('`'), '$') if letters.peek().is_some_and(|(_, next)| *next == '{') => return false,
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '`') if before.is_ascii_alphanumeric() || before == '_' => return false,
            (None, '"' | '\'' | '`') => quote = Some(letter),
            (None, ')') => return arguments[at + 1..].trim().is_empty(),
            (None, _) if letter.is_ascii_alphanumeric() || letter.is_whitespace() || ".,-".contains(letter) => {}
            (None, _) => return false,
        }
        if quote.is_none() && !letter.is_whitespace() {
            before = letter;
        }
    }
    false
}
