//! The API key in its Secret: where it is sent, and how soon another one is used.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Options, StandIn};

fn refused(standin: &StandIn) -> usize {
    standin.log().entries().iter().filter(|entry| entry.status == Some(401)).count()
}

fn unauthorized(object: &Value) -> bool {
    current(object) && condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("API key"))
}

/// Returns a key that n8n does not know.
fn wrong(standin: &StandIn) -> String {
    standin.api_key().chars().rev().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_key_of_one_n8n_is_not_sent_to_another() {
    let (first, world) = World::on_stand_in("keymoves", json!({ "interval": "1h" })).await;
    let second = StandIn::start(Options::default());
    world.until_kind("N8nInstance", "main", "the first answers", ready).await;
    for (standin, name) in [(&second, "the second answers"), (&first, "the first answers again")] {
        standin.log().clear();
        world.instance("main", &standin.url(), standin.api_key(), json!({ "interval": "1h" })).await;
        world.until_kind("N8nInstance", "main", name, ready).await;
        assert_eq!(refused(standin), 0, "{name}: {:#?}", standin.log().entries());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_api_key_is_used_by_the_next_retry() {
    let (standin, world) = World::on_stand_in("keymended", json!({ "interval": "1h" })).await;
    world.instance("main", &standin.url(), &wrong(&standin), json!({ "interval": "2h" })).await;
    world.until_kind("N8nInstance", "main", "the key is refused", unauthorized).await;
    standin.log().clear();
    world.secret("main-key", standin.api_key()).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    assert!(refused(&standin) <= 1, "only a call that was running: {:#?}", standin.log().entries());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_uses_a_corrected_api_key_in_its_next_retry() {
    let (standin, world) = World::on_stand_in("keydeleting", json!({ "interval": "1h" })).await;
    world.workflow("a", json!({ "active": true, "definition": answering(&format!("{}/a", world.namespace), "1") })).await;
    let bound = id(&world.until_ready("a").await);
    world.instance("main", &standin.url(), &wrong(&standin), json!({ "interval": "2h" })).await;
    world.until_kind("N8nInstance", "main", "the key is refused", unauthorized).await;
    world.api("Workflow").delete("a", &DeleteParams::default()).await.expect("the API server deletes");
    world.until("a", "the deletion waits for a key", |object| condition(object, "Ready")["reason"] == "Deleting").await;
    standin.log().clear();
    world.secret("main-key", standin.api_key()).await;
    world.until("a", "it is gone", Value::is_null).await;
    assert_eq!(world.n8n.workflow(&bound).await["message"], "Not Found");
    assert!(refused(&standin) <= 2, "only calls that were running: {:#?}", standin.log().entries());
}
