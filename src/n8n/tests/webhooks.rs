//! Checks and probes of webhooks.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::super::scripted::{Reply, Scripted, client, html, json, raw, ready, with_headers};
use super::super::{N8nError, ProbeRequest, WebhookCheck};
use crate::domain::probe_answer::Author;

fn probe(path: &str) -> ProbeRequest {
    ProbeRequest {
        method: Method::POST,
        path: path.into(),
        headers: vec![("Authorization".into(), "Bearer secret-token".into())],
        body: Some(json!({ "a": 1 })),
        timeout: Duration::from_millis(300),
    }
}

/// n8n's answer to OPTIONS for a path with these methods.
fn names(methods: &str) -> Reply {
    with_headers(204, &format!("access-control-allow-methods: {methods}\r\n"))
}

/// n8n's answers to OPTIONS if one path is registered.
fn one_path(method: &str, path: &str) -> Reply {
    assert_eq!(method, "OPTIONS", "no workflow can have that method");
    names(if path.ends_with("/a/b") { "OPTIONS, GET, POST" } else { "OPTIONS" })
}

#[tokio::test]
async fn n8n_itself_names_the_methods_of_a_path_and_no_workflow_is_called() {
    let server = Scripted::start(|seen| one_path(seen.method.as_str(), &seen.target)).await;
    let n8n = server.client();
    let both = WebhookCheck::Registered(vec!["GET".into(), "POST".into()]);
    assert_eq!(n8n.check_webhook("webhook", "/a/b/").await.unwrap(), both);
    assert_eq!(n8n.check_webhook("mcp", "a/b").await.unwrap(), both);
    assert_eq!(n8n.check_webhook("webhook", "b").await.unwrap(), WebhookCheck::NotRegistered);
    // A path that cannot exist is requested once, to confirm that the server distinguishes paths.
    let calls = server.calls();
    assert!(calls[0].starts_with("OPTIONS /webhook/weirkeeper-"), "{calls:?}");
    assert_eq!(calls[1..], ["OPTIONS /webhook/a/b", "OPTIONS /mcp/a/b", "OPTIONS /webhook/b"]);
    assert!(server.seen().iter().all(|seen| seen.head.contains("origin: ") && !seen.carries_key()));
}

#[tokio::test]
async fn only_n8ns_own_words_prove_that_a_webhook_is_registered() {
    let check = |reply: fn() -> Reply| async move {
        let server = answers(reply).await;
        server.client().check_webhook("webhook", "/a/b/").await
    };
    for reply in [
        (|| names("GET, POST, OPTIONS, PUT, PATCH, DELETE")) as fn() -> Reply,
        // The answer of a proxy, whatever the path.
        || names("OPTIONS, GET, POST"),
        || with_headers(204, ""),
        || with_headers(200, "allow: GET,HEAD\r\n"),
        || json(200, json!({ "message": "Workflow was started" })),
        || json(404, json!({ "message": "Not Found" })),
        || html(404, "<h1>404 nginx</h1>"),
        || html(405, ""),
        || with_headers(302, "location: https://login.example/\r\n"),
        || json(403, json!({ "message": "Authorization data is wrong!" })),
    ] {
        let found = check(reply).await;
        assert!(matches!(&found, Ok(WebhookCheck::Unknown(why)) if why.contains("spec.webhookCheckURL")), "{found:?}");
    }
    let starting = || async { Scripted::start(|_| html(404, "<pre>Cannot OPTIONS /webhook/a/b</pre>")).await };
    assert!(matches!(starting().await.client().check_webhook("webhook", "a/b").await, Err(N8nError::NotReady { .. })));
    // Before its routes are registered, n8n answers as for any other path.
    let early = Scripted::start(|seen| {
        if seen.method.as_str() == "OPTIONS" { names("GET, POST, OPTIONS") } else { json(503, json!({ "status": "error" })) }
    });
    assert!(matches!(early.await.client().check_webhook("webhook", "a/b").await, Err(N8nError::NotReady { .. })));
    assert!(matches!(
        check(|| json(503, json!({ "code": 503, "message": "Database is not ready!" }))).await,
        Err(N8nError::NotReady { .. })
    ));
    assert!(matches!(check(|| html(502, "")).await, Err(N8nError::Server { .. })));
    assert!(matches!(check(|| html(503, "")).await, Err(N8nError::NotReady { .. })));
    assert!(matches!(check(|| Reply::Hang).await, Err(N8nError::Timeout { .. })));
}

