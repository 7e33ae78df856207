//! Publishing, and each way in which it fails.

use serde_json::json;

use super::{Side, text, with};
use crate::scenarios::standin_check::caller::{answering, document, node, set, webhook};

pub(super) async fn publishing(side: &mut Side) {
    let good = answering("publishing", "cmp-p", "v1");
    let made = side.api("create", "POST", "/workflows", Some(good.clone())).await;
    let path = format!("/workflows/{}", text(&made, "id"));
    let wish = json!({ "name": "first", "description": "d", "more": 1 });
    side.api("publish", "POST", &format!("{path}/publish"), Some(wish)).await;
    side.api("get", "GET", &path, None).await;
    side.call("call", "GET", "/webhook/cmp-p", None).await;
    side.call("call by the wrong method", "POST", "/webhook/cmp-p", None).await;
    side.call("call nothing", "GET", "/webhook/cmp-none", None).await;
    side.call("call with a slash", "GET", "/webhook/cmp-p/", None).await;
    side.call("test webhook", "GET", "/webhook-test/cmp-p", None).await;
    side.api("put the same", "PUT", &path, Some(good.clone())).await;
    let v2 = answering("publishing", "cmp-p", "v2");
    side.api("put a draft", "PUT", &format!("{path}?publishIfActive=false"), Some(v2.clone())).await;
    let zoned = with(&v2, "settings", json!({ "timezone": "UTC" }));
    side.api("put draft settings", "PUT", &format!("{path}?publishIfActive=false"), Some(zoned)).await;
    side.call("call the old", "GET", "/webhook/cmp-p", None).await;
    side.api("publish the draft", "POST", &format!("{path}/publish"), None).await;
    side.call("call the new", "GET", "/webhook/cmp-p", None).await;
    let unknown = json!({ "versionId": "nope" });
    side.api("publish no version", "POST", &format!("{path}/publish"), Some(unknown)).await;
    let number = json!({ "versionId": 1 });
    side.api("publish a number", "POST", &format!("{path}/publish"), Some(number)).await;

    let other = side.api("other", "POST", "/workflows", Some(answering("other", "cmp-taken", "x"))).await;
    let other = format!("/workflows/{}", text(&other, "id"));
    side.api("publish other", "POST", &format!("{other}/publish"), None).await;
    let child = node("t", "T", "n8n-nodes-base.executeWorkflowTrigger", json!({ "inputSource": "passthrough" }));
    let child = side.api("child", "POST", "/workflows", Some(document("sub", vec![child]))).await;
    let call = json!({ "workflowId": { "__rl": true, "value": child["id"], "mode": "id" } });
    let mut disabled = webhook("cmp-p");
    disabled["disabled"] = json!(true);
    let mut old = set("x");
    old["typeVersion"] = json!(99);
    let mut second = webhook("cmp-twice");
    second["name"] = json!("Second");
    second["id"] = json!("w2");
    let cron = json!({ "rule": { "interval": [{ "field": "cronExpression", "expression": "nope" }] } });
    let mut schedule = node("c", "Schedule", "n8n-nodes-base.scheduleTrigger", cron);
    schedule["typeVersion"] = json!(1.2);
    let mut http = node("h", "HTTP", "n8n-nodes-base.httpRequest", json!({}));
    http["typeVersion"] = json!(4.2);
    let doc = |nodes| document("publishing", nodes);
    let unknown = node("x", "X", "n8n-nodes-base.doesNotExist", json!({}));
    let mut unknown_disabled = unknown.clone();
    unknown_disabled["disabled"] = json!(true);
    let slack = node("s", "Slack", "n8n-nodes-base.slack", json!({}));
    let mut slack_by_name = slack.clone();
    slack_by_name["credentials"] = json!({ "slackApi": { "id": null, "name": "none" } });
    let manual = node("m", "Manual", "n8n-nodes-base.manualTrigger", json!({}));
    let mut wait = node("wa", "Wait", "n8n-nodes-base.wait", json!({}));
    wait["typeVersion"] = json!(1.1);
    for (label, document) in [
        ("no nodes", doc(vec![])),
        ("a manual trigger", doc(vec![manual.clone()])),
        ("a manual trigger and a wait", doc(vec![manual, wait])),
        ("a disabled trigger", doc(vec![disabled])),
        ("an unknown type", doc(vec![webhook("cmp-p"), unknown])),
        ("an unknown type disabled", doc(vec![webhook("cmp-p"), unknown_disabled])),
        ("an unknown version", doc(vec![webhook("cmp-p"), old])),
        ("no url", doc(vec![webhook("cmp-p"), http])),
        ("no credential", doc(vec![webhook("cmp-p"), slack])),
        ("a credential without id", doc(vec![webhook("cmp-p"), slack_by_name])),
        ("an unpublished child", doc(vec![webhook("cmp-p"), node("c", "Call", "n8n-nodes-base.executeWorkflow", call)])),
        ("a taken path", answering("publishing", "cmp-taken", "x")),
        ("one path twice", doc(vec![webhook("cmp-twice"), second])),
        ("a bad cron", doc(vec![schedule])),
    ] {
        let wish = json!({ "versionId": made["versionId"] });
        side.api(&format!("back before {label}"), "POST", &format!("{path}/publish"), Some(wish)).await;
        side.api(&format!("put {label}"), "PUT", &path, Some(document)).await;
        side.api(&format!("get after {label}"), "GET", &path, None).await;
        side.call(&format!("call after {label}"), "GET", "/webhook/cmp-p", None).await;
    }
    for rest in ["/unpublish", "/unpublish", "/activate", "/deactivate"] {
        side.api(rest, "POST", &format!("{path}{rest}"), None).await;
    }
    let child = format!("/workflows/{}", text(&child, "id"));
    side.api("publish the child", "POST", &format!("{child}/publish"), None).await;
    for path in [path, other, child] {
        side.api("delete", "DELETE", &path, None).await;
    }
}
