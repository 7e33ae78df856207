//! Without saved successes no error rate can be calculated. On the real n8n.

use serde_json::json;

use crate::harness::n8n::{answering, with_node};
use crate::harness::world::{World, condition, ready};

#[tokio::test(flavor = "multi_thread")]
async fn without_saved_successes_health_is_unknown_and_failures_fail_no_version() {
    let world = World::on_real_n8n("successes").await;
    let path = format!("{}/a", world.namespace);
    let check = json!({ "bakeTime": "30s", "minimumExecutions": 1, "maximumErrorRate": 10 });
    world.workflow("a", json!({ "active": true, "interval": "1s", "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    let fails = json!({ "name": "Fails", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1, "position": [400, 0],
        "parameters": { "errorMessage": "the till is empty" } });
    let mut bad = with_node(answering(&path, "2"), fails);
    bad["connections"]["Answer"] = json!({ "main": [[{ "node": "Fails", "type": "main", "index": 0 }]] });
    bad["settings"]["saveDataSuccessExecution"] = json!("none");
    let spec = json!({ "active": true, "interval": "1s", "healthCheck": check, "definition": bad });
    world.workflow("a", spec.clone()).await;
    let unknown = world.until_reason("a", "Healthy", "ExecutionsNotSaved").await;
    assert_eq!(condition(&unknown, "Healthy")["status"], "Unknown");
    assert!(condition(&unknown, "Healthy")["message"].as_str().unwrap().contains("does not save successful executions"), "{unknown:#}");
    // The publication service of n8n executes the version before for a moment.
    world.n8n.answers(&path, 500).await;
    // The failures are saved, and would be a rate of 100 %.
    let id = unknown["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    for _ in 0..3 {
        assert_eq!(world.n8n.webhook("GET", &path).await.status, 500);
    }
    let started = std::time::Instant::now();
    while world.n8n.api("GET", &format!("/executions?workflowId={id}&status=error"), None).await.json()["data"][2].is_null() {
        assert!(started.elapsed() < crate::harness::world::PATIENCE, "n8n lists no failures");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for token in ["1", "2"] {
        world.annotate("Workflow", "a", "requested-at", json!(token)).await;
        let after = world.until("a", "it was reconciled", |object| object["status"]["lastHandledRequestedAt"] == token).await;
        assert!(ready(&after), "{after:#}");
        assert_eq!(condition(&after, "Healthy")["reason"], "ExecutionsNotSaved");
        assert_eq!((&after["status"]["activeVersion"], &after["status"]["failedDigest"]), (&json!(2), &json!(null)));
    }
}
