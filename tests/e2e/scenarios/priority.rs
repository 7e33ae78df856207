//! Changes by users are reconciled first: before objects that wait after a restart, and before creates. Counted on the stand-in, never
//! timed.

use std::collections::{BTreeMap, BTreeSet};
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

/// A gate for each workflow that nobody asked for: its first request holds a slot until the gate is opened.
struct Gates(BTreeMap<String, Gate>);

impl Gates {
    /// Shuts the gates of all workflows but these.
    async fn for_all_but(asked: &[String], standin: &StandIn, world: &World) -> Self {
        let mut gates = BTreeMap::new();
        for workflow in world.n8n.workflows().await {
            let id = workflow["id"].as_str().expect("an id").to_owned();
            if !asked.contains(&id) {
                let gate = Gate::shut();
                standin.faults().add(Rule::on("GET", &format!("/api/v1/workflows/{id}"), Fault::Held(gate.clone())));
                gates.insert(id, gate);
            }
        }
        Self(gates)
    }

    /// Waits until the asked workflows are read, and returns how many others had to be let through before: those that had a slot. A slot is
    /// only given to another one if none of the asked ones waits for it, however long each of these takes. The order of requests would not
    /// tell that: an edit is validated before its first one, and others that got their slots later may be read meanwhile.
    async fn let_through(mut self, asked: &[String], standin: &StandIn, world: &World) -> usize {
        let (started, mut passed) = (Instant::now(), 0);
        loop {
            let read = read_workflows(standin);
            let occupied: Vec<String> = read.iter().filter(|id| self.0.contains_key(*id)).cloned().collect();
            // Read anew: with all slots held, none of the asked ones can begin after this.
            if asked.iter().all(|id| read_workflows(standin).contains(id)) {
                self.0.values().for_each(Gate::open);
                return passed;
            }
            if let (SLOTS, Some(first)) = (occupied.len(), occupied.first()) {
                self.0.remove(first).expect("a gate").open();
                passed += 1;
            }
            assert!(started.elapsed() < PATIENCE, "{read:?} were read of {asked:?}\n{}", world.operator.tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
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
    let (standin, mut world) = World::on_stand_in(name, json!({ "interval": "1h", "requestTimeout": "5m" })).await;
    world.operator.restart_with(&["--concurrency", &SLOTS.to_string()]);
    let names: Vec<String> = (0..WORKFLOWS).map(|number| format!("w{number:02}")).collect();
    rules(&world, "n8n-nodes-base.ssh").await;
    source(&world, "1").await;
    let from = json!({ "configMapKeyRef": { "name": "source", "key": "workflow.json" } });
    world.workflow("mapped", json!({ "active": true, "interval": "1h", "definitionFrom": from })).await;
    world.until_ready("mapped").await;
    all(&world, &names, "1").await;
    (standin, world, names)
}

/// Applies a policy. If it was changed while no operator ran, each workflow is read after the start; otherwise one listing would confirm all.
async fn rules(world: &World, denied: &str) {
    let (metadata, spec) = (json!({ "name": "any" }), json!({ "deniedNodeTypes": [denied] }));
    world.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": metadata, "spec": spec })).await;
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
    rules(&world, "n8n-nodes-base.git").await;
    world.annotate("Workflow", &names[35], "pinned-version", json!("1")).await;
    world.annotate("Workflow", &names[36], "requested-at", json!("now")).await;
    world.annotate("Workflow", &names[37], "reset-at", json!("now")).await;
    apply(&world, &names[38], "2").await;
    source(&world, "2").await;
    let mut asked = Vec::new();
    for name in names[35..39].iter().map(String::as_str).chain(["mapped"]) {
        asked.push(id(&world.get(name).await));
    }
    let gates = Gates::for_all_but(&asked, &standin, &world).await;
    standin.log().clear();
    world.operator.start();
    // The first ones take their slots before the others are in the queue.
    let passed = gates.let_through(&asked, &standin, &world).await;
    assert!(passed <= 2 * SLOTS, "{passed} others had a slot before the requested ones: {:?} {asked:?}", read_workflows(&standin));
    world.until(&names[35], "the pinned version is published", |object| object["status"]["activeVersion"] == 1 && ready(object)).await;
    for name in [names[38].as_str(), "mapped"] {
        world.until(name, "the edit is published", |object| object["status"]["activeVersion"] == 2 && ready(object)).await;
    }
    until(&world, "all are read", || read_workflows(&standin).len() > WORKFLOWS).await;
}

fn overtaken(world: &World) -> usize {
    world.operator.log().matches("moved ahead in the queue").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_moves_a_queued_workflow_ahead() {
    let (standin, mut world, names) = fleet("overtake").await;
    let second: Vec<String> = names.iter().step_by(10).cloned().collect();
    all(&world, &second, "2").await;
    world.operator.kill();
    rules(&world, "n8n-nodes-base.git").await;
    // The log is that of every process, and the one before moved some ahead, too.
    let before = overtaken(&world);
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
    until(&world, "the changes are seen", || overtaken(&world) >= before + asked.len()).await;
    // Those that hold the slots may go on, too.
    let free = [asked.clone(), read_workflows(&standin)].concat();
    let gates = Gates::for_all_but(&free, &standin, &world).await;
    gate.open();
    let passed = gates.let_through(&asked, &standin, &world).await;
    assert_eq!(passed, 0, "others had a slot before the requested ones: {:?} {asked:?}", read_workflows(&standin));
    until(&world, "all are read", || read_workflows(&standin).len() > WORKFLOWS).await;
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
