//! Destinations of requests, and what they may carry there.

use super::super::scripted::{Scripted, client, json, settings, with_headers};
use super::super::{N8nClient, N8nError, N8nMetrics, SettingsError};
use super::write;
use crate::http::ClientError;

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_does_not_travel() {
    let other = Scripted::start(|_| json(200, serde_json::json!({ "id": "stolen" }))).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: http://user:pw@{}/collect?x=1\r\n", other.address);
        let server = Scripted::start(move |_| with_headers(status, &location)).await;
        let n8n = server.client();
        for error in [n8n.get_workflow("a").await.unwrap_err(), n8n.create_workflow(&write()).await.unwrap_err()] {
            assert!(matches!(error, N8nError::RedirectRefused { .. }), "{error:?}");
            let said = error.to_string();
            assert!(said.contains(&format!("a redirect to http://{},", other.address)) && !said.contains("collect"), "{said}");
        }
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn loopback_is_refused_unless_allowed_by_name_and_by_address() {
    let server = Scripted::start(|_| json(200, serde_json::json!({ "id": "a" }))).await;
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f.1"] {
        let mut settings = settings(&format!("http://{host}:{port}"));
        settings.allow_loopback = false;
        let error = client(settings).create_workflow(&write()).await.unwrap_err();
        assert!(matches!(error, N8nError::AddressDenied { .. }) && !error.unanswered(), "{host}: {error:?}");
        assert_eq!(error.outcome(), "address_denied");
        // 0.0.0.0 is not a loopback address and is never allowed.
        assert_eq!(error.to_string().contains("runs with --allow-loopback"), host != "0.0.0.0", "{host}: {error}");
    }
    assert!(server.seen().is_empty());
    client(settings(&format!("http://localhost:{port}"))).get_workflow("a").await.unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn metadata_services_are_refused_even_where_loopback_is_allowed() {
    for url in ["http://169.254.169.254/latest", "http://[fd00:ec2::254]", "http://[::ffff:a9fe:a9fe]"] {
        let error = client(settings(url)).get_workflow("a").await.unwrap_err();
        assert!(matches!(error, N8nError::AddressDenied { .. }), "{url}: {error:?}");
    }
}

#[test]
fn only_a_plain_base_url_is_accepted() {
    let refused = |url: &str| {
        let metrics = N8nMetrics::register(&prometheus::Registry::new()).unwrap();
        N8nClient::new(settings(url), metrics).unwrap_err()
    };
    for url in [
        "http://n8n/api/v1",
        "https://n8n/prefix/api/v1/",
        "ftp://n8n",
        "http://u:p@n8n",
        "http://n8n?x=1",
        "http://n8n#x",
        "file:///etc/passwd",
        "data:x",
    ] {
        assert!(matches!(refused(url), SettingsError::Url("url", _)), "{url}");
    }
}

#[test]
fn a_ca_bundle_must_hold_a_certificate() {
    let metrics = N8nMetrics::register(&prometheus::Registry::new()).unwrap();
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let mut settings = settings("https://n8n.example");
        settings.ca_bundle = Some(pem.into());
        let made = N8nClient::new(settings, metrics.clone());
        assert!(matches!(made, Err(SettingsError::Http(ClientError::CaBundle(_) | ClientError::Client(_)))), "{pem:?}: {made:?}");
    }
}

#[test]
fn settings_and_client_do_not_show_the_key() {
    let shown = format!("{:?}", client(settings("http://n8n")));
    assert!(!shown.contains(super::super::scripted::KEY), "{shown}");
}

#[tokio::test]
async fn a_key_that_n8n_echoes_appears_in_no_message() {
    let key = super::super::scripted::KEY;
    let server = Scripted::start(move |seen| match seen.method.as_str() {
        "POST" => json(400, serde_json::json!({ "message": format!("bad key\u{200b} {key}, it begins {}", &key[..12]) })),
        "PUT" => with_headers(302, &format!("location: http://{key}.example/\r\n")),
        _ if seen.target.contains("executions") => {
            json(200, serde_json::json!({ "status": "error", "data": { "resultData": { "error": { "message": format!("sent {key}"), "node": key } } } }))
        }
        _ => super::super::scripted::html(403, key),
    })
    .await;
    let n8n = server.client();
    let failure = n8n.execution_failure("1").await.unwrap().unwrap();
    assert_eq!((failure.message.as_str(), failure.node.as_deref()), ("sent [API key]", Some("[API key]")));
    let created = n8n.create_workflow(&write()).await.unwrap_err();
    assert_eq!(created.to_string(), "create workflow: refused (HTTP 400): bad key [API key], it begins [API key]");
    for error in [created, n8n.get_workflow("a").await.unwrap_err(), n8n.update_workflow("a", &write(), false).await.unwrap_err()] {
        assert!(!format!("{error} {error:?}").contains(&key[..12]), "{error:?}");
    }
}
