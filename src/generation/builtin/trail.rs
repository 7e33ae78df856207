//! Parts of a prompt, with the nodes that were made of them.

use serde_json::Value;

use super::choices;
use super::flow::Flow;
use super::reading::Item;
use crate::generation::compact::CompactNode;

const MOODS: &str = "positive negative neutral positiv negativ neutral positif negatif positivo negativo";
const VALID: &str = "valid invalid deliverable undeliverable gultig gultige ungultig valide valides validos validas reachable erreichbar down fails failed failing \
     offline unreachable unavailable broken panne ausfallt ausgefallen caido caida available respond responds answer answers antwortet repond responde";
const LANGUAGES: &str = "english german french spanish italian dutch polish portuguese japanese chinese englisch englische deutsch deutsche franzosisch spanisch \
     italienisch anglais francais allemand espagnol ingles espanol aleman frances";

/// A part of the prompt, and the nodes that were made of it.
pub(super) struct Part {
    pub(super) items: Vec<Item>,
    pub(super) nodes: Vec<String>,
    pub(super) kind: PartKind,
}

/// Purpose of a part.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum PartKind {
    Start,
    Condition,
    Step,
}

impl Part {
    /// Returns a part with the nodes from a place on.
    pub(super) fn new(items: &[Item], flow: &Flow<'_>, from: usize, kind: PartKind) -> Self {
        Self { items: items.to_vec(), nodes: flow.nodes[from..].iter().map(|node| node.id.clone()).collect(), kind }
    }

    pub(super) fn starts(&self) -> bool {
        self.kind == PartKind::Start
    }
}

/// The nodes of a workflow, with their texts, and the parts of the prompt.
pub(super) struct Trail<'f> {
    pub(super) flow: &'f Flow<'f>,
    pub(super) parts: &'f [Part],
    pub(super) written: String,
    pub(super) assumed: String,
}

impl<'f> Trail<'f> {
    pub(super) fn of(flow: &'f Flow<'f>, parts: &'f [Part]) -> Self {
        let written = flow.nodes.iter().map(values).collect::<Vec<_>>().join(" \n ");
        Self { flow, parts, written, assumed: flow.assumptions.join(" \n ").to_lowercase() }
    }

    pub(super) fn part(&self, item: &Item) -> Option<&'f Part> {
        self.parts.iter().find(|part| part.items.iter().any(|own| own.at.is_some() && own.at == item.at))
    }

    /// Returns the nodes that were made of a part.
    pub(super) fn nodes(&self, part: &'f Part) -> impl Iterator<Item = &'f CompactNode> {
        self.flow.nodes.iter().filter(|node| part.nodes.contains(&node.id))
    }

    /// Reports whether a condition or a step tests by the word.
    pub(super) fn is_tested(&self, item: &Item) -> bool {
        let any = |kinds: &[&str]| self.flow.nodes.iter().any(|node| kinds.iter().any(|kind| node.kind.starts_with(kind)));
        let tests = self.flow.nodes.iter().any(|node| !node.when.is_empty() || node.on_error.is_some());
        choices::compares(item) && tests
            || item.among(MOODS) && any(&["sentimentAnalysis", "googleCloudNaturalLanguage"])
            || item.among(VALID) && tests
            || item.among("labelled labeled tagged") && tests
            || item.among(LANGUAGES) && any(&["deepL", "googleTranslate", "lingvaNex", "chainLlm", "agent", "@n8n"])
    }
}

/// Returns what a node says: its values, not the names of its parameters.
pub(super) fn values(node: &CompactNode) -> String {
    fn collect(value: &Value, found: &mut String) {
        match value {
            Value::Object(map) => map.values().for_each(|value| collect(value, found)),
            Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            Value::Null | Value::Bool(_) => {}
            Value::String(text) => found.extend([" ", text.as_str()]),
            Value::Number(number) => found.extend([" ", number.to_string().as_str()]),
        }
    }
    let mut found = String::new();
    node.set.values().for_each(|value| collect(value, &mut found));
    if node.kind == "set" {
        let labels = node.set.get("assignments").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        labels.flat_map(|map| map.keys()).for_each(|label| found.extend([" ", label.as_str()]));
    }
    for one in node.when.iter().flat_map(|case| &case.of) {
        collect(&one.left, &mut found);
        collect(&one.right, &mut found);
    }
    found.to_lowercase()
}

/// Reports whether a text has a word, rather than a longer one with it or a channel of that name.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            let inside = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
            !inside(before) && before != Some('#') && !inside(after)
        })
}
