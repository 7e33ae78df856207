//! Values of a node with n8n's defaults filled in and hidden parameters left out: the values that n8n works with once it has loaded a
//! workflow. Follows `getNodeParameters` of n8n's workflow package step by step, since parameters of one name shadow each other in the
//! order in which that function visits them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::display::{Around, Rule, shown};
use super::model::{Group, Kind, NodeVersion, Parameter, Shared};
use super::visits::{Misshapen, Order, Visits};

/// Returns the values of a node as n8n loads them.
pub fn filled(facts: &NodeVersion, values: &Map<String, Value>, version: f64, node_type: &str) -> Result<Map<String, Value>, Misshapen> {
    let fill = Fill { version, tool: node_type.ends_with("Tool") };
    fill.level(&facts.parameters, &facts.visits, values, None, Parent::Node)
}

impl Visits {
    fn of(&self, parameters: &[Shared]) -> Result<&Order, Misshapen> {
        (**self.0.get_or_init(|| Box::new(order(parameters)))).as_ref().map_err(Clone::clone)
    }
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

/// Values of one level that are filled in so far.
struct Filling<'a> {
    values: &'a Map<String, Value>,
    root: Option<&'a Map<String, Value>>,
    parent: Parent,
    done: Map<String, Value>,
}

/// Maximum number of letters that become entries. If n8n finds a text in place of a list of entries, it makes an entry of each letter;
/// further letters add nothing.
const MOST_LETTERS: usize = 1000;

impl Fill {
    /// `root` is the object in which paths with `/` start; at the node's own level it is the level itself.
    fn level(
        &self,
        parameters: &[Shared],
        visits: &Visits,
        values: &Map<String, Value>,
        root: Option<&Map<String, Value>>,
        parent: Parent,
    ) -> Result<Map<String, Value>, Misshapen> {
        let order = visits.of(parameters)?;
        let each = || order.visits.iter().map(|at| (&*parameters[*at], order.repeated[*at]));
        // First fill in all simple values, whether they show or not: display conditions are decided against these.
        let mut simple = Filling { values, root, parent, done: Map::new() };
        for (parameter, repeated) in each().filter(|(parameter, _)| is_simple(parameter)) {
            if simple.has(parameter) && (!repeated || self.shows(parameter, &simple.done, &simple)) {
                simple.put(parameter);
            }
        }
        let mut beside = simple.done;
        let root = root.unwrap_or(&beside);
        let mut filling = Filling { values, root: Some(root), parent, done: Map::new() };
        // A parameter with a unique name has the same value as in `beside`, and is moved rather than copied.
        let mut same = Vec::new();
        for (parameter, repeated) in each() {
            if !filling.has(parameter) || !self.shows(parameter, &beside, &filling) {
                continue;
            }
            match parameter.kind {
                Kind::Collection => {
                    let value = self.collection(parameter, values, root)?;
                    filling.done.insert(parameter.name.clone(), value);
                }
                Kind::FixedCollection => {
                    let value = self.groups(parameter, values, root)?;
                    filling.done.insert(parameter.name.clone(), value);
                }
                _ if repeated => filling.put(parameter),
                _ => same.push(parameter.name.as_str()),
            }
        }
        let mut done = filling.done;
        done.extend(same.into_iter().filter_map(|name| beside.remove_entry(name)));
        Ok(done)
    }

    fn shows(&self, parameter: &Parameter, level: &Map<String, Value>, filling: &Filling<'_>) -> bool {
        let around = Around { root: filling.root.unwrap_or(level), version: self.version, tool: self.tool };
        shown(&parameter.display, level, around)
    }

    fn collection(&self, parameter: &Parameter, values: &Map<String, Value>, root: &Map<String, Value>) -> Result<Value, Misshapen> {
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
                Ok(Value::Object(self.level(&parameter.fields, &parameter.visits, values, Some(root), Parent::Collection)?))
            }
            Some(_) => Ok(json!({})),
        }
    }

    fn groups(&self, parameter: &Parameter, values: &Map<String, Value>, root: &Map<String, Value>) -> Result<Value, Misshapen> {
        let misshapen = || Misshapen(parameter.name.clone());
        let held = values.get(&parameter.name);
        let Some(entries) = held.unwrap_or(&parameter.default).as_object() else { return Ok(json!({})) };
        let fill = |group: &Group, entry: Option<&Value>| match entry.and_then(entry_of) {
            Some(values) => self.level(&group.fields, &group.visits, values, Some(root), Parent::Group),
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
                let inner = fill(group, held.ok_or_else(misshapen)?.get(name))?;
                if !inner.is_empty() {
                    found.insert(name.clone(), Value::Object(inner));
                }
            }
        }
        Ok(Value::Object(found))
    }
}

