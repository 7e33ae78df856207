//! The roles of users, as config/users adds them to `view`, `edit` and `admin` on the real API server, which aggregates them.

use std::time::{Duration, Instant};

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::harness::kubectl::{Output, kubectl};
use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World};

/// Users, each bound to the ClusterRole of the same name in the namespace of the test.
const USERS: [&str; 3] = ["view", "edit", "admin"];

/// Asks the API server, as `kubectl auth can-i` does.
async fn can(world: &World, user: &str, verb: &str, resource: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes =
        json!({ "namespace": world.namespace, "group": "weirkeeper.dev", "verb": verb, "resource": resource, "subresource": subresource });
    let review = json!({ "metadata": {}, "spec": { "user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes } });
    let review: SubjectAccessReview = serde_json::from_value(review).expect("a review");
    let answer = Api::all(world.admin.clone()).create(&PostParams::default(), &review).await.expect("the API server answers");
    answer.status.expect("an answer").allowed
}

fn create(world: &World, user: &str, kind: &str, name: &str, spec: serde_json::Value) -> Output {
    let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec });
    kubectl(world, &["create", "-f", "-", "--as", user], Some(&object))
}

#[tokio::test(flavor = "multi_thread")]
async fn edit_may_write_workflows_and_no_rules_and_admin_alone_may_approve() {
    let mut world = World::bare(Stack::shared(), "roles", "http://127.0.0.1:1", "none").await;
    world.operator.kill();
    kubectl(&world, &["apply", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/config/users/roles.yaml")], None).text();
    for user in USERS {
        let subject = json!({ "kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io" });
        let role = json!({ "kind": "ClusterRole", "name": user, "apiGroup": "rbac.authorization.k8s.io" });
        world
            .apply(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": user },
                "roleRef": role, "subjects": [subject] }))
            .await;
    }
    // Roles are aggregated a moment after they are applied; `admin` gets what `edit` has, and that what `view` has.
    let started = Instant::now();
    while !(can(&world, "admin", "approve", "workflows").await && can(&world, "admin", "list", "workflows").await) {
        assert!(started.elapsed() < PATIENCE, "the roles are not aggregated");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut table = String::new();
    for (verbs, resources, wanted) in [
        (&["get", "list", "watch"][..], &["workflows", "n8ninstances", "workflowpolicies", "workflowquotas"][..], [true, true, true]),
        (
            &["create", "update", "patch", "delete", "deletecollection"],
            &["workflows", "workflowprompts", "n8ninstances", "n8ncredentials"],
            [false, true, true],
        ),
        (&["create", "update", "patch", "delete", "deletecollection"], &["workflowpolicies", "workflowquotas"], [false; 3]),
        (&["pin", "answer", "reset"], &["workflows"], [false, true, true]),
        (&["answer", "reset"], &["workflowprompts"], [false, true, true]),
        (&["reset"], &["n8ninstances"], [false, true, true]),
        (&["approve"], &["workflows", "workflowprompts"], [false, false, true]),
        (&["update", "patch"], &["workflows/status", "workflowquotas/status"], [false; 3]),
    ] {
        for (verb, resource) in verbs.iter().flat_map(|verb| resources.iter().map(move |resource| (verb, resource))) {
            let found = [
                can(&world, "view", verb, resource).await,
                can(&world, "edit", verb, resource).await,
                can(&world, "admin", verb, resource).await,
            ];
            table.push_str(&format!("{verb} {resource}: {found:?}\n"));
            assert_eq!(found, wanted, "{verb} {resource} as {USERS:?}");
        }
    }
    println!("who may ({USERS:?}):\n{table}");

    // A reviewer who is no administrator approves, and decides nothing else.
    let subject = json!({ "kind": "User", "name": "reviewer", "apiGroup": "rbac.authorization.k8s.io" });
    let role = json!({ "kind": "ClusterRole", "name": "weirkeeper-approver", "apiGroup": "rbac.authorization.k8s.io" });
    world
        .apply(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "reviewer" },
            "roleRef": role, "subjects": [subject] }))
        .await;
    let prompt = json!({ "prompt": "An endpoint that answers ok", "instanceRef": { "name": "main" } });
    assert!(create(&world, "admin", "WorkflowPrompt", "asked", prompt).ok);
    let annotate = |annotation: &str| {
        let annotation = format!("weirkeeper.dev/{annotation}");
        kubectl(&world, &["annotate", "nwfp/asked", &annotation, "--overwrite", "--as", "reviewer"], None)
    };
    let started = Instant::now();
    while !annotate("approved-digest=0a1b").ok {
        assert!(started.elapsed() < PATIENCE, "{:?}", annotate("approved-digest=0a1b"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for other in ["reset-at=now", "answers={}"] {
        let refused = annotate(other);
        assert!(!refused.ok && refused.err.contains("needs the verb "), "{refused:?}");
    }

    // The same, by what they do.
    let definition = answering(&format!("{}/a", world.namespace), "1");
    let workflow = json!({ "instanceRef": { "name": "main" }, "definition": definition });
    for user in USERS {
        let made = create(&world, user, "Workflow", user, workflow.clone());
        assert_eq!(made.ok, user != "view", "{made:?}");
        for (kind, plural, spec) in [
            ("WorkflowQuota", "workflowquotas", json!({ "hard": { "workflows": 1_000 } })),
            ("WorkflowPolicy", "workflowpolicies", json!({ "maximumNodes": 10 })),
        ] {
            let refused = create(&world, user, kind, "mine", spec);
            let words = format!("User \"{user}\" cannot create resource \"{plural}\" in API group \"weirkeeper.dev\"");
            assert!(!refused.ok && refused.err.contains(&words), "{refused:?}");
            println!("{}", refused.err.trim());
        }
    }
}
