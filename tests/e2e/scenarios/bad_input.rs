//! Invalid input: each kind has its own condition, reason and message, and recovers without intervention when its cause is removed.

use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::stack::rand;
use crate::harness::world::{World, condition, current};

/// Waits until Ready has the reason and its message all the parts.
async fn says(world: &World, name: &str, reason: &str, parts: &[&str]) {
    let reported = |object: &Value| {
        let ready = condition(object, "Ready");
        let message = ready["message"].as_str().unwrap_or_default();
        current(object) && ready["reason"] == reason && parts.iter().all(|part| message.contains(part))
    };
    world.until(name, &format!("Ready is {reason} and says {parts:?}"), reported).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_unreadable_config_map_is_reported_until_it_is_fixed() {
    let world = World::on_real_n8n("source").await;
    let path = format!("{}/a", world.namespace);
    let from = json!({ "active": true, "definitionFrom": { "configMapKeyRef": { "name": "flow", "key": "flow.json" } } });
    world.workflow("a", from).await;
    says(&world, "a", "SourceNotFound", &["ConfigMap flow", "does not exist"]).await;
    let config_map = |data: Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "flow" }, "data": data });
    world.apply(config_map(json!({ "other.json": "{}" }))).await;
    says(&world, "a", "SourceNotFound", &["has no key flow.json", "other.json"]).await;
    world.apply(config_map(json!({ "flow.json": "{\"nodes\": [" }))).await;
    says(&world, "a", "SourceUnreadable", &["ConfigMap flow, key flow.json", "line 1"]).await;
    world.apply(config_map(json!({ "flow.json": "```json\n{\"nodes\": []}\n```" }))).await;
    says(&world, "a", "SourceUnreadable", &["Markdown"]).await;
    let mut broken = answering(&path, "1");
    broken["nodes"][1]["name"] = json!("Webhook");
    broken["connections"]["Nope"] = json!({ "main": [] });
    world.apply(config_map(json!({ "flow.json": broken.to_string() }))).await;
    says(&world, "a", "InvalidDefinition", &["Webhook", "Nope"]).await;
    let object = world.get("a").await;
    assert_eq!((&condition(&object, "Validated")["status"], &condition(&object, "Stalled")["status"]), (&json!("False"), &json!("True")));
    let yaml = serde_saphyr::to_string(&answering(&path, "from yaml")).expect("YAML");
    world.apply(config_map(json!({ "flow.json": yaml }))).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path, "from yaml").await;
    // An edit of the ConfigMap alone is noticed at once, by its watch.
    world.apply(config_map(json!({ "flow.json": answering(&path, "edited").to_string() }))).await;
    world.until("a", "version 2 is published", |object| object["status"]["activeVersion"] == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_invalid_fields_with_an_explanation() {
    let world = World::on_real_n8n("rules").await;
    let refused = async |spec: Value| world.try_workflow("a", spec).await.expect_err("it is refused").to_string();
    let definition = answering("x", "1");
    assert!(refused(json!({})).await.contains("exactly one of definition, definitionFrom and templateRef"));
    let both = json!({ "definition": definition, "definitionFrom": { "configMapKeyRef": { "name": "a", "key": "b" } } });
    assert!(refused(both).await.contains("exactly one of definition, definitionFrom and templateRef"));
    assert!(refused(json!({ "definition": definition, "interval": "5 minutes" })).await.contains("spec.interval"));
    assert!(refused(json!({ "definition": definition, "driftPolicy": "Fight" })).await.contains("driftPolicy"));
    assert!(refused(json!({ "definition": definition, "tags": ["a,b"] })).await.contains("tags"));
    let credential = json!([{ "name": "a", "existing": {} }]);
    assert!(refused(json!({ "definition": definition, "credentials": credential })).await.contains("exactly one of id and name"));
    for header in ["X-Original-URL", "x-rewrite-url", "Host", "X-Forwarded-Host", "Forwarded", "Transfer-Encoding", "X-N8N-API-KEY"] {
        let probes = json!({ "probes": [{ "node": "Webhook", "headers": [{ "name": header, "value": "x" }] }] });
        let message = refused(json!({ "definition": definition, "healthCheck": probes })).await;
        assert!(message.contains("probes may not set a header"), "{header}: {message}");
    }
    world.workflow("a", json!({ "definition": definition })).await;
    assert!(refused(json!({ "definition": definition, "instanceRef": { "name": "other" } })).await.contains("instanceRef is immutable"));
    let large = "x".repeat(210_000);
    let mut long = answering(&format!("{}/large", world.namespace), "1");
    long["nodes"][1]["notes"] = json!(large);
    world.workflow("large", json!({ "definition": long })).await;
    says(&world, "large", "TooLarge", &["200000", "spec.definitionFrom.configMapKeyRef"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_work_is_reported_until_it_is_fixed() {
    let world = World::on_real_n8n("connection").await;
    let path = format!("{}/a", world.namespace);
    let spec = json!({ "instanceRef": { "name": "second" }, "active": true, "definition": answering(&path, "1") });
    world.workflow("a", spec).await;
    says(&world, "a", "InstanceNotFound", &["N8nInstance second"]).await;
    let (url, key) = (world.stack.n8n_url(), world.stack.n8n_key());
    // A wrong key.
    world.instance("second", &url, &format!("wrong{:x}", rand()), json!({})).await;
    says(&world, "a", "Unauthorized", &["API key"]).await;
    world.until_kind("N8nInstance", "second", "it is stalled", |object| condition(object, "Stalled")["reason"] == "Unauthorized").await;
    // A key that has expired, and one that lacks scopes.
    let expired = world.stack.tell(&["apikey", "--expires-in-seconds", "0"]);
    world.secret("expired", &expired).await;
    world.instance("second", &url, "unused", json!({ "apiKeySecretRef": { "name": "expired" } })).await;
    says(&world, "a", "Unauthorized", &["API key", "the key expired at "]).await;
    let limited = world.stack.tell(&["apikey", "--scopes", "workflow:read,workflow:list"]);
    world.secret("limited", &limited).await;
    world.instance("second", &url, "unused", json!({ "apiKeySecretRef": { "name": "limited" } })).await;
    says(&world, "a", "MissingScope", &["workflow:create", "workflow:activate", "execution:read"]).await;
    let instance =
        world.until_kind("N8nInstance", "second", "it lacks scopes", |object| condition(object, "Ready")["reason"] == "MissingScope").await;
    assert!(condition(&instance, "Ready")["message"].as_str().unwrap().contains("workflow:activate"));
    // No server at the address; a denied address; no such Secret.
    world.instance("second", "http://127.0.0.1:9", &key, json!({})).await;
    says(&world, "a", "InstanceUnreachable", &["cannot connect"]).await;
    world.instance("second", "http://169.254.169.254", &key, json!({})).await;
    says(&world, "a", "AddressDenied", &["169.254.169.254"]).await;
    world.instance("second", &url, "unused", json!({ "apiKeySecretRef": { "name": "nowhere" } })).await;
    says(&world, "a", "KeySecretNotFound", &["N8nInstance second", "Secret nowhere does not exist"]).await;
    let unkeyed = json!({ "apiKeySecretRef": { "name": "limited", "key": "token" } });
    world.instance("second", &url, "unused", unkeyed).await;
    says(&world, "a", "KeySecretNotFound", &["Secret limited has no key token"]).await;
    world.instance("second", &url, "unused", json!({ "apiKeySecretRef": { "name": "nowhere" } })).await;
    world.secret("nowhere", &key).await;
    let recovered = world.until_ready("a").await;
    assert!(current(&recovered));
    let expires = world.until_kind("N8nInstance", "second", "it is Ready", |object| condition(object, "Ready")["status"] == "True").await;
    assert_eq!(expires["status"]["n8nVersion"], "2.39.10");
}
