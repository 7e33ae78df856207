//! An n8n whose main process leaves production webhooks to webhook processors, and an N8nInstance without their address. On the real n8n.

use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};

const FIELD: &str = "spec.webhookCheckURL";

fn says_the_field(object: &Value, kind: &str) -> bool {
    condition(object, kind)["message"].as_str().is_some_and(|message| message.contains(FIELD))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_main_process_without_production_webhooks_is_reported_with_the_field_to_set() {
    let shared = Stack::shared();
    let main = ["--only-n8n", "--shape", "default", "--n8n-env", "N8N_DISABLE_PRODUCTION_MAIN_PROCESS=true"];
    let own = (shared.shape() != "webhook-processor").then(|| Stack::own(&main));
    let stack = own.as_deref().unwrap_or(&shared);
    let (url, key) = (stack.n8n_url(), stack.n8n_key());
    let mut world = World::bare(Stack::shared(), "processors", &url, &key).await;
    let processor = std::mem::replace(&mut world.n8n.webhooks, url.clone());
    world.instance("main", &url, &key, json!({})).await;
    let namespace = world.namespace.clone();
    let path = |name: &str| format!("{namespace}/{name}");
    // Neither a webhook nor a form is visible from outside.
    let form = json!({
        "name": "Asks",
        "nodes": [{ "name": "Form", "type": "n8n-nodes-base.formTrigger", "typeVersion": 2.2, "position": [0, 0],
            "parameters": { "formTitle": "Asks", "formFields": { "values": [{ "fieldLabel": "Name" }] }, "options": { "path": path("form") } } }],
        "connections": {},
        "settings": {},
    });
    for (name, definition) in [("webhook", answering(&path("webhook"), "1")), ("form", form)] {
        world.workflow(name, json!({ "active": true, "definition": definition })).await;
        let seen = world.until(name, "Live is Unknown", |object| says_the_field(object, "Live")).await;
        assert_eq!(condition(&seen, "Live")["status"], "Unknown", "{seen:#}");
        world.until_ready(name).await;
    }
    // The page of the editor answers with the status that the probe expects.
    let page = world.n8n.webhook("GET", &path("webhook")).await;
    assert!(page.status == 200 && page.text.contains("<html"), "{} {}", page.status, page.text);
    let check = json!({ "probes": [{ "node": "Webhook", "expectedStatus": 200 }] });
    world.workflow("probed", json!({ "active": true, "definition": answering(&path("probed"), "1"), "healthCheck": check })).await;
    let unanswered = |object: &Value| current(object) && condition(object, "Healthy")["reason"] == "ProbeUnanswered";
    let seen = world.until("probed", "its probe is not answered", unanswered).await;
    assert!(!ready(&seen) && says_the_field(&seen, "Ready") && says_the_field(&seen, "Healthy"), "{seen:#}");
    let starting = |object: &Value| object["status"]["conditions"].to_string().contains("starting");
    assert!(!starting(&seen) && seen["status"]["history"][0]["result"] != "Good", "{seen:#}");
    // If there is a processor, its address is all that is needed.
    if own.is_none() {
        world.n8n.webhooks = processor;
        world.instance("main", &url, &key, json!({})).await;
        for name in ["webhook", "form", "probed"] {
            let live = |object: &Value| ready(object) && condition(object, "Live")["status"] == "True";
            world.until(name, "its webhook is seen", live).await;
        }
        assert_eq!(world.get("probed").await["status"]["history"][0]["result"], "Good");
    }
}
