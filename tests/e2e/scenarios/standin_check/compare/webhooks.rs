//! Webhooks, forms and executions.

use serde_json::json;

use super::{Side, text};
use crate::scenarios::standin_check::caller::{document, node, set, webhook};

pub(super) async fn paths(side: &mut Side) {
    let mut all = Vec::new();
    for owner in ["first", "second"] {
        let mut hook = webhook("cmp-users/:id/orders");
        hook["webhookId"] = json!(format!("cmp-{owner}"));
        let mut answer = set("={{ $json.params.id }}");
        answer["typeVersion"] = json!(3.4);
        let made = document(owner, vec![hook, answer]);
        let made = side.api("create", "POST", "/workflows", Some(made)).await;
        let path = format!("/workflows/{}", text(&made, "id"));
        side.api(&format!("publish {owner}"), "POST", &format!("{path}/publish"), None).await;
        side.api(&format!("get {owner}"), "GET", &path, None).await;
        all.push(path);
    }
    for path in ["cmp-first/cmp-users/7/orders", "cmp-users/7/orders", "cmp-second/cmp-users/7/orders"] {
        side.call(path, "GET", &format!("/webhook/{path}"), None).await;
        side.call(path, "POST", &format!("/webhook/{path}"), None).await;
    }
    let mut bare = webhook("");
    bare["webhookId"] = json!("cmp-bare");
    let mut many = webhook("/cmp-many/");
    many["parameters"]["httpMethod"] = json!(["GET", "POST"]);
    many["parameters"]["multipleMethods"] = json!(true);
    let mut form = node(
        "f",
        "Form",
        "n8n-nodes-base.formTrigger",
        json!({ "formTitle": "Hello",
        "formFields": { "values": [{ "fieldLabel": "q" }] }, "options": { "path": "cmp-form" } }),
    );
    form["typeVersion"] = json!(2.2);
    form["webhookId"] = json!("cmp-form-id");
    for (label, nodes) in [("bare", vec![bare, set("x")]), ("many", vec![many, set("x")]), ("form", vec![form, set("x")])] {
        let made = side.api(label, "POST", "/workflows", Some(document(label, nodes))).await;
        let path = format!("/workflows/{}", text(&made, "id"));
        side.api(&format!("publish {label}"), "POST", &format!("{path}/publish"), None).await;
        all.push(path);
    }
    for (method, path) in [
        ("GET", "/webhook/cmp-bare"),
        ("GET", "/webhook/cmp-many"),
        ("PUT", "/webhook/cmp-many"),
        ("GET", "/form/cmp-form"),
        ("GET", "/form/cmp-none"),
        ("GET", "/webhook/cmp-form"),
        ("PUT", "/form/cmp-form"),
    ] {
        side.call(&format!("{method} {path}"), method, path, None).await;
    }
    for path in all {
        side.api("delete", "DELETE", &path, None).await;
    }
}

pub(super) async fn runs(side: &mut Side) {
    let stop = node("e", "Stop", "n8n-nodes-base.stopAndError", json!({ "errorMessage": "broken" }));
    let mut stop = stop;
    stop["typeVersion"] = json!(1);
    let made = side.api("create", "POST", "/workflows", Some(document("runs", vec![webhook("cmp-run"), stop]))).await;
    let id = text(&made, "id");
    side.api("publish", "POST", &format!("/workflows/{id}/publish"), None).await;
    side.call("run", "GET", "/webhook/cmp-run", None).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let list = side.api("list", "GET", &format!("/executions?workflowId={id}"), None).await;
    let run = text(&list["data"][0], "id");
    let shown = side.api("get", "GET", &format!("/executions/{run}?includeData=true"), None).await;
    // Of the data only the parts that callers use are the same.
    let result = &shown["data"]["resultData"];
    let names: Vec<&String> = result["runData"].as_object().unwrap().keys().collect();
    let reported = json!({ "last": result["lastNodeExecuted"], "message": result["error"]["message"],
        "node": result["error"]["node"]["name"], "ran": names,
        "status": shown["status"], "finished": shown["finished"], "mode": shown["mode"] });
    let keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
    let reported = json!({ "reported": reported, "keys": keys });
    side.lines.pop();
    side.lines.push(("get".to_owned(), 200, reported));
    let again = side.api("retry", "POST", &format!("/executions/{run}/retry"), None).await;
    side.lines.pop();
    let reported = json!({ "status": again["status"], "mode": again["mode"], "retryOf": again["retryOf"] == list["data"][0]["id"] });
    side.lines.push(("retry".to_owned(), 200, reported));
    let gone = side.api("delete run", "DELETE", &format!("/executions/{run}"), None).await;
    assert_eq!(gone["id"].to_string(), run);
    side.lines.pop();
    side.api("delete", "DELETE", &format!("/workflows/{id}"), None).await;
    side.api("runs are gone", "GET", &format!("/executions?workflowId={id}"), None).await;
}
