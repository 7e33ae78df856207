//! Issues that n8n finds in a node's parameters before it publishes: missing required values, malformed resource locators, the number of
//! entries in a group. Follows `getNodeParametersIssues` of n8n's workflow package, even where that function looks in an unexpected place,
//! because it decides what n8n refuses.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::display::{Around, matches, shown};
use super::js::{self, Values};
use super::level::Decisions;
use super::model::{Kind, LEFT_OUT, NodeVersion, Parameter};
use super::typed::takes;
use crate::document::finding::MAX_FINDINGS;

/// An issue for which n8n refuses the parameters of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The parameter, as n8n names it: without its path.
    pub parameter: String,
    /// The path at which n8n looks, from the node's parameters.
    pub path: String,
    /// Kind of the issue.
    pub kind: IssueKind,
}

/// Kinds of issues that n8n refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueKind {
    /// The value is required, shows, and is empty.
    Missing,
    /// The value of a resource locator does not match the pattern of its mode.
    Locator {
        /// The mode.
        mode: String,
    },
    /// The value does not have the type that the parameter, or a column of it, declares.
    Type {
        /// The declared type, in n8n's words.
        want: String,
    },
    /// n8n fails on the shape of the value.
    Unreadable,
    /// There are fewer entries.
    TooFew(u32),
    /// There are more entries.
    TooMany(u32),
}

/// Returns every issue that n8n would find in these values. n8n fills in the defaults (see [`filled`](super::fill::filled)) before it
/// publishes, so a required value with a default that is not empty is never missing.
pub fn issues(facts: &NodeVersion, values: &dyn Values, version: f64, node_type: &str) -> Vec<Issue> {
    let around = Around::new(values, version, node_type);
    let mut search = Search { values, around, found: Vec::new(), mistyped: HashSet::new() };
    let mut decisions = Decisions::new(facts.level());
    for (at, parameter, hidden) in facts.level().checked() {
        if hidden || decisions.shows(at, values, around) {
            search.parameter(parameter, "");
        }
    }
    search.found
}

struct Search<'a> {
    values: &'a dyn Values,
    around: Around<'a>,
    found: Vec<Issue>,
    /// Paths of values that do not have their declared type: several parameters may declare the type of one value.
    mistyped: HashSet<String>,
}

impl Search<'_> {
    fn parameter(&mut self, parameter: &Parameter, path: &str) {
        if self.found.len() >= MAX_FINDINGS {
            return;
        }
        let (root, around) = (self.values, self.around);
        let nothing = Map::new();
        let inner = || js::get(root, path).and_then(Value::as_object).unwrap_or(&nothing);
        let level: &dyn Values = if path.is_empty() { root } else { inner() };
        let shows = LazyCell::new(|| shown(&parameter.display, level, around));
        let place = if path.is_empty() { Cow::from(&parameter.name) } else { Cow::from(format!("{path}.{}", parameter.name)) };
        let value = js::get(root, &place);
        let mut tell = |kind: IssueKind| self.found.push(Issue { parameter: parameter.name.clone(), path: place.to_string(), kind });
        if parameter.required && *shows {
            match (parameter.bounds.multiple, value) {
                (None, value) if is_missing(parameter.kind, value) => tell(IssueKind::Missing),
                (Some(_), Some(Value::Array(items))) => {
                    let missing = items.iter().filter(|item| is_missing(parameter.kind, Some(item)));
                    missing.take(MAX_FINDINGS).for_each(|_| tell(IssueKind::Missing));
                }
                _ => {}
            }
        }
        if let (true, Some(mode)) = (parameter.kind.is_locator() && *shows, value.and_then(|value| misfit(parameter, value))) {
            tell(IssueKind::Locator { mode });
        }
        match (parameter.kind, value, &parameter.bounds.validate_type) {
            (Kind::ResourceMapper, Some(Value::Object(mapped)), _) if *shows => self.found.extend(columns(parameter, &place, mapped)),
            (Kind::Filter, Some(Value::Object(filter)), _) if *shows && is_unreadable(filter) => tell(IssueKind::Unreadable),
            (Kind::Filter | Kind::ResourceMapper, _, _) if *shows => {}
            // n8n also checks parameters that are hidden: if another parameter of the same name shows, the value of that one is checked.
            (kind, Some(value), Some(want)) if !kind.is_locator() => {
                let offered: Vec<&Value> = parameter.options.values.iter().collect();
                // An option that the service provides, or a long default that the catalogue leaves out, cannot be wrong.
                let untold = (want == "options" && parameter.options.open) || js::to_string(value).trim_start_matches('=') == LEFT_OUT;
                if !untold && !takes(want, value, &offered) && self.mistyped.insert(place.to_string()) {
                    tell(IssueKind::Type { want: want.clone() });
                }
            }
            _ => {}
        }
        match parameter.kind {
            Kind::Collection => {
                // n8n looks for the fields of a collection beside the collection, not in it.
                let inside = if path.is_empty() { String::new() } else { format!("{path}.") };
                parameter.level().checked().for_each(|(_, field, _)| self.parameter(field, &inside));
            }
            Kind::FixedCollection if *shows => self.groups(parameter, path),
            _ => {}
        }
    }

    fn groups(&mut self, parameter: &Parameter, path: &str) {
        // Within another collection n8n loses the name on the way and finds nothing there.
        let base = if path.is_empty() { format!("{}.", parameter.name) } else { format!("{path}..") };
        for group in &parameter.groups {
            let value = js::get(self.values, &format!("{base}{}", group.name));
            let entries = value.and_then(Value::as_array).map_or(0, Vec::len);
            let few = parameter.bounds.min_fields.filter(|least| entries < *least as usize).map(IssueKind::TooFew);
            let many = parameter.bounds.max_fields.filter(|most| *most > 0 && entries > *most as usize).map(IssueKind::TooMany);
            if let Some(kind) = many.or(few) {
                self.found.push(Issue { parameter: parameter.name.clone(), path: format!("{base}{}", group.name), kind });
            }
            let places: Vec<String> = match (value, parameter.bounds.multiple) {
                (None, _) => Vec::new(),
                (Some(Value::Array(items)), Some(_)) => (0..items.len()).map(|at| format!("{base}{}[{at}]", group.name)).collect(),
                (Some(_), Some(_)) => Vec::new(),
                (Some(_), None) => vec![format!("{base}{}", group.name)],
            };
            for place in places {
                group.level().checked().for_each(|(_, field, _)| self.parameter(field, &place));
            }
        }
    }
}

