//! The operator is killed at random moments while prompts are worked on, and while they are edited: no question is sent twice, no budget is lost, and
//! none is overspent.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::prompts::{answering, keys, prompt, provider, said, until_accounted};
use crate::harness::dice::Dice;
use crate::harness::stack::rand;
use crate::harness::world::World;
use crate::model::{Asked, ModelServer, Reply, complete};

/// Number of kills; two hundred take ten minutes: `WEIRKEEPER_PROMPT_KILLS=200`.
const KILLS: u32 = 30;
/// Maximum time until the next kill, if no question is sent.
const IDLE: Duration = Duration::from_secs(10);
const PROMPTS: u64 = 12;

/// Two prompts each have the same words, so that they ask the same.
fn words(number: u64, version: u32) -> String {
    format!("Build frobnication gateway {} {version}: whoever visits it learns how many widgets were frobnicated by the quux.", number / 2)
}

async fn ask(world: &World, number: u64, version: u32) {
    prompt(world, &format!("p{number}"), &words(number, version), json!({ "providerRef": { "name": "models" } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_send_no_question_twice_and_lose_no_budget() {
    let (_standin, mut world) = World::on_stand_in("prompt-kills", json!({})).await;
    let (seed, path) = (rand(), world.namespace.clone());
    println!("seed {seed:#x}");
    let mut thinking = Dice(seed);
    let server = ModelServer::completing(move |asked: &Asked| {
        let reply = complete(asked, &said(answering(&format!("{path}/a"), "x")));
        Reply::After(Duration::from_millis(thinking.roll(400)), Box::new(reply))
    });
    provider(&world, &server).await;
    let kills = std::env::var("WEIRKEEPER_PROMPT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let limit = 900_000_000;
    world.quota("budget", json!({ "tokensPerDay": limit, "costPerDay": "9000.00", "generationsPerDay": 100_000 })).await;
    let mut dice = Dice(seed ^ 1);
    let started = Instant::now();
    for turn in 0..kills {
        for _ in 0..=dice.roll(2) {
            let number = dice.roll(PROMPTS);
            ask(&world, number, turn).await;
            // Often the other one asks the same at the same moment.
            if dice.roll(3) > 0 {
                ask(&world, number ^ 1, turn).await;
            }
        }
        // The operator has to come as far as asking; then the moment of the kill is random.
        let (sent, since) = (server.completions().len(), Instant::now());
        while server.completions().len() == sent && since.elapsed() < IDLE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(600))).await;
        world.operator.kill();
        world.operator.start();
    }
    for number in 0..PROMPTS {
        ask(&world, number, kills).await;
    }
    for number in 0..PROMPTS {
        let proposed = |object: &Value| object["status"]["stage"] == "WaitingForApproval" && object["status"]["pendingCalls"].is_null();
        world.until_kind("WorkflowPrompt", &format!("p{number}"), "a workflow is proposed", proposed).await;
    }
    let keys = keys(&server);
    let distinct: BTreeSet<&String> = keys.iter().collect();
    println!("{kills} kills in {:?}: {} questions were sent, {} of them distinct", started.elapsed(), keys.len(), distinct.len());
    assert_eq!(keys.len(), distinct.len(), "a question was sent twice");
    assert!(keys.len() > usize::try_from(kills).expect("a small number") / 3, "the kills came too early to meet a question");
    until_accounted(&world, PROMPTS).await;
}
