//! Workflows that are made rather than found: always the same for the same size.

use serde_json::{Map, Value, json};

/// The text of a workflow of so many nodes, at least two, in one chain with an IF here and there.
pub fn workflow(nodes: usize) -> String {
    let mut all = vec![node(0, "n8n-nodes-base.webhook", 2.0, json!({ "path": "orders", "httpMethod": "POST", "options": {} }))];
    all.extend((1..nodes).map(kind));
    let mut connections = Map::new();
    for pair in all.windows(2) {
        let (from, to) = (pair[0]["name"].as_str().unwrap_or_default(), &pair[1]["name"]);
        connections.insert(from.to_owned(), json!({ "main": [[{ "node": to, "type": "main", "index": 0 }]] }));
    }
    json!({ "name": format!("Made of {nodes}"), "nodes": all, "connections": connections, "settings": { "executionOrder": "v1" } })
        .to_string()
}

fn node(at: usize, kind: &str, version: f64, parameters: Value) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{at:012}"), "name": format!("Step {at}"), "type": kind, "typeVersion": version,
        "position": [220 * at, 0], "parameters": parameters,
    })
}

fn kind(at: usize) -> Value {
    let before = format!("={{{{ $('Step {}').item.json.total + $json.items.map(item => item.price * 1.19).join(', ') }}}}", at - 1);
    match at % 6 {
        0 => node(
            at,
            "n8n-nodes-base.if",
            2.2,
            json!({ "conditions": { "combinator": "and", "options": { "version": 2 }, "conditions": [
                { "leftValue": before, "rightValue": 10, "operator": { "type": "number", "operation": "gt" } }] }, "options": {} }),
        ),
        1 => node(
            at,
            "n8n-nodes-base.set",
            3.4,
            json!({ "assignments": { "assignments": [
                { "id": "a", "name": "total", "type": "string", "value": before },
                { "id": "b", "name": "who", "type": "string", "value": "={{ $json.body.customer.name }}" }] }, "options": {} }),
        ),
        2 => node(
            at,
            "n8n-nodes-base.httpRequest",
            4.2,
            json!({ "method": "POST", "url": "=https://shop.example.com/orders/{{ $json.id }}", "sendHeaders": true,
                "headerParameters": { "parameters": [{ "name": "Accept", "value": "application/json" }] },
                "sendBody": true, "specifyBody": "json", "jsonBody": before, "options": { "timeout": 5000 } }),
        ),
        3 => node(
            at,
            "n8n-nodes-base.code",
            2.0,
            json!({ "jsCode": "const found = [];\nfor (const item of $input.all()) {\n  const { id, lines = [] } = item.json;\n  \
                found.push({ json: { id, count: lines.length, first: lines[0]?.sku ?? null } });\n}\nreturn found;\n" }),
        ),
        4 => node(
            at,
            "n8n-nodes-base.slack",
            2.3,
            json!({ "select": "channel", "channelId": { "__rl": true, "mode": "name", "value": "#orders" }, "text": before, "otherOptions": {} }),
        ),
        _ => node(
            at,
            "n8n-nodes-base.googleSheets",
            4.5,
            json!({ "operation": "append", "documentId": { "__rl": true, "mode": "id", "value": "sheet" },
                "sheetName": { "__rl": true, "mode": "name", "value": "Orders" },
                "columns": { "mappingMode": "autoMapInputData", "value": {} }, "options": {} }),
        ),
    }
}