#[tokio::test]
async fn a_route_without_a_version_behind_it_is_found_without_running_anything() {
    let check = |reply: fn() -> Reply| async move {
        let server = Scripted::start(move |_| reply()).await;
        let result = server.client().check_version_behind("/a/b/", Method::GET).await.unwrap();
        assert_eq!(server.calls(), ["GET /mcp/a/b"]);
        result
    };
    let lost = || json(404, json!({ "code": 404, "message": "Published version not found for workflow with id \"x\"" }));
    assert_eq!(check(lost).await, WebhookCheck::NoVersion);
    let served = || json(404, json!({ "message": "This webhook is not registered for GET requests. Did you mean to make a GET request?" }));
    assert_eq!(check(served).await, WebhookCheck::Registered(vec![]));
    assert!(matches!(check(|| html(200, "<html>")).await, WebhookCheck::Unknown(_)));
}

#[tokio::test]
async fn a_refused_deletion_reveals_a_publication_service() {
    let after = |message: &'static str| async move {
        let server = Scripted::start(move |_| json(409, json!({ "message": message }))).await;
        let client = server.client();
        assert!(matches!(client.delete_workflow("a").await, Err(N8nError::Refused { status: 409, .. })));
        client.publishes_later()
    };
    assert!(after("Cannot delete a published workflow. Unpublish it before deleting.").await);
    assert!(after("Workflow is still being unpublished. Please try again in a few moments.").await);
    assert!(!after("Conflict").await);
}

#[tokio::test]
async fn a_form_is_recognised_by_its_page() {
    let check = |reply: fn() -> Reply| async move {
        let server = Scripted::start(move |_| reply()).await;
        let result = server.client().check_form("f").await;
        assert_eq!(server.calls()[0], "GET /form/f");
        result
    };
    let registered = WebhookCheck::Registered(vec![]);
    assert_eq!(check(|| html(200, "<html>form</html>")).await.unwrap(), registered);
    let basic = || Reply::Keep(raw(401, "www-authenticate: Basic realm=\"Enter credentials\"\r\n", "text/html", ""));
    assert_eq!(check(basic).await.unwrap(), registered);
    let absent = || html(404, "<title>Problem loading form</title>");
    assert_eq!(check(absent).await.unwrap(), WebhookCheck::NotRegistered);
    assert!(matches!(check(|| html(404, "<h1>nginx</h1>")).await, Ok(WebhookCheck::Unknown(_))));
    assert!(matches!(check(|| json(200, json!({}))).await, Ok(WebhookCheck::Unknown(_))));
    assert!(matches!(check(|| html(404, "<pre>Cannot GET /form/f</pre>")).await, Err(N8nError::NotReady { .. })));
    let migrating = check(|| html(200, "n8n is starting up. Please wait")).await;
    assert!(matches!(migrating, Err(N8nError::NotReady { .. })));
}

