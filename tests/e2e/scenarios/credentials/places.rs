//! Where a credential may be: its project in n8n, grants that are taken back, and the namespace of the operator. On the real n8n.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{KIND, credential, id, made, named, secret, until_reason, value};
use crate::harness::world::{PATIENCE, World, condition, ready};
use crate::scenarios::projects::second_project;

/// Returns the project that holds a credential.
async fn project(world: &World, start: &str) -> String {
    let all = named(&world.n8n, start).await;
    let owner = all[0]["shared"].as_array().and_then(|shared| shared.iter().find(|one| one["role"] == "credential:owner"));
    owner.expect("an owner")["id"].as_str().expect("an id").to_owned()
}

async fn until_in(world: &World, start: &str, wanted: &str) {
    let started = std::time::Instant::now();
    while project(world, start).await != wanted {
        assert!(started.elapsed() < PATIENCE, "it stays in another project\n{}", world.operator.tail());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_kept_in_its_project_by_the_policy_without_a_licence() {
    let world = World::on_real_n8n("cred-project").await;
    let second = second_project(&world.stack).await;
    let object = made(&world, "placed", &value("placed")).await;
    let (id, first) = (id(&object), project(&world, "placed [wk-").await);
    let with =
        |project: &str, policy: &str| json!({ "secretRef": { "name": "placed" }, "project": { "id": project }, "driftPolicy": policy });
    let transfer = async |to: &str| {
        let body = json!({ "destinationProjectId": to });
        assert_eq!(world.n8n.api("PUT", &format!("/credentials/{id}/transfer"), Some(body)).await.status, 204);
    };
    credential(&world, "placed", with(&second, "Revert")).await;
    until_in(&world, "placed [wk-", &second).await;
    world.until_kind(KIND, "placed", "Ready", |object| ready(object) && object["status"]["project"] == json!(second)).await;
    // Moved by somebody in n8n.
    transfer(&first).await;
    until_in(&world, "placed [wk-", &second).await;
    world.until_event("placed", "DriftReverted", "moved to another project").await;
    credential(&world, "placed", with(&second, "Report")).await;
    world.until_kind(KIND, "placed", "Ready", ready).await;
    transfer(&first).await;
    let object = until_reason(&world, "placed", "Ready", "DriftReported").await;
    assert!(condition(&object, "Ready")["message"].as_str().is_some_and(|text| text.contains("moved to another project")), "{object}");
    assert_eq!(project(&world, "placed [wk-").await, first, "it is left there");
    // A project that n8n does not have, and one at creation.
    credential(&world, "placed", with("nosuchproject", "Revert")).await;
    let object = until_reason(&world, "placed", "Ready", "ProjectNotFound").await;
    println!("project: {}", condition(&object, "Ready")["message"]);
    credential(&world, "born", json!({ "secretRef": { "name": "placed" }, "project": { "id": second } })).await;
    world.until_kind(KIND, "born", "Ready", ready).await;
    assert_eq!(project(&world, "born [wk-").await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_no_longer_allowed_changes_nothing_in_n8n_and_can_still_delete() {
    let world = World::on_real_n8n("cred-revoked").await;
    let (url, key) = (world.stack.n8n_url(), world.stack.n8n_key());
    world.instance("main", &url, &key, json!({ "allowedNamespaces": { "from": "All" } })).await;
    let team = format!("{}-team", world.namespace);
    world.namespace(&team).await;
    let (first, second) = (value("first"), value("second"));
    let give = async |value: &str| {
        let keys = json!({ "name": "X-Api-Key", "value": value });
        let metadata = json!({ "name": "own", "namespace": team });
        world.apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys })).await;
    };
    give(&first).await;
    let spec = json!({ "instanceRef": { "name": "main", "namespace": world.namespace }, "type": "httpHeaderAuth", "interval": "5s",
        "secretRef": { "name": "own" } });
    let metadata = json!({ "name": "revoked", "namespace": team });
    world.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": KIND, "metadata": metadata, "spec": spec })).await;
    let object = world.until_there(&team, KIND, "revoked", "Ready", ready).await;
    let updated = async || world.n8n.api("GET", &format!("/credentials/{}", id(&object)), None).await.json()["updatedAt"].clone();
    let before = updated().await;

    world.instance("main", &url, &key, json!({ "allowedNamespaces": { "from": "Same" } })).await;
    let denied = |object: &Value| condition(object, "Ready")["reason"] == "InstanceNotFound";
    let revoked = world.until_there(&team, KIND, "revoked", "it says that the instance is not for it", denied).await;
    println!("revoked: {}", condition(&revoked, "Ready")["message"]);
    give(&second).await;
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert_eq!(updated().await, before, "its values are not sent any more");
    // The credential that it made can still be deleted.
    world.api_in(&team, KIND).delete("revoked", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_there(&team, KIND, "revoked", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.api("GET", &format!("/credentials/{}", id(&object)), None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_namespace_of_the_operator_each_credential_says_which_one_is_missing() {
    let mut world = World::on_real_n8n("cred-homeless").await;
    let home = format!("{}-home", world.namespace);
    world.operator.restart_with(&["--lease-namespace", &home, "--leader-elect", "off"]);
    secret(&world, "one", json!({ "name": "X-Api-Key", "value": value("one") })).await;
    credential(&world, "one", json!({ "secretRef": { "name": "one" } })).await;
    let object = until_reason(&world, "one", "Ready", "RequestFailed").await;
    let message = condition(&object, "Ready")["message"].as_str().expect("a message");
    println!("no namespace: {message}");
    for part in
        [format!("namespace {home} does not exist").as_str(), "weirkeeper-hash-key", "create it with the Roles", "--lease-namespace"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    world.namespace(&home).await;
    // The operator's Role is in the namespace of the chart; this one is another.
    let revoked =
        |object: &Value| ready(object) || condition(object, "Ready")["message"].as_str().is_some_and(|text| text.contains("add the Roles"));
    world.until_kind(KIND, "one", "the namespace is noticed", revoked).await;
}
