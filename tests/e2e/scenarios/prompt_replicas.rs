//! Two replicas: the leader loses its lease while a model thinks, and the other one goes on. No question is sent twice, no budget is lost, and none
//! is overspent.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::prompts::{answering, keys, prompt, provider, said, until_accounted};
use crate::harness::stack::rand;
use crate::harness::world::{PATIENCE, World};
use crate::model::{Asked, ModelServer, Reply, complete};

/// Number of times that the lease is lost in the middle of a call.
const LOSSES: u32 = 6;
const PROMPTS: u64 = 4;
/// Time that the model thinks: longer than the lease lasts, so that the answer comes to a replica that leads no more.
const THINKING: Duration = Duration::from_secs(9);
const NAMESPACE: &str = "weirkeeper-system";

/// Two prompts each have the same words, so that they ask the same.
async fn ask(world: &World, number: u64, version: u32) {
    let words = format!("Build frobnication gateway {} {version}: whoever visits it learns how many widgets were frobnicated.", number / 2);
    prompt(world, &format!("p{number}"), &words, json!({ "providerRef": { "name": "models" } })).await;
}

async fn until_more_is_asked(world: &World, server: &ModelServer, than: usize) {
    let started = Instant::now();
    while keys(server).len() <= than {
        assert!(started.elapsed() < PATIENCE, "no question is sent:\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_loses_its_lease_in_the_middle_of_a_call_pays_for_nothing_twice() {
    let (_standin, mut world) = World::on_stand_in("prompt-replicas", json!({})).await;
    let path = world.namespace.clone();
    let server = ModelServer::completing(move |asked: &Asked| {
        Reply::After(THINKING, Box::new(complete(asked, &said(answering(&format!("{path}/{:x}", rand() & 0xffff), "x")))))
    });
    let lease = world.namespace.clone();
    let flags = ["--leader-elect", "on", "--lease-namespace", NAMESPACE, "--lease-name", lease.as_str(), "--lease-duration", "5s"];
    world.operator.restart_with(&flags);
    world.operator.until_shows("weirkeeper_leading 1").await;
    let second = world.another_operator("second", &flags);
    provider(&world, &server).await;
    world.quota("budget", json!({ "tokensPerDay": 900_000_000, "costPerDay": "9000.00", "generationsPerDay": 100_000 })).await;
    let mut interrupted = 0;
    for turn in 0..LOSSES {
        let (leader, other) =
            if world.operator.shows("weirkeeper_leading 1").await { (&world.operator, &second) } else { (&second, &world.operator) };
        leader.until_shows("weirkeeper_leading 1").await;
        let sent = keys(&server).len();
        for number in 0..PROMPTS {
            ask(&world, number, turn).await;
        }
        until_more_is_asked(&world, &server, sent).await;
        // The leader sleeps until its lease has expired; the answer reaches it when the other one leads.
        leader.signal("STOP");
        other.until_shows("weirkeeper_leading 1").await;
        leader.signal("CONT");
        interrupted += keys(&server).len() - sent;
        leader.until_shows("weirkeeper_leading 0").await;
        assert!(other.shows("weirkeeper_leading 1").await, "one leads");
        for number in 0..PROMPTS {
            let proposed = |object: &Value| {
                let status = &object["status"];
                status["stage"] == "WaitingForApproval"
                    && status["pendingCalls"].is_null()
                    && status["observedGeneration"] == object["metadata"]["generation"]
            };
            world.until_kind("WorkflowPrompt", &format!("p{number}"), "a workflow is proposed", proposed).await;
        }
    }
    let sent = keys(&server);
    let distinct: BTreeSet<&String> = sent.iter().collect();
    println!(
        "{LOSSES} lost leases in the middle of {interrupted} calls: {} questions were sent, {} of them distinct",
        sent.len(),
        distinct.len()
    );
    assert_eq!(sent.len(), distinct.len(), "a question was sent twice");
    until_accounted(&world, PROMPTS).await;
}
