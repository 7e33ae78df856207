//! Secrets as people write them: with bytes, too much, nothing, other keys and other types of values; deleted, created again and replaced.
//! On the real n8n.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{KIND, ROTATED_WITHIN, calling, credential, id, made, named, secret, until_reason, value};
use crate::harness::header_server::HeaderServer;
use crate::harness::world::{World, condition, ready};

/// Applies a Secret with bytes in base64, in place of all that it has.
async fn bytes(world: &World, name: &str, keys: &[(&str, &[u8])]) {
    let data: serde_json::Map<String, Value> = keys.iter().map(|(key, bytes)| ((*key).to_owned(), json!(STANDARD.encode(bytes)))).collect();
    world.apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "data": data })).await;
}

/// Waits until a credential is not Ready with a message that contains these parts.
async fn reports(world: &World, name: &str, parts: &[&str]) {
    let says = |object: &Value| {
        let message = condition(object, "Ready")["message"].as_str().unwrap_or_default();
        condition(object, "Ready")["reason"] == "InvalidCredential" && parts.iter().all(|part| message.contains(part))
    };
    let object = world.until_kind(KIND, name, &format!("it says {parts:?}"), says).await;
    println!("{name}: {}", condition(&object, "Ready")["message"]);
    assert!(named(&world.n8n, &format!("{name} [wk-")).await.is_empty(), "n8n was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_cannot_be_credentials_are_reported_by_key_and_what_to_do() {
    let world = World::on_real_n8n("cred-garbage").await;
    bytes(&world, "bad-binary", &[("name", &b"X-A"[..]), ("value", &[0xff, 0xfe, 0x41, 0x00][..])]).await;
    bytes(&world, "bad-none", &[]).await;
    bytes(&world, "bad-foreign", &[("tls.crt", &b"a"[..]), ("tls.key", &b"b"[..])]).await;
    for name in ["bad-binary", "bad-none", "bad-foreign"] {
        credential(&world, name, json!({ "secretRef": { "name": name } })).await;
    }
    reports(&world, "bad-binary", &["key value of Secret bad-binary holds bytes that are no text in UTF-8", "base64"]).await;
    reports(&world, "bad-none", &["the Secret has no key", "the fields of httpHeaderAuth are", "value"]).await;
    reports(&world, "bad-foreign", &[r#"no field "tls.crt", "tls.key""#, "spec.data takes single keys"]).await;
    bytes(&world, "bad-empty", &[("accessToken", &b"\n"[..])]).await;
    credential(&world, "bad-empty", json!({ "type": "slackApi", "secretRef": { "name": "bad-empty" } })).await;
    reports(&world, "bad-empty", &[r#"field "accessToken" is empty, which slackApi requires"#]).await;
    let json = &br#"{ "port": 5432 }"#[..];
    bytes(&world, "bad-json", &[("host", &b"db"[..]), ("port", json), ("sshTunnel", &b"yes"[..])]).await;
    credential(&world, "bad-json", json!({ "type": "postgres", "secretRef": { "name": "bad-json" } })).await;
    reports(&world, "bad-json", &[r#"field "port" must be a number"#, r#"field "sshTunnel" must be true or false"#]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_text_a_secret_holds_reaches_the_service() {
    let world = World::on_real_n8n("cred-text").await;
    let server = HeaderServer::start("x-api-key").await;
    let object = made(&world, "text", &value("text")).await;
    let path = format!("{}/text", world.namespace);
    let mapping = json!([{ "name": "any", "existing": { "id": id(&object) } }]);
    world
        .workflow("call", json!({ "active": true, "definition": calling(&path, &server.url(), &id(&object)), "credentials": mapping }))
        .await;
    world.until_ready("call").await;
    let mut large = "x".repeat(9_000);
    large.push_str("end");
    for (stored, sent) in [
        ("one line\r\n", "one line"),
        (r#"{ "a": "json" }"#, r#"{ "a": "json" }"#),
        ("=begins with a sign of n8n", "=begins with a sign of n8n"),
        ("==twice", "==twice"),
        ("\u{feff}after a mark", "after a mark"),
        ("={{ 20 + 3 }}", "23"),
        ("{{ 20 + 3 }}", "{{ 20 + 3 }}"),
        (large.as_str(), large.as_str()),
    ] {
        let before = world.get_kind(KIND, "text").await["status"]["valuesHash"].clone();
        secret(&world, "text", json!({ "name": "X-Api-Key", "value": stored })).await;
        world.annotate(KIND, "text", "requested-at", json!(format!("{:x}", crate::harness::stack::rand()))).await;
        let written = |object: &Value| ready(object) && object["status"]["valuesHash"] != before;
        world.until_kind(KIND, "text", "the next text is written", written).await;
        server.accept(&[sent]);
        let answer = world.n8n.webhook("GET", &path).await;
        assert_eq!(answer.status, 200, "{:?} is sent as {:?}", &stored[..stored.len().min(40)], server.last().map(|text| text.len()));
        assert_eq!(server.last().as_deref(), Some(sent));
    }
    // As much as a Secret can hold.
    let most = "m".repeat(1_000_000);
    let before = world.get_kind(KIND, "text").await["status"]["valuesHash"].clone();
    secret(&world, "text", json!({ "name": "X-Api-Key", "value": most })).await;
    world.annotate(KIND, "text", "requested-at", json!("most")).await;
    let written = |object: &Value| ready(object) && object["status"]["valuesHash"] != before;
    world.until_kind(KIND, "text", "a text of a megabyte is written", written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_within_json_reach_the_service_whatever_they_begin_with() {
    let world = World::on_real_n8n("cred-nested").await;
    let server = HeaderServer::start("x-api-key").await;
    let template = json!({ "headers": { "x-api-key": "{{key}}" } }).to_string();
    let headers = |value: &str| json!({ "headers": json!({ "values": [{ "name": "x-api-key", "value": value }] }).to_string() });
    let placeholders = |value: &str| json!({ "template": template, "placeholderValues": json!({ "key": value }).to_string() });
    for kind in ["httpMultipleHeadersAuth", "httpTemplatedCustomAuth"] {
        let keys = |value: &str| if kind == "httpMultipleHeadersAuth" { headers(value) } else { placeholders(value) };
        let name = kind.to_lowercase();
        let path = format!("{}/{name}", world.namespace);
        let mut definition = calling(&path, &server.url(), "any");
        definition["nodes"][1]["parameters"] = json!({ "url": server.url(), "authentication": "predefinedCredentialType",
            "nodeCredentialType": kind, "options": {} });
        definition["nodes"][1]["credentials"] = json!({ kind: { "name": "any" } });
        for (number, (stored, sent)) in [("=begins", "=begins"), ("==twice", "==twice"), ("={{ 20 + 3 }}", "23")].into_iter().enumerate() {
            secret(&world, &name, keys(stored)).await;
            if number == 0 {
                credential(&world, &name, json!({ "type": kind, "secretRef": { "name": name } })).await;
                let uses = json!([{ "name": "any", "credentialRef": { "name": name } }]);
                world.workflow(&name, json!({ "active": true, "definition": definition, "credentials": uses })).await;
                world.until_ready(&name).await;
            }
            server.accept(&[sent]);
            let started = Instant::now();
            while world.n8n.webhook("GET", &path).await.json()["accepted"] != true {
                assert!(started.elapsed() < ROTATED_WITHIN, "{kind} sends {stored:?} as {:?}\n{}", server.last(), world.operator.tail());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            println!("{kind}: {stored:?} in the Secret is sent as {sent:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_may_go_come_back_and_be_replaced_and_the_credential_stays_the_same() {
    let world = World::on_real_n8n("cred-replace").await;
    let (server, values) = (HeaderServer::start("x-api-key").await, ["first", "second", "third"].map(value));
    let object = made(&world, "one", &values[0]).await;
    let credential_id = id(&object);
    let path = format!("{}/one", world.namespace);
    let mapping = json!([{ "name": "any", "existing": { "id": credential_id } }]);
    world
        .workflow("call", json!({ "active": true, "definition": calling(&path, &server.url(), &credential_id), "credentials": mapping }))
        .await;
    world.until_ready("call").await;
    let sends = async |wanted: &str| {
        server.accept(&[wanted]);
        let started = Instant::now();
        while world.n8n.webhook("GET", &path).await.json()["accepted"] != true {
            assert!(started.elapsed() < ROTATED_WITHIN, "{:?} is not sent: {:?}\n{}", wanted, server.last(), world.operator.tail());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    sends(&values[0]).await;

    // Deleted: what n8n has goes on working, and the object says what is missing.
    world.api("Secret").delete("one", &DeleteParams::default()).await.expect("the API server deletes");
    let object = until_reason(&world, "one", "Ready", "SecretNotFound").await;
    let message = condition(&object, "Ready")["message"].as_str().expect("a message");
    assert!(message.contains("Secret one does not exist") && message.contains("keeps the values"), "{message}");
    sends(&values[0]).await;

    // Created again with another value, and replaced by another Secret.
    secret(&world, "one", json!({ "name": "X-Api-Key", "value": values[1] })).await;
    world.until_kind(KIND, "one", "Ready", ready).await;
    sends(&values[1]).await;
    secret(&world, "two", json!({ "name": "X-Api-Key", "value": values[2] })).await;
    credential(&world, "one", json!({ "secretRef": { "name": "two" } })).await;
    let object = world.until_kind(KIND, "one", "Ready", ready).await;
    sends(&values[2]).await;
    assert_eq!(id(&object), credential_id, "it is the same credential");

    // Another type is another credential: the API server refuses the change, and a new object of the name makes its own.
    let kind = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": KIND, "metadata": { "name": "one" },
        "spec": { "instanceRef": { "name": "main" }, "type": "httpBasicAuth", "secretRef": { "name": "basic" } } });
    let refused = world.try_apply(kind).await.expect_err("the type is immutable").to_string();
    assert!(refused.contains("create another N8nCredential for another type"), "{refused}");
    world.delete("call").await;
    world.api(KIND).delete("one", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "one", "it is gone", Value::is_null).await;
    secret(&world, "basic", json!({ "user": "a", "password": value("basic") })).await;
    credential(&world, "one", json!({ "type": "httpBasicAuth", "secretRef": { "name": "basic" } })).await;
    let object = world.until_kind(KIND, "one", "Ready", ready).await;
    assert_ne!(id(&object), credential_id);
    assert_eq!(world.n8n.api("GET", &format!("/credentials/{credential_id}"), None).await.status, 404, "nothing is left behind");
}
