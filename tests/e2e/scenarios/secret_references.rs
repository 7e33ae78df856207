//! Users cannot send a Secret that they may not read. On the real API server with the policies that are installed with the CRDs, and, for
//! what the operator itself refuses, on the stand-in.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::kubectl::{Output, kubectl};
use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, condition, current};

fn workflow(world: &World, name: &str, spec: Value) -> Value {
    let mut whole = json!({ "instanceRef": { "name": "main" }, "definition": answering(&format!("{}/{name}", world.namespace), "1") });
    whole.as_object_mut().expect("an object").extend(spec.as_object().cloned().unwrap_or_default());
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name }, "spec": whole })
}

/// Returns a health check whose probe sends a key of each of some Secrets.
fn sends(secrets: &[&str]) -> Value {
    let header = |secret: &&str| json!({ "name": format!("X-{secret}"), "secretKeyRef": { "name": secret, "key": "apiKey" } });
    let headers: Vec<Value> = secrets.iter().map(header).collect();
    json!({ "healthCheck": { "probes": [{ "node": "Other" }, { "node": "Webhook", "headers": headers }] } })
}

fn instance(name: &str, spec: Value) -> Value {
    let mut whole = json!({ "url": "https://n8n.example.com", "apiKeySecretRef": { "name": "token" } });
    whole.as_object_mut().expect("an object").extend(spec.as_object().cloned().unwrap_or_default());
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": name }, "spec": whole })
}

/// Returns a WorkflowPrompt whose Workflow has more in its spec.
fn prompt(name: &str, workflow: Value) -> Value {
    let spec = json!({ "prompt": "An endpoint that answers ok", "instanceRef": { "name": "main" }, "workflow": workflow });
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPrompt", "metadata": { "name": name }, "spec": spec })
}

/// Returns a namespace without an operator, for decisions of the API server: alice writes Workflows, WorkflowPrompts and
/// N8nInstances and reads no Secret, bob reads all, carol reads one.
async fn three_users(name: &str) -> World {
    let mut world = World::bare(Stack::shared(), name, "http://127.0.0.1:1", "none").await;
    world.operator.kill();
    let ours = json!({ "apiGroups": ["weirkeeper.dev"], "resources": ["workflows", "workflowprompts", "n8ninstances"], "verbs": ["*"] });
    let all = json!({ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] });
    let one = json!({ "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["token"], "verbs": ["get"] });
    for (user, rules) in [("alice", json!([ours])), ("bob", json!([ours, all])), ("carol", json!([ours, one]))] {
        let metadata = json!({ "name": user });
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules });
        world.apply(role).await;
        let subject = json!({ "kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io" });
        let role = json!({ "kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io" });
        let kind = "RoleBinding";
        let version = "rbac.authorization.k8s.io/v1";
        world.apply(json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "roleRef": role, "subjects": [subject] })).await;
    }
    // A new policy is in force a moment after it is stored.
    let started = Instant::now();
    while refusal(&apply(&world, "alice", &workflow(&world, "early", sends(&["token"])))).is_none()
        || refusal(&apply(&world, "alice", &instance("early", json!({})))).is_none()
        || refusal(&apply(&world, "alice", &prompt("early", sends(&["token"])))).is_none()
    {
        assert!(started.elapsed() < PATIENCE, "the policies are not in force");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world
}

fn apply(world: &World, user: &str, object: &Value) -> Output {
    kubectl(world, &["apply", "--as", user, "--server-side", "--force-conflicts", "-f", "-"], Some(object))
}

fn patch(world: &World, user: &str, target: &str, patch: &Value) -> Output {
    kubectl(world, &["patch", target, "--as", user, "--type", "merge", "-p", &patch.to_string()], None)
}

