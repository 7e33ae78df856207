//! Two objects that adopt the same workflow of n8n at the same moment, on the stand-in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::world::{World, condition};
use crate::standin::{Fault, Rule};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_objects_that_adopt_one_workflow_at_the_same_moment_only_one_writes_it() {
    let (standin, mut world) = World::on_stand_in("adopttwice", json!({})).await;
    let path = format!("{}/adopted", world.namespace);
    let theirs = world.n8n.api("POST", "/workflows", Some(answering(&path, "theirs"))).await.json()["id"].as_str().unwrap().to_owned();
    world.until_kind("N8nInstance", "main", "Ready", |object| condition(object, "Ready")["status"] == "True").await;
    // Both reconciliations are between their check and their record while this is read.
    world.operator.kill();
    standin.faults().add(Rule::on("GET", &format!("/api/v1/workflows/{theirs}"), Fault::Delay(Duration::from_secs(2))).times(2));
    let names = ["one", "two"];
    for name in names {
        let definition = answering(&path, name);
        world.workflow(name, json!({ "active": true, "interval": "1s", "adopt": { "id": theirs }, "definition": definition })).await;
    }
    world.operator.start();
    let seen = |object: &Value| ["Succeeded", "AlreadyClaimed"].iter().any(|reason| condition(object, "Ready")["reason"] == *reason);
    let mut winner = None;
    for name in names {
        let object = world.until(name, "it is decided", seen).await;
        match condition(&object, "Ready")["reason"].as_str() {
            Some("Succeeded") => winner = Some(name),
            _ => assert!(object["status"]["n8nWorkflowId"].is_null(), "{name} was bound: {object:#}"),
        }
    }
    let winner = winner.expect("one of them has it");
    let loser = names.into_iter().find(|name| *name != winner).unwrap();
    let writes: Vec<Value> = standin.log().writes().iter().filter(|entry| entry.method == "PUT").map(|entry| entry.json()).collect();
    assert!(!writes.is_empty());
    for write in writes {
        assert!(!write.to_string().contains(&format!("/{loser}\"")), "{loser} wrote: {write:#}");
    }
    // When the first one releases the workflow, the other adopts it.
    world.delete(winner).await;
    world.annotate("Workflow", loser, "requested-at", json!("1")).await;
    world.until_ready(loser).await;
    world.n8n.expect_version(&path, loser).await;
}
