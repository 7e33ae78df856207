//! Without a change nothing is written, neither to Kubernetes nor to n8n, counted on the wire.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::json;

use crate::harness::n8n::answering;
use crate::harness::relay::{Passed, Relay};
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, condition};

const WORKFLOWS: usize = 50;
/// Number of workflows that are called during the measurement.
const BUSY: usize = 10;
/// Number of reconciliations of each workflow without a write.
const ROUNDS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_unchanged_workflows_cause_no_write_to_kubernetes_or_n8n_while_ten_of_them_are_called() {
    // An n8n of its own: orphans of other tests would be news to every instance on it.
    let own = Stack::own(&["--only-n8n"]);
    let mut world = World::bare(Stack::shared(), "silence", &own.n8n_url(), &own.n8n_key()).await;
    let n8n = Relay::to(&own.n8n_url());
    let (kubernetes, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
    world.operator.restart_through(&kubeconfig);
    // The instance is reconciled several times too, with much to report: scopes, version, orphans, expiry of the key.
    world.instance("main", &n8n.url, &own.n8n_key(), json!({ "interval": "5s" })).await;
    stream::iter(0..WORKFLOWS)
        .for_each_concurrent(10, |number| {
            let (world, path) = (&world, path(&world, number));
            async move {
                let mut spec = json!({ "active": true, "interval": "2s", "definition": answering(&path, "1"), "tags": ["silent"] });
                if number % 5 == 0 {
                    // Its health is evaluated from production executions in every reconciliation.
                    spec["healthCheck"] = json!({ "bakeTime": "2s", "minimumExecutions": 1, "maximumErrorRate": 50 });
                }
                world.workflow(&name(number), spec).await;
                // Ten at a time, so that none waits for all others on a slow machine.
                world.until_ready(&name(number)).await;
            }
        })
        .await;
    for number in (0..BUSY).map(|number| number * 5) {
        let started = Instant::now();
        while condition(&world.get(&name(number)).await, "Healthy")["status"] != "True" {
            assert!(started.elapsed() < PATIENCE, "{} does not become healthy", name(number));
            assert_eq!(world.n8n.webhook("GET", &path(&world, number)).await.status, 200);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // Work in progress ends before the measurement begins: two more reconciliations of each.
    until_reconciled(&world, &n8n, 2, false).await;
    let (from_n8n, from_kubernetes) = (n8n.count(), kubernetes.count());
    let calls = until_reconciled(&world, &n8n, ROUNDS, true).await;
    assert!(calls >= BUSY * ROUNDS, "only {calls} calls of webhooks");

    let (to_n8n, to_kubernetes) = (n8n.writes_since(from_n8n), kubernetes.writes_since(from_kubernetes));
    // A check requests a production path with a method that it does not use, which executes nothing.
    let to_n8n: Vec<Passed> = to_n8n.into_iter().filter(|one| !one.path.starts_with("/webhook/")).collect();
    println!(
        "idle: {} requests to n8n and {} to Kubernetes in {ROUNDS} reconciliations of {WORKFLOWS} workflows with {calls} webhook calls; writes: {} and {}",
        n8n.count() - from_n8n,
        kubernetes.count() - from_kubernetes,
        to_n8n.len(),
        to_kubernetes.len()
    );
    assert!(to_n8n.is_empty(), "written to n8n: {:?}", summary(&to_n8n));
    let quiet = world.get(&name(1)).await["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    let runs = world.n8n.api("GET", &format!("/executions?workflowId={quiet}"), None).await.json();
    assert_eq!(runs["data"], json!([]), "looking at a workflow runs it");
    assert!(to_kubernetes.is_empty(), "written to Kubernetes: {:?}\n{}", summary(&to_kubernetes), world.operator.tail());
}

fn name(number: usize) -> String {
    format!("quiet-{number:02}")
}

fn path(world: &World, number: usize) -> String {
    format!("{}/{number}", world.namespace)
}

/// Waits until each workflow was read a number of times in n8n; calls the busy ones meanwhile, if requested, and returns the number of
/// calls.
async fn until_reconciled(world: &World, n8n: &Relay, rounds: usize, traffic: bool) -> usize {
    let (from, started) = (n8n.count(), Instant::now());
    let mut calls = 0;
    loop {
        let mut reads: BTreeMap<String, usize> = BTreeMap::new();
        for one in n8n.since(from) {
            if let Some(id) = one.path.strip_prefix("/api/v1/workflows/").filter(|id| one.method == "GET" && !id.contains('/')) {
                *reads.entry(id.to_owned()).or_default() += 1;
            }
        }
        let done = reads.values().filter(|reads| **reads >= rounds).count() >= WORKFLOWS;
        if done && (!traffic || calls >= BUSY * ROUNDS) {
            return calls;
        }
        assert!(started.elapsed() < PATIENCE * 2, "reconciliations of {} workflows only: {reads:?}", reads.len());
        if traffic {
            for number in (0..BUSY).map(|number| number * 5) {
                assert_eq!(world.n8n.webhook("GET", &path(world, number)).await.status, 200);
                calls += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Counts each method and kind of path.
fn summary(passed: &[Passed]) -> BTreeMap<String, usize> {
    passed.iter().fold(BTreeMap::new(), |mut summary, one| {
        *summary.entry(format!("{} {}", one.method, one.path)).or_default() += 1;
        summary
    })
}
