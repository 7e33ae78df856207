//! Queue mode on the real n8n: the effects of each missing component. It requires PostgreSQL and Redis, so that `make test-modes` runs it.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, ready};

/// The duration of a rollout or a failover.
const AWAY: Duration = Duration::from_secs(20);
const WORKFLOWS: usize = 3;
/// The parts of a stack of this shape, in the order in which they start.
const PARTS: [&str; 4] = ["postgres", "redis", "n8n", "n8n-worker"];

async fn apply(world: &World, name: &str, version: usize) {
    let version = version.to_string();
    let probe = json!({ "node": "Webhook", "timeout": "10s", "expectedJSON": { "version": version } });
    let definition = answering(&format!("{}/{name}", world.namespace), &version);
    world.workflow(name, json!({ "active": true, "interval": "5s", "definition": definition, "healthCheck": { "probes": [probe] } })).await;
}

/// Starts processes that have ended, as the cluster that they run on would: without Redis, n8n exits after ten seconds.
fn start_what_ended(stack: &Stack) {
    let ended = stack.ended();
    for part in PARTS.iter().filter(|part| ended.iter().any(|one| one == *part)) {
        stack.tell(&["start", part]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL and Redis: make test-modes runs it"]
async fn without_a_component_of_queue_mode_for_twenty_seconds_no_version_fails_and_nothing_is_created_twice() {
    let stack = Stack::own(&["--only-n8n", "--shape", "queue"]);
    let world = World::at(&stack.n8n_url(), &stack.n8n_key(), "queue", json!({ "requestTimeout": "20s", "interval": "2s" })).await;
    let names = |word: &str| (0..WORKFLOWS).map(|number| format!("{word}-{number}")).collect::<Vec<_>>();
    let mut there = names("kept");
    for name in &there {
        apply(&world, name, 1).await;
    }
    for (round, part) in ["n8n-worker", "redis", "postgres"].into_iter().enumerate() {
        let doomed = names(&format!("doomed-{part}"));
        for name in &doomed {
            apply(&world, name, 1).await;
        }
        for name in there.iter().chain(&doomed) {
            world.until_ready(name).await;
        }
        stack.tell(&["stop", part]);
        let since = std::time::Instant::now();
        let version = round + 2;
        for name in &there {
            apply(&world, name, version).await;
        }
        let new = names(&format!("new-{part}"));
        for name in &new {
            apply(&world, name, version).await;
        }
        for name in &doomed {
            world.api("Workflow").delete(name, &DeleteParams::default()).await.expect("the API server deletes");
        }
        tokio::time::sleep(AWAY.saturating_sub(since.elapsed())).await;
        start_what_ended(&stack);
        there.extend(new);
        for name in &there {
            let published = world.until(name, "the new version is published", |object| ready(object) && proved(object)).await;
            let history = published["status"]["history"].as_array().expect("a history");
            assert!(history.iter().all(|one| one["result"] == "Good"), "{part}: {name}: no version failed: {history:#?}");
            let answer = world.n8n.webhook("GET", &format!("{}/{name}", world.namespace)).await;
            assert_eq!(answer.json()["version"], json!(version.to_string()), "{part}: {name}: {}", answer.text);
            assert_eq!(world.n8n.marked(&world.namespace, name).await.len(), 1, "{part}: {name}");
        }
        for name in &doomed {
            world.until(name, "it is gone", Value::is_null).await;
            assert!(world.n8n.marked(&world.namespace, name).await.is_empty(), "{part}: {name}");
            assert!(world.events(name).await.iter().all(|(reason, _)| reason != "CleanupAbandoned"), "{part}: {name}");
        }
    }
    for name in &there {
        let events = world.events(name).await;
        assert!(
            !events.iter().any(|(reason, _)| ["RolledBack", "ProbeFailed", "PublishUnconfirmed"].contains(&reason.as_str())),
            "{events:?}"
        );
    }
}

fn proved(object: &Value) -> bool {
    condition(object, "Stalled")["status"] == "False" && object["status"]["history"][0]["result"] == "Good"
}
