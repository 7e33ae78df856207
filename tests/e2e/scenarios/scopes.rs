//! The documented scopes are exactly the required ones, on the real n8n.

use serde_json::json;

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, ready};

/// The scopes in docs/n8ninstance.md.
const DOCUMENTED: [&str; 10] = [
    "workflow:create",
    "workflow:read",
    "workflow:update",
    "workflow:delete",
    "workflow:list",
    "workflow:activate",
    "workflow:deactivate",
    "credential:list",
    "execution:list",
    "execution:read",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_the_documented_scopes_publishes_unpublishes_and_deletes() {
    let stack = Stack::shared();
    let key = stack.tell(&["apikey", "--scopes", &DOCUMENTED.join(",")]);
    let url = stack.n8n_url();
    let all = stack.n8n_key();
    let world = World::bare(stack, "scopes", &url, &all).await;
    world.instance("main", &url, &key, json!({})).await;
    world.until_kind("N8nInstance", "main", "it is Ready", ready).await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path, "1").await;
    world.workflow("a", json!({ "active": false, "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    world.n8n.expect_no_workflow(&path).await;
    world.delete("a").await;
    assert!(world.n8n.marked(&world.namespace, "a").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_to_unpublish_is_reported_before_it_is_needed() {
    let stack = Stack::shared();
    let lacking: Vec<&str> = DOCUMENTED.into_iter().filter(|scope| *scope != "workflow:deactivate").collect();
    let key = stack.tell(&["apikey", "--scopes", &lacking.join(",")]);
    let url = stack.n8n_url();
    let world = World::bare(stack, "scope-missing", &url, &key).await;
    world.instance("main", &url, &key, json!({})).await;
    let reported = world
        .until_kind("N8nInstance", "main", "the scope is missing", |object| condition(object, "Ready")["reason"] == "MissingScope")
        .await;
    assert_eq!(condition(&reported, "Stalled")["status"], "True");
    assert!(condition(&reported, "Ready")["message"].as_str().unwrap().contains("workflow:deactivate"), "{:#}", reported["status"]);
}
