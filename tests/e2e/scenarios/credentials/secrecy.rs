//! A value appears nowhere but in the Secret and in the request that creates or updates the credential: not in logs, events, status, metrics or
//! other objects, and in no other request, even if n8n and the service repeat it in their messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{KIND, credential, secret, until_reason, value};
use crate::harness::kubectl::kubectl;
use crate::harness::world::{World, ready};
use crate::standin::{Fault, Rule};

fn respond(status: u16, body: &Value) -> Fault {
    Fault::Respond { status, content_type: "application/json".to_owned(), body: body.to_string(), headers: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_appears_only_in_the_request_that_writes_the_credential() {
    let (standin, world) = World::on_stand_in("cred-secrecy", json!({})).await;
    let (first, second) = (value("first"), value("second"));
    let keys = |value: &str| json!({ "accessToken": value });

    // The service repeats the value in its message.
    let test = respond(
        200,
        &json!({ "status": "Error", "message": format!("invalid token {first} (Basic {})", STANDARD.encode(format!("u:{first}"))) }),
    );
    standin.faults().add(Rule::on("POST", "/api/v1/credentials/*/test", test));
    secret(&world, "token", keys(&first)).await;
    credential(&world, "token", json!({ "type": "slackApi", "secretRef": { "name": "token" } })).await;
    let object = until_reason(&world, "token", "Tested", "TestFailed").await;
    assert_eq!(object["status"]["test"]["result"], "Failed");

    // n8n repeats the value in its refusal.
    let id = super::id(&object);
    let refusal = respond(400, &json!({ "message": format!("request.body.data {second} is wrong") }));
    standin.faults().add(Rule::on("PATCH", &format!("/api/v1/credentials/{id}"), refusal));
    secret(&world, "token", keys(&second)).await;
    let refused = until_reason(&world, "token", "Ready", "CredentialRejected").await;
    assert!(refused["status"].to_string().contains("repeats a value"), "{refused}");
    standin.faults().clear();
    world.annotate(KIND, "token", "requested-at", json!("now")).await;
    world.until_kind(KIND, "token", "Ready", ready).await;

    // Wrong fields, and a value that is no text.
    secret(&world, "wrong", json!({ "acessToken": first })).await;
    credential(&world, "wrong", json!({ "type": "slackApi", "secretRef": { "name": "wrong" } })).await;
    until_reason(&world, "wrong", "Ready", "InvalidCredential").await;

    let metrics = world.operator.get("/metrics").await.1;
    assert!(metrics.contains(r#"weirkeeper_credential_writes_total{operation="create"} 1"#), "{metrics}");
    let mut shown = vec![("log", world.operator.log()), ("metrics", metrics)];
    for kind in ["n8nc", "events", "controllerrevisions", "configmaps", "n8ni", "nwf"] {
        shown.push((kind, kubectl(&world, &["get", kind, "-o", "json"], None).text()));
    }
    shown.push(("leases", kubectl(&world, &["get", "leases", "--all-namespaces", "-o", "json"], None).text()));
    world.api(KIND).delete("token", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "token", "it is gone", Value::is_null).await;
    shown.push(("log", world.operator.log()));
    for value in [&first, &second] {
        let encoded = STANDARD.encode(value);
        for (place, text) in &shown {
            assert!(!text.contains(value.as_str()) && !text.contains(&encoded), "{place} shows the value");
        }
    }
    let mut writes = 0;
    for entry in standin.log().entries() {
        let body = String::from_utf8_lossy(&entry.body).into_owned();
        let tells = [&first, &second]
            .iter()
            .any(|value| body.contains(value.as_str()) || format!("{}?{}", entry.path, entry.query).contains(value.as_str()));
        let writing = matches!(entry.method.as_str(), "POST" | "PATCH")
            && entry.path.starts_with("/api/v1/credentials")
            && !entry.path.ends_with("/test");
        assert!(!tells || writing, "{} {} carries the value", entry.method, entry.path);
        writes += usize::from(tells);
    }
    assert!(writes >= 3, "the create, the refused update and the accepted one carry it: {writes}");
}
