//! Decisions that annotations hold need a verb of their own, on the real API server without an operator.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::kubectl::{Output, kubectl};
use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World};

fn annotate(world: &World, user: &str, object: &str, annotation: &str) -> Output {
    let annotation = format!("weirkeeper.dev/{annotation}");
    kubectl(world, &["--as", user, "annotate", "--overwrite", object, &annotation], None)
}

/// Creates a user who may write Workflows, WorkflowPrompts, N8nInstances and ModelProviders, and use these verbs on them.
async fn user(world: &World, name: &str, decisions: &[&str]) {
    let verbs: Vec<&str> = ["get", "list", "create", "update", "patch", "delete"].iter().chain(decisions).copied().collect();
    let ours = json!({ "apiGroups": ["weirkeeper.dev"], "resources": ["workflows", "workflowprompts", "n8ninstances", "modelproviders"], "verbs": verbs });
    let secrets = json!({ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] });
    let version = "rbac.authorization.k8s.io/v1";
    let metadata = json!({ "name": name });
    world.apply(json!({ "apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [ours, secrets] })).await;
    let subject = json!({ "kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io" });
    let role = json!({ "kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io" });
    world
        .apply(json!({ "apiVersion": version, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject] }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_approve_pin_answer_and_reset_is_decided_without_the_operator() {
    let mut world = World::bare(Stack::shared(), "decisions", "http://127.0.0.1:1", "none").await;
    world.operator.kill();
    user(&world, "author", &[]).await;
    user(&world, "decider", &["approve", "pin", "answer", "reset"]).await;
    user(&world, "pinner", &["pin"]).await;
    let definition = answering(&format!("{}/a", world.namespace), "1");
    world.workflow("a", json!({ "definition": definition })).await;
    let spec = json!({ "url": "https://n8n.example.com", "apiKeySecretRef": { "name": "token" } });
    world
        .apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "main" }, "spec": spec }))
        .await;
    let prompt = json!({ "prompt": "An endpoint that answers ok", "instanceRef": { "name": "main" } });
    for (kind, name, spec) in [("WorkflowPrompt", "p", prompt), ("ModelProvider", "m", json!({}))] {
        world.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })).await;
    }
    // A new policy is in force a moment after it is stored.
    let started = Instant::now();
    while annotate(&world, "author", "nwf/a", &format!("pinned-version={}", started.elapsed().as_nanos())).ok {
        assert!(started.elapsed() < PATIENCE, "the policy is not in force");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (object, annotation, verb) in [
        ("nwf/a", "approved-digest=x", "approve"),
        ("nwf/a", "pinned-version=7", "pin"),
        ("nwf/a", "answers=x", "answer"),
        ("nwf/a", "reset-at=now", "reset"),
        ("n8ni/main", "reset-at=now", "reset"),
        ("n8ni/main", "restored-from=x", "reset"),
        ("nwfp/p", "approved-digest=x", "approve"),
        ("nwfp/p", "answers={}", "answer"),
        ("nwfp/p", "reset-at=now", "reset"),
        ("nmp/m", "reset-at=now", "reset"),
    ] {
        let refused = annotate(&world, "author", object, annotation);
        assert!(!refused.ok && refused.err.contains(&format!("needs the verb {verb} on ")), "{annotation}: {refused:?}");
        let other = annotate(&world, "pinner", object, annotation);
        assert_eq!(other.ok, verb == "pin", "one verb permits one decision: {annotation}: {other:?}");
        let passes = annotate(&world, "decider", object, annotation);
        assert!(passes.ok, "{annotation}: {passes:?}");
        // To remove it is a decision, too.
        let (key, _) = annotation.split_once('=').expect("a value");
        let removed = annotate(&world, "author", object, &format!("{key}-"));
        assert!(!removed.ok && removed.err.contains(verb), "{removed:?}");
    }
    // Everything else passes while the annotations stay.
    for arguments in [
        &["annotate", "nwf/a", "weirkeeper.dev/requested-at=now", "other=1"][..],
        &["label", "nwf/a", "team=a"],
        &["patch", "nwf/a", "--type=merge", "--patch={\"spec\":{\"suspend\":true}}"],
        &["annotate", "n8ni/main", "other=1"],
    ] {
        let passes = kubectl(&world, &[&["--as", "author"], arguments].concat(), None);
        assert!(passes.ok, "{passes:?}");
    }
    // An object is not created with a decision either.
    let created = |user: &str, name: &str| {
        let metadata = json!({ "name": name, "annotations": { "weirkeeper.dev/pinned-version": "1" } });
        let spec: Value = json!({ "instanceRef": { "name": "main" }, "definition": answering(name, "1") });
        let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec });
        kubectl(&world, &["--as", user, "create", "--filename", "-"], Some(&object))
    };
    let refused = created("author", "b");
    assert!(!refused.ok && refused.err.contains("needs the verb pin on workflows.weirkeeper.dev"), "{refused:?}");
    assert!(created("pinner", "c").ok);
}
