//! Workflows that name N8nCredentials: they wait for them, share them, and follow them to another id. With the real n8n.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::kubectl::read;
use crate::harness::n8n::{answering, id, with_node};
use crate::harness::stack::rand;
use crate::harness::world::{World, condition, current, ready};

fn path(world: &World, name: &str) -> String {
    format!("{}/{name}", world.namespace)
}

/// A workflow that answers only calls with the header of a credential, which it calls `Guard`.
fn guarded(path: &str) -> Value {
    let mut definition = answering(path, "1");
    definition["nodes"][0]["parameters"]["authentication"] = json!("headerAuth");
    definition["nodes"][0]["credentials"] = json!({ "httpHeaderAuth": { "id": "OLD", "name": "Guard" } });
    definition
}

fn named(definition: &Value, credential: &str) -> Value {
    json!({ "active": true, "interval": "3s", "definition": definition, "credentials": [{ "name": "Guard", "credentialRef": { "name": credential } }] })
}

fn value() -> String {
    format!("{:x}{:x}", rand(), rand())
}

async fn secret(world: &World, namespace: &str, name: &str, data: Value) {
    world
        .apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": namespace }, "stringData": data }))
        .await;
}

async fn credential(world: &World, namespace: &str, name: &str, more: Value) {
    let mut spec = json!({ "instanceRef": { "name": "main" }, "type": "httpHeaderAuth", "secretRef": { "name": name }, "interval": "3s" });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world
        .apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nCredential", "metadata": { "name": name, "namespace": namespace }, "spec": spec }))
        .await;
}

/// Makes a credential whose header has a value of its own, and returns that.
async fn header(world: &World, name: &str) -> String {
    let value = value();
    secret(world, &world.namespace, name, json!({ "name": "X-Guard", "value": value })).await;
    credential(world, &world.namespace, name, json!({})).await;
    value
}

/// Returns the status of calls without the header and with it.
async fn answers(world: &World, path: &str, value: &str) -> [u16; 2] {
    let url = format!("{}/webhook/{path}", world.n8n.webhooks);
    let http = reqwest::Client::new();
    let without = http.get(&url).send().await.expect("n8n answers").status().as_u16();
    let with = http.get(&url).header("X-Guard", value).send().await.expect("n8n answers").status().as_u16();
    [without, with]
}

async fn bound(world: &World, name: &str) -> Value {
    let id = id(&world.get(name).await);
    world.n8n.workflow(&id).await["nodes"][0]["credentials"]["httpHeaderAuth"]["id"].clone()
}

