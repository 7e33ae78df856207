//! What is gone from n8n, and another n8n at the instance's URL, on the stand-in.

use serde_json::{Value, json};

use crate::n8n::{answering, id};
use crate::standin::{Options, StandIn};
use crate::world::{World, condition};

async fn applied(world: &World, name: &str, policy: &str) -> String {
    let definition = answering(&format!("{}/{name}", world.namespace), "1");
    world.workflow(name, json!({ "active": true, "interval": "1s", "driftPolicy": policy, "definition": definition })).await;
    id(&world.until_ready(name).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_deleted_is_not_missed_again() {
    let (standin, world) = World::on_stand_in("leftdeleted", json!({})).await;
    let kept = applied(&world, "kept", "Revert").await;
    for number in 0..8 {
        let name = format!("left{number}");
        let id = applied(&world, &name, "Report").await;
        standin.ui_delete(&id);
        let left = world.until_reason(&name, "Ready", "DriftReported").await;
        assert_eq!(condition(&left, "Live")["status"], "False", "{left:#}");
        assert_eq!((&left["status"]["activeVersion"], &left["status"]["webhookURLs"]), (&Value::Null, &Value::Null));
    }
    standin.ui_delete(&kept);
    world.until("kept", "it is created again", |object| object["status"]["n8nWorkflowId"].as_str().is_some_and(|id| id != kept)).await;
    world.until_ready("kept").await;
    let instance = world.get_kind("N8nInstance", "main").await;
    assert_eq!(condition(&instance, "Stalled")["status"], "False", "{instance:#}");
    // Its path is free for another.
    let definition = answering(&format!("{}/left0", world.namespace), "other");
    world.workflow("other", json!({ "active": true, "definition": definition })).await;
    world.until_ready("other").await;
    // Changing one's mind brings it back.
    world.workflow("left1", json!({ "active": true, "definition": answering(&format!("{}/left1", world.namespace), "1") })).await;
    world.until_ready("left1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_of_another_origin_is_not_written_to_until_a_person_says_so() {
    let second = StandIn::start(Options::default());
    let (first, world) = World::on_stand_in("moved", json!({})).await;
    let names = ["a", "b", "c", "d"];
    for name in names {
        applied(&world, name, "Revert").await;
    }
    // It takes the key that comes with the URL.
    let key = second.api_key().to_owned();
    world.secret("other-key", &key).await;
    world.instance("main", &second.url(), &key, json!({ "apiKeySecretRef": { "name": "other-key" } })).await;
    for name in names {
        world.until_reason(name, "Ready", "OriginChanged").await;
    }
    assert!(second.log().writes().is_empty(), "{:?}", second.log().writes());
    world.annotate("N8nInstance", "main", "resetAt", json!("1")).await;
    for name in names {
        world.until_ready(name).await;
    }
    assert_eq!((first.workflows().len(), second.workflows().len()), (4, 4));
}
