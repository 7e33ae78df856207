//! Evaluation of n8n's `displayOptions`: when a parameter, a credential or an option shows. Follows n8n.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use fancy_regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::js::{self, Values};
use super::serde_default::is_default;

/// n8n gives a regular expression a quarter of a second; here the number of its steps is bounded.
const MOST_STEPS: usize = 100_000;
/// Maximum number of compiled regular expressions in the cache.
const MOST_COMPILED: usize = 500;

/// Display conditions of a parameter, credential or option. Without conditions it always shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Display {
    /// Conditions that must all hold, in this order: an expression in one of them shows the parameter regardless of those that follow.
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    pub show: Vec<Rule>,
    /// Conditions of which any hides it.
    #[serde(rename = "h", default, skip_serializing_if = "is_default")]
    pub hide: Vec<Rule>,
}

/// A condition: the value at a path is one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule(
    /// Name or path of a sibling, `/` and a path from the node's parameters, `@version` or `@tool`.
    pub String,
    /// Accepted values; one match is enough.
    pub Vec<Match>,
);

/// A value that a condition accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Match {
    /// n8n's `_cnd`.
    Condition(Condition),
    /// Exactly this value.
    Is(Value),
}

/// A comparison of n8n's `_cnd`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The comparison and its operand.
    #[serde(rename = "_cnd")]
    pub compare: Compare,
}

/// n8n's comparisons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // The names are n8n's own.
pub enum Compare {
    Eq(Value),
    Not(Value),
    Gte(Value),
    Lte(Value),
    Gt(Value),
    Lt(Value),
    Between { from: Value, to: Value },
    Includes(String),
    StartsWith(String),
    EndsWith(String),
    Regex(String),
    Exists(Value),
}

/// The node that surrounds the values of a level.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The node's parameters, for paths that begin with `/`.
    pub root: &'a dyn Values,
    /// The node's `typeVersion`; 0 if it has none, as in n8n.
    pub version: f64,
    /// True if the node type's name ends with `Tool`.
    pub tool: bool,
}

impl<'a> Around<'a> {
    /// Returns the surroundings in a node of this type and version.
    pub fn new(root: &'a dyn Values, version: f64, node_type: &str) -> Self {
        Self { root, version, tool: node_type.ends_with("Tool") }
    }

    /// Applies `predicate` to the values that a rule refers to: a single value, or those of a list; `None` is undefined.
    fn evaluate<T>(&self, level: &dyn Values, key: &str, predicate: impl FnOnce(&[Option<&Value>]) -> T) -> T {
        let found = match key {
            "@version" => return predicate(&[Some(&Value::from(self.version))]),
            "@tool" => return predicate(&[Some(&Value::from(self.tool))]),
            // No installed node type has features.
            "@feature" => return predicate(&[]),
            _ => match key.strip_prefix('/') {
                Some(path) => js::get(self.root, path),
                None => js::get(level, key),
            },
        };
        let found = match found {
            Some(Value::Object(map)) if js::truthy(map.get("__rl")) => map.get("value"),
            other => other,
        };
        match found {
            Some(Value::Array(items)) => predicate(&items.iter().map(Some).collect::<Vec<_>>()),
            other => predicate(&[other]),
        }
    }
}

/// A clause of a [`Display`].
#[derive(Clone, Debug)]
pub(super) struct Clause<R = Rule> {
    /// The rule.
    pub(super) rule: R,
    /// True if the rule must not hold.
    hides: bool,
}

/// Result of a clause for a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    /// It shows, whatever the clauses that follow say.
    Shown,
    /// It does not show.
    Hidden,
    /// The clauses that follow decide.
    Open,
}

impl<R: Borrow<Rule>> Clause<R> {
    pub(super) fn owned(&self) -> Clause {
        Clause { rule: self.rule.borrow().clone(), hides: self.hides }
    }

    pub(super) fn is(&self, other: &Clause) -> bool {
        self.hides == other.hides && *self.rule.borrow() == other.rule
    }

