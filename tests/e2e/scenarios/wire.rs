//! Every call of the client against the real n8n.

pub(super) mod calls;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use weirkeeper::domain::probe_answer::Author;
use weirkeeper::domain::remote::{ExecutionStatus, RemoteWorkflow, WorkflowWrite};
use weirkeeper::n8n::{CredentialUpdate, CredentialWrite, Denial, ExecutionQuery, N8nError, WebhookCheck, key_expiry};

use crate::harness::stack::Stack;
use calls::{client, client_with, delete, fail, fresh, node, probe, publish, responding, set, until, webhook_workflow, workflow};

#[tokio::test]
async fn version_and_scopes_of_the_instance_are_read_and_a_wrong_key_is_unauthorized() {
    let n8n = client();
    n8n.readiness().await.unwrap();
    let version = n8n.version().await.unwrap().expect("a version");
    assert!(version.starts_with("2."), "{version}");
    let scopes = n8n.discover().await.unwrap().expect("scopes");
    assert!(["workflow:create", "workflow:list", "execution:read"].iter().all(|scope| scopes.0.contains(*scope)), "{scopes:?}");
    let _may_be_absent = key_expiry(&n8n.settings().api_key);
    match client_with("eyJ.wrong.key").list_tags().await {
        Err(N8nError::Unauthorized { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_author_of_a_webhook_response_is_known() {
    let n8n = client();
    let path = fresh("whose");
    let authored = async |write: &WorkflowWrite| {
        let id = n8n.create_workflow(write).await.unwrap().id;
        publish(&n8n, &id, &path).await;
        let answer = n8n.probe(probe(&path)).await.unwrap();
        delete(&n8n, &id).await;
        (answer.status, answer.author)
    };
    assert_eq!(authored(&webhook_workflow(&path, &path, set("one"))).await, (200, Author::Workflow));
    assert_eq!(authored(&webhook_workflow(&path, &path, fail())).await, (500, Author::Workflow));
    for status in [204, 302, 429, 500, 502, 503, 504] {
        assert_eq!(authored(&responding(&path, status)).await, (status, Author::Workflow));
    }
    let mut at_once = webhook_workflow(&path, &path, set("one"));
    at_once.nodes[0]["parameters"]["responseMode"] = json!("onReceived");
    at_once.nodes[0]["parameters"]["options"] = json!({ "responseCode": { "values": { "responseCode": 503 } } });
    assert_eq!(authored(&at_once).await.1, Author::Workflow);
    let mut guarded = webhook_workflow(&path, &path, set("one"));
    guarded.nodes[0]["parameters"]["authentication"] = json!("basicAuth");
    let data = json!({ "user": "a", "password": "b" }).as_object().cloned().unwrap();
    let credential =
        n8n.create_credential(&CredentialWrite { name: path.clone(), kind: "httpBasicAuth".into(), data, project_id: None }).await.unwrap();
    guarded.nodes[0]["credentials"] = json!({ "httpBasicAuth": { "id": credential.id, "name": path } });
    assert_eq!(authored(&guarded).await, (401, Author::Workflow), "n8n asks for the credentials that the node names");
    n8n.delete_credential(&credential.id).await.unwrap();
    let gone = n8n.probe(probe(&path)).await.unwrap();
    assert!(matches!(&gone.author, Author::Other(who) if who.contains("is not registered")), "{gone:?}");
}

#[tokio::test]
async fn a_workflow_is_created_updated_published_and_deleted() {
    let n8n = client();
    let path = fresh("life");
    let created = n8n.create_workflow(&webhook_workflow(&path, &path, set("one"))).await.unwrap();
    let id = created.id.clone();
    assert!(!created.active && created.version_id.is_some() && created.active_version_id.is_none());
    assert_eq!(n8n.check_webhook("webhook", &path).await.unwrap(), WebhookCheck::NotRegistered);

    let published = publish(&n8n, &id, &path).await;
    assert!(published.active);
    let first = published.active_version_id.clone().expect("published");
    assert_eq!(published.active_version.as_ref().map(|v| v.version_id.as_str()), Some(first.as_str()));
    let answer = n8n.probe(probe(&path)).await.unwrap();
    assert_eq!((answer.status, answer.json), (200, Some(json!({ "said": "one" }))));

    let updated = n8n.update_workflow(&id, &webhook_workflow(&path, &path, set("two")), false).await.unwrap();
    assert_ne!(updated.version_id.as_deref(), Some(first.as_str()));
    let read = n8n.get_workflow(&id).await.unwrap().expect("there");
    assert_eq!(read.active_version_id.as_deref(), Some(first.as_str()));
    assert_eq!(read.active_version.expect("sent along").nodes.len(), 2);
    let old = n8n.get_version(&id, &first).await.unwrap().expect("kept");
    assert!(old.nodes[1].to_string().contains("one"));
    assert!(n8n.get_version(&id, "3f0f4a5e-0000-4000-8000-000000000000").await.unwrap().is_none());

    n8n.update_workflow(&id, &webhook_workflow(&path, &path, set("three")), true).await.unwrap();
    until(Some(json!({ "said": "three" })), async || n8n.probe(probe(&path)).await.unwrap().json).await;
    n8n.publish(&id, Some(&first)).await.unwrap();
    until(Some(json!({ "said": "one" })), async || n8n.probe(probe(&path)).await.unwrap().json).await;

    assert!(!n8n.unpublish(&id).await.unwrap().active);
    assert!(!n8n.unpublish(&id).await.unwrap().active);
    assert!(n8n.archive(&id).await.unwrap().is_archived);
    match n8n.publish(&id, None).await {
        Err(N8nError::Refused { status: 400, message, .. }) => assert!(message.contains("archived"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert!(!n8n.unarchive(&id).await.unwrap().is_archived);

    assert!(delete(&n8n, &id).await);
    assert!(!delete(&n8n, &id).await);
    assert!(n8n.get_workflow(&id).await.unwrap().is_none());
    assert!(n8n.get_version(&id, &first).await.unwrap().is_none());
    for gone in [
        n8n.publish(&id, None).await,
        n8n.unpublish(&id).await,
        n8n.archive(&id).await,
        n8n.update_workflow(&id, &webhook_workflow(&path, &path, set("x")), true).await,
    ] {
        assert!(matches!(gone, Err(N8nError::NotFound { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn refusals_contain_the_message_of_n8n() {
    let n8n = client();
    let path = fresh("refused");
    let manual = workflow(&path, vec![node("Manual", "manualTrigger", 1.0, json!({}))], json!({}));
    let id = n8n.create_workflow(&manual).await.unwrap().id;
    match n8n.publish(&id, None).await {
        Err(error @ N8nError::Refused { status: 400, .. }) => {
            assert!(!error.unanswered());
            assert!(error.to_string().starts_with("publish workflow: refused (HTTP 400): Workflow cannot be"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    n8n.delete_workflow(&id).await.unwrap();

    let mut twice = manual.clone();
    twice.nodes.push(twice.nodes[0].clone());
    match n8n.create_workflow(&twice).await {
        Err(N8nError::Refused { status: 400, message, .. }) => {
            assert!(message.contains("duplicate_node_name"), "{message}");
        }
        other => panic!("{other:?}"),
    }

    let large = node("Manual", "manualTrigger", 1.0, json!({ "x": "y".repeat(17 * 1024 * 1024) }));
    let large = n8n.create_workflow(&workflow(&path, vec![large], json!({}))).await;
    assert!(matches!(large, Err(N8nError::TooLarge { .. })), "{large:?}");

    let first = n8n.create_workflow(&webhook_workflow(&path, &path, set("a"))).await.unwrap().id;
    let second = n8n.create_workflow(&webhook_workflow(&path, &path, set("b"))).await.unwrap().id;
    publish(&n8n, &first, &path).await;
    let taken = n8n.publish(&second, None).await;
    assert!(matches!(taken, Err(N8nError::Refused { status: 409, .. })), "{taken:?}");
    for id in [first, second] {
        delete(&n8n, &id).await;
    }
}

#[tokio::test]
async fn tags_are_created_once_and_filter_lists() {
    let n8n = client();
    let name = fresh("t");
    let tag = n8n.create_tag(&name).await.unwrap();
    assert_eq!(n8n.create_tag(&name).await.unwrap().id, tag.id);
    let too_long = n8n.create_tag("a-name-that-is-longer-than-24").await;
    assert!(matches!(too_long, Err(N8nError::Refused { status: 409, .. })), "{too_long:?}");

    let id = n8n.create_workflow(&webhook_workflow(&name, &name, set("x"))).await.unwrap().id;
    let set_tags = n8n.set_tags(&id, std::slice::from_ref(&tag.id)).await.unwrap();
    assert_eq!(set_tags, std::slice::from_ref(&tag));
    let tagged = n8n.list_workflows_tagged(&name).await.unwrap();
    assert_eq!(tagged.iter().map(|w| w.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    assert_eq!(tagged[0].tags, std::slice::from_ref(&tag));
    assert_eq!(n8n.list_summaries(Some(&name)).await.unwrap()[0].tags, [tag]);
    assert!(n8n.list_workflows_tagged(&fresh("none")).await.unwrap().is_empty());
    assert!(n8n.set_tags(&id, &[]).await.unwrap().is_empty());
    let unknown = n8n.set_tags(&id, &["nope".into()]).await;
    assert!(matches!(unknown, Err(N8nError::NotFound { .. })), "{unknown:?}");
    n8n.delete_workflow(&id).await.unwrap();
}

#[tokio::test]
async fn every_workflow_is_listed_once_over_several_pages_while_others_vanish() {
    let n8n = client();
    let prefix = fresh("page");
    let mut ids = Vec::new();
    for number in 0..280 {
        let name = format!("{prefix}-{number}");
        let write = workflow(&name, vec![node("Manual", "manualTrigger", 1.0, json!({}))], json!({}));
        ids.push(n8n.create_workflow(&write).await.unwrap().id);
    }
    let (doomed, staying) = ids.split_at(30);
    let deletion = async {
        for id in doomed {
            assert!(n8n.delete_workflow(id).await.unwrap());
        }
    };
    let listing = async {
        let mut lists = Vec::new();
        for _ in 0..8 {
            lists.push(n8n.list_summaries(None).await.unwrap());
        }
        lists
    };
    let ((), lists) = tokio::join!(deletion, listing);
    for list in lists {
        let found: HashSet<&str> = list.iter().map(|w| w.id.as_str()).collect();
        assert_eq!(found.len(), list.len(), "nothing twice");
        assert!(staying.iter().all(|id| found.contains(id.as_str())), "nothing missed");
    }
    let whole: Vec<RemoteWorkflow> = n8n.list_workflows().await.unwrap();
    assert!(whole.len() >= staying.len() && whole.iter().all(|w| !w.nodes.is_empty()));
    for id in staying {
        n8n.delete_workflow(id).await.unwrap();
    }
}

#[tokio::test]
async fn executions_and_their_errors_are_read() {
    let n8n = client();
    let path = fresh("runs");
    let id = n8n.create_workflow(&webhook_workflow(&path, &path, set("fine"))).await.unwrap().id;
    publish(&n8n, &id, &path).await;
    let start = jiff::Timestamp::now();
    for _ in 0..3 {
        n8n.probe(probe(&path)).await.unwrap();
    }
    n8n.update_workflow(&id, &webhook_workflow(&path, &path, fail()), true).await.unwrap();
    let calls = AtomicUsize::new(3);
    let call = async || {
        calls.fetch_add(1, Ordering::SeqCst);
        n8n.probe(probe(&path)).await.unwrap().status
    };
    until(500, call).await;
    let calls = calls.load(Ordering::SeqCst);

    let mut query = ExecutionQuery { workflow_id: Some(id.clone()), limit: 100, started_after: Some(start), ..Default::default() };
    let mut all = Vec::new();
    for _ in 0..20 {
        all = n8n.executions(&query).await.unwrap();
        if all.len() == calls {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(all.len(), calls, "{all:?}");
    assert_eq!(all[0].status, ExecutionStatus::Error);
    assert!(all.iter().all(|run| run.workflow_id == id && run.mode == "webhook" && run.started_at >= Some(start)));
    query.limit = 2;
    assert_eq!(n8n.executions(&query).await.unwrap(), all[..2]);
    query.status = Some(ExecutionStatus::Success);
    query.limit = 100;
    assert_eq!(n8n.executions(&query).await.unwrap(), all[1..]);
    query.started_after = Some(jiff::Timestamp::now());
    assert!(n8n.executions(&query).await.unwrap().is_empty());

    let failure = n8n.execution_failure(&all[0].id).await.unwrap().expect("it failed");
    assert_eq!(failure.node.as_deref(), Some("Break"));
    assert_eq!(failure.message, "it broke");
    assert!(n8n.execution_failure(&all[1].id).await.unwrap().is_none());
    assert!(n8n.execution_failure("999999999").await.unwrap().is_none());
    delete(&n8n, &id).await;
}

#[tokio::test]
async fn forms_and_parameterised_webhooks_are_checked_without_running() {
    let n8n = client();
    let path = fresh("form");
    let mut form = node(
        "Form",
        "formTrigger",
        2.2,
        json!({ "formTitle": "T", "formFields": { "values": [{ "fieldLabel": "a" }] }, "options": { "path": path } }),
    );
    form["webhookId"] = json!(path);
    let mut hook = node("Hook", "webhook", 2.0, json!({ "path": "users/:id", "httpMethod": "GET", "options": {} }));
    hook["webhookId"] = json!(format!("dyn-{path}"));
    let id = n8n.create_workflow(&workflow(&path, vec![form, hook], json!({}))).await.unwrap().id;
    assert_eq!(n8n.check_form(&path).await.unwrap(), WebhookCheck::NotRegistered);
    n8n.publish(&id, None).await.unwrap();
    until(WebhookCheck::Registered(vec![]), async || n8n.check_form(&path).await.unwrap()).await;
    let dynamic = format!("dyn-{path}/users/7");
    let registered = WebhookCheck::Registered(vec!["GET".into()]);
    until(registered, async || n8n.check_webhook("webhook", &dynamic).await.unwrap()).await;
    let all = ExecutionQuery { workflow_id: Some(id.clone()), limit: 5, ..Default::default() };
    assert!(n8n.executions(&all).await.unwrap().is_empty(), "the checks ran nothing");
    delete(&n8n, &id).await;
}

#[tokio::test]
async fn credentials_are_created_replaced_listed_and_deleted() {
    let n8n = client();
    let name = fresh("cred");
    let data = json!({ "name": "x-token", "value": "secret" }).as_object().unwrap().clone();
    let write = CredentialWrite { name: name.clone(), kind: "httpHeaderAuth".into(), data, project_id: None };
    let made = n8n.create_credential(&write).await.unwrap();
    assert_eq!((made.name.as_str(), made.kind.as_str()), (name.as_str(), "httpHeaderAuth"));
    let renamed: CredentialUpdate = CredentialUpdate { name: format!("{name}-2"), data: None, partial: false };
    let after = n8n.update_credential(&made.id, &renamed).await.unwrap();
    assert_eq!(after.name, renamed.name);
    assert!(after.updated_at > made.updated_at && made.updated_at.is_some(), "{after:?}");
    assert_eq!(n8n.get_credential(&made.id).await.unwrap().and_then(|read| read.updated_at), after.updated_at);
    let replaced = CredentialUpdate { data: Some(write.data.clone()), ..renamed.clone() };
    assert!(n8n.update_credential(&made.id, &replaced).await.unwrap().updated_at > after.updated_at);
    let listed = n8n.list_credentials().await.unwrap();
    let one = listed.items.iter().find(|c| c.id == made.id && c.name == renamed.name && c.kind == "httpHeaderAuth").unwrap();
    assert!(one.project.is_some());
    let tested = n8n.test_credential(&made.id).await.unwrap();
    assert_eq!((tested.status.as_str(), tested.message.as_str()), ("Error", "No testing function found for this credential."));
    assert!(n8n.delete_credential(&made.id).await.unwrap());
    assert!(!n8n.delete_credential(&made.id).await.unwrap());
    assert_eq!(n8n.get_credential(&made.id).await.unwrap(), None);
    assert!(matches!(n8n.test_credential(&made.id).await, Err(N8nError::NotFound { .. })));
    assert_eq!(n8n.find_credential_schema("noSuchType").await.unwrap(), None);
    let unknown = n8n.create_credential(&CredentialWrite { kind: "noSuchType".into(), ..write }).await;
    assert!(matches!(unknown, Err(N8nError::Refused { status: 400, .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_limited_key_gets_the_scope_that_it_lacks() {
    let key = Stack::shared().tell(&["apikey", "--scopes", "workflow:read,workflow:update"]);
    let (n8n, limited) = (client(), client_with(&key));
    match limited.list_tags().await {
        Err(N8nError::Forbidden { denial: Denial::MissingScope, .. }) => {}
        other => panic!("{other:?}"),
    }
    let scopes = limited.discover().await.unwrap().unwrap();
    assert!(!scopes.0.contains("tag:list") && scopes.0.contains("workflow:read"), "{scopes:?}");
    let path = fresh("limited");
    let id = n8n.create_workflow(&webhook_workflow(&path, &path, set("1"))).await.unwrap().id;
    n8n.publish(&id, None).await.unwrap();
    match limited.update_workflow(&id, &webhook_workflow(&path, &path, set("2")), true).await {
        Err(N8nError::Forbidden { denial: Denial::SavedAsDraft { version_id: Some(version) }, .. }) => {
            assert_eq!(n8n.get_workflow(&id).await.unwrap().unwrap().version_id, Some(version));
        }
        other => panic!("{other:?}"),
    }
    delete(&n8n, &id).await;
}