impl Filling<'_> {
    /// Reports whether the parameter has a value here, its own or the default.
    fn has(&self, parameter: &Parameter) -> bool {
        self.values.contains_key(&parameter.name) || self.parent != Parent::Collection
    }

    /// Sets the value of a simple parameter, or its default, replacing an existing value.
    fn put(&mut self, parameter: &Parameter) {
        let held = self.values.get(&parameter.name);
        let value = match (parameter.kind, held) {
            (Kind::Boolean | Kind::Number | Kind::Options, Some(value)) => value.clone(),
            (Kind::ResourceLocator, Some(value)) if parameter.default.is_object() => value.clone(),
            (Kind::ResourceLocator, None) if parameter.default.is_object() => {
                let mut locator = parameter.default.clone();
                if let Some(map) = locator.as_object_mut() {
                    map.entry("__rl").or_insert(Value::Bool(true));
                }
                locator
            }
            (Kind::Filter, Some(Value::Object(filter))) => Value::Object(with_filter_defaults(filter)),
            (_, Some(value)) if !value.is_null() => value.clone(),
            _ if parameter.default.is_null() => return,
            _ => parameter.default.clone(),
        };
        let value = match value {
            Value::String(text) if parameter.no_data_expression && text.starts_with('=') && !is_from_ai_only(&text) => {
                Value::String(text[1..].to_owned())
            }
            other => other,
        };
        self.done.insert(parameter.name.clone(), value);
    }
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

/// Completes a filter without a combinator or options, as language models write them; n8n accepts such filters.
fn with_filter_defaults(filter: &Map<String, Value>) -> Map<String, Value> {
    let mut filter = filter.clone();
    if filter.get("combinator").is_none_or(Value::is_null) {
        filter.insert("combinator".to_owned(), json!("and"));
    }
    let mut options = Map::new();
    for (key, value) in
        [("caseSensitive", json!(true)), ("leftValue", json!("")), ("typeValidation", json!("strict")), ("version", json!(1))]
    {
        options.insert(key.to_owned(), value);
    }
    if let Some(Value::Object(own)) = filter.get("options") {
        options.extend(own.clone());
    }
    filter.insert("options".to_owned(), Value::Object(options));
    filter
}

fn is_simple(parameter: &Parameter) -> bool {
    !matches!(parameter.kind, Kind::Collection | Kind::FixedCollection)
}

/// Returns the order in which n8n visits the parameters of a level. A parameter that depends on another is visited at once and again later,
/// so an index may occur several times.
fn order(parameters: &[Shared]) -> Result<Order, Misshapen> {
    let mut times: HashMap<&str, usize> = HashMap::with_capacity(parameters.len());
    parameters.iter().for_each(|parameter| *times.entry(&parameter.name).or_default() += 1);
    let repeated = parameters.iter().map(|parameter| times[parameter.name.as_str()] > 1).collect();
    let mut needs: HashMap<&str, Vec<&str>> = HashMap::with_capacity(parameters.len());
    for parameter in parameters {
        let own = needs.entry(&parameter.name).or_default();
        for Rule(key, _) in parameter.display.show.iter().chain(&parameter.display.hide) {
            if !key.starts_with('@') && !own.contains(&key.as_str()) {
                own.push(key);
            }
        }
    }
    let mut waiting: VecDeque<usize> = (0..parameters.len()).collect();
    let mut done: HashSet<&str> = HashSet::new();
    let mut visits = Vec::with_capacity(parameters.len());
    let (mut rounds, mut last_progress, mut last_length) = (0_usize, None::<usize>, parameters.len());
    while let Some(at) = waiting.pop_front() {
        rounds += 1;
        let name = parameters[at].name.as_str();
        let own = &needs[name];
        for _ in own.iter().filter(|need| needs.contains_key(*need) && !done.contains(*need)) {
            waiting.push_back(at);
        }
        visits.push(at);
        done.insert(name);
        if own.is_empty() {
            continue;
        }
        if waiting.len() < last_length {
            last_progress = Some(rounds);
        }
        if rounds > last_progress.map_or(parameters.len().saturating_sub(1), |progress| progress + parameters.len()) {
            return Err(Misshapen(name.to_owned()));
        }
        last_length = waiting.len();
    }
    Ok(Order { visits, repeated })
}

/// Reports whether the whole expression is a single call of `$fromAI` without another call inside: n8n keeps it as an expression even where
/// expressions are taken as text, since the agent fills it in.
pub(crate) fn is_from_ai_only(expression: &str) -> bool {
    let mut rest = expression.strip_prefix('=').unwrap_or(expression).trim();
    if let Some(inner) = rest.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        rest = inner.trim();
    }
    rest = rest.strip_prefix("/*n8n-auto-generated-fromAI-override*/").unwrap_or(rest).trim();
    let Some((name, arguments)) = rest.split_once('(') else { return false };
    if !name.trim_end().eq_ignore_ascii_case("$fromAI") {
        return false;
    }
    let (mut quote, mut before) = (None, ' ');
    let mut letters = arguments.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some('`'), '$') if letters.peek().is_some_and(|(_, next)| *next == '{') => return false,
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '`') if before.is_ascii_alphanumeric() || before == '_' => return false,
            (None, '"' | '\'' | '`') => quote = Some(letter),
            (None, ')') => return arguments[at + 1..].trim().is_empty(),
            (None, _) if letter.is_ascii_alphanumeric() || letter.is_whitespace() || ".,-".contains(letter) => {}
            (None, _) => return false,
        }
        if quote.is_none() && !letter.is_whitespace() {
            before = letter;
        }
    }
    false
}
