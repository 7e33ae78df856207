//! Limits on the number of Workflows of a namespace: never more in n8n, or published, than a WorkflowQuota allows, and no place left empty.

use std::time::Duration;

use futures::future::join_all;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::dice::Dice;
use crate::harness::kubectl::kubectl;
use crate::harness::n8n::{answering, id};
use crate::harness::stack::rand;
use crate::harness::world::{PATIENCE, World, condition, current, ready};
use crate::standin::{Fault, Gate, Options, Rule, StandIn};

const REFUSED: &str =
    "exceeded quota: team-a, requested: workflows=1, used: 20, limited: 20; delete a Workflow of this namespace, or ask for a higher limit";

/// Starts a world on a stand-in that takes a moment for each request, so that concurrent ones overlap.
async fn slow(name: &str) -> (StandIn, World) {
    let standin = StandIn::start(Options { latency: Duration::from_millis(15), ..Options::default() });
    let world = World::at(&standin.url(), standin.api_key(), name, json!({})).await;
    (standin, world)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("w{number:02}")).collect()
}

async fn apply(world: &World, name: &str, active: bool, version: &str) {
    let path = format!("{}/{name}", world.namespace);
    world.workflow(name, json!({ "active": active, "definition": answering(&path, version) })).await;
}

async fn delete(world: &World, name: &str) {
    world.api("Workflow").delete(name, &DeleteParams::default()).await.expect("the API server deletes");
}

fn refused(object: &Value) -> bool {
    current(object) && condition(object, "Ready")["reason"] == "QuotaExceeded"
}

