//! Executions: which are recorded, listed, hidden and retried.

use std::time::Duration;

use serde_json::json;

use super::caller::{Caller, answering, document, id, node, webhook};
use crate::standin::Options;

fn failing(message: &str) -> serde_json::Value {
    let stop = node("e", "Stop", "n8n-nodes-base.stopAndError", json!({ "errorMessage": message }));
    document("fails", vec![webhook("fails"), stop])
}

#[tokio::test]
async fn a_failed_execution_names_the_node_and_the_error_and_can_be_retried() {
    let n8n = Caller::plain();
    let live = n8n.live(&failing("broken")).await;
    n8n.send("GET", "/webhook/fails", None).await;
    let list = n8n.api("GET", &format!("/executions?workflowId={live}&status=error"), None).await;
    let item = &list.body["data"][0];
    assert_eq!(item.as_object().unwrap().len(), 10);
    let run = id(item);
    let got = n8n.api("GET", &format!("/executions/{run}?includeData=true"), None).await;
    let result = &got.body["data"]["resultData"];
    assert_eq!(result["lastNodeExecuted"], json!("Stop"));
    assert_eq!(result["error"]["message"], json!("broken"));
    assert_eq!(result["error"]["node"]["name"], json!("Stop"));
    assert_eq!(got.body["workflowData"]["nodes"].as_array().unwrap().len(), 2);
    assert!(got.body["workflowVersionId"].is_string());
    let again = n8n.api("POST", &format!("/executions/{run}/retry"), None).await;
    assert_eq!((again.status, &again.body["mode"]), (200, &json!("retry")));
    assert_eq!((&again.body["retryOf"], &again.body["status"]), (&json!(run), &json!("error")));
    let fixed = answering("fails", "fails", "ok");
    n8n.put(&live, &fixed).await;
    let body = json!({ "loadWorkflow": true });
    let again = n8n.api("POST", &format!("/executions/{run}/retry"), Some(&body)).await;
    assert_eq!(again.body["status"], json!("success"));
    let retried = format!("/executions/{}/retry", id(&again.body));
    let refused = n8n.api("POST", &retried, None).await;
    assert_eq!((refused.status, refused.message()), (409, "The execution succeeded, so it cannot be retried."));
}

#[tokio::test]
async fn an_execution_by_webhook_names_the_draft_and_a_scheduled_one_the_published_version() {
    let n8n = Caller::plain();
    let live = n8n.live(&answering("a", "p", "v1")).await;
    let draft = n8n.standin.ui_edit_draft(&live, |draft| draft["nodes"][1]["notes"] = json!("n")).unwrap();
    n8n.send("GET", "/webhook/p", None).await;
    n8n.standin.fire_trigger(&live).unwrap();
    let list = n8n.api("GET", "/executions?includeData=true", None).await;
    let active = n8n.get(&live).await["activeVersionId"].clone();
    assert_eq!(list.body["data"][0]["workflowVersionId"], active);
    assert_eq!(list.body["data"][1]["workflowVersionId"], json!(draft));
    assert!(list.body["data"][1]["workflowData"]["nodes"][1].get("notes").is_none());
}

#[tokio::test]
async fn running_and_unsaved_executions_are_not_in_the_default_list() {
    let n8n = Caller::new(Options { execution_time: Duration::from_millis(300), ..Options::default() });
    let mut sent = answering("a", "p", "x");
    sent["nodes"][0]["parameters"]["responseMode"] = json!("onReceived");
    let live = n8n.live(&sent).await;
    n8n.send("GET", "/webhook/p", None).await;
    let count = async |filter: &str| {
        let list = n8n.api("GET", &format!("/executions{filter}"), None).await;
        list.body["data"].as_array().unwrap().len()
    };
    assert_eq!((count("").await, count("?status=running").await), (0, 1));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((count("").await, count("?status=running").await), (1, 0));
    n8n.standin.configure(|options| options.execution_time = Duration::ZERO);
    sent["settings"] = json!({ "saveDataSuccessExecution": "none" });
    n8n.put(&live, &sent).await;
    n8n.send("GET", "/webhook/p", None).await;
    assert_eq!(count("").await, 1);
}

#[tokio::test]
async fn lists_of_executions_are_sorted_by_id_and_filtered_by_time() {
    let n8n = Caller::plain();
    n8n.live(&answering("a", "p", "x")).await;
    for _ in 0..5 {
        n8n.send("GET", "/webhook/p", None).await;
    }
    let first = n8n.api("GET", "/executions?limit=3", None).await;
    assert_eq!(id(&first.body["data"][0]), "5");
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let rest = n8n.api("GET", &format!("/executions?limit=3&cursor={cursor}"), None).await;
    assert_eq!(rest.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(rest.body["nextCursor"], json!(null));
    for (filter, count) in [("startedAfter=2000-01-01T00:00:00Z", 5), ("startedBefore=2000-01-01T00:00:00Z", 0), ("status=success", 5)] {
        let got = n8n.api("GET", &format!("/executions?{filter}"), None).await;
        assert_eq!(got.body["data"].as_array().unwrap().len(), count, "{filter}");
    }
    let got = n8n.api("GET", "/executions/abc", None).await;
    assert_eq!(got.message(), "The execution ID must be a positive integer");
    let got = n8n.api("DELETE", "/executions/1", None).await;
    assert_eq!((got.status, &got.body["id"]), (200, &json!(1)));
    assert_eq!(n8n.api("GET", "/executions/1", None).await.status, 404);
    let got = n8n.api("POST", "/executions/2/stop", None).await;
    assert_eq!(got.status, 409);
    let got = n8n.api("POST", "/executions/1/stop", None).await;
    assert_eq!((got.status, got.message()), (404, "Failed to find execution to stop"));
}

#[tokio::test]
async fn parents_execute_their_published_children() {
    let n8n = Caller::plain();
    let trigger = node("t", "T", "n8n-nodes-base.executeWorkflowTrigger", json!({}));
    let child = n8n.live(&document("child", vec![trigger, super::caller::set("from child")])).await;
    let call = json!({ "workflowId": { "__rl": true, "mode": "id", "value": child } });
    let call = node("c", "Call", "n8n-nodes-base.executeWorkflow", call);
    n8n.live(&document("parent", vec![webhook("parent"), call])).await;
    let got = n8n.send("GET", "/webhook/parent", None).await;
    assert_eq!(got.body, json!({ "answer": "from child" }));
    n8n.standin.ui_unpublish(&child);
    assert_eq!(n8n.send("GET", "/webhook/parent", None).await.status, 500);
}
