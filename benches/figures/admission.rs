//! The admission webhook's handler: from the body of a review to that of the answer, without TLS and without an API server. The stores hold as
//! many Workflows as the memory goal names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use prometheus::Registry;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tower::ServiceExt;
use weirkeeper::kubernetes::catalogs::Catalogs;
use weirkeeper::kubernetes::scope::Scope;
use weirkeeper::kubernetes::stores::Stores;
use weirkeeper::webhook::facts::Facts;
use weirkeeper::webhook::handler::{PATH, ReviewMetrics, routes};

use crate::validator::workflows;

const REVIEWS: usize = 10_000;
const STORED: usize = 10_000;

pub async fn measure() {
    let client = cluster();
    let stores = Arc::new(Stores::start(&client, Scope::default(), 290));
    stores.synced().await;
    let facts = Arc::new(Facts::new(stores, Catalogs::new(client)));
    let routes = routes(facts, ReviewMetrics::register(&Registry::new()).expect("new metrics"));
    let (origin, texts) = workflows();
    if origin == "made" {
        println!("admission: the real workflows are missing; made ones are used");
    }
    let bodies: Vec<String> = texts.iter().filter_map(|text| review(text)).collect();
    // The catalogue is loaded, and each allocation was made once.
    answer(&routes, &bodies[0]).await;
    let (mut times, mut worked, mut denied) = (Vec::with_capacity(REVIEWS), Vec::with_capacity(REVIEWS), 0);
    for at in 0..REVIEWS {
        let (started, before) = (Instant::now(), processor_time());
        let answer = answer(&routes, &bodies[at % bodies.len()]).await;
        worked.push(processor_time().saturating_sub(before));
        times.push(started.elapsed());
        denied += usize::from(answer["response"]["allowed"] == false);
    }
    times.sort_unstable();
    worked.sort_unstable();
    let at = |times: &[Duration], share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!(
        "admission: {REVIEWS} reviews of {} {origin} workflows with {STORED} Workflows in memory: p50 {:.2} ms, p99 {:.2} ms (<= 5) of the processor; p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms by the clock; {denied} denied",
        bodies.len(),
        at(&worked, 0.5),
        at(&worked, 0.99),
        at(&times, 0.5),
        at(&times, 0.99),
        at(&times, 1.0)
    );
}

/// Processor time of this process, which does nothing beside the review. Other work on the machine changes it less than the clock.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

async fn answer(routes: &Router, body: &str) -> Value {
    let request = Request::post(PATH).body(Body::from(body.to_owned())).expect("a request");
    let answer = routes.clone().oneshot(request).await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    serde_json::from_slice(&body).expect("a review")
}

/// Returns the review of a new Workflow, as the API server sends it; None for a text that is no JSON object.
fn review(text: &str) -> Option<String> {
    let definition = serde_json::from_str::<Value>(text).ok().filter(Value::is_object)?;
    let metadata = json!({ "name": "a", "namespace": "team-1", "uid": "8f0ce3b6-0000-4000-8000-000000000000" });
    let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": metadata,
        "spec": { "instanceRef": { "name": "main" }, "definition": definition } });
    let request = json!({ "uid": "705ab4f5-0000-4000-8000-000000000000", "operation": "CREATE", "namespace": "team-1", "name": "a", "dryRun": false,
        "kind": { "group": "weirkeeper.dev", "version": "v1alpha1", "kind": "Workflow" }, "object": object, "oldObject": null });
    Some(json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request }).to_string())
}

/// Returns a client of a cluster that lists objects from memory and in which nothing happens.
fn cluster() -> Client {
    let answering = tower::service_fn(|request: Request<kube::client::Body>| async move {
        if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
            // A quiet watch.
            tokio::time::sleep(Duration::from_secs(3_600)).await;
        }
        let items = match request.uri().path().rsplit('/').next() {
            Some("workflows") => (0..STORED).map(stored).collect(),
            Some("n8ninstances") => (0..100).map(instance).collect(),
            Some("namespaces") => (0..100).map(|number| json!({ "metadata": { "name": format!("team-{number}") } })).collect(),
            _ => Vec::new(),
        };
        let list = json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "1" }, "items": items });
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(list.to_string())))
    });
    Client::new(answering, "default")
}

fn stored(number: usize) -> Value {
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
        "metadata": { "name": format!("w{number}"), "namespace": format!("team-{}", number % 100), "uid": format!("u{number}"), "resourceVersion": "1" },
        "spec": { "instanceRef": { "name": "main" }, "active": true }, "status": { "observedGeneration": 1, "n8nWorkflowId": format!("n{number}") } })
}

fn instance(number: usize) -> Value {
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance",
        "metadata": { "name": "main", "namespace": format!("team-{number}"), "uid": format!("i{number}"), "resourceVersion": "1" },
        "spec": { "url": "http://n8n.example", "apiKeySecretRef": { "name": "key" } },
        "status": { "observedGeneration": 1, "n8nVersion": "2.39.10", "conditions": [] } })
}
