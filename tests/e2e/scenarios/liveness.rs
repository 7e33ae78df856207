//! `/livez` on the real API server: it stays healthy on a quiet cluster, and fails when a watch dies silently.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::relay::{Hindrance, Relay};
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World};

/// The watches of the operator.
const WATCHES: [&str; 10] = [
    "/apis/weirkeeper.dev/v1alpha1/workflows",
    "/apis/weirkeeper.dev/v1alpha1/n8ninstances",
    "/api/v1/configmaps",
    "/apis/weirkeeper.dev/v1alpha1/n8ncredentials",
    "/apis/weirkeeper.dev/v1alpha1/workflowpolicies",
    "/apis/weirkeeper.dev/v1alpha1/workflowquotas",
    "/apis/weirkeeper.dev/v1alpha1/workflowprompts",
    "/apis/weirkeeper.dev/v1alpha1/modelproviders",
    "/apis/weirkeeper.dev/v1alpha1/workflowtemplates",
    "/api/v1/namespaces",
];
/// Those that are hindered, which takes the shortest bound for each.
const HINDERED: [&str; 3] = [WATCHES[0], WATCHES[1], WATCHES[2]];

/// Returns a world whose operator is idle, and the relay between it and the API server. `bound` is the argument of `--liveness-bound`.
async fn quiet(name: &str, bound: &str) -> (Relay, World) {
    let stack = Stack::shared();
    let mut world = World::bare(stack.clone(), name, "http://127.0.0.1:9", "none").await;
    let (relay, kubeconfig) = Relay::to_api_server(&stack, "operator");
    world.operator.restart_through(&kubeconfig);
    world.operator.restart_with(&["--liveness-bound", bound]);
    (relay, world)
}

/// Returns the number of requests for each path.
fn asked(relay: &Relay, path: &str) -> usize {
    relay.since(0).iter().filter(|passed| passed.path == path).count()
}

async fn until_alive(world: &World) {
    until_livez(world, |status, _| status == 200).await;
}

/// Waits until `/livez` fails because of the watch of this path. Another watch may be named first: on a busy machine the API server itself
/// may be silent for longer than the shortest bound.
async fn until_dead(world: &World, path: &str) {
    until_livez(world, |status, text| status != 200 && text.contains(path)).await;
}

async fn until_livez(world: &World, expected: impl Fn(u16, &str) -> bool) {
    let started = Instant::now();
    loop {
        let (status, text) = world.operator.get("/livez").await;
        if expected(status, &text) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "/livez is {status} {text}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn livez_stays_healthy_on_a_quiet_cluster_for_twice_the_bound() {
    // The shortest bound is 10 s; a busy API server may be silent for that long.
    let bound = Duration::from_secs(30);
    let (relay, world) = quiet("quiet", "30s").await;
    let started = Instant::now();
    // A watch restarts three times within the bound.
    while WATCHES.iter().any(|path| asked(&relay, path) < 6) || started.elapsed() < bound * 2 {
        let (status, text) = world.operator.get("/livez").await;
        assert_eq!(status, 200, "after {:?}: {text}", started.elapsed());
        assert!(started.elapsed() < PATIENCE, "{:?}", WATCHES.map(|path| asked(&relay, path)));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn livez_fails_for_a_watch_that_is_silent_or_only_gets_errors() {
    let (relay, world) = quiet("dead", "10s").await;
    until_alive(&world).await;
    for how in [Hindrance::Silence, Hindrance::Errors] {
        for path in HINDERED {
            relay.hinder(Some((path, how)));
            until_dead(&world, path).await;
            relay.hinder(None);
            until_alive(&world).await;
        }
    }
    // Changes that were missed meanwhile are noticed.
    world.workflow("a", json!({ "definition": { "nodes": [], "connections": {} } })).await;
    world.until_reason("a", "Ready", "InstanceNotFound").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn livez_fails_if_a_watch_is_silent_from_the_start() {
    let (relay, mut world) = quiet("mute", "10s").await;
    relay.hinder(Some((WATCHES[0], Hindrance::Silence)));
    world.operator.restart_with(&["--liveness-bound", "10s"]);
    until_dead(&world, WATCHES[0]).await;
    relay.hinder(None);
    until_alive(&world).await;
}
