//! Starting, stopping, and the states in between.

use std::time::{Duration, Instant};

use serde_json::json;

use super::caller::{Caller, answering};
use crate::standin::Options;

#[tokio::test]
async fn while_it_starts_it_is_healthy_not_ready_and_the_api_responds_with_html() {
    let n8n = Caller::plain();
    let live = n8n.live(&answering("a", "p", "x")).await;
    let url = n8n.standin.url();
    n8n.standin.restart_and_hang();
    assert_eq!(n8n.standin.url(), url);
    assert_eq!(n8n.send("GET", "/healthz", None).await.status, 200);
    let got = n8n.send("GET", "/healthz/readiness", None).await;
    assert_eq!((got.status, got.body), (503, json!({ "status": "error" })));
    let got = n8n.api("GET", &format!("/workflows/{live}"), None).await;
    assert_eq!(got.status, 404);
    let page = got.body.as_str().unwrap();
    assert!(page.contains(&format!("<pre>Cannot GET /api/v1/workflows/{live}</pre>")));
    n8n.standin.finish_starting();
    assert_eq!(n8n.send("GET", "/healthz/readiness", None).await.status, 200);
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.body, json!({ "answer": "x" }));
    assert_eq!(n8n.get(&live).await["active"], json!(true));
}

#[tokio::test]
async fn a_stopped_stand_in_refuses_connections_and_starts_again_with_its_data() {
    let n8n = Caller::new(Options { startup_time: Duration::from_millis(100), ..Options::default() });
    n8n.live(&answering("a", "p", "x")).await;
    n8n.standin.stop();
    let lost = n8n.try_send("GET", "/healthz", None).await;
    assert!(lost.is_err_and(|error| error.is_connect()));
    n8n.standin.restart();
    assert_eq!(n8n.send("GET", "/healthz/readiness", None).await.status, 503);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(n8n.send("GET", "/healthz/readiness", None).await.status, 200);
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.status, 200);
}

#[tokio::test]
async fn the_front_page_contains_the_version() {
    use base64::Engine;
    let n8n = Caller::plain();
    let got = n8n.send("GET", "/", None).await;
    let page = got.body.as_str().unwrap();
    let meta = page.split("n8n:config:sentry\" content=\"").nth(1).unwrap();
    let meta = meta.split('"').next().unwrap();
    let meta = base64::engine::general_purpose::STANDARD.decode(meta).unwrap();
    let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
    assert_eq!(meta["release"], json!("n8n@2.39.10"));
}

#[tokio::test]
async fn a_kill_during_a_publication_leaves_a_saved_and_active_workflow() {
    let n8n = Caller::new(Options { webhook_gap: Duration::from_millis(200), ..Options::default() });
    let live = n8n.live(&answering("a", "p", "v1")).await;
    let path = format!("/api/v1/workflows/{live}");
    let sent = answering("a", "p", "v2");
    let put = n8n.try_send("PUT", &path, Some(&sent));
    let kill = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        n8n.standin.stop();
    };
    let (put, ()) = tokio::join!(put, kill);
    assert!(put.is_err());
    n8n.standin.restart();
    assert_eq!(n8n.send("GET", "/webhook/p", None).await.body, json!({ "answer": "v2" }));
}

#[tokio::test]
async fn a_thousand_large_workflows_are_created_and_listed() {
    let before = Instant::now();
    let n8n = Caller::plain();
    assert!(before.elapsed() < Duration::from_secs(5));
    let mut large = answering("large", "p", "x");
    for number in 0..48 {
        let mut node = super::caller::set("some text to make the node as large as a real one");
        node["id"] = json!(format!("n{number}"));
        node["name"] = json!(format!("Node {number}"));
        large["nodes"].as_array_mut().unwrap().push(node);
    }
    let before = Instant::now();
    for _ in 0..1_000 {
        n8n.create(&large).await;
    }
    let created = before.elapsed();
    let before = Instant::now();
    let mut path = "/workflows?limit=250".to_owned();
    let mut seen = 0;
    let client = super::caller::client();
    loop {
        let url = format!("{}/api/v1{path}", n8n.standin.url());
        let request = client.get(url).header("X-N8N-API-KEY", n8n.standin.api_key());
        let text = request.send().await.unwrap().text().await.unwrap();
        seen += text.matches("\"triggerCount\"").count();
        let cursor = text.rsplit("\"nextCursor\":").next().unwrap().trim_end_matches('}');
        match cursor.trim_matches('"') {
            "null" => break,
            cursor => path = format!("/workflows?limit=250&cursor={cursor}"),
        }
    }
    assert_eq!(seen, 1_000);
    println!("1,000 creates in {created:?}, listed in {:?}", before.elapsed());
}
