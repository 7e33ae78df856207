//! `/livez` on the real API server: it stays healthy on a quiet cluster, and fails when a watch dies silently.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::json;
use weirkeeper::controller::watched_paths;
use weirkeeper::kubernetes::scope::Scope;
use weirkeeper::kubernetes::stores::Stores;

use crate::harness::relay::{Hindrance, Relay};
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World};

/// Watches that are hindered, which takes the shortest bound for each.
const HINDERED: [&str; 3] = ["/apis/weirkeeper.dev/v1alpha1/workflows", "/apis/weirkeeper.dev/v1alpha1/n8ninstances", "/api/v1/configmaps"];

/// Returns the paths whose watches `/livez` rests on.
fn covered() -> BTreeSet<String> {
    let scope = Scope::default();
    [Stores::paths(&scope), watched_paths(&scope)].concat().into_iter().collect()
}

/// Returns a world whose operator is idle, and the relay between it and the API server. `bound` is the argument of `--liveness-bound`.
async fn quiet(name: &str, bound: &str) -> (Relay, World) {
    let stack = Stack::shared();
    let mut world = World::bare(stack.clone(), name, "http://127.0.0.1:9", "none").await;
    let (relay, kubeconfig) = Relay::to_api_server(&stack, "operator");
    world.operator.restart_through(&kubeconfig);
    world.operator.restart_with(&["--liveness-bound", bound]);
    (relay, world)
}

/// Returns the number of watches by path.
fn watches(relay: &Relay) -> BTreeMap<String, usize> {
    let mut watches = BTreeMap::new();
    for passed in relay.since(0).into_iter().filter(|passed| passed.watches) {
        *watches.entry(passed.path).or_default() += 1;
    }
    watches
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
    let covered = covered();
    let seldom = || {
        let seen = watches(&relay);
        covered.iter().any(|path| seen.get(path).is_none_or(|times| *times < 5))
    };
    while seldom() || started.elapsed() < bound * 2 {
        let (status, text) = world.operator.get("/livez").await;
        assert_eq!(status, 200, "after {:?}: {text}", started.elapsed());
        assert!(started.elapsed() < PATIENCE, "{:?}", watches(&relay));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let watched: BTreeSet<String> = watches(&relay).into_keys().collect();
    assert_eq!(watched, covered, "liveness rests on each watch of the operator");
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
    relay.hinder(Some((HINDERED[0], Hindrance::Silence)));
    world.operator.restart_with(&["--liveness-bound", "10s"]);
    until_dead(&world, HINDERED[0]).await;
    relay.hinder(None);
    until_alive(&world).await;
}
