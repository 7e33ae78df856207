//! What status remembers of n8n, so that what we put there can be taken away again.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::n8n::answering;
use crate::stack::Stack;
use crate::standin::{Fault, Options, Rule, StandIn};
use crate::world::{World, current, ready};

async fn on(standin: &StandIn, name: &str) -> World {
    let (url, key) = (standin.url(), standin.api_key().to_owned());
    let world = World::bare(Stack::shared(), name, &url, &key).await;
    world.instance("main", &url, &key, json!({ "requestTimeout": "2s" })).await;
    world
}

async fn tags(world: &World, id: &str) -> Vec<String> {
    let workflow = world.n8n.workflow(id).await;
    workflow["tags"].as_array().into_iter().flatten().map(|tag| tag["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_whose_removal_failed_is_removed_later() {
    let standin = StandIn::start(Options::default());
    let world = on(&standin, "tags").await;
    let spec = |tags: Value| json!({ "active": true, "interval": "1s", "tags": tags, "definition": answering(&format!("{}/a", world.namespace), "1") });
    world.workflow("a", spec(json!(["first"]))).await;
    let id = world.until_ready("a").await["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    let rule = standin.faults().add(Rule::on("PUT", "/api/v1/workflows/*/tags", Fault::json(500, "Internal server error")));
    world.workflow("a", spec(json!(["second"]))).await;
    world.until("a", "the removal failed", |object| standin.faults().fired(rule) > 0 && !ready(object)).await;
    standin.faults().clear();
    let settled =
        world.until("a", "the new tag is recorded", |object| object["status"]["addedTags"] == json!(["second"]) && ready(object)).await;
    assert_eq!(tags(&world, &id).await, ["second"], "{:#}", settled["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_before_a_lost_status_are_reset_all_the_same() {
    let standin = StandIn::start(Options::default());
    let world = on(&standin, "settings").await;
    let spec = |version: &str, timezone: Value| {
        let mut definition = answering(&format!("{}/a", world.namespace), version);
        if !timezone.is_null() {
            definition["settings"]["timezone"] = timezone;
        }
        json!({ "active": true, "interval": "1s", "definition": definition })
    };
    world.workflow("a", spec("1", json!("Europe/Berlin"))).await;
    let id = world.until_ready("a").await["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    assert_eq!(world.n8n.workflow(&id).await["settings"]["timezone"], "Europe/Berlin");
    let lost = json!({ "status": { "n8nWorkflowId": null, "intent": null, "history": null, "activeVersion": null, "origin": null, "writtenSettings": null } });
    world.api("Workflow").patch_status("a", &PatchParams::default(), &Patch::Merge(lost)).await.expect("the API server patches");
    world.annotate("Workflow", "a", "requestedAt", json!("lost")).await;
    world.until("a", "it is bound again", |object| object["status"]["n8nWorkflowId"] == json!(id) && ready(object)).await;
    world.workflow("a", spec("2", Value::Null)).await;
    world.until("a", "version 2 serves", |object| object["status"]["activeVersion"] == 2 && current(object) && ready(object)).await;
    assert_eq!(world.n8n.workflow(&id).await["settings"]["timezone"], Value::Null);
}
