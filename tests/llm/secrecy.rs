//! The key goes to one origin, in one header, and is shown nowhere.

use serde_json::json;
use weirkeeper::llm::ErrorKind;

use crate::model::{ModelServer, Reply, answer, complete, http, refuse};
use crate::{GOOD, call, client, client_of, key, settings};

#[tokio::test]
async fn the_key_is_in_one_header_and_in_nothing_else() {
    let server = ModelServer::completing(|asked| complete(asked, GOOD));
    let client = client(&server);
    client.call(&call()).await.unwrap();
    client.check().await.unwrap();
    for asked in server.asked() {
        let carries = asked.head.matches(&key()).count();
        assert_eq!((carries, asked.header("authorization")), (1, Some(format!("Bearer {}", key()).as_str())));
        assert!(!asked.body.contains(&key()) && !asked.target.contains(&key()));
    }
    assert!(!format!("{client:?}").contains(&key()));
}

#[tokio::test]
async fn without_a_key_none_is_sent() {
    let server = ModelServer::completing(|asked| complete(asked, GOOD));
    let client = client_of(weirkeeper::llm::Settings { key: None, ..settings(&server) });
    client.call(&call()).await.unwrap();
    client.check().await.unwrap();
    assert!(server.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = ModelServer::completing(|asked| complete(asked, GOOD));
    for status in [301, 302, 307, 308] {
        let location = format!("location: {}/chat/completions\r\n", other.base_url());
        let server = ModelServer::replying(vec![Reply::Send(http(status, &location, "text/html", ""))]);
        let error = client(&server).call(&call()).await.unwrap_err();
        assert!(error.kind == ErrorKind::NotApi && !error.may_have_been_paid, "{error:?}");
        assert_eq!((server.completions().len(), other.asked().len()), (1, 0));
    }
}

#[tokio::test]
async fn no_error_shows_the_key_or_the_body_of_an_answer() {
    let secret = key();
    let body = json!({ "error": { "message": format!("wrong key {secret}\nStatus: fine"), "code": 400 }, "trace": "the-body" });
    let long = format!("{secret} {}", "x".repeat(100_000));
    for reply in [
        answer(400, &body),
        answer(401, &body),
        answer(403, &body),
        answer(404, &body),
        answer(503, &json!({ "error": long })),
        Reply::Send(http(200, "", "text/html", &format!("<html>the-body {secret}</html>"))),
        Reply::Send(http(500, "", "text/html", &format!("<html>the-body {secret}</html>"))),
        refuse(429, "insufficient_quota", &format!("your key {} is out of credits", &secret[..20])),
        answer(200, &json!({ "error": { "message": secret, "code": "x" }, "note": "the-body" })),
        Reply::Send(http(200, "", &secret, "the-body")),
    ] {
        let server = ModelServer::replying(vec![reply]);
        let mut short = settings(&server);
        short.timeout = std::time::Duration::from_millis(600);
        let error = client_of(short).call(&call()).await.unwrap_err();
        for shown in [error.to_string(), format!("{error:?}"), format!("{:?}", weirkeeper::generation::call::CallFailure::from(error))] {
            assert!(!shown.contains(&secret[..16]) && !shown.contains("the-body") && shown.len() < 1_500, "{shown}");
            assert!(!shown.contains('\n'), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refused_key_is_reported_at_once() {
    let server = ModelServer::replying(vec![refuse(401, "invalid_api_key", "no")]);
    let changes = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = changes.clone();
    let client = client(&server).on_change(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    });
    client.call(&call()).await.unwrap_err();
    assert_eq!(changes.load(std::sync::atomic::Ordering::SeqCst), 1, "the Secret may hold another key");
}

#[tokio::test]
async fn the_check_shows_nothing_either() {
    let secret = key();
    let body = json!({ "error": { "message": format!("wrong key {secret}") } });
    for status in [400_u16, 401, 500] {
        let body = body.clone();
        let server = ModelServer::start(move |_| answer(status, &body));
        if let Err(error) = client(&server).check().await {
            assert!(!error.to_string().contains(&secret[..16]), "{error}");
        }
        assert!(server.asked().iter().all(|asked| !asked.body.contains(&secret)));
    }
}
