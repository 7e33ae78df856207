//! The main job on the real parts: apply, edit, unpublish, delete.

use serde_json::json;

use crate::n8n::{answering, with_node};
use crate::world::{World, condition};

#[tokio::test(flavor = "multi_thread")]
async fn an_applied_workflow_answers_its_webhook_and_an_edit_becomes_version_2() {
    let world = World::on_real_n8n("sync").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    let first = world.until_ready("a").await;
    assert_eq!(first["status"]["activeVersion"], 1);
    assert_eq!(first["status"]["webhookURLs"][0], format!("{}/webhook/{path}", world.n8n.url));
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "1");
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "2") })).await;
    let second = world.until_ready("a").await;
    assert_eq!(second["status"]["activeVersion"], 2);
    assert_eq!(second["status"]["n8nWorkflowId"], first["status"]["n8nWorkflowId"]);
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "2");
    world.workflow("a", json!({ "active": false, "definition": answering(&path, "2") })).await;
    world.until_ready("a").await;
    assert_eq!(world.n8n.webhook("GET", &path).await.status, 404);
    world.delete("a").await;
    assert!(world.n8n.marked(&world.namespace, "a").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_takes_the_workflow_offline_is_rolled_back_by_itself() {
    let world = World::on_real_n8n("rollback").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    let cron = json!({ "name": "Tick", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 200],
        "parameters": { "rule": { "interval": [{ "field": "cronExpression", "expression": "not a cron" }] } } });
    world.workflow("a", json!({ "active": true, "definition": with_node(answering(&path, "2"), cron) })).await;
    let held = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(condition(&held, "Stalled")["status"], "True");
    assert!(condition(&held, "Ready")["message"].as_str().unwrap().contains("Invalid cron expression"));
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "1");
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "3") })).await;
    world.until_ready("a").await;
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_probe_goes_back_to_a_version_that_is_still_baking() {
    let world = World::on_real_n8n("baking").await;
    let path = format!("{}/a", world.namespace);
    let checked = |version: &str| {
        let check = json!({ "bakeTime": "10m", "probes": [{ "node": "Webhook", "expectedJSON": { "version": "1" } }] });
        json!({ "active": true, "definition": answering(&path, version), "healthCheck": check })
    };
    world.workflow("a", checked("1")).await;
    let first = world.until_ready("a").await;
    assert_eq!(first["status"]["history"][0]["result"], "Deployed");
    world.workflow("a", checked("2")).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(back["status"]["history"][0]["reason"], "ProbeFailed");
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "1");
}
