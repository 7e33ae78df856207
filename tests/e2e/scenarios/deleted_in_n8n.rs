//! Workflows that were deleted in n8n, and another n8n at the instance's URL, on the stand-in.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::world::{World, condition, current};
use crate::standin::{Options, StandIn};

async fn applied(world: &World, name: &str, policy: &str) -> String {
    let definition = answering(&format!("{}/{name}", world.namespace), "1");
    world.workflow(name, json!({ "active": true, "interval": "1s", "driftPolicy": policy, "definition": definition })).await;
    id(&world.until_ready(name).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_in_n8n_that_the_policy_left_is_not_counted_again() {
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
    // Undoing the change restores it.
    world.workflow("left1", json!({ "active": true, "definition": answering(&format!("{}/left1", world.namespace), "1") })).await;
    world.until_ready("left1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_with_a_url_of_another_origin_is_not_written_to_until_it_is_reset() {
    let second = StandIn::start(Options::default());
    let (first, world) = World::on_stand_in("moved", json!({})).await;
    let names = ["a", "b", "c", "d"];
    for name in names {
        applied(&world, name, "Revert").await;
    }
    // It uses the key that comes with the URL.
    let key = second.api_key().to_owned();
    world.secret("other-key", &key).await;
    world.instance("main", &second.url(), &key, json!({ "apiKeySecretRef": { "name": "other-key" } })).await;
    for name in names {
        world.until_reason(name, "Ready", "OriginChanged").await;
    }
    assert!(second.log().writes().is_empty(), "{:?}", second.log().writes());
    world.annotate("N8nInstance", "main", "reset-at", json!("1")).await;
    for name in names {
        world.until_ready(name).await;
    }
    assert_eq!((first.workflows().len(), second.workflows().len()), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_finds_n8n_emptied_waits_for_a_reset() {
    let (standin, mut world) = World::on_stand_in("emptied", json!({ "interval": "2s" })).await;
    let names: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    let mut ids = Vec::new();
    for name in &names {
        ids.push(applied(&world, name, "Revert").await);
    }
    // The others are not reconciled, so that none of them notices it.
    for name in &names[1..] {
        let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
        world.api("Workflow").patch(name, &PatchParams::default(), &suspend).await.expect("the API server patches");
        world.until(name, "it is suspended", current).await;
    }
    world.operator.kill();
    for id in &ids {
        assert_eq!(world.n8n.api("DELETE", &format!("/workflows/{id}"), None).await.status, 200);
    }
    world.api("Workflow").delete("w0", &DeleteParams::default()).await.expect("the API server deletes");
    world.operator.start();
    world
        .until("w0", "it waits for a word about the n8n", |object| {
            let ready = condition(object, "Ready");
            ready["reason"] == "Deleting" && ready["message"].as_str().is_some_and(|message| message.contains("reset-at"))
        })
        .await;
    world.until_kind("N8nInstance", "main", "another n8n", |object| condition(object, "Stalled")["reason"] == "IdentityChanged").await;
    world.annotate("N8nInstance", "main", "reset-at", json!("1")).await;
    world.until("w0", "it is gone", Value::is_null).await;
    drop(standin);
}
