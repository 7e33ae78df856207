//! Uninstalling: `weirkeeper release` removes the finalizers, so that nothing hangs without the operator and n8n stays as it is.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::undecodable::{DEEP, nested, send};
use crate::harness::n8n::answering;
use crate::harness::world::World;

/// Runs the command on the objects of the world's namespace. Returns whether it succeeded, and its output.
async fn release(world: &World, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    command.args(["release", "--namespace", &world.namespace]).args(arguments).env("KUBECONFIG", world.stack.kubeconfig("admin"));
    let run = tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await.expect("it ends");
    let message = [run.stdout, run.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat();
    (run.status.success(), message)
}

/// Returns a Lease with a name of its own, so that operators of other scenarios do not matter.
fn lease_of(world: &World) -> String {
    format!("lease-{}", world.namespace)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_operator_a_deletion_waits_until_it_is_released_and_n8n_keeps_the_workflow() {
    let mut world = World::on_real_n8n("released").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    world.operator.terminate();
    let delete = DeleteParams::default();
    world.api("Workflow").delete("a", &delete).await.expect("the API server deletes");
    let lease = lease_of(&world);
    let (done, message) = release(&world, &["--lease-name", &lease, "--dry-run"]).await;
    assert!(done && message.contains(&format!("Workflow {}/a would be released", world.namespace)), "{message}");
    assert!(message.contains(&format!("N8nInstance {}/main would be released", world.namespace)), "{message}");
    let hanging = world.get("a").await;
    assert!(hanging["metadata"]["deletionTimestamp"].is_string() && hanging["metadata"]["finalizers"][0].is_string(), "{hanging:#}");
    let (done, message) = release(&world, &["--lease-name", &lease]).await;
    assert!(done && message.ends_with("2 objects released; their workflows and credentials stay in n8n as they are\n"), "{message}");
    world.until("a", "it is gone", Value::is_null).await;
    world.api("N8nInstance").delete("main", &delete).await.expect("the API server deletes");
    world.until_kind("N8nInstance", "main", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.webhook("GET", &path).await.status, 200, "it is still published");
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1);
    let (done, message) = release(&world, &["--lease-name", &lease]).await;
    assert!(done && message.starts_with("0 objects released"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_released_while_an_operator_renews_its_lease() {
    let (_standin, world) = World::on_stand_in("releaselease", json!({})).await;
    world.until_kind("N8nInstance", "main", "it has its finalizer", |object| object["metadata"]["finalizers"][0].is_string()).await;
    // Like that of an operator with a label selector.
    let name = format!("{}-0123abcdef", lease_of(&world));
    let leases = Api::<Lease>::namespaced(world.admin.clone(), &world.namespace);
    let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name },
        "spec": { "holderIdentity": "pod-1", "leaseDurationSeconds": 15 } });
    leases.create(&PostParams::default(), &serde_json::from_value(lease).expect("a Lease")).await.expect("a Lease is created");
    let renewing = Arc::new(AtomicBool::new(true));
    let renewal = tokio::spawn({
        let (leases, name, renewing) = (leases.clone(), name.clone(), renewing.clone());
        async move {
            while renewing.load(Ordering::SeqCst) {
                let renewed = MicroTime(jiff::Timestamp::now());
                let patch = Patch::Merge(json!({ "spec": { "renewTime": renewed } }));
                leases.patch(&name, &PatchParams::default(), &patch).await.expect("the Lease is renewed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    });
    let (done, message) = release(&world, &["--lease-name", &lease_of(&world)]).await;
    assert!(!done && message.contains(&format!("Lease {}/{name} is renewed by pod-1", world.namespace)), "{message}");
    let observed = world.api("N8nInstance").get("main").await.expect("the instance is there");
    assert_eq!(observed.metadata.finalizers.map(|all| all.len()), Some(1), "nothing was changed");
    // As in a namespace that the operator's release no longer manages: its Lease is elsewhere.
    let (done, message) = release(&world, &["--lease-name", &lease_of(&world), "--lease-namespace", "kube-public"]).await;
    assert!(done && message.contains("1 objects released"), "{message}");
    world.until_kind("N8nInstance", "main", "its operator adds it again", |object| object["metadata"]["finalizers"][0].is_string()).await;
    renewing.store(false, Ordering::SeqCst);
    renewal.await.expect("it ends");
    let (done, message) = release(&world, &["--lease-name", &name]).await;
    assert!(done && message.contains("1 objects released"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_nested_too_deeply_is_released() {
    let (_standin, mut world) = World::on_stand_in("releasedeep", json!({})).await;
    let mut definition = answering("deep/a", "1");
    definition["nodes"][1]["parameters"]["deep"] = json!(DEEP);
    let workflow = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
        "metadata": { "name": "deep", "finalizers": ["weirkeeper.dev/workflow"] },
        "spec": { "instanceRef": { "name": "main" }, "definition": definition } });
    let place = format!("/apis/weirkeeper.dev/v1alpha1/namespaces/{}/workflows", world.namespace);
    send(&world.admin, "POST", &place, &nested(&workflow, 118, "end")).await.expect("the API server takes it");
    world.operator.terminate();
    let (done, message) = release(&world, &["--lease-name", &lease_of(&world)]).await;
    assert!(done && message.contains(&format!("Workflow {}/deep released", world.namespace)), "{message}");
    let left = send(&world.admin, "GET", &format!("{place}/deep"), "").await.expect("it is there");
    assert!(!left.contains("finalizers"), "{left:.600}");
}
