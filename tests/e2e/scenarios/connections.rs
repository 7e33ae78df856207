//! Connections to n8n: a hidden health check, an authenticating proxy, a slightly wrong URL. What works continues, and the message of a
//! failure has the request, the response, and the setting to change.

use axum::body::Body;
use axum::http::{Response, Uri};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::relay::{Relay, page};
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Options, StandIn};

async fn says(world: &World, reason: &str, parts: &[&str]) -> Value {
    let reported = |object: &Value| {
        let ready = condition(object, "Ready");
        let message = ready["message"].as_str().unwrap_or_default();
        ready["reason"] == reason && current(object) && parts.iter().all(|part| message.contains(part))
    };
    world.until_kind("N8nInstance", "main", &format!("Ready is {reason} and says {parts:?}"), reported).await
}

async fn world(name: &str) -> (StandIn, Relay, World) {
    let standin = StandIn::start(Options::default());
    let relay = Relay::to(&standin.url());
    let world = World::bare(Stack::shared(), name, &standin.url(), standin.api_key()).await;
    (standin, relay, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_behind_a_proxy_that_hides_the_health_check() {
    let (standin, relay, world) = world("hidden").await;
    relay.gate(|uri| uri.path().starts_with("/healthz").then(|| page(404, "text/html", "<h1>nginx</h1>")));
    world.instance("main", &relay.url, standin.api_key(), json!({ "interval": "2s" })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    for name in ["a", "b"] {
        world.workflow(name, json!({ "active": true, "interval": "2s", "definition": answering(&format!("hidden/{name}"), "1") })).await;
    }
    let (first, second) = (id(&world.until_ready("a").await), id(&world.until_ready("b").await));
    // Two workflows are deleted in n8n: one is created again, the other's object is deleted too.
    let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
    world.api("Workflow").patch("b", &PatchParams::default(), &suspend).await.expect("the API server patches");
    world.until("b", "it is suspended", current).await;
    for gone in [&first, &second] {
        assert_eq!(world.n8n.api("DELETE", &format!("/workflows/{gone}"), None).await.status, 200);
    }
    world.delete("b").await;
    world.until("a", "it is made again", |object| ready(object) && object["status"]["n8nWorkflowId"] != json!(first)).await;
    world.delete("a").await;
    assert!(world.n8n.workflows().await.is_empty());
}

/// The response of a gate.
type Answer = fn() -> Response<Body>;

#[tokio::test(flavor = "multi_thread")]
async fn another_server_in_place_of_the_api_is_reported_until_it_is_fixed() {
    let (standin, relay, world) = world("gate").await;
    world.instance("main", &relay.url, standin.api_key(), json!({ "interval": "2s" })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    world.workflow("a", json!({ "active": true, "interval": "2s", "definition": answering("gate/a", "1") })).await;
    world.until_ready("a").await;
    let login = || {
        let mut answer = page(302, "text/html", "");
        answer.headers_mut().insert("location", "https://login.example/start".parse().expect("a header"));
        answer
    };
    let cases: [(Answer, &[&str]); 5] = [
        (|| page(401, "text/html", "<h1>Log in</h1>"), &["HTTP 401 (text/html)", "X-N8N-API-KEY"]),
        (|| page(403, "text/plain", "denied"), &["HTTP 403 (text/plain)", "a gateway in front of n8n"]),
        (|| page(200, "text/html", "<h1>Log in</h1>"), &["HTTP 200 (text/html)", "without a login"]),
        (|| page(200, "text/html", "<meta name=\"n8n:config:sentry\">"), &["HTTP 200 (text/html)", "N8N_PUBLIC_API_DISABLED"]),
        (login, &["HTTP 302", "a redirect to https://login.example", "without a login page"]),
    ];
    for (answer, parts) in cases {
        relay.gate(move |_: &Uri| Some(answer()));
        let reported = says(&world, "ApiNotFound", parts).await;
        let message = condition(&reported, "Ready")["message"].as_str().expect("a message");
        assert!(message.contains("GET /api/v1/discover answered"), "{message}");
        assert_eq!(condition(&reported, "Stalled")["status"], "True", "{message}");
        world.until_reason("a", "Ready", "ApiNotFound").await;
        relay.open();
        world.until_kind("N8nInstance", "main", "Ready again", ready).await;
        world.until_ready("a").await;
    }
    // An API that is disabled, or hidden by a proxy; an n8n that starts answers the same.
    relay.gate(|uri| uri.path().starts_with("/api/").then(|| page(404, "text/html", "<pre>Cannot GET /api/v1/discover</pre>")));
    let reported = |object: &Value| {
        let reachable = condition(object, "Reachable");
        let message = reachable["message"].as_str().unwrap_or_default();
        let parts = ["GET /api/v1/discover answered HTTP 404", "N8N_PUBLIC_API_ENDPOINT"];
        reachable["reason"] == "ApiNotFound" && parts.iter().all(|part| message.contains(part))
    };
    let reported = world.until_kind("N8nInstance", "main", "the API is missed", reported).await;
    assert_eq!(condition(&reported, "Stalled")["status"], "False");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slightly_wrong_url_is_refused_or_reported() {
    let (standin, _relay, world) = world("off").await;
    let key = json!({ "name": "main-key" });
    let of = |url: String| {
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "main" },
            "spec": { "url": url, "apiKeySecretRef": key, "interval": "2s" } })
    };
    for ending in ["/api/v1", "/api/v1/", "/n8n/api/v1"] {
        let refused = world.try_apply(of(format!("{}{ending}", standin.url()))).await.expect_err("it is refused").to_string();
        assert!(refused.contains("must not end in /api/v1"), "{refused}");
    }
    world.secret("main-key", standin.api_key()).await;
    world.apply(of(standin.url().replace("http://", "https://"))).await;
    says(&world, "InstanceUnreachable", &["the port does not speak TLS", "http://"]).await;
    world.apply(of(standin.url())).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
}
