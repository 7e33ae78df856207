//! Signatures: the parameters of an operation on one line, as a model reads them.
//!
//! `slack.message.post(select*=channel|user, channelId*:locator[select=channel], text*[messageType=text], otherOptions{mrkdwn:bool, …})`:
//! `*` is required, `:kind` other than text, `=` the choices, `[…]` when it shows, `{…}` an object, `{group[]{…}}` a list of entries in a group.

use serde_json::{Map, Value};

use crate::catalog::display::{Match, Rule};
use crate::catalog::{Around, Catalog, Display, Kind, NodeVersion, Parameter, Shared, filled, shown};

/// The choice with which n8n's editor leads from a node to an HTTP Request.
pub(super) const CUSTOM: &str = "__CUSTOM_API_CALL__";

/// Maximum numbers of characters, options and fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    characters: usize,
    options: usize,
    fields: usize,
}

impl Detail {
    /// For operations that are sent with every prompt.
    pub(super) const CORE: Self = Self { characters: 300, options: 8, fields: 5 };
    /// For operations that may be used.
    pub(super) const LIKELY: Self = Self { characters: 520, options: 9, fields: 7 };
    /// For operations that are used.
    pub(super) const EXACT: Self = Self { characters: 1_800, options: 30, fields: 24 };
}

/// Values of a condition that are listed.
const MOST_VALUES: usize = 4;
/// Parameters that code supplies, or that mean nothing to a workflow.
const SUPPLIED: &[&str] = &["resource", "operation", "authentication", "curlImport", "preBuiltAgentsCallout", "credentials"];
/// Types whose `authentication` the author chooses.
const AUTHENTICATES: &[&str] = &["httpRequest", "webhook", "formTrigger", "graphql", "mcpTrigger", "mcpClientTool", "httpRequestTool"];

/// An operation of a node type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OperationSignature {
    /// Full name of the type.
    pub(super) kind: String,
    pub(super) resource: Option<String>,
    pub(super) operation: Option<String>,
}

/// Returns the name by which the compact form finds a type: without its package, if that is enough.
pub(super) fn short<'k>(kind: &'k str, catalog: &Catalog) -> &'k str {
    let short = kind.rsplit_once('.').map_or(kind, |(_, short)| short);
    if catalog.whole_names(short).first().is_some_and(|first| first == kind) { short } else { kind }
}

/// Returns the operations of a type; one without resource and operation if it has none.
pub(super) fn operations(kind: &str, catalog: &Catalog) -> Vec<OperationSignature> {
    let Some(facts) = catalog.node(kind) else { return Vec::new() };
    let Some(newest) = facts.latest() else { return Vec::new() };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let one = |resource: &str, operation: Option<String>| OperationSignature { kind: kind.to_owned(), resource: some(resource), operation };
    let mut found = Vec::new();
    for (resource, operations) in newest.operations() {
        if resource == CUSTOM {
            continue;
        }
        if operations.is_empty() {
            found.push(one(&resource, None));
        }
        let real = operations.into_iter().filter(|operation| operation != CUSTOM);
        found.extend(real.map(|operation| one(&resource, Some(operation))));
    }
    found
}

impl OperationSignature {
    /// Returns the `use` of a node with this operation.
    pub(super) fn text(&self, catalog: &Catalog) -> String {
        let words = [Some(short(&self.kind, catalog)), self.resource.as_deref(), self.operation.as_deref()];
        words.into_iter().flatten().collect::<Vec<_>>().join(".")
    }

    /// Returns the signature; `None` if the catalogue does not have the type.
    pub(super) fn signature(&self, catalog: &Catalog, detail: Detail) -> Option<String> {
        self.signature_with(&Map::new(), catalog, detail)
    }

