//! The kill test of credentials: the operator is killed at random moments while objects are created, rotated and deleted. There is never a
//! duplicate, and nothing is left behind. `WEIRKEEPER_CREDENTIAL_KILLS` sets the number of kills.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{KIND, credential, id, named, secret, value};
use crate::harness::dice::Dice;
use crate::harness::relay::Relay;
use crate::harness::stack::Stack;
use crate::harness::world::{World, ready};
use crate::standin::{Caller, Fault, Options, Rule, StandIn};

const OBJECTS: u64 = 8;
/// Creates, updates and deletes of credentials.
const METHODS: [&str; 3] = ["POST", "PATCH", "DELETE"];

/// Reports whether a path is that of a credential, and not of its test.
fn is_write(path: &str) -> bool {
    path.starts_with("/api/v1/credentials") && !path.ends_with("/test")
}

fn kills() -> u32 {
    std::env::var("WEIRKEEPER_CREDENTIAL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// Returns the credentials of this world in n8n by the name of their object.
async fn ids_by_name(world: &World) -> BTreeMap<String, Vec<String>> {
    let start = format!("{}/", world.namespace);
    let mut ids_by_name = BTreeMap::<String, Vec<String>>::new();
    for one in named(&world.n8n, &start).await {
        let name = one["name"].as_str().expect("a name")[start.len()..].split(' ').next().expect("a part").to_owned();
        ids_by_name.entry(name).or_default().push(one["id"].as_str().expect("an id").to_owned());
    }
    ids_by_name
}

async fn no_duplicate(world: &World) {
    let ids_by_name = ids_by_name(world).await;
    assert!(ids_by_name.values().all(|ids| ids.len() == 1), "an object has two credentials: {ids_by_name:?}\n{}", world.operator.tail());
}

/// Creates, rotates and deletes credentials of a type at random, and kills the operator in between. `writes` counts those that n8n received.
async fn torment(world: &mut World, dice: &mut Dice, kind: &str, fields: impl Fn(String) -> Value, writes: impl Fn() -> usize) {
    let (mut wanted, started) = (BTreeSet::new(), Instant::now());
    let kills = kills();
    for _ in 0..kills {
        let before = writes();
        for _ in 0..=dice.roll(3) {
            let name = format!("k{}", dice.roll(OBJECTS));
            if wanted.contains(&name) && dice.roll(3) == 0 {
                world.api(KIND).delete(&name, &DeleteParams::default()).await.expect("the API server deletes");
                wanted.remove(&name);
                continue;
            }
            if world.get_kind(KIND, &name).await["metadata"]["deletionTimestamp"].is_string() {
                continue;
            }
            secret(world, &name, fields(value("kill"))).await;
            let display = format!("{}/{name}", world.namespace);
            credential(world, &name, json!({ "type": kind, "secretRef": { "name": name }, "displayName": display })).await;
            wanted.insert(name);
        }
        // Mostly around one of its writes, which an operator that was just started makes a while later; sometimes at any moment.
        let (waiting, longest) = (Instant::now(), if dice.roll(5) == 0 { Duration::ZERO } else { Duration::from_secs(8) });
        while writes() == before && waiting.elapsed() < longest {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(if longest.is_zero() { 2_000 } else { 60 }))).await;
        world.operator.kill();
        no_duplicate(world).await;
        world.operator.start();
    }
    for name in &wanted {
        let object = world.until_kind(KIND, name, "Ready", ready).await;
        assert_eq!(ids_by_name(world).await.get(name), Some(&vec![id(&object)]), "{name} has exactly one credential");
    }
    for gone in (0..OBJECTS).map(|number| format!("k{number}")).filter(|name| !wanted.contains(name)) {
        world.until_kind(KIND, &gone, "it is gone", Value::is_null).await;
    }
    let left: Vec<String> = ids_by_name(world).await.into_keys().filter(|name| !wanted.contains(name)).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    println!("kill test of credentials ({kind}): {kills} kills, {} objects in the end, {:?}", wanted.len(), started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_unanswered_creates_make_no_second_credential_and_leave_none_behind() {
    let standin = StandIn::start(Options { latency: Duration::from_millis(20), ..Options::default() });
    let mut world = World::at(&standin.url(), standin.api_key(), "cred-kill", json!({ "requestTimeout": "1s" })).await;
    // Creates that take effect without a response, and creates that take effect long after the client gave up.
    standin.faults().add(Rule::on("POST", "/api/v1/credentials", Fault::DropAfter).with_chance(0.15, 7));
    let late = Fault::LateApply { after: Duration::from_millis(1500), caller: Caller::Disconnected };
    standin.faults().add(Rule::on("POST", "/api/v1/credentials", late).with_chance(0.15, 11));
    let count = |method: &str| standin.log().entries().iter().filter(|one| one.method == method && is_write(&one.path)).count();
    let writes = || METHODS.map(count).iter().sum();
    torment(&mut world, &mut Dice(0x5eed_0015), "slackApi", |value| json!({ "accessToken": value }), writes).await;
    println!("{:?} that the kills met: {:?}", METHODS, METHODS.map(count));
    assert!(METHODS.map(count).iter().sum::<usize>() >= kills() as usize / 2, "the operator was killed before it did anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_the_real_n8n_make_no_second_credential_and_leave_none_behind() {
    let stack = Stack::shared();
    let relay = Relay::to(&stack.n8n_url());
    let mut world = World::at(&relay.url, &stack.n8n_key(), "cred-realkill", json!({ "requestTimeout": "3s" })).await;
    let count = |method: &str| relay.since(0).iter().filter(|one| one.method == method && is_write(&one.path)).count();
    let writes = || METHODS.map(count).iter().sum();
    let fields = |value| json!({ "name": "X-Api-Key", "value": value });
    torment(&mut world, &mut Dice(0x5eed_0016), "httpHeaderAuth", fields, writes).await;
    println!("{:?} that the kills met on the real n8n: {:?}", METHODS, METHODS.map(count));
    assert!(METHODS.map(count).iter().sum::<usize>() >= kills() as usize / 2, "the operator was killed before it did anything");
}
