//! What a node takes and gives, also where that depends on its parameters.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::js;
use super::serde_default::is_default;

/// One input or output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// `main`, `ai_tool`, `ai_languageModel`, …
    #[serde(rename = "k")]
    pub kind: String,
    /// Whether the node does not work without a connection here.
    #[serde(rename = "r", default, skip_serializing_if = "is_default")]
    pub required: bool,
    /// The most connections, where n8n bounds them.
    #[serde(rename = "m", default, skip_serializing_if = "is_default")]
    pub most: Option<u32>,
    /// What people see on it, such as `true` or `Chat Model`.
    #[serde(rename = "l", default, skip_serializing_if = "is_default")]
    pub label: String,
    /// The only node types that may be connected; empty: any.
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    pub only: Vec<String>,
}

/// The inputs or the outputs of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ports {
    /// Always these.
    Fixed(Vec<Port>),
    /// Those of the first case that holds.
    Cases(Vec<Case>),
    /// n8n computes them in a way that this program does not know.
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
    /// All must hold.
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub when: Vec<Test>,
    /// In order.
    #[serde(rename = "p")]
    pub ports: Vec<Entry>,
}

/// One or more ports of a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What each is.
    #[serde(rename = "p")]
    pub port: Port,
    /// All must hold for it to be there.
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub when: Vec<Test>,
    /// How many there are.
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    pub count: Count,
}

/// How many ports an entry stands for. Paths lead into the node's parameters with defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Count {
    /// One.
    #[default]
    One,
    /// As many as the number there says, or this many when it is absent or zero.
    Number(String, u32),
    /// As many as the list there has items; none without a list.
    Items(String),
    /// As many as the list there has items; one when it is no list.
    ItemsOrOne(String),
    /// As many as the text there, or this text, has parts between commas.
    Parts(String, String),
    /// What the list of `{type, required, maxConnections}` there declares.
    Declared(String),
}

/// A condition on a value at a path, or on `@version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test(
    /// The path.
    pub String,
    /// What must be so.
    pub Is,
);

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Is {
    /// One of these.
    In(Vec<Value>),
    /// None of these.
    NotIn(Vec<Value>),
    /// One of these, or not there at all.
    AbsentOrIn(Vec<Value>),
    /// Taken for true by JavaScript.
    Truthy,
    /// Taken for false by JavaScript, or one of these.
    FalsyOr(Vec<Value>),
    /// An object with one of these keys.
    HasKey(Vec<String>),
    /// This much or more.
    AtLeast(f64),
}

/// Which main inputs must have data before the node runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RequiredInputs {
    /// n8n's rule: any.
    #[default]
    Any,
    /// This many.
    Number(u32),
    /// All of these, by place, while the tests hold; else this many.
    These {
        /// All must hold.
        when: Vec<Test>,
        /// Places of inputs.
        inputs: Vec<u32>,
        /// Otherwise.
        otherwise: u32,
    },
    /// Computed in a way that this program does not know.
    Unknown,
}

impl Ports {
    /// The ports of a node with these parameters, defaults filled in; `None` where only a run can tell.
    pub fn of(&self, filled: &Map<String, Value>, version: f64) -> Option<Vec<Port>> {
        match self {
            Self::Fixed(ports) => Some(ports.clone()),
            Self::Unknown => None,
            Self::Cases(cases) => {
                for case in cases {
                    if all(&case.when, filled, version)? {
                        return case.ports(filled, version);
                    }
                }
                Some(Vec::new())
            }
        }
    }
}

impl Ports {
    /// How many ports of a kind there may be at the most, whatever the parameters are.
    pub fn most(&self, kind: &str) -> usize {
        match self {
            Self::Fixed(ports) => ports.iter().filter(|port| port.kind == kind).count(),
            Self::Unknown => MOST_PORTS,
            Self::Cases(cases) => cases.iter().map(|case| case.most(kind)).max().unwrap_or_default(),
        }
    }
}

impl Ports {
    /// With which values of which parameters there would be a port of a kind, where it takes one or two values and no more.
    pub fn wanted(&self, kind: &str, filled: &Map<String, Value>, version: f64) -> Option<Vec<(&str, Value)>> {
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
    /// A value for which it holds, if it is one that a person would set.
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

    fn ports(&self, filled: &Map<String, Value>, version: f64) -> Option<Vec<Port>> {
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

/// More ports than any editor shows; a larger number is a slip that must not cost memory.
const MOST_PORTS: usize = 1000;

impl Count {
    fn of(&self, filled: &Map<String, Value>) -> Option<usize> {
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

/// The value at a path; `None` when it is, or lies in, an expression.
#[allow(clippy::option_option)] // Unknown, absent and there are three things.
fn known<'a>(filled: &'a Map<String, Value>, path: &str) -> Option<Option<&'a Value>> {
    for (at, _) in path.match_indices('.') {
        if js::get(filled, &path[..at]).is_some_and(js::is_expression) {
            return None;
        }
    }
    let value = js::get(filled, path);
    if value.is_some_and(js::is_expression) { None } else { Some(value) }
}

fn all(tests: &[Test], filled: &Map<String, Value>, version: f64) -> Option<bool> {
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
    // A kind that is longer than any of n8n's is none of them.
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
    fn what_an_expression_decides_is_left_open() {
        let entry = || Entry { count: Count::Items("r.v".into()), ..Entry::default() };
        assert_eq!(ports(entry(), json!({"r": "={{ $json.r }}"})), None);
        let tested = Entry { when: vec![Test("mode".into(), Is::In(vec![json!("x")]))], ..Entry::default() };
        assert_eq!(ports(tested.clone(), json!({"mode": "={{ 1 }}"})), None);
        assert_eq!(ports(tested, json!({"mode": "y"})), Some(0));
    }
}
