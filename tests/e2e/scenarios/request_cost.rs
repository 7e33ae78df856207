//! Cost of a change in requests to n8n, counted on the stand-in: a platform with a thousand workflows pays it a thousand times.

use serde_json::{Value, json};

use crate::harness::n8n::{answering, with_node};
use crate::harness::world::World;
use crate::standin::StandIn;

/// Returns the requests since the last call, without the checks of the instance.
fn spent(n8n: &StandIn) -> Vec<String> {
    let entries = n8n.log().entries();
    n8n.log().clear();
    let of_workflows = entries.iter().filter(|entry| entry.path.starts_with("/api/v1/workflows") || entry.path.starts_with("/webhook/"));
    of_workflows.map(|entry| format!("{} {}", entry.method, entry.path)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_workflow_and_a_changed_one_cost_n8n_at_most_five_requests_each() {
    let (n8n, world) = World::on_stand_in("economy", json!({ "interval": "1h" })).await;
    world.until_kind("N8nInstance", "main", "Ready", crate::harness::world::ready).await;
    let spec = |name: &str, version: &str| -> Value {
        json!({ "active": true, "interval": "1h", "definition": answering(&format!("{}/{name}", world.namespace), version) })
    };
    n8n.log().clear();
    world.workflow("a", spec("a", "1")).await;
    world.until_ready("a").await;
    // An extra reconciliation of the first would come before the second is done, because they are reconciled in turn.
    world.workflow("b", spec("b", "1")).await;
    world.until_ready("b").await;
    let created = spent(&n8n);
    assert!(created.len() <= 10, "two new workflows cost {created:#?}");

    world.workflow("a", spec("a", "2")).await;
    world.until_ready("a").await;
    world.workflow("b", spec("b", "2")).await;
    world.until_ready("b").await;
    let changed = spent(&n8n);
    assert!(changed.len() <= 10, "two changed workflows cost {changed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_whose_outcome_does_not_change_wakes_no_workflow_that_references_it() {
    let (n8n, world) = World::on_stand_in("waiting", json!({ "interval": "1h" })).await;
    world.until_kind("N8nInstance", "main", "Ready", crate::harness::world::ready).await;
    let mut child = answering(&format!("{}/child", world.namespace), "1");
    child["nodes"][0]["parameters"]["authentication"] = json!("basicAuth");
    child["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "From elsewhere" } });
    world.workflow("child", json!({ "active": true, "interval": "1h", "definition": child })).await;
    world.until_reason("child", "Ready", "CredentialUnmapped").await;
    let call = json!({ "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [400, 0],
        "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": "CHILD" }, "options": {} } });
    let parent = with_node(answering(&format!("{}/parent", world.namespace), "1"), call);
    let references = json!([{ "id": "CHILD", "workflowRef": { "name": "child" } }]);
    world.workflow("parent", json!({ "active": true, "interval": "1h", "references": references, "definition": parent })).await;
    let waiting = world.until_reason("parent", "Ready", "ReferenceNotPublished").await;
    let parent = format!("/api/v1/workflows/{}", waiting["status"]["n8nWorkflowId"].as_str().unwrap());
    n8n.log().clear();
    for number in 0..20 {
        let token = format!("{number}");
        world.annotate("Workflow", "child", "requested-at", json!(token)).await;
        world
            .until("child", "the requested reconciliation is over", |object| object["status"]["lastHandledRequestedAt"] == token.as_str())
            .await;
    }
    // It is retried without intervention after half a second, one, two, four and eight.
    let reads = n8n.log().entries().iter().filter(|entry| entry.method == "GET" && entry.path == parent).count();
    assert!(reads < 10, "{reads} reconciliations of the caller while nothing changed");
}
