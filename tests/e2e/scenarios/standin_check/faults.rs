//! Faults and the log of requests on the wire.

use std::time::{Duration, Instant};

use serde_json::json;

use super::caller::{Caller, answering};
use crate::harness::world::PATIENCE;
use crate::standin::{Caller as Lost, Fault, Gate, Options, Rule};

async fn until(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_answer_can_be_replaced_delayed_or_made_html() {
    let n8n = Caller::plain();
    let faults = n8n.standin.faults();
    let rule = faults.add(Rule::on("GET", "/api/v1/workflows", Fault::retry_after(429, 7)).times(2));
    for status in [429, 429, 200] {
        assert_eq!(n8n.api("GET", "/workflows?limit=1", None).await.status, status);
    }
    assert_eq!(faults.fired(rule), 2);
    faults.clear();
    faults.add(Rule::on("*", "/api/v1/**", Fault::Delay(Duration::from_millis(80))));
    faults.add(Rule::on("GET", "/api/v1/workflows/*", Fault::Html404).nth(2));
    let before = Instant::now();
    assert_eq!(n8n.api("GET", "/workflows/x", None).await.message(), "Not Found");
    assert!(before.elapsed() >= Duration::from_millis(80));
    let got = n8n.api("GET", "/workflows/x", None).await;
    assert!(got.body.as_str().unwrap().contains("Cannot GET /api/v1/workflows/x"));
    faults.clear();
    faults.add(Rule::on("GET", "/api/v1/tags", Fault::bad_gateway()).once());
    assert_eq!(n8n.api("GET", "/tags", None).await.status, 502);
    faults.add(Rule::on("GET", "/api/v1/tags", Fault::json(500, "Internal server error")).once());
    assert_eq!(n8n.api("GET", "/tags", None).await.status, 500);
}

#[tokio::test]
async fn a_create_can_be_lost_before_after_or_long_before_it_is_done() {
    let n8n = Caller::plain();
    let faults = n8n.standin.faults();
    let sent = answering("a", "p", "x");
    let create = || n8n.try_send("POST", "/api/v1/workflows", Some(&sent));
    let count = || n8n.standin.workflows().len();

    faults.add(Rule::on("POST", "/api/v1/workflows", Fault::DropBefore).once());
    assert!(create().await.is_err());
    assert_eq!(count(), 0);
    faults.add(Rule::on("POST", "/api/v1/workflows", Fault::DropAfter).once());
    assert!(create().await.is_err());
    assert_eq!(count(), 1);
    faults.add(Rule::on("POST", "/api/v1/workflows", Fault::HalfBody).once());
    assert!(create().await.is_err());
    assert_eq!(count(), 2);
    let after = Duration::from_millis(500);
    for caller in [Lost::Disconnected, Lost::KeptWaiting] {
        let before = count();
        let late = Fault::LateApply { after, caller };
        let rule = faults.add(Rule::on("POST", "/api/v1/workflows", late).once());
        tokio::select! {
            got = create() => assert!(got.is_err()),
            () = until(|| faults.fired(rule) > 0) => {}
        }
        assert_eq!(count(), before);
        until(|| count() > before).await;
        assert_eq!(count(), before + 1);
    }
    let hang = faults.add(Rule::on("POST", "/api/v1/workflows", Fault::Hang).once());
    tokio::select! {
        got = create() => panic!("nothing answers this: {:?}", got.map(|answer| answer.status)),
        () = until(|| faults.fired(hang) > 0) => {}
    }
    assert_eq!(create().await.unwrap().status, 200);
}

#[tokio::test]
async fn held_requests_continue_when_the_gate_opens() {
    let n8n = Caller::plain();
    let gate = Gate::shut();
    let rule = n8n.standin.faults().add(Rule::on("POST", "/api/v1/workflows", Fault::Held(gate.clone())).once());
    let sent = answering("a", "p", "x");
    let observed = n8n.try_send("POST", "/api/v1/workflows", Some(&sent));
    let opened = async {
        until(|| n8n.standin.faults().fired(rule) > 0).await;
        // Other requests are served meanwhile, and this one has not taken effect.
        assert_eq!(n8n.api("GET", "/workflows?limit=1", None).await.status, 200);
        assert_eq!(n8n.standin.workflows().len(), 0);
        gate.open();
    };
    let (answer, ()) = tokio::join!(observed, opened);
    assert_eq!((answer.unwrap().status, n8n.standin.workflows().len()), (200, 1));
}

#[tokio::test]
async fn work_continues_when_the_client_disconnects() {
    let n8n = Caller::new(Options { webhook_gap: Duration::from_secs(1), ..Options::default() });
    let live = n8n.live(&answering("a", "p", "v1")).await;
    let path = format!("/api/v1/workflows/{live}");
    let changed = answering("a", "p", "v2");
    tokio::select! {
        _ = n8n.try_send("PUT", &path, Some(&changed)) => panic!("it is answered after the gap"),
        () = until(|| n8n.standin.log().count("PUT", &path) > 0) => {}
    }
    while n8n.send("GET", "/webhook/p", None).await.body != json!({ "answer": "v2" }) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn faults_by_chance_are_repeatable_by_their_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let n8n = Caller::plain();
        let rule = Rule::on("GET", "/api/v1/tags", Fault::json(503, "busy")).with_chance(0.5, 11);
        n8n.standin.faults().add(rule);
        let mut run = Vec::new();
        for _ in 0..20 {
            run.push(n8n.api("GET", "/tags", None).await.status);
        }
        assert!(run.contains(&200) && run.contains(&503));
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn the_log_lists_requests_with_their_key() {
    let n8n = Caller::plain();
    let made = n8n.create(&answering("a", "p", "x")).await;
    let made = made["id"].as_str().unwrap();
    n8n.get(made).await;
    n8n.publish(made).await;
    n8n.send("GET", "/webhook/p", None).await;
    let log = n8n.standin.log();
    let writes = log.writes();
    assert_eq!(writes.len(), 2);
    assert_eq!((writes[0].method.as_str(), writes[0].status), ("POST", Some(200)));
    assert_eq!(writes[0].json()["name"], json!("a"));
    assert!(writes[0].body_size > 100);
    assert_eq!(log.count("GET", "/api/v1/workflows"), 1);
    assert_eq!(log.count("*", "/"), 4);
    assert_eq!(log.requests_per_workflow()[made], 3);
    log.clear();
    n8n.standin.faults().add(Rule::on("*", "/api/v1/**", Fault::DropBefore));
    assert!(n8n.try_send("DELETE", "/api/v1/workflows/x", None).await.is_err());
    assert_eq!(log.entries()[0].status, None);
}

#[tokio::test]
async fn latency_is_added_to_every_response() {
    let n8n = Caller::new(Options { latency: Duration::from_millis(50), ..Options::default() });
    let before = Instant::now();
    n8n.api("GET", "/workflows", None).await;
    assert!(before.elapsed() >= Duration::from_millis(50));
}
