//! Many N8nInstances in one operator: connections, requests and memory for each, at a start and while nothing changes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::n8n::N8n;
use crate::harness::stack::Stack;
use crate::harness::world::{World, ready};
use crate::idle::{LOG, cold_start, create, memory, metric, number, requests, sweep};
use crate::seed::copies;
use crate::standin::{Options, StandIn};

pub async fn measure() {
    let (instances, each) = (number("INSTANCES", 100), number("EACH", 100));
    let (seconds, rounds) = (number("INTERVAL_SECONDS", 60), number("ROUNDS", 3));
    let interval = format!("{seconds}s");
    let all: Vec<StandIn> = (0..instances).map(|_| StandIn::start(Options { keep_bodies: false, ..Options::default() })).collect();
    let mut world = World::bare(Stack::shared(), "instances", &all[0].url(), all[0].api_key()).await;
    world.operator.restart_with(&["--log", LOG]);
    for (at, n8n) in all.iter().enumerate() {
        world.instance(&format!("main-{at}"), &n8n.url(), n8n.api_key(), json!({ "interval": interval })).await;
    }
    create(&world, 1, &interval, |_| "main-0".to_owned()).await;
    world.operator.kill();
    let places: Vec<(String, N8n)> =
        all.iter().enumerate().map(|(at, n8n)| (format!("main-{at}"), N8n::new(&n8n.url(), n8n.api_key()))).collect();
    copies(&world, instances * each, |number| places[number % instances].clone()).await;
    // The number of workflows in the status of each instance is news to it once.
    world.operator.restart_with(&["--log", LOG]);
    for (name, _) in &places {
        let counted = |instance: &Value| ready(instance) && instance["status"]["workflows"] == each;
        world.until_kind("N8nInstance", name, "the workflows are counted", counted).await;
    }
    world.operator.kill();
    cold_start(&mut world, instances * each, "instances").await;
    let (asked, processor, started) = (requests(&world).await, world.operator.processor_seconds(), Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds as u64) * u32::try_from(rounds).expect("a small number")).await;
    let took = started.elapsed().as_secs_f64();
    println!(
        "instances: {instances} with {each} Workflows each, {rounds} intervals of {interval}: {} connections; a second {:.2} requests to n8n and {:.1} ms of processor; RSS {} MiB, highest {} MiB",
        metric(&world.operator.get("/metrics").await.1, "weirkeeper_connections"),
        (requests(&world).await - asked) as f64 / took,
        (world.operator.processor_seconds() - processor) * 1_000.0 / took,
        memory(world.operator.pid()).0,
        memory(world.operator.pid()).1,
    );
    world.operator.kill();
    sweep(&world, "Workflow").await;
}
