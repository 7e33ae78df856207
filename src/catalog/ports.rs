//! Inputs and outputs of a node, including those that depend on its parameters.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::js::{self, Values};
use super::serde_default::is_default;

/// An input or output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Kind: `main`, `ai_tool`, `ai_languageModel`, …
    #[serde(rename = "k")]
    pub kind: String,
    /// True if the node requires a connection here.
    #[serde(rename = "r", default, skip_serializing_if = "is_default")]
    pub required: bool,
    /// Maximum number of connections, if n8n limits it.
    #[serde(rename = "m", default, skip_serializing_if = "is_default")]
    pub most: Option<u32>,
    /// Label, such as `true` or `Chat Model`.
    #[serde(rename = "l", default, skip_serializing_if = "is_default")]
    pub label: String,
    /// Node types that may be connected; empty means any.
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    pub only: Vec<String>,
}

/// The inputs or the outputs of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ports {
    /// Always these ports.
    Fixed(Vec<Port>),
    /// Ports of the first case that holds.
    Cases(Vec<Case>),
    /// n8n computes the ports in a way that this program does not know.
    Unknown,
}

impl Default for Ports {
    fn default() -> Self {
        Self::Fixed(Vec::new())
    }
}

/// Ports under conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Conditions that must all hold.
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub when: Vec<Test>,
    /// Ports in order.
    #[serde(rename = "p")]
    pub ports: Vec<Entry>,
}

/// One or more ports of a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The port.
    #[serde(rename = "p")]
    pub port: Port,
    /// Conditions for the port to exist; all must hold.
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub when: Vec<Test>,
    /// Number of such ports.
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    pub count: Count,
}

/// Number of ports that an entry stands for. Paths lead into the node's parameters with defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Count {
    /// One.
    #[default]
    One,
    /// The number at the path, or this number if it is absent or zero.
    Number(String, u32),
    /// One for each item of the list at the path; none without a list.
    Items(String),
    /// One for each item of the list at the path; one if it is not a list.
    ItemsOrOne(String),
    /// One for each part between commas of the text at the path, or of this default text.
    Parts(String, String),
    /// The ports that the list of `{type, required, maxConnections}` at the path declares.
    Declared(String),
}

/// A condition on the value at a path, or on `@version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test(
    /// The path.
    pub String,
    /// The condition.
    pub Is,
);

/// A condition on a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Is {
    /// Equals one of these.
    In(Vec<Value>),
    /// Equals none of these.
    NotIn(Vec<Value>),
    /// Equals one of these, or is absent.
    AbsentOrIn(Vec<Value>),
    /// Is truthy in JavaScript.
    Truthy,
    /// Is falsy in JavaScript, or equals one of these.
    FalsyOr(Vec<Value>),
    /// Is an object with one of these keys.
    HasKey(Vec<String>),
    /// Is a number of at least this.
    AtLeast(f64),
}

/// Main inputs that must have data before the node runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RequiredInputs {
    /// n8n's default rule: any input.
    #[default]
    Any,
    /// This number of inputs.
    Number(u32),
    /// All of these inputs, by index, while the tests hold; otherwise a number of inputs.
    These {
        /// Tests that must all hold.
        when: Vec<Test>,
        /// Indexes of inputs.
        inputs: Vec<u32>,
        /// Number of inputs otherwise.
        otherwise: u32,
    },
    /// Computed in a way that this program does not know.
    Unknown,
}

impl Ports {
    /// Returns the ports of a node with these parameters, defaults filled in; `None` if they are only known at run time.
    pub fn of(&self, filled: &dyn Values, version: f64) -> Option<Cow<'_, [Port]>> {
        match self {
            Self::Fixed(ports) => Some(Cow::Borrowed(ports)),
            Self::Unknown => None,
            Self::Cases(cases) => {
                for case in cases {
                    if all(&case.when, filled, version)? {
                        return case.ports(filled, version).map(Cow::Owned);
                    }
                }
                Some(Cow::default())
            }
        }
    }
}

impl Ports {
    /// Returns the maximum number of ports of a kind, whatever the parameters are.
    pub fn most(&self, kind: &str) -> usize {
        match self {
            Self::Fixed(ports) => ports.iter().filter(|port| port.kind == kind).count(),
            Self::Unknown => MOST_PORTS,
            Self::Cases(cases) => cases.iter().map(|case| case.most(kind)).max().unwrap_or_default(),
        }
    }
}

impl Ports {
    /// Returns the parameter values with which there would be a port of a kind, if one or two values are enough.
    pub fn wanted(&self, kind: &str, filled: &dyn Values, version: f64) -> Option<Vec<(&str, Value)>> {
        let Self::Cases(cases) = self else { return None };
        let entries = cases.iter().flat_map(|case| case.ports.iter().map(move |entry| (case, entry)));
        let of_kind = entries.filter(|(_, entry)| entry.port.kind == kind && !matches!(entry.count, Count::Declared(_)));
        let mut ways = of_kind.filter_map(|(case, entry)| {
            let failing =
                case.when.iter().chain(&entry.when).filter(|test| all(std::slice::from_ref(*test), filled, version) == Some(false));
            failing.map(Test::value).collect::<Option<Vec<_>>>()
        });
        ways.find(|way| (1..=2).contains(&way.len()))
    }
}

impl Test {
    /// Returns a value for which the test holds, if it is a value that a user would set.
    fn value(&self) -> Option<(&str, Value)> {
        let value = match &self.1 {
            Is::In(values) | Is::AbsentOrIn(values) => values.iter().find(|value| !value.is_null())?.clone(),
            Is::Truthy => Value::Bool(true),
            _ => return None,
        };
        (!self.0.starts_with('@')).then_some((self.0.as_str(), value))
    }
}

