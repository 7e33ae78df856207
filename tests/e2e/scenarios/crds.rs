//! CRDs that are missing, older or newer: `weirkeeper crds --check` says what to apply, and an operator on older CRDs waits and says so.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weirkeeper::api::crds;

use crate::harness::kubectl::kubectl;
use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World};
use crate::standin::{Options, StandIn};

/// Runs `weirkeeper crds --check` as an admin and returns its exit code and output.
fn check(stack: &Stack) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["crds", "--check"])
        .env("KUBECONFIG", stack.kubeconfig("admin"))
        .output()
        .expect("weirkeeper runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Returns the CRD of Workflow after a change of the properties of its spec.
fn changed(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
    let own = crds::all().into_iter().find(|crd| crd.spec.names.kind == "Workflow").expect("the CRD");
    let mut crd = serde_json::to_value(own).expect("JSON");
    (crd["apiVersion"], crd["kind"]) = (json!("apiextensions.k8s.io/v1"), json!("CustomResourceDefinition"));
    let properties = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
    change(properties.and_then(Value::as_object_mut).expect("properties"));
    crd
}

/// Applies a CRD as the field manager that applied it before, so that what it lacks is removed.
fn install(world: &World, crd: Value) {
    kubectl(world, &["apply", "--server-side", "--field-manager=test", "-f", "-"], Some(&crd)).text();
}

/// Waits until the operator's endpoint answers with a status and a text.
async fn until_answer(world: &World, path: &str, status: u16, part: &str) {
    let started = Instant::now();
    loop {
        let (code, text) = world.operator.get(path).await;
        if code == status && text.contains(part) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{path} answers {code} {text}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_on_older_crds_waits_says_what_to_apply_and_goes_on_by_itself() {
    let own = Stack::own(&["--without-n8n"]);
    let standin = StandIn::start(Options::default());
    let mut world = World::bare(own.clone(), "older-crds", &standin.url(), standin.api_key()).await;
    let (code, said) = check(&own);
    assert!(code == Some(0) && said.contains("workflows.weirkeeper.dev: as in this version"), "{said}");

    world.operator.kill();
    install(
        &world,
        changed(|fields| {
            fields.remove("healthCheck");
            fields.remove("suspend");
        }),
    );
    let (code, said) = check(&own);
    assert!(code == Some(1) && said.contains("workflows.weirkeeper.dev: lacks spec.healthCheck, spec.suspend"), "{said}");
    assert!(said.contains("weirkeeper crds | kubectl apply --server-side -f -"), "{said}");

    world.instance("main", &standin.url(), standin.api_key(), json!({})).await;
    world.workflow("waits", json!({ "active": true, "definition": answering(&world.namespace, "1") })).await;
    world.operator.start();
    let lacks = "the CRD of Workflow is older than this operator: it lacks spec.healthCheck, spec.suspend";
    until_answer(&world, "/readyz", 503, lacks).await;
    until_answer(&world, "/metrics", 200, "weirkeeper_crd_outdated{kind=\"Workflow\"} 1").await;
    until_answer(&world, "/metrics", 200, "weirkeeper_crd_outdated{kind=\"WorkflowQuota\"} 0").await;
    until_answer(&world, "/livez", 200, "ok").await;
    let log = world.operator.log();
    assert_eq!(log.matches("nothing is reconciled yet").count(), 1, "said once, not at each attempt:\n{log}");
    assert_eq!(world.get("waits").await["status"]["observedGeneration"], -1, "nothing is reconciled");

    install(&world, changed(|_| {}));
    world.until_ready("waits").await;
    until_answer(&world, "/readyz", 200, "ok").await;
    until_answer(&world, "/metrics", 200, "weirkeeper_crd_outdated{kind=\"Workflow\"} 0").await;

    // A newer CRD stops nobody, and is not overwritten by advice.
    world.operator.kill();
    install(
        &world,
        changed(|fields| {
            fields.insert("canary".to_owned(), json!({ "type": "string" }));
        }),
    );
    let (code, said) = check(&own);
    assert!(code == Some(1) && said.contains("has unknown spec.canary") && said.contains("upgrade the operator instead"), "{said}");
    world.operator.start();
    until_answer(&world, "/readyz", 200, "ok").await;
}

#[test]
fn the_check_of_crds_fails_with_2_without_a_cluster() {
    let output = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["crds", "--check"])
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .expect("weirkeeper runs");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
