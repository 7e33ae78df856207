//! `spec.catalogRef`: the Workflows of an instance are validated against the catalogue in a ConfigMap, and follow its changes.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::n8n::{answering, with_node};
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, ready};
use crate::standin::{Options, StandIn};

/// Builds a community package into the manifest of a ConfigMap with the command. Its node requires the parameter `required`.
fn manifest(world: &World, required: &str) -> Value {
    let folder = std::env::temp_dir().join(format!("{}-{required}", world.namespace));
    let properties: Vec<Value> = ["account", "region"]
        .map(|name| json!({ "name": name, "displayName": name, "type": "string", "default": "", "required": name == required }))
        .to_vec();
    let acme =
        json!({ "name": "acme", "displayName": "Acme", "version": 1, "inputs": ["main"], "outputs": ["main"], "properties": properties });
    let base = json!([
        { "name": "webhook", "displayName": "Webhook", "version": [1, 2], "group": ["trigger"], "inputs": [], "outputs": ["main"], "properties": [
            { "name": "path", "type": "string" }, { "name": "httpMethod", "type": "string" }, { "name": "responseMode", "type": "string" }] },
        { "name": "set", "displayName": "Set", "version": [3.4], "inputs": ["main"], "outputs": ["main"], "properties": [
            { "name": "assignments", "type": "json" }, { "name": "options", "type": "json" }] },
    ]);
    let packages =
        [("n8n", json!([])), ("n8n-nodes-base", base), ("@n8n/n8n-nodes-langchain", json!([])), ("n8n-nodes-acme", json!([acme]))];
    for (name, nodes) in packages {
        let at = folder.join("node_modules").join(name);
        std::fs::create_dir_all(at.join("dist/types")).expect("a folder");
        std::fs::write(at.join("package.json"), json!({ "name": name, "version": "2.39.10" }).to_string()).expect("a file");
        std::fs::write(at.join("dist/types/nodes.json"), nodes.to_string()).expect("a file");
    }
    let built = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args([
            "catalog",
            "build",
            "--config-map",
            "nodes",
            "--output",
            "nodes.yaml",
            "--from",
            ".",
            "--package",
            "node_modules/n8n-nodes-acme",
        ])
        .current_dir(&folder)
        .output()
        .expect("the command runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let text = std::fs::read_to_string(folder.join("nodes.yaml")).expect("a manifest");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    serde_saphyr::from_str(&text).expect("a manifest is YAML")
}

async fn world(name: &str) -> (StandIn, World) {
    let mut options = Options::default();
    options.installed.prefixes.push("n8n-nodes-acme.".to_owned());
    let standin = StandIn::start(options);
    let (url, key) = (standin.url(), standin.api_key().to_owned());
    let world = World::bare(Stack::shared(), name, &url, &key).await;
    world.instance("main", &url, &key, json!({ "catalogRef": { "name": "nodes" }, "interval": "10m" })).await;
    (standin, world)
}

async fn apply(world: &World, name: &str, version: &str, parameters: Value) {
    let acme = json!({ "name": "Acme", "type": "n8n-nodes-acme.acme", "typeVersion": 1, "position": [400, 0], "parameters": parameters });
    let mut definition = with_node(answering(&format!("{}/{name}", world.namespace), version), acme);
    definition["connections"]["Answer"] = json!({ "main": [[{ "node": "Acme", "type": "main", "index": 0 }]] });
    world.workflow(name, json!({ "active": true, "interval": "10m", "definition": definition })).await;
}

async fn until_catalog(world: &World, reason: &str) -> Value {
    let holds = |object: &Value| condition(object, "CatalogReady")["reason"] == reason;
    world.until_kind("N8nInstance", "main", &format!("CatalogReady is {reason}"), holds).await
}

fn message<'a>(object: &'a Value, kind: &str) -> &'a str {
    condition(object, kind)["message"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_community_node_is_validated_against_the_catalogue_of_a_config_map_and_again_when_it_changes() {
    let (standin, world) = world("catalogref").await;
    let missing = until_catalog(&world, "CatalogNotFound").await;
    assert_eq!(
        (&condition(&missing, "CatalogReady")["status"], &condition(&missing, "Ready")["status"]),
        (&json!("False"), &json!("False"))
    );
    assert!(message(&missing, "Ready").contains("weirkeeper catalog build --config-map nodes"), "{missing:#}");
    // Until then the built-in one only warns, and n8n decides.
    apply(&world, "early", "1", json!({})).await;
    let early = world.until_ready("early").await;
    assert!(message(&early, "Validated").contains("the catalogue does not cover node type"), "{early:#}");
    world.apply(manifest(&world, "account")).await;
    let loaded = until_catalog(&world, "CatalogLoaded").await;
    assert_eq!((&condition(&loaded, "CatalogReady")["status"], &condition(&loaded, "Ready")["status"]), (&json!("True"), &json!("True")));
    // The accepted version is validated again without intervention, and is not blocked.
    let reported = |part: &'static str| move |object: &Value| ready(object) && message(object, "Validated").contains(part);
    world.until("early", "it is validated again", reported("parameter \"account\" is required")).await;
    let writes = standin.log().writes().len();
    apply(&world, "late", "1", json!({ "acount": "x" })).await;
    let refused = world.until_reason("late", "Ready", "InvalidDefinition").await;
    for part in ["node \"Acme\"", "parameter \"account\" is required and empty", "\"acount\" is no parameter of the node"] {
        assert!(message(&refused, "Validated").contains(part), "{part}: {refused:#}");
    }
    assert_eq!(standin.log().writes().len(), writes);
    apply(&world, "late", "1", json!({ "account": "x" })).await;
    world.until_ready("late").await;
    // Another catalogue has other requirements, and the Workflows are reconciled without intervention.
    world.apply(manifest(&world, "region")).await;
    world.until("late", "it is validated again", reported("parameter \"region\" is required")).await;
    // A broken one is reported, and its findings are warnings.
    let broken = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "nodes" }, "binaryData": { "n8n.catalog": STANDARD.encode("no catalogue") } });
    world.apply(broken).await;
    let unreadable = until_catalog(&world, "CatalogUnreadable").await;
    assert_eq!(condition(&unreadable, "Stalled")["status"], "True");
    let covered = world.until("late", "it is validated again", reported("the catalogue does not cover node type")).await;
    assert!(ready(&covered));
    apply(&world, "late", "2", json!({})).await;
    world.until("late", "version 2 is published", |object| object["status"]["activeVersion"] == 2 && ready(object)).await;
    world.api("ConfigMap").delete("nodes", &DeleteParams::default()).await.expect("the API server deletes");
    until_catalog(&world, "CatalogNotFound").await;
    world.instance("main", &standin.url(), standin.api_key(), json!({ "interval": "10m" })).await;
    let built_in = until_catalog(&world, "CatalogLoaded").await;
    assert_eq!(condition(&built_in, "Ready")["status"], "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_catalogue_fits_into_a_config_map_and_is_read_from_it() {
    let (_standin, world) = world("catalogsize").await;
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src/catalog/n8n-2.39.10.catalog")).expect("the catalogue");
    world
        .apply(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "nodes" }, "binaryData": { "n8n.catalog": STANDARD.encode(bytes) } }))
        .await;
    until_catalog(&world, "CatalogLoaded").await;
    let odd = json!({ "name": "Odd", "type": "n8n-nodes-base.slak", "typeVersion": 1, "position": [0, 300], "parameters": {} });
    let definition = with_node(answering(&format!("{}/a", world.namespace), "1"), odd);
    world.workflow("a", json!({ "active": true, "definition": definition })).await;
    let refused = world.until_reason("a", "Ready", "InvalidDefinition").await;
    assert!(message(&refused, "Ready").contains("did you mean \"n8n-nodes-base.slack\"?"));
}
