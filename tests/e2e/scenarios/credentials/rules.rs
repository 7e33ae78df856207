//! Decisions of the API server itself about N8nCredentials: the rules of the CRD, and who may send which Secret.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::KIND;
use crate::harness::kubectl::{Output, kubectl};
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World};

async fn without_operator(name: &str) -> World {
    let mut world = World::bare(Stack::shared(), name, "http://127.0.0.1:1", "none").await;
    world.operator.kill();
    world
}

fn object(name: &str, spec: Value) -> Value {
    let mut whole = json!({ "instanceRef": { "name": "main" }, "type": "httpHeaderAuth" });
    whole.as_object_mut().expect("an object").extend(spec.as_object().cloned().unwrap_or_default());
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": KIND, "metadata": { "name": name }, "spec": whole })
}

fn apply(world: &World, user: &str, object: &Value) -> Output {
    kubectl(world, &["apply", "--as", user, "--server-side", "--force-conflicts", "-f", "-"], Some(object))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_the_crd_refuse_what_cannot_mean_anything() {
    let world = without_operator("cred-rules").await;
    let refused = |name: &str, spec: Value| {
        let output = kubectl(&world, &["apply", "--server-side", "--force-conflicts", "-f", "-"], Some(&object(name, spec.clone())));
        assert!(!output.ok, "{spec} is stored");
        output.err
    };
    let reference = json!({ "name": "s" });
    let field = |name: &str| json!({ "field": name, "value": "x" });
    for (spec, wanted) in [
        (json!({}), "exactly one of secretRef and data"),
        (json!({ "secretRef": reference, "data": [field("a")] }), "exactly one of secretRef and data"),
        (json!({ "data": [{ "field": "a" }] }), "exactly one of value and secretKeyRef"),
        (
            json!({ "data": [{ "field": "a", "value": "x", "secretKeyRef": { "name": "s", "key": "k" } }] }),
            "exactly one of value and secretKeyRef",
        ),
        (json!({ "data": [] }), "should have at least 1 items"),
        (json!({ "secretRef": reference, "testInterval": "1s" }), "from 1m to 168h"),
        (json!({ "secretRef": reference, "rateLimit": { "requests": 0 } }), "greater than or equal to 1"),
        (json!({ "secretRef": reference, "displayName": "x".repeat(101) }), "may not be more than 100"),
    ] {
        let message = refused("one", spec);
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    world.apply(object("one", json!({ "secretRef": reference }))).await;
    assert!(refused("one", json!({ "secretRef": reference, "type": "httpBasicAuth" })).contains("type is immutable"));
    assert!(refused("one", json!({ "secretRef": reference, "instanceRef": { "name": "other" } })).contains("instanceRef is immutable"));
    assert_eq!(world.get_kind(KIND, "one").await["status"]["observedGeneration"], -1, "a fresh object is never taken for a finished one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sent_only_for_who_may_read_it() {
    let world = without_operator("cred-authz").await;
    let ours = json!({ "apiGroups": ["weirkeeper.dev"], "resources": ["n8ncredentials"], "verbs": ["*"] });
    let one = json!({ "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["token"], "verbs": ["get"] });
    for (user, rules) in [("alice", json!([ours])), ("carol", json!([ours, one]))] {
        let (metadata, version) = (json!({ "name": user }), "rbac.authorization.k8s.io/v1");
        world.apply(json!({ "apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules })).await;
        let subject = json!({ "kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io" });
        let role = json!({ "kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io" });
        world
            .apply(json!({ "apiVersion": version, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject] }))
            .await;
    }
    let whole = object("one", json!({ "secretRef": { "name": "token" } }));
    // A new policy is in force a moment after it is stored.
    let started = Instant::now();
    let refused = loop {
        let output = apply(&world, "alice", &whole);
        if !output.ok {
            break output.err;
        }
        assert!(started.elapsed() < PATIENCE, "the policy is not in force");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(refused.contains("ValidatingAdmissionPolicy") && refused.contains("Secret token, which you may not read"), "{refused}");
    apply(&world, "carol", &whole).text();
    let key = |secret: &str| json!({ "field": secret, "secretKeyRef": { "name": secret, "key": "k" } });
    let several = object("two", json!({ "data": [key("token"), key("other")] }));
    assert!(apply(&world, "carol", &several).err.contains("Secret other, which you may not read"));
    apply(&world, "alice", &object("three", json!({ "data": [{ "field": "name", "value": "x" }] }))).text();
    // An edit that changes neither the values nor where they go needs no permission.
    apply(&world, "alice", &object("one", json!({ "secretRef": { "name": "token" }, "testInterval": "1h" }))).text();
    let adopts = object("one", json!({ "secretRef": { "name": "token" }, "adopt": { "id": "c1" } }));
    assert!(!apply(&world, "alice", &adopts).ok, "the values would go to another credential");
}
