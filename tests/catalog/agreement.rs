//! Conditions, defaults, required values and ports of real nodes, as evaluated by the catalogue and by n8n.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use weirkeeper::catalog::{Around, Catalog, LEFT_OUT, NodeVersion, filled, issues, shown};

use crate::installation::{Answer, answers};

/// Calls `compare` for every node that n8n knows, and asserts that it reports no difference.
fn each(least: usize, mut compare: impl FnMut(&Answer, &NodeVersion, &Map<String, Value>, f64, &str) -> Option<String>) {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for answer in answers() {
        let (kind, version) = (answer.node["type"].as_str().unwrap(), answer.node["typeVersion"].as_f64().unwrap_or(1.0));
        let known = Catalog::embedded().node(kind).and_then(|node| node.version(version).cloned());
        let wanted = answer.said["known"] == true;
        if known.is_some() != wanted {
            complaints.push(format!("{}: known to us {}, to n8n {wanted}", answer.place(), known.is_some()));
        }
        let (Some(facts), Some(parameters)) = (known, answer.node["parameters"].as_object()) else { continue };
        seen += 1;
        complaints.extend(compare(answer, &facts, parameters, version, kind).map(|text| format!("{}: {text}", answer.place())));
    }
    println!("{seen} nodes compared, {} disagreements", complaints.len());
    assert!(seen >= least, "only {seen} nodes were compared");
    complaints.truncate(40);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Reports whether two values are the same, except for long defaults that the catalogue leaves out.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::String(ours), Value::String(_)) if ours.trim_start_matches('=') == LEFT_OUT => true,
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().all(|key| same(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => ours == theirs,
    }
}

#[test]
fn values_with_defaults_are_those_that_n8n_loads() {
    each(9000, |answer, facts, parameters, version, kind| {
        let ours = filled(facts, parameters, version, kind);
        let theirs = answer.said["filled"].get("value");
        match (ours, theirs) {
            (Err(_), None) => None,
            (Ok(ours), Some(theirs)) => {
                let ours = Value::Object(ours);
                (!same(&ours, theirs)).then(|| difference(&ours, theirs))
            }
            (ours, theirs) => Some(format!("ours {ours:?}, theirs {theirs:?}")),
        }
    });
}

fn difference(ours: &Value, theirs: &Value) -> String {
    let keys: BTreeSet<&String> = [ours, theirs].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    let unlike = keys.into_iter().filter(|key| !same(&ours[key.as_str()], &theirs[key.as_str()]));
    unlike.map(|key| format!("{key}: ours {}, theirs {}", ours[key], theirs[key])).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_shows_is_what_n8n_shows_with_defaults_and_without() {
    let mut reported = 0;
    each(9000, |answer, facts, parameters, version, kind| {
        let full = filled(facts, parameters, version, kind).unwrap_or_default();
        let pairs = |level: &Map<String, Value>| {
            facts
                .parameters
                .iter()
                .map(|parameter| json!([parameter.name, shown(&parameter.display, level, Around::new(level, version, kind))]))
                .collect::<Vec<Value>>()
        };
        let (ours, raw) = (pairs(&full), pairs(parameters));
        let list = answer.said["shown"].as_array().unwrap();
        reported += list.len();
        let theirs: Vec<Value> = list.iter().map(|one| json!([one[0], one[1]])).collect();
        let theirs_raw: Vec<Value> = list.iter().map(|one| json!([one[0], one[2]])).collect();
        let unlike = |ours: &[Value], theirs: &[Value]| {
            // A tool's own parameters stand after the last text for people, so compare the count of each, not the order.
            let count = |list: &[Value]| {
                let mut found: BTreeMap<String, i32> = BTreeMap::new();
                list.iter().for_each(|one| *found.entry(one.to_string()).or_default() += 1);
                found
            };
            let (ours, theirs) = (count(ours), count(theirs));
            (ours != theirs).then(|| format!("ours {:?}", ours.iter().filter(|(key, n)| theirs.get(*key) != Some(n)).collect::<Vec<_>>()))
        };
        unlike(&ours, &theirs).or_else(|| unlike(&raw, &theirs_raw))
    });
    println!("{reported} parameters, each with defaults and without");
    assert!(reported > 100_000);
}

#[test]
fn what_is_missing_is_what_n8n_finds_missing_with_defaults_and_without() {
    let mut reported = [0, 0];
    each(9000, |answer, facts, parameters, version, kind| {
        let full = filled(facts, parameters, version, kind).unwrap_or_default();
        for (at, (said, values)) in [("issues", parameters), ("issuesFilled", &full)].into_iter().enumerate() {
            let ours: BTreeSet<String> = issues(facts, values, version, kind).into_iter().map(|issue| issue.parameter).collect();
            let Some(theirs) = answer.said[said]["value"].as_array() else {
                return Some(format!("n8n cannot say: {}", answer.said[said]));
            };
            let theirs: BTreeSet<String> = theirs.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
            reported[at] += theirs.len();
            if ours != theirs {
                return Some(format!("{said}: ours {ours:?}, theirs {theirs:?}"));
            }
        }
        None
    });
    println!("{reported:?} missing or malformed parameters without defaults and with");
    assert!(reported.iter().all(|reported| *reported > 500));
}

#[test]
fn credentials_show_where_n8n_shows_them() {
    let mut reported = 0;
    each(9000, |answer, facts, parameters, version, kind| {
        let full = filled(facts, parameters, version, kind).unwrap_or_default();
        let around = Around::new(&full, version, kind);
        let ours: Value = facts.credentials.iter().map(|one| json!([one.name, shown(&one.display, &full, around)])).collect();
        reported += facts.credentials.len();
        (ours != answer.said["credentials"]).then(|| format!("ours {ours}, theirs {}", answer.said["credentials"]))
    });
    println!("{reported} credentials");
    assert!(reported > 1000);
}

#[test]
fn ports_are_those_that_n8n_computes() {
    let (mut computed, mut open) = (0, 0);
    each(9000, |answer, facts, parameters, version, kind| {
        let full = filled(facts, parameters, version, kind).ok()?;
        for (side, ports) in [("inputs", &facts.inputs), ("outputs", &facts.outputs)] {
            let Some(ours) = ports.of(&full, version) else {
                open += 1;
                continue;
            };
            computed += usize::from(!matches!(ports, weirkeeper::catalog::Ports::Fixed(_)));
            let ours: Value = ours.iter().map(|port| json!([port.kind, port.required, port.most])).collect();
            let theirs = &answer.said["ports"]["value"][side];
            if ours != *theirs {
                return Some(format!("{side}: ours {ours}, theirs {theirs}, {}", answer.node["parameters"]));
            }
        }
        None
    });
    println!("{computed} computed, {open} left to a run");
    assert!(computed > 4000);
}
