//! A listing delays nobody: while one is read, edits, pins and deletions go on, on its instance and on others.

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::path_owners::until_fired;
use crate::harness::n8n::answering;
use crate::harness::world::{World, ready};
use crate::standin::{Fault, Gate, Options, Rule, StandIn};

/// Enough that a listing replaces their reads.
const WORKFLOWS: usize = 14;

fn name(number: usize) -> String {
    format!("w{number:02}")
}

async fn apply(world: &World, instance: &str, name: &str, interval: &str, version: &str) {
    let definition = answering(&format!("{}/{name}", world.namespace), version);
    let spec = json!({ "instanceRef": { "name": instance }, "active": true, "interval": interval, "definition": definition });
    world.workflow(name, spec).await;
}

async fn until_version(world: &World, name: &str, version: i64) {
    let holds = |object: &Value| ready(object) && object["status"]["activeVersion"] == version;
    world.until(name, &format!("version {version} is published"), holds).await;
}

async fn ended_listings(world: &World) -> Vec<String> {
    let metrics = world.operator.get("/metrics").await.1;
    metrics.lines().filter(|line| line.starts_with("weirkeeper_sweeps_total{")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_pins_and_deletions_go_on_while_an_instance_is_listed() {
    // The listing is not given up meanwhile.
    let (large, world) = World::on_stand_in("fairness", json!({ "interval": "1h", "requestTimeout": "5m" })).await;
    let small = StandIn::start(Options::default());
    world.instance("small", &small.url(), small.api_key(), json!({ "interval": "1h" })).await;
    let world = &world;
    stream::iter(0..WORKFLOWS).for_each_concurrent(8, |number| async move { apply(world, "main", &name(number), "30s", "1").await }).await;
    apply(world, "small", "elsewhere", "1h", "1").await;
    for number in 0..WORKFLOWS {
        world.until_ready(&name(number)).await;
    }
    world.until_ready("elsewhere").await;
    apply(world, "main", &name(1), "30s", "2").await;
    until_version(world, &name(1), 2).await;

    let gate = Gate::shut();
    let listing = large.faults().add(Rule::on("GET", "/api/v1/workflows", Fault::Held(gate.clone())).once());
    until_fired(&large, listing).await;
    let before = ended_listings(world).await;
    let (edited, pinned, gone) = (name(0), name(1), name(2));
    apply(world, "main", &edited, "30s", "2").await;
    world.annotate("Workflow", &pinned, "pinned-version", json!("1")).await;
    apply(world, "small", "elsewhere", "1h", "2").await;
    apply(world, "small", "new", "1h", "1").await;
    world.delete(&gone).await;
    until_version(world, &edited, 2).await;
    until_version(world, &pinned, 1).await;
    until_version(world, "elsewhere", 2).await;
    world.until_ready("new").await;
    assert_eq!(ended_listings(world).await, before, "the listing ended meanwhile");
    gate.open();
    for number in (0..WORKFLOWS).filter(|number| *number != 2) {
        world.until_ready(&name(number)).await;
    }
}
