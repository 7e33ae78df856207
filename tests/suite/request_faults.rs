//! Faults: parts that are down, slow or talk nonsense. Each has its own reason, and each heals by itself.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::n8n::answering;
use crate::stack::Stack;
use crate::standin::{Fault, Options, Rule, StandIn};
use crate::world::{World, condition};

const MARK: &str = "weirkeeper.dev/owner";

/// What n8n or a proxy before it may say, and the reason that status then gives.
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
        ("half", Fault::HalfBody, "InstanceUnreachable"),
        ("text", page(200, "text/plain", "it works"), "RequestFailed"),
        ("html", Fault::Html404, "InstanceStarting"),
    ]
}

/// Each fault at one kind of request: its reason is told, and when it is over there is exactly one workflow that serves.
async fn meets_each_fault_at(place: &str, method: &str, path: &str) {
    for (name, fault, reason) in nonsense() {
        let standin = StandIn::start(Options::default());
        let (url, key) = (standin.url(), standin.api_key().to_owned());
        let world = World::bare(Stack::shared(), &format!("{place}{name}"), &url, &key).await;
        world.instance("main", &url, &key, json!({ "requestTimeout": "1s" })).await;
        let hook = format!("{}/a", world.namespace);
        if place == "get" {
            world.workflow("a", json!({ "active": true, "interval": "5s", "definition": answering(&hook, "1") })).await;
            world.until_ready("a").await;
        }
        let rule = standin.faults().add(Rule::on(method, path, fault));
        world.workflow("a", json!({ "active": true, "definition": answering(&hook, "2") })).await;
        let told = world
            .until("a", "it tells of the fault", |object| {
                let ready = condition(object, "Ready");
                standin.faults().fired(rule) > 0 && ready["status"] != "True" && ready["reason"] != "Progressing" && !ready.is_null()
            })
            .await;
        let ready = condition(&told, "Ready");
        println!("fault {name} at {place}: {} ({reason} expected): {}", ready["reason"], ready["message"]);
        standin.faults().clear();
        world.until_ready("a").await;
        assert_eq!(world.n8n.webhook("GET", &hook).await.json()["version"], "2", "{name} at {place}");
        assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1, "{name} at {place}");
        assert!(standin.duplicates_seen(MARK).is_empty(), "{name} at {place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_read_is_told_and_heals() {
    meets_each_fault_at("get", "GET", "/api/v1/workflows/*").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_create_is_told_and_heals_without_a_duplicate() {
    meets_each_fault_at("create", "POST", "/api/v1/workflows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_publish_is_told_and_heals() {
    meets_each_fault_at("publish", "POST", "/api/v1/workflows/*/publish").await;
}

fn ready_is(object: &Value, status: &str) -> bool {
    condition(object, "Ready")["status"] == status
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_parts_are_told_and_everything_goes_on_when_they_are_back() {
    let stack = Stack::own(&[]);
    let (url, key) = (stack.n8n_url(), stack.n8n_key());
    let mut world = World::bare((*stack).clone(), "parts", &url, &key).await;
    world.instance("main", &url, &key, json!({ "interval": "5s", "requestTimeout": "3s" })).await;
    let spec = |name: &str, version: &str| json!({ "active": true, "interval": "5s", "definition": answering(name, version) });

    // n8n is down when the first is applied.
    stack.tell(&["stop", "n8n"]);
    world.workflow("a", spec("a", "1")).await;
    world.until_reason("a", "Ready", "InstanceUnreachable").await;
    stack.tell(&["start", "n8n"]);
    world.until_ready("a").await;

    // n8n goes away under what is Ready: it is believed for three intervals, then nobody knows.
    stack.tell(&["stop", "n8n"]);
    let unknown = world.until("a", "Ready is Unknown", |object| ready_is(object, "Unknown")).await;
    assert_eq!(condition(&unknown, "Ready")["reason"], "InstanceUnreachable");
    stack.tell(&["start", "n8n"]);
    world.until_ready("a").await;

    // n8n is killed while several are being created.
    for name in ["b", "c", "d", "e"] {
        world.workflow(name, spec(name, "1")).await;
    }
    stack.tell(&["restart", "n8n", "--kill"]);
    // The API server is restarted under the operator, politely and not.
    stack.tell(&["restart", "apiserver"]);
    world.workflow("b", spec("b", "2")).await;
    stack.tell(&["restart", "apiserver", "--kill"]);
    for (name, version) in [("a", "1"), ("b", "2"), ("c", "1"), ("d", "1"), ("e", "1")] {
        world.until_ready(name).await;
        assert_eq!(world.n8n.webhook("GET", name).await.json()["version"], version, "{name}");
        assert_eq!(world.n8n.marked(&world.namespace, name).await.len(), 1, "{name}");
    }

    // The namespace is deleted while n8n is down.
    world.operator.restart_with(&["--deletion-bound", "5s"]);
    world.until_ready("a").await;
    stack.tell(&["stop", "n8n"]);
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(world.admin.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.expect("the API server deletes");
    let gone = async {
        while namespaces.get_opt(&world.namespace).await.expect("the API server answers").is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, gone).await.unwrap_or_else(|_| panic!("the namespace hangs\n{}", world.operator.tail()));
}