    pub(super) fn decide(&self, level: &dyn Values, around: Around<'_>) -> Decision {
        let Rule(key, any) = self.rule.borrow();
        around.evaluate(level, key, |values| match self.hides {
            true if !values.is_empty() && holds(any, values) => Decision::Hidden,
            true => Decision::Open,
            false if values.iter().flatten().any(|value| js::is_expression(value)) => Decision::Shown,
            false if holds(any, values) => Decision::Open,
            false => Decision::Hidden,
        })
    }
}

impl Decision {
    /// Reports whether a parameter shows whose clauses say this; those after the first that decides are not asked for.
    pub(super) fn all(mut decisions: impl Iterator<Item = Self>) -> bool {
        !matches!(decisions.find(|one| !matches!(one, Self::Open)), Some(Self::Hidden))
    }
}

/// Reports whether a parameter with these conditions shows beside the values of its level, as n8n decides it.
///
/// n8n evaluates this on values with defaults filled in (see [`filled`](super::fill::filled)), when it loads and runs a workflow and before
/// it publishes one.
pub fn shown(display: &Display, level: &dyn Values, around: Around<'_>) -> bool {
    Decision::all(display.clauses().map(|clause| clause.decide(level, around)))
}

fn holds(any: &[Match], values: &[Option<&Value>]) -> bool {
    any.iter().any(|one| match one {
        Match::Is(wanted) => values.iter().flatten().any(|value| js::strict_equal(value, wanted)),
        Match::Condition(Condition { compare }) if values.is_empty() => matches!(compare, Compare::Not(_)),
        Match::Condition(Condition { compare }) => values.iter().all(|value| compare.holds(*value)),
    })
}

impl Compare {
    fn holds(&self, value: Option<&Value>) -> bool {
        let text = value.and_then(Value::as_str);
        match self {
            Self::Eq(wanted) => value.is_some_and(|value| js::deep_equal(value, wanted)),
            Self::Not(unwanted) => !value.is_some_and(|value| js::deep_equal(value, unwanted)),
            Self::Gte(bound) => js::order(value, Some(bound)).is_some_and(Ordering::is_ge),
            Self::Lte(bound) => js::order(value, Some(bound)).is_some_and(Ordering::is_le),
            Self::Gt(bound) => js::order(value, Some(bound)).is_some_and(Ordering::is_gt),
            Self::Lt(bound) => js::order(value, Some(bound)).is_some_and(Ordering::is_lt),
            Self::Between { from, to } => {
                js::order(value, Some(from)).is_some_and(Ordering::is_ge) && js::order(value, Some(to)).is_some_and(Ordering::is_le)
            }
            Self::Includes(part) => text.is_some_and(|text| text.contains(part)),
            Self::StartsWith(start) => text.is_some_and(|text| text.starts_with(start)),
            Self::EndsWith(end) => text.is_some_and(|text| text.ends_with(end)),
            Self::Regex(pattern) => text.is_some_and(|text| matches(pattern, text).unwrap_or(false)),
            Self::Exists(_) => !matches!(value, None | Some(Value::Null)) && text != Some(""),
        }
    }
}

/// Reports whether a text matches a regular expression of JavaScript; `None` if that cannot be decided.
///
/// The expressions are those of the catalogue, about a hundred; each is compiled once.
pub fn matches(pattern: &str, text: &str) -> Option<bool> {
    static COMPILED: RwLock<BTreeMap<String, Option<Regex>>> = RwLock::new(BTreeMap::new());
    if let Some(regex) = COMPILED.read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return regex.as_ref()?.is_match(text).ok();
    }
    let regex = RegexBuilder::new(pattern).backtrack_limit(MOST_STEPS).build().ok();
    let mut compiled = COMPILED.write().unwrap_or_else(PoisonError::into_inner);
    // Catalogues, and with them the expressions, can be replaced while the program runs.
    if compiled.len() >= MOST_COMPILED {
        compiled.clear();
    }
    compiled.entry(pattern.to_owned()).or_insert(regex).as_ref()?.is_match(text).ok()
}

