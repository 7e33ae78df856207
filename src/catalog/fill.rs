//! Values of a node with n8n's defaults filled in and hidden parameters left out: the values that n8n works with once it has loaded a
//! workflow. Follows `getNodeParameters` of n8n's workflow package step by step, since parameters of one name shadow each other in the
//! order in which that function visits them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::changes::{changed, may_change};
use super::display::{Around, shown};
use super::js::Values;
use super::level::{Decisions, Level};
use super::model::{Group, Kind, NodeVersion, Parameter};
use super::plan::{Misshapen, Visit};

/// The values of a level as n8n loads them. Most are the node's own or defaults of the catalogue, which are borrowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filled<'a>(BTreeMap<&'a str, Cow<'a, Value>>);

impl Values for Filled<'_> {
    fn named(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(Cow::as_ref)
    }
}

impl<'a> Filled<'a> {
    /// Returns the values of a node.
    pub fn of(facts: &'a NodeVersion, values: &'a Map<String, Value>, version: f64, node_type: &str) -> Result<Self, Misshapen> {
        let fill = Fill { version, tool: node_type.ends_with("Tool") };
        fill.level(facts.level(), values, None, Parent::Node)
    }

    fn into_map(self) -> Map<String, Value> {
        self.0.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
    }
}

/// Returns the values of a node as n8n loads them, as an object of their own.
pub fn filled(facts: &NodeVersion, values: &Map<String, Value>, version: f64, node_type: &str) -> Result<Map<String, Value>, Misshapen> {
    Ok(Filled::of(facts, values, version, node_type)?.into_map())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parent {
    Node,
    Collection,
    Group,
}

struct Fill {
    version: f64,
    tool: bool,
}

/// The simple values of a level, whether they show or not: display conditions are decided against these. Most parameters are hidden and
/// have their default, so that their values are only looked up when a condition asks for them.
struct Simple<'a> {
    level: Level<'a>,
    values: &'a Map<String, Value>,
    parent: Parent,
    /// Position of the current visit: parameters whose first visit comes later have no value yet.
    now: usize,
    /// Values of parameters that share their name with others: that of the last one that was visited and showed.
    repeated: BTreeMap<&'a str, Cow<'a, Value>>,
    /// The node's own values that n8n changes when it loads them, other than those of repeated parameters.
    changed: OnceCell<BTreeMap<&'a str, Value>>,
}

/// Maximum number of letters that become entries. If n8n finds a text in place of a list of entries, it makes an entry of each letter;
/// further letters add nothing.
const MOST_LETTERS: usize = 1000;

impl Fill {
    /// `root` are the values in which paths with `/` start; at the node's own level it is the level itself.
    fn level<'l>(
        &self,
        level: Level<'l>,
        values: &'l Map<String, Value>,
        root: Option<&dyn Values>,
        parent: Parent,
    ) -> Result<Filled<'l>, Misshapen> {
        let visits = level.visits()?;
        if parent == Parent::Collection && values.is_empty() {
            return Ok(Filled::default());
        }
        let mut decisions = Decisions::new(level);
        let mut simple = Simple { level, values, parent, now: 0, repeated: BTreeMap::new(), changed: OnceCell::new() };
        for run in &visits.runs {
            simple.now = run.visits.start;
            if run.decided && decisions.hides(run, &simple, self.around(root, &simple)) {
                continue;
            }
            for now in run.visits.clone() {
                let visit = &visits.all[now];
                simple.now = now;
                if visit.simple && visit.repeated && simple.has(visit) && self.shows_now(visit, &simple, root, &mut decisions) {
                    simple.put(visit.at);
                }
            }
        }
        simple.now = visits.all.len();
        let root = root.unwrap_or(&simple);
        let around = self.around(Some(root), &simple);
        let mut done = BTreeMap::new();
        for run in &visits.runs {
            if decisions.hides(run, &simple, around) {
                continue;
            }
            for visit in &visits.all[run.visits.clone()] {
                if !simple.has(visit) || !decisions.shows(visit.at, &simple, around) {
                    continue;
                }
                let parameter = &level.parameters()[visit.at];
                let value = match parameter.kind {
                    Kind::Collection => Some(Cow::Owned(self.collection(parameter, values, root)?)),
                    Kind::FixedCollection => Some(Cow::Owned(self.groups(parameter, values, root)?)),
                    _ => loaded(level, visit.at, values),
                };
                if let Some(value) = value {
                    done.insert(parameter.name.as_str(), value);
                }
            }
        }
        Ok(Filled(done))
    }

    fn around<'r>(&self, root: Option<&'r dyn Values>, simple: &'r Simple<'_>) -> Around<'r> {
        Around { root: root.unwrap_or(simple), version: self.version, tool: self.tool }
    }

    /// Reports whether a parameter shows at the time of its visit.
    fn shows_now(&self, visit: &Visit, simple: &Simple<'_>, root: Option<&dyn Values>, decisions: &mut Decisions<'_>) -> bool {
        let around = self.around(root, simple);
        if visit.decided {
            return decisions.shows(visit.at, simple, around);
        }
        shown(&simple.level.parameters()[visit.at].display, simple, around)
    }

    fn collection(&self, parameter: &Parameter, values: &Map<String, Value>, root: &dyn Values) -> Result<Value, Misshapen> {
        let value = values.get(&parameter.name);
        if parameter.bounds.multiple == Some(true) {
            return Ok(match (value, &parameter.default) {
                (Some(value), _) => value.clone(),
                (None, Value::Array(_)) => parameter.default.clone(),
                (None, _) => json!([]),
            });
        }
        match value {
            None => Ok(parameter.default.clone()),
            Some(Value::Object(values)) => {
                Ok(Value::Object(self.level(parameter.level(), values, Some(root), Parent::Collection)?.into_map()))
            }
            Some(_) => Ok(json!({})),
        }
    }

    fn groups(&self, parameter: &Parameter, values: &Map<String, Value>, root: &dyn Values) -> Result<Value, Misshapen> {
        let misshapen = || Misshapen(parameter.name.clone());
        let given = values.get(&parameter.name);
        let Some(entries) = given.unwrap_or(&parameter.default).as_object() else { return Ok(json!({})) };
        let fill = |group: &Group, entry: Option<&Value>| match entry.and_then(entry_of) {
            Some(values) => self.level(group.level(), values, Some(root), Parent::Group).map(Filled::into_map),
            None => Ok(Map::new()),
        };
        let mut found = Map::new();
        for (name, entry) in entries {
            let Some(group) = parameter.groups.iter().find(|group| group.name == *name) else { continue };
            if parameter.bounds.multiple == Some(true) {
                let items = match entry {
                    Value::Array(items) => items,
                    // Each letter becomes an entry.
                    Value::String(text) => &text.chars().take(MOST_LETTERS).map(|letter| Value::from(letter.to_string())).collect(),
                    _ => return Err(misshapen()),
                };
                let items: Result<Vec<Value>, Misshapen> = items.iter().map(|item| Ok(Value::Object(fill(group, Some(item))?))).collect();
                found.insert(name.clone(), Value::Array(items?));
            } else {
                let inner = fill(group, given.ok_or_else(misshapen)?.get(name))?;
                if !inner.is_empty() {
                    found.insert(name.clone(), Value::Object(inner));
                }
            }
        }
        Ok(Value::Object(found))
    }
}

