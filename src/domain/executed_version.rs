//! Identification of the version that an execution ran, by the workflow data that n8n saves with it.

use serde_json::{Map, Value};

/// Reports whether an execution may have run this version. n8n fills in the defaults of node parameters before it runs a workflow
/// (2.39.10), so `ran` may contain more than the version, but nothing that contradicts it.
pub fn may_have_run(ran: &[Value], version: &[Value]) -> bool {
    let named = |name: &Value| ran.iter().find(|node| node["name"] == *name);
    ran.len() == version.len() && version.iter().all(|node| named(&node["name"]).is_some_and(|ran| same_node(ran, node)))
}

fn same_node(ran: &Value, node: &Value) -> bool {
    let none = Value::Object(Map::new());
    let parameters = |node: &Value| node.get("parameters").cloned().unwrap_or_else(|| none.clone());
    let fixed = |key| same(&ran[key], &node[key]);
    let disabled = |node: &Value| node["disabled"] == true;
    fixed("type") && fixed("typeVersion") && disabled(ran) == disabled(node) && says(&parameters(ran), &parameters(node))
}

/// Reports whether `more` contains everything that `less` contains.
fn says(more: &Value, less: &Value) -> bool {
    match (more, less) {
        (Value::Object(more), Value::Object(less)) => less.iter().all(|(key, less)| says(more.get(key).unwrap_or(&Value::Null), less)),
        (Value::Array(more), Value::Array(less)) => more.len() == less.len() && more.iter().zip(less).all(|(more, less)| says(more, less)),
        (more, less) => same(more, less),
    }
}

/// Compares values as JavaScript does: `2` equals `2.0`.
fn same(one: &Value, other: &Value) -> bool {
    one == other || one.as_f64().is_some_and(|one| Some(one) == other.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(parameters: Value) -> Vec<Value> {
        vec![json!({ "name": "Set", "type": "n8n-nodes-base.set", "typeVersion": 3, "parameters": parameters })]
    }

    #[test]
    fn defaults_that_n8n_fills_in_are_the_same_version() {
        let ran =
            set(json!({ "mode": "manual", "fields": [{ "name": "a", "value": "1", "kind": "text" }], "options": { "strict": false } }));
        let one = set(json!({ "fields": [{ "name": "a", "value": "1" }], "options": {} }));
        assert!(may_have_run(&ran, &one));
        assert!(may_have_run(&one, &one));
        for other in [
            json!({ "fields": [{ "name": "a", "value": "2" }], "options": {} }),
            json!({ "fields": [], "options": {} }),
            json!({ "fields": [{ "name": "a", "value": "1" }], "options": { "strict": true } }),
            json!({ "fields": [{ "name": "a", "value": "1" }], "raw": "x" }),
        ] {
            assert!(!may_have_run(&ran, &set(other)));
        }
    }

    #[test]
    fn another_node_is_another_version() {
        let one = set(json!({}));
        let changed = |key: &str, value: Value| {
            let mut other = one.clone();
            other[0][key] = value;
            other
        };
        assert!(may_have_run(&changed("typeVersion", json!(3.0)), &one));
        assert!(may_have_run(&changed("position", json!([9, 9])), &one));
        for (key, value) in [("typeVersion", json!(2)), ("name", json!("Other")), ("type", json!("x.y")), ("disabled", json!(true))] {
            assert!(!may_have_run(&changed(key, value), &one), "{key}");
        }
        assert!(!may_have_run(&[one.clone(), one.clone()].concat(), &one));
        assert!(!may_have_run(&[], &one));
    }
}
