//! Faults: components that stop, start and respond with errors. Everything recovers without intervention, and nothing is created twice.

use std::time::Duration;

use kube::api::{Api, DeleteParams};
use serde_json::json;

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, condition, ready};
use crate::standin::{Fault, Rule};

async fn apply(world: &World, name: &str, version: &str) {
    let definition = answering(&format!("{}/{name}", world.namespace), version);
    world.workflow(name, json!({ "active": true, "interval": "1s", "definition": definition })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_recover_after_n8n_was_stopped_or_killed() {
    let stack = Stack::own(&["--only-n8n"]);
    let often = json!({ "interval": "2s", "requestTimeout": "10s" });
    let mut world = World::at(&stack.n8n_url(), &stack.n8n_key(), "outage", often).await;
    apply(&world, "before", "1").await;
    world.until_ready("before").await;
    stack.tell(&["stop", "n8n"]);
    // Unchanged objects stay Ready for three intervals; new ones wait; none is Stalled.
    apply(&world, "during", "1").await;
    let waiting = world.until_reason("during", "Ready", "InstanceUnreachable").await;
    assert_eq!(
        (&condition(&waiting, "Reconciling")["status"], &condition(&waiting, "Stalled")["status"]),
        (&json!("True"), &json!("False"))
    );
    world.until("before", "Synced is Unknown", |object| condition(object, "Synced")["status"] == "Unknown").await;
    world.until("before", "Ready is Unknown", |object| condition(object, "Ready")["status"] == "Unknown").await;
    stack.tell(&["start", "n8n"]);
    for name in ["before", "during"] {
        world.until(name, "Ready", ready).await;
        assert_eq!(world.n8n.marked(&world.namespace, name).await.len(), 1);
    }
    // Killed during several creates.
    for number in 0..6 {
        apply(&world, &format!("mid{number}"), "1").await;
    }
    stack.tell(&["restart", "n8n", "--kill"]);
    for number in 0..6 {
        let name = format!("mid{number}");
        world.until_ready(&name).await;
        assert_eq!(world.n8n.marked(&world.namespace, &name).await.len(), 1, "{name}");
    }
    // A namespace that is deleted while n8n is down is removed all the same.
    world.operator.restart_with(&["--deletion-bound", "3s"]);
    world.until("before", "Ready", ready).await;
    stack.tell(&["stop", "n8n"]);
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.admin.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.expect("the API server deletes");
    let started = std::time::Instant::now();
    while namespaces.get_opt(&world.namespace).await.expect("the API server answers").is_some() {
        assert!(started.elapsed() < PATIENCE, "the namespace hangs\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let metrics = world.operator.get("/metrics").await.1;
    let abandoned = metrics.lines().find(|line| line.starts_with("weirkeeper_cleanups_abandoned_total")).expect("the counter").to_owned();
    assert_eq!(abandoned, "weirkeeper_cleanups_abandoned_total 8");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_applied_after_the_api_server_restarts() {
    let stack = Stack::own(&["--without-n8n"]);
    let shared = Stack::shared();
    let (url, key) = (shared.n8n_url(), shared.n8n_key());
    let world = World::bare((*stack).clone(), "apiserver", &url, &key).await;
    world.instance("main", &url, &key, json!({})).await;
    apply(&world, "a", "1").await;
    world.until_ready("a").await;
    for (flags, version) in [(vec!["restart", "apiserver"], "2"), (vec!["restart", "apiserver", "--kill"], "3")] {
        stack.tell(&flags);
        apply(&world, "a", version).await;
        world.until_ready("a").await;
        world.n8n.expect_version(&format!("{}/a", world.namespace), version).await;
    }
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1);
    world.delete("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_requests_to_n8n_are_retried_without_a_duplicate_or_a_failed_version() {
    let (standin, world) = World::on_stand_in("badly", json!({ "requestTimeout": "1s" })).await;
    type Make = Box<dyn Fn() -> Fault>;
    let faults: Vec<(&str, Make)> = vec![
        ("hang", Box::new(|| Fault::Hang)),
        ("slow", Box::new(|| Fault::Delay(Duration::from_millis(1500)))),
        ("limited", Box::new(|| Fault::retry_after(429, 1))),
        ("error", Box::new(|| Fault::json(500, "Internal server error"))),
        ("gateway", Box::new(Fault::bad_gateway)),
        ("half", Box::new(|| Fault::HalfBody)),
        ("html", Box::new(|| Fault::Html404)),
        ("before", Box::new(|| Fault::DropBefore)),
        ("after", Box::new(|| Fault::DropAfter)),
    ];
    let calls = [
        ("create", "POST", "/api/v1/workflows"),
        ("publish", "POST", "/api/v1/workflows/*/publish"),
        ("get", "GET", "/api/v1/workflows/*"),
    ];
    let mut names = Vec::new();
    for (fault_name, fault) in &faults {
        for (call, method, path) in calls {
            let rule = standin.faults().add(Rule::on(method, path, fault()).once());
            let name = format!("{fault_name}-{call}");
            apply(&world, &name, "1").await;
            let object = world.until_ready(&name).await;
            assert!(standin.faults().fired(rule) > 0, "{name}: the fault was met");
            assert_eq!(object["status"]["history"].as_array().map(Vec::len), Some(1), "{name}");
            assert_eq!(object["status"]["history"][0]["result"], "Good", "{name}: one bad answer is no failed version");
            names.push(name);
        }
    }
    for name in names {
        assert_eq!(world.n8n.marked(&world.namespace, &name).await.len(), 1, "{name}");
    }
    assert!(standin.duplicates_seen("weirkeeper.dev/owner").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_n8n_that_is_too_old_is_reported_until_it_is_upgraded() {
    let (standin, world) = World::on_stand_in("tooold", json!({})).await;
    // The responses of n8n 1.123.81, and then those of 2.32, which accepts the create.
    let old = [
        (400, "POST", "/api/v1/workflows", "request/body/settings must NOT have additional properties"),
        (400, "PUT", "/api/v1/workflows/*", "Unknown query parameter 'publishIfActive'"),
        (405, "POST", "/api/v1/workflows/*/publish", "POST method not allowed"),
    ];
    for (version, (status, method, path, words)) in ["1", "2", "3"].into_iter().zip(old) {
        let rule = standin.faults().add(Rule::on(method, path, Fault::json(status, words)));
        apply(&world, "a", version).await;
        let reported = world.until_reason("a", "Ready", "UnsupportedN8n").await;
        let message = condition(&reported, "Ready")["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains("Weirkeeper needs n8n 2.35 or newer"), "{message}");
        assert_eq!(condition(&reported, "Stalled")["status"], "True");
        assert_eq!(
            (&reported["status"]["failedDigest"], &reported["status"]["history"][0]["result"]),
            (&json!(null), &json!("Pending")),
            "{words}"
        );
        assert!(standin.faults().fired(rule) > 0);
        standin.faults().clear();
        world.until_ready("a").await;
        world.n8n.expect_version(&format!("{}/a", world.namespace), version).await;
    }
    assert_eq!(world.n8n.marked(&world.namespace, "a").await.len(), 1);
}
