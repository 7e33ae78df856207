//! Texts of parameters: references, expressions, slots, and text that is taken as it is.
//!
//! A text with `{{…}}` is an expression; `'` before a text makes it n8n's value as it is; a whole text `?name` is a slot.

use std::collections::BTreeMap;

use serde_json::Value;

use super::graph::{Graph, WEBHOOK, WEBHOOK_KEYS};
use super::read::is_id;
use super::scan::{apart, arrow_functions, in_name, name_at, rewrite, rewrite_pieces};
use crate::document::finding::{Code, Finding, is_full, quoted};
use crate::text::similar;

/// Texts of one node.
pub(super) struct Texts<'a> {
    pub graph: &'a Graph,
    /// Index of the node.
    pub at: usize,
    /// Values of slots.
    pub inputs: &'a BTreeMap<String, Value>,
    /// Slots, by name and place.
    pub slots: Vec<(String, String)>,
    pub findings: Vec<Finding>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(graph: &'a Graph, at: usize, inputs: &'a BTreeMap<String, Value>) -> Self {
        Self { graph, at, inputs, slots: Vec::new(), findings: Vec::new() }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        if !is_full(&self.findings) {
            self.findings.push(finding);
        }
    }

    /// Returns n8n's value of a text.
    pub(super) fn compile(&mut self, text: &str, path: &str) -> Value {
        if let Some(literal) = text.strip_prefix('\'') {
            return Value::String(literal.to_owned());
        }
        if let Some(name) = slot_name(text) {
            return self.slot(name, path);
        }
        if let Some(constant) = self.constant(text, path) {
            return Value::String(constant);
        }
        if text.starts_with('=') || text.contains("{{") {
            return Value::String(format!("={}", self.expression(text.strip_prefix('=').unwrap_or(text), path)));
        }
        if let Some((id, _)) = text.split_once('.').filter(|(id, rest)| self.graph.by_id(id).is_some() && rest.split('.').all(is_id)) {
            let message = format!("the text is sent as it is, though {id} is a node; put a reference between {{{{ and }}}}");
            self.push(Finding::warning(Code::CompactInvalid, path, message).suggest(Some(format!("{{{{{text}}}}}"))));
        }
        Value::String(text.to_owned())
    }

    fn slot(&mut self, name: &str, path: &str) -> Value {
        self.slots.push((name.to_owned(), path.to_owned()));
        match self.inputs.get(name) {
            // A value of the user never becomes an expression.
            Some(value) if is_evaluated(value) => {
                let message = format!("the value of ?{name} begins with =, which n8n would evaluate");
                self.push(Finding::error(Code::CompactInvalid, path, message));
                Value::Null
            }
            Some(value) => value.clone(),
            None => Value::String(format!("?{name}")),
        }
    }

    fn expression(&mut self, text: &str, path: &str) -> String {
        rewrite_pieces(&apart(text), |code| {
            if let Some(name) = slot_name(code.trim()) {
                return Some(self.slot_in_text(name, path));
            }
            Some(format!("{{{{{}}}}}", self.code(code, path)))
        })
    }

    fn slot_in_text(&mut self, name: &str, path: &str) -> String {
        self.slots.push((name.to_owned(), path.to_owned()));
        match self.inputs.get(name) {
            // As a string of JavaScript it cannot be anything else.
            Some(value) => format!("{{{{ {} }}}}", script_string(&plain(value))),
            None => format!("?{name}"),
        }
    }

    /// Returns the text with the values of its slots, if nothing else in it is to be evaluated.
    fn constant(&mut self, text: &str, path: &str) -> Option<String> {
        if text.starts_with('=') || !text.contains("{{") {
            return None;
        }
        let (inputs, mut names, mut constant) = (self.inputs, Vec::new(), true);
        let filled = rewrite_pieces(text, |code| {
            let given = slot_name(code.trim()).and_then(|name| Some((name, inputs.get(name)?)));
            constant &= given.is_some();
            let (name, value) = given?;
            names.push(name.to_owned());
            Some(plain(value))
        });
        // A value must not make an expression of the text, nor look like one.
        if !constant || names.is_empty() || filled.starts_with('=') || filled.contains("{{") {
            return None;
        }
        self.slots.extend(names.into_iter().map(|name| (name, path.to_owned())));
        Some(filled)
    }

    fn code(&mut self, code: &str, path: &str) -> String {
        let graph = self.graph;
        let first = code.len() - code.trim_start().len();
        let functions = arrow_functions(code);
        let mut wrong = Vec::new();
        let rewritten = rewrite(code, |rest, before| {
            if let Some(inner) = rest.strip_prefix("$(").filter(|_| !in_name(before)) {
                let (id, _) = inner.split_once(')')?;
                let name = &graph.names[graph.by_id(id.trim())?];
                return Some((id.len() + 3, format!("$({})", in_quotes(name))));
            }
            let at = code.len() - rest.len();
            let id = name_at(rest, before).filter(|id| !functions.iter().any(|function| function.binds(id, at)))?;
            let after = rest[id.len()..].trim_start();
            let Some(from) = graph.by_id(id) else {
                let numbered = id.strip_prefix('n').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
                if numbered && after.starts_with('.') && code.len() - rest.len() == first {
                    let message = format!("there is no node with the id {}", quoted(id));
                    let nearest = similar::nearest(id, graph.ids.iter().map(String::as_str));
                    wrong.push(Finding::error(Code::ExpressionNodeUnknown, path, message).suggest(nearest));
                }
                return None;
            };
            // A key of an object, or the parameter of a function.
            if after.starts_with(':') && matches!(before, '{' | ',' | ' ') || after.starts_with("=>") {
                return None;
            }
            let key = after.strip_prefix('.').and_then(|rest| name_at(rest, ' '));
            if let Some(key) = key.filter(|key| graph.kinds[from] == WEBHOOK && !WEBHOOK_KEYS.contains(key)) {
                let message = format!("a Webhook outputs {}; a field of the request is below body", WEBHOOK_KEYS[..4].join(", "));
                wrong.push(Finding::warning(Code::CompactInvalid, path, message).suggest(Some(format!("{{{{{id}.body.{key}}}}}"))));
            }
            Some((id.len(), format!("$({}){}", in_quotes(&graph.names[from]), graph.accessor(from, self.at))))
        });
        wrong.into_iter().for_each(|finding| self.push(finding));
        rewritten
    }
}

