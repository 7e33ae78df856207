//! Tags, credentials, and requests that are refused before a handler is reached.

use serde_json::{Value, json};

use super::{Side, text};
use crate::scenarios::standin_check::caller::{answering, document, node};

pub(super) async fn others(side: &mut Side) {
    for (method, path) in [
        ("PATCH", "/workflows/x"),
        ("POST", "/executions"),
        ("GET", "/nothing"),
        ("POST", "/workflows/x/run"),
        ("GET", "/projects"),
        ("GET", "/variables"),
        ("GET", "/executions/abc"),
        ("GET", "/executions/999999"),
        ("POST", "/executions/999999/retry"),
        ("POST", "/executions/999999/stop"),
        ("GET", "/executions?status=x"),
        ("GET", "/tags/x"),
        ("GET", "/credentials/x"),
        ("DELETE", "/credentials/x"),
    ] {
        side.api(&format!("{method} {path}"), method, path, None).await;
    }
    for body in [json!({ "name": "cmp" }), json!({ "name": "cmp" }), json!({ "name": "" }), json!({})] {
        side.api("tag", "POST", "/tags", Some(body)).await;
    }
    let tags = side.api("tags", "GET", "/tags", None).await;
    let made = side.api("tagged", "POST", "/workflows", Some(answering("tagged", "cmp-tag", "x"))).await;
    let path = format!("/workflows/{}", text(&made, "id"));
    let ids = json!([{ "id": tags["data"][0]["id"] }]);
    side.api("put tags", "PUT", &format!("{path}/tags"), Some(ids)).await;
    side.api("put unknown tags", "PUT", &format!("{path}/tags"), Some(json!([{ "id": "x" }]))).await;
    side.api("put bad tags", "PUT", &format!("{path}/tags"), Some(json!(["x"]))).await;
    side.api("list by tag", "GET", "/workflows?tags=cmp", None).await;
    side.api("get tags", "GET", &format!("{path}/tags"), None).await;
    let project = json!({ "destinationProjectId": made["shared"][0]["projectId"] });
    side.api("transfer to the same", "PUT", &format!("{path}/transfer"), Some(project)).await;
    let project = json!({ "destinationProjectId": "nope" });
    side.api("transfer to none", "PUT", &format!("{path}/transfer"), Some(project)).await;
    side.api("delete", "DELETE", &path, None).await;
    let tag = format!("/tags/{}", text(&tags["data"][0], "id"));
    side.api("delete tag", "DELETE", &tag, None).await;

    let sent = |name: &str, kind: &str, data: Value| json!({ "name": name, "type": kind, "data": data });
    let token = json!({ "accessToken": "x" });
    let bound = side.api("credential", "POST", "/credentials", Some(sent("cmp one", "slackApi", token.clone()))).await;
    for (label, body) in [
        ("no data", json!({ "name": "x", "type": "slackApi" })),
        ("a missing field", sent("x", "slackApi", json!({}))),
        ("an unknown type", sent("x", "doesNotExist", json!({}))),
        ("an id", json!({ "id": "x", "name": "x", "type": "slackApi", "data": {} })),
    ] {
        side.api(&format!("credential with {label}"), "POST", "/credentials", Some(body)).await;
    }
    side.api("credentials", "GET", "/credentials", None).await;
    let path = format!("/credentials/{}", text(&bound, "id"));
    side.api("get credential", "GET", &path, None).await;
    side.api("put credential", "PUT", &path, Some(json!({}))).await;
    side.api("patch credential", "PATCH", &path, Some(json!({ "name": "cmp two", "data": token }))).await;
    for reference in [
        json!({ "name": "nobody" }),
        json!({ "id": bound["id"], "name": "old" }),
        json!({ "id": "", "name": "cmp two" }),
        json!({ "id": null, "name": "cmp two" }),
        json!({ "id": "gone", "name": "gone" }),
        json!({ "id": "gone" }),
    ] {
        let mut slack = node("n", "Slack", "n8n-nodes-base.slack", json!({}));
        slack["credentials"] = json!({ "slackApi": reference });
        let made = side.api("bind", "POST", "/workflows", Some(document("bind", vec![slack]))).await;
        side.api("delete", "DELETE", &format!("/workflows/{}", text(&made, "id")), None).await;
    }
    side.api("delete credential", "DELETE", &path, None).await;
}

pub(super) async fn doors(side: &mut Side) {
    let key = ("X-N8N-API-KEY", "");
    let json = Some("application/json");
    let sound = answering("doors", "cmp-door", "x").to_string();
    side.raw("a wrong key", ("X-N8N-API-KEY", "wrong"), json, sound.clone()).await;
    let bearer = format!("Bearer {}", side.key);
    side.raw("a bearer", ("Authorization", &bearer), json, sound.clone()).await;
    side.raw("malformed", key, json, "{".to_owned()).await;
    side.raw("a string", key, json, "\"x\"".to_owned()).await;
    side.raw("empty", key, json, String::new()).await;
    side.raw("no type", key, None, sound.clone()).await;
    side.raw("another type", key, Some("text/plain"), sound).await;
    side.raw("too large", key, json, format!("[\"{}\"]", "x".repeat(17 << 20))).await;
    for path in ["/healthz", "/healthz/readiness", "/metrics", "/api/v1", "/"] {
        side.call(path, "GET", path, None).await;
    }
}
