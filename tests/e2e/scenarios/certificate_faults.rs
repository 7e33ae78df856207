//! Certificates that are not valid now, and renewals that the API server interrupts: seen in the readiness and a metric, and healed within a
//! minute. The clock of the machine cannot be set, so the Secret gets the certificates that such a clock would have left.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use k8s_openapi::ByteString;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use crate::harness::admission::{Admission, SECRET};
use crate::harness::applies::Stream;
use crate::harness::relay::{Relay, page};
use crate::harness::world::{Operator, PATIENCE, World, ready};

const DAY: i64 = 86_400;
const EXPIRY: &str = "weirkeeper_webhook_certificate_expiry_timestamp_seconds";
const NOT_VALID: &str = "the webhook's certificate is not valid now";

/// Waits until a condition holds.
async fn until(world: &World, wanted: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "timed out waiting until {wanted}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn metric(operator: &Operator, name: &str) -> Option<i64> {
    let metrics = operator.get("/metrics").await.1;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Returns the operator's own Secret with a certificate that is valid from and until these seconds from now, and its authority.
fn secret(world: &World, from: i64, until: i64) -> (Secret, String) {
    let at = |seconds: i64| {
        let by = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    };
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (at(from).into(), at(until).into());
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority of {from}"));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let names = vec!["127.0.0.1".to_owned(), format!("weirkeeper-webhook.{}.svc", world.namespace)];
    let mut params = CertificateParams::new(names).expect("names");
    (params.not_before, params.not_after) = (at(from).into(), at(until).into());
    let key = KeyPair::generate().expect("a key");
    let chain = format!("{}{}", params.signed_by(&key, &authority).expect("a certificate").pem(), authority.pem());
    let data = [("tls.crt", chain), ("tls.key", key.serialize_pem()), ("ca.crt", authority.pem())];
    let data: BTreeMap<String, ByteString> = data.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect();
    let labels = json!({ "app.kubernetes.io/managed-by": "weirkeeper" });
    let secret = json!({ "metadata": { "name": SECRET, "labels": labels }, "type": "kubernetes.io/tls", "data": data });
    (serde_json::from_value(secret).expect("a Secret"), authority.pem())
}

/// Replaces the Secret and the authorities of the configuration, as if the operator had made them.
async fn put(world: &World, admission: &Admission, (secret, authority): (Secret, String)) {
    admission.secrets(world).replace(SECRET, &PostParams::default(), &secret).await.expect("the Secret is replaced");
    let authority = ByteString(authority.into_bytes());
    admission.change(world, &json!({ "caBundle": authority })).await;
}

async fn hold_lease(world: &World, holder: &str) {
    let leases: Api<Lease> = Api::namespaced(world.admin.clone(), &world.namespace);
    let lease = leases.list(&ListParams::default()).await.expect("leases").items.pop().expect("the lease").metadata.name.expect("a name");
    let spec = json!({ "spec": { "holderIdentity": holder, "leaseDurationSeconds": 600 } });
    leases.patch(&lease, &PatchParams::default(), &Patch::Merge(spec)).await.expect("the lease is patched");
}

async fn webhook(name: &str, flags: &[&str]) -> (crate::standin::StandIn, World, Admission) {
    let (standin, mut world) = World::on_stand_in(name, json!({})).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    let admission = Admission::in_front(&mut world, "Fail", flags).await;
    (standin, world, admission)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_expired_or_of_a_clock_that_was_ahead_is_seen_and_replaced_within_a_minute() {
    let (_standin, mut world, admission) = webhook("not-valid", &[]).await;
    for (what, from, to) in [("expired", -3 * DAY, -DAY), ("not valid before tomorrow", DAY, 90 * DAY)] {
        world.operator.kill();
        put(&world, &admission, secret(&world, from, to)).await;
        // While somebody else leads nothing is written, so that the fault can be seen.
        hold_lease(&world, "somebody-else").await;
        world.operator.start();
        until(&world, "the fault is seen", async || world.operator.get("/readyz").await == (503, format!("{NOT_VALID}\n"))).await;
        let expiry = metric(&world.operator, EXPIRY).await.expect("the metric");
        let now = jiff::Timestamp::now().as_second();
        assert_eq!(expiry < now, to < 0, "{what}: {expiry}");
        let free = Instant::now();
        hold_lease(&world, "").await;
        admission.until_in_force(&world).await;
        let took = free.elapsed();
        println!(
            "a certificate that is {what}: /readyz said so, and the webhook answered {:.1} s after there was a leader",
            took.as_secs_f64()
        );
        assert!(took < Duration::from_secs(60), "{what}: {took:?}");
        assert!(metric(&world.operator, EXPIRY).await.is_some_and(|until| until > now + DAY && until < now + 100 * DAY));
        world.until_event(SECRET, "CertificateRenewed", "is used from now on").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_that_appears_in_the_secret_costs_no_refusal() {
    let (_standin, world, admission) = webhook("tampered", &[]).await;
    let secrets = admission.secrets(&world);
    let before = secrets.get(SECRET).await.expect("the Secret").data.expect("data")["tls.crt"].clone();
    let stream = Stream::of(&world);
    secrets.replace(SECRET, &PostParams::default(), &secret(&world, -3 * DAY, -DAY).0).await.expect("the Secret is replaced");
    let replaced = Instant::now();
    let tls = async || secrets.get(SECRET).await.expect("the Secret").data.expect("data")["tls.crt"].clone();
    until(&world, "what is served is stored again", async || tls().await == before).await;
    println!("an expired certificate in the Secret was replaced by the served one after {:.1} s", replaced.elapsed().as_secs_f64());
    assert!(replaced.elapsed() < Duration::from_secs(60));
    // Until the API server has read whatever was written.
    admission.until_in_force(&world).await;
    let (sent, refused) = stream.end().await;
    assert!(sent > 10 && refused.is_empty(), "{sent} sent, refused: {refused:?}\n{}", world.operator.tail());
    world.until_event(SECRET, "CertificateRestored", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_that_somebody_gives_is_said_and_not_served() {
    let (_standin, mut world) = World::on_stand_in("given-old", json!({})).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    let secrets: Api<Secret> = Api::namespaced(world.admin.clone(), &world.namespace);
    secrets.create(&PostParams::default(), &secret(&world, -DAY, DAY).0).await.expect("the Secret is created");
    let admission = Admission::in_front(&mut world, "Fail", &["--webhook-certificates", "secret"]).await;
    let stream = Stream::of(&world);
    secrets.replace(SECRET, &PostParams::default(), &secret(&world, -3 * DAY, -DAY).0).await.expect("the Secret is replaced");
    const ERRORS: &str = "weirkeeper_webhook_certificate_errors_total{step=\"secret\"}";
    until(&world, "it is counted", async || metric(&world.operator, ERRORS).await.is_some_and(|errors| errors >= 2)).await;
    assert!(world.operator.log().contains("its certificate is not valid now; renew it"), "{}", world.operator.tail());
    let (sent, refused) = stream.end().await;
    println!("an expired certificate that was given: {sent} creates, {} refused", refused.len());
    assert!(sent > 10 && refused.is_empty(), "{sent} sent, refused: {refused:?}\n{}", world.operator.tail());
    // A valid one is used without a restart.
    let soon = jiff::Timestamp::now().as_second() + 3 * DAY;
    secrets.replace(SECRET, &PostParams::default(), &secret(&world, -DAY, 4 * DAY).0).await.expect("the Secret is replaced");
    until(&world, "it is served", async || metric(&world.operator, EXPIRY).await.is_some_and(|expiry| expiry > soon)).await;
    admission.until_in_force(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_goes_on_after_an_outage_of_the_api_server_and_an_outage_until_the_expiry_is_healed() {
    let (_standin, mut world) = World::on_stand_in("renewal-out", json!({})).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    // The outage is the operator's alone, so that reviews go on and each moment without trust is seen.
    let (relay, kubeconfig) = Relay::to_api_server(&world.stack, "operator");
    world.operator.restart_through(&kubeconfig);
    let admission = Admission::in_front(&mut world, "Fail", &["--webhook-certificate-lifetime", "30s"]).await;
    let log = |part: &str| world.operator.log().matches(part).count();
    const STAGED: &str = "the next certificate of the webhook was made";
    const SERVED: &str = "the webhook serves a new certificate";
    let down = || relay.gate(|_| Some(page(500, "text/plain", "down")));
    const ERRORS: &str = "weirkeeper_webhook_certificate_errors_total{step=\"read\"}";
    let stream = Stream::of(&world);
    let staged = log(STAGED);
    until(&world, "a certificate is staged", async || log(STAGED) > staged).await;
    let served = log(SERVED);
    down();
    until(&world, "the outage is counted", async || metric(&world.operator, ERRORS).await.is_some_and(|errors| errors >= 5)).await;
    assert_eq!(log(SERVED), served, "nothing is promoted meanwhile");
    relay.open();
    until(&world, "the renewal is complete", async || log(SERVED) > served).await;
    let (sent, refused) = stream.end().await;
    println!("an outage in the middle of a renewal: {sent} creates, {} refused", refused.len());
    assert!(sent > 50 && refused.is_empty(), "{sent} sent, refused: {refused:?}\n{}", world.operator.tail());

    // One that lasts until the served certificate has expired.
    down();
    until(&world, "/readyz says it", async || world.operator.get("/readyz").await == (503, format!("{NOT_VALID}\n"))).await;
    assert!(metric(&world.operator, EXPIRY).await.is_some_and(|expiry| expiry <= jiff::Timestamp::now().as_second()));
    relay.open();
    let over = Instant::now();
    admission.until_in_force(&world).await;
    println!("an outage until the certificate had expired: the webhook answered {:.1} s after its end", over.elapsed().as_secs_f64());
    assert!(over.elapsed() < Duration::from_secs(60));
}
