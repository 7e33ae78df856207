//! Credentials that n8n itself updates because it renews tokens: their own fields follow the Secret, and the tokens stay. On the real n8n.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{KIND, ROTATED_WITHIN, credential, id, named, secret, until_reason, value};
use crate::harness::session_server::SessionServer;
use crate::harness::world::{World, condition, ready};

/// Returns a webhook that calls a service with a credential of Metabase.
fn calling(path: &str, url: &str, credential: &str) -> Value {
    let call = json!({ "id": "n2", "name": "Call", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200, 0],
        "parameters": { "url": url, "authentication": "predefinedCredentialType", "nodeCredentialType": "metabaseApi", "options": {} },
        "credentials": { "metabaseApi": { "name": credential } } });
    json!({
        "name": path,
        "nodes": [
            { "id": "n1", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
              "webhookId": path.replace('/', "-"), "parameters": { "path": path, "responseMode": "lastNode" } },
            call,
        ],
        "connections": { "Webhook": { "main": [[{ "node": "Call", "type": "main", "index": 0 }]] } },
    })
}

/// Applies a Workflow that calls the service with the N8nCredential `metabase`.
async fn caller(world: &World, name: &str, server: &SessionServer, version: &str) -> String {
    let path = format!("{}/{name}", world.namespace);
    let uses = json!([{ "name": "Metabase", "credentialRef": { "name": "metabase" } }]);
    let url = format!("{}/{version}", server.url());
    world
        .workflow(name, json!({ "active": true, "interval": "3s", "definition": calling(&path, &url, "Metabase"), "credentials": uses }))
        .await;
    path
}

async fn metabase(world: &World, server: &SessionServer, password: &str) {
    secret(world, "metabase", json!({ "url": server.url(), "username": "reader", "password": password })).await;
    credential(world, "metabase", json!({ "type": "metabaseApi", "secretRef": { "name": "metabase" } })).await;
}

async fn updated_at(world: &World, id: &str) -> Value {
    world.n8n.api("GET", &format!("/credentials/{id}"), None).await.json()["updatedAt"].clone()
}

/// Returns all that n8n tells about a credential but the time of its last update: in its entry and its list, and in its audit.
async fn entry(world: &World, id: &str) -> Value {
    let mut entry = world.n8n.api("GET", &format!("/credentials/{id}"), None).await.json();
    let mut listed = named(&world.n8n, "metabase [wk-").await.into_iter().find(|one| one["id"] == id).expect("it is listed");
    for one in [&mut entry, &mut listed] {
        assert!(one.as_object_mut().expect("an object").remove("updatedAt").is_some(), "{one}");
    }
    let categories = json!({ "additionalOptions": { "categories": ["credentials"] } });
    let audit = world.n8n.api("POST", "/audit", Some(categories)).await.json();
    let names = |text: &str| text.matches(id).count();
    json!({ "entry": entry, "listed": listed, "in the audit": names(&audit.to_string()) })
}