async fn until_credential(world: &World, name: &str, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
    world.until_kind("N8nCredential", name, wanted, holds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workflows_wait_for_one_credential_share_it_and_follow_it() {
    let world = World::on_real_n8n("cred-ref").await;
    for name in ["a", "b"] {
        world.workflow(name, named(&guarded(&path(&world, name)), "guard")).await;
    }
    let mut generations = Vec::new();
    for name in ["a", "b"] {
        let waiting = world.until_reason(name, "CredentialsReady", "CredentialNotFound").await;
        let message = condition(&waiting, "Ready")["message"].as_str().unwrap();
        assert!(message.contains("N8nCredential guard") && message.contains("weirkeeper credentials"), "{message}");
        let required = &waiting["status"]["requiredCredentials"];
        assert_eq!(
            (&required[0]["state"], &required[0]["nodes"], &required[0]["credentialRef"]),
            (&json!("Missing"), &json!(["Webhook"]), &json!("guard")),
            "{required}"
        );
        assert_eq!(condition(&waiting, "Stalled")["status"], "False", "nobody has to touch the Workflow");
        assert_eq!(bound(&world, name).await, Value::Null, "nothing else is bound in its place");
        generations.push(waiting["metadata"]["generation"].clone());
    }
    let value = header(&world, "guard").await;
    let made = until_credential(&world, "guard", "it is in n8n", ready).await;
    let first = made["status"]["n8nCredentialId"].clone();
    for (name, generation) in ["a", "b"].into_iter().zip(&generations) {
        let live = world.until_ready(name).await;
        assert_eq!(live["metadata"]["generation"], *generation, "it went live untouched");
        assert_eq!(live["status"]["requiredCredentials"][0]["state"], "Satisfied");
        assert_eq!(live["status"]["credentialRefs"], json!(["guard"]));
        assert_eq!(bound(&world, name).await, first);
        assert_eq!(answers(&world, &path(&world, name), &value).await, [403, 200]);
    }
    until_credential(&world, "guard", "both users are counted", |object| object["status"]["usedBy"] == 2).await;
    // Deleted in n8n, it gets another id, and the workflows follow.
    world.n8n.api("DELETE", &format!("/credentials/{}", first.as_str().unwrap()), None).await;
    let moved = until_credential(&world, "guard", "it is created again", |object| {
        ready(object) && object["status"]["n8nCredentialId"].is_string() && object["status"]["n8nCredentialId"] != first
    })
    .await;
    let second = moved["status"]["n8nCredentialId"].clone();
    for name in ["a", "b"] {
        let id = id(&world.get(name).await);
        let started = std::time::Instant::now();
        while world.n8n.workflow(&id).await["nodes"][0]["credentials"]["httpHeaderAuth"]["id"] != second {
            assert!(started.elapsed().as_secs() < 60, "{name} still has the old id: {}", world.get(name).await["status"]);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        world.until_ready(name).await;
        assert_eq!(answers(&world, &path(&world, name), &value).await, [403, 200]);
    }
    // While it is used it stays, and what serves keeps serving.
    world.api("N8nCredential").delete("guard", &Default::default()).await.expect("the API server deletes");
    until_credential(&world, "guard", "its deletion waits", |object| condition(object, "Ready")["reason"] == "CredentialInUse").await;
    world.delete("a").await;
    assert_eq!(answers(&world, &path(&world, "b"), &value).await, [403, 200]);
    world.delete("b").await;
    until_credential(&world, "guard", "it is gone", Value::is_null).await;
    let gone = world.n8n.api("DELETE", &format!("/credentials/{}", second.as_str().unwrap()), None).await;
    assert_eq!(gone.status, 404, "nothing is left behind: {}", gone.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_another_type_instance_or_namespace_is_never_used() {
    let world = World::on_real_n8n("cred-other").await;
    world.instance("second", &world.stack.n8n_url(), &world.stack.n8n_key(), json!({})).await;
    let foreign = format!("{}-team", world.namespace);
    world.namespace(&foreign).await;
    secret(&world, &world.namespace, "basic", json!({ "user": "u", "password": value() })).await;
    credential(&world, &world.namespace, "basic", json!({ "type": "httpBasicAuth" })).await;
    secret(&world, &world.namespace, "elsewhere", json!({ "name": "X-Guard", "value": value() })).await;
    credential(&world, &world.namespace, "elsewhere", json!({ "instanceRef": { "name": "second" } })).await;
    secret(&world, &foreign, "theirs", json!({ "name": "X-Guard", "value": value() })).await;
    credential(&world, &foreign, "theirs", json!({ "instanceRef": { "name": "main", "namespace": world.namespace } })).await;
    for name in ["basic", "elsewhere"] {
        until_credential(&world, name, "it is in n8n", ready).await;
    }
    for (name, reason, state, part) in [
        ("basic", "CredentialMismatch", "Invalid", "has type httpBasicAuth"),
        ("elsewhere", "CredentialMismatch", "Invalid", "another N8nInstance"),
        ("theirs", "CredentialNotFound", "Missing", "does not exist in this namespace"),
    ] {
        world.workflow(name, named(&guarded(&path(&world, name)), name)).await;
        let refused = world.until_reason(name, "CredentialsReady", reason).await;
        let message = condition(&refused, "CredentialsReady")["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
        assert_eq!(refused["status"]["requiredCredentials"][0]["state"], state);
        assert_eq!(bound(&world, name).await, Value::Null);
        world.n8n.expect_no_workflow(&path(&world, name)).await;
    }
    let mut spec = named(&guarded(&path(&world, "d")), "theirs");
    spec["credentials"][0]["credentialRef"]["namespace"] = json!(foreign);
    let refused = world.try_workflow("d", spec).await.expect_err("no reference leads out of the namespace").to_string();
    assert!(refused.contains("credentialRef.namespace"), "{refused}");
    // Both or none is refused by the API server.
    let mut both = named(&guarded(&path(&world, "e")), "basic");
    both["credentials"][0]["existing"] = json!({ "id": "7" });
    let refused = world.try_workflow("e", both).await.expect_err("exactly one").to_string();
    assert!(refused.contains("exactly one of credentialRef and existing must be set"), "{refused}");
    // The right one, and it goes live.
    let value = header(&world, "right").await;
    world.workflow("basic", named(&guarded(&path(&world, "basic")), "right")).await;
    world.until("basic", "it is live", |object| ready(object) && current(object)).await;
    assert_eq!(answers(&world, &path(&world, "basic"), &value).await, [403, 200]);
}

/// Runs the command on a file and returns its output.
fn weirkeeper(arguments: &[&str], more: &BTreeMap<&str, String>) -> (Option<i32>, String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_weirkeeper")).args(arguments).envs(more).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (run.status.code(), text(run.stdout), text(run.stderr))
}

/// Applies a stream of manifests as kubectl reads them.
async fn apply_all(world: &World, text: &str) -> Vec<Value> {
    let mut applied = Vec::new();
    for item in read(world, text) {
        let mut object =
            json!({ "apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": { "name": item["metadata"]["name"] } });
        for part in ["spec", "stringData"] {
            if !item[part].is_null() {
                object[part] = item[part].clone();
            }
        }
        world.apply(object.clone()).await;
        applied.push(object);
    }
    applied
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_credentials_works_once_its_values_are_filled_in() {
    let world = World::on_real_n8n("cred-cli").await;
    let mut spec = named(&guarded(&path(&world, "a")), "front-door");
    spec["instanceRef"] = json!({ "name": "main" });
    let workflow = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "a" }, "spec": spec });
    let file = std::env::temp_dir().join(format!("{}-workflow.json", world.namespace));
    std::fs::write(&file, workflow.to_string()).expect("a file is written");
    let (code, skeletons, stderr) = weirkeeper(&["credentials", file.to_str().unwrap()], &BTreeMap::new());
    let _ = std::fs::remove_file(&file);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(skeletons.contains("\n  name: REPLACE-ME\n") && skeletons.contains("\n  value: REPLACE-ME\n"), "{skeletons}");
    let value = value();
    let filled = skeletons.replace("name: REPLACE-ME", "name: X-Guard").replace("value: REPLACE-ME", &format!("value: {value}"));
    world.apply(workflow).await;
    world.until_reason("a", "CredentialsReady", "CredentialNotFound").await;
    let kinds: Vec<Value> = apply_all(&world, &filled).await.into_iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds, ["N8nCredential", "Secret"]);
    world.until_ready("a").await;
    assert_eq!(answers(&world, &path(&world, "a"), &value).await, [403, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_credentials_are_adopted_with_the_workflows_that_use_them() {
    let world = World::on_real_n8n("cred-import").await;
    let value = value();
    let title = format!("Guard {}", world.namespace);
    let data = json!({ "name": "X-Guard", "value": value });
    let made = world.n8n.api("POST", "/credentials", Some(json!({ "name": title, "type": "httpHeaderAuth", "data": data }))).await;
    let credential = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let mut definition = guarded(&path(&world, "a"));
    definition["nodes"][0]["credentials"]["httpHeaderAuth"] = json!({ "id": credential, "name": title });
    let made = world.n8n.api("POST", "/workflows", Some(definition)).await;
    let workflow = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let published = world.n8n.api("POST", &format!("/workflows/{workflow}/publish"), Some(json!({}))).await;
    assert_eq!(published.status, 200, "{}", published.text);
    assert_eq!(answers(&world, &path(&world, "a"), &value).await, [403, 200]);

    let key = world.stack.dir.join("n8n-api-key");
    let url = world.stack.n8n_url();
    let arguments =
        ["import", "--url", &url, "--instance", "main", "--api-key-file", key.to_str().unwrap(), "--with-credentials", "--id", &workflow];
    let (code, text, stderr) = weirkeeper(&arguments, &BTreeMap::new());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!text.contains(&value), "no value is written");
    let objects = apply_all(&world, &text).await;
    let object = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("{text}"));
    let (own, its) =
        (object("N8nCredential")["metadata"]["name"].as_str().unwrap(), object("Workflow")["metadata"]["name"].as_str().unwrap());
    assert_eq!(object("N8nCredential")["spec"]["adopt"]["id"], json!(credential));
    // Without its Secret it waits, and nothing that serves changes.
    world.until(its, "it waits for its credential", |object| condition(object, "CredentialsReady")["status"] == "False").await;
    assert_eq!(answers(&world, &path(&world, "a"), &value).await, [403, 200]);
    secret(&world, &world.namespace, own, json!({ "name": "X-Guard", "value": value })).await;
    until_credential(&world, own, "it is adopted", ready).await;
    world.until_ready(its).await;
    let after = world.n8n.workflow(&workflow).await;
    assert_eq!((&after["active"], &after["nodes"][0]["credentials"]["httpHeaderAuth"]["id"]), (&json!(true), &json!(credential)));
    assert_eq!(answers(&world, &path(&world, "a"), &value).await, [403, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_goes_live_once_a_person_has_authorised_its_credential() {
    let world = World::on_real_n8n("cred-oauth").await;
    let place = "http://127.0.0.1:9";
    let data =
        json!({ "clientId": "id", "clientSecret": value(), "authUrl": place, "accessTokenUrl": place, "grantType": "authorizationCode" });
    secret(&world, &world.namespace, "account", data).await;
    credential(&world, &world.namespace, "account", json!({ "type": "oAuth2Api" })).await;
    let ask = json!({ "name": "Ask", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [400, 0],
        "parameters": { "url": place, "authentication": "genericCredentialType", "genericAuthType": "oAuth2Api", "options": {} },
        "credentials": { "oAuth2Api": { "name": "Guard" } } });
    let definition = with_node(answering(&path(&world, "a"), "1"), ask);
    world.workflow("a", named(&definition, "account")).await;
    // The status is also written while a reconciliation runs, before its conditions.
    let waits = |object: &Value| {
        condition(object, "CredentialsReady")["message"].as_str().is_some_and(|message| message.contains("connect the account"))
    };
    let holds =
        |object: &Value| object["status"]["requiredCredentials"][0]["state"] == "NeedsAuthorization" && waits(object) && current(object);
    let waiting = world.until("a", "it needs an authorisation", holds).await;
    let message = condition(&waiting, "CredentialsReady")["message"].as_str().unwrap();
    assert!(message.contains("in n8n under Credentials and connect the account"), "{message}");
    world.n8n.expect_no_workflow(&path(&world, "a")).await;
    let made = world.get_kind("N8nCredential", "account").await;
    let id = made["status"]["n8nCredentialId"].as_str().unwrap();
    // The fields that n8n itself writes when the account is connected.
    let tokens = json!({ "access_token": value(), "token_type": "Bearer" });
    let connected = json!({ "isPartialData": true, "data": { "oauthTokenData": tokens } });
    let answer = world.n8n.api("PATCH", &format!("/credentials/{id}"), Some(connected)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let live = world.until_ready("a").await;
    assert_eq!(live["metadata"]["generation"], waiting["metadata"]["generation"], "nobody touched it");
    world.n8n.expect_version(&path(&world, "a"), "1").await;
}
