//! Error responses of n8n or a proxy to a read and to a create: each has its own reason, and recovers without intervention.

use serde_json::json;

use crate::harness::n8n::answering;
use crate::harness::world::{World, condition};
use crate::standin::{Fault, Rule};

const MARK: &str = "weirkeeper.dev/owner";

/// Error responses of n8n or a proxy in front of it, and the reason in the status.
fn nonsense() -> Vec<(&'static str, Fault, &'static str)> {
    let page = |status: u16, kind: &str, body: &str| Fault::Respond {
        status,
        content_type: kind.to_owned(),
        body: body.to_owned(),
        headers: Vec::new(),
    };
    vec![
        ("hang", Fault::Hang, "InstanceUnreachable"),
        ("limit", Fault::retry_after(429, 1), "RateLimited"),
        ("error", Fault::json(500, "Internal server error"), "RequestFailed"),
        ("half", Fault::HalfBody, "RequestFailed"),
        ("text", page(200, "text/plain", "it works"), "RequestFailed"),
        ("html", Fault::Html404, "ApiNotFound"),
    ]
}

/// Applies each fault to one kind of request: its reason is reported, and when it is over there is exactly one published workflow.
async fn meets_each_fault_at(place: &str, method: &str, path: &str) {
    for (name, fault, reason) in nonsense() {
        let (standin, world) = World::on_stand_in(&format!("{place}{name}"), json!({ "requestTimeout": "1s" })).await;
        let hook = format!("{}/a", world.namespace);
        if place == "get" {
            world.workflow("a", json!({ "active": true, "interval": "5s", "definition": answering(&hook, "1") })).await;
            world.until_ready("a").await;
        }
        let rule = standin.faults().add(Rule::on(method, path, fault));
        world.workflow("a", json!({ "active": true, "definition": answering(&hook, "2") })).await;
        let reported = world
            .until("a", "it reports the fault", |object| {
                let ready = condition(object, "Ready");
                standin.faults().fired(rule) > 0 && ready["status"] != "True" && ready["reason"] != "Progressing" && !ready.is_null()
            })
            .await;
        let ready = condition(&reported, "Ready");
        // A create that may have taken effect is searched for before anything else.
        let reason = if place == "create" && !matches!(name, "limit" | "html") { "CreatePending" } else { reason };
        assert_eq!(ready["reason"], reason, "{name} at {place}: {}", ready["message"]);
        standin.faults().clear();
        world.until_ready("a").await;
        world.n8n.expect_version(&hook, "2").await;
        assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1, "{name} at {place}");
        assert!(standin.duplicates_seen(MARK).is_empty(), "{name} at {place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_read_is_reported_until_it_ends() {
    meets_each_fault_at("get", "GET", "/api/v1/workflows/*").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_create_is_reported_until_it_ends_without_a_duplicate() {
    meets_each_fault_at("create", "POST", "/api/v1/workflows").await;
}
