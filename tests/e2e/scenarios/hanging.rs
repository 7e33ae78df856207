//! Workflows that hang: they block no other, neither on their instance nor at the shutdown of the operator.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::world::{PATIENCE, World, condition, ready};
use crate::standin::{Fault, Rule, StandIn};

/// The number of Workflows that the operator reconciles at once.
const HANGING: usize = 10;
/// The number of probes that it makes at once.
const PROBES: usize = 4;

/// Waits until the given number of probes hangs.
async fn until_hanging(standin: &StandIn, rule: usize, probes: usize, world: &World) {
    let started = Instant::now();
    while standin.faults().fired(rule) < probes {
        assert!(started.elapsed() < PATIENCE, "{} probes\n{}", standin.faults().fired(rule), world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn hanging(world: &World, name: &str, timeout: &str) -> Value {
    let probes = json!([{ "node": "Webhook", "timeout": timeout }]);
    json!({ "active": true, "definition": answering(&format!("{}/hang/{name}", world.namespace), "1"), "healthCheck": { "probes": probes } })
}

/// Makes every probe of the workflows that [`hanging`] created hang.
fn hang(standin: &StandIn, world: &World) -> usize {
    standin.faults().add(Rule::on("GET", &format!("/webhook/{}/hang/*", world.namespace), Fault::Hang))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_workflows_with_hanging_probes_delay_no_edit_create_or_deletion_of_another_namespace() {
    let all = json!({ "allowedNamespaces": { "from": "All" }, "maxConcurrentRequests": 4 });
    let (standin, world) = World::on_stand_in("hanging", all).await;
    let other = format!("{}-b", world.namespace);
    world.namespace(&other).await;
    let theirs = async |name: &str, version: &str| {
        let spec = json!({ "instanceRef": { "name": "main", "namespace": world.namespace }, "active": true, "interval": "5m",
            "definition": answering(&format!("{other}/{name}"), version) });
        let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
            "metadata": { "name": name, "namespace": other }, "spec": spec });
        world.apply(object).await;
        world.until_in(&other, name, "it is Ready", ready).await
    };
    theirs("edited", "1").await;
    theirs("deleted", "1").await;
    let rule = hang(&standin, &world);
    for number in 0..HANGING {
        let name = format!("h{number}");
        world.workflow(&name, hanging(&world, &name, "5m")).await;
    }
    until_hanging(&standin, rule, PROBES, &world).await;
    for number in 0..HANGING {
        world.until(&format!("h{number}"), "it is in n8n", |object| object["status"]["n8nWorkflowId"].is_string()).await;
    }
    assert_eq!(theirs("edited", "2").await["status"]["activeVersion"], 2);
    theirs("created", "1").await;
    world.api_in(&other, "Workflow").delete("deleted", &Default::default()).await.expect("the API server deletes");
    world.until_in(&other, "deleted", "it is gone", Value::is_null).await;
    // There was no response during this time.
    assert_eq!(standin.faults().fired(rule), PROBES);
    for number in 0..HANGING {
        assert_ne!(condition(&world.get(&format!("h{number}")).await, "Ready")["status"], "True");
    }
    // And when there is a response, each gets its turn.
    standin.faults().clear();
    standin.stop();
    standin.restart();
    for number in 0..HANGING {
        world.until_ready(&format!("h{number}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_shuts_down_within_30_seconds_while_a_probe_hangs() {
    let (standin, mut world) = World::on_stand_in("ending", json!({})).await;
    let rule = hang(&standin, &world);
    world.workflow("a", hanging(&world, "a", "5m")).await;
    let lease = world.namespace.clone();
    let elected = ["--leader-elect", "on", "--lease-namespace", "weirkeeper-system", "--lease-name", lease.as_str()];
    for (round, flags) in [&[][..], &elected[..]].into_iter().enumerate() {
        world.operator.restart_with(flags);
        until_hanging(&standin, rule, standin.faults().fired(rule) + 1, &world).await;
        let asked = Instant::now();
        world.operator.terminate();
        println!("end: with {flags:?} it took {:?}", asked.elapsed());
        // Kubernetes kills after 30 s.
        assert!(asked.elapsed() < Duration::from_secs(30), "{flags:?}: {:?}", asked.elapsed());
        assert_eq!(world.operator.log().contains("released the lease"), round == 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciliation_that_exceeds_its_timeout_is_stopped_reported_counted_and_retried() {
    let (standin, mut world) = World::on_stand_in("toolong", json!({})).await;
    world.operator.restart_with(&["--reconcile-timeout", "10s"]);
    hang(&standin, &world);
    world.workflow("a", hanging(&world, "a", "2m")).await;
    let stopped = world.until_reason("a", "Ready", "TimedOut").await;
    assert_eq!(
        (condition(&stopped, "Reconciling")["status"].as_str(), condition(&stopped, "Stalled")["status"].as_str()),
        (Some("True"), Some("False"))
    );
    // The reconciliation is counted once its status is written.
    let counted = "weirkeeper_reconcile_total{controller=\"workflow\",reason=\"TimedOut\"}";
    let started = Instant::now();
    while !world.operator.get("/metrics").await.1.contains(counted) {
        assert!(started.elapsed() < PATIENCE, "timed out waiting for {counted}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    standin.faults().clear();
    let after = world.until_ready("a").await;
    assert_eq!(after["status"]["history"][0]["result"], "Good", "{after:#}");
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_lists_hang_reports_the_timeout_until_they_end() {
    let (standin, mut world) = World::on_stand_in("slowlist", json!({ "requestTimeout": "5m" })).await;
    let reason = |wanted: &'static str| move |object: &Value| condition(object, "Ready")["reason"] == wanted;
    world.until_kind("N8nInstance", "main", "it is Ready", reason("Succeeded")).await;
    world.operator.restart_with(&["--reconcile-timeout", "10s"]);
    standin.faults().add(Rule::on("GET", "/api/v1/workflows", Fault::Hang));
    world.annotate("N8nInstance", "main", "requested-at", json!("1")).await;
    let stopped = world.until_kind("N8nInstance", "main", "it was stopped", reason("TimedOut")).await;
    assert_eq!(condition(&stopped, "Ready")["status"], "False");
    assert_eq!(condition(&stopped, "Reachable")["status"], "True", "n8n itself answered: {stopped:#}");
    standin.faults().clear();
    world.until_kind("N8nInstance", "main", "it is Ready again", reason("Succeeded")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn durations_beyond_their_bounds_are_refused_by_the_api_server() {
    let (_standin, world) = World::on_stand_in("bounds", json!({})).await;
    let probe = |timeout: &str| json!({ "healthCheck": { "probes": [{ "node": "Webhook", "timeout": timeout }] } });
    let many =
        |count: usize, timeout: &str| json!({ "healthCheck": { "probes": vec![json!({ "node": "Webhook", "timeout": timeout }); count] } });
    let definition = answering(&format!("{}/a", world.namespace), "1");
    let refused = [
        (probe("9999h"), "from 100ms to 5m"),
        (probe("301s"), "from 100ms to 5m"),
        (probe("10ms"), "from 100ms to 5m"),
        (many(16, "20s"), "must be at most 5m"),
        (json!({ "healthCheck": { "bakeTime": "999999h" } }), "from 1s to 168h"),
        (json!({ "interval": "0s" }), "from 1s to 24h"),
        (json!({ "interval": "25h" }), "from 1s to 24h"),
    ];
    for (mut spec, message) in refused {
        spec["definition"] = definition.clone();
        let error = world.try_workflow("a", spec.clone()).await.expect_err("it is refused").to_string();
        assert!(error.contains(message), "{spec}: {error}");
    }
    for mut spec in [probe("5m"), probe("100ms"), many(15, "20s"), many(16, "18s"), json!({ "interval": "24h" })] {
        spec["definition"] = definition.clone();
        world.workflow("a", spec).await;
    }
}
