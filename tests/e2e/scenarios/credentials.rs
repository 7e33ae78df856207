//! N8nCredentials on the real n8n: made from Secrets, used by running workflows, rotated, put right, adopted and deleted.

mod kills;
mod places;
mod rates;
mod renewed;
mod restored;
mod rules;
mod secrecy;
mod secrets;
mod skeletons;
mod tested;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::header_server::HeaderServer;
use crate::harness::n8n::N8n;
use crate::harness::stack::rand;
use crate::harness::world::{World, condition, current, ready};

pub(super) const KIND: &str = "N8nCredential";

/// Time within which a changed Secret is in n8n, with the time that a busy machine takes.
const ROTATED_WITHIN: Duration = Duration::from_secs(60);

/// Returns a value that looks like no other and like no known key.
pub(super) fn value(of: &str) -> String {
    format!("{of}-{:016x}{:016x}", rand(), rand())
}

/// Applies a Secret with these keys.
pub(super) async fn secret(world: &World, name: &str, keys: Value) {
    world.apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": keys })).await;
}

/// Applies an N8nCredential of instance `main` for header authentication, with `spec` merged over that.
pub(super) async fn credential(world: &World, name: &str, spec: Value) {
    let mut whole = json!({ "instanceRef": { "name": "main" }, "type": "httpHeaderAuth", "interval": "5s" });
    whole.as_object_mut().expect("an object").extend(spec.as_object().cloned().unwrap_or_default());
    world.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": KIND, "metadata": { "name": name }, "spec": whole })).await;
}

/// Makes a Secret and a credential of one name, and returns the object once it is Ready.
pub(super) async fn made(world: &World, name: &str, value: &str) -> Value {
    secret(world, name, json!({ "name": "X-Api-Key", "value": value })).await;
    credential(world, name, json!({ "secretRef": { "name": name } })).await;
    world.until_kind(KIND, name, "Ready", ready).await
}

pub(super) fn id(object: &Value) -> String {
    object["status"]["n8nCredentialId"].as_str().expect("an id").to_owned()
}

pub(super) async fn until_reason(world: &World, name: &str, kind: &str, reason: &str) -> Value {
    let wanted = format!("{kind} is {reason}");
    world.until_kind(KIND, name, &wanted, |object| current(object) && condition(object, kind)["reason"] == reason).await
}

/// Returns the credentials of n8n whose name begins with a text.
pub(super) async fn named(n8n: &N8n, start: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = n8n.api("GET", &format!("/credentials?limit=250{cursor}"), None).await.json();
        all.extend(page["data"].as_array().cloned().unwrap_or_default());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    all.retain(|one| one["name"].as_str().is_some_and(|name| name.starts_with(start)));
    all
}

