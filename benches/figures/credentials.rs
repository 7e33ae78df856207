//! Ten thousand N8nCredentials in one operator, each with a Secret of its own: what they cost while nothing changes, and how long a changed
//! Secret takes to be in n8n.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::harness::stack::{Stack, rand};
use crate::harness::world::{World, ready};
use crate::idle::{Kubernetes, LOG, LONGEST, memory, metric, number, requests, sweep, until};
use crate::standin::{Options, StandIn};

/// Number of Secrets that change at once.
const CHANGED: usize = 200;

pub async fn measure() {
    let objects = number("OBJECTS", 10_000);
    let (seconds, rounds) = (number("INTERVAL_SECONDS", 300), number("ROUNDS", 1));
    let interval = format!("{seconds}s");
    let n8n = StandIn::start(Options { keep_bodies: false, ..Options::default() });
    let mut world = World::bare(Stack::shared(), "credentials", &n8n.url(), n8n.api_key()).await;
    world.operator.restart_with(&["--log", LOG, "--concurrency", "50"]);
    world.instance("main", &n8n.url(), n8n.api_key(), json!({ "interval": "1h", "maxConcurrentRequests": 50 })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    let (started, asked, before) = (Instant::now(), requests(&world).await, Kubernetes::count(&world).await);
    stream::iter(0..objects).for_each_concurrent(16, |number| create(&world, number, &interval)).await;
    until(&world, "weirkeeper_credentials{state=\"ready\"}", objects as f64).await;
    println!(
        "credentials: {objects} created in {:.0} s, {:.2} requests to n8n for each and {:.1} to Kubernetes",
        started.elapsed().as_secs_f64(),
        (requests(&world).await - asked) as f64 / objects as f64,
        Kubernetes::count(&world).await.since(&before).requests as f64 / objects as f64,
    );
    let before = memory(world.operator.pid());
    world.operator.restart_with(&["--log", LOG]);
    let started = Instant::now();
    until(&world, "weirkeeper_credentials{state=\"ready\"}", objects as f64).await;
    println!(
        "credentials: cold start of {objects}: confirmed in {:.1} s, {} requests to n8n, {:.1} s of processor time; RSS {} MiB (before the start {})",
        started.elapsed().as_secs_f64(),
        requests(&world).await,
        world.operator.processor_seconds(),
        memory(world.operator.pid()).0,
        before.0,
    );
    idle(&world, objects, Duration::from_secs(seconds as u64) * u32::try_from(rounds).expect("a small number")).await;
    rotate(&world, objects).await;
    world.operator.kill();
    sweep(&world, "N8nCredential").await;
    world.api("Secret").delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("the API server deletes");
}

async fn idle(world: &World, objects: usize, lasts: Duration) {
    let (asked, kubernetes, processor) = (requests(world).await, Kubernetes::count(world).await, world.operator.processor_seconds());
    let started = Instant::now();
    tokio::time::sleep(lasts).await;
    let took = started.elapsed().as_secs_f64();
    let spent = Kubernetes::count(world).await.since(&kubernetes);
    println!(
        "credentials: {objects} idle for {took:.0} s: a second {:.2} requests to n8n and {:.1} to Kubernetes, {:.1} ms of processor; {} writes to Kubernetes; RSS {} MiB, highest {} MiB",
        (requests(world).await - asked) as f64 / took,
        spent.requests as f64 / took,
        (world.operator.processor_seconds() - processor) * 1_000.0 / took,
        spent.writes,
        memory(world.operator.pid()).0,
        memory(world.operator.pid()).1,
    );
}

/// Changes some Secrets at once, and prints after which time n8n has their new values.
async fn rotate(world: &World, objects: usize) {
    const ROTATED: &str = "weirkeeper_credential_writes_total{operation=\"rotate\"}";
    let changed = CHANGED.min(objects);
    let before = metric(&world.operator.get("/metrics").await.1, ROTATED);
    let started = Instant::now();
    let numbers = (0..changed).map(|number| number * objects / changed);
    stream::iter(numbers).for_each_concurrent(16, |number| secret(world, number)).await;
    let written = started.elapsed();
    let mut taken: Vec<Duration> = Vec::new();
    while taken.len() < changed {
        let done = metric(&world.operator.get("/metrics").await.1, ROTATED) - before;
        taken.resize((done as usize).min(changed), started.elapsed());
        assert!(started.elapsed() < LONGEST, "only {done} of {changed} Secrets are in n8n");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let at = |percent: usize| taken[(changed * percent).div_ceil(100) - 1].as_secs_f64();
    println!(
        "credentials: {changed} Secrets changed in {:.1} s are in n8n: p50 {:.1} s, p99 {:.1} s, the last after {:.1} s (<= 60)",
        written.as_secs_f64(),
        at(50),
        at(99),
        at(100)
    );
}

fn name(number: usize) -> String {
    format!("c-{number:05}")
}

async fn create(world: &World, number: usize, interval: &str) {
    secret(world, number).await;
    let spec =
        json!({ "instanceRef": { "name": "main" }, "type": "slackApi", "secretRef": { "name": name(number) }, "interval": interval });
    let object =
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nCredential", "metadata": { "name": name(number) }, "spec": spec });
    world.apply(object).await;
}

async fn secret(world: &World, number: usize) {
    let keys = json!({ "accessToken": format!("value-{:016x}", rand()) });
    world.apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name(number) }, "stringData": keys })).await;
}
