//! Publishing: successes, refusals, and the state after a refusal.

use serde_json::{Value, json};

use super::caller::{Caller, answering, document, id, node, set, webhook};
use crate::standin::Options;

fn manual() -> Value {
    document("a", vec![node("m", "Manual", "n8n-nodes-base.manualTrigger", json!({}))])
}

/// Reports whether the workflow still answers with its first version, on path `p`.
async fn answers_first_version(n8n: &Caller) -> bool {
    n8n.send("GET", "/webhook/p", None).await.body == json!({ "answer": "v1" })
}

#[tokio::test]
async fn a_put_of_a_published_workflow_publishes_and_shows_it() {
    let n8n = Caller::plain();
    let live = n8n.live(&answering("a", "p", "v1")).await;
    assert!(answers_first_version(&n8n).await);
    let got = n8n.put(&live, &answering("a", "p", "v2")).await;
    assert_eq!(got.body["activeVersionId"], got.body["versionId"]);
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.body, json!({ "answer": "v2" }));
    let draft = format!("/workflows/{live}?publishIfActive=false");
    let got = n8n.api("PUT", &draft, Some(&answering("a", "p", "v3"))).await;
    assert_ne!(got.body["activeVersionId"], got.body["versionId"]);
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.body, json!({ "answer": "v2" }));
    let read = n8n.get(&live).await;
    let fields = &read["activeVersion"]["nodes"][1]["parameters"]["assignments"]["assignments"];
    assert_eq!(fields[0]["value"], json!("v2"));
    let version = read["activeVersionId"].as_str().unwrap();
    let got = n8n.api("GET", &format!("/workflows/{live}/versions/{version}"), None).await;
    assert_eq!(got.body["nodes"], read["activeVersion"]["nodes"]);
    assert!(got.body.get("settings").is_none());
}

#[tokio::test]
async fn publish_takes_a_version_and_a_name_for_it_and_unpublish_is_idempotent() {
    let n8n = Caller::plain();
    let made = n8n.create(&answering("a", "p", "v1")).await;
    let id = id(&made);
    n8n.put(&id, &answering("a", "p", "v2")).await;
    let wish = json!({ "versionId": made["versionId"], "name": "first", "extra": true });
    let got = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(&wish)).await;
    assert_eq!(got.status, 200, "{}", got.body);
    assert_eq!(got.body["activeVersionId"], made["versionId"]);
    assert_eq!(got.body["activeVersion"]["name"], json!("first"));
    assert_eq!(got.body["updatedAt"], n8n.get(&id).await["updatedAt"]);
    assert!(answers_first_version(&n8n).await);
    let wish = json!({ "versionId": "nope" });
    let got = n8n.api("POST", &format!("/workflows/{id}/activate"), Some(&wish)).await;
    assert_eq!((got.status, got.message()), (404, "Version not found"));
    for _ in 0..2 {
        let got = n8n.api("POST", &format!("/workflows/{id}/unpublish"), None).await;
        assert_eq!((got.status, &got.body["active"]), (200, &json!(false)));
    }
}