#[tokio::test]
async fn webhooks_are_called_at_their_own_url_and_never_get_the_key() {
    let api = Scripted::start(|_| html(500, "")).await;
    let hooks = Scripted::start(|seen| match seen.method.as_str() {
        "OPTIONS" => one_path(seen.method.as_str(), &seen.target),
        _ => json(200, json!({})),
    })
    .await;
    let mut settings = api.settings();
    settings.webhook_check_url = Some(format!("http://{}/hooks", hooks.address).parse().unwrap());
    let n8n = client(settings);
    n8n.check_webhook("webhook", "a").await.unwrap();
    n8n.check_form("f").await.unwrap();
    n8n.probe(probe("users/7?x#%20/ü b")).await.unwrap();
    assert!(api.seen().is_empty());
    assert_eq!(hooks.calls()[1..], ["OPTIONS /hooks/webhook/a", "GET /hooks/form/f", "POST /hooks/webhook/users/7%3Fx%23%2520/%C3%BC%20b"]);
    assert!(hooks.seen().iter().all(|seen| !seen.carries_key() && !seen.head.contains("x-n8n-api-key")));
    let sent = &hooks.seen()[3];
    assert!(sent.head.contains("authorization: bearer secret-token"));
    assert_eq!(sent.body, r#"{"a":1}"#);
}

#[tokio::test]
async fn a_probe_returns_the_workflows_answer_and_pauses_no_other_call() {
    let answer = |reply: fn() -> Reply| async move {
        let server = Scripted::start(move |_| reply()).await;
        let n8n = server.client();
        let answer = n8n.probe(probe("a")).await.map(|answer| (answer.status, answer.json));
        // The next call is sent although the workflow answered 429.
        n8n.probe(probe("a")).await.ok();
        assert_eq!(server.calls().len(), 2);
        answer
    };
    assert_eq!(answer(|| json(200, json!({ "ok": true }))).await.unwrap(), (200, Some(json!({ "ok": true }))));
    assert_eq!(answer(|| html(500, "<b>x</b>")).await.unwrap(), (500, None));
    assert_eq!(answer(|| with_headers(429, "retry-after: 100\r\n")).await.unwrap(), (429, None));
    let redirect = || with_headers(302, "location: http://169.254.169.254/\r\n");
    assert_eq!(answer(redirect).await.unwrap(), (302, None));
    let large = || Reply::Keep(raw(200, "", "application/json", &format!("[{}1]", "1,".repeat(1024 * 1024))));
    assert_eq!(answer(large).await.unwrap(), (200, None));
    let error = answer(|| Reply::Hang).await.unwrap_err();
    assert!(matches!(error, N8nError::Timeout { .. }) && error.unanswered());
    assert!(matches!(answer(|| html(200, "n8n is starting up. Please wait")).await, Err(N8nError::NotReady { .. })));
}

/// A ready n8n that answers webhook calls with this reply.
async fn answers(reply: impl Fn() -> Reply + Send + 'static) -> Scripted {
    Scripted::start(move |seen| if seen.target == "/healthz/readiness" { ready() } else { reply() }).await
}

const EDITOR: &str = "<!DOCTYPE html><html><head><meta name=\"n8n:config:rest-endpoint\" content=\"cmVzdA==\"></head></html>";

#[tokio::test]
async fn the_workflows_own_answer_is_distinguished_from_others() {
    let author = |reply: fn() -> Reply| async move { answers(reply).await.client().probe(probe("a")).await.unwrap().author };
    const MARK: &str = "content-security-policy: sandbox allow-downloads\r\n";
    assert_eq!(author(|| Reply::Keep(raw(503, MARK, "application/json", "{}"))).await, Author::Workflow);
    assert_eq!(author(|| Reply::Keep(raw(302, MARK, "text/html", "<html>"))).await, Author::Workflow);
    for reply in [
        (|| json(500, json!({ "message": "Error in workflow" }))) as fn() -> Reply,
        || json(200, json!({ "ok": true })),
        || html(403, "Authorization data is wrong!"),
        || Reply::Keep(raw(403, "www-authenticate: Basic realm=\"Webhook\"\r\n", "text/plain", "jwt expired")),
        || {
            json(
                404,
                json!({ "code": 404, "message": "This webhook is not registered for POST requests. Did you mean to make a GET request?" }),
            )
        },
    ] {
        assert_eq!(author(reply).await, Author::Workflow);
    }
    for reply in [
        (|| html(502, "<html><head><title>502 Bad Gateway</title></head></html>")) as fn() -> Reply,
        || with_headers(503, "retry-after: 10\r\n"),
        || with_headers(429, "retry-after: 10\r\n"),
        || json(500, json!({ "code": 0, "message": "SQLITE_BUSY: database is locked" })),
        || with_headers(302, "location: https://login.example/\r\n"),
        || html(403, "<!doctype html><title>Forbidden</title>"),
        || Reply::Keep(raw(403, "", "text/plain", "RBAC: access denied")),
        || Reply::Keep(raw(401, "www-authenticate: Bearer realm=\"gate\"\r\n", "application/json", "{\"message\":\"Unauthorized\"}")),
        || Reply::Keep(raw(404, "", "text/plain", "default backend - 404")),
        || json(404, json!({ "message": "no Route matched with those values" })),
        || html(200, "<html>sign in</html>"),
    ] {
        assert!(matches!(author(reply).await, Author::Unclear(_)));
    }
    for reply in [
        (|| json(500, json!({ "code": 0, "message": "There was a problem executing the workflow" }))) as fn() -> Reply,
        || json(404, json!({ "code": 404, "message": "The requested webhook \"POST a\" is not registered." })),
        || json(404, json!({ "code": 404, "message": "Published version not found for workflow with id \"1\"" })),
    ] {
        assert!(matches!(author(reply).await, Author::Other(_)));
    }
    let server = answers(|| json(503, json!({ "code": 503, "message": "Database is not ready!" }))).await;
    assert!(matches!(server.client().probe(probe("a")).await, Err(N8nError::NotReady { .. })));
}

#[tokio::test]
async fn an_n8n_that_sends_its_editor_for_webhooks_needs_the_address_of_its_webhook_processor() {
    for reply in [(|| html(404, "<pre>Cannot PATCH /webhook/a</pre>")) as fn() -> Reply, || html(200, EDITOR)] {
        let n8n = answers(reply).await.client();
        let checks = [n8n.check_webhook("webhook", "a").await, n8n.check_form("a").await];
        for check in checks {
            assert!(matches!(&check, Ok(WebhookCheck::Unknown(why)) if why.contains("spec.webhookCheckURL")), "{check:?}");
        }
        let author = n8n.probe(probe("a")).await.unwrap().author;
        assert!(matches!(&author, Author::Other(why) if why.contains("spec.webhookCheckURL")), "{author:?}");
    }
}

#[tokio::test]
async fn a_probe_cannot_leave_the_webhook_paths_or_set_connection_headers() {
    let server = Scripted::start(|_| json(200, json!({}))).await;
    let n8n = server.client();
    for path in [
        "../api/v1/workflows",
        "a/../../rest/settings",
        "",
        "/",
        "./a",
        // The URL parser drops these characters, and resolves what is left.
        ".\t./api/v1/workflows",
        ".\n./.\r./api",
        "a/.\t",
        "\ta",
        "a\nb",
    ] {
        assert!(matches!(n8n.probe(probe(path)).await, Err(N8nError::Unsendable { .. })), "{path:?}");
    }
    for name in ["Host", "connection", "Content-Length", "X-N8N-API-KEY", "bad name", "Transfer-Encoding"] {
        let mut request = probe("a");
        request.headers = vec![(name.into(), "1".into())];
        assert!(matches!(n8n.probe(request).await, Err(N8nError::Unsendable { .. })), "{name}");
    }
    assert!(server.seen().is_empty());
    for (path, sent) in [
        ("a%2e%2e/@host\\..\\b#c", "a%252e%252e/@host%5C..%5Cb%23c"),
        ("%2e%2e/a", "%252e%252e/a"),
        ("\\..\\a", "%5C..%5Ca"),
        ("//host/a", "host/a"),
        ("a//b", "a//b"),
        ("．．/a", "%EF%BC%8E%EF%BC%8E/a"),
        ("\u{1}a", "%01a"),
        ("?a#b", "%3Fa%23b"),
    ] {
        n8n.probe(probe(path)).await.unwrap();
        assert_eq!(server.calls().pop().unwrap(), format!("POST /webhook/{sent}"));
    }
}

#[tokio::test]
async fn a_check_cannot_leave_the_webhook_paths() {
    let hooks = Scripted::start(|seen| one_path(&seen.method, &seen.target)).await;
    let mut settings = hooks.settings();
    settings.webhook_check_url = Some(format!("http://{}/hooks", hooks.address).parse().unwrap());
    let n8n = client(settings);
    for path in [".\t./x", "..\t/x", ".\t.\n/..", "../x", "\u{9}", "a/\r", "."] {
        assert!(matches!(n8n.check_webhook("webhook", path).await, Err(N8nError::Unsendable { .. })), "{path:?}");
        assert!(matches!(n8n.check_form(path).await, Err(N8nError::Unsendable { .. })), "{path:?}");
        assert!(matches!(n8n.check_version_behind(path, Method::GET).await, Err(N8nError::Unsendable { .. })), "{path:?}");
    }
    for path in ["\\..\\..\\x", "%2e%2e/x", "//host/x", "@host/x", "．．/x", "a//b"] {
        n8n.check_webhook("webhook", path).await.unwrap();
    }
    let strays: Vec<String> = hooks.calls().into_iter().filter(|call| !call.starts_with("OPTIONS /hooks/webhook/")).collect();
    assert_eq!(strays, Vec::<String>::new());
}

#[test]
fn a_probe_does_not_show_its_secrets() {
    let mut request = probe("a?token=secret-token");
    request.body = Some(json!({ "k": "secret-token" }));
    assert!(!format!("{request:?}").contains("secret-token"), "{request:?}");
}

#[test]
fn an_empty_path_leads_to_the_base_url() {
    for base in ["https://n8n.test/", "https://n8n.test/below", "https://n8n.test/below/"] {
        let base = url::Url::parse(base).unwrap();
        let own = crate::http::below(&base, &[]).unwrap();
        assert_eq!((own.origin(), own.path().trim_end_matches('/')), (base.origin(), base.path().trim_end_matches('/')));
    }
}
