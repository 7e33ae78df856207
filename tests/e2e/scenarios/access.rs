//! Access of other namespaces to an N8nInstance, and the information that they get about one that they may not use. On the real n8n.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};

/// Applies a Workflow in another namespace that refers to instance `main` of this world.
async fn apply(world: &World, namespace: &str, more: Value) {
    let reference = json!({ "name": "main", "namespace": world.namespace });
    let mut spec =
        json!({ "instanceRef": reference, "active": true, "interval": "2s", "definition": answering(&format!("{namespace}/a"), "1") });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let metadata = json!({ "name": "a", "namespace": namespace });
    world.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec })).await;
}

/// Returns a status without its times.
fn status_without_times(object: &Value) -> Value {
    let mut status = object["status"].clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition.as_object_mut().expect("a condition").remove("lastTransitionTime");
    }
    status
}

/// Requests a reconciliation of a Workflow in another namespace and waits until it was reported.
async fn reconcile(world: &World, namespace: &str, token: &str) -> Value {
    let patch = json!({ "metadata": { "annotations": { "weirkeeper.dev/requested-at": token } } });
    let api = world.api_in(namespace, "Workflow");
    api.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await.expect("the API server patches");
    world.until_in(namespace, "a", "it was reconciled", |object| object["status"]["lastHandledRequestedAt"] == token).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_does_not_allow_a_namespace_is_reported_as_one_that_does_not_exist() {
    let stack = Stack::shared();
    let (url, key) = (stack.n8n_url(), stack.n8n_key());
    let world = World::bare(stack, "oracle", &url, &key).await;
    let other = format!("{}-team", world.namespace);
    world.namespace(&other).await;
    apply(&world, &other, json!({})).await;
    world.until_in(&other, "a", "there is no instance", |object| condition(object, "Ready")["reason"] == "InstanceNotFound").await;
    let absent = status_without_times(&reconcile(&world, &other, "same").await);
    for allowed in [json!({}), json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": { "team": "nobody" } } } })]
    {
        world.instance("main", &url, &key, allowed).await;
        // Once a second Workflow works, the operator knows the instance.
        world.until_kind("N8nInstance", "main", "it is Ready", ready).await;
        world.workflow("own", json!({ "definition": answering("own", "1") })).await;
        world.until_ready("own").await;
        reconcile(&world, &other, "later").await;
        let denied = status_without_times(&reconcile(&world, &other, "same").await);
        assert_eq!(denied.to_string(), absent.to_string());
    }
    world.instance("main", &url, &key, json!({ "allowedNamespaces": { "from": "All" } })).await;
    world.until_in(&other, "a", "it is published automatically", ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_another_namespace_needs_a_grant_and_is_used_as_soon_as_it_has_one() {
    let world = World::on_real_n8n("credentialgrant").await;
    let (url, key) = (world.stack.n8n_url(), world.stack.n8n_key());
    let other = format!("{}-team", world.namespace);
    world.namespace(&other).await;
    let title = format!("Basic {}", world.namespace);
    let data = json!({ "user": "u", "password": format!("{:x}", crate::harness::stack::rand()) });
    let made = world.n8n.api("POST", "/credentials", Some(json!({ "name": title, "type": "httpBasicAuth", "data": data }))).await;
    let credential = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let mut definition = answering(&format!("{other}/a"), "1");
    definition["nodes"][0]["parameters"]["authentication"] = json!("basicAuth");
    definition["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "Ours" } });
    let mapping = json!([{ "name": "Ours", "existing": { "name": title } }]);
    let all = json!({ "from": "All" });
    world.instance("main", &url, &key, json!({ "allowedNamespaces": all })).await;
    apply(&world, &other, json!({ "credentials": mapping, "definition": definition })).await;
    let refused = |object: &Value| current(object) && condition(object, "CredentialsReady")["reason"] == "CredentialNotGranted";
    let refused = world.until_in(&other, "a", "the credential is not granted", refused).await;
    assert_eq!(condition(&refused, "Ready")["reason"], "CredentialNotGranted");
    assert_eq!(condition(&refused, "Stalled")["status"], "True");
    assert!(condition(&refused, "Ready")["message"].as_str().unwrap().contains("spec.grants[].credentials"), "{refused}");
    let observed = world.n8n.workflows().await;
    assert!(!observed.iter().any(|workflow| workflow["active"] == true && workflow.to_string().contains(&other)), "nothing is published");
    assert!(!format!("{observed:?}").contains(&format!("\"id\": String({credential:?})")), "nothing is bound to the credential");
    let grants = json!([{ "namespaces": [other], "credentials": [title] }]);
    world.instance("main", &url, &key, json!({ "allowedNamespaces": all, "grants": grants })).await;
    let live = world.until_in(&other, "a", "it is published automatically", ready).await;
    let observed = world.n8n.workflow(live["status"]["n8nWorkflowId"].as_str().expect("an id")).await;
    assert_eq!(observed["nodes"][0]["credentials"]["httpBasicAuth"]["id"], json!(credential));
    assert_eq!(observed["active"], true);
    world.n8n.api("DELETE", &format!("/credentials/{credential}"), None).await;
}