    /// Returns the signature for a node with some parameters: of several with the same name it has the one that shows beside them.
    pub(super) fn signature_with(&self, set: &Map<String, Value>, catalog: &Catalog, detail: Detail) -> Option<String> {
        let facts = catalog.node(&self.kind)?;
        let newest = facts.latest()?;
        let mut out = format!("{}(", self.text(catalog));
        let base = out.len();
        let parameters: Vec<&Parameter> =
            newest.parameters.iter().map(|shared| &**shared).filter(|own| self.has(own, &facts.name, facts.default_version)).collect();
        let values = self.values(set, newest, facts.default_version);
        let shows = |own: &Parameter| {
            values.as_ref().is_none_or(|values| shown(&own.display, values, Around::new(values, facts.default_version, &self.kind)))
        };
        let mut ranked = parameters.clone();
        ranked.sort_by_key(|own| rank(own, shows(own)));
        let mut named: Vec<&str> = Vec::new();
        for parameter in ranked {
            if named.contains(&parameter.name.as_str()) {
                continue;
            }
            named.push(&parameter.name);
            let written = self.parameter(parameter, &parameters, detail, 0);
            if out.len() - base + written.len() > detail.characters {
                out.push_str(if out.len() == base { "…" } else { ", …" });
                break;
            }
            if out.len() > base {
                out.push_str(", ");
            }
            out.push_str(&written);
        }
        out.push(')');
        Some(out)
    }

    /// Returns the values of a node with this operation and the choices among its parameters.
    fn values(&self, set: &Map<String, Value>, facts: &NodeVersion, version: f64) -> Option<Map<String, Value>> {
        let is_choice = |key: &str| facts.parameters.iter().any(|own| own.name == key && matches!(own.kind, Kind::Options | Kind::Boolean));
        let chosen = set.iter().filter(|(key, value)| is_choice(key) && (value.is_string() || value.is_boolean()));
        let mut given: Map<String, Value> = chosen.map(|(key, value)| (key.clone(), value.clone())).collect();
        let of_use = [("resource", &self.resource), ("operation", &self.operation)];
        given.extend(of_use.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value.clone()?)))));
        filled(facts, &given, version, &self.kind).ok()
    }

    /// Reports whether a parameter belongs to the operation, in the version.
    fn has(&self, own: &Parameter, kind: &str, version: f64) -> bool {
        let name = kind.rsplit_once('.').map_or(kind, |(_, short)| short);
        let chosen = own.name == "authentication" && AUTHENTICATES.contains(&name) || own.name == "operation" && self.operation.is_none();
        if SUPPLIED.contains(&own.name.as_str()) && !chosen {
            return false;
        }
        if matches!(own.kind, Kind::Hidden | Kind::Credentials | Kind::CurlImport | Kind::Icon) {
            return false;
        }
        let admits = |key: &str, value: &Option<String>| value.as_ref().is_none_or(|value| own.display.admits(key, value));
        admits("resource", &self.resource) && admits("operation", &self.operation) && is_of(&own.display, kind, version)
    }

    /// Returns a parameter; `beside` are those of its level.
    fn parameter(&self, own: &Parameter, beside: &[&Parameter], detail: Detail, level: usize) -> String {
        let mut out = own.name.clone();
        if own.required && empty(&own.default) {
            out.push('*');
        }
        match own.kind {
            Kind::Options | Kind::MultiOptions => out.push_str(&choices(own, detail)),
            Kind::Collection if level < 2 => out.push_str(&braces(self.fields(&own.fields, detail, level + 1))),
            Kind::FixedCollection if level < 2 => {
                let many = if own.bounds.multiple == Some(true) { "[]" } else { "" };
                let group = |group: &crate::catalog::model::Group| {
                    format!("{}{many}{}", group.name, braces(self.fields(&group.fields, detail, level + 1)))
                };
                out.push_str(&braces(own.groups.iter().map(group).collect()));
            }
            kind => out.push_str(suffix(kind)),
        }
        if own.bounds.multiple == Some(true) && !matches!(own.kind, Kind::FixedCollection) {
            out.push_str("[]");
        }
        let when = conditions(own, beside);
        if !when.is_empty() {
            out.push_str(&format!("[{}]", when.join(" & ")));
        }
        out
    }

    fn fields(&self, fields: &[Shared], detail: Detail, level: usize) -> Vec<String> {
        let visible: Vec<&Parameter> = fields.iter().map(|shared| &**shared).filter(|own| own.kind != Kind::Hidden).collect();
        let mut named: Vec<&str> = Vec::new();
        let mut first = visible.clone();
        first.retain(|own| {
            let new = !named.contains(&own.name.as_str());
            named.push(&own.name);
            new
        });
        let mut out: Vec<String> = first.iter().take(detail.fields).map(|own| self.parameter(own, &visible, detail, level)).collect();
        if first.len() > detail.fields {
            out.push("…".to_owned());
        }
        out
    }
}

