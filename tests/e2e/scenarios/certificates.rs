//! Certificates of the admission webhook on the real API server, with `failurePolicy: Fail`: each moment in which the API server does not trust
//! the certificate would refuse an apply.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::harness::admission::{Admission, SECRET, free_port, until_ready};
use crate::harness::applies::Stream;
use crate::harness::n8n::answering;
use crate::harness::world::{PATIENCE, World, ready};

async fn world(name: &str, flags: &[&str]) -> (crate::standin::StandIn, World, Admission) {
    let (standin, mut world) = World::on_stand_in(name, json!({})).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    let admission = Admission::in_front(&mut world, "Fail", flags).await;
    (standin, world, admission)
}

async fn bundle(world: &World, admission: &Admission) -> Vec<Vec<u8>> {
    let found: ValidatingWebhookConfiguration = admission.configurations(world).get(&admission.name).await.expect("the configuration");
    found.webhooks.unwrap_or_default().into_iter().map(|webhook| webhook.client_config.ca_bundle.unwrap_or_default().0).collect()
}

fn authorities(pem: &[u8]) -> usize {
    String::from_utf8_lossy(pem).matches("BEGIN CERTIFICATE").count()
}

/// Waits until a condition holds.
async fn until(world: &World, wanted: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "timed out waiting until {wanted}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_on_all_replicas_during_a_stream_of_applies_and_none_is_refused() {
    let lifetime = ["--webhook-certificate-lifetime", "30s"];
    let (_standin, world, admission) = world("rotation", &lifetime).await;
    let port = free_port();
    let flags = admission.flags(port);
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(lifetime).collect();
    let standby = world.another_operator("standby", &flags);
    until_ready(&standby).await;
    let served = |log: String| log.matches("the webhook serves a new certificate").count();
    let stream = Stream::of(&world);
    // The API server is directed to the standby in between: it must have the same certificates.
    until(&world, "one certificate was renewed", async || served(world.operator.log()) >= 2).await;
    assert_eq!(authorities(&bundle(&world, &admission).await[0]), 2, "the authority before is still trusted");
    admission.direct_to(&world, port).await;
    until(&world, "two certificates were renewed", async || served(standby.log()) >= 3).await;
    let (sent, refused) = stream.end().await;
    println!("rotation: {sent} creates during {} renewals, {} refused", served(world.operator.log()) - 1, refused.len());
    assert!(sent > 100 && refused.is_empty(), "{sent} sent, refused: {refused:?}\n{}", world.operator.tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_and_an_overwritten_bundle_are_healed_within_a_minute() {
    let (_standin, world, admission) = world("healed", &[]).await;
    let secrets = admission.secrets(&world);
    let before = secrets.get(SECRET).await.expect("the Secret");
    let stream = Stream::of(&world);
    let started = Instant::now();
    secrets.delete(SECRET, &DeleteParams::default()).await.expect("the Secret is deleted");
    until(&world, "the Secret is back", async || secrets.get_opt(SECRET).await.is_ok_and(|found| found.is_some())).await;
    println!("a deleted Secret was back after {:.1} s", started.elapsed().as_secs_f64());
    assert!(started.elapsed() < Duration::from_secs(60));
    let back = secrets.get(SECRET).await.expect("the Secret").data.expect("data");
    assert_eq!(back["tls.crt"], before.data.expect("data")["tls.crt"], "what was served is served on");
    assert!(back.contains_key("next.crt"), "and renewed");
    let (sent, refused) = stream.end().await;
    assert!(sent > 10 && refused.is_empty(), "{sent} sent, refused: {refused:?}");

    // A half-written Secret keeps what is served.
    let half = json!({ "data": { "tls.crt": "", "next.crt": "bm9uZQ==" } });
    let started = Instant::now();
    secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(half)).await.expect("the Secret is patched");
    until(&world, "the Secret is whole", async || {
        secrets.get(SECRET).await.is_ok_and(|found| !found.data.expect("data")["tls.crt"].0.is_empty())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(60));

    // A Helm upgrade applies the configuration without the authorities that the operator wrote.
    let started = Instant::now();
    admission.change(&world, &json!({ "caBundle": null })).await;
    until(&world, "the bundle is back", async || bundle(&world, &admission).await.iter().all(|pem| authorities(pem) > 0)).await;
    println!("an overwritten caBundle was back after {:.1} s", started.elapsed().as_secs_f64());
    assert!(started.elapsed() < Duration::from_secs(60));
    admission.until_in_force(&world).await;
    let metrics = world.operator.get("/metrics").await.1;
    let expires = metrics.lines().find_map(|line| line.strip_prefix("weirkeeper_webhook_certificate_expiry_timestamp_seconds "));
    let expires: i64 = expires.and_then(|text| text.parse().ok()).expect("the metric");
    assert!(expires > jiff::Timestamp::now().as_second() + 86_400, "{expires}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_somebody_else_is_left_alone_and_said() {
    let (_standin, world, admission) = world("theirs", &[]).await;
    let secrets = admission.secrets(&world);
    let theirs = json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "somebody" } } });
    secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(theirs)).await.expect("the Secret is patched");
    let counted = "weirkeeper_webhook_certificate_errors_total{step=\"secret\"}";
    until(&world, "it is counted", async || world.operator.get("/metrics").await.1.contains(counted)).await;
    assert!(world.operator.log().contains("was not made by the operator, so it is not overwritten"), "{}", world.operator.tail());
    admission.until_in_force(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_secret_of_somebody_else_says_which_and_what_to_do() {
    let (_standin, mut world) = World::on_stand_in("theirs-first", json!({})).await;
    let secrets: Api<Secret> = Api::namespaced(world.admin.clone(), &world.namespace);
    let theirs = json!({ "metadata": { "name": SECRET }, "stringData": { "token": "theirs" } });
    let theirs: Secret = serde_json::from_value(theirs).expect("a Secret");
    let theirs = secrets.create(&PostParams::default(), &theirs).await.expect("it is created");
    let admission = Admission::started(&mut world, "Ignore", &[]).await;
    let said = async || world.operator.get("/readyz").await;
    let wanted = format!("Secret {}/{SECRET} was not made by the operator, so it is not overwritten", world.namespace);
    until(&world, "/readyz says which Secret", async || said().await.1.contains(&wanted)).await;
    let (status, text) = said().await;
    println!("/readyz: {status} {text}");
    assert_eq!(status, 503);
    for what in ["the webhook has no certificate yet", "delete it", "--webhook-secret", "--webhook-certificates secret"] {
        assert!(text.contains(what), "{text}");
    }
    let kept = secrets.get(SECRET).await.expect("the Secret");
    assert_eq!(kept.metadata.resource_version, theirs.metadata.resource_version, "it is not touched");
    // The controllers need no webhook.
    let definition = answering(&format!("{}/a", world.namespace), "1");
    world.workflow("a", json!({ "definition": definition, "active": true })).await;
    world.until_ready("a").await;
    secrets.delete(SECRET, &DeleteParams::default()).await.expect("it is deleted");
    admission.until_in_force(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_certificate_is_served_and_replaced_without_a_restart() {
    let (_standin, mut world) = World::on_stand_in("given", json!({})).await;
    let give = |number: u32| {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("ca {number}"));
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let names = vec!["127.0.0.1".to_owned(), format!("weirkeeper-webhook.{}.svc", world.namespace)];
        let leaf = CertificateParams::new(names).expect("names").signed_by(&key, &authority).expect("a certificate");
        [("tls.crt", leaf.pem()), ("tls.key", key.serialize_pem()), ("ca.crt", authority.pem())]
    };
    let secret = |parts: [(&str, String); 3]| -> Secret {
        let data: BTreeMap<String, ByteString> =
            parts.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect();
        serde_json::from_value(json!({ "metadata": { "name": SECRET }, "data": serde_json::to_value(data).expect("JSON") }))
            .expect("a Secret")
    };
    let secrets: Api<Secret> = Api::namespaced(world.admin.clone(), &world.namespace);
    let (first, second) = (give(1), give(2));
    secrets.create(&PostParams::default(), &secret(first.clone())).await.expect("it is created");
    let admission = Admission::in_front(&mut world, "Fail", &["--webhook-certificates", "secret"]).await;
    assert!(bundle(&world, &admission).await.iter().all(|pem| *pem == first[2].1.as_bytes()), "ca.crt is copied");
    secrets.replace(SECRET, &PostParams::default(), &secret(second.clone())).await.expect("it is replaced");
    until(&world, "the new ca.crt is copied", async || bundle(&world, &admission).await.iter().all(|pem| *pem == second[2].1.as_bytes()))
        .await;
    admission.until_in_force(&world).await;
    let written: Value = serde_json::to_value(secrets.get(SECRET).await.expect("the Secret")).expect("JSON");
    assert!(written["data"].get("next.crt").is_none(), "the operator never writes to it");
}
