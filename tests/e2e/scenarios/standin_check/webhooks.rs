//! Webhooks and forms from the view of callers.

use serde_json::json;

use super::caller::{Caller, answering, document, node, set, webhook};

#[tokio::test]
async fn an_unregistered_path_and_a_wrong_method_have_different_errors() {
    let n8n = Caller::plain();
    let got = n8n.send("GET", "/webhook/x", None).await;
    assert_eq!((got.status, &got.body["code"]), (404, &json!(404)));
    assert_eq!(got.message(), "The requested webhook \"GET x\" is not registered.");
    assert!(got.body["hint"].as_str().unwrap().starts_with("The workflow must be active"));
    n8n.live(&answering("a", "x", "y")).await;
    let got = n8n.send("POST", "/webhook/x", None).await;
    assert_eq!((got.status, got.message()), (404, "This webhook is not registered for POST requests. Did you mean to make a GET request?"));
    assert_eq!(n8n.send("GET", "/webhook/x/", None).await.status, 200);
    assert_eq!(n8n.send("GET", "/webhook//x", None).await.status, 404);
    assert_eq!(n8n.send("GET", "/webhook-test/x", None).await.status, 404);
    assert_eq!(n8n.api("GET", "/executions", None).await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn paths_with_parameters_and_empty_paths_use_the_webhook_id() {
    let n8n = Caller::plain();
    let mut hook = webhook("users/:id/orders");
    hook["webhookId"] = json!("abc");
    let mut answer = set("={{ $json.params.id }}");
    answer["typeVersion"] = json!(3.4);
    n8n.live(&document("a", vec![hook, answer])).await;
    let got = n8n.send("GET", "/webhook/abc/users/7/orders", None).await;
    assert_eq!(got.body, json!({ "answer": "7" }));
    assert_eq!(n8n.send("GET", "/webhook/users/7/orders", None).await.status, 404);
    let got = n8n.send("POST", "/webhook/abc/users/7/orders", None).await;
    assert!(got.message().starts_with("This webhook is not registered for POST requests."));
    let mut bare = webhook("");
    bare["webhookId"] = json!("bare-id");
    n8n.live(&document("b", vec![bare, set("bare")])).await;
    assert_eq!(n8n.send("GET", "/webhook/bare-id", None).await.body, json!({ "answer": "bare" }));
}

#[tokio::test]
async fn the_response_follows_the_response_mode() {
    let n8n = Caller::plain();
    let mut at_once = webhook("at-once");
    at_once["parameters"]["responseMode"] = json!("onReceived");
    n8n.live(&document("a", vec![at_once, set("x")])).await;
    let got = n8n.send("GET", "/webhook/at-once", None).await;
    assert_eq!((got.status, got.body), (200, json!({ "message": "Workflow was started" })));
    let stop = node("e", "Stop", "n8n-nodes-base.stopAndError", json!({ "errorMessage": "broken" }));
    n8n.live(&document("b", vec![webhook("fails"), stop])).await;
    let got = n8n.send("GET", "/webhook/fails", None).await;
    assert_eq!((got.status, got.body), (500, json!({ "message": "Error in workflow" })));
    let mut asks = webhook("asks");
    asks["parameters"]["responseMode"] = json!("responseNode");
    let parameters = json!({ "respondWith": "json", "responseBody": "{\"a\":1}", "options": { "responseCode": 201 } });
    let respond = node("r", "Respond", "n8n-nodes-base.respondToWebhook", parameters);
    n8n.live(&document("c", vec![asks, respond])).await;
    let got = n8n.send("GET", "/webhook/asks", None).await;
    assert_eq!((got.status, got.body), (201, json!({ "a": 1 })));
}

#[tokio::test]
async fn header_authentication_is_checked() {
    let n8n = Caller::plain();
    let data = json!({ "name": "X-N8N-API-KEY", "value": "other" });
    let credential = n8n.standin.add_credential("auth", "httpHeaderAuth", &data);
    let mut hook = webhook("p");
    hook["parameters"]["authentication"] = json!("headerAuth");
    hook["credentials"] = json!({ "httpHeaderAuth": { "id": credential, "name": "auth" } });
    n8n.live(&document("a", vec![hook, set("x")])).await;
    let got = n8n.send("GET", "/webhook/p", None).await;
    assert_eq!((got.status, got.body), (403, json!("Authorization data is wrong!")));
}

#[tokio::test]
async fn forms_and_chats_have_their_own_addresses() {
    let n8n = Caller::plain();
    let mut form = node("f", "Form", "n8n-nodes-base.formTrigger", json!({ "formTitle": "Hello", "options": { "path": "signup" } }));
    form["webhookId"] = json!("form-id");
    let live = n8n.live(&document("a", vec![form, set("x")])).await;
    let got = n8n.send("GET", "/form/signup", None).await;
    assert_eq!(got.status, 200);
    assert!(got.body.as_str().unwrap().contains("Hello"));
    assert_eq!(n8n.send("POST", "/form/signup", Some(&json!({ "q": 1 }))).await.status, 200);
    let got = n8n.send("GET", "/form/other", None).await;
    assert_eq!(got.status, 404);
    assert!(got.body.as_str().unwrap().contains("<html"));
    assert_eq!(n8n.send("GET", "/webhook/signup", None).await.status, 404);
    let runs = n8n.api("GET", &format!("/executions?workflowId={live}"), None).await;
    assert_eq!(runs.body["data"].as_array().unwrap().len(), 1);
    let mut chat = node("c", "Chat", "@n8n/n8n-nodes-langchain.chatTrigger", json!({ "public": true }));
    chat["webhookId"] = json!("chat-id");
    n8n.live(&document("b", vec![chat, set("hi")])).await;
    let got = n8n.send("POST", "/webhook/chat-id/chat", Some(&json!({ "chatInput": "x" }))).await;
    assert_eq!(got.body, json!({ "answer": "hi" }));
}