/// Returns the message of a refusal by a policy; None if the object was accepted.
fn refusal(output: &Output) -> Option<String> {
    let refused = !output.ok && output.err.contains("ValidatingAdmissionPolicy");
    assert!(output.ok || refused, "refused by something else: {}", output.err);
    refused.then(|| output.err.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_names_only_secrets_that_its_author_may_read() {
    let world = three_users("probe-secrets").await;
    assert_eq!(refusal(&apply(&world, "alice", &workflow(&world, "plain", json!({})))), None);
    let message = refusal(&apply(&world, "alice", &workflow(&world, "plain", sends(&["token"])))).expect("an update is refused too");
    assert!(message.contains("a probe of this Workflow sends Secret token, which you may not read"), "{message}");
    assert_eq!(refusal(&apply(&world, "carol", &workflow(&world, "carols", sends(&["token", "token"])))), None);
    for position in 0..4 {
        let mut secrets = ["token"; 4].map(str::to_owned);
        secrets[position] = "other".to_owned();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let message = refusal(&apply(&world, "carol", &workflow(&world, "carols", sends(&secrets)))).expect("the other one is refused");
        assert!(message.contains("sends Secret other, "), "{message}");
    }
    let last = sends(&["token", "a", "b", "other"]);
    assert!(refusal(&apply(&world, "carol", &workflow(&world, "carols", last))).is_some());
    let many = sends(&["a", "b", "c", "d", "e", "f", "a", "b"]);
    let message = refusal(&apply(&world, "carol", &workflow(&world, "many", many.clone()))).expect("refused");
    assert!(message.contains("more than four Secrets") || message.contains("sends Secret a"), "{message}");
    assert_eq!(refusal(&apply(&world, "bob", &workflow(&world, "many", many))), None, "who reads all Secrets may name many");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_does_not_change_the_sent_secrets_needs_no_access_to_them() {
    let world = three_users("probe-others").await;
    assert_eq!(refusal(&apply(&world, "bob", &workflow(&world, "a", sends(&["token"])))), None);
    for harmless in [
        json!({ "metadata": { "labels": { "team": "a" }, "annotations": { "weirkeeper.dev/requested-at": "now" } } }),
        json!({ "metadata": { "finalizers": ["weirkeeper.dev/workflow"] } }),
        json!({ "spec": { "suspend": true, "interval": "10m", "tags": ["shop"] } }),
        json!({ "spec": { "healthCheck": { "bakeTime": "1m" } } }),
        json!({ "metadata": { "finalizers": null } }),
    ] {
        assert_eq!(refusal(&patch(&world, "alice", "nwf/a", &harmless)), None, "{harmless}");
    }
    for elsewhere in [
        json!({ "spec": { "definition": answering("elsewhere", "1") } }),
        json!({ "spec": { "definition": null, "definitionFrom": { "configMapKeyRef": { "name": "mine", "key": "flow.json" } } } }),
        json!({ "spec": { "references": [{ "id": "x", "workflowRef": { "name": "mine" } }] } }),
        json!({ "spec": { "adopt": { "id": "mine" } } }),
        json!({ "metadata": { "annotations": { "weirkeeper.dev/pinned-version": "1" } } }),
        json!({ "spec": sends(&["token", "other"]) }),
    ] {
        let message = refusal(&patch(&world, "alice", "nwf/a", &elsewhere));
        assert!(message.is_some(), "this sends the Secret somewhere else: {elsewhere}");
    }
    assert_eq!(refusal(&patch(&world, "alice", "nwf/a", &json!({ "spec": { "healthCheck": null } }))), None, "it may be taken out");
    assert!(kubectl(&world, &["delete", "--as", "alice", "nwf/a"], None).ok);
}

/// The operator makes the Workflow of a prompt, and it may read every Secret: what the Workflow sends is decided where the prompt is stored.
#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_of_a_prompt_sends_only_secrets_that_the_author_of_the_prompt_may_read() {
    let world = three_users("prompt-secrets").await;
    assert_eq!(refusal(&apply(&world, "alice", &prompt("plain", json!({})))), None);
    let message = refusal(&apply(&world, "alice", &prompt("plain", sends(&["token"])))).expect("an update is refused too");
    assert!(
        message.contains("a probe of the Workflow sends Secret token, which you may not read: ask for the verb get on it"),
        "{message}"
    );
    println!("{message}");
    assert_eq!(refusal(&apply(&world, "carol", &prompt("carols", sends(&["token", "token"])))), None);
    for secrets in [["other", "token"], ["token", "other"]] {
        let message = refusal(&apply(&world, "carol", &prompt("carols", sends(&secrets)))).expect("the other one is refused");
        assert!(message.contains("sends Secret other, "), "{message}");
    }
    let three = sends(&["a", "b", "c"]);
    let message = refusal(&apply(&world, "carol", &prompt("three", three.clone()))).expect("refused");
    assert!(message.contains("more than two Secrets") || message.contains("sends Secret a"), "{message}");
    assert_eq!(refusal(&apply(&world, "bob", &prompt("three", three))), None, "who reads all Secrets may name many");

    // A change that leaves the Secret where it goes needs no access to it; what may lead it elsewhere does.
    assert_eq!(refusal(&apply(&world, "bob", &prompt("a", sends(&["token"])))), None);
    for harmless in [
        json!({ "metadata": { "labels": { "team": "a" }, "annotations": { "weirkeeper.dev/requested-at": "now" } } }),
        json!({ "metadata": { "finalizers": ["weirkeeper.dev/prompt"] } }),
        json!({ "metadata": { "finalizers": null } }),
    ] {
        assert_eq!(refusal(&patch(&world, "alice", "nwfp/a", &harmless)), None, "{harmless}");
    }
    for elsewhere in [
        json!({ "spec": { "prompt": "Send what comes in to elsewhere.example.com" } }),
        json!({ "metadata": { "annotations": { "weirkeeper.dev/answers": "{\"where\": \"elsewhere.example.com\"}" } } }),
        json!({ "spec": { "workflow": sends(&["token", "other"]) } }),
    ] {
        assert!(refusal(&patch(&world, "alice", "nwfp/a", &elsewhere)).is_some(), "this sends the Secret somewhere else: {elsewhere}");
    }
    assert_eq!(refusal(&patch(&world, "alice", "nwfp/a", &json!({ "spec": { "workflow": { "healthCheck": null } } }))), None);
    assert!(kubectl(&world, &["delete", "--as", "alice", "nwfp/a"], None).ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_sends_only_a_key_that_its_author_may_read() {
    let world = three_users("instance-secrets").await;
    let message = refusal(&apply(&world, "alice", &instance("main", json!({})))).expect("refused");
    assert!(message.contains("sends a key of Secret token, which you may not read"), "{message}");
    assert_eq!(refusal(&apply(&world, "carol", &instance("main", json!({})))), None);
    assert!(refusal(&patch(&world, "carol", "n8ni/main", &json!({ "spec": { "apiKeySecretRef": { "name": "other" } } }))).is_some());
    let harmless = json!({ "metadata": { "finalizers": ["weirkeeper.dev/instance"] }, "spec": { "interval": "1m" } });
    assert_eq!(refusal(&patch(&world, "alice", "n8ni/main", &harmless)), None);
    for field in ["url", "webhookCheckURL", "caBundle"] {
        let elsewhere = json!({ "spec": { field: "https://elsewhere.example.com" } });
        assert!(refusal(&patch(&world, "alice", "n8ni/main", &elsewhere)).is_some(), "{field}");
    }
    assert!(refusal(&patch(&world, "alice", "n8ni/main", &json!({ "spec": { "apiKeySecretRef": { "key": "other" } } }))).is_some());
    assert_eq!(refusal(&patch(&world, "alice", "n8ni/main", &json!({ "metadata": { "finalizers": null } }))), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_is_never_sent_to_a_webhook() {
    let (standin, world) = World::on_stand_in("probe-key", json!({})).await;
    world.secret("copy", &format!("Bearer {}", standin.api_key())).await;
    let path = format!("{}/a", world.namespace);
    let plain = json!({ "name": "X-Key", "value": standin.api_key() });
    let named = |secret: &str, key: &str| json!({ "name": "X-Key", "secretKeyRef": { "name": secret, "key": key } });
    for (name, header, part) in [
        ("named", named("main-key", "apiKey"), "names Secret main-key, which holds the API key of an N8nInstance"),
        ("beside", named("main-key", "other"), "names Secret main-key, which holds the API key of an N8nInstance"),
        ("copied", named("copy", "apiKey"), "has the API key of an N8nInstance in its value"),
        ("written", plain, "has the API key of an N8nInstance in its value"),
    ] {
        let probes = json!({ "probes": [{ "node": "Webhook", "headers": [header] }] });
        let definition = answering(&format!("{path}/{name}"), "1");
        world.workflow(name, json!({ "active": true, "definition": definition, "healthCheck": probes })).await;
        let refused = |object: &Value| current(object) && condition(object, "Ready")["reason"] == "ProbeSecretRefused";
        let object = world.until(name, "the key is refused", refused).await;
        assert_eq!(condition(&object, "Stalled")["status"], "True");
        let message = condition(&object, "Ready")["message"].as_str().expect("a message");
        assert!(message.contains(part) && !message.contains(standin.api_key()), "{message}");
    }
    let called = standin.log().count("GET", "/webhook/");
    assert_eq!(called, 0, "no probe was made");
    world.secret("own", "a value of its own").await;
    let probes = json!({ "probes": [{ "node": "Webhook", "headers": [named("own", "apiKey")] }] });
    world.workflow("named", json!({ "active": true, "definition": answering(&format!("{path}/named"), "1"), "healthCheck": probes })).await;
    world.until_ready("named").await;
}
