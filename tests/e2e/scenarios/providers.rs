//! ModelProviders on the real API server, with the scripted server of language models.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::kubectl::kubectl;
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};
use crate::model::{self, MODEL, ModelServer, Reply};

const KIND: &str = "ModelProvider";

async fn world(name: &str) -> World {
    World::bare(Stack::shared(), name, "http://127.0.0.1:1", "none").await
}

/// Returns a key of this test, made at run time.
fn key(name: &str) -> String {
    [name, &format!("{:08}", std::process::id()), "abcdefghijklmnopqrstuvwx"].join("-")
}

fn provider(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": KIND, "metadata": { "name": name }, "spec": spec })
}

fn openai(url: &str) -> Value {
    json!({ "type": "OpenAI", "baseURL": url, "apiKeySecretRef": { "name": "key" }, "models": { "complex": { "name": MODEL } }, "interval": "5s" })
}

fn reason<'a>(object: &'a Value, kind: &str) -> &'a str {
    condition(object, kind)["reason"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_ready_when_its_server_answers_and_accepts_the_key() {
    let (world, server) = (world("provider-ready").await, ModelServer::start(model::ordinary));
    world.secret("key", &key("ready")).await;
    world.apply(provider("models", openai(&server.base_url()))).await;
    let object = world.until_kind(KIND, "models", "Ready", ready).await;
    assert_eq!((condition(&object, "Reachable")["status"].as_str(), reason(&object, "Stalled")), (Some("True"), "Succeeded"));
    assert_eq!(object["status"]["summary"], json!(format!("the server of {MODEL} answers")));
    assert_eq!(object["status"]["breaker"]["state"], "Closed");
    let asked = server.asked();
    assert!(asked.iter().any(|one| one.target == "/v1/models") && server.completions().is_empty(), "a check costs nothing: {asked:?}");
    assert!(
        asked.iter().all(|one| one.header("authorization") == Some(&format!("Bearer {}", key("ready"))) && !one.body.contains("ready-"))
    );
    let before = object["metadata"]["resourceVersion"].clone();
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    assert_eq!(world.get_kind(KIND, "models").await["metadata"]["resourceVersion"], before, "nothing to do, nothing written");
    assert!(server.asked().len() > asked.len(), "it was checked again");
    assert!(!world.operator.log().contains(&key("ready")));
    let shown = kubectl(&world, &["get", "nmp", "-o", "wide"], None).text();
    assert!(shown.contains(MODEL) && shown.contains("OpenAI") && shown.contains("Closed"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_generator_needs_nothing() {
    let world = world("provider-builtin").await;
    world.apply(provider("builtin", json!({}))).await;
    let object = world.until_kind(KIND, "builtin", "Ready", ready).await;
    assert_eq!(object["spec"]["type"], "Builtin");
    assert!(object["status"]["breaker"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_key_is_noticed_and_no_key_is_shown() {
    let world = world("provider-key").await;
    let right = key("right");
    let expected = format!("Bearer {right}");
    let server = ModelServer::start(move |asked| {
        // The list is public, as that of some gateways.
        let accepted = asked.method == "GET" || asked.header("authorization") == Some(&expected);
        if accepted {
            model::ordinary(asked)
        } else {
            model::refuse(401, "invalid_api_key", &format!("wrong key: {:?}", asked.header("authorization")))
        }
    });
    world.apply(provider("models", openai(&server.base_url()))).await;
    let missing = |object: &Value| current(object) && reason(object, "Ready") == "KeySecretNotFound";
    world.until_kind(KIND, "models", "the Secret is missing", missing).await;
    world.secret("key", &key("wrong")).await;
    let refused = |object: &Value| current(object) && reason(object, "Stalled") == "Unauthorized";
    let object = world.until_kind(KIND, "models", "the key is refused", refused).await;
    assert_eq!(condition(&object, "Reachable")["status"], "False");
    world.secret("key", &right).await;
    world.until_kind(KIND, "models", "Ready", ready).await;
    world.until_event("models", "Unauthorized", "does not accept the key").await;
    let everything = format!("{} {:?} {}", world.get_kind(KIND, "models").await, world.events("models").await, world.operator.log());
    assert!(!everything.contains(&key("wrong")) && !everything.contains(&right));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_or_is_none_is_distinguished_and_found_again() {
    let world = world("provider-down").await;
    world.secret("key", &key("down")).await;
    let state = Arc::new(AtomicU8::new(0));
    let script = state.clone();
    let server = ModelServer::start(move |asked| match script.load(Ordering::SeqCst) {
        0 => model::refuse(503, "overloaded", "loading model"),
        1 => Reply::Send(model::http(200, "", "text/html", "<html>Welcome</html>")),
        2 => Reply::Send(model::http(302, "location: http://127.0.0.1:9/elsewhere\r\n", "text/html", "")),
        _ => model::ordinary(asked),
    });
    world.apply(provider("models", openai(&server.base_url()))).await;
    let down = |object: &Value| current(object) && reason(object, "Ready") == "ProviderUnreachable";
    let object = world.until_kind(KIND, "models", "it is down", down).await;
    assert_eq!(
        (condition(&object, "Reconciling")["status"].as_str(), condition(&object, "Stalled")["status"].as_str()),
        (Some("True"), Some("False"))
    );
    for other in [1, 2] {
        state.store(other, Ordering::SeqCst);
        let elsewhere = |object: &Value| reason(object, "Stalled") == "ModelNotFound";
        let object = world.until_kind(KIND, "models", "another site answers", elsewhere).await;
        assert!(condition(&object, "Ready")["message"].as_str().unwrap().contains("/chat/completions"), "{object:#}");
        state.store(3, Ordering::SeqCst);
        world.until_kind(KIND, "models", "Ready", ready).await;
    }
    world.api(KIND).delete("models", &DeleteParams::default()).await.expect("the API server deletes");
    world.until_kind(KIND, "models", "it is gone", Value::is_null).await;
    let asked = server.asked().len();
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert!(server.asked().len() <= asked + 1, "a provider that is gone is not checked");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_allowed_are_named() {
    let world = world("provider-address").await;
    world.secret("key", &key("address")).await;
    world.apply(provider("models", openai("http://169.254.169.254/v1"))).await;
    let denied = |object: &Value| current(object) && reason(object, "Stalled") == "AddressDenied";
    world.until_kind(KIND, "models", "the address is denied", denied).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_out_survives_a_restart_and_is_forgotten_on_request() {
    let (mut world, server) = (world("provider-memory").await, ModelServer::start(model::ordinary));
    world.secret("key", &key("memory")).await;
    world.apply(provider("models", openai(&server.base_url()))).await;
    world.until_kind(KIND, "models", "Ready", ready).await;
    world.operator.kill();
    let found = json!({ "status": { "models": [{ "name": MODEL, "output": "JSON" }] } });
    world.api(KIND).patch_status("models", &PatchParams::default(), &Patch::Merge(found)).await.expect("the API server patches");
    let asked = server.asked().len();
    world.operator.start();
    while server.asked().len() < asked + 4 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(world.get_kind(KIND, "models").await["status"]["models"], json!([{ "name": MODEL, "output": "JSON" }]));
    world.annotate(KIND, "models", "reset-at", json!("now")).await;
    let reset = |object: &Value| object["status"]["lastHandledResetAt"] == "now" && object["status"]["models"].is_null();
    world.until_kind(KIND, "models", "it is forgotten", reset).await;
    world.until_event("models", "Reset", "forgotten").await;
    world.annotate(KIND, "models", "rset-at", json!("now")).await;
    world.until_event("models", "UnknownAnnotation", "reset-at").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictions_are_refused_by_the_api_server() {
    let mut world = world("provider-rules").await;
    world.operator.kill();
    for (change, part) in [
        (json!({ "models": null }), "baseURL and models"),
        (json!({ "baseURL": null }), "baseURL and models"),
        (json!({ "type": "Builtin" }), "calls no server"),
        (json!({ "baseURL": "http://models/v1/chat/completions" }), "before /chat/completions"),
        (json!({ "baseURL": "models" }), "baseURL"),
        (json!({ "models": { "complex": { "name": "m", "inputPricePerMillion": "1" } } }), "outputPricePerMillion"),
        (
            json!({ "models": { "complex": { "name": "m", "inputPricePerMillion": "1,5", "outputPricePerMillion": "1" } } }),
            "inputPricePerMillion",
        ),
        (json!({ "requestTimeout": "1h" }), "requestTimeout"),
        (json!({ "allowedNamespaces": { "from": "Selector" } }), "selector"),
    ] {
        let mut spec = openai("http://models.example/v1");
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let refused = world.try_apply(provider("wrong", spec)).await.expect_err("it is refused").to_string();
        assert!(refused.contains(part), "{change}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_sent_only_for_who_may_read_it() {
    let mut world = world("provider-secret").await;
    world.operator.kill();
    let version = "rbac.authorization.k8s.io/v1";
    let rules = json!([{ "apiGroups": ["weirkeeper.dev"], "resources": ["modelproviders"], "verbs": ["*"] }]);
    let metadata = json!({ "name": "alice" });
    world.apply(json!({ "apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules })).await;
    let subject = json!({ "kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io" });
    let role = json!({ "kind": "Role", "name": "alice", "apiGroup": "rbac.authorization.k8s.io" });
    world
        .apply(json!({ "apiVersion": version, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject] }))
        .await;
    let apply = |object: &Value| kubectl(&world, &["apply", "--as", "alice", "--server-side", "-f", "-"], Some(object));
    // A new policy is in force a moment after it is stored.
    let with_key = provider("early", openai("http://models.example/v1"));
    let started = std::time::Instant::now();
    let refused = loop {
        let output = apply(&with_key);
        if !output.ok && output.err.contains("ValidatingAdmissionPolicy") {
            break output.err;
        }
        assert!(started.elapsed() < crate::harness::world::PATIENCE, "the policy is not in force: {}", output.err);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(refused.contains("sends a key of Secret key, which you may not read"), "{refused}");
    let mut without = openai("http://models.example/v1");
    without.as_object_mut().unwrap().remove("apiKeySecretRef");
    assert!(apply(&provider("local", without)).ok, "a local server needs no key");
    world.apply(provider("shared", openai("http://models.example/v1"))).await;
    let patch =
        |patch: Value| kubectl(&world, &["patch", "nmp/shared", "--as", "alice", "--type", "merge", "-p", &patch.to_string()], None);
    assert!(patch(json!({ "spec": { "interval": "1h" } })).ok, "who changes something else sends nothing");
    for change in
        [json!({ "baseURL": "http://evil.example/v1" }), json!({ "caBundle": "x" }), json!({ "apiKeySecretRef": { "key": "other" } })]
    {
        let output = patch(json!({ "spec": change }));
        assert!(!output.ok && output.err.contains("may not read"), "{}", output.err);
    }
}
