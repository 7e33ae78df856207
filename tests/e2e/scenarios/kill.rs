//! The kill test: the operator is killed at random moments while objects are created, edited and deleted. There is never a duplicate,
//! nothing is left behind, and everything converges.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::dice::Dice;
use crate::harness::n8n::answering;
use crate::harness::world::{PATIENCE, World, ready};
use crate::standin::{Caller, Fault, Options, Rule, StandIn};

const MARK: &str = "weirkeeper.dev/owner";

/// The expected result: object name to version.
type Wanted = BTreeMap<String, u64>;

/// Creates, edits and deletes objects at random and kills the operator in between.
async fn torment(world: &mut World, dice: &mut Dice, objects: u64, kills: u32) -> Wanted {
    let mut wanted = Wanted::new();
    for turn in 0..kills {
        for _ in 0..=dice.roll(3) {
            let name = format!("w{}", dice.roll(objects));
            if wanted.contains_key(&name) && dice.roll(4) == 0 {
                world.api("Workflow").delete(&name, &DeleteParams::default()).await.expect("the API server deletes");
                wanted.remove(&name);
            } else {
                // An object that is still being deleted cannot be applied again; it is left for a later turn.
                let going = world.get(&name).await["metadata"]["deletionTimestamp"].is_string();
                if !going {
                    let version = u64::from(turn) + 1;
                    apply(world, &name, version).await;
                    wanted.insert(name, version);
                }
            }
        }
        // Not a wait for something: the moment of the kill is random.
        tokio::time::sleep(Duration::from_millis(dice.roll(500))).await;
        world.operator.kill();
        world.operator.start();
    }
    wanted
}

async fn apply(world: &World, name: &str, version: u64) {
    let definition = answering(&format!("{}/{name}", world.namespace), &version.to_string());
    world.workflow(name, json!({ "active": true, "definition": definition })).await;
}

/// Waits until everything wanted is Ready once and correct, and nothing else of this world is in n8n.
async fn all_ready(world: &World, wanted: &Wanted, objects: u64) {
    for (name, version) in wanted {
        let object = world.until(name, "Ready", ready).await;
        let id = object["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
        assert_eq!(world.n8n.marked(&world.namespace, name).await, [id], "{name} has exactly one workflow");
        world.n8n.expect_version(&format!("{}/{name}", world.namespace), version.to_string()).await;
    }
    for gone in (0..objects).map(|number| format!("w{number}")).filter(|name| !wanted.contains_key(name)) {
        world.until(&gone, "it is gone", serde_json::Value::is_null).await;
        assert!(world.n8n.marked(&world.namespace, &gone).await.is_empty(), "{gone} left a workflow behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_make_no_duplicate_and_leave_nothing_behind() {
    const KILLS: u32 = 100;
    let standin = StandIn::start(Options { latency: Duration::from_millis(20), ..Options::default() });
    let mut world = World::at(&standin.url(), standin.api_key(), "kill", json!({ "requestTimeout": "1s" })).await;
    // Creates that take effect without a response, and creates that take effect long after the client gave up.
    standin.faults().add(Rule::on("POST", "/api/v1/workflows", Fault::DropAfter).with_chance(0.1, 7));
    let late = Fault::LateApply { after: Duration::from_millis(1500), caller: Caller::Disconnected };
    standin.faults().add(Rule::on("POST", "/api/v1/workflows", late).with_chance(0.1, 11));
    let seed = 0x5eed_0001;
    let started = Instant::now();
    let mut dice = Dice(seed);
    let wanted = torment(&mut world, &mut dice, 12, KILLS).await;
    all_ready(&world, &wanted, 12).await;
    let creates = standin.log().count("POST", "/api/v1/workflows");
    let duplicates = standin.duplicates_seen(MARK);
    println!(
        "kill test on the stand-in: {KILLS} kills, {creates} POSTs below /workflows, {} duplicates, {:?}",
        duplicates.len(),
        started.elapsed()
    );
    assert!(duplicates.is_empty(), "seed {seed:#x}: {duplicates:?}");
    assert!(started.elapsed() < PATIENCE * 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_five_kills_on_the_real_n8n_make_no_duplicate_and_leave_nothing_behind() {
    const KILLS: u32 = 25;
    let mut world = World::on_real_n8n("realkill").await;
    let (url, key) = (world.stack.n8n_url(), world.stack.n8n_key());
    world.instance("main", &url, &key, json!({ "requestTimeout": "3s" })).await;
    let seed = 0x5eed_0002;
    let started = Instant::now();
    let wanted = torment(&mut world, &mut Dice(seed), 8, KILLS).await;
    all_ready(&world, &wanted, 8).await;
    println!("kill test on the real n8n: {KILLS} kills, {} objects in the end, {:?}", wanted.len(), started.elapsed());
}
