//! Keys, scopes, tags, credentials, and n8n's responses before a handler is reached.

use serde_json::{Value, json};

use super::caller::Caller;
use crate::standin::Options;

#[tokio::test]
async fn keys_are_refused_as_n8n_refuses_them() {
    let n8n = Caller::plain();
    let expired = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60);
    let expired = n8n.standin.add_key(None, Some(expired));
    let limited = n8n.standin.add_key(Some(vec!["workflow:list".to_owned()]), None);
    let revoked = n8n.standin.add_key(None, None);
    n8n.standin.revoke_key(&revoked);
    let mut n8n = n8n;
    for (key, status, message) in [
        ("wrong".to_owned(), 401, "Unauthorized"),
        (expired, 401, "Unauthorized"),
        (revoked, 401, "Unauthorized"),
        (limited, 403, "Forbidden"),
    ] {
        n8n = n8n.with_key(key);
        let got = n8n.api("GET", "/tags", None).await;
        assert_eq!((got.status, got.message()), (status, message));
    }
    assert_eq!(n8n.api("GET", "/workflows", None).await.status, 200);
    let got = n8n.api("GET", "/discover", None).await;
    assert_eq!(got.body["data"]["scopes"], json!(["workflow:list"]));
    let endpoints = &got.body["data"]["resources"]["workflow"]["endpoints"];
    assert_eq!(endpoints.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_key_is_a_jwt_with_its_expiry() {
    use base64::Engine;
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let n8n = Caller::new(Options { key_expires: Some(expires), ..Options::default() });
    let claims = n8n.standin.api_key().split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["exp"], json!(expires.as_second()));
    assert_eq!(n8n.api("GET", "/workflows", None).await.status, 200);
}

#[tokio::test]
async fn calls_that_do_not_exist_are_refused_before_the_key_is_checked() {
    let n8n = Caller::plain().with_key("none".to_owned());
    let got = n8n.api("PATCH", "/workflows/x", None).await;
    assert_eq!((got.status, got.message()), (405, "PATCH method not allowed"));
    let got = n8n.api("POST", "/executions", None).await;
    assert_eq!(got.status, 405);
    let got = n8n.api("GET", "/nothing", None).await;
    assert_eq!((got.status, got.message()), (404, "not found"));
}

#[tokio::test]
async fn bodies_that_cannot_be_parsed_get_a_page_instead_of_json() {
    let n8n = Caller::plain();
    let client = super::caller::client();
    let url = format!("{}/api/v1/workflows", n8n.standin.url());
    for (kind, body, status) in [
        ("application/json", "{".to_owned(), 500),
        ("application/json", format!("\"{}\"", "x".repeat(17 << 20)), 413),
        ("text/plain", "{}".to_owned(), 415),
    ] {
        let request = client.post(&url).header("X-N8N-API-KEY", n8n.standin.api_key());
        let response = request.header("content-type", kind).body(body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        let html = response.text().await.unwrap().contains("<html");
        assert_eq!(html, status != 415);
    }
}

#[tokio::test]
async fn every_failure_to_create_a_tag_is_reported_as_a_conflict() {
    let n8n = Caller::plain();
    let made = n8n.api("POST", "/tags", Some(&json!({ "name": "a" }))).await;
    assert_eq!(made.status, 201);
    let long = "x".repeat(25);
    for name in ["a", "", long.as_str()] {
        let got = n8n.api("POST", "/tags", Some(&json!({ "name": name }))).await;
        assert_eq!((got.status, got.message()), (409, "Tag already exists"));
    }
    let path = format!("/tags/{}", made.body["id"].as_str().unwrap());
    let got = n8n.api("PUT", &path, Some(&json!({ "name": "b" }))).await;
    assert_eq!(got.body["name"], json!("b"));
    assert_eq!(n8n.api("DELETE", &path, None).await.status, 200);
    assert_eq!(n8n.api("GET", &path, None).await.status, 404);
}

#[tokio::test]
async fn credentials_are_created_listed_and_patched_without_their_secrets() {
    let n8n = Caller::plain();
    let sent = |name: &str, kind: &str, data: Value| json!({ "name": name, "type": kind, "data": data });
    let made = n8n.api("POST", "/credentials", Some(&sent("x", "slackApi", json!({ "accessToken": "s3cret" })))).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert!(!made.body.to_string().contains("s3cret"));
    for (body, message) in [
        (sent("x", "doesNotExist", json!({})), "req.body.type is not a known type"),
        (sent("x", "slackApi", json!({})), "request.body.data requires property \"accessToken\""),
    ] {
        let got = n8n.api("POST", "/credentials", Some(&body)).await;
        assert_eq!((got.status, got.message()), (400, message));
    }
    let path = format!("/credentials/{}", made.body["id"].as_str().unwrap());
    assert_eq!(n8n.api("PUT", &path, Some(&json!({}))).await.status, 405);
    let patch = json!({ "data": { "accessToken": "t" } });
    let got = n8n.api("PATCH", &path, Some(&patch)).await;
    assert_eq!(got.message(), "Credential name must be 3 to 128 characters long.");
    let list = n8n.api("GET", "/credentials", None).await;
    assert_eq!(list.body["data"][0]["type"], json!("slackApi"));
    let got = n8n.api("GET", "/projects", None).await;
    assert!(got.status == 403 && got.message().starts_with("Your license does not allow for feat:"));
}
