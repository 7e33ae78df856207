//! Interpretation of each kind of answer, and of each way of not answering.

use serde_json::json;

use super::super::scripted::{Reply, Scripted, html, json, raw, ready, settings, with_headers};
use super::super::{Denial, N8nError};
use super::write;

/// Result of a GET if every API call gets this reply.
async fn get(reply: impl Fn() -> Reply + Send + 'static) -> Result<Option<String>, N8nError> {
    let server = Scripted::start(move |seen| if seen.target.starts_with("/healthz") { ready() } else { reply() }).await;
    server.client().get_workflow("abc").await.map(|found| found.map(|workflow| workflow.id))
}

/// Error of a POST if every call gets this reply.
async fn create(reply: impl Fn() -> Reply + Send + 'static) -> N8nError {
    let server = Scripted::start(move |_| reply()).await;
    server.client().create_workflow(&write()).await.unwrap_err()
}

#[tokio::test]
async fn an_html_404_is_a_starting_n8n_or_an_api_that_is_not_there_and_never_a_miss() {
    let cannot = "<!DOCTYPE html><html><body><pre>Cannot GET /api/v1/workflows/abc</pre></body></html>";
    let starting =
        Scripted::start(move |seen| if seen.target.starts_with("/healthz") { html(503, "") } else { html(404, "<h1>nginx</h1>") }).await;
    assert!(matches!(starting.client().get_workflow("abc").await, Err(N8nError::NotReady { status: 404, .. })));
    for page in [cannot, "<h1>nginx</h1>"] {
        match get(move || html(404, page)).await {
            Err(error @ N8nError::NotApi { status: 404, .. }) => {
                let said = error.to_string();
                assert!(!said.contains("Cannot GET") && !error.unanswered(), "{said}");
                assert!(said.contains("GET /api/v1/workflows/abc answered HTTP 404 (text/html)"), "{said}");
                assert!(said.contains("N8N_PUBLIC_API_DISABLED and N8N_PUBLIC_API_ENDPOINT"), "{said}");
            }
            other => panic!("{page}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn if_the_health_check_is_hidden_the_api_itself_shows_whether_n8n_is_ready() {
    let hidden: [fn() -> Reply; 5] = [
        || html(404, "<pre>Cannot GET /healthz/readiness</pre>"),
        || html(404, "<h1>nginx</h1>"),
        || html(403, "forbidden"),
        || html(200, "<html>sign in</html>"),
        || with_headers(302, "location: https://login.example/\r\n"),
    ];
    for (number, health) in hidden.into_iter().enumerate() {
        let server = Scripted::start(move |seen| match seen.target.as_str() {
            "/healthz/readiness" => health(),
            "/api/v1/discover" => json(200, json!({ "data": { "scopes": [] } })),
            _ => json(404, json!({ "message": "Not Found" })),
        })
        .await;
        let n8n = server.client();
        if number == 0 {
            // A starting n8n answers the same.
            assert!(matches!(n8n.readiness().await, Err(N8nError::NotReady { .. })));
            continue;
        }
        n8n.readiness().await.unwrap();
        assert_eq!(n8n.get_workflow("gone").await.unwrap(), None, "{number}: the API confirms the 404");
        assert!(!n8n.delete_workflow("gone").await.unwrap());
        assert!(server.seen().iter().all(|seen| seen.carries_key() == seen.target.starts_with("/api/")));
    }
}

#[tokio::test]
async fn an_error_about_a_wrong_api_names_the_request_the_answer_and_the_change() {
    // (answer, what came, what to change)
    type Case = (fn() -> Reply, &'static str, &'static str);
    let cases: [Case; 7] = [
        (|| html(401, "<h1>Log in</h1>"), "HTTP 401 (text/html)", "a gateway in front of n8n requires a login"),
        (|| html(403, "denied"), "HTTP 403 (text/html)", "let requests with the header X-N8N-API-KEY pass it"),
        (|| html(200, "<html>sign in</html>"), "HTTP 200 (text/html)", "answers without a login"),
        (|| html(200, "<html><meta name=\"n8n:config:sentry\"></html>"), "HTTP 200 (text/html)", "unset N8N_PUBLIC_API_DISABLED"),
        (|| html(404, "<h1>nothing here</h1>"), "HTTP 404 (text/html)", "the API is disabled or served at another path"),
        (|| html(400, "The plain HTTP request was sent to HTTPS port"), "HTTP 400 (text/html)", "write https:// in the URL"),
        (
            || with_headers(302, "location: https://login.example/in\r\n"),
            "HTTP 302, a redirect to https://login.example",
            "without a login",
        ),
    ];
    for (reply, came, change) in cases {
        let server = Scripted::start(move |_| reply()).await;
        let mut prefixed = server.settings();
        prefixed.url = format!("http://{}/n8n", server.address).parse().unwrap();
        let error = super::super::scripted::client(prefixed).readiness().await.unwrap_err();
        let said = error.to_string();
        for part in ["GET /n8n/api/v1/discover answered", came, change] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(matches!(error, N8nError::NotApi { .. } | N8nError::RedirectRefused { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn lone_surrogates_and_endlessly_nested_documents_are_read() {
    let reply = |body: String| move || Reply::Keep(raw(200, "", "application/json", &body));
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let workflow = format!(r#"{{"id":"a\ud83d","nodes":[{{"name":"\ude00","parameters":{deep}}}],"settings":{{"timezone":"\ud83d"}}}}"#);
    assert_eq!(get(reply(workflow)).await.unwrap().as_deref(), Some("a\u{fffd}"));
    let error = create(|| Reply::Keep(raw(400, "", "application/json", r#"{"message":"Node \"\ud83d\" is wrong","nodes":[]}"#))).await;
    assert_eq!(error.to_string(), "create workflow: refused (HTTP 400): Node \"\u{fffd}\" is wrong");
}

#[tokio::test]
async fn a_json_404_is_a_miss_only_while_n8n_is_ready() {
    let miss = || json(404, json!({ "message": "Not Found" }));
    assert_eq!(get(miss).await.unwrap(), None);

    let starting =
        Scripted::start(move |seen| if seen.target == "/healthz/readiness" { json(503, json!({ "status": "error" })) } else { miss() })
            .await;
    let error = starting.client().get_workflow("abc").await.unwrap_err();
    assert!(matches!(error, N8nError::NotReady { status: 404, .. }), "{error:?}");
    let error = starting.client().delete_workflow("abc").await.unwrap_err();
    assert!(matches!(error, N8nError::NotReady { .. }) && !error.unanswered(), "{error:?}");
    assert_eq!(starting.calls()[..2], ["GET /api/v1/workflows/abc?excludePinnedData=true", "GET /healthz/readiness"]);
}

#[tokio::test]
async fn deleting_something_that_is_gone_succeeds() {
    let server = Scripted::start(|seen| match seen.target.as_str() {
        "/healthz/readiness" => ready(),
        "/api/v1/workflows/there" => json(200, json!({ "id": "there" })),
        _ => json(404, json!({ "message": "Not Found" })),
    })
    .await;
    assert!(server.client().delete_workflow("there").await.unwrap());
    assert!(!server.client().delete_workflow("gone").await.unwrap());
}

#[tokio::test]
async fn the_page_of_a_migrating_n8n_is_not_an_answer() {
    let starting = || html(200, "n8n is starting up. Please wait");
    assert!(matches!(get(starting).await, Err(N8nError::NotReady { status: 200, .. })));
    let server = Scripted::start(move |_| starting()).await;
    assert!(matches!(server.client().readiness().await, Err(N8nError::NotReady { .. })));
}

#[tokio::test]
async fn n8ns_message_is_kept_as_one_line_and_other_bodies_are_not_shown() {
    let error = create(|| json(400, json!({ "message": "Cannot publish:\n\nNode \"HTTP\"\u{7}:\n  - url" }))).await;
    assert_eq!(error.to_string(), r#"create workflow: refused (HTTP 400): Cannot publish: Node "HTTP" : - url"#);
    assert!(!error.unanswered());

    let error = create(|| html(422, "<b>internal-host-7</b>")).await;
    assert_eq!(
        error.to_string(),
        "create workflow: POST /api/v1/workflows answered HTTP 422 (text/html), which is not n8n's public API: a proxy in front of n8n may have refused the request"
    );

    let error = create(|| json(200, json!({ "wrong": "password-of-somebody" }))).await;
    assert!(!format!("{error} {error:?}").contains("password"), "{error:?}");

    let long = "x".repeat(5_000);
    let error = create(move || json(409, json!({ "message": long }))).await;
    assert!(error.to_string().chars().count() < 560);
}

#[tokio::test]
async fn refusals_of_access_are_distinguished() {
    let denial = |message: &'static str| async move {
        match create(move || json(403, json!({ "message": message, "versionId": "v2", "reason": "x" }))).await {
            N8nError::Forbidden { denial, .. } => denial,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(denial("Forbidden").await, Denial::MissingScope);
    let licence = "Your license does not allow for feat:projects. To enable feat:projects, please upgrade.";
    assert_eq!(denial(licence).await, Denial::Unlicensed);
    let saved = Denial::SavedAsDraft { version_id: Some("v2".into()) };
    assert_eq!(denial("Your change was saved as a draft. The key cannot publish.").await, saved);
    assert_eq!(denial("Something else").await, Denial::Other);
    for status in [400, 401, 403, 405, 422, 451, 499] {
        let error = create(move || html(status, "waf")).await;
        assert!(matches!(error, N8nError::NotApi { .. }), "a proxy's {status}: {error:?}");
    }
    for status in [408, 425] {
        assert!(matches!(create(move || html(status, "waf")).await, N8nError::Protocol { .. }));
        let error = create(move || json(status, json!({ "message": "Request aborted" }))).await;
        assert!(matches!(error, N8nError::Protocol { .. }), "{error:?}");
    }
    let unauthorized = create(|| json(401, json!({ "message": "Unauthorized" }))).await;
    assert!(matches!(unauthorized, N8nError::Unauthorized { .. }));
    assert!(matches!(create(|| html(413, "")).await, N8nError::TooLarge { .. }));
}

#[tokio::test]
async fn errors_say_whether_the_request_may_have_taken_effect() {
    // (answer, outcome, may have taken effect)
    type Case = (fn() -> Reply, &'static str, bool);
    let cases: [Case; 14] = [
        (|| Reply::Hang, "timeout", true),
        (|| Reply::Close(vec![]), "half_answered", true),
        (|| Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":".to_vec()), "half_answered", true),
        (|| Reply::Close(b"HTTP/1.1 200 OK\r\n\r\n{\"id\":".to_vec()), "protocol", true),
        (|| Reply::Close(b"SSH-2.0-OpenSSH_9\r\n\r\n".to_vec()), "half_answered", true),
        (|| html(200, "<html>sign in</html>"), "not_api", true),
        (|| html(500, "<pre>SyntaxError</pre>"), "server_error", true),
        (|| html(502, ""), "server_error", true),
        (|| html(503, ""), "not_ready", true),
        (|| html(504, ""), "server_error", true),
        (|| html(404, "<pre>Cannot POST /api/v1/workflows</pre>"), "not_ready", false),
        (|| json(400, json!({ "message": "no" })), "refused", false),
        (|| with_headers(429, ""), "rate_limited", false),
        (|| with_headers(302, "location: https://login.example/\r\n"), "redirect_refused", false),
    ];
    for (reply, outcome, unanswered) in cases {
        let error = create(reply).await;
        assert_eq!((error.outcome(), error.unanswered()), (outcome, unanswered), "{error:?}");
        assert!(error.to_string().starts_with("create workflow: "), "{error}");
    }
    let error = super::super::scripted::client(settings("http://127.0.0.1:9")).create_workflow(&write()).await.unwrap_err();
    assert_eq!((error.outcome(), error.unanswered()), ("connect", false), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_failed_read_never_has_an_effect() {
    let error = get(|| Reply::Hang).await.unwrap_err();
    assert!(matches!(error, N8nError::Timeout { .. }) && !error.unanswered(), "{error:?}");
}

#[tokio::test]
async fn a_read_cut_off_on_a_kept_alive_connection_is_repeated_once_and_a_write_never() {
    let script = || {
        let mut count = 0;
        move |_: &super::super::scripted::Seen| {
            count += 1;
            if count == 2 { Reply::Close(vec![]) } else { json(200, json!({ "id": "a" })) }
        }
    };
    let server = Scripted::start(script()).await;
    let n8n = server.client();
    n8n.get_workflow("a").await.unwrap();
    assert_eq!(n8n.get_workflow("a").await.unwrap().unwrap().id, "a");
    assert_eq!(server.calls().len(), 3);

    let server = Scripted::start(script()).await;
    let n8n = server.client();
    n8n.get_workflow("a").await.unwrap();
    let error = n8n.create_workflow(&write()).await.unwrap_err();
    assert!(error.unanswered(), "{error:?}");
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn requests_have_the_form_that_n8n_expects() {
    let server = Scripted::start(|_| json(200, json!({ "id": "a" }))).await;
    let mut prefixed = server.settings();
    prefixed.url = format!("http://{}/n8n/", server.address).parse().unwrap();
    let n8n = super::super::scripted::client(prefixed);
    n8n.update_workflow("a/../b c", &write(), false).await.unwrap();
    n8n.publish("a", Some("v1")).await.unwrap();
    n8n.publish("a", None).await.unwrap();
    n8n.archive("a").await.unwrap();
    assert_eq!(
        server.calls(),
        [
            "PUT /n8n/api/v1/workflows/a%2F..%2Fb%20c?publishIfActive=false",
            "POST /n8n/api/v1/workflows/a/publish",
            "POST /n8n/api/v1/workflows/a/publish",
            "POST /n8n/api/v1/workflows/a/archive",
        ]
    );
    let seen = server.seen();
    assert!(seen.iter().all(|s| s.carries_key() && s.head.contains("content-type: application/json")));
    assert_eq!(seen[0].body, r#"{"name":"x","nodes":[],"connections":{},"settings":{}}"#);
    assert_eq!((seen[1].body.as_str(), seen[2].body.as_str()), (r#"{"versionId":"v1"}"#, "{}"));
    for id in ["", ".", ".."] {
        assert!(matches!(n8n.delete_workflow(id).await, Err(N8nError::Unsendable { .. })));
    }
    assert_eq!(server.calls().len(), 4);
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_not_read_to_its_end() {
    let server = Scripted::start(|_| Reply::Keep(raw(200, "", "application/json", &"[1,".repeat(1024 * 1024)))).await;
    let n8n = server.client();
    let mut request = n8n.api(super::super::Operation::CreateTag, reqwest::Method::POST, &["tags"]).unwrap();
    request.http.limit = 1000;
    let error = n8n.send_json::<serde::de::IgnoredAny>(request).await.unwrap_err();
    assert!(matches!(error, N8nError::AnswerTooLarge { limit: 1000, .. }) && error.unanswered(), "{error:?}");
}

#[tokio::test]
async fn messages_of_an_n8n_that_is_too_old_are_not_blamed_on_the_definition() {
    let old = [
        (400, "request/body/settings must NOT have additional properties"),
        (400, "request/body must NOT have additional properties"),
        (400, "Unknown query parameter 'publishIfActive'"),
        (405, "POST method not allowed"),
    ];
    for (status, message) in old {
        let error = create(move || json(status, json!({ "message": message }))).await;
        assert!(matches!(&error, N8nError::Outdated { .. }) && !error.unanswered(), "{message}: {error:?}");
    }
    let theirs = create(|| json(400, json!({ "message": "request/body/settings Unrecognized key(s) in object: 'foo'" }))).await;
    assert!(matches!(theirs, N8nError::Refused { .. }), "{theirs:?}");
}
