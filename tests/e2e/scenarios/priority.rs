//! Changes by users are reconciled first: before objects that wait after a restart, and before creates. Counted on the stand-in, never
//! timed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::world::{PATIENCE, World, ready};
use crate::standin::{Fault, Gate, Rule, StandIn};

/// Number of concurrent reconciliations.
const SLOTS: usize = 2;
const WORKFLOWS: usize = 40;

fn definition(world: &World, name: &str, version: &str) -> Value {
    answering(&format!("{}/{name}", world.namespace), version)
}

async fn apply(world: &World, name: &str, version: &str) {
    world.workflow(name, json!({ "active": true, "interval": "1h", "definition": definition(world, name, version) })).await;
}

async fn all(world: &World, names: &[String], version: &str) {
    stream::iter(names).for_each_concurrent(8, |name| apply(world, name, version)).await;
    for name in names {
        world.until_ready(name).await;
    }
}

/// Returns the workflows that were requested from n8n, in the order of the first request.
fn read_workflows(standin: &StandIn) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let entries = standin.log().entries().into_iter().filter(|entry| entry.method == "GET");
    entries.filter_map(|entry| entry.workflow_id).filter(|id| seen.insert(id.clone())).collect()
}

async fn until(world: &World, what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "timed out: {what}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns forty workflows at version 1 on an operator with two slots, one of them with the definition in a ConfigMap.
async fn fleet(name: &str) -> (StandIn, World, Vec<String>) {
    let (standin, mut world) = World::on_stand_in(name, json!({ "interval": "1h" })).await;
    world.operator.restart_with(&["--concurrency", &SLOTS.to_string()]);
    let names: Vec<String> = (0..WORKFLOWS).map(|number| format!("w{number:02}")).collect();
    source(&world, "1").await;
    let from = json!({ "configMapKeyRef": { "name": "source", "key": "workflow.json" } });
    world.workflow("mapped", json!({ "active": true, "interval": "1h", "definitionFrom": from })).await;
    world.until_ready("mapped").await;
    all(&world, &names, "1").await;
    (standin, world, names)
}

async fn source(world: &World, version: &str) {
    let text = definition(world, "mapped", version).to_string();
    world
        .apply(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "source" }, "data": { "workflow.json": text } }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_made_while_the_operator_was_down_are_reconciled_ahead_of_the_queue() {
    let (standin, mut world, names) = fleet("away").await;
    all(&world, &names[35..36], "2").await;
    world.operator.kill();
    world.annotate("Workflow", &names[35], "pinned-version", json!("1")).await;
    world.annotate("Workflow", &names[36], "requested-at", json!("now")).await;
    world.annotate("Workflow", &names[37], "reset-at", json!("now")).await;
    apply(&world, &names[38], "2").await;
    let mut asked = Vec::new();
    for name in &names[35..39] {
        asked.push(id(&world.get(name).await));
    }
    standin.log().clear();
    world.operator.start();
    world.until(&names[35], "the pinned version is published", |object| object["status"]["activeVersion"] == 1 && ready(object)).await;
    world.until(&names[38], "the edit is published", |object| object["status"]["activeVersion"] == 2 && ready(object)).await;
    until(&world, "all are read", || read_workflows(&standin).len() > WORKFLOWS).await;
    let order = read_workflows(&standin);
    // The first ones took their slots before the others were in the queue.
    let last = asked.iter().filter_map(|id| order.iter().position(|seen| seen == id)).max().expect("they were read");
    assert!(last < 2 * SLOTS + asked.len(), "the last of the requested ones was read as number {last}: {order:?} {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_moves_a_queued_workflow_ahead() {
    let (standin, mut world, names) = fleet("overtake").await;
    let second: Vec<String> = names.iter().step_by(10).cloned().collect();
    all(&world, &second, "2").await;
    world.operator.kill();
    let gate = Gate::shut();
    let hold = standin.faults().add(Rule::on("GET", "/api/v1/workflows/*", Fault::Held(gate.clone())));
    standin.log().clear();
    world.operator.start();
    until(&world, "every place is taken", || standin.faults().fired(hold) == SLOTS).await;
    // All the others wait, and a user changes four of them.
    let mut waiting = Vec::new();
    for name in names.iter().filter(|name| !second.contains(name)).chain([&"mapped".to_owned()]) {
        let id = id(&world.get(name).await);
        if !read_workflows(&standin).contains(&id) {
            waiting.push((name.clone(), id));
        }
    }
    let mut asked: Vec<String> = waiting[8..10].iter().map(|(_, id)| id.clone()).collect();
    apply(&world, &waiting[8].0, "2").await;
    world.annotate("Workflow", &waiting[9].0, "requested-at", json!("now")).await;
    for name in &second {
        let id = id(&world.get(name).await);
        if !read_workflows(&standin).contains(&id) {
            world.annotate("Workflow", name, "pinned-version", json!("1")).await;
            asked.push(id);
            break;
        }
    }
    if let Some((_, id)) = waiting.iter().find(|(name, _)| name == "mapped") {
        source(&world, "2").await;
        asked.push(id.clone());
    }
    let overtaking = || world.operator.log().matches("moved ahead in the queue").count();
    until(&world, "the changes are seen", || overtaking() >= asked.len()).await;
    gate.open();
    until(&world, "all are read", || read_workflows(&standin).len() > WORKFLOWS).await;
    let order = read_workflows(&standin);
    let last = asked.iter().filter_map(|id| order.iter().position(|seen| seen == id)).max().expect("they were read");
    assert!(last < SLOTS + asked.len(), "the last of the requested ones was read as number {last}: {order:?} {asked:?}");
    world.until(&waiting[8].0, "the edit is published", |object| object["status"]["activeVersion"] == 2 && ready(object)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_published_workflow_is_not_delayed_by_creates_that_hang() {
    let (standin, world) = World::on_stand_in("creates", json!({ "interval": "1h", "requestTimeout": "5m" })).await;
    apply(&world, "serving", "1").await;
    world.until_ready("serving").await;
    let gate = Gate::shut();
    let hold = standin.faults().add(Rule::on("POST", "/api/v1/workflows", Fault::Held(gate.clone())));
    let names: Vec<String> = (0..30).map(|number| format!("new{number:02}")).collect();
    stream::iter(&names).for_each_concurrent(8, |name| apply(&world, name, "1")).await;
    until(&world, "creates hang", || standin.faults().fired(hold) >= 8).await;
    apply(&world, "serving", "2").await;
    world.until("serving", "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    assert_eq!(standin.faults().fired(hold), 8, "two of ten places are left to what people wait for");
    world.delete("serving").await;
    assert_eq!(standin.faults().fired(hold), 8);
    gate.open();
    for name in &names {
        world.until_ready(name).await;
    }
}
