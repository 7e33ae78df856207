//! Pauses that n8n asks for, and metrics of calls.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::super::operation::Operation;
use super::super::scripted::{Reply, Scripted, client, json, with_headers};
use super::super::send::{Request, failed};
use super::super::{N8nClient, N8nError, N8nMetrics};
use super::write;
use crate::http::{LeaderFence, Response, boot_clock};

#[tokio::test]
async fn a_429_silences_the_client_for_as_long_as_it_says() {
    let server = Scripted::start(|_| with_headers(429, "retry-after: 17\r\n")).await;
    let n8n = server.client();
    assert_eq!(n8n.get_workflow("a").await.unwrap_err().retry_after(), Some(Duration::from_secs(17)));
    let limited = n8n.list_tags().await.unwrap_err();
    assert!(matches!(limited, N8nError::RateLimited { .. }) && limited.retry_after() > Some(Duration::from_secs(15)));
    assert_eq!(server.calls().len(), 1, "the second call was not made");
    assert!(server.client().get_workflow("a").await.is_err(), "another client is not delayed");
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn a_429_with_a_retry_after_of_zero_or_in_the_past_is_a_pause_too() {
    for header in ["0", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"] {
        let server = Scripted::start(move |_| with_headers(429, &format!("retry-after: {header}\r\n"))).await;
        let n8n = server.client();
        n8n.get_workflow("a").await.unwrap_err();
        let limited = n8n.list_tags().await.unwrap_err();
        assert!(limited.retry_after() > Some(Duration::ZERO), "{header}: {limited}");
        assert_eq!(server.calls().len(), 1, "{header}: the second call was not made");
    }
}

#[tokio::test]
async fn a_write_that_waited_too_long_for_its_turn_is_never_sent() {
    let server = Scripted::start(|seen| match seen.method.as_str() {
        "GET" => Reply::Hang,
        _ => json(200, json!({ "id": "a" })),
    })
    .await;
    let mut settings = server.settings();
    settings.max_concurrent_requests = std::num::NonZeroU32::MIN;
    let n8n = client(settings);
    // This call holds the only slot until its request times out.
    let slow = tokio::spawn({
        let n8n = n8n.clone();
        async move { n8n.get_workflow("a").await }
    });
    while server.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let late = n8n.sending_until(boot_clock() + Duration::from_millis(20)).create_workflow(&write()).await.unwrap_err();
    assert!(matches!(late, N8nError::Busy { .. }) && !late.unanswered(), "{late:?}");
    assert!(slow.await.unwrap().is_err());
    assert_eq!(server.calls().len(), 1, "{:?}", server.calls());
    n8n.sending_until(boot_clock() + Duration::from_secs(60)).create_workflow(&write()).await.unwrap();
}

/// Sends a request of which the fence was already checked.
async fn transfer(n8n: &N8nClient, request: &Request) -> Result<Response, N8nError> {
    n8n.inner.http.transfer(&request.http, Some(&n8n.permit)).await.map_err(|error| failed(request, error))
}

/// Simulates a process that was stopped after it had checked the fence.
#[tokio::test]
async fn a_write_whose_fence_expired_while_it_connected_is_not_sent() {
    let server = Scripted::start(|_| json(200, json!({ "id": "a" }))).await;
    let n8n = server.client();
    let request = n8n.api(Operation::CreateWorkflow, Method::POST, &["workflows"]).unwrap().json(&json!({ "name": "a" })).unwrap();
    let fence = LeaderFence::none();
    let late = transfer(&n8n.clone().fenced_by(fence.clone()), &request).await.unwrap_err();
    assert!(late.unanswered(), "{late}");
    assert!(transfer(&n8n.sending_until(boot_clock().saturating_sub(Duration::from_secs(1))), &request).await.is_err());
    assert!(server.calls().is_empty(), "{:?}", server.calls());
    fence.extend(boot_clock() + Duration::from_secs(60));
    transfer(&n8n.fenced_by(fence), &request).await.unwrap();
    assert_eq!((server.calls().len(), server.seen()[0].body.as_str()), (1, r#"{"name":"a"}"#));
}

#[tokio::test]
async fn retry_after_may_be_a_date_and_is_bounded() {
    let wait = |header: String| async move {
        let server = Scripted::start(move |_| with_headers(429, &format!("retry-after: {header}\r\n"))).await;
        server.client().list_tags().await.unwrap_err().retry_after()
    };
    let date = jiff::Timestamp::now() + Duration::from_secs(60);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
    let left = wait(date).await.unwrap();
    assert!((Duration::from_secs(57)..=Duration::from_secs(60)).contains(&left), "{left:?}");
    assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT".into()).await, Some(Duration::ZERO));
    assert_eq!(wait("99999999999".into()).await, Some(Duration::from_secs(300)));
    assert_eq!(wait("soon".into()).await, None);
}

#[tokio::test]
async fn calls_are_counted_by_operation_and_outcome() {
    let server = Scripted::start(|seen| match seen.method.as_str() {
        "GET" => json(200, json!({ "id": "a" })),
        _ => json(400, json!({ "message": "no" })),
    })
    .await;
    let registry = prometheus::Registry::new();
    let n8n = N8nClient::new(server.settings(), N8nMetrics::register(&registry).unwrap()).unwrap();
    n8n.get_workflow("secret-name").await.unwrap();
    n8n.create_workflow(&write()).await.unwrap_err();
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    for line in [
        r#"weirkeeper_n8n_requests_total{operation="get_workflow",outcome="ok"} 1"#,
        r#"weirkeeper_n8n_requests_total{operation="create_workflow",outcome="refused"} 1"#,
        r#"weirkeeper_n8n_request_duration_seconds_count{operation="get_workflow"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("secret-name"));
}
