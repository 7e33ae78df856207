//! An idle fleet, interval after interval: what it costs n8n, Kubernetes and the operator. On the stand-in, or on the real n8n with
//! `WEIRKEEPER_BENCH_REAL=1`, where callers of a webhook are timed as well, with the operator and without it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, ready};
use crate::idle::{Kubernetes, LOG, cold_start, made, memory, metric, number, path, requests, sweep};
use crate::standin::{Options, StandIn};

/// Time between two calls of a webhook, as of a steady caller.
const CALLS: Duration = Duration::from_millis(40);

pub async fn measure() {
    let real = std::env::var_os("WEIRKEEPER_BENCH_REAL").is_some();
    let objects = number("OBJECTS", if real { 1_000 } else { 10_000 });
    let (seconds, rounds) = (number("INTERVAL_SECONDS", 300), number("ROUNDS", 10));
    let interval = format!("{seconds}s");
    let standin = (!real).then(|| StandIn::start(Options { keep_bodies: false, ..Options::default() }));
    let stack = Stack::shared();
    let (url, key) = match &standin {
        Some(standin) => (standin.url(), standin.api_key().to_owned()),
        None => (stack.n8n_url(), stack.n8n_key()),
    };
    let mut world = World::bare(stack, "steady", &url, &key).await;
    world.operator.restart_with(&["--log", LOG, "--concurrency", "50"]);
    world.instance("main", &url, &key, json!({ "interval": interval })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    made(&mut world, objects, &interval).await;
    if let Some(standin) = &standin {
        standin.log().clear();
    }
    cold_start(&mut world, objects, "steady").await;

    let lasts = Duration::from_secs(seconds as u64) * u32::try_from(rounds).expect("a small number");
    let (asked, kubernetes) = (requests(&world).await, Kubernetes::count(&world).await);
    let (processor, n8n) = (world.operator.processor_seconds(), n8n_seconds(&world, real));
    let started = Instant::now();
    let watched = if real { call(&world, lasts).await } else { Vec::new() };
    tokio::time::sleep(lasts.saturating_sub(started.elapsed())).await;
    let took = started.elapsed().as_secs_f64();
    let spent = Kubernetes::count(&world).await.since(&kubernetes);
    let all = world.operator.get("/metrics").await.1;
    println!(
        "steady: {objects} objects, {rounds} intervals of {interval}, {}: a second {:.3} requests to n8n and {:.3} to Kubernetes, {:.2} ms of the operator's processor{}; {} writes to Kubernetes; RSS {} MiB, highest {} MiB; {} reconciliations",
        if real { "real n8n" } else { "stand-in" },
        (requests(&world).await - asked) as f64 / took,
        spent.requests as f64 / took,
        (world.operator.processor_seconds() - processor) * 1_000.0 / took,
        if real { format!(" and {:.2} ms of n8n's", (n8n_seconds(&world, real) - n8n) * 1_000.0 / took) } else { String::new() },
        spent.writes,
        memory(world.operator.pid()).0,
        memory(world.operator.pid()).1,
        metric(&all, "weirkeeper_reconcile_total{controller=\"workflow\""),
    );
    let kinds = all.lines().filter(|line| line.starts_with("weirkeeper_n8n_requests_total{")).collect::<Vec<_>>();
    println!("steady:   {}", kinds.join("; "));
    world.operator.kill();
    if real {
        let (before, started) = (n8n_seconds(&world, real), Instant::now());
        let alone = call(&world, lasts).await;
        let [with, without] = [&watched, &alone].map(|times| (at(times, 50), at(times, 99)));
        println!(
            "steady: {} calls of a webhook under watch: p50 {:.1} ms, p99 {:.1} ms; n8n alone {:.1} ms, {:.1} ms; ratio {:.2} and {:.2}; n8n alone {:.2} ms of its processor a second",
            watched.len(),
            with.0,
            with.1,
            without.0,
            without.1,
            with.0 / without.0,
            with.1 / without.1,
            (n8n_seconds(&world, real) - before) * 1_000.0 / started.elapsed().as_secs_f64(),
        );
    }
    sweep(&world).await;
}

/// Calls the webhook of one workflow again and again, and returns how long each call took.
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
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// Processor time of the real n8n, with its task runner, in seconds.
fn n8n_seconds(world: &World, real: bool) -> f64 {
    if real { world.stack.n8n_processor_seconds() } else { 0.0 }
}