/// Returns a webhook that calls a server with a credential, and answers with the server's answer.
fn calling(path: &str, url: &str, id: &str) -> Value {
    json!({
        "name": path,
        "nodes": [
            { "id": "n1", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0], "webhookId": path.replace('/', "-"),
              "parameters": { "path": path, "responseMode": "lastNode" } },
            { "id": "n2", "name": "Call", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200, 0],
              "parameters": { "url": url, "authentication": "genericCredentialType", "genericAuthType": "httpHeaderAuth", "options": {} },
              "credentials": { "httpHeaderAuth": { "id": id, "name": "any" } } },
        ],
        "connections": { "Webhook": { "main": [[{ "node": "Call", "type": "main", "index": 0 }]] } },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_workflow_uses_a_credential_and_goes_on_with_the_next_value_when_the_secret_changes() {
    let world = World::on_real_n8n("cred-use").await;
    let (first, second) = (value("first"), value("second"));
    let server = HeaderServer::start("x-api-key").await;
    server.accept(&[&first, &second]);
    secret(&world, "billing", json!({ "name": "X-Api-Key", "value": first })).await;
    // Its own interval is long, so that only the change of the Secret can start a reconciliation.
    credential(&world, "billing", json!({ "secretRef": { "name": "billing" }, "interval": "1h" })).await;
    let object = world.until_kind(KIND, "billing", "Ready", ready).await;
    let id = id(&object);
    assert_eq!((object["status"]["type"].as_str(), object["status"]["origin"].as_str()), (Some("httpHeaderAuth"), Some("Created")));
    assert_eq!(condition(&object, "Tested")["reason"], "NotTestable", "n8n has no test for this type");
    let shown = named(&world.n8n, "billing [wk-").await;
    assert!(shown.iter().any(|one| one["id"] == json!(id)), "{shown:?}");

    // The instance is in the same namespace, so that the workflow may use the credential by its id.
    let path = format!("{}/call", world.namespace);
    let mapping = json!([{ "name": "any", "existing": { "id": id } }]);
    world.workflow("call", json!({ "active": true, "definition": calling(&path, &server.url(), &id), "credentials": mapping })).await;
    world.until_ready("call").await;
    let before = world.get("call").await["status"]["activeVersion"].clone();

    // Calls go on while the Secret changes: each is answered, with the old value or the new one.
    let started = Instant::now();
    secret(&world, "billing", json!({ "name": "X-Api-Key", "value": second })).await;
    let mut calls = 0;
    while server.last().as_deref() != Some(second.as_str()) {
        let answer = world.n8n.webhook("GET", &path).await;
        assert_eq!((answer.status, answer.json()["accepted"].as_bool()), (200, Some(true)), "call {calls}: {}", answer.text);
        calls += 1;
        assert!(started.elapsed() < ROTATED_WITHIN, "the new value is not used after {calls} calls\n{}", world.operator.tail());
    }
    println!("rotation: the new value was used {:?} after the change of the Secret, {calls} calls, none failed", started.elapsed());
    // From now on the old value is refused.
    server.accept(&[&second]);
    for _ in 0..20 {
        let answer = world.n8n.webhook("GET", &path).await;
        assert_eq!(answer.json()["accepted"], true, "{}", answer.text);
    }
    assert_eq!(world.get("call").await["status"]["activeVersion"], before, "the workflow was not touched");
    assert_eq!(id, self::id(&world.get_kind(KIND, "billing").await), "it is changed in place");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_while_nothing_changes() {
    let (standin, world) = World::on_stand_in("cred-idle", json!({})).await;
    secret(&world, "idle", json!({ "accessToken": value("idle") })).await;
    credential(&world, "idle", json!({ "type": "slackApi", "secretRef": { "name": "idle" } })).await;
    let object = world.until_kind(KIND, "idle", "Ready", ready).await;
    let (version, writes) = (object["metadata"]["resourceVersion"].clone(), writes(&standin));
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(world.get_kind(KIND, "idle").await["metadata"]["resourceVersion"], version, "nothing is written to Kubernetes");
    assert_eq!(self::writes(&standin), writes, "nothing is written to n8n");
}

fn writes(standin: &crate::standin::StandIn) -> usize {
    let log = standin.log();
    ["POST", "PATCH", "PUT", "DELETE"].iter().map(|method| log.count(method, "/api/v1/credentials")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_and_missing_secrets_are_reported_by_name_before_n8n_is_asked() {
    let world = World::on_real_n8n("cred-fields").await;
    let hidden = value("hidden");
    // A missing Secret is waited for.
    credential(&world, "late", json!({ "secretRef": { "name": "late" } })).await;
    let object = until_reason(&world, "late", "Ready", "SecretNotFound").await;
    assert_eq!(condition(&object, "Stalled")["status"], "False", "nobody has to act but to create it");
    secret(&world, "late", json!({ "name": "X-Api-Key", "value": hidden })).await;
    world.until_kind(KIND, "late", "Ready", ready).await;

    // Unknown and mistyped fields, and an unknown type.
    secret(&world, "db", json!({ "hots": hidden, "port": hidden, "sshTunnel": hidden, "ssl": hidden })).await;
    credential(&world, "db", json!({ "type": "postgres", "secretRef": { "name": "db" } })).await;
    let object = until_reason(&world, "db", "Ready", "InvalidCredential").await;
    let message = condition(&object, "Ready")["message"].as_str().expect("a message");
    for wanted in [r#"did you mean "host"?"#, r#"field "port" must be a number"#, "true or false", "one of allow, disable, require"] {
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    assert!(!message.contains(&hidden) && named(&world.n8n, "db [wk-").await.is_empty());
    secret(&world, "gmail", json!({ "email": "a@example.com" })).await;
    credential(&world, "gmail", json!({ "type": "googleApi", "secretRef": { "name": "gmail" } })).await;
    let object = until_reason(&world, "gmail", "Ready", "InvalidCredential").await;
    assert!(
        condition(&object, "Ready")["message"].as_str().is_some_and(|text| text.contains(r#"field "privateKey" is missing"#)),
        "{object}"
    );
    credential(&world, "what", json!({ "type": "noSuchApi", "secretRef": { "name": "late" } })).await;
    until_reason(&world, "what", "Ready", "UnknownCredentialType").await;

    // Typed values reach n8n as it wants them.
    let field = |name: &str, text: &str| json!({ "field": name, "value": text });
    let data = json!([field("host", "127.0.0.1"), field("port", "1"), field("sshTunnel", "false"),
        { "field": "password", "secretKeyRef": { "name": "late", "key": "value" } }]);
    credential(&world, "typed", json!({ "type": "postgres", "data": data })).await;
    let object = until_reason(&world, "typed", "Tested", "TestFailed").await;
    let message = condition(&object, "Tested")["message"].as_str().expect("a message");
    assert!(message.contains("failed") && !message.contains(&hidden), "{message}");
    assert_eq!(condition(&object, "Synced")["status"], "True");

    // A deleted Secret changes nothing in n8n.
    let credential_id = id(&world.get_kind(KIND, "late").await);
    world.api("Secret").delete("late", &DeleteParams::default()).await.expect("the API server deletes");
    until_reason(&world, "late", "Ready", "SecretNotFound").await;
    assert_eq!(world.n8n.api("GET", &format!("/credentials/{credential_id}"), None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_the_editor_is_put_right_reported_or_left_by_policy() {
    let world = World::on_real_n8n("cred-edit").await;
    let token = value("edit");
    let id = id(&made(&world, "edited", &token).await);
    let edit = async |name: &str| {
        let body = json!({ "name": name, "data": { "name": "X-Other", "value": "mine" } });
        assert_eq!(world.n8n.api("PATCH", &format!("/credentials/{id}"), Some(body)).await.status, 200);
    };
    let name = world.n8n.api("GET", &format!("/credentials/{id}"), None).await.json()["name"].as_str().expect("a name").to_owned();
    edit("Mine now").await;
    world.until_event("edited", "DriftReverted", "changed in n8n").await;
    let back = world.n8n.api("GET", &format!("/credentials/{id}"), None).await.json();
    assert_eq!(back["name"], json!(name));

    let policy = async |policy: &str| {
        let patch = json!({ "spec": { "driftPolicy": policy } });
        world.api(KIND).patch("edited", &PatchParams::default(), &Patch::Merge(patch)).await.expect("the API server patches");
        world.until_kind(KIND, "edited", "observed", current).await;
    };
    policy("Report").await;
    edit(&name).await;
    let object = until_reason(&world, "edited", "Ready", "DriftReported").await;
    assert_eq!(condition(&object, "Drifted")["status"], "True");
    policy("Ignore").await;
    let object = until_reason(&world, "edited", "Drifted", "DriftIgnored").await;
    assert_eq!(condition(&object, "Ready")["status"], "True");
    policy("Revert").await;
    world
        .until_kind(KIND, "edited", "Ready and not drifted", |object| ready(object) && condition(object, "Drifted")["status"] == "False")
        .await;

    // Deleted in n8n, as after the restore of an older database: made again.
    assert_eq!(world.n8n.api("DELETE", &format!("/credentials/{id}"), None).await.status, 200);
    let again = world
        .until_kind(KIND, "edited", "made again", |object| {
            ready(object) && object["status"]["n8nCredentialId"].as_str().is_some_and(|now| now != id)
        })
        .await;
    assert_eq!(named(&world.n8n, "edited [wk-").await.iter().filter(|one| one["id"] == again["status"]["n8nCredentialId"]).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_credential_waits_for_a_person_and_keeps_its_tokens_when_the_client_secret_changes() {
    let world = World::on_real_n8n("cred-oauth").await;
    secret(&world, "slack", json!({ "clientId": "client", "clientSecret": value("one") })).await;
    credential(&world, "slack", json!({ "type": "slackOAuth2Api", "secretRef": { "name": "slack" } })).await;
    let object = until_reason(&world, "slack", "Ready", "NeedsAuthorization").await;
    let message = condition(&object, "Ready")["message"].as_str().expect("a message");
    assert!(object["status"]["needsAuthorization"] == true && message.contains("slack [wk-"), "{object}");

    // n8n stores this when a person connects an account.
    let id = id(&object);
    let tokens = json!({ "isPartialData": true, "data": { "oauthTokenData": { "access_token": "of a test", "token_type": "bearer" } } });
    assert_eq!(world.n8n.api("PATCH", &format!("/credentials/{id}"), Some(tokens)).await.status, 200);
    let object = world.until_kind(KIND, "slack", "Ready", ready).await;
    assert_eq!((object["status"]["test"]["result"].as_str(), &object["status"]["needsAuthorization"]), (Some("Passed"), &Value::Null));

    let before = object["status"]["valuesHash"].clone();
    secret(&world, "slack", json!({ "clientId": "client", "clientSecret": value("two") })).await;
    let rotated =
        |object: &Value| ready(object) && object["status"]["valuesHash"] != before && object["status"]["test"]["valuesHash"] != before;
    let object = world.until_kind(KIND, "slack", "Ready with the next secret", rotated).await;
    assert_eq!(object["status"]["test"]["result"], "Passed", "the tokens are still there");

    // Nobody has to connect an account of a machine.
    let field = |name: &str, text: &str| json!({ "field": name, "value": text });
    let data = json!([field("grantType", "clientCredentials"), field("clientId", "machine"), field("accessTokenUrl", "http://127.0.0.1:9/token"),
        { "field": "clientSecret", "secretKeyRef": { "name": "slack", "key": "clientSecret" } }]);
    credential(&world, "machine", json!({ "type": "oAuth2Api", "data": data })).await;
    let object = world.until_kind(KIND, "machine", "Ready", ready).await;
    assert_eq!(object["status"]["test"]["result"], "NotTestable");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_credential_is_adopted_and_stays_when_its_object_goes() {
    let world = World::on_real_n8n("cred-adopt").await;
    let title = format!("Theirs {:x}", rand());
    let body = json!({ "name": title, "type": "httpHeaderAuth", "data": { "name": "X-A", "value": "theirs" } });
    let theirs = world.n8n.api("POST", "/credentials", Some(body)).await.json()["id"].as_str().expect("an id").to_owned();
    secret(&world, "own", json!({ "name": "X-Api-Key", "value": value("own") })).await;

    // The same name takes nothing over.
    credential(&world, "same", json!({ "secretRef": { "name": "own" }, "displayName": title })).await;
    let object = world.until_kind(KIND, "same", "Ready", ready).await;
    assert_ne!(id(&object), theirs);

    // Another type is refused, an unknown id is waited for.
    credential(&world, "other", json!({ "type": "httpBasicAuth", "data": [{ "field": "user", "value": "a" }], "adopt": { "id": theirs } }))
        .await;
    until_reason(&world, "other", "Ready", "InvalidCredential").await;
    credential(&world, "absent", json!({ "secretRef": { "name": "own" }, "adopt": { "id": "doesnotexist" } })).await;
    until_reason(&world, "absent", "Ready", "AdoptNotFound").await;

    credential(&world, "adopter", json!({ "secretRef": { "name": "own" }, "displayName": "Ours", "adopt": { "id": theirs } })).await;
    let object = world.until_kind(KIND, "adopter", "Ready", ready).await;
    assert_eq!((id(&object), object["status"]["origin"].as_str()), (theirs.clone(), Some("Adopted")));
    let shown = world.n8n.api("GET", &format!("/credentials/{theirs}"), None).await.json();
    assert!(shown["name"].as_str().is_some_and(|name| name.starts_with("Ours [wk-")), "{shown}");
    credential(&world, "competitor", json!({ "secretRef": { "name": "own" }, "adopt": { "id": theirs } })).await;
    until_reason(&world, "competitor", "Ready", "AlreadyClaimed").await;
    world.api(KIND).delete("competitor", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "competitor", "it is gone", Value::is_null).await;

    world.api(KIND).delete("adopter", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "adopter", "it is gone", Value::is_null).await;
    let kept = world.n8n.api("GET", &format!("/credentials/{theirs}"), None).await.json();
    assert_eq!(kept["name"], "Ours", "it stays, without the mark");
    let created = id(&world.get_kind(KIND, "same").await);
    world.api(KIND).delete("same", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "same", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.api("GET", &format!("/credentials/{created}"), None).await.status, 404, "what was made is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_waits_for_the_workflows_that_use_the_credential_unless_it_is_forced() {
    let world = World::on_real_n8n("cred-used").await;
    secret(&world, "token", json!({ "name": "X-Api-Key", "value": value("used") })).await;
    for (name, policy) in [("kept", Value::Null), ("forced", json!("ForceDelete"))] {
        let mut spec = json!({ "secretRef": { "name": "token" } });
        if !policy.is_null() {
            spec["deletionPolicy"] = policy;
        }
        credential(&world, name, spec).await;
        world.until_kind(KIND, name, "Ready", ready).await;
        let uses = json!([{ "name": "Slack", "credentialRef": { "name": name } }]);
        let definition = crate::harness::n8n::answering(&format!("{}/{name}", world.namespace), "1");
        world.workflow(name, json!({ "definition": definition, "credentials": uses })).await;
        world.until_kind(KIND, name, "used once", |object| object["status"]["usedBy"] == 1).await;
        world.api(KIND).delete(name, &DeleteParams::default()).await.expect("the API server deletes");
    }
    world.until_kind(KIND, "forced", "it is gone", Value::is_null).await;
    let object = world.until_kind(KIND, "kept", "it waits", |object| condition(object, "Ready")["reason"] == "CredentialInUse").await;
    let credential_id = id(&object);
    assert_eq!(world.n8n.api("GET", &format!("/credentials/{credential_id}"), None).await.status, 200);
    world.delete("kept").await;
    world.until_kind(KIND, "kept", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.api("GET", &format!("/credentials/{credential_id}"), None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_namespace_needs_the_instance_to_allow_it_and_a_grant_to_adopt() {
    let world = World::on_real_n8n("cred-foreign").await;
    let team = format!("{}-team", world.namespace);
    world.namespace(&team).await;
    let apply = async |kind: &str, name: &str, body: Value| {
        let mut object = body;
        object["kind"] = json!(kind);
        object["metadata"] = json!({ "name": name, "namespace": team });
        world.apply(object).await
    };
    apply("Secret", "own", json!({ "apiVersion": "v1", "stringData": { "name": "X-A", "value": value("foreign") } })).await;
    let of = |spec: Value| {
        let mut whole = json!({ "instanceRef": { "name": "main", "namespace": world.namespace }, "type": "httpHeaderAuth", "interval": "5s",
            "secretRef": { "name": "own" } });
        whole.as_object_mut().expect("an object").extend(spec.as_object().cloned().unwrap_or_default());
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "spec": whole })
    };
    apply(KIND, "foreign", of(json!({}))).await;
    let reason = |reason: &'static str| move |object: &Value| condition(object, "Ready")["reason"] == reason;
    world.until_there(&team, KIND, "foreign", "InstanceNotFound", reason("InstanceNotFound")).await;
    let (url, key) = (world.stack.n8n_url(), world.stack.n8n_key());
    world.instance("main", &url, &key, json!({ "allowedNamespaces": { "from": "All" } })).await;
    world.until_there(&team, KIND, "foreign", "Ready", ready).await;

    let body = json!({ "name": "theirs", "type": "httpHeaderAuth", "data": { "name": "X-A", "value": "theirs" } });
    let theirs = world.n8n.api("POST", "/credentials", Some(body)).await.json()["id"].as_str().expect("an id").to_owned();
    apply(KIND, "thief", of(json!({ "adopt": { "id": theirs } }))).await;
    let denied = world.until_there(&team, KIND, "thief", "AdoptNotGranted", reason("AdoptNotGranted")).await;
    assert!(condition(&denied, "Ready")["message"].as_str().is_some_and(|text| text.contains("grants[].adoptCredentials")), "{denied}");
    let untouched = world.n8n.api("GET", &format!("/credentials/{theirs}"), None).await.json();
    assert_eq!(untouched["name"], "theirs");
    let grants = json!([{ "namespaces": [team], "adoptCredentials": [theirs] }]);
    world.instance("main", &url, &key, json!({ "allowedNamespaces": { "from": "All" }, "grants": grants })).await;
    world.until_there(&team, KIND, "thief", "Ready", ready).await;
    let names: BTreeSet<String> = named(&world.n8n, "thief [wk-").await.iter().map(|one| one["id"].to_string()).collect();
    assert!(names.contains(&json!(theirs).to_string()));
}
