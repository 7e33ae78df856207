//! Creating, reading and changing workflows.

use serde_json::json;

use super::caller::{Caller, answering, document, id, node, set, webhook};

#[tokio::test]
async fn a_create_that_n8n_refuses_is_refused_with_the_same_message() {
    let n8n = Caller::plain();
    let sound = answering("a", "p", "x");
    let with = |field: &str, value: serde_json::Value| {
        let mut document = sound.clone();
        document[field] = value;
        document
    };
    let without = |field: &str| {
        let mut document = sound.clone();
        document.as_object_mut().unwrap().remove(field);
        document
    };
    let node_with = |field: &str| {
        let mut document = sound.clone();
        document["nodes"][0][field] = json!("x");
        document
    };
    let twice = document("a", vec![set("x"), set("y")]);
    let mut dangling = sound.clone();
    dangling["connections"]["Nope"] = json!({ "main": [] });
    let mut bare = sound.clone();
    bare["connections"]["Webhook"]["main"] = json!([[{ "node": "Set" }]]);
    for (document, message) in [
        (without("name"), "request/body must have required property 'name'"),
        (without("connections"), "request/body/connections must be object"),
        (without("settings"), "request/body must have required property 'settings'"),
        (with("name", json!("")), "Workflow name must be 1 to 128 characters long."),
        (with("id", json!("x")), "request/body/id is read-only"),
        (with("active", json!(true)), "request/body/active is read-only"),
        (with("meta", json!(null)), "request/body/meta is read-only"),
        (with("versionCounter", json!(1)), "request/body Unrecognized key(s) in object: 'versionCounter'"),
        (with("description", json!("x")), "request/body Unrecognized key(s) in object: 'description'"),
        (node_with("foo"), "request/body/nodes/0 Unrecognized key(s) in object: 'foo'"),
        (with("settings", json!({ "foo": 1 })), "request/body/settings Unrecognized key(s) in object: 'foo'"),
        (
            with("settings", json!({ "saveDataErrorExecution": "DEFAULT" })),
            "request/body/settings/saveDataErrorExecution Invalid enum value. Expected 'all' | 'none', received 'DEFAULT'",
        ),
        (with("projectId", json!("elsewhere")), "Project not found"),
        (
            twice,
            "Workflow structure is invalid. nodes[1].id (duplicate_node_id): Nodes \"Set\" and \"Set\" share the node \
             ID \"s1\"; nodes[1].name (duplicate_node_name): Duplicate node name \"Set\"",
        ),
        (
            dangling,
            "Workflow structure is invalid. connections.Nope (unknown_connection_source): Connection source \"Nope\" \
             does not reference an existing node",
        ),
        (
            bare,
            "Workflow structure is invalid. connections.Webhook.main[0][0].type (invalid_type): Required; \
             connections.Webhook.main[0][0].index (invalid_type): Required",
        ),
    ] {
        let got = n8n.api("POST", "/workflows", Some(&document)).await;
        assert!([400, 404].contains(&got.status), "{message}");
        assert_eq!(got.message(), message);
    }
    assert!(n8n.standin.workflows().is_empty());
}

#[tokio::test]
async fn a_workflow_that_is_read_back_has_ids_and_the_sent_content() {
    let n8n = Caller::plain();
    let mut sent = answering("a", "p", "x");
    for node in sent["nodes"].as_array_mut().unwrap() {
        node.as_object_mut().unwrap().remove("id");
        node.as_object_mut().unwrap().remove("webhookId");
    }
    sent["nodes"][1]["typeVersion"] = json!(2.0);
    sent["settings"] = json!({ "binaryMode": "separate", "timezone": "UTC",
        "customTelemetryTags": [{ "key": "k", "value": "v" }] });
    let made = n8n.create(&sent).await;
    let read = n8n.get(&id(&made)).await;
    assert_eq!(read["nodes"], made["nodes"]);
    assert!(read["nodes"][0]["webhookId"].is_string() && read["nodes"][0]["id"].is_string());
    assert!(read["nodes"][1].get("webhookId").is_none());
    assert_eq!(read["nodes"][1]["typeVersion"].to_string(), "2");
    assert_eq!(read["settings"], json!({ "timezone": "UTC", "customTelemetryTags": [{ "key": "k", "value": "v" }] }));
    assert_eq!(read["nodeGroups"], json!([]));
    assert_eq!((&read["active"], &read["activeVersion"]), (&json!(false), &json!(null)));
    assert_eq!(read["versionCounter"], json!(1));
    assert!(read["shared"][0]["projectId"].is_string());
}

