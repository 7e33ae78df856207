//! Callers of a webhook of the real n8n while an idle fleet is watched, against n8n alone. The operator is stopped and continued in turn, so
//! that both are measured under the same other load; pairs are added until their ratios agree, or there are many.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, ready};
use crate::idle::{LOG, made, number, path, sweep};

/// Time between two calls of a webhook, as of a steady caller.
const CALLS: Duration = Duration::from_millis(40);
/// Number of pairs before their spread is evaluated, and at most.
const FEWEST: usize = 5;
/// Share of the median within which half of the ratios have to be.
const SPREAD: f64 = 0.1;

pub async fn measure() {
    let (objects, seconds, most) = (number("OBJECTS", 1_000), number("INTERVAL_SECONDS", 30), number("PAIRS", 8));
    let (stack, interval) = (Stack::shared(), format!("{seconds}s"));
    let (url, key) = (stack.n8n_url(), stack.n8n_key());
    let mut world = World::bare(stack, "callers", &url, &key).await;
    world.operator.restart_with(&["--log", LOG]);
    world.instance("main", &url, &key, json!({ "interval": interval })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    made(&mut world, objects, &interval).await;
    world.operator.restart_with(&["--log", LOG]);
    // The first listing and the first interval are a start, not an idle fleet.
    let lasts = Duration::from_secs(seconds as u64);
    tokio::time::sleep(lasts * 2).await;
    let (mut medians, mut tails) = (Vec::new(), Vec::new());
    while medians.len() < most && (medians.len() < FEWEST || !agree(&tails)) {
        // Whichever comes first has no advantage over all pairs.
        let watched_first = medians.len() % 2 == 0;
        let mut pair = [Vec::new(), Vec::new()];
        for watched in [watched_first, !watched_first] {
            world.operator.signal(if watched { "CONT" } else { "STOP" });
            pair[usize::from(watched)] = call(&world, lasts).await;
        }
        let [alone, watched] = pair.map(|times| (at(&times, 50), at(&times, 99)));
        println!(
            "callers: pair {}: p50 {:.2} ms under watch and {:.2} ms alone, p99 {:.2} ms and {:.2} ms",
            medians.len() + 1,
            watched.0,
            alone.0,
            watched.1,
            alone.1
        );
        medians.push(watched.0 / alone.0);
        tails.push(watched.1 / alone.1);
    }
    for (what, ratios) in [("p50", &mut medians), ("p99", &mut tails)] {
        ratios.sort_unstable_by(f64::total_cmp);
        println!(
            "callers: {} pairs of {interval}, {objects} objects: {what} under watch is {:.2} times that of n8n alone (quarters {:.2} to {:.2}, all {:.2} to {:.2})",
            ratios.len(),
            at(ratios, 50),
            at(ratios, 25),
            at(ratios, 75),
            at(ratios, 1),
            at(ratios, 100)
        );
    }
    world.operator.signal("CONT");
    world.operator.kill();
    sweep(&world, "Workflow").await;
}

/// Reports whether half of the ratios are close to their median.
fn agree(ratios: &[f64]) -> bool {
    let mut sorted = ratios.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    at(&sorted, 75) - at(&sorted, 25) <= SPREAD * at(&sorted, 50)
}

/// Calls the webhook of one workflow again and again, and returns how long each call took, sorted.
async fn call(world: &World, lasts: Duration) -> Vec<f64> {
    let (path, started) = (path(world, 0), Instant::now());
    let mut taken = Vec::new();
    while started.elapsed() < lasts {
        let called = Instant::now();
        assert_eq!(world.n8n.webhook("GET", &path).await.status, 200);
        let time = called.elapsed();
        taken.push(time.as_secs_f64() * 1_000.0);
        tokio::time::sleep(CALLS.saturating_sub(time)).await;
        assert!(time < PATIENCE, "n8n does not answer callers");
    }
    taken.sort_unstable_by(f64::total_cmp);
    taken
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}
