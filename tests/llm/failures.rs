//! Servers that fail, and how long a call tries.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weirkeeper::llm::{Breaker, ErrorKind, ModelError};

use crate::model::{ModelServer, Reply, answer, answer_with, complete, completion_body, http, refuse};
use crate::{GOOD, call, client, client_of, settings};

fn limited(headers: &str) -> Reply {
    answer_with(429, headers, &json!({ "error": { "message": "Rate limit reached", "code": 429 } }))
}

/// Answers the first completions with these replies, and all others well.
fn then_well(replies: Vec<Reply>) -> ModelServer {
    let mut replies = replies.into_iter();
    ModelServer::completing(move |asked| replies.next().unwrap_or_else(|| complete(asked, GOOD)))
}

async fn failure(server: &ModelServer) -> (ModelError, Duration) {
    let started = Instant::now();
    let error = client(server).call(&call()).await.unwrap_err();
    (error, started.elapsed())
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let cut_json = |body: &str| Reply::Send(http(200, "", "application/json", body));
    for (number, replies) in [
        vec![refuse(500, 500, "internal error"), refuse(503, "overloaded", "try later")],
        vec![Reply::Send(http(502, "", "text/html", "<html>Bad Gateway</html>"))],
        vec![answer(408, &json!({})), answer(409, &json!("conflict")), answer(500, &json!([]))],
        vec![answer(529, &json!({ "error": "overloaded" }))],
        vec![answer(200, &json!({ "error": { "message": "upstream is busy", "code": 503 } }))],
        vec![Reply::Close(Vec::new())],
        vec![Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\":[".to_vec())],
        vec![cut_json("{\"choices\":[{\"message\":{\"content\":\"abc")],
        vec![cut_json("")],
    ]
    .into_iter()
    .enumerate()
    {
        let failures = replies.len();
        let server = then_well(replies);
        let reply = client(&server).call(&call()).await.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!((reply.text.as_str(), server.completions().len()), (GOOD, failures + 1), "{number}");
        let asked = server.completions();
        assert!(asked.iter().all(|one| one.header("idempotency-key") == asked[0].header("idempotency-key")), "a gateway can tell");
    }
}

#[tokio::test]
async fn an_answer_that_got_lost_is_counted() {
    let server = then_well(vec![Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\":[".to_vec())]);
    let usage = client(&server).call(&call()).await.unwrap().usage;
    let question = u64::try_from(server.completions()[0].body.len()).unwrap();
    assert!(usage.estimated && usage.input >= question.div_ceil(3) + question / 4, "{usage:?} of {question}");
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_the_server_asks() {
    let server = then_well(vec![limited("retry-after: 2\r\n")]);
    let started = Instant::now();
    client(&server).call(&call()).await.unwrap();
    assert!((2.0..5.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
    let server = then_well(vec![limited(""), limited("retry-after: 0\r\n"), limited("retry-after: soon\r\n")]);
    client(&server).call(&call()).await.unwrap();
    assert_eq!(server.completions().len(), 4);
}

#[tokio::test]
async fn a_long_pause_is_not_waited_for_but_named() {
    for (header, seconds) in [("retry-after: 3600\r\n", 3600), ("retry-after: 99999999999\r\n", 24 * 3600)] {
        let server = ModelServer::replying(vec![limited(header)]);
        let (error, took) = failure(&server).await;
        assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimited, Some(Duration::from_secs(seconds))));
        assert!(took < Duration::from_secs(2) && error.message.contains(&seconds.to_string()) && !error.may_have_been_paid, "{error}");
        assert_eq!(server.completions().len(), 1);
    }
}

#[tokio::test]
async fn a_pause_may_be_given_as_a_date() {
    let in_an_hour = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).saturating_add(jiff::SignedDuration::from_hours(1));
    let date = jiff::fmt::rfc2822::to_string(&in_an_hour).unwrap();
    let server = ModelServer::replying(vec![limited(&format!("retry-after: {date}\r\n"))]);
    let (error, _) = failure(&server).await;
    let asked = error.retry_after.unwrap().as_secs();
    assert!((3_590..=3_600).contains(&asked), "{date}: {asked}");
    let server = then_well(vec![limited("retry-after: Mon, 05 Oct 2020 10:00:00 GMT\r\n")]);
    assert_eq!(client(&server).call(&call()).await.unwrap().text, GOOD, "a time in the past is no pause");
}