#[tokio::test]
async fn an_identical_put_keeps_the_version_and_a_changed_one_creates_another() {
    let n8n = Caller::plain();
    let sent = answering("a", "p", "x");
    let made = n8n.create(&sent).await;
    let id = id(&made);
    let same = n8n.put(&id, &sent).await;
    assert_eq!(same.status, 200, "{}", same.body);
    assert_eq!(same.body["versionId"], made["versionId"]);
    assert_eq!(same.body["versionCounter"], json!(1));

    let mut renamed = sent.clone();
    renamed["name"] = json!("b");
    renamed["description"] = json!("why");
    let got = n8n.put(&id, &renamed).await;
    assert_eq!(got.body["versionId"], made["versionId"]);
    assert_eq!(got.body["description"], json!("why"));

    let mut settings = sent.clone();
    settings["settings"] = json!({ "timezone": "UTC" });
    let got = n8n.put(&id, &settings).await;
    assert_eq!(got.body["versionId"], made["versionId"]);
    assert_eq!(got.body["versionCounter"], json!(2));
    // Merged: an omitted key stays, and only some can be removed again.
    let got = n8n.put(&id, &sent).await;
    assert_eq!(got.body["settings"], json!({ "timezone": "UTC" }));
    let mut reset = sent.clone();
    reset["settings"] = json!({ "timezone": "DEFAULT", "executionTimeout": -1 });
    assert_eq!(n8n.put(&id, &reset).await.body["settings"], json!({}));

    let got = n8n.put(&id, &answering("a", "p", "y")).await;
    assert_ne!(got.body["versionId"], made["versionId"]);
    let history = n8n.api("GET", &format!("/workflows/{id}/history"), None).await;
    assert_eq!(history.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(history.body["data"][0]["versionId"], got.body["versionId"]);
}

#[tokio::test]
async fn a_put_without_webhook_ids_creates_a_version_every_time() {
    let n8n = Caller::plain();
    let mut sent = answering("a", "p", "x");
    sent["nodes"][0].as_object_mut().unwrap().remove("webhookId");
    let made = n8n.create(&sent).await;
    let got = n8n.put(&id(&made), &sent).await;
    assert_ne!(got.body["versionId"], made["versionId"]);
    assert_ne!(got.body["nodes"][0]["webhookId"], made["nodes"][0]["webhookId"]);
}

#[tokio::test]
async fn a_credential_reference_without_an_id_takes_any_credential_of_the_type() {
    let n8n = Caller::plain();
    let first = n8n.standin.add_credential("first", "slackApi", &json!({}));
    let second = n8n.standin.add_credential("second", "slackApi", &json!({}));
    let sent = |reference: serde_json::Value| {
        let mut slack = node("n", "Slack", "n8n-nodes-base.slack", json!({}));
        slack["credentials"] = json!({ "slackApi": reference });
        document("a", vec![slack])
    };
    for (reference, found) in [
        (json!({ "name": "nobody" }), json!({ "id": first, "name": "first" })),
        (json!({ "id": second, "name": "old" }), json!({ "id": second, "name": "second" })),
        (json!({ "id": "", "name": "second" }), json!({ "id": second, "name": "second" })),
        (json!({ "id": null, "name": "second" }), json!({ "id": second, "name": "second" })),
        (json!({ "id": "gone", "name": "gone" }), json!({ "id": "gone", "name": "gone" })),
    ] {
        let made = n8n.create(&sent(reference.clone())).await;
        assert_eq!(made["nodes"][0]["credentials"]["slackApi"], found, "{reference}");
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged_and_omit_the_same_fields() {
    let n8n = Caller::plain();
    let tag = n8n.api("POST", "/tags", Some(&json!({ "name": "ours" }))).await;
    assert_eq!(tag.status, 201);
    for number in 0..7 {
        n8n.create(&answering(&format!("flow_{number}"), &format!("p{number}"), "x")).await;
    }
    let tagged = id(&n8n.standin.workflows()[3]);
    let tags = json!([{ "id": tag.body["id"] }]);
    let got = n8n.api("PUT", &format!("/workflows/{tagged}/tags"), Some(&tags)).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let unknown = json!([{ "id": "x" }]);
    let got = n8n.api("PUT", &format!("/workflows/{tagged}/tags"), Some(&unknown)).await;
    assert_eq!((got.status, got.message()), (404, "Some tags not found"));

    let mut seen = Vec::new();
    let mut path = "/workflows?limit=3".to_owned();
    loop {
        let got = n8n.api("GET", &path, None).await;
        seen.extend(got.body["data"].as_array().unwrap().iter().map(id));
        match got.body["nextCursor"].as_str() {
            Some(cursor) => path = format!("/workflows?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted());
    for (filter, count) in [
        ("tags=ours", 1),
        ("tags=Ours", 0),
        ("name=FLOW", 7),
        ("name=flow_3", 1),
        ("name=f%25w_3", 1),
        ("active=true", 0),
        ("active=false", 7),
        ("limit=0", 7),
        ("projectId=other", 0),
        ("whatever=1", 7),
    ] {
        let got = n8n.api("GET", &format!("/workflows?{filter}"), None).await;
        assert_eq!(got.body["data"].as_array().unwrap().len(), count, "{filter}");
    }
    let got = n8n.api("GET", "/workflows?limit=0", None).await;
    assert!(got.body["nextCursor"].is_string());
    let item = &n8n.api("GET", "/workflows?tags=ours", None).await.body["data"][0];
    for absent in ["description", "versionCounter", "sourceWorkflowId", "parentFolder"] {
        assert!(item.get(absent).is_none(), "{absent}");
    }
    assert_eq!(item["tags"][0]["name"], json!("ours"));
}

#[tokio::test]
async fn archived_workflows_stay_in_lists_and_refuse_changes() {
    let n8n = Caller::plain();
    let sent = answering("a", "p", "x");
    let live = n8n.live(&sent).await;
    let got = n8n.api("POST", &format!("/workflows/{live}/archive"), None).await;
    assert_eq!((got.status, &got.body["isArchived"], &got.body["active"]), (200, &json!(true), &json!(false)));
    assert!(n8n.standin.webhooks().is_empty());
    let again = n8n.api("POST", &format!("/workflows/{live}/archive"), None).await;
    assert_eq!((again.status, &again.body["versionId"]), (200, &got.body["versionId"]));
    assert_eq!(n8n.put(&live, &sent).await.message(), "Cannot update an archived workflow.");
    assert_eq!(n8n.publish(&live).await.message(), "Cannot activate an archived workflow.");
    let got = n8n.api("POST", &format!("/workflows/{live}/unarchive"), None).await;
    assert_eq!((got.status, &got.body["active"]), (200, &json!(false)));
    let got = n8n.api("POST", &format!("/workflows/{live}/unarchive"), None).await;
    assert_eq!((got.status, got.message()), (400, "Workflow is not archived."));
}

#[tokio::test]
async fn a_deleted_workflow_is_gone_with_its_webhooks_and_executions() {
    let n8n = Caller::plain();
    let live = n8n.live(&answering("a", "p", "x")).await;
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.body, json!({ "answer": "x" }));
    let got = n8n.api("DELETE", &format!("/workflows/{live}"), None).await;
    assert_eq!((got.status, &got.body["active"]), (200, &json!(true)));
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.status, 404);
    assert_eq!(n8n.api("GET", "/executions", None).await.body["data"], json!([]));
    let path = format!("/workflows/{live}");
    for (method, path, message) in [
        ("DELETE", path.clone(), "Not Found"),
        ("GET", path.clone(), "Not Found"),
        ("POST", format!("{path}/archive"), "Workflow not found"),
        ("POST", format!("{path}/publish"), "You do not have permission to activate this workflow. Ask the owner to share it with you."),
        (
            "POST",
            format!("{path}/unpublish"),
            "You do not have permission to deactivate this workflow. Ask the owner to share it with you.",
        ),
    ] {
        let got = n8n.api(method, &path, None).await;
        assert_eq!((got.status, got.message()), (404, message));
    }
    let got = n8n.put(&live, &answering("a", "p", "x")).await;
    assert_eq!(
        (got.status, got.message()),
        (404, "You do not have permission to update this workflow. Ask the owner to share it with you.")
    );
}

#[tokio::test]
async fn a_second_create_with_a_mark_is_counted_even_if_it_is_deleted_again() {
    let n8n = Caller::plain();
    let mut sent = document("a", vec![webhook("p")]);
    sent["settings"] = json!({ "customTelemetryTags": [{ "key": "uid", "value": "1" }] });
    let first = n8n.create(&sent).await;
    n8n.api("DELETE", &format!("/workflows/{}", id(&first)), None).await;
    n8n.create(&sent).await;
    assert_eq!(n8n.standin.duplicates_seen("uid"), []);
    let second = n8n.create(&sent).await;
    n8n.api("DELETE", &format!("/workflows/{}", id(&second)), None).await;
    let seen = n8n.standin.duplicates_seen("uid");
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].value.as_str(), seen[0].at_once), ("1", 2));
    assert!(n8n.standin.duplicates_seen("other").is_empty());
}
