//! An n8n that is unavailable: which objects stay Ready and for how long, the effects of a restart during a sync, and the result of a
//! deletion.

use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, condition, ready};

const WORKFLOWS: usize = 20;

fn name(number: usize) -> String {
    format!("w{number:02}")
}

async fn apply(world: &World, name: &str, interval: &str, version: &str) {
    let definition = answering(&format!("{}/{name}", world.namespace), version);
    let probe = json!({ "node": "Webhook", "expectedJSON": { "version": version } });
    let spec = json!({ "active": true, "interval": interval, "definition": definition, "healthCheck": { "probes": [probe] } });
    world.workflow(name, spec).await;
}

fn since(object: &Value, kind: &str) -> Timestamp {
    condition(object, kind)["lastTransitionTime"].as_str().expect("a time").parse().expect("a time")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_workflow_stays_ready_for_three_intervals_without_the_real_n8n_and_is_ready_again_with_it() {
    const INTERVAL: Duration = Duration::from_secs(3);
    let stack = Stack::own(&["--only-n8n"]);
    let often = json!({ "interval": "2s", "requestTimeout": "10s" });
    let world = World::at(&stack.n8n_url(), &stack.n8n_key(), "threeintervals", often).await;
    apply(&world, "a", "3s", "1").await;
    let before = world.until_ready("a").await;
    let observed = world.n8n.workflow(before["status"]["n8nWorkflowId"].as_str().expect("an id")).await;
    stack.tell(&["stop", "n8n"]);
    let missed = world.until("a", "n8n is missed", |object| condition(object, "Synced")["status"] == "Unknown").await;
    assert!(ready(&missed), "what did not change keeps Ready: {missed:#}");
    // Ready is read continuously: it is True until it is Unknown, and never False.
    let unknown = |object: &Value| {
        assert_ne!(condition(object, "Ready")["status"], "False", "{object:#}");
        assert_eq!(condition(object, "Stalled")["status"], "False", "{object:#}");
        condition(object, "Ready")["status"] == "Unknown"
    };
    let lost = world.until("a", "Ready is Unknown", unknown).await;
    let lasted = Duration::try_from(since(&lost, "Ready").duration_since(since(&missed, "Synced"))).expect("a later time");
    println!("Ready outlasted the absence of n8n by {lasted:?} at an interval of {INTERVAL:?}");
    assert!(lasted >= INTERVAL * 3, "{lasted:?}");
    assert_eq!(condition(&lost, "Reconciling")["status"], "True");
    stack.tell(&["start", "n8n"]);
    let back = world.until("a", "it is Ready again", ready).await;
    assert_eq!(back["status"]["history"], before["status"]["history"]);
    let after = world.n8n.workflow(before["status"]["n8nWorkflowId"].as_str().expect("an id")).await;
    assert_eq!(after["updatedAt"], observed["updatedAt"], "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_n8n_that_restarts_during_a_sync_of_twenty_workflows_has_each_of_them_once() {
    let stack = Stack::own(&["--only-n8n"]);
    // So slow that the restart happens during the sync.
    let slow = json!({ "requestTimeout": "10s", "requestsPerSecond": 10 });
    let world = World::at(&stack.n8n_url(), &stack.n8n_key(), "midsync", slow).await;
    // Killed while they are created, terminated gracefully while they are updated, and killed again.
    for (version, command) in
        [("1", vec!["restart", "n8n", "--kill"]), ("2", vec!["restart", "n8n"]), ("3", vec!["restart", "n8n", "--kill"])]
    {
        stream::iter(0..WORKFLOWS)
            .for_each_concurrent(5, |number| {
                let world = &world;
                async move { apply(world, &name(number), "2s", version).await }
            })
            .await;
        let done = synced(&world, version, 3).await;
        stack.tell(&command);
        for number in 0..WORKFLOWS {
            world.until_ready(&name(number)).await;
        }
        println!("{command:?}: {done} of {WORKFLOWS} were synced when it began");
        for number in 0..WORKFLOWS {
            world.n8n.expect_version(&format!("{}/{}", world.namespace, name(number)), version).await;
            let events = world.events(&name(number)).await;
            let failed_by_it = events.iter().any(|(reason, _)| matches!(reason.as_str(), "ProbeFailed" | "RolledBack"));
            assert!(!failed_by_it, "the restart failed a version: {events:?}");
        }
        assert_eq!(world.n8n.workflows().await.len(), WORKFLOWS, "none is doubled and none is left behind");
    }
}

/// Waits until at least a number of Workflows have published a version, and returns the number.
async fn synced(world: &World, version: &str, least: usize) -> usize {
    let started = std::time::Instant::now();
    loop {
        let mut done = 0;
        for number in 0..WORKFLOWS {
            let object = world.get(&name(number)).await;
            done += usize::from(object["status"]["activeVersion"].as_i64() == version.parse().ok());
        }
        if done >= least {
            return done;
        }
        assert!(started.elapsed() < PATIENCE, "only {done} are synced\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_without_a_response_of_n8n_is_abandoned_after_the_bound_reported_and_counted() {
    let (standin, mut world) = World::on_stand_in("abandoned", json!({ "requestTimeout": "1s", "interval": "2s" })).await;
    world.operator.restart_with(&["--deletion-bound", "12s"]);
    apply(&world, "a", "2s", "1").await;
    let id = world.until_ready("a").await["status"]["n8nWorkflowId"].clone();
    standin.stop();
    let asked = std::time::Instant::now();
    world.api("Workflow").delete("a", &DeleteParams::default()).await.expect("the API server deletes");
    let waiting = world.until("a", "it says what it waits for", |object| condition(object, "Ready")["reason"] == "Deleting").await;
    assert_eq!(condition(&waiting, "Stalled")["status"], "False");
    world.until("a", "its finalizer is removed", Value::is_null).await;
    // The time of the deletion is stored in whole seconds.
    assert!(asked.elapsed() > Duration::from_secs(11), "its finalizer was removed before the time limit: {:?}", asked.elapsed());
    let started = std::time::Instant::now();
    while !world
        .events("a")
        .await
        .iter()
        .any(|(reason, note)| reason == "CleanupAbandoned" && note.contains("look for the workflow in n8n"))
    {
        assert!(started.elapsed() < PATIENCE, "{:?}", world.events("a").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let metrics = world.operator.get("/metrics").await.1;
    assert!(metrics.lines().any(|line| line == "weirkeeper_cleanups_abandoned_total 1"), "{metrics}");
    // When n8n responds again, the instance lists what was left there.
    standin.restart();
    world.until_kind("N8nInstance", "main", "the orphan is listed", |object| object["status"]["orphans"] == json!([id])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_wait_for_their_unavailable_instance_and_are_reconciled_when_it_is_back() {
    let (standin, world) = World::on_stand_in("woken", json!({ "interval": "1h", "requestTimeout": "2s" })).await;
    for name in ["a", "idle"] {
        apply(&world, name, "1h", "1").await;
        world.until_ready(name).await;
    }
    standin.stop();
    let failed = |name: &str| {
        let log = world.operator.log();
        log.lines()
            .filter(|line| {
                line.contains("reconciled") && line.contains("InstanceUnreachable") && line.contains(&format!("name=\"{name}\""))
            })
            .count()
    };
    let asked = Timestamp::now();
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    // Nothing else would reconcile the instance for an hour.
    let missed = world.until_kind("N8nInstance", "main", "it is not Ready", |object| condition(object, "Ready")["status"] == "False").await;
    assert_eq!(
        (condition(&missed, "Reachable")["status"].as_str(), condition(&missed, "Reconciling")["status"].as_str()),
        (Some("False"), Some("True"))
    );
    // The seventh pause is half a minute, minus a quarter at most.
    let started = std::time::Instant::now();
    while failed("a") < 7 {
        assert!(started.elapsed() < PATIENCE, "{} tries\n{}", failed("a"), world.operator.tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let tries = failed("a");
    standin.restart();
    let back = world.until_kind("N8nInstance", "main", "it is Ready again", ready).await;
    let woken = world.until("a", "n8n was read again", |object| condition(object, "Synced")["status"] == "True" && ready(object)).await;
    assert!(since(&back, "Ready") >= asked && failed("a") == tries, "it was not retried meanwhile");
    let late = since(&woken, "Synced").duration_since(since(&back, "Ready")).as_secs();
    assert!(late < 10, "the Workflow is {late} s later than its instance");
    assert_eq!(failed("idle"), 0, "the idle one did not notice the outage");
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_report_that_their_instance_was_deleted_and_its_connection_is_closed_with_the_last_of_them() {
    let (standin, world) = World::on_stand_in("instancegone", json!({ "interval": "1h" })).await;
    for name in ["a", "b"] {
        apply(&world, name, "1h", "1").await;
        world.until_ready(name).await;
    }
    let connections = async || {
        let text = world.operator.get("/metrics").await.1;
        text.lines()
            .find_map(|line| line.strip_prefix("weirkeeper_connections "))
            .and_then(|number| number.parse::<u32>().ok())
            .expect("a number")
    };
    assert_eq!(connections().await, 1);
    world.api("N8nInstance").delete("main", &DeleteParams::default()).await.expect("the API server deletes");
    for name in ["a", "b"] {
        // Their own interval is an hour.
        world.until_reason(name, "Ready", "InstanceNotFound").await;
    }
    // The last working key is kept for deletions, which n8n still receives.
    assert_eq!(connections().await, 1);
    world.delete("a").await;
    assert_eq!(connections().await, 1);
    world.delete("b").await;
    assert!(standin.workflows().is_empty(), "they were deleted in n8n");
    let started = std::time::Instant::now();
    while connections().await > 0 {
        assert!(started.elapsed() < PATIENCE, "the connection stays open\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
