//! The `use` of a node: its type, resource, operation and version in one word.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::catalog::{Catalog, NodeType, NodeVersion};
use crate::document::finding::{Code, Finding, quoted};
use crate::text::similar;

/// Meaning of a `use`.
#[derive(Debug, Clone, Default)]
pub(super) struct Use {
    /// Full name of the node type.
    pub kind: String,
    pub version: f64,
    /// Facts about the type, if the catalogue has it.
    pub facts: Option<Arc<NodeType>>,
    pub resource: Option<String>,
    pub operation: Option<String>,
}

impl Use {
    pub(super) fn facts(&self) -> Option<&NodeVersion> {
        self.facts.as_ref()?.serving(Some(self.version))
    }
}

/// Reads a `use`.
pub(super) fn read(text: &str, catalog: &Catalog, path: &str) -> Result<Use, Box<Finding>> {
    let (whole, version) = match text.rsplit_once('@') {
        Some((whole, version)) if !whole.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()) => {
            let wrong = || Finding::error(Code::CompactInvalid, path, format!("{} is no version", quoted(version)));
            let version = version.parse::<f64>().ok().filter(|version| version.is_finite()).ok_or_else(wrong)?;
            (whole, Some(version))
        }
        _ => (text, None),
    };
    let (kind, rest) = match whole.strip_prefix("type:") {
        Some(kind) => (kind.to_owned(), ""),
        None => split(whole, catalog).ok_or_else(|| unknown(whole, catalog, path))?,
    };
    let facts = catalog.node(&kind);
    if facts.is_none() && catalog.covers(&kind) && !whole.starts_with("type:") {
        return Err(unknown(&kind, catalog, path).into());
    }
    let version = version.unwrap_or_else(|| facts.as_ref().map_or(1.0, |facts| newest(facts)));
    let mut read = Use { kind, version, facts, resource: None, operation: None };
    operate(&mut read, rest, path)?;
    Ok(read)
}

/// Returns the full name of the type, and what follows it.
fn split<'t>(whole: &'t str, catalog: &Catalog) -> Option<(String, &'t str)> {
    if whole.starts_with('@') || whole.starts_with("n8n-nodes-") {
        let (package, rest) = whole.split_once('.')?;
        let (name, rest) = rest.split_once('.').unwrap_or((rest, ""));
        return Some((format!("{package}.{name}"), rest));
    }
    let (short, rest) = whole.split_once('.').unwrap_or((whole, ""));
    Some((catalog.whole_names(short).into_iter().next()?, rest))
}

fn unknown(whole: &str, catalog: &Catalog, path: &str) -> Finding {
    let wanted = whole.split_once('.').map_or(whole, |(short, _)| short);
    let nearest = catalog.nearest(whole).or_else(|| catalog.nearest(&format!("n8n-nodes-base.{wanted}")));
    let meant = nearest.map(|kind| short(&kind, catalog).to_owned());
    Finding::error(Code::NodeTypeUnknown, path, format!("there is no node type {}", quoted(whole))).suggest(meant)
}

/// Returns the version that new nodes get.
fn newest(facts: &NodeType) -> f64 {
    match facts.version(facts.default_version) {
        Some(_) => facts.default_version,
        None => facts.versions().last().copied().unwrap_or(1.0),
    }
}

/// Reads the resource and the operation.
fn operate(read: &mut Use, rest: &str, path: &str) -> Result<(), Box<Finding>> {
    if rest.is_empty() {
        return Ok(());
    }
    let Some(facts) = read.facts() else {
        let message = "the catalogue does not know the operations of this node; write resource and operation into set";
        return Err(Finding::error(Code::ParameterOption, path, message).into());
    };
    let known = facts.operations();
    let has = |name: &str| facts.parameters.iter().find(|parameter| parameter.name == name);
    let open = |name: &str| facts.parameters.iter().any(|parameter| parameter.name == name && parameter.options.open);
    let wrong = |what: &str, word: &str, offered: Vec<&str>, meant: Option<String>| {
        let message = format!("{} has no {what} {}", read.kind, quoted(word));
        let meant = meant.or_else(|| similar::nearest(word, offered.iter().copied()).map(str::to_owned));
        Box::new(Finding::error(Code::ParameterOption, path, message).mismatch(quoted(word), offered.join(", ")).suggest(meant))
    };
    let chosen = has("resource").is_some_and(|parameter| parameter.options.open || !parameter.options.values.is_empty());
    let (resource, operation) = if chosen {
        match rest.split_once('.') {
            Some((resource, operation)) => (Some(resource), Some(operation)),
            None => (Some(rest), None),
        }
    } else {
        (None, Some(rest))
    };
    if let Some(resource) = resource
        && !open("resource")
        && !known.iter().any(|(name, _)| name == resource)
    {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        let whole = known.iter().filter(|(_, operations)| operations.iter().any(|one| one == resource)).map(|(name, _)| name);
        let meant = whole.map(|name| format!("{name}.{resource}")).next();
        return Err(wrong("resource", resource, names, meant));
    }
    if let Some(operation) = operation {
        if has("operation").is_none() {
            let message = format!("{} has no operations; write its parameters into set", read.kind);
            return Err(Finding::error(Code::ParameterOption, path, message).into());
        }
        let of = known.iter().find(|(name, _)| name.as_str() == resource.unwrap_or_default());
        let offered: Vec<&str> = of.into_iter().flat_map(|(_, operations)| operations.iter().map(String::as_str)).collect();
        if !open("operation") && !offered.contains(&operation) {
            return Err(wrong("operation", operation, offered, None));
        }
    }
    let (resource, operation) = (resource.map(str::to_owned), operation.map(str::to_owned));
    (read.resource, read.operation) = (resource, operation);
    Ok(())
}

/// Returns the name without its package, if it is found by that.
fn short<'k>(kind: &'k str, catalog: &Catalog) -> &'k str {
    let short = kind.rsplit_once('.').map_or(kind, |(_, short)| short);
    if catalog.whole_names(short).first().is_some_and(|first| first == kind) { short } else { kind }
}

/// Returns the `use` of a node, and whether it includes the resource and the operation of the values.
pub(super) fn write(kind: &str, version: f64, values: &Map<String, Value>, catalog: &Catalog) -> (String, bool) {
    let name = short(kind, catalog);
    let facts = catalog.node(kind);
    let suffix = match &facts {
        Some(facts) if newest(facts).to_bits() == version.to_bits() => String::new(),
        None if version.to_bits() == 1f64.to_bits() => String::new(),
        _ => format!("@{version}"),
    };
    let text = |key: &str| values.get(key).and_then(Value::as_str);
    let (resource, operation) = (text("resource"), text("operation"));
    let words: Vec<&str> = [resource, operation].into_iter().flatten().collect();
    let is = |read: &Use| read.kind == kind && read.version.to_bits() == version.to_bits();
    if !words.is_empty() {
        let full = format!("{name}.{}{suffix}", words.join("."));
        let same = |read: &Use| is(read) && read.resource.as_deref() == resource && read.operation.as_deref() == operation;
        if read(&full, catalog, "").is_ok_and(|read| same(&read)) {
            return (full, true);
        }
    }
    let bare = format!("{name}{suffix}");
    let bare = if read(&bare, catalog, "").is_ok_and(|read| is(&read)) { bare } else { format!("type:{kind}{suffix}") };
    (bare, false)
}