/// Waits until each Workflow is Ready or refused, as many are Ready as expected, and returns the names of both.
async fn decided(world: &World, names: &[String], expected: usize) -> (Vec<String>, Vec<String>) {
    let started = std::time::Instant::now();
    loop {
        for name in names {
            world.until(name, "it is decided", |object| ready(object) || refused(object)).await;
        }
        let mut both = (Vec::new(), Vec::new());
        for name in names {
            let object = world.get(name).await;
            if ready(&object) {
                both.0.push(name.clone());
            } else if refused(&object) {
                both.1.push(name.clone());
            }
        }
        if both.0.len() == expected && both.0.len() + both.1.len() == names.len() {
            return both;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{} are Ready: {:?}\n{}", both.0.len(), both, world.operator.tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until_line(world: &World, quota: &str, line: &str) -> Value {
    world.until_kind("WorkflowQuota", quota, line, |object| object["status"]["summary"] == line).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_concurrent_creates_twenty_get_in_and_five_others_when_five_are_deleted() {
    let (standin, world) = slow("quota").await;
    world.quota("team-a", json!({ "workflows": 20 })).await;
    let all = names(60);
    join_all(all.iter().map(|name| apply(&world, name, false, "1"))).await;
    let (inside, outside) = decided(&world, &all, 20).await;
    assert_eq!((standin.counts().0, standin.most_at_once().0), (20, 20));
    let waiting = world.get(&outside[0]).await;
    assert_eq!(condition(&waiting, "Ready")["message"], REFUSED);
    assert_eq!(condition(&waiting, "Stalled")["status"], "True");
    assert!(waiting["status"]["n8nWorkflowId"].is_null());
    let quota = until_line(&world, "team-a", "workflows: 20/20").await;
    assert_eq!(condition(&quota, "Exceeded")["status"], "True", "{quota:#}");
    let message = condition(&quota, "Exceeded")["message"].as_str().expect("a message").to_owned();
    assert!(message.starts_with("workflows: 40 waiting for a place: ") && message.ends_with("and 30 more"), "{message}");
    world.until_event("team-a", "QuotaExceeded", "waiting for a place").await;

    join_all(inside[..5].iter().map(|name| world.delete(name))).await;
    let left: Vec<String> = all.iter().filter(|name| !inside[..5].contains(name)).cloned().collect();
    decided(&world, &left, 20).await;
    assert_eq!((standin.counts().0, standin.most_at_once().0), (20, 20));

    // Without the quota everybody gets in, at once.
    world.api("WorkflowQuota").delete("team-a", &DeleteParams::default()).await.expect("the API server deletes");
    decided(&world, &left, left.len()).await;
    assert_eq!(standin.counts().0, left.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twelve_that_are_activated_at_once_four_are_published_and_others_when_some_are_deactivated() {
    let (standin, world) = slow("quota-active").await;
    world.quota("team-a", json!({ "activeWorkflows": 4 })).await;
    let all = names(12);
    join_all(all.iter().map(|name| apply(&world, name, false, "1"))).await;
    join_all(all.iter().map(|name| world.until_ready(name))).await;
    join_all(all.iter().map(|name| apply(&world, name, true, "1"))).await;
    let (inside, outside) = decided(&world, &all, 4).await;
    assert_eq!((standin.counts(), standin.most_at_once()), ((12, 4), (12, 4)));
    let waiting = world.get(&outside[0]).await;
    assert_eq!(
        condition(&waiting, "Ready")["message"],
        "exceeded quota: team-a, requested: activeWorkflows=1, used: 4, limited: 4; set spec.active of another Workflow in this namespace to false, delete one, or ask for a higher limit"
    );
    assert!(waiting["status"]["activationRequestedAt"].is_string());
    assert_eq!(world.n8n.workflow(&id(&waiting)).await["active"], false, "it stays as it is");
    // An edit of a published one passes at the limit.
    apply(&world, &inside[0], true, "2").await;
    world.until_ready(&inside[0]).await;
    assert!(world.get(&inside[0]).await["status"]["activationRequestedAt"].is_null());

    join_all(inside[..3].iter().map(|name| apply(&world, name, false, "1"))).await;
    decided(&world, &all, 7).await;
    assert_eq!((standin.counts(), standin.most_at_once()), ((12, 4), (12, 4)));
    until_line(&world, "team-a", "activeWorkflows: 4/4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_limit_takes_nothing_away_and_names_those_beyond_it() {
    let (standin, world) = slow("quota-lowered").await;
    world.quota("team-a", json!({ "workflows": 3, "activeWorkflows": 3 })).await;
    let all = names(3);
    for name in &all {
        apply(&world, name, true, "1").await;
        world.until_ready(name).await;
    }
    let quota = until_line(&world, "team-a", "workflows: 3/3, activeWorkflows: 3/3").await;
    assert_eq!((&condition(&quota, "Ready")["status"], &condition(&quota, "Exceeded")["status"]), (&json!("True"), &json!("False")));
    assert_eq!(quota["status"]["remaining"], json!({ "workflows": 0, "activeWorkflows": 0 }));
    world.quota("team-a", json!({ "workflows": 1, "activeWorkflows": 0 })).await;
    let quota = until_line(&world, "team-a", "workflows: 3/1, activeWorkflows: 3/0").await;
    let exceeded = condition(&quota, "Exceeded");
    let message = exceeded["message"].as_str().expect("a message");
    for part in ["workflows: 2 beyond the limit of 1, and kept: ", "activeWorkflows: 3 beyond the limit of 0, and kept: "] {
        assert!(message.contains(part), "{message}");
    }
    // An operator that starts anew takes nothing away either, and edits pass.
    let mut world = world;
    world.operator.kill();
    world.operator.start();
    for name in &all {
        apply(&world, name, true, "2").await;
        world.until(name, "version 2 is published", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    }
    assert_eq!(standin.counts(), (3, 3));
    apply(&world, "w99", false, "1").await;
    world.until_reason("w99", "Ready", "QuotaExceeded").await;
    world.delete(&all[0]).await;
    world.delete(&all[1]).await;
    until_line(&world, "team-a", "workflows: 1/1, activeWorkflows: 1/0").await;
    assert!(refused(&world.get("w99").await));
    world.quota("team-a", json!({ "workflows": 2 })).await;
    world.until_ready("w99").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_zero_lets_nothing_in_and_the_api_server_refuses_what_is_no_limit() {
    let (standin, world) = slow("quota-zero").await;
    world.quota("nothing", json!({ "workflows": 0 })).await;
    apply(&world, "a", true, "1").await;
    let refused = world.until_reason("a", "Ready", "QuotaExceeded").await;
    let message = condition(&refused, "Ready")["message"].as_str().expect("a message");
    assert!(message.starts_with("exceeded quota: nothing, requested: workflows=1, used: 0, limited: 0; "), "{message}");
    assert_eq!(standin.most_at_once().0, 0);
    for (hard, wanted) in [
        (json!({ "workflows": -1 }), "should be greater than or equal to 0"),
        (json!({ "workflows": 1.5 }), "must be of type integer"),
        (json!({}), "should have at least 1 properties"),
        (json!({ "workflow": 1 }), "unknown field \"spec.hard.workflow\""),
    ] {
        let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowQuota",
            "metadata": { "name": "odd" }, "spec": { "hard": hard } });
        let answer = kubectl(&world, &["apply", "-f", "-"], Some(&object));
        assert!(!answer.ok && answer.err.contains(wanted), "{hard}: {}{}", answer.out, answer.err);
    }
    // A refused object is deleted, and its deletion waits for nothing.
    world.delete("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lowest_of_two_quotas_applies_until_it_is_deleted_in_the_middle_of_creates() {
    let (standin, world) = slow("quota-two").await;
    world.quota("team-a", json!({ "workflows": 5 })).await;
    world.quota("team-b", json!({ "workflows": 2 })).await;
    let gate = Gate::shut();
    standin.faults().add(Rule::on("POST", "/api/v1/workflows", Fault::Held(gate.clone())));
    let all = names(8);
    join_all(all.iter().map(|name| apply(&world, name, false, "1"))).await;
    // Those of one second are ranked by their uid, so any two may have the places.
    let started = std::time::Instant::now();
    let waiting = loop {
        let objects = join_all(all.iter().map(|name| world.get(name))).await;
        if let Some(waiting) = objects.into_iter().find(refused) {
            break waiting;
        }
        assert!(started.elapsed() < PATIENCE, "none is refused\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let message = condition(&waiting, "Ready")["message"].as_str().expect("a message");
    assert!(message.starts_with("exceeded quota: team-b, requested: workflows=1, used: 2, limited: 2; "), "{message}");
    world.api("WorkflowQuota").delete("team-b", &DeleteParams::default()).await.expect("the API server deletes");
    gate.open();
    decided(&world, &all, 5).await;
    assert_eq!((standin.counts().0, standin.most_at_once().0), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_workflow_claims_no_place_and_waits_for_one_when_it_is_resumed() {
    let (standin, world) = slow("quota-suspend").await;
    world.quota("team-a", json!({ "workflows": 1 })).await;
    let spec = |suspend: bool| json!({ "suspend": suspend, "definition": answering(&format!("{}/a", world.namespace), "1") });
    world.workflow("a", spec(true)).await;
    world.until_reason("a", "Ready", "Suspended").await;
    apply(&world, "b", false, "1").await;
    world.until_ready("b").await;
    world.workflow("a", spec(false)).await;
    world.until_reason("a", "Ready", "QuotaExceeded").await;
    world.delete("b").await;
    world.until_ready("a").await;
    // A workflow in n8n keeps its place while it is suspended.
    world.workflow("a", spec(true)).await;
    world.until("a", "it is suspended", |object| current(object) && condition(object, "Ready")["reason"] == "Suspended").await;
    apply(&world, "c", false, "1").await;
    world.until_reason("c", "Ready", "QuotaExceeded").await;
    assert_eq!(standin.most_at_once().0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_sequence_of_changes_and_restarts_exceeds_no_limit() {
    no_limit_is_exceeded("quota-known", 0x5eed_0012).await;
}

/// Another sequence in each run; `WEIRKEEPER_SEED` repeats one.
#[tokio::test(flavor = "multi_thread")]
async fn no_random_sequence_of_changes_and_restarts_exceeds_a_limit() {
    let given = std::env::var("WEIRKEEPER_SEED").ok().map(|seed| seed.parse().expect("WEIRKEEPER_SEED is a number"));
    no_limit_is_exceeded("quota-random", given.unwrap_or_else(|| rand().max(1))).await;
}

/// Makes 60 random steps on objects of a namespace with limits.
async fn no_limit_is_exceeded(name: &str, seed: u64) {
    const LIMITS: (usize, usize) = (5, 3);
    const OBJECTS: u64 = 12;
    // Shown if the test fails, wherever it does.
    println!("quota: repeat this sequence with WEIRKEEPER_SEED={seed}");
    let (standin, mut world) = slow(name).await;
    world.quota("team-a", json!({ "workflows": LIMITS.0, "activeWorkflows": LIMITS.1 })).await;
    let mut dice = Dice(seed);
    let mut present = std::collections::BTreeMap::new();
    for step in 0..60 {
        for _ in 0..=dice.roll(3) {
            let name = format!("w{:02}", dice.roll(OBJECTS));
            let going = world.get(&name).await["metadata"]["deletionTimestamp"].is_string();
            match dice.roll(5) {
                0 if present.remove(&name).is_some() => delete(&world, &name).await,
                0 => {}
                _ if going => {}
                _ => {
                    let active = dice.roll(2) == 0;
                    apply(&world, &name, active, &dice.roll(3).to_string()).await;
                    present.insert(name, active);
                }
            }
        }
        // Not a wait for something: the moment of the next step is random.
        tokio::time::sleep(Duration::from_millis(dice.roll(150))).await;
        if dice.roll(6) == 0 {
            world.operator.kill();
            world.operator.start();
        }
        let most = standin.most_at_once();
        assert!(most.0 <= LIMITS.0 && most.1 <= LIMITS.1, "seed {seed}, step {step}: {most:?}");
    }
    // In the end every place is taken that somebody asks for. One that is to be published takes none unless it can be.
    let active = present.values().filter(|active| **active).count().min(LIMITS.1);
    let wanted = (present.len() - present.values().filter(|active| **active).count() + active).min(LIMITS.0);
    let started = std::time::Instant::now();
    while standin.counts().0 != wanted {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "seed {seed}: {:?} of {present:?}\n{}",
            standin.counts(),
            world.operator.tail()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let most = standin.most_at_once();
    println!("quota: 60 random steps with seed {seed}: at most {most:?} at once of {LIMITS:?}, {} objects in the end", present.len());
    assert!(most.0 <= LIMITS.0 && most.1 <= LIMITS.1, "seed {seed}: {most:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_real_n8n_two_of_five_get_in_and_kubectl_shows_the_usage() {
    let world = World::on_real_n8n("quota-real").await;
    world.quota("team-a", json!({ "workflows": 2, "activeWorkflows": 1, "deploymentsPerDay": 50 })).await;
    let all = names(5);
    join_all(all.iter().map(|name| apply(&world, name, false, "1"))).await;
    let (inside, _) = decided(&world, &all, 2).await;
    let mut marked = 0;
    for name in &all {
        marked += world.n8n.marked(&world.namespace, name).await.len();
    }
    assert_eq!(marked, 2);
    let line = "workflows: 2/2, activeWorkflows: 0/1, deploymentsPerDay: 2/50";
    until_line(&world, "team-a", line).await;
    let table = kubectl(&world, &["get", "n8nq"], None).text();
    println!("{table}");
    let cells: Vec<&str> = table.lines().nth(1).expect("a line").split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert!(table.starts_with("NAME     REQUEST"), "{table}");
    assert_eq!(cells[..3], ["team-a", line, "True"], "{table}");
    // Usage is counted anew with the next change, whatever somebody wrote into the status.
    let wrong = json!({ "status": { "used": { "workflows": 99 } } }).to_string();
    kubectl(&world, &["patch", "n8nq/team-a", "--subresource=status", "--type=merge", "--patch", &wrong], None).text();
    world.delete(&inside[0]).await;
    let left: Vec<String> = all.iter().filter(|name| **name != inside[0]).cloned().collect();
    decided(&world, &left, 2).await;
    let quota = until_line(&world, "team-a", "workflows: 2/2, activeWorkflows: 0/1, deploymentsPerDay: 3/50").await;
    assert_eq!(quota["status"]["used"], json!({ "workflows": 2, "activeWorkflows": 0, "deploymentsPerDay": 3 }));
}
