//! Limits of the provider, of the model, and of what may be connected to.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use weirkeeper::llm::{ErrorKind, Limits, ModelSettings, Settings, SettingsError};

use crate::model::{ModelServer, Reply, complete};
use crate::{GOOD, MODEL, call, client, client_of, settings};

fn limits(requests: Option<u32>, tokens: Option<u32>, concurrency: u32) -> Limits {
    let number = |most: Option<u32>| most.and_then(NonZeroU32::new);
    Limits { requests_per_minute: number(requests), tokens_per_minute: number(tokens), concurrency: NonZeroU32::new(concurrency).unwrap() }
}

#[tokio::test]
async fn a_call_without_a_turn_in_its_time_fails_unpaid() {
    for limits in [limits(Some(1), None, 4), limits(None, Some(1_000), 4)] {
        let server = ModelServer::completing(|asked| complete(asked, GOOD));
        let client = client_of(Settings { limits, timeout: Duration::from_millis(700), ..settings(&server) });
        client.call(&call()).await.unwrap();
        let error = client.call(&call()).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Busy | ErrorKind::TimedOut) && !error.may_have_been_paid, "{error:?}");
        assert_eq!(server.completions().len(), 1);
    }
}

#[tokio::test]
async fn a_call_that_the_limits_never_allow_says_so_at_once() {
    let server = ModelServer::completing(|asked| complete(asked, GOOD));
    let client = client_of(Settings { limits: limits(None, Some(500), 4), ..settings(&server) });
    let error = client.call(&call()).await.unwrap_err();
    assert!(error.kind == ErrorKind::OverLimit && error.message.contains("tokensPerMinute"), "{error:?}");
    assert!(server.completions().is_empty());
}

#[tokio::test]
async fn concurrent_calls_wait_for_each_other() {
    let server = ModelServer::completing(|asked| Reply::After(Duration::from_millis(300), Box::new(complete(asked, GOOD))));
    let client = client_of(Settings { limits: limits(None, None, 1), ..settings(&server) });
    let started = Instant::now();
    let (first, second, third) = (call(), call(), call());
    let all = futures::join!(client.call(&first), client.call(&second), client.call(&third));
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok());
    assert!(started.elapsed() >= Duration::from_millis(890), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_question_that_cannot_fit_is_not_sent() {
    let server = ModelServer::completing(|asked| complete(asked, GOOD));
    let model = ModelSettings { context_tokens: Some(410), ..ModelSettings::named(MODEL) };
    let client = client_of(Settings { complex: model, ..settings(&server) });
    let error = client.call(&call()).await.unwrap_err();
    assert!(error.kind == ErrorKind::TooLong && error.message.contains("410") && server.completions().is_empty(), "{error:?}");
}

#[tokio::test]
async fn a_model_with_a_shorter_answer_is_asked_for_less() {
    let server = ModelServer::completing(|asked| complete(asked, GOOD));
    let model = ModelSettings { maximum_output_tokens: Some(120), ..ModelSettings::named(MODEL) };
    client_of(Settings { complex: model, ..settings(&server) }).call(&call()).await.unwrap();
    assert_eq!(server.completions()[0].json()["max_tokens"], 120);
}

#[tokio::test]
async fn a_reservation_covers_what_a_call_takes() {
    let server = ModelServer::completing(|asked| complete(asked, if asked.output_mode() == "JSON" { GOOD } else { "Sure!" }));
    let client = client(&server);
    let twice = client.reservation(&call());
    let used = client.call(&call()).await.unwrap().usage;
    assert!(server.completions().len() == 2 && used.total() <= twice.total(), "{used:?} of {twice:?}");
    let once = client.reservation(&call());
    assert!(once.estimated && once.output == 400 && (100..600).contains(&once.input), "{once:?}");
    assert_eq!(twice, once.plus(once), "the schema may be ignored, until the model is known");
    let used = client.call(&call()).await.unwrap().usage;
    assert!(used.total() <= once.total(), "{used:?} of {once:?}");
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_not_connected_to() {
    for url in ["http://127.0.0.1:1/v1", "http://169.254.169.254/v1", "http://[fd00:ec2::254]/v1", "http://localhost:1/v1"] {
        let mut strict = Settings::new(url.parse().unwrap(), MODEL);
        strict.timeout = Duration::from_secs(3);
        let error = client_of(strict).call(&call()).await.unwrap_err();
        assert!(error.kind == ErrorKind::AddressDenied && !error.may_have_been_paid, "{url}: {error:?}");
    }
}

#[test]
fn a_url_that_is_no_base_url_is_refused_with_its_reason() {
    for (url, reason) in [
        ("ftp://models.example", "http"),
        ("https://user:x@models.example/v1", "user name"),
        ("https://models.example/v1?a=b", "query"),
        ("https://models.example/v1/chat/completions", "/chat/completions"),
    ] {
        let metrics = weirkeeper::llm::ModelMetrics::register(&prometheus::Registry::new()).unwrap();
        let error = weirkeeper::llm::ModelClient::new(Settings::new(url.parse().unwrap(), MODEL), metrics).unwrap_err();
        assert!(matches!(error, SettingsError::Url(_)) && error.to_string().contains(reason), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_check_costs_nothing_and_tells_what_is_wrong() {
    let server = ModelServer::completing(|asked| complete(asked, GOOD));
    let listed = client(&server).check().await.unwrap();
    assert!(listed.lists && listed.missing.is_empty() && server.completions().is_empty());
    let other = Settings { complex: ModelSettings::named("other"), ..settings(&server) };
    assert_eq!(client_of(other).check().await.unwrap().missing, ["other"]);
    let refusing = ModelServer::start(|asked| match asked.method.as_str() {
        "GET" => crate::model::models(&[MODEL]),
        _ => crate::model::refuse(401, "invalid_api_key", "wrong"),
    });
    assert_eq!(client(&refusing).check().await.unwrap_err().kind, ErrorKind::Unauthorized, "a public list does not prove the key");
    let without_list = ModelServer::start(|asked| match asked.method.as_str() {
        "GET" => crate::model::refuse(404, serde_json::Value::Null, "no such path"),
        _ => crate::model::refuse(400, serde_json::Value::Null, "messages is required"),
    });
    assert!(!client(&without_list).check().await.unwrap().lists);
    for page in [200, 404] {
        let site = ModelServer::start(move |_| Reply::Send(crate::model::http(page, "", "text/html", "<html>Welcome</html>")));
        let error = client(&site).check().await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::NotApi | ErrorKind::NotFound) && error.message.contains("/chat/completions"), "{error:?}");
    }
}