/// Reports whether n8n fails on a filter: its conditions are not a list.
fn is_unreadable(filter: &Map<String, Value>) -> bool {
    filter.contains_key("combinator") && filter.get("conditions").is_some_and(|list| !list.is_array())
}

/// Returns n8n's issues with the columns of a `resourceMapper`: required columns without a value, and values of another type.
fn columns(parameter: &Parameter, place: &str, mapped: &Map<String, Value>) -> Vec<Issue> {
    let (Some(mode), Some(schema), Some(values)) = (mapped.get("mappingMode"), mapped.get("schema"), mapped.get("value")) else {
        return Vec::new();
    };
    let issue = |name: String, path: String, kind: IssueKind| Issue { parameter: name, path, kind };
    if mode == "autoMapInputData" {
        return Vec::new();
    }
    let Some(schema) = schema.as_array().filter(|columns| !columns.iter().any(Value::is_null)) else {
        return vec![issue(parameter.name.clone(), place.to_owned(), IssueKind::Unreadable)];
    };
    let adds = parameter.bounds.mapper_mode.as_deref() == Some("add");
    let mut found = Vec::new();
    for column in schema {
        let Some(id) = column.get("id").and_then(Value::as_str) else { continue };
        let value = if js::truthy(Some(values)) { values.get(id) } else { Some(&Value::Null) };
        let tell = |kind: IssueKind| issue(format!("{}.{id}", parameter.name), format!("{place}.value.{id}"), kind);
        if adds && js::truthy(column.get("required")) && (values.is_null() || value.is_none()) {
            found.push(tell(IssueKind::Missing));
        }
        let (Some(value), Some(want)) = (value, column.get("type").and_then(Value::as_str)) else { continue };
        let offered: Vec<&Value> =
            column.get("options").and_then(Value::as_array).into_iter().flatten().filter_map(|option| option.get("value")).collect();
        if !takes(want, value, &offered) {
            found.push(tell(IssueKind::Type { want: want.to_owned() }));
        }
    }
    found
}

/// Reports whether a required value is missing, by the kind of the parameter; n8n never treats other kinds as missing.
pub fn is_missing(kind: Kind, value: Option<&Value>) -> bool {
    let empty = matches!(value, None | Some(Value::String(_))) && !js::truthy(value);
    match kind {
        Kind::String | Kind::DateTime | Kind::Options => empty,
        Kind::MultiOptions => value.and_then(Value::as_array).is_some_and(Vec::is_empty),
        kind if kind.is_locator() => match value {
            Some(Value::Object(map)) => !map.get("value").is_some_and(|value| value.is_number() || js::truthy(Some(value))),
            Some(Value::Array(_) | Value::Null) => true,
            other => !js::truthy(other),
        },
        _ => false,
    }
}

