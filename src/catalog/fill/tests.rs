//! Comparison with n8n's own steps, which fill in every parameter of a level, whether it shows or not.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::catalog::Catalog;
use crate::catalog::level::order;
use crate::catalog::model::Shared;

struct Steps {
    version: f64,
    tool: bool,
}

impl Steps {
    fn level(
        &self,
        parameters: &[Shared],
        values: &Map<String, Value>,
        root: Option<&Map<String, Value>>,
        parent: Parent,
    ) -> Result<Map<String, Value>, Misshapen> {
        let order = order(parameters)?;
        let is_simple = |parameter: &Parameter| !matches!(parameter.kind, Kind::Collection | Kind::FixedCollection);
        let is_repeated = |name: &str| parameters.iter().filter(|parameter| parameter.name == name).count() > 1;
        let has = |parameter: &Parameter| values.contains_key(&parameter.name) || parent != Parent::Collection;
        let mut beside = Map::new();
        for parameter in order.iter().map(|at| &*parameters[*at]).filter(|parameter| is_simple(parameter) && has(parameter)) {
            if !is_repeated(&parameter.name) || self.shows(parameter, &beside, root.unwrap_or(&beside)) {
                beside.extend(single(parameter, values));
            }
        }
        let root = root.unwrap_or(&beside);
        let mut done = Map::new();
        for parameter in order.iter().map(|at| &*parameters[*at]).filter(|parameter| has(parameter)) {
            if !self.shows(parameter, &beside, root) {
                continue;
            }
            match parameter.kind {
                Kind::Collection => drop(done.insert(parameter.name.clone(), self.collection(parameter, values, root)?)),
                Kind::FixedCollection => drop(done.insert(parameter.name.clone(), self.groups(parameter, values, root)?)),
                _ => done.extend(single(parameter, values)),
            }
        }
        Ok(done)
    }

    fn shows(&self, parameter: &Parameter, level: &Map<String, Value>, root: &Map<String, Value>) -> bool {
        shown(&parameter.display, level, Around { root, version: self.version, tool: self.tool })
    }

    fn collection(&self, parameter: &Parameter, values: &Map<String, Value>, root: &Map<String, Value>) -> Result<Value, Misshapen> {
        let given = values.get(&parameter.name);
        Ok(match given {
            _ if parameter.bounds.multiple == Some(true) => {
                let list = || if parameter.default.is_array() { parameter.default.clone() } else { json!([]) };
                given.cloned().unwrap_or_else(list)
            }
            None => parameter.default.clone(),
            Some(Value::Object(values)) => self.level(&parameter.fields, values, Some(root), Parent::Collection)?.into(),
            Some(_) => json!({}),
        })
    }

    fn groups(&self, parameter: &Parameter, values: &Map<String, Value>, root: &Map<String, Value>) -> Result<Value, Misshapen> {
        let given = values.get(&parameter.name);
        let Some(entries) = given.unwrap_or(&parameter.default).as_object() else { return Ok(json!({})) };
        let mut found = Map::new();
        for (name, entry) in entries {
            let Some(group) = parameter.groups.iter().find(|group| group.name == *name) else { continue };
            let fill = |entry: Option<&Value>| match entry.and_then(entry_of) {
                Some(values) => self.level(&group.fields, values, Some(root), Parent::Group),
                None => Ok(Map::new()),
            };
            if parameter.bounds.multiple == Some(true) {
                let Some(items) = entry.as_array() else { return Err(Misshapen(parameter.name.clone())) };
                let items: Result<Vec<Value>, Misshapen> = items.iter().map(|item| Ok(fill(Some(item))?.into())).collect();
                found.insert(name.clone(), items?.into());
            } else {
                let inner = fill(given.ok_or_else(|| Misshapen(parameter.name.clone()))?.get(name))?;
                if !inner.is_empty() {
                    found.insert(name.clone(), inner.into());
                }
            }
        }
        Ok(found.into())
    }
}

/// Returns the value of a simple parameter, its own or the default.
fn single(parameter: &Parameter, values: &Map<String, Value>) -> Option<(String, Value)> {
    let given = values.get(&parameter.name);
    let value = match (parameter.kind, given) {
        (Kind::Boolean | Kind::Number | Kind::Options, Some(given)) => given.clone(),
        (Kind::ResourceLocator, Some(given)) if parameter.default.is_object() => given.clone(),
        (_, Some(given)) if !given.is_null() => given.clone(),
        _ if parameter.default.is_null() => return None,
        _ => parameter.default.clone(),
    };
    let own = given.filter(|given| **given == value);
    Some((parameter.name.clone(), changed(parameter, own, &value).unwrap_or(value)))
}

/// Values of the parameters that an author may write, some of them with expressions, nulls and other kinds.
fn some_values(parameters: &[Shared], depth: usize) -> BoxedStrategy<Map<String, Value>> {
    let entry = |parameter: &Shared| {
        let name = parameter.name.clone();
        let inside = (depth < 2 && !parameter.fields.is_empty()).then(|| some_values(&parameter.fields, depth + 1));
        let groups = (depth < 2).then(|| {
            let multiple = parameter.bounds.multiple == Some(true);
            let entry = move |name: String, fields: BoxedStrategy<Map<String, Value>>| {
                fields.prop_map(move |values| json!({ &name: if multiple { json!([values]) } else { json!(values) } })).boxed()
            };
            parameter.groups.iter().map(|group| entry(group.name.clone(), some_values(&group.fields, depth + 1))).collect::<Vec<_>>()
        });
        let mut any: Vec<BoxedStrategy<Value>> =
            [json!("={{ $json.a }}"), json!("=a"), json!(null), json!(true), json!(1), json!("x"), json!({})]
                .into_iter()
                .chain(parameter.options.values.iter().cloned())
                .chain([json!({"__rl": true, "mode": "id", "value": "x"}), json!({"conditions": []}), parameter.default.clone()])
                .map(|value| Just(value).boxed())
                .collect();
        any.extend(inside.map(|inside| inside.prop_map(Value::from).boxed()));
        any.extend(groups.into_iter().flatten());
        (Just(name), proptest::sample::select(any).prop_flat_map(|one| one))
    };
    let entries: Vec<_> = parameters.iter().map(|parameter| proptest::option::weighted(0.15, entry(parameter))).collect();
    entries.prop_map(|entries| entries.into_iter().flatten().collect::<Map<_, _>>()).boxed()
}

#[test]
fn values_are_filled_in_as_by_n8ns_steps_in_every_node_type() {
    let (catalog, mut runner) = (Catalog::embedded(), TestRunner::deterministic());
    let mut compared = 0;
    for kind in catalog.index().nodes.iter().filter_map(|entry| catalog.node(&entry.name)) {
        let newest = kind.variants.iter().take(2).flat_map(|variant| variant.versions.last().map(|version| (variant, *version)));
        for (variant, version) in newest {
            let steps = Steps { version, tool: kind.name.ends_with("Tool") };
            let strategy = some_values(&variant.parameters, 0);
            for _ in 0..6 {
                let values = strategy.new_tree(&mut runner).unwrap().current();
                let wanted = steps.level(&variant.parameters, &values, None, Parent::Node);
                let ours = filled(variant, &values, version, &kind.name);
                assert_eq!(ours, wanted, "{} {version} {}", kind.name, Value::from(values));
                compared += 1;
            }
        }
    }
    assert!(compared > 3_000, "{compared}");
}
