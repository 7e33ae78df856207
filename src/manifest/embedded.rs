//! Definitions that are stored as text in ConfigMaps.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;
use crate::document::parse::{locate_text, place_of_workflow};
use crate::document::positions::{Positions, Span};
use crate::text::similar::nearest;
use crate::validator::schema::NodeCredentials;

use super::definition::validate;
use super::document::{Document, indent, join, seen};
use super::namespace_rules::Basis;
use super::pending::Pending;
use super::report::Placed;
use super::unrendered::Kustomizations;

/// Maximum size of a text in a ConfigMap; the API server itself accepts a little over 1 MiB.
const LARGEST_TEXT: usize = 1_100_000;

/// ConfigMaps of a set of files, by name.
#[derive(Default)]
pub(super) struct Shelf(HashMap<String, Vec<Map>>);

struct Map {
    source: usize,
    namespace: Option<String>,
    texts: BTreeMap<String, Embedded>,
}

struct Embedded {
    text: String,
    /// Position of its key.
    key: Option<Span>,
    /// Line before its first line, and its indentation, if the file contains the text unchanged.
    literal_from: Option<(usize, usize)>,
}

/// Result of validating a definition in a ConfigMap.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) findings: Vec<Placed>,
    pub(super) required: Vec<NodeCredentials>,
    pub(super) definition: Option<Definition>,
}

impl Shelf {
    /// Adds a ConfigMap.
    pub(super) fn put(&mut self, document: &Document<'_>, value: &Value, at: &str) {
        let texts = value["data"].as_object().into_iter().flatten().filter_map(|(key, text)| {
            let at = json_path::key(&json_path::key(at, "data"), key);
            let embedded = Embedded { text: text.as_str()?.to_owned(), key: document.span(&at), literal_from: document.literal_from(&at) };
            Some((key.clone(), embedded))
        });
        let map = Map { source: document.source, namespace: text(value, "namespace"), texts: texts.collect() };
        self.0.entry(text(value, "name").unwrap_or_default()).or_default().push(map);
    }

    /// Returns the ConfigMap of this name in this namespace. If either side names no namespace, a later step of the delivery sets it.
    fn find(&self, name: &str, namespace: Option<&str>) -> Option<&Map> {
        let all = self.0.get(name)?;
        let same = |map: &&Map| map.namespace.as_deref() == namespace;
        all.iter().find(same).or_else(|| all.iter().find(|map| map.namespace.is_none() || namespace.is_none()))
    }

    /// Validates the definition that a Workflow refers to.
    pub(super) fn resolve(&self, pending: &Pending, basis: Basis<'_>, kustomizations: &Kustomizations) -> Resolved {
        let (name, key) = (&pending.from.name, &pending.from.key);
        let at_reference =
            |finding| Resolved { findings: vec![Placed { finding, source: pending.source, span: pending.span }], ..Resolved::default() };
        let field = "spec.definitionFrom.configMapKeyRef";
        let Some(map) = self.find(name, pending.namespace.as_deref()) else {
            let how = kustomizations.generated(name).map_or_else(String::new, |how| format!(": {how}"));
            let message = format!("ConfigMap {} is not among the files, so its definition was not checked{how}", quoted(name));
            return at_reference(Finding::warning(Code::DefinitionNotFound, format!("{field}.name"), message));
        };
        let Some(embedded) = map.texts.get(key) else {
            let message = format!("ConfigMap {} has no key {}", quoted(name), quoted(key));
            let finding = Finding::error(Code::DefinitionNotFound, format!("{field}.key"), message);
            return at_reference(finding.suggest(nearest(key, map.texts.keys().map(String::as_str))));
        };
        let place = |finding, span: Option<Span>| Placed { finding, source: map.source, span: embedded.seen(span) };
        let read = match locate_text(&embedded.text, LARGEST_TEXT) {
            Ok(read) => read,
            Err(unread) => {
                let span = seen(&embedded.text, unread.line, unread.column);
                return Resolved { findings: vec![place(unread.finding, Some(span))], ..Resolved::default() };
            }
        };
        let json = embedded.text.trim_start().starts_with(['{', '[']);
        let positions = if json { Positions::of_json(&embedded.text) } else { Positions::of_yaml(&embedded.text) };
        let base = place_of_workflow(&read.value);
        let validated = validate(&read.value, pending.origin(), basis);
        let warnings = read.warnings.into_iter().map(|finding| (String::new(), finding));
        let findings = warnings.chain(validated.findings.into_iter().map(|finding| (base.clone(), finding)));
        let placed = findings.map(|(base, finding)| {
            let span = positions.find(&join(&base, &finding.path));
            place(finding, span)
        });
        Resolved { findings: placed.collect(), required: validated.required, definition: validated.definition }
    }
}

impl Embedded {
    /// Returns the position in the file of a position in the text: exact for a literal block, otherwise that of its key.
    fn seen(&self, span: Option<Span>) -> Option<Span> {
        match (self.literal_from, span) {
            (Some((lines, columns)), Some(span)) => {
                let own = self.text.lines().find(|line| !line.trim().is_empty()).map_or(0, indent);
                Some(span.moved(lines, columns.saturating_sub(own)))
            }
            _ => self.key,
        }
    }
}

/// Returns a field of an object's metadata.
pub(super) fn text(object: &Value, field: &str) -> Option<String> {
    object["metadata"][field].as_str().map(str::to_owned)
}
