//! Names of the properties of every JavaScript object as names of nodes, on the real n8n.

use serde_json::{Map, Value, json};
use weirkeeper::document::finding::{Code, Severity};
use weirkeeper::validator::check::parse_and_check;
use weirkeeper::validator::structure::check_structure;

use crate::harness::n8n::N8n;
use crate::harness::stack::{Stack, rand};

/// `Object.getOwnPropertyNames(Object.prototype)` of Node.js 24, and other possibly special names.
const NAMES: &[&str] = &[
    "constructor",
    "__defineGetter__",
    "__defineSetter__",
    "hasOwnProperty",
    "__lookupGetter__",
    "__lookupSetter__",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toString",
    "valueOf",
    "__proto__",
    "toLocaleString",
    "prototype",
    "then",
    "length",
    "toJSON",
];

/// Returns a workflow with a webhook and two nodes: the webhook or the first node has the name.
fn document(name: &str, path: &str, is_trigger: bool) -> Value {
    let (hook, step) = if is_trigger { (name, "Step") } else { ("Hook", name) };
    let set = |node: &str, key: &str| {
        let assignment = json!({ "id": key, "name": key, "type": "string", "value": "yes" });
        json!({ "name": node, "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0],
            "parameters": { "assignments": { "assignments": [assignment] }, "includeOtherFields": true, "options": {} } })
    };
    let webhook = json!({ "name": hook, "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0], "webhookId": path,
        "parameters": { "path": path, "responseMode": "lastNode", "options": {} } });
    let edge = |to: &str| json!({ "main": [[{ "node": to, "type": "main", "index": 0 }]] });
    let connections = Map::from_iter([(hook.to_owned(), edge(step)), (step.to_owned(), edge("End"))]);
    json!({ "name": "Names", "nodes": [webhook, set(step, "step"), set("End", "end")], "connections": connections, "settings": {} })
}

/// Returns the result in n8n, as the severity that the finding should have.
async fn severity(n8n: &N8n, document: &Value, path: &str) -> Option<Severity> {
    let made = n8n.api("POST", "/workflows", Some(document.clone())).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let read = n8n.api("GET", &format!("/workflows/{id}"), None).await.json();
    let published = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
    let called = if published.status == 200 { n8n.webhook("GET", path).await.json() } else { Value::Null };
    n8n.api("DELETE", &format!("/workflows/{id}"), None).await;
    let kept = read["connections"].as_object().map_or(0, Map::len);
    if called["step"] != "yes" || called["end"] != "yes" {
        return Some(Severity::Error);
    }
    // Content that n8n's API does not return can never be confirmed.
    (kept < 2).then_some(Severity::Error)
}

#[tokio::test]
async fn node_names_that_break_n8n_are_those_that_the_validator_refuses() {
    let stack = Stack::shared();
    let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
    let mut differing = Vec::new();
    for name in NAMES {
        let mut did = None;
        for is_trigger in [false, true] {
            let path = format!("names-{:x}", rand());
            // The more severe of the two.
            did = [did, severity(&n8n, &document(name, &path, is_trigger), &path).await].into_iter().flatten().min();
        }
        let definition = parse_and_check(&document(name, "names", false)).unwrap().definition;
        let findings = check_structure(&definition);
        let reported = findings.iter().find(|finding| finding.code == Code::NodeNameReserved).map(|finding| finding.severity);
        if reported != did {
            differing.push(format!("{name}: n8n {did:?}, reported {reported:?}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