/// Returns the compact text of n8n's text in the parameters of a node.
pub(super) fn decompile(graph: &Graph, at: usize, text: &str) -> String {
    let said = match text.strip_prefix('=') {
        Some(body) => {
            let body = rewrite_pieces(body, |code| Some(format!("{{{{{}}}}}", short_code(graph, at, code))));
            let plain = body.contains("{{") && !body.starts_with(['=', '\'']);
            if plain { body } else { format!("={body}") }
        }
        None if text.contains("{{") || text.starts_with('\'') => format!("'{text}"),
        None => text.to_owned(),
    };
    let none = BTreeMap::new();
    if Texts::new(graph, at, &none).compile(&said, "") == text { said } else { format!("'{text}") }
}

fn short_code(graph: &Graph, at: usize, code: &str) -> String {
    rewrite(code, |rest, before| {
        let inner = rest.strip_prefix("$('").filter(|_| !in_name(before) && before != '.')?;
        let (name, length) = quoted_name(inner)?;
        let from = graph.by_name(&name)?;
        let (length, id) = (length + 3, &graph.ids[from]);
        let accessor = graph.accessor(from, at);
        match rest[length..].strip_prefix(accessor) {
            Some(tail) if !tail.starts_with(|c: char| in_name(c) || c == '(') => Some((length + accessor.len(), id.clone())),
            _ => Some((length, format!("$({id})"))),
        }
    })
}

/// Reads a string up to `')`; returns it and the number of bytes.
fn quoted_name(text: &str) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return text[at + 1..].starts_with(')').then_some((name, at + 2)),
            '\\' => name.push(letters.next()?.1),
            _ => name.push(letter),
        }
    }
    None
}

fn in_quotes(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

/// Reports whether n8n would evaluate a value: texts that begin with `=` are expressions, also inside of lists and objects.
pub(in crate::generation) fn is_evaluated(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with('='),
        Value::Array(items) => items.iter().any(is_evaluated),
        Value::Object(map) => map.values().any(is_evaluated),
        _ => false,
    }
}

/// Returns the text that stands for a value within another text: entries of a list are separated by commas.
pub(in crate::generation) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Returns a string of JavaScript that has none of the characters at which n8n divides a text into expressions.
pub(in crate::generation) fn script_string(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let mut out = String::with_capacity(quoted.len());
    for letter in quoted.chars() {
        match letter {
            '{' | '}' | '\u{2028}' | '\u{2029}' => {
                let code = u32::from(letter);
                out.push_str(&format!("\\u{code:04x}"));
            }
            other => out.push(other),
        }
    }
    // n8n refuses each expression that contains this word behind a dot.
    out.replace("constructor", "\\u0063onstructor")
}

/// Returns the name of a slot, if the text is one.
pub(in crate::generation) fn slot_name(text: &str) -> Option<&str> {
    text.strip_prefix('?').filter(|name| is_id(&name.replace('-', "_")))
}
