//! Stand-ins for credentials: n8n publishes nothing without those that its nodes require, whatever is in them.

use serde_json::{Map, Value, json};

use crate::harness::n8n::N8n;

/// Creates a credential of a type with values of no use, by n8n's own description of the type, and returns its id.
pub async fn stand_in(n8n: &N8n, kind: &str, name: &str) -> String {
    let schema = n8n.api("GET", &format!("/credentials/schema/{kind}"), None).await;
    assert_eq!(schema.status, 200, "{kind}: {}", schema.text);
    let data = Value::Object(data(&schema.json()));
    let made = n8n.api("POST", "/credentials", Some(json!({ "name": name, "type": kind, "data": data }))).await;
    assert_eq!(made.status, 200, "{kind}: {} for {data}", made.text);
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// Returns values for what the schema requires, and for what it requires with these values.
fn data(schema: &Value) -> Map<String, Value> {
    let mut data = Map::new();
    let fill = |names: &Value, data: &mut Map<String, Value>| {
        for name in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let value = value(&schema["properties"][name]);
            data.entry(name).or_insert(value);
        }
    };
    fill(&schema["required"], &mut data);
    for _ in 0..3 {
        for rule in schema["allOf"].as_array().into_iter().flatten() {
            let conditions = rule["if"]["properties"].as_object();
            let holds = conditions.into_iter().flatten().all(|(name, wanted)| {
                let offered = wanted["enum"].as_array();
                offered.is_some_and(|offered| offered.contains(data.get(name).unwrap_or(&Value::Null)))
            });
            if holds && conditions.is_some() {
                for then in rule["then"]["allOf"].as_array().into_iter().flatten() {
                    fill(&then["required"], &mut data);
                }
            }
        }
    }
    data
}

fn value(property: &Value) -> Value {
    let first = property["enum"].as_array().and_then(|offered| offered.first().cloned());
    first.unwrap_or_else(|| match property["type"].as_str() {
        Some("number") => json!(9),
        Some("boolean") => json!(false),
        Some("object") => json!({}),
        _ => json!("http://127.0.0.1:9"),
    })
}
