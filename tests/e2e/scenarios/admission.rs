//! The admission webhook on the real API server: what kubectl prints, what passes although nobody answers, and what it is sent by strangers.

use std::time::{Duration, Instant};

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::admission::{Admission, apply, delete_now, labelled, workflow};
use crate::harness::kubectl::kubectl;
use crate::harness::n8n::{answering, with_node};
use crate::harness::world::{PATIENCE, World, ready};
use crate::standin::StandIn;

/// Returns a world whose instance is ready and that has a webhook with a failure policy.
async fn world(name: &str, failure_policy: &str) -> (StandIn, World, Admission) {
    let (standin, mut world) = World::on_stand_in(name, json!({})).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    let admission = Admission::in_front(&mut world, failure_policy, &[]).await;
    (standin, world, admission)
}

fn answers(world: &World, name: &str, version: &str) -> Value {
    answering(&format!("{}/{name}", world.namespace), version)
}

fn broken(definition: Value) -> Value {
    let node = json!({ "name": "Fetch", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [400, 0],
        "parameters": { "url": "={{ $json. }}", "options": { "timeout": 5000 } } });
    let mut definition = with_node(definition, node);
    definition["connections"]["Answer"] = json!({ "main": [[{ "node": "Fetch", "type": "main", "index": 0 }]] });
    definition
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_prints_what_is_wrong_and_what_is_doubtful() {
    let (_standin, world, _admission) = world("denial", "Fail").await;
    let denied = apply(&world, &workflow("a", json!({ "definition": broken(answers(&world, "a", "1")) })), &[]);
    println!("denied:\n{}", denied.err);
    assert!(!denied.ok && denied.err.contains("admission webhook \"workflows.weirkeeper.dev\" denied the request: 1 error"), "{denied:?}");
    assert!(denied.err.contains("node \"Fetch\": nodes[2].parameters.url"), "{denied:?}");
    assert!(world.get("a").await.is_null(), "it is not stored");

    let warned = apply(&world, &workflow("a", json!({ "definition": answers(&world, "a", "1"), "active": true })), &[]);
    println!("warned:\n{}{}", warned.err, warned.out);
    assert!(warned.ok && warned.err.contains("Warning: node \"Webhook\""), "{warned:?}");
    world.until_ready("a").await;

    let edited = apply(&world, &workflow("a", json!({ "definition": broken(answers(&world, "a", "2")), "active": true })), &[]);
    assert!(edited.err.contains("denied the request"), "{edited:?}");
    world.until_ready("a").await;

    let waiting = workflow(
        "b",
        json!({ "instanceRef": { "name": "later" }, "definition": answers(&world, "b", "1"),
        "references": [{ "id": "X", "workflowRef": { "name": "later" } }] }),
    );
    let waiting = apply(&world, &waiting, &["--dry-run=server"]);
    println!("waiting:\n{}{}", waiting.err, waiting.out);
    assert!(waiting.ok && waiting.err.contains("Warning: N8nInstance later does not exist in this namespace"), "{waiting:?}");
    assert!(waiting.err.contains("Warning: Workflow later, which spec.references names, does not exist"), "{waiting:?}");

    let ring = apply(
        &world,
        &workflow(
            "c",
            json!({ "definition": answers(&world, "c", "1"),
        "references": [{ "id": "X", "workflowRef": { "name": "c" } }] }),
        ),
        &[],
    );
    assert!(ring.err.contains("reference cycle between Workflows: c -> c"), "{ring:?}");
    let instance = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "odd" },
        "spec": { "url": "https://[", "apiKeySecretRef": { "name": "main-key" } } });
    let instance = apply(&world, &instance, &[]);
    assert!(instance.err.contains("spec.url is not a URL"), "{instance:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_was_accepted_stays_when_the_rules_move() {
    let (_standin, world, _admission) = world("moved", "Fail").await;
    let object = |more: Value| {
        let mut spec = json!({ "definition": answers(&world, "a", "1"), "active": true });
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        workflow("a", spec)
    };
    assert!(apply(&world, &object(json!({})), &[]).ok);
    world.until_ready("a").await;
    let policy = |spec: Value| json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": "rules" }, "spec": spec });
    let contradiction = apply(&world, &policy(json!({ "allowedNodeTypes": ["n8n-nodes-base.set"], "deniedNodeTypes": ["*"] })), &[]);
    println!("policy:\n{}", contradiction.err);
    assert!(contradiction.err.contains("the policy contradicts itself"), "{contradiction:?}");
    let doubtful = apply(&world, &policy(json!({ "deniedNodeTypes": ["n8n-nodes-base.webhook", "n8n-nodes-base.webhok"] })), &[]);
    assert!(doubtful.ok && doubtful.err.contains("\"n8n-nodes-base.webhok\" matches no node type"), "{doubtful:?}");

    let other = workflow("b", json!({ "definition": answers(&world, "b", "1") }));
    let started = Instant::now();
    let denied = loop {
        let tried = apply(&world, &other, &["--dry-run=server"]);
        if !tried.ok {
            break tried.err;
        }
        assert!(started.elapsed() < PATIENCE, "the policy is not known");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("denied by the policy:\n{denied}");
    assert!(denied.contains("denied the request") && denied.contains("WorkflowPolicy rules"), "{denied}");
    let again = apply(&world, &object(json!({})), &[]);
    assert!(again.ok && again.out.contains("unchanged"), "{again:?}");
    let flipped = apply(&world, &object(json!({ "suspend": true })), &[]);
    println!("accepted earlier:\n{}{}", flipped.err, flipped.out);
    assert!(flipped.ok && flipped.err.contains("Warning: the definition was accepted earlier"), "{flipped:?}");
    let edited = apply(&world, &object(json!({ "definition": answers(&world, "a", "2") })), &[]);
    assert!(!edited.ok && edited.err.contains("WorkflowPolicy rules"), "{edited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_at_the_limit_gives_the_same_answer_each_time_and_an_apply_beyond_it_is_denied() {
    let (_standin, world, _admission) = world("limit", "Fail").await;
    let quota = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowQuota", "metadata": { "name": "team-a" },
        "spec": { "hard": { "workflows": 2, "activeWorkflows": 1 } } });
    assert!(apply(&world, &quota, &[]).ok);
    let object = |name: &str, active: bool| workflow(name, json!({ "definition": answers(&world, name, "1"), "active": active }));
    assert!(apply(&world, &object("a", true), &[]).ok);
    world.until_ready("a").await;
    for _ in 0..10 {
        let tried = apply(&world, &object("b", false), &["--dry-run=server"]);
        assert!(tried.ok, "one place is left, and a dry run takes none: {tried:?}");
    }
    let active = apply(&world, &object("b", true), &[]);
    println!("one published too many:\n{}", active.err);
    assert!(active.err.contains("exceeded quota: team-a, requested: activeWorkflows=1, used: 1, limited: 1"), "{active:?}");
    assert!(apply(&world, &object("b", false), &[]).ok);
    world.until_ready("b").await;
    for _ in 0..10 {
        let third = apply(&world, &object("c", false), &["--dry-run=server"]);
        assert!(third.err.contains("exceeded quota: team-a, requested: workflows=1, used: 2, limited: 2"), "{third:?}");
    }
    let third = apply(&world, &object("c", false), &[]);
    println!("one too many:\n{}", third.err);
    assert!(!third.ok && third.err.contains("denied the request"), "{third:?}");
    let flipped = apply(&world, &object("b", true), &[]);
    assert!(flipped.err.contains("activeWorkflows=1, used: 1, limited: 1"), "{flipped:?}");
    assert!(apply(&world, &object("a", false), &[]).ok, "giving up a place is always allowed");
    world.until("a", "it is not published", |object| object["status"]["published"] == false).await;
    assert!(apply(&world, &object("b", true), &[]).ok);
    world.until_ready("b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_operator_gone_nothing_that_is_stored_gets_stuck() {
    let (_standin, mut world, admission) = world("gone", "Fail").await;
    let large = with_node(
        answers(&world, "a", "1"),
        json!({ "name": "Note", "type": "n8n-nodes-base.stickyNote", "typeVersion": 1,
        "position": [0, 400], "parameters": { "content": "x".repeat(190_000) } }),
    );
    let many: Vec<Value> =
        (0..2_000).map(|number| json!({ "id": number.to_string(), "name": "x", "value": "y", "type": "string" })).collect();
    let wide = with_node(
        answers(&world, "b", "1"),
        json!({ "name": "Wide", "type": "n8n-nodes-base.set", "typeVersion": 3.4,
        "position": [0, 400], "parameters": { "assignments": { "assignments": many }, "options": {} } }),
    );
    for (name, definition) in [("a", large), ("b", wide)] {
        let applied =
            kubectl(&world, &["create", "-f", "-"], Some(&labelled(&world, &workflow(name, json!({ "definition": definition })))));
        assert!(applied.ok, "{applied:?}");
        world.until_ready(name).await;
    }
    world.operator.terminate();
    // The committed configuration stays behind, as after an uninstallation.
    admission.configure(&world, "Fail").await;
    let edited = kubectl(&world, &["patch", "nwf", "a", "--type=merge", "-p", "{\"spec\":{\"suspend\":true}}"], None);
    println!("with the operator gone, an edit: {}", edited.err);
    assert!(!edited.ok && edited.err.contains("failed calling webhook \"workflows.weirkeeper.dev\""), "{edited:?}");
    for name in ["a", "b"] {
        kubectl(&world, &["label", "nwf", name, "team=a"], None).text();
        kubectl(&world, &["annotate", "nwf", name, "weirkeeper.dev/requested-at=1"], None).text();
        let status = Patch::Merge(json!({ "status": { "summary": "by hand" } }));
        world.api("Workflow").patch_status(name, &PatchParams::default(), &status).await.expect("the status can be written");
    }
    delete_now(&world, "Workflow", "a").await;
    assert!(world.get("a").await["metadata"]["deletionTimestamp"].is_string(), "its finalizer is still there");
    kubectl(&world, &["patch", "nwf", "a", "--type=merge", "-p", "{\"metadata\":{\"finalizers\":null}}"], None).text();
    world.until("a", "it is gone", Value::is_null).await;
    kubectl(&world, &["patch", "nwf", "b", "--type=merge", "-p", "{\"metadata\":{\"finalizers\":null}}"], None).text();
    kubectl(&world, &["patch", "n8ni", "main", "--type=merge", "-p", "{\"metadata\":{\"finalizers\":null}}"], None).text();
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(world.admin.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.expect("the namespace can be deleted");
    let started = Instant::now();
    while namespaces.get_opt(&world.namespace).await.expect("the API server answers").is_some() {
        assert!(started.elapsed() < PATIENCE, "the namespace stays");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_send_is_refused_and_the_next_review_is_answered() {
    let (_standin, world, admission) = world("strangers", "Fail").await;
    let review = |object: &str| {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u-1","operation":"CREATE","namespace":"n","name":"a",
            "kind":{{"group":"weirkeeper.dev","version":"v1alpha1","kind":"Workflow"}},"object":{object}}}}}"#
        )
    };
    let deep = format!("{{\"spec\":{{\"definition\":{}1{}}}}}", "{\"a\":".repeat(200_000), "}".repeat(200_000));
    let wide = format!("{{\"spec\":{{\"definition\":{{\"nodes\":[{}1]}}}}}}", "{},".repeat(900_000));
    for (body, status, part) in [
        ("garbage".to_owned(), 400, "this is no AdmissionReview"),
        (String::new(), 400, "the body is not JSON"),
        ("[".repeat(1_000_000), 400, "the body is not JSON"),
        (review("{}").replace("/v1\"", "/v2\""), 400, "must be admission.k8s.io/v1"),
        (review("null"), 200, "the review has no object"),
        (review(&deep), 200, "nests too deep"),
        (review(&wide), 200, "\"allowed\":false"),
        (review("{\"spec\":7}"), 200, "does not fit its kind"),
        ("x".repeat(4_000_000), 413, "the body has more than"),
    ] {
        let begin: String = body.chars().take(40).collect();
        let (found, answer) = admission.post(&world, body).await;
        println!("{begin:?}...: {found} {}", answer.chars().take(160).collect::<String>());
        assert!(found == status && answer.contains(part), "{begin}: {found} {}", answer.chars().take(400).collect::<String>());
    }
    let other = admission.post(&world, review("{}").replace("\"Workflow\"", "\"Pod\"")).await.1;
    assert!(other.contains("\"allowed\":true") && other.contains("no rules for Pod"), "{other}");
    admission.until_in_force(&world).await;
    assert!(!world.operator.log().contains("panicked"), "{}", world.operator.tail());
}