/// Returns the place of a parameter: what is required and what shows at first come first, objects with options late, since a signature that
/// is too long ends early.
fn rank(own: &Parameter, shows: bool) -> u8 {
    let required = own.required && empty(&own.default);
    match (shows, matches!(own.kind, Kind::Collection | Kind::FixedCollection)) {
        (true, false) => 0,
        (true, true) if required => 0,
        (false, false) if required => 1,
        (true, true) => 2,
        (false, _) => 3,
    }
}

/// Reports whether the conditions on the version hold.
fn is_of(display: &Display, kind: &str, version: f64) -> bool {
    let of = |rules: &[Rule]| rules.iter().filter(|Rule(key, _)| key.starts_with('@')).cloned().collect();
    let own = Display { show: of(&display.show), hide: of(&display.hide) };
    let none = Map::new();
    shown(&own, &none, Around::new(&none, version, kind))
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.get("value").map_or(map.is_empty(), empty),
        _ => false,
    }
}

fn choices(own: &Parameter, detail: Detail) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut all: Vec<String> = own.options.values.iter().map(text).filter(|value| !value.contains(char::is_whitespace)).collect();
    if all.is_empty() {
        return if own.kind == Kind::MultiOptions { ":list".to_owned() } else { String::new() };
    }
    // The default first.
    if let Some(at) = all.iter().position(|value| *value == text(&own.default)) {
        let default = all.remove(at);
        all.insert(0, default);
    }
    let more = all.len() > detail.options;
    all.truncate(detail.options);
    if more || own.options.open {
        all.push("…".to_owned());
    }
    let joined = all.join("|");
    if own.kind == Kind::MultiOptions { format!("=[{joined}]") } else { format!("={joined}") }
}

fn braces(fields: Vec<String>) -> String {
    format!("{{{}}}", fields.join(", "))
}

const fn suffix(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => ":number",
        Kind::Boolean => ":bool",
        Kind::DateTime => ":date",
        Kind::Json => ":json",
        Kind::ResourceLocator | Kind::WorkflowSelector | Kind::AgentSelector => ":locator",
        Kind::ResourceMapper => ":columns",
        Kind::Filter => ":when",
        Kind::AssignmentCollection => ":assignments",
        Kind::Collection | Kind::FixedCollection => ":object",
        _ => "",
    }
}

/// Returns the conditions of a parameter in short. Parameters of one name and with the same choices are listed as
/// one if they depend on one other parameter.
fn conditions(own: &Parameter, beside: &[&Parameter]) -> Vec<String> {
    let of = |own: &Parameter| own.display.show.iter().filter_map(condition).collect::<Vec<_>>();
    let mut rules = of(own);
    rules.truncate(2);
    if let [(key, values)] = &mut rules[..] {
        let is_object = matches!(own.kind, Kind::Collection | Kind::FixedCollection);
        let same = |other: &&&Parameter| {
            !is_object && other.name == own.name && other.kind == own.kind && other.options.values == own.options.values
        };
        for other in beside.iter().filter(same) {
            match &of(other)[..] {
                [] => return Vec::new(),
                [(name, more)] if name == key => values.extend(more.iter().cloned()),
                _ => {}
            }
        }
    }
    let text = |(key, mut values): (String, Vec<String>)| {
        let mut seen: Vec<String> = Vec::new();
        values.retain(|value| {
            !seen.contains(value) && {
                seen.push(value.clone());
                true
            }
        });
        let more = if values.len() > MOST_VALUES { "|…" } else { "" };
        values.truncate(MOST_VALUES);
        format!("{key}={}{more}", values.join("|"))
    };
    rules.into_iter().map(text).collect()
}

