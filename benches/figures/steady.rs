//! An idle fleet, interval after interval: what it costs n8n, Kubernetes and the operator. On the stand-in, or on the real n8n with
//! `WEIRKEEPER_BENCH_REAL=1`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::stack::Stack;
use crate::harness::world::{World, ready};
use crate::idle::{Kubernetes, LOG, cold_start, made, memory, metric, number, requests, sweep};
use crate::standin::{Options, StandIn};

pub async fn measure() {
    let real = std::env::var_os("WEIRKEEPER_BENCH_REAL").is_some();
    let objects = number("OBJECTS", if real { 1_000 } else { 10_000 });
    let (seconds, rounds) = (number("INTERVAL_SECONDS", 60), number("ROUNDS", 3));
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
    tokio::time::sleep(lasts).await;
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
    sweep(&world, "Workflow").await;
}

/// Processor time of the real n8n, with its task runner, in seconds.
fn n8n_seconds(world: &World, real: bool) -> f64 {
    if real { world.stack.n8n_processor_seconds() } else { 0.0 }
}