#[tokio::test]
async fn a_persistent_rate_limit_is_tried_until_the_deadline_and_not_for_a_moment() {
    let server = ModelServer::replying(vec![limited("")]);
    let (error, took) = failure(&server).await;
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert!((3.0..8.5).contains(&took.as_secs_f64()), "{took:?}");
    let asked = server.completions();
    assert!((4..=8).contains(&asked.len()), "{}", asked.len());
    let pauses: Vec<f64> = asked.windows(2).map(|two| (two[1].at - two[0].at).as_secs_f64()).collect();
    assert!(pauses.iter().all(|pause| *pause >= 0.9), "no request within the second after a 429: {pauses:?}");
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    for (reply, kind, said) in [
        (refuse(429, "insufficient_quota", "You exceeded your current quota"), ErrorKind::OutOfQuota, "exhausted"),
        (
            answer(402, &json!({ "error": { "code": 402, "message": "Insufficient credits" } })),
            ErrorKind::OutOfQuota,
            "Insufficient credits",
        ),
        (refuse(401, "invalid_api_key", "Incorrect key"), ErrorKind::Unauthorized, "Secret"),
        (refuse(403, Value::Null, "Project has no access to the model"), ErrorKind::Unauthorized, "may use the model"),
        (refuse(404, "model_not_found", "The model does not exist"), ErrorKind::NotFound, "does not exist"),
        (Reply::Send(http(404, "", "text/plain", "404 page not found")), ErrorKind::NotFound, "/chat/completions"),
        (refuse(400, "context_length_exceeded", "maximum context length is 512"), ErrorKind::TooLong, "512"),
    ] {
        let server = ModelServer::replying(vec![reply]);
        let (error, _) = failure(&server).await;
        assert!(error.kind == kind && error.message.contains(said) && !error.may_have_been_paid, "{error:?}");
        assert_eq!(server.completions().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_silent_server_is_left_at_the_deadline() {
    let drip = |asked: &crate::model::Asked| {
        let bytes = http(200, "", "application/json", &completion_body(asked, GOOD).to_string());
        let (head, body) = bytes.split_at(80);
        Reply::Drip(head.to_vec(), body.to_vec(), Duration::from_millis(200))
    };
    let hanging = [
        ModelServer::replying(vec![Reply::Hang(Vec::new())]),
        ModelServer::replying(vec![Reply::Hang(b"HTTP/1.1 200 OK\r\n".to_vec())]),
        ModelServer::replying(vec![Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"choices\":".to_vec())]),
        ModelServer::completing(drip),
    ];
    for server in hanging {
        let client = client_of(weirkeeper::llm::Settings { timeout: Duration::from_millis(1500), ..settings(&server) });
        let started = Instant::now();
        let error = client.call(&call()).await.unwrap_err();
        assert!(error.kind == ErrorKind::TimedOut && error.may_have_been_paid && error.message.contains("requestTimeout"), "{error:?}");
        assert!((1.4..3.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
        assert_eq!(server.completions().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_without_an_end_ends_at_the_limit() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"choices\":[".to_vec();
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    for reply in [Reply::Endless(head), Reply::Send(http(200, "", "application/json", &large))] {
        let server = ModelServer::replying(vec![reply]);
        let (error, took) = failure(&server).await;
        assert!(error.kind == ErrorKind::TooLarge && error.may_have_been_paid && took < Duration::from_secs(6), "{error:?} after {took:?}");
        assert_eq!(server.completions().len(), 1);
    }
    let server = ModelServer::replying(vec![Reply::Endless(b"HTTP/1.1 500 X\r\n\r\n".to_vec()), refuse(401, Value::Null, "no")]);
    assert_eq!(failure(&server).await.0.kind, ErrorKind::Unauthorized, "an endless error is an error");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_riddle() {
    let gone = ModelServer::start(|_| Reply::Close(Vec::new()));
    let mut unreachable = settings(&gone);
    drop(gone);
    unreachable.base_url = "http://127.0.0.1:9/v1".parse().unwrap();
    unreachable.timeout = Duration::from_secs(2);
    let error = client_of(unreachable).call(&call()).await.unwrap_err();
    assert!(error.kind == ErrorKind::NotConnected && !error.may_have_been_paid, "{error:?}");
}

#[tokio::test]
async fn the_circuit_breaker_opens_after_failures_in_succession_and_says_when_it_closes() {
    let server = ModelServer::replying(vec![refuse(500, 500, "broken")]);
    let client = client(&server);
    let mut error = client.call(&call()).await.unwrap_err();
    while client.breaker() == Breaker::Closed {
        error = client.call(&call()).await.unwrap_err();
    }
    assert_eq!(error.kind, ErrorKind::Unavailable, "what the server said last says more than the breaker");
    assert!(error.retry_after.is_some_and(|wait| wait <= Duration::from_secs(15)), "{error:?}");
    assert!(matches!(client.breaker(), Breaker::Open(_)));
    let sent = server.completions().len();
    let started = Instant::now();
    let error = client.call(&call()).await.unwrap_err();
    assert!(error.kind == ErrorKind::CircuitOpen && error.retry_after.is_some() && !error.may_have_been_paid, "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(200));
    assert_eq!((server.completions().len(), sent), (sent, 5));
}
