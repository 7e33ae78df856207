//! Events: each transition with its own message, decisions, and no warning about objects that come up in order.

use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use serde_json::{Value, json};

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, condition, current, ready};
use crate::standin::{Options, StandIn};

async fn events(world: &World, kind: &str, name: &str) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(world.admin.clone(), &world.namespace);
    let all = api.list(&Default::default()).await.expect("the API server lists events").items;
    let about = |event: &Event| {
        event.regarding.as_ref().is_some_and(|object| object.kind.as_deref() == Some(kind) && object.name.as_deref() == Some(name))
    };
    all.into_iter().filter(about).collect()
}

/// Waits for an event with that kind, reason and note, and returns it.
async fn until_event(world: &World, kind: &str, name: &str, reason: &str, holds: impl Fn(&Event) -> bool) -> Event {
    let started = Instant::now();
    loop {
        let all = events(world, kind, name).await;
        if let Some(found) = all.iter().find(|event| event.reason.as_deref() == Some(reason) && holds(event)) {
            return found.clone();
        }
        let all_events: Vec<_> = all.iter().map(|event| (&event.type_, &event.reason, &event.note)).collect();
        assert!(started.elapsed() < PATIENCE, "{kind} {name}: no such event {reason}: {all_events:#?}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.note.as_deref().unwrap_or_default().contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_published_version_has_an_event_and_repeated_events_are_counted() {
    let (_standin, world) = World::on_stand_in("events", json!({})).await;
    let path = format!("{}/a", world.namespace);
    for version in 1..=3 {
        world.workflow("a", json!({ "active": true, "definition": answering(&path, &version.to_string()) })).await;
        world.until("a", "the version is published", |object| ready(object) && object["status"]["activeVersion"] == version).await;
        let event = until_event(&world, "Workflow", "a", "Succeeded", says(&format!("version {version} is published"))).await;
        assert_eq!((event.type_.as_deref(), event.series.is_none()), (Some("Normal"), true));
    }
    // The definition of the second version again is version 2 again, with the same message.
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "2") })).await;
    world.until("a", "version 2 is published again", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    let twice = |event: &Event| says("version 2 is published")(event) && event.series.as_ref().is_some_and(|series| series.count == 2);
    until_event(&world, "Workflow", "a", "Succeeded", twice).await;
    let reported = events(&world, "Workflow", "a").await.into_iter().filter(|event| event.reason.as_deref() == Some("Succeeded"));
    assert_eq!(reported.count(), 3, "one event for each version");
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_and_misspelt_annotations_have_events() {
    let (_standin, world) = World::on_stand_in("decided", json!({})).await;
    let path = format!("{}/a", world.namespace);
    let spec = |more: Value| {
        let mut spec = json!({ "active": true, "definition": answering(&path, "1") });
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        spec
    };
    world.workflow("a", spec(json!({}))).await;
    world.until_ready("a").await;
    let normal = |event: &Event| event.type_.as_deref() == Some("Normal");
    world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
    until_event(&world, "Workflow", "a", "Pinned", |event| normal(event) && says("version 1")(event)).await;
    world.annotate("Workflow", "a", "pinned-version", Value::Null).await;
    until_event(&world, "Workflow", "a", "Unpinned", normal).await;
    world.annotate("Workflow", "a", "reset-at", json!("1")).await;
    until_event(&world, "Workflow", "a", "Reset", normal).await;
    world.workflow("a", spec(json!({ "suspend": true }))).await;
    until_event(&world, "Workflow", "a", "Suspended", normal).await;
    world.workflow("a", spec(json!({}))).await;
    until_event(&world, "Workflow", "a", "Resumed", normal).await;
    world.annotate("N8nInstance", "main", "reset-at", json!("1")).await;
    until_event(&world, "N8nInstance", "main", "Reset", normal).await;
    let warning = |event: &Event| event.type_.as_deref() == Some("Warning");
    for (kind, name) in [("Workflow", "a"), ("N8nInstance", "main")] {
        world.annotate(kind, name, "resetAt", json!("1")).await;
        let meant = says("unknown annotation weirkeeper.dev/resetAt is ignored; did you mean weirkeeper.dev/reset-at?");
        until_event(&world, kind, name, "UnknownAnnotation", |event| warning(event) && meant(event)).await;
    }
    // It is reported once, however often the object is reconciled.
    world.annotate("Workflow", "a", "requested-at", json!("later")).await;
    world.until("a", "it was reconciled", |object| object["status"]["lastHandledRequestedAt"] == "later").await;
    let reported = events(&world, "Workflow", "a").await.into_iter().filter(|event| event.reason.as_deref() == Some("UnknownAnnotation"));
    assert!(reported.map(|event| event.series.map_or(1, |series| series.count)).eq([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_applied_in_any_order_become_ready_without_a_warning() {
    let standin = StandIn::start(Options::default());
    let world = World::bare(Stack::shared(), "order", &standin.url(), standin.api_key()).await;
    let path = |name: &str| format!("{}/{name}", world.namespace);
    let call = json!({ "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [400, 0],
        "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": "child" } } });
    let references = json!([{ "id": "child", "workflowRef": { "name": "child" } }]);
    let parent = crate::harness::n8n::with_node(answering(&path("parent"), "1"), call);
    world.workflow("parent", json!({ "active": true, "definition": parent, "references": references })).await;
    world.until_reason("parent", "Ready", "InstanceNotFound").await;
    let spec = json!({ "url": standin.url(), "apiKeySecretRef": { "name": "main-key" } });
    world
        .apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "main" }, "spec": spec }))
        .await;
    world
        .until_kind("N8nInstance", "main", "the Secret is missing", |object| condition(object, "Ready")["reason"] == "KeySecretNotFound")
        .await;
    world.secret("main-key", standin.api_key()).await;
    world.until_kind("N8nInstance", "main", "it is Ready", ready).await;
    world.until("parent", "the child is missing", |object| condition(object, "Ready")["reason"] == "ReferenceNotFound").await;
    world.workflow("child", json!({ "active": true, "definition": answering(&path("child"), "1") })).await;
    world.until_ready("parent").await;
    until_event(&world, "Workflow", "parent", "Succeeded", |_| true).await;
    until_event(&world, "N8nInstance", "main", "Succeeded", says("answers")).await;
    for (kind, name) in [("Workflow", "parent"), ("Workflow", "child"), ("N8nInstance", "main")] {
        let all = events(&world, kind, name).await;
        let warnings: Vec<_> = all.iter().filter(|event| event.type_.as_deref() == Some("Warning")).map(|event| &event.note).collect();
        assert!(warnings.is_empty(), "{kind} {name}: {warnings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_that_expires_soon_has_a_condition_an_event_and_a_metric() {
    let soon = jiff::Timestamp::now() + Duration::from_secs(3 * 24 * 3600);
    let standin = StandIn::start(Options { key_expires: Some(soon), ..Options::default() });
    let world = World::at(&standin.url(), standin.api_key(), "expiry", json!({})).await;
    let instance = world.until_kind("N8nInstance", "main", "it is Ready", ready).await;
    let expiring = condition(&instance, "KeyExpiring");
    assert_eq!((&expiring["status"], &expiring["reason"]), (&json!("True"), &json!("KeyExpiring")), "{instance:#}");
    assert!(expiring["message"].as_str().is_some_and(|message| message.contains("Secret main-key")), "{expiring}");
    let event = until_event(&world, "N8nInstance", "main", "KeyExpiring", says("expires at")).await;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    let metrics = || async { world.operator.get("/metrics").await.1 };
    let line =
        format!("weirkeeper_n8n_key_expiry_timestamp_seconds{{instance=\"main\",namespace=\"{}\"}} {}", world.namespace, soon.as_second());
    assert!(metrics().await.lines().any(|one| one == line), "{line} is missing from:\n{}", metrics().await);
    let renewed = standin.add_key(None, None);
    world.secret("main-key", &renewed).await;
    // The operator reads a Secret again about once a minute.
    world
        .until_kind("N8nInstance", "main", "the key is renewed", |object| condition(object, "KeyExpiring")["reason"] == "KeyNotExpiring")
        .await;
    assert!(!metrics().await.contains("weirkeeper_n8n_key_expiry_timestamp_seconds{"), "a key that does not expire has no time");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_reports_why_it_stalls_and_when_it_continues() {
    let (standin, world) = World::on_stand_in("events-instance", json!({})).await;
    world.workflow("a", json!({ "active": true, "definition": answering(&format!("{}/a", world.namespace), "1") })).await;
    world.until_ready("a").await;
    until_event(&world, "N8nInstance", "main", "Succeeded", says("answers")).await;
    let elsewhere = standin.url().replace("127.0.0.1", "localhost");
    let (back, key) = (standin.url(), standin.api_key().to_owned());
    world.instance("main", &elsewhere, &key, json!({})).await;
    let stalled = |object: &Value| current(object) && condition(object, "Stalled")["reason"] == "OriginChanged";
    let object = world.until_kind("N8nInstance", "main", "the other origin is refused", stalled).await;
    let message = condition(&object, "Ready")["message"].as_str().expect("a message");
    assert!(message.contains(&back) && message.contains("set the URL back"), "{message}");
    let warning = until_event(&world, "N8nInstance", "main", "OriginChanged", |_| true).await;
    assert_eq!(warning.type_.as_deref(), Some("Warning"));
    standin.log().clear();
    world.workflow("a", json!({ "active": true, "definition": answering(&format!("{}/a", world.namespace), "2") })).await;
    world.until_reason("a", "Ready", "OriginChanged").await;
    assert!(standin.log().writes().is_empty(), "nothing is written there: {:?}", standin.log().writes());
    // Changed back, it clears without intervention.
    world.instance("main", &back, &key, json!({})).await;
    world.until_kind("N8nInstance", "main", "it is Ready again", ready).await;
    assert_eq!(world.until_ready("a").await["status"]["activeVersion"], 2);
}