/// Returns a condition on another parameter. Conditions on resource, operation and version are known from the `use`.
fn condition(rule: &Rule) -> Option<(String, Vec<String>)> {
    let Rule(key, any) = rule;
    let name = key.trim_start_matches('/');
    if key.starts_with('@') || ["resource", "operation", "authentication"].contains(&name) {
        return None;
    }
    let values: Vec<String> = any
        .iter()
        .filter_map(|one| match one {
            Match::Is(Value::String(text)) => Some(text.clone()),
            Match::Is(Value::Array(_) | Value::Object(_)) | Match::Condition(_) => None,
            Match::Is(other) => Some(other.to_string()),
        })
        .collect();
    (!values.is_empty()).then(|| (name.to_owned(), values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(kind: &str, resource: Option<&str>, operation: Option<&str>) -> String {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let operation = OperationSignature { kind: kind.to_owned(), resource: owned(resource), operation: owned(operation) };
        operation.signature(Catalog::embedded(), Detail::EXACT).unwrap()
    }

    #[test]
    fn a_signature_names_parameters_choices_and_conditions() {
        let slack = signature("n8n-nodes-base.slack", Some("message"), Some("post"));
        for part in ["slack.message.post(", "channelId*:locator", "messageType=text|", "text*[messageType=text|block]"] {
            assert!(slack.contains(part), "{part}: {slack}");
        }
        assert!(!slack.contains("authentication") && !slack.contains("resource"), "{slack}");
        let agent = signature("@n8n/n8n-nodes-langchain.agent", None, None);
        assert!(
            agent.contains("define") && agent.matches("text").count() >= 1 && !agent.contains("text[promptType=guardrails]"),
            "{agent}"
        );
        let schedule = signature("n8n-nodes-base.scheduleTrigger", None, None);
        assert!(schedule.contains("rule{interval[]{field=") && schedule.contains("triggerAtHour"), "{schedule}");
        assert!(signature("n8n-nodes-base.httpRequest", None, None).contains("authentication="));
    }

    #[test]
    fn what_is_required_comes_before_options_which_are_cut_off() {
        let catalog = Catalog::embedded();
        let slack = operations("n8n-nodes-base.slack", catalog);
        let post = slack.iter().find(|own| own.text(catalog) == "slack.message.post").unwrap();
        let text = post.signature(catalog, Detail::LIKELY).unwrap();
        assert!(text.contains("channelId*:locator[select=channel]"), "{text}");
        assert!(slack.iter().all(|own| !own.text(catalog).contains(CUSTOM)));
    }

    #[test]
    fn a_signature_has_the_parameters_that_show_beside_the_given_ones() {
        let catalog = Catalog::embedded();
        let uproc = operations("n8n-nodes-base.uproc", catalog).remove(0);
        let set = serde_json::json!({"group": "image", "tool": "getUrlScreenshot"});
        let text = uproc.signature_with(set.as_object().unwrap(), catalog, Detail::EXACT).unwrap();
        assert!(text.contains("getUrlScreenshot") && text.contains("useragent"), "{text}");
    }

    #[test]
    fn every_type_of_the_catalogue_has_short_signatures() {
        let catalog = Catalog::embedded();
        for entry in &catalog.index().nodes {
            for operation in operations(&entry.name, catalog) {
                let text = operation.signature(catalog, Detail::LIKELY).unwrap();
                assert!(text.len() < 700 && !text.contains('\n'), "{text}");
            }
        }
    }
}