impl Display {
    /// Returns the clauses in the order in which n8n asks them.
    pub(super) fn clauses(&self) -> impl Iterator<Item = Clause<&Rule>> {
        let clause = |hides: bool| move |rule| Clause { rule, hides };
        self.show.iter().map(clause(false)).chain(self.hide.iter().map(clause(true)))
    }

    /// Reports whether the first-level value `value` of `key` alone would not hide it, for example in a list of resources.
    pub fn admits(&self, key: &str, value: &str) -> bool {
        let value = Value::from(value);
        let value = [Some(&value)];
        self.show.iter().all(|Rule(name, any)| name != key || holds(any, &value))
            && !self.hide.iter().any(|Rule(name, any)| name == key && holds(any, &value))
    }

    /// Reports whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.show.is_empty() && self.hide.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shows(show: Value, hide: Value, values: Value, version: f64) -> bool {
        let rules = |value: Value| serde_json::from_value::<Vec<Rule>>(value).unwrap();
        let display = Display { show: rules(show), hide: rules(hide) };
        let values = values.as_object().unwrap();
        shown(&display, values, Around::new(values, version, "n8n-nodes-base.x"))
    }

    #[test]
    fn values_lists_locators_and_paths_from_the_root_are_compared() {
        assert!(shows(json!([["a", [1, 2]]]), json!([]), json!({"a": 2.0}), 1.0));
        assert!(!shows(json!([["a", ["1"]]]), json!([]), json!({"a": 1}), 1.0));
        assert!(shows(json!([["a", ["x"]]]), json!([]), json!({"a": ["y", "x"]}), 1.0));
        assert!(shows(json!([["a", ["x"]]]), json!([]), json!({"a": {"__rl": true, "mode": "id", "value": "x"}}), 1.0));
        assert!(shows(json!([["/o.p", [true]]]), json!([]), json!({"o": {"p": true}}), 1.0));
        assert!(!shows(json!([["a", [""]]]), json!([]), json!({}), 1.0), "an absent sibling is no value");
        assert!(shows(json!([["@tool", [false]]]), json!([["@version", [2]]]), json!({}), 1.0));
        assert!(!shows(json!([]), json!([["@version", [2]]]), json!({}), 2.0));
    }

    #[test]
    fn an_expression_in_a_condition_overrides_later_conditions_but_not_earlier_ones() {
        assert!(shows(json!([["a", ["x"]], ["b", ["y"]]]), json!([["c", [1]]]), json!({"a": "={{ 1 }}", "c": 1}), 1.0));
        assert!(!shows(json!([["b", ["y"]], ["a", ["x"]]]), json!([]), json!({"a": "={{ 1 }}"}), 1.0));
    }

    #[test]
    fn every_comparison_of_n8n_is_known() {
        let holds = |cnd: Value, value: Value| shows(json!([["a", [{"_cnd": cnd}]]]), json!([]), json!({"a": value}), 1.0);
        assert!(holds(json!({"eq": 1}), json!(1)) && holds(json!({"not": 1}), json!(2)));
        assert!(holds(json!({"gte": 2}), json!(2)) && holds(json!({"lt": 2}), json!(1.9)) && !holds(json!({"gt": 2}), json!(2)));
        assert!(holds(json!({"lte": 2}), json!("2")) && holds(json!({"between": {"from": 1, "to": 2}}), json!(1.5)));
        assert!(holds(json!({"includes": "b"}), json!("abc")) && holds(json!({"startsWith": "a"}), json!("abc")));
        assert!(holds(json!({"endsWith": "c"}), json!("abc")) && !holds(json!({"includes": "1"}), json!(1)));
        assert!(holds(json!({"regex": "^(?!.*opus).*"}), json!("x")) && !holds(json!({"regex": "^(?!.*opus).*"}), json!("opus")));
        assert!(holds(json!({"exists": true}), json!(0)) && !holds(json!({"exists": true}), json!("")));
        assert!(holds(json!({"not": 1}), json!([])) && !holds(json!({"exists": true}), json!([])), "an empty list has no value");
    }
}