#[tokio::test]
async fn a_refusal_before_the_published_version_is_touched_leaves_it_and_saves_the_draft() {
    let n8n = Caller::plain();
    let live = n8n.live(&answering("a", "p", "v1")).await;
    n8n.live(&answering("other", "taken", "x")).await;
    let child = n8n.create(&document("sub", vec![node("t", "T", "n8n-nodes-base.executeWorkflowTrigger", json!({}))])).await;
    let child_id = id(&child);
    let call = |id: &str| {
        node("c", "Call", "n8n-nodes-base.executeWorkflow", json!({ "workflowId": { "__rl": true, "value": id, "mode": "id" } }))
    };
    let mut old = set("x");
    old["typeVersion"] = json!(99);
    let mut disabled = webhook("p");
    disabled["disabled"] = json!(true);
    let child_message = format!(
        "Cannot publish workflow: Node \"Call\" references workflow {child_id} (\"sub\") which is not published. \
         Please publish all referenced sub-workflows first."
    );
    let no_trigger = "Workflow cannot be activated because it has no trigger node. At least one trigger, webhook, or \
                      polling node is required.";
    let twice = document(
        "a",
        vec![webhook("q"), {
            let mut second = webhook("q");
            second["name"] = json!("Second");
            second["id"] = json!("w2");
            second
        }],
    );
    for (document, status, message) in [
        (manual(), 400, no_trigger),
        (document("a", vec![]), 400, no_trigger),
        (document("a", vec![disabled]), 400, no_trigger),
        (
            document("a", vec![webhook("p"), node("x", "X", "n8n-nodes-base.doesNotExist", json!({}))]),
            400,
            "Unrecognized node type: n8n-nodes-base.doesNotExist",
        ),
        (
            document("a", vec![webhook("p"), old]),
            400,
            "Node type \"set\" is not available in version 99. Available versions: 1, 2, 3, 3.1, 3.2, 3.3, 3.4, 3.5. \
             Use the latest version 3.5.",
        ),
        (
            document("a", vec![webhook("p"), node("h", "HTTP", "n8n-nodes-base.httpRequest", json!({}))]),
            400,
            "Cannot publish workflow: 1 node have configuration issues:\n\nNode \"HTTP\":\n  - Missing or invalid \
             required parameters: url",
        ),
        (
            document("a", vec![webhook("p"), node("s", "Slack", "n8n-nodes-base.slack", json!({}))]),
            400,
            "Cannot publish workflow: 1 node have configuration issues:\n\nNode \"Slack\":\n  - Missing required \
             credential: slackApi\n  - Missing or invalid required parameters: select, text",
        ),
        (document("a", vec![webhook("p"), call(&child_id)]), 400, child_message.as_str()),
        (answering("a", "taken", "x"), 409, "There is a conflict with one of the webhooks."),
        (twice, 409, "There is a conflict with one of the webhooks."),
    ] {
        let got = n8n.put(&live, &document).await;
        assert_eq!((got.status, got.message()), (status, message));
        assert!(answers_first_version(&n8n).await, "{message}");
        let read = n8n.get(&live).await;
        assert_eq!(read["active"], json!(true), "{message}");
        assert_ne!(read["versionId"], read["activeVersionId"], "{message}");
        assert_eq!(read["nodes"].as_array().unwrap().len(), document["nodes"].as_array().unwrap().len());
        let again = n8n.publish(&live).await;
        assert_eq!((again.status, again.message()), (status, message));
    }
}

#[tokio::test]
async fn a_refusal_after_that_takes_the_workflow_offline_until_the_old_version_is_published() {
    let n8n = Caller::plain();
    let dynamic = |webhook_id: &str| {
        let mut hook = webhook("users/:id");
        hook["webhookId"] = json!(webhook_id);
        document("a", vec![hook, set("x")])
    };
    n8n.live(&dynamic("somebody")).await;
    let cron = json!({ "rule": { "interval": [{ "field": "cronExpression", "expression": "nope" }] } });
    let schedule = node("c", "Schedule", "n8n-nodes-base.scheduleTrigger", cron);
    for (document, message) in [
        (document("a", vec![schedule]), "There was a problem activating the workflow: \"Invalid cron expression\""),
        (dynamic("me"), "The URL path that the \"Webhook\" node uses is already taken. Please change it to something else."),
    ] {
        let live = n8n.live(&answering("a", "p", "v1")).await;
        let good = n8n.get(&live).await["activeVersionId"].clone();
        let got = n8n.put(&live, &document).await;
        assert_eq!((got.status, got.message()), (400, message));
        let read = n8n.get(&live).await;
        assert_eq!((&read["active"], &read["activeVersionId"]), (&json!(false), &json!(null)));
        assert!(!answers_first_version(&n8n).await);
        let wish = json!({ "versionId": good });
        let got = n8n.api("POST", &format!("/workflows/{live}/publish"), Some(&wish)).await;
        assert_eq!(got.status, 200);
        assert!(answers_first_version(&n8n).await);
        n8n.api("DELETE", &format!("/workflows/{live}"), None).await;
    }
}

