//! Conditions of a filter (IF, Filter, Switch): for an operator or a combinator that it does not know, n8n silently evaluates to false for
//! each item.
//!
//! Source: `executeFilterCondition` and `executeFilter` of n8n-workflow's filter-parameter.js.

use serde_json::Value;

use super::node::Known;
use crate::document::finding::{Code, Finding, is_full, quoted};
use crate::document::json_path::{self, JsonPath};
use crate::text::similar;

/// Operators of every type.
const OF_ANY: &[&str] = &["exists", "notExists"];

/// Operators by type.
const OPERATIONS: &[(&str, &[&str])] = &[
    (
        "string",
        &[
            "empty",
            "notEmpty",
            "equals",
            "notEquals",
            "contains",
            "notContains",
            "startsWith",
            "notStartsWith",
            "endsWith",
            "notEndsWith",
            "regex",
            "notRegex",
        ],
    ),
    ("number", &["empty", "notEmpty", "equals", "notEquals", "gt", "lt", "gte", "lte"]),
    ("dateTime", &["empty", "notEmpty", "equals", "notEquals", "after", "before", "afterOrEquals", "beforeOrEquals"]),
    ("boolean", &["empty", "notEmpty", "true", "false", "equals", "notEquals"]),
    (
        "array",
        &[
            "contains",
            "notContains",
            "lengthEquals",
            "lengthNotEquals",
            "lengthGt",
            "lengthLt",
            "lengthGte",
            "lengthLte",
            "empty",
            "notEmpty",
        ],
    ),
    ("object", &["empty", "notEmpty"]),
];

/// Names of the same operators in older versions, other products and other languages, in lower case without a leading `is`.
const OTHER_WORDS: &[(&str, &[&str])] = &[
    ("gt", &["larger", "greater", "greaterthan", "bigger", "more", "morethan", "above", ">"]),
    ("lt", &["smaller", "less", "lessthan", "fewer", "below", "<"]),
    (
        "gte",
        &["largerequal", "greaterequal", "greaterorequal", "greaterthanorequal", "greaterthanorequals", "greaterthanorequalto", "ge", ">="],
    ),
    ("lte", &["smallerequal", "lessequal", "lessorequal", "lessthanorequal", "lessthanorequals", "lessthanorequalto", "le", "<="]),
    ("equals", &["equal", "equalto", "eq", "same", "=", "==", "==="]),
    ("notEquals", &["notequal", "notequalto", "neq", "ne", "not", "different", "!=", "!=="]),
    ("empty", &["blank", "null", "undefined"]),
    ("notEmpty", &["notblank", "notnull", "filled"]),
    ("contains", &["includes", "contain", "has"]),
    ("notContains", &["notincludes", "notcontain", "doesnotcontain", "excludes"]),
    ("startsWith", &["beginswith", "startwith"]),
    ("endsWith", &["endwith"]),
    ("regex", &["match", "matches", "matchesregex", "matchregex", "regexp"]),
    ("notRegex", &["notmatch", "notmatches", "notmatchesregex"]),
    ("after", &["later", "gt", "greater", "greaterthan", "larger"]),
    ("before", &["earlier", "lt", "less", "lessthan", "smaller"]),
    ("exists", &["defined", "present", "set", "isset"]),
    ("notExists", &["doesnotexist", "notdefined", "missing", "absent", "notset"]),
    ("true", &["truthy", "yes"]),
    ("false", &["falsy", "no"]),
];

/// Returns the type and the name of each operator that n8n knows.
pub fn operators() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPERATIONS.iter().flat_map(|(kind, operations)| OF_ANY.iter().chain(*operations).map(move |operation| (*kind, *operation)))
}

pub(super) fn check(known: &Known<'_>, filter: &Value, place: JsonPath<'_>, findings: &mut Vec<Finding>) {
    let combinator = filter.get("combinator").filter(|value| !value.is_null());
    if let Some(own) = combinator.filter(|own| !matches!(own.as_str(), Some("and" | "or")) && !is_expression(own)) {
        let message = "n8n has no such combinator and evaluates the conditions to false for each item";
        let own = own.as_str().unwrap_or_default();
        let meant = [("and", ["and", "all", "every"]), ("or", ["or", "any", "some"])];
        let meant = meant.iter().find(|(_, words)| words.contains(&own.to_lowercase().as_str())).map(|(word, _)| *word);
        let at = json_path::key(&place.written(), "combinator");
        findings.push(known.error(Code::ConditionUnknown, at, message.to_owned()).mismatch(quoted(own), "and, or").suggest(meant));
    }
    for (index, condition) in filter.get("conditions").and_then(Value::as_array).into_iter().flatten().enumerate() {
        if is_full(findings) {
            return;
        }
        let list = JsonPath::Key(&place, "conditions");
        findings.extend(one(known, condition, JsonPath::Index(&list, index)));
    }
}

fn is_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('='))
}

fn one(known: &Known<'_>, condition: &Value, place: JsonPath<'_>) -> Option<Finding> {
    if is_expression(condition) {
        return None;
    }
    let operator = condition.get("operator").filter(|operator| !is_expression(operator));
    let at = json_path::key(&place.written(), "operator");
    let Some(operator) = operator else {
        let computed = condition.get("operator").is_some();
        let message = "the condition has no operator, so the node fails";
        let finding = || known.error(Code::ConditionUnknown, at, message.to_owned());
        return (!computed).then(|| finding().mismatch("nothing", r#"{"type": "...", "operation": "..."}"#));
    };
    let (kind, operation) = (operator.get("type"), operator.get("operation"));
    if kind.is_some_and(is_expression) || operation.is_some_and(is_expression) {
        return None;
    }
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, operation) = (text(kind), text(operation));
    let offered = OPERATIONS.iter().find(|(name, _)| *name == kind).map(|(_, operations)| *operations);
    if OF_ANY.contains(&operation.as_str()) || offered.is_some_and(|operations| operations.contains(&operation.as_str())) {
        return None;
    }
    let Some(offered) = offered else {
        let message = "n8n has no conditions of this type and evaluates this one to false for each item";
        let names: Vec<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
        let meant = similar::nearest(&kind, names.iter().copied());
        let finding = known.error(Code::ConditionUnknown, json_path::key(&at, "type"), message.to_owned());
        return Some(finding.mismatch(quoted(&kind), names.join(", ")).suggest(meant));
    };
    let message = format!("n8n has no such operator for values of type {kind} and evaluates the condition to false for each item");
    let finding = known.error(Code::ConditionUnknown, json_path::key(&at, "operation"), message);
    let all: Vec<&str> = offered.iter().chain(OF_ANY).copied().collect();
    Some(finding.mismatch(quoted(&operation), all.join(", ")).suggest(meant(&operation, &all)))
}

/// Returns the offered operator that the author probably meant.
fn meant<'o>(own: &str, offered: &[&'o str]) -> Option<&'o str> {
    let lower = own.to_lowercase().replace(['_', '-', ' '], "");
    let bare = lower.strip_prefix("is").unwrap_or(&lower);
    let is = |name: &str| name.to_lowercase() == bare;
    let other = |name: &str| OTHER_WORDS.iter().any(|(word, others)| *word == name && others.contains(&bare));
    let exact = offered.iter().copied().find(|name| is(name));
    exact.or_else(|| offered.iter().copied().find(|name| other(name))).or_else(|| similar::nearest(own, offered.iter().copied()))
}
