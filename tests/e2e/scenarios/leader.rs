//! One replica is active, the others stand by: the holder of the lease, and how soon another one takes over.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{Operator, PATIENCE, World};
use crate::standin::{Options, StandIn};

/// The namespace in which config/rbac allows the operator to have its lease.
const NAMESPACE: &str = "weirkeeper-system";

/// Returns a world whose operator and a second one compete for a lease of their own. The first leads.
async fn pair(name: &str) -> (World, Operator) {
    pair_in(World::on_real_n8n(name).await).await
}

async fn pair_in(mut world: World) -> (World, Operator) {
    let lease = world.namespace.clone();
    let flags = ["--leader-elect", "on", "--lease-namespace", NAMESPACE, "--lease-name", lease.as_str()];
    world.operator.restart_with(&flags);
    until(&world.operator, "weirkeeper_leading 1").await;
    let second = world.another_operator("second", &flags);
    until(&second, "weirkeeper_leading 0").await;
    (world, second)
}

/// Waits until an operator's metrics have a line.
async fn until(operator: &Operator, wanted: &str) {
    let started = Instant::now();
    loop {
        let metrics = operator.try_get("/metrics").await.map_or_else(String::new, |(_, text)| text);
        if metrics.lines().any(|line| line == wanted) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "timed out waiting for {wanted}:\n{}", operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn holder(world: &World) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(world.admin.clone(), NAMESPACE);
    leases.get(&world.namespace).await.expect("the lease").spec?.holder_identity
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_graceful_shutdown_the_standby_leads_within_10_seconds() {
    let (mut world, second) = pair("graceful").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    assert!(!second.log().contains("reconciled"), "only the holder of the lease works");
    assert_eq!(second.try_get("/readyz").await.map(|(status, _)| status), Some(200), "a standby is ready");
    let before = holder(&world).await;

    let asked = Instant::now();
    world.operator.terminate();
    until(&second, "weirkeeper_leading 1").await;
    let led = asked.elapsed();
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "2") })).await;
    world.until_ready("a").await;
    println!("failover: graceful: another led after {:.1} s, worked after {:.1} s", led.as_secs_f64(), asked.elapsed().as_secs_f64());
    assert!(led < Duration::from_secs(10), "{led:?}");
    assert_ne!(holder(&world).await, before);
    assert!(world.operator.log().contains("released the lease"));
    world.n8n.expect_version(&path, "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_standby_leads_within_40_seconds_and_nothing_is_created_twice() {
    let (mut world, second) = pair("crash").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    // During a reconciliation, or after it: either has to end well.
    world.operator.kill();
    let killed = Instant::now();
    assert!(!second.log().contains("reconciled"), "only the holder of the lease works");
    until(&second, "weirkeeper_leading 1").await;
    let led = killed.elapsed();
    world.until_ready("a").await;
    println!("failover: crash: another led after {:.1} s, all was Ready after {:.1} s", led.as_secs_f64(), killed.elapsed().as_secs_f64());
    assert!(led < Duration::from_secs(40), "{led:?}");
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1);
    world.n8n.expect_version(&path, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_stopped_until_its_lease_expired_writes_nothing_when_it_continues() {
    let standin = StandIn::start(Options { latency: Duration::from_millis(50), ..Options::default() });
    let (url, key) = (standin.url(), standin.api_key().to_owned());
    let (world, second) = pair_in(World::bare(Stack::shared(), "asleep", &url, &key).await).await;
    world.instance("main", &url, &key, json!({})).await;
    let names: Vec<String> = (0..12).map(|number| format!("w{number}")).collect();
    for name in &names {
        let definition = answering(&format!("{}/{name}", world.namespace), "1");
        world.workflow(name, json!({ "active": true, "definition": definition })).await;
    }
    // During a reconciliation.
    world.until("w0", "the first is there", |object| object["status"]["n8nWorkflowId"].is_string()).await;
    world.operator.signal("STOP");
    until(&second, "weirkeeper_leading 1").await;
    for name in &names {
        world.until_ready(name).await;
    }
    let before = standin.log().writes().len();
    world.operator.signal("CONT");
    until(&world.operator, "weirkeeper_leading 0").await;
    assert!(world.operator.log().contains("the lease is lost"), "{}", world.operator.tail());
    let late = standin.log().writes().len() - before;
    println!("lease: {late} writes to n8n came from the leader that had slept");
    assert_eq!(late, 0);
    assert_eq!(standin.duplicates_seen("weirkeeper.dev/owner").len(), 0);
    for name in &names {
        assert_eq!(world.n8n.marked(&world.namespace, name).await.len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_loses_its_lease_stops_its_controllers_and_leads_again_when_it_is_free() {
    let (world, second) = pair("lost").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    let leases: Api<Lease> = Api::namespaced(world.admin.clone(), NAMESPACE);
    let hold = async |holder: &str| {
        let spec = json!({ "spec": { "holderIdentity": holder, "leaseDurationSeconds": 600 } });
        leases.patch(&world.namespace, &Default::default(), &kube::api::Patch::Merge(spec)).await.expect("the lease is patched");
    };
    hold("somebody-else").await;
    until(&world.operator, "weirkeeper_leading 0").await;
    assert!(world.operator.log().contains("the lease is lost"));
    assert!(second.try_get("/metrics").await.is_some_and(|(_, text)| text.contains("weirkeeper_leading 0")));
    for operator in [&world.operator, &second] {
        assert_eq!(operator.try_get("/readyz").await.map(|(status, _)| status), Some(200), "{}", operator.tail());
    }
    // An edit while nobody leads waits for the next leader; here the first operator, because the second one is gone.
    drop(second);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "2") })).await;
    hold("").await;
    until(&world.operator, "weirkeeper_leading 1").await;
    world.until("a", "version 2 is confirmed", |object| object["status"]["activeVersion"] == 2).await;
    world.n8n.expect_version(&path, "2").await;
    until(&world.operator, "weirkeeper_workflows{state=\"ready\"} 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_operator_waits_for_the_lease_unless_leader_election_is_off() {
    let (_standin, mut world) = World::on_stand_in("byhand", json!({})).await;
    // Matches only the name, so that other tests have another lease.
    let lease = world.namespace.clone();
    let flags = ["--lease-name", lease.as_str()];
    world.operator.restart_with(&flags);
    until(&world.operator, "weirkeeper_leading 1").await;
    let mut second = world.another_operator("second", &flags);
    until(&second, "weirkeeper_leading 0").await;
    let leader = holder(&world).await.expect("the lease in the namespace of config/rbac has a holder");
    let started = Instant::now();
    while !second.log().contains("another operator holds the lease") {
        assert!(started.elapsed() < PATIENCE, "nothing is logged:\n{}", second.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(second.log().contains(&leader), "it says which:\n{}", second.tail());
    second.restart_with(&["--leader-elect", "off"]);
    until(&second, "weirkeeper_leading 1").await;
    assert!(second.log().contains("no lease is taken"), "{}", second.tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_exits_if_the_api_server_refuses_its_label_selector() {
    let stack = Stack::shared();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["operator", "--listen", "127.0.0.1:0", "--watch-label-selector", "team in (a"])
        .env("KUBECONFIG", stack.kubeconfig("operator"))
        .output()
        .expect("the operator runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("--watch-label-selector \"team in (a\": "), "{message}");
}