impl<'a> Simple<'a> {
    /// Reports whether the parameter has a value here, its own or the default.
    fn has(&self, visit: &Visit) -> bool {
        self.parent != Parent::Collection || self.values.contains_key(&self.level.parameters()[visit.at].name)
    }

    /// Sets the value of a repeated parameter, or its default, replacing an existing value.
    fn put(&mut self, at: usize) {
        if let Some(value) = loaded(self.level, at, self.values) {
            self.repeated.insert(&self.level.parameters()[at].name, value);
        }
    }

    /// Returns the values of single parameters that n8n changes when it loads them.
    fn changed(&self) -> &BTreeMap<&'a str, Value> {
        self.changed.get_or_init(|| {
            let changed = |(name, given): (&'a String, &'a Value)| {
                let [at] = self.level.name(name)?.at[..] else { return None };
                Some((name.as_str(), changed(&self.level.parameters()[at], Some(given), given)?))
            };
            self.values.iter().filter_map(changed).collect()
        })
    }
}

impl Values for Simple<'_> {
    fn named(&self, name: &str) -> Option<&Value> {
        let known = self.level.name(name)?;
        let [at] = known.at[..] else { return self.repeated.get(name).map(Cow::as_ref) };
        let parameter = &self.level.parameters()[at];
        if known.first.is_none_or(|first| first >= self.now) || matches!(parameter.kind, Kind::Collection | Kind::FixedCollection) {
            return None;
        }
        let given = self.values.get(name);
        if given.is_none() && self.parent == Parent::Collection {
            return None;
        }
        let changed = given.filter(|given| may_change(parameter, given)).and_then(|_| self.changed().get(name));
        changed.or_else(|| kept(self.level, at, given))
    }
}

/// Returns the value of a simple parameter as n8n loads it: its own or the default.
fn loaded<'a>(level: Level<'a>, at: usize, values: &'a Map<String, Value>) -> Option<Cow<'a, Value>> {
    let parameter = &level.parameters()[at];
    let given = values.get(&parameter.name);
    match given.and_then(|given| changed(parameter, Some(given), given)) {
        Some(changed) => Some(Cow::Owned(changed)),
        None => kept(level, at, given).map(Cow::Borrowed),
    }
}

/// Returns the value that n8n keeps as it is, or the default.
fn kept<'a>(level: Level<'a>, at: usize, given: Option<&'a Value>) -> Option<&'a Value> {
    let parameter = &level.parameters()[at];
    given
        .filter(|given| {
            !given.is_null()
                || match parameter.kind {
                    Kind::Boolean | Kind::Number | Kind::Options => true,
                    Kind::ResourceLocator => parameter.default.is_object(),
                    _ => false,
                }
        })
        .or_else(|| level.default_of(at))
}

/// Returns the values of an entry of a group. n8n treats a text, a number or a list as an entry without values, whose parameters all take
/// their defaults; `null` is no entry.
fn entry_of(item: &Value) -> Option<&Map<String, Value>> {
    static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    match item {
        Value::Null => None,
        Value::Object(map) => Some(map),
        _ => Some(&NOTHING),
    }
}

#[cfg(test)]
mod tests;