async fn call(world: &World, path: &str) {
    let answer = world.n8n.webhook("GET", path).await;
    assert_eq!((answer.status, answer.json()["accepted"].as_bool()), (200, Some(true)), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_n8n_opens_is_no_edit_and_ends_when_the_password_changes() {
    let world = World::on_real_n8n("cred-session").await;
    let server = SessionServer::start().await;
    let (first, second) = (value("first"), value("second"));
    metabase(&world, &server, &first).await;
    let object = world.until_kind(KIND, "metabase", "Ready", ready).await;
    assert_eq!(object["status"]["test"]["result"], "Passed", "{object}");
    let (id, confirmed) = (id(&object), object["status"]["n8nUpdatedAt"].clone());
    let path = caller(&world, "caller", &server, "1").await;
    world.until_ready("caller").await;
    call(&world, &path).await;
    server.expire();
    call(&world, &path).await;
    let renewed = updated_at(&world, &id).await;
    assert_ne!(renewed, confirmed, "n8n has stored a session");
    let shown_of_renewal = entry(&world, &id).await;

    // Three intervals: nothing is written because of it, and nothing is reported.
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(updated_at(&world, &id).await, renewed, "a renewal by n8n causes no write");
    let events = world.events("metabase").await;
    assert!(events.iter().all(|(reason, _)| reason != "DriftReverted" && reason != "ValuesRewritten"), "{events:?}");
    assert_eq!(condition(&world.get_kind(KIND, "metabase").await, "Drifted")["status"], "False");

    // The Secret changes: the old session goes, and n8n opens another one with the new password.
    let opened = server.opened().len();
    secret(&world, "metabase", json!({ "url": server.url(), "username": "reader", "password": second })).await;
    let started = Instant::now();
    while server.opened().last() != Some(&second) {
        call(&world, &path).await;
        assert!(started.elapsed() < ROTATED_WITHIN, "the new password is not used: {:?}\n{}", server.opened(), world.operator.tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("renewed: a session with the new password {:?} after the change of the Secret, {opened} sessions before", started.elapsed());
    world.until_kind(KIND, "metabase", "Ready", ready).await;

    // An edit in the editor looks like a renewal. On request the fields of the Secret are written over it.
    let edit = json!({ "isPartialData": true, "data": { "url": server.url(), "username": "reader", "password": "of the editor" } });
    assert_eq!(world.n8n.api("PATCH", &format!("/credentials/{id}"), Some(edit)).await.status, 200);
    let edited = updated_at(&world, &id).await;
    println!("n8n tells of a renewal and of an edit: {shown_of_renewal}");
    assert_eq!(entry(&world, &id).await, shown_of_renewal, "n8n shows which of the two it was, so that edits can be distinguished now");
    world.annotate(KIND, "metabase", "requested-at", json!("now")).await;
    world.until_kind(KIND, "metabase", "the request is handled", |object| object["status"]["lastHandledRequestedAt"] == "now").await;
    assert_ne!(updated_at(&world, &id).await, edited, "the values are written");
    let events = world.events("metabase").await;
    println!("events: {events:?}");
    assert!(events.iter().any(|(reason, note)| reason == "ValuesRewritten" && note.contains("somebody edited")), "{events:?}");
    server.expire();
    call(&world, &path).await;
    assert_eq!(server.opened().last(), Some(&second), "the next one is opened with the password of the Secret");
    let metrics = world.operator.get("/metrics").await.1;
    assert!(metrics.contains(r#"weirkeeper_credential_writes_total{operation="rewrite"} 1"#), "{metrics}");
}

/// Returns the values of a credential as n8n's editor shows them: what is confidential is blank.
async fn shown(world: &World, id: &str) -> Value {
    let owner = std::fs::read_to_string(world.stack.dir.join("n8n-owner.json")).expect("the owner");
    let owner: Value = serde_json::from_str(&owner).expect("JSON");
    let url = format!("{}/rest/credentials/{id}?includeData=true", world.stack.n8n_url());
    let request = reqwest::Client::new().get(url).header("cookie", owner["session"].as_str().expect("a session"));
    let text = request.send().await.expect("n8n answers").text().await.expect("a whole answer");
    let whole: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    assert!(whole["data"]["data"].is_object(), "{text}");
    whole["data"]["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_of_an_account_are_those_of_the_secret_and_its_tokens_are_those_of_n8n() {
    let world = World::on_real_n8n("cred-account").await;
    let place = "http://127.0.0.1:9";
    let client = |id: &str| {
        json!({ "clientId": id, "clientSecret": value("client"), "authUrl": place, "accessTokenUrl": place, "grantType": "authorizationCode",
            "scope": "read" })
    };
    secret(&world, "account", client("first")).await;
    credential(&world, "account", json!({ "type": "oAuth2Api", "secretRef": { "name": "account" } })).await;
    let id = id(&until_reason(&world, "account", "Ready", "NeedsAuthorization").await);
    // n8n stores this when a person connects an account.
    let tokens = json!({ "isPartialData": true, "data": { "oauthTokenData": { "access_token": "of a test", "token_type": "bearer" } } });
    assert_eq!(world.n8n.api("PATCH", &format!("/credentials/{id}"), Some(tokens)).await.status, 200);
    world.until_kind(KIND, "account", "Ready", ready).await;

    // An edit of the fields of the Secret, and of one that the Secret does not have.
    let edit =
        json!({ "isPartialData": true, "data": { "clientId": "mine", "scope": "read write", "authQueryParameters": "prompt=none" } });
    assert_eq!(world.n8n.api("PATCH", &format!("/credentials/{id}"), Some(edit)).await.status, 200);
    assert_eq!(shown(&world, &id).await["clientId"], "mine");
    world.annotate(KIND, "account", "requested-at", json!("now")).await;
    world.until_kind(KIND, "account", "the request is handled", |object| object["status"]["lastHandledRequestedAt"] == "now").await;
    let after = shown(&world, &id).await;
    assert_eq!((&after["clientId"], &after["scope"]), (&json!("first"), &json!("read")), "{after}");
    assert_eq!(after["authQueryParameters"], "prompt=none", "a field that the Secret does not have is left");
    assert!(!after["oauthTokenData"].is_null(), "the tokens stay: {after}");

    secret(&world, "account", client("second")).await;
    let started = Instant::now();
    while shown(&world, &id).await["clientId"] != "second" {
        assert!(started.elapsed() < ROTATED_WITHIN, "{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let object = world.until_kind(KIND, "account", "Ready", ready).await;
    assert_eq!(object["status"]["test"]["result"], "Passed", "the tokens are still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_test_keeps_back_who_does_not_use_the_credential_yet() {
    let world = World::on_real_n8n("cred-failing").await;
    let server = SessionServer::start().await;
    metabase(&world, &server, &value("right")).await;
    world.until_kind(KIND, "metabase", "Ready", ready).await;
    let path = caller(&world, "old", &server, "1").await;
    world.until_ready("old").await;
    call(&world, &path).await;

    // The service refuses from now on, and the test says so on the credential and on the workflow, which stays published and Ready.
    server.refuse(true);
    world.annotate(KIND, "metabase", "requested-at", json!("1")).await;
    until_reason(&world, "metabase", "Ready", "TestFailed").await;
    let object = world.until_reason("old", "CredentialsReady", "CredentialNotReady").await;
    assert!(
        condition(&object, "CredentialsReady")["message"].as_str().is_some_and(|text| text.contains("its test in n8n failed")),
        "{object}"
    );
    assert_eq!(object["status"]["requiredCredentials"][0]["state"], "Invalid");
    let version = world.until_ready("old").await["status"]["activeVersion"].clone();

    // A new version of what uses it is published, for it may be the cure; a workflow that would begin to use it waits.
    caller(&world, "old", &server, "2").await;
    let next = |object: &Value| ready(object) && object["status"]["activeVersion"] != version;
    world.until("old", "the new version is published", next).await;
    let waiting = caller(&world, "new", &server, "1").await;
    let object = world.until_reason("new", "Ready", "CredentialNotReady").await;
    assert_eq!(object["status"]["requiredCredentials"][0]["state"], "Invalid");
    assert_eq!(world.n8n.webhook("GET", &waiting).await.status, 404, "it is not published");

    server.refuse(false);
    world.annotate(KIND, "metabase", "requested-at", json!("2")).await;
    world.until_kind(KIND, "metabase", "Ready", ready).await;
    for name in ["old", "new"] {
        let object =
            world.until(name, "its credentials are ready", |object| condition(object, "CredentialsReady")["status"] == "True").await;
        assert_eq!(object["status"]["requiredCredentials"][0]["state"], "Satisfied");
        world.until_ready(name).await;
    }
    call(&world, &waiting).await;
}