impl Case {
    fn most(&self, kind: &str) -> usize {
        let most = |entry: &Entry| match &entry.count {
            Count::Declared(_) => MOST_PORTS,
            _ if entry.port.kind != kind => 0,
            Count::One => 1,
            _ => MOST_PORTS,
        };
        self.ports.iter().map(most).sum()
    }

    fn ports(&self, filled: &dyn Values, version: f64) -> Option<Vec<Port>> {
        let mut found = Vec::new();
        for entry in &self.ports {
            if !all(&entry.when, filled, version)? {
                continue;
            }
            match &entry.count {
                Count::Declared(path) => found.extend(declared(known(filled, path)?)),
                count => found.extend(std::iter::repeat_n(entry.port.clone(), count.of(filled)?)),
            }
        }
        Some(found)
    }
}

/// Maximum number of ports, more than any editor shows; a larger number is a mistake that must not cost memory.
const MOST_PORTS: usize = 1000;

impl Count {
    fn of(&self, filled: &dyn Values) -> Option<usize> {
        let number = match self {
            Self::One => 1,
            Self::Number(path, otherwise) => match js::number(known(filled, path)?) {
                Some(number) if number >= 1.0 => number as usize,
                _ => *otherwise as usize,
            },
            Self::Items(path) => known(filled, path)?.and_then(Value::as_array).map_or(0, Vec::len),
            Self::ItemsOrOne(path) => known(filled, path)?.and_then(Value::as_array).map_or(1, Vec::len),
            Self::Parts(path, otherwise) => known(filled, path)?.and_then(Value::as_str).unwrap_or(otherwise).split(',').count(),
            Self::Declared(_) => 0,
        };
        Some(number.min(MOST_PORTS))
    }
}

/// Returns the value at a path; `None` if it is an expression or lies in one.
#[allow(clippy::option_option)] // Unknown, absent and present are three cases.
fn known<'a>(filled: &'a dyn Values, path: &str) -> Option<Option<&'a Value>> {
    for (at, _) in path.match_indices('.') {
        if js::get(filled, &path[..at]).is_some_and(js::is_expression) {
            return None;
        }
    }
    let value = js::get(filled, path);
    if value.is_some_and(js::is_expression) { None } else { Some(value) }
}

fn all(tests: &[Test], filled: &dyn Values, version: f64) -> Option<bool> {
    for Test(path, is) in tests {
        let at_version = Value::from(version);
        let value = if path == "@version" { Some(&at_version) } else { known(filled, path)? };
        let among = |values: &[Value]| value.is_some_and(|value| values.iter().any(|one| js::strict_equal(one, value)));
        let holds = match is {
            Is::In(values) => among(values),
            Is::NotIn(values) => !among(values),
            Is::AbsentOrIn(values) => value.is_none() || among(values),
            Is::Truthy => js::truthy(value),
            Is::FalsyOr(values) => !js::truthy(value) || among(values),
            Is::HasKey(keys) => value.and_then(Value::as_object).is_some_and(|map| keys.iter().any(|key| map.contains_key(key))),
            Is::AtLeast(bound) => js::number(value).is_some_and(|number| number >= *bound),
        };
        if !holds {
            return Some(false);
        }
    }
    Some(true)
}

fn declared(list: Option<&Value>) -> Vec<Port> {
    let items = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // A kind that is longer than any of n8n's cannot be one of them.
    let kind = |item: &Value| item["type"].as_str().filter(|kind| kind.len() < 80).unwrap_or_default().to_owned();
    items
        .iter()
        .take(MOST_PORTS)
        .map(|item| Port {
            kind: kind(item),
            required: item["required"].as_bool().unwrap_or_default(),
            most: item["maxConnections"].as_u64().and_then(|most| u32::try_from(most).ok()),
            ..Port::default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ports(entry: Entry, values: Value) -> Option<usize> {
        let ports = Ports::Cases(vec![Case { when: Vec::new(), ports: vec![entry] }]);
        ports.of(values.as_object().unwrap(), 1.0).map(|ports| ports.len())
    }

    #[test]
    fn ports_are_counted_by_numbers_lists_and_texts_and_never_without_bound() {
        let entry = |count: Count| Entry { count, ..Entry::default() };
        let number = || entry(Count::Number("n".into(), 2));
        assert_eq!(ports(number(), json!({"n": 4})), Some(4));
        assert_eq!(ports(number(), json!({"n": "3"})), Some(3));
        assert_eq!(ports(number(), json!({})), Some(2));
        assert_eq!(ports(number(), json!({"n": 1e12})), Some(MOST_PORTS));
        assert_eq!(ports(entry(Count::Items("r.v".into())), json!({"r": {"v": [1, 2]}})), Some(2));
        assert_eq!(ports(entry(Count::ItemsOrOne("m".into())), json!({"m": "GET"})), Some(1));
        assert_eq!(ports(entry(Count::Parts("c".into(), "a,b".into())), json!({})), Some(2));
    }

    #[test]
    fn ports_that_depend_on_an_expression_are_unknown() {
        let entry = || Entry { count: Count::Items("r.v".into()), ..Entry::default() };
        assert_eq!(ports(entry(), json!({"r": "={{ $json.r }}"})), None);
        let tested = Entry { when: vec![Test("mode".into(), Is::In(vec![json!("x")]))], ..Entry::default() };
        assert_eq!(ports(tested.clone(), json!({"mode": "={{ 1 }}"})), None);
        assert_eq!(ports(tested, json!({"mode": "y"})), Some(0));
    }
}
