//! Every parameter of every node type, with values that fit and values that do not.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use weirkeeper::catalog::{Catalog, Kind, NodeVersion, Parameter, Shared};
use weirkeeper::document::definition::{Definition, Node};

use crate::dice::Dice;
use crate::{hold_in_any_order, mutations, worked};

/// Number of times that each description of a node type is filled in.
const ROUNDS: u64 = 6;
/// Time limit for one node type, in a debug build on a slow machine; most take milliseconds.
const LONGEST: Duration = Duration::from_secs(20);

/// Returns a value for a parameter, which fits it or does not.
fn value(parameter: &Parameter, dice: &mut Dice, depth: usize) -> Value {
    if depth == 0 || dice.roll(3) == 0 {
        return mutations::odd(dice);
    }
    let multiple = parameter.bounds.multiple == Some(true);
    match parameter.kind {
        Kind::Options if !parameter.options.values.is_empty() => dice.pick(&parameter.options.values).clone(),
        Kind::MultiOptions if !parameter.options.values.is_empty() => json!([dice.pick(&parameter.options.values), mutations::odd(dice)]),
        Kind::Collection => Value::Object(level(&parameter.fields, dice, depth - 1)),
        Kind::FixedCollection => {
            let mut groups = Map::new();
            for group in &parameter.groups {
                let entry = Value::Object(level(&group.fields, dice, depth - 1));
                let other = Value::Object(level(&group.fields, dice, depth - 1));
                groups.insert(group.name.clone(), if multiple == (dice.roll(5) > 0) { json!([entry, other]) } else { entry });
            }
            Value::Object(groups)
        }
        Kind::ResourceLocator => match parameter.modes.len() {
            0 => mutations::odd(dice),
            _ => json!({ "__rl": true, "mode": dice.pick(&parameter.modes).name, "value": mutations::odd(dice) }),
        },
        Kind::Filter => {
            json!({ "combinator": "and", "conditions": [{ "leftValue": mutations::odd(dice), "rightValue": mutations::odd(dice) }] })
        }
        Kind::AssignmentCollection => json!({ "assignments": [{ "name": "a", "type": "string", "value": mutations::odd(dice) }] }),
        Kind::Boolean => Value::from(dice.roll(2) == 0),
        Kind::Number => json!(dice.roll(10)),
        _ => Value::from("={{ $json.a }}"),
    }
}

fn level(parameters: &[Shared], dice: &mut Dice, depth: usize) -> Map<String, Value> {
    let mut values = Map::new();
    for parameter in parameters.iter() {
        // Parameters of one name overwrite each other, so that each wins sometimes; some are left out.
        if dice.roll(5) > 0 {
            values.insert(parameter.name.clone(), value(parameter, dice, depth));
        }
    }
    values
}

fn nodes(name: &str, variant: &NodeVersion, dice: &mut Dice, out: &mut Vec<Node>) {
    let credential = |dice: &mut Dice| variant.credentials.first().map(|one| (one.name.clone(), mutations::odd(dice)));
    for _ in 0..ROUNDS {
        let node = json!({
            "name": format!("Node {}", out.len()), "type": name, "typeVersion": dice.pick(&variant.versions), "position": [0, 0],
            "parameters": level(&variant.parameters, dice, 4), "disabled": dice.roll(8) == 0,
            "credentials": credential(dice).into_iter().collect::<Map<_, _>>(),
        });
        out.extend(node.as_object().cloned().map(Node));
    }
}

#[test]
fn values_of_every_shape_for_every_parameter_of_every_node_type_are_checked() {
    let catalog = Catalog::embedded();
    let (started, mut validated, mut slowest) = (Instant::now(), 0, (Duration::ZERO, String::new()));
    for (at, entry) in catalog.index().nodes.iter().enumerate() {
        for name in ["", "Tool", "HitlTool"].map(|suffix| format!("{}{suffix}", entry.name)) {
            let Some(kind) = catalog.node(&name) else { continue };
            let mut dice = Dice(at as u64 * 3 + name.len() as u64 + 1);
            let mut all = Vec::new();
            kind.variants.iter().for_each(|variant| nodes(&name, variant, &mut dice, &mut all));
            // Connected in a cycle by every kind of connection, so that ports are checked and n8n's own checks apply.
            let mut connections = Map::new();
            for (place, node) in all.iter().enumerate() {
                let to = all[(place + 1) % all.len()].name();
                let (kind, input) = (*dice.pick(&["main", "ai_tool", "ai_languageModel"]), dice.roll(3));
                connections.insert(node.name().to_owned(), json!({ kind: [[{ "node": to, "type": kind, "index": input }], null] }));
            }
            validated += all.len();
            let before = worked();
            hold_in_any_order(Definition { nodes: all, connections, ..Definition::default() });
            let took = worked() - before;
            assert!(took < LONGEST, "{name} took {took:?}");
            slowest = slowest.max((took, name));
        }
    }
    println!("{validated} nodes in {:?}; the slowest type took {:?}: {}", started.elapsed(), slowest.0, slowest.1);
    assert!(validated > 5_000, "{validated}");
}