/// Returns the mode whose pattern a locator's value does not match.
fn misfit(parameter: &Parameter, value: &Value) -> Option<String> {
    let locator = value.as_object().filter(|map| map.contains_key("value"))?;
    let name = locator.get("mode")?.as_str()?;
    let mode = parameter.modes.iter().find(|mode| mode.name == name)?;
    let text = match locator.get("value") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Object(_)) => "[object Object]".to_owned(),
        // The joined text that JavaScript makes of a list is of no use here.
        Some(Value::Array(_)) => return None,
        Some(Value::Null) | None => String::new(),
    };
    let misfits = |pattern: &String| matches(&format!("^{pattern}$"), &text) == Some(false);
    (!text.starts_with('=') && mode.patterns.iter().any(misfits)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::{Catalog, filled};

    /// Returns the issues of a node with these values, as `parameter @ path`.
    fn found(node_type: &str, version: f64, values: Value) -> Vec<String> {
        let kind = Catalog::embedded().node(node_type).unwrap();
        let facts = kind.version(version).unwrap();
        let full = filled(facts, values.as_object().unwrap(), version, node_type).unwrap();
        issues(facts, &full, version, node_type).into_iter().map(|one| format!("{} @ {}", one.parameter, one.path)).collect()
    }

    #[test]
    fn a_value_of_another_type_than_declared_is_refused_whether_required_or_not() {
        let tool = "@n8n/n8n-nodes-langchain.toolCode";
        let code = |name: &str| json!({"name": name, "description": "d", "jsCode": "return 1"});
        assert_eq!(found(tool, 1.1, code("my tool")), ["name @ name"]);
        assert_eq!(found(tool, 1.1, json!({"description": "d"})), ["name @ name"]);
        assert!(found(tool, 1.1, code("my_tool")).is_empty());
        assert_eq!(found(tool, 1.0, code("my tool")), ["name @ name"], "the declaration is for another version, and n8n asks all the same");
        let set = |raw: &str| found("n8n-nodes-base.set", 3.4, json!({"mode": "raw", "jsonOutput": raw, "options": {}}));
        assert_eq!(set("{ \"a\": {{ $json.b }} }"), ["jsonOutput @ jsonOutput"]);
        assert!(set("={ \"a\": {{ $json.b }} }").is_empty() && set("{a: 1}").is_empty());
        let wait = |amount: Value| found("n8n-nodes-base.wait", 1.1, json!({"amount": amount}));
        assert_eq!(wait(json!("soon")), ["amount @ amount"]);
        assert!(wait(json!("5")).is_empty());
    }

    #[test]
    fn hidden_parameters_and_omitted_defaults_are_no_issue() {
        assert!(found("n8n-nodes-base.set", 3.4, json!({"jsonOutput": "no json", "options": {}})).is_empty(), "the mode is manual");
        let form = json!({"operation": "page", "defineForm": "json"});
        assert!(found("n8n-nodes-base.form", 1.0, form).is_empty());
    }

    #[test]
    fn required_columns_need_a_value_and_every_column_its_type() {
        let insert = |operation: &str, value: Value| {
            let schema = json!([{"id": "id", "type": "number", "required": true}, {"id": "name", "type": "string", "required": true},
                                {"id": "on", "type": "boolean"}, {"id": "kind", "type": "options", "options": [{"value": "a"}]}]);
            let locator = |text: &str| json!({"__rl": true, "mode": "name", "value": text});
            found(
                "n8n-nodes-base.postgres",
                2.5,
                json!({"operation": operation, "schema": locator("public"), "table": locator("t"), "options": {},
                "columns": {"mappingMode": "defineBelow", "matchingColumns": ["id"], "schema": schema, "value": value}}),
            )
        };
        assert_eq!(
            insert("insert", json!({"id": "x", "on": "maybe"})),
            ["columns.id @ columns.value.id", "columns.name @ columns.value.name", "columns.on @ columns.value.on"]
        );
        assert!(insert("insert", json!({"id": 1, "name": "={{ $json.n }}", "on": null, "kind": "a"})).is_empty());
        assert_eq!(insert("insert", json!({"id": 1, "name": "n", "kind": "b"})), ["columns.kind @ columns.value.kind"]);
        assert!(insert("update", json!({"id": 1})).is_empty(), "only an insert wants all that are required");
        assert_eq!(insert("insert", Value::Null), ["columns.id @ columns.value.id", "columns.name @ columns.value.name"]);
    }

    #[test]
    fn an_entry_that_is_no_object_has_nothing_but_defaults() {
        let inputs = |entries: Value| found("n8n-nodes-base.executeWorkflowTrigger", 1.1, json!({"workflowInputs": {"values": entries}}));
        assert_eq!(inputs(json!(["a"])), ["name @ workflowInputs.values[0].name"], "its type is a text by default");
        assert_eq!(inputs(json!("a")), ["name @ workflowInputs.values[0].name"]);
        assert_eq!(inputs(json!([{"name": "a"}])), Vec::<String>::new());
    }

    #[test]
    fn a_filter_whose_conditions_are_no_list_cannot_be_read() {
        let conditions = json!({"combinator": "and", "conditions": {"leftValue": 1}, "options": {}});
        assert_eq!(found("n8n-nodes-base.if", 2.2, json!({"conditions": conditions})), ["conditions @ conditions"]);
    }
}