#[tokio::test]
async fn a_key_without_the_scope_saves_the_draft_and_gets_an_error() {
    let n8n = Caller::plain();
    let live = n8n.live(&answering("a", "p", "v1")).await;
    let scopes = ["workflow:read", "workflow:update"].map(str::to_owned).to_vec();
    let key = n8n.standin.add_key(Some(scopes), None);
    let limited = n8n.with_key(key);
    let got = limited.put(&live, &answering("a", "p", "v2")).await;
    assert_eq!(got.status, 403);
    assert!(got.message().starts_with("Your change was saved as a draft. "));
    assert_eq!(got.body["reason"], json!("insufficient_api_key_scope"));
    assert_eq!(got.body["versionId"], limited.get(&live).await["versionId"]);
    assert!(answers_first_version(&limited).await);
    let got = limited.publish(&live).await;
    assert_eq!((got.status, got.message()), (403, "Forbidden"));
}

#[tokio::test]
async fn broken_nodes_that_nothing_reaches_do_not_prevent_a_publication() {
    let n8n = Caller::plain();
    let mut sent = answering("a", "p", "x");
    let loose = node("h", "HTTP", "n8n-nodes-base.httpRequest", json!({}));
    sent["nodes"].as_array_mut().unwrap().push(loose);
    n8n.live(&sent).await;
    let child = document("sub", vec![node("t", "T", "n8n-nodes-base.executeWorkflowTrigger", json!({}))]);
    let child = n8n.live(&child).await;
    assert_eq!(n8n.get(&child).await["triggerCount"], json!(0));
}

#[tokio::test]
async fn publishing_again_removes_the_webhooks_for_a_moment() {
    let n8n = Caller::new(Options { webhook_gap: std::time::Duration::from_millis(300), ..Options::default() });
    let sent = answering("a", "p", "v1");
    let live = n8n.live(&sent).await;
    let put = n8n.put(&live, &sent);
    let meanwhile = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        (answers_first_version(&n8n).await, n8n.get(&live).await["active"].clone())
    };
    let (got, (answered, active)) = tokio::join!(put, meanwhile);
    assert_eq!((got.status, answered, active), (200, false, json!(true)));
    assert!(answers_first_version(&n8n).await);
}

#[tokio::test]
async fn edits_in_the_editor_stay_drafts_until_published_there() {
    let n8n = Caller::plain();
    let live = n8n.live(&answering("a", "p", "v1")).await;
    n8n.standin.log().clear();
    let version = n8n.standin.ui_edit_draft(&live, |draft| draft["nodes"][1] = set("v2")).unwrap();
    let read = n8n.get(&live).await;
    assert_eq!(read["versionId"], json!(version));
    assert_ne!(read["activeVersionId"], json!(version));
    assert!(answers_first_version(&n8n).await);
    n8n.standin.ui_publish(&live).unwrap();
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.body, json!({ "answer": "v2" }));
    n8n.standin.ui_rename(&live, "renamed").unwrap();
    assert_eq!(n8n.get(&live).await["name"], json!("renamed"));
    let copy = n8n.standin.ui_duplicate(&live).unwrap();
    assert_ne!(copy, live);
    n8n.standin.ui_publish(&copy).unwrap();
    n8n.standin.ui_unpublish(&copy);
    assert!(n8n.standin.ui_archive(&copy));
    assert!(n8n.standin.ui_delete(&copy));
    assert!(n8n.standin.workflow(&copy).is_none());
    assert!(n8n.standin.log().writes().is_empty());
}
