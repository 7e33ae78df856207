//! Two replicas: the leader loses its lease while a model thinks, and the other one goes on. No question is sent twice, no budget is lost, and none
//! is overspent.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::prompts::{answering, prompt, provider, said};
use crate::harness::stack::rand;
use crate::harness::world::{Operator, PATIENCE, World};
use crate::model::{Asked, ModelServer, Reply, complete};

/// Number of times that the lease is lost in the middle of a call.
const LOSSES: u32 = 6;
const PROMPTS: u32 = 4;
/// Time that the model thinks: longer than the lease lasts, so that the answer comes to a replica that leads no more.
const THINKING: Duration = Duration::from_secs(9);
const NAMESPACE: &str = "weirkeeper-system";

async fn leads(operator: &Operator) -> bool {
    operator.get("/metrics").await.1.lines().any(|line| line == "weirkeeper_leading 1")
}

async fn until_it_leads(operator: &Operator) {
    let started = Instant::now();
    while !leads(operator).await {
        assert!(started.elapsed() < PATIENCE, "it does not lead:\n{}", operator.tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Two prompts each have the same words, so that they ask the same.
async fn ask(world: &World, number: u32, version: u32) {
    let words =
        format!("Build frobnication gateway {} {version}: whoever visits it is told how many widgets were frobnicated.", number / 2);
    prompt(world, &format!("p{number}"), &words, json!({ "providerRef": { "name": "models" } })).await;
}

/// Returns the keys of the questions that were sent.
fn keys(server: &ModelServer) -> Vec<String> {
    server.completions().iter().filter_map(|asked| asked.header("idempotency-key").map(str::to_owned)).collect()
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
    until_it_leads(&world.operator).await;
    let second = world.another_operator("second", &flags);
    provider(&world, &server).await;
    world.quota("budget", json!({ "tokensPerDay": 900_000_000, "costPerDay": "9000.00", "generationsPerDay": 100_000 })).await;
    let mut interrupted = 0;
    for turn in 0..LOSSES {
        let (leader, other) = if leads(&world.operator).await { (&world.operator, &second) } else { (&second, &world.operator) };
        until_it_leads(leader).await;
        let sent = keys(&server).len();
        for number in 0..PROMPTS {
            ask(&world, number, turn).await;
        }
        until_more_is_asked(&world, &server, sent).await;
        // The leader sleeps until its lease has expired; the answer reaches it when the other one leads.
        leader.signal("STOP");
        until_it_leads(other).await;
        leader.signal("CONT");
        interrupted += keys(&server).len() - sent;
        let woken = Instant::now();
        while leads(leader).await {
            assert!(woken.elapsed() < PATIENCE, "it still leads:\n{}", leader.tail());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(leads(other).await, "one leads");
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
    let waiting = Instant::now();
    loop {
        let quota = world.get_kind("WorkflowQuota", "budget").await;
        let mut used = 0;
        for number in 0..PROMPTS {
            used += world.get_kind("WorkflowPrompt", &format!("p{number}")).await["status"]["usage"]["tokens"].as_i64().unwrap_or(0);
        }
        let (reserved, counted) = (&quota["status"]["reservations"], quota["status"]["used"]["tokensPerDay"].as_i64());
        if reserved.is_null() && counted == Some(used) && used > 0 {
            println!("the quota counts {used} tokens, and so do the prompts");
            return;
        }
        assert!(waiting.elapsed() < PATIENCE, "the quota counts {counted:?} tokens and the prompts {used}; reserved: {reserved}");
        for number in 0..PROMPTS {
            world.annotate("WorkflowPrompt", &format!("p{number}"), "requested-at", json!(format!("{:?}", waiting.elapsed()))).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
