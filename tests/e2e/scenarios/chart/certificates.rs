//! The webhook of a release with a certificate that is given, and with one of the real cert-manager.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use super::bad_input::install;
use super::helm::{apply, chart, get, helm, kubectl, program, run};
use super::lifecycle::values;
use super::pod::Replica;
use crate::harness::stack::Stack;
use crate::harness::world::PATIENCE;

const NAMESPACE: &str = "weirkeeper-system";
const NAME: &str = "weirkeeper-webhook";

/// Returns a Secret with a certificate for loopback, of a new authority that is named in it.
fn given(name: &str) -> Value {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let (params, key) = (CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("names"), KeyPair::generate().expect("a key"));
    let certificate = params.signed_by(&key, &authority).expect("a certificate").pem();
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": "kubernetes.io/tls",
        "stringData": { "tls.crt": certificate, "tls.key": key.serialize_pem(), "ca.crt": authority.pem() } })
}

/// Returns the certificate authorities of the configuration in PEM format.
fn trusted(stack: &Stack) -> String {
    let found = get(stack, &["validatingwebhookconfiguration", "weirkeeper"]);
    let bundle = found["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default().to_owned();
    String::from_utf8(BASE64_STANDARD.decode(bundle).expect("base64")).expect("PEM")
}

/// Returns an entry of a Secret as text; empty if there is none.
fn entry(stack: &Stack, secret: &str, key: &str) -> String {
    let found = get(stack, &["secret", secret, "--namespace", NAMESPACE]);
    let data = found["data"][key].as_str().unwrap_or_default().to_owned();
    String::from_utf8(BASE64_STANDARD.decode(data).expect("base64")).expect("text")
}

/// Applies a definition that the webhook denies, as a dry run, and returns what kubectl says.
fn asked(stack: &Stack) -> String {
    let wrong = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "wrong" },
        "spec": { "instanceRef": { "name": "main" }, "definition": { "nodes": 7 } } });
    apply(stack, "default", &["--dry-run=server"], &wrong).err
}

/// Message of the API server if the webhook answered.
const DENIED: &str = "admission webhook \"workflows.weirkeeper.dev\" denied the request";

fn until(wanted: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{wanted} does not come");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_serves_a_given_certificate_and_its_successor_without_a_restart() {
    let stack = Stack::own(&["--without-n8n"]);
    kubectl(&stack, &["create", "namespace", NAMESPACE]).text();
    apply(&stack, NAMESPACE, &[], &given("ours")).text();
    let values = values(&json!({ "webhook": { "certificates": { "mode": "secret", "secretName": "ours" } } }));
    let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &values, &[]);
    assert!(installed, "{message}");
    let mut replica = Replica::start(&stack, NAMESPACE, "weirkeeper", None);
    replica.until_ready().await;
    assert_eq!(trusted(&stack), entry(&stack, "ours", "ca.crt"));
    assert!(asked(&stack).contains(DENIED), "{}\n{}", asked(&stack), replica.log());

    apply(&stack, NAMESPACE, &[], &given("ours")).text();
    let next = entry(&stack, "ours", "ca.crt");
    until("the authority of the successor in the configuration", || trusted(&stack) == next);
    until("an answer with the successor", || asked(&stack).contains(DENIED));
    assert_eq!(replica.log().matches("the webhook serves a new certificate").count(), 2, "{}", replica.log());
}

/// The controllers of cert-manager, until they are dropped.
struct CertManager(Child);

impl CertManager {
    /// Installs cert-manager's CRDs and starts its controllers, with the rights of an administrator.
    fn start(stack: &Stack) -> Self {
        let (binary, crds) = stack.cert_manager();
        kubectl(stack, &["apply", "--server-side", "--filename", crds.to_str().expect("a path")]).text();
        kubectl(stack, &["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).text();
        let log = std::fs::File::create(stack.dir.join("logs/cert-manager.log")).expect("a log");
        let mut command = std::process::Command::new(binary);
        command.arg("run").env("KUBECONFIG", stack.kubeconfig("admin")).env("NO_PROXY", "127.0.0.1");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("cert-manager starts"))
    }
}

impl Drop for CertManager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has cert-manager issue a certificate again, as `cmctl renew` does, and waits for the new one.
fn renew(stack: &Stack) -> String {
    let before = entry(stack, NAME, "tls.crt");
    let found = get(stack, &["certificate", NAME, "--namespace", NAMESPACE]);
    let mut conditions = found["status"]["conditions"].as_array().cloned().expect("conditions");
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    conditions.retain(|condition| condition["type"] != "Issuing");
    conditions.push(
        json!({ "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by a test", "lastTransitionTime": now }),
    );
    let patch = json!({ "status": { "conditions": conditions } }).to_string();
    kubectl(stack, &["patch", "certificate", NAME, "--namespace", NAMESPACE, "--subresource=status", "--type=merge", "--patch", &patch])
        .text();
    until("a new certificate", || ![String::new(), before.clone()].contains(&entry(stack, NAME, "tls.crt")));
    entry(stack, NAME, "tls.crt")
}

#[tokio::test(flavor = "multi_thread")]
async fn cert_manager_issues_and_renews_the_certificate_of_a_release_and_no_apply_is_refused() {
    let stack = Stack::own(&["--without-n8n"]);
    let values = values(&json!({ "webhook": { "certificates": { "mode": "cert-manager" } } }));
    let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &values, &[]);
    assert!(!installed && message.contains("no matches for kind \"Certificate\""), "{message}");
    let _cert_manager = CertManager::start(&stack);
    let (installed, message) = install(&stack, "weirkeeper", NAMESPACE, &values, &[]);
    assert!(installed, "{message}");
    kubectl(&stack, &["wait", "--for=condition=Ready", "--timeout=120s", "--namespace", NAMESPACE, &format!("certificate/{NAME}")]).text();
    until("the authority in the configuration", || !trusted(&stack).is_empty());
    let mut replica = Replica::start(&stack, NAMESPACE, "weirkeeper", None);
    replica.until_ready().await;
    assert!(asked(&stack).contains(DENIED), "{}\n{}", asked(&stack), replica.log());

    // Applies without a pause, through a webhook that fails closed, while the certificate is renewed twice and the chart is upgraded.
    let (stop, authority) = (AtomicBool::new(false), trusted(&stack));
    let served = |replica: &Replica| replica.log().matches("the webhook serves a new certificate").count();
    let answers: Vec<String> = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                answers.push(asked(&stack));
            }
            answers
        });
        for round in 2..=3 {
            renew(&stack);
            until("the new certificate served", || served(&replica) >= round);
        }
        let chart = chart();
        let upgraded = helm(&stack, &["upgrade", "weirkeeper", &chart, "--namespace", NAMESPACE], &values);
        assert!(upgraded.ok, "{}", upgraded.err);
        assert!(asked(&stack).contains(DENIED));
        stop.store(true, Ordering::Relaxed);
        asking.join().expect("no panic")
    });
    let refused: Vec<_> = answers.iter().filter(|answer| !answer.contains(DENIED)).collect();
    println!("cert-manager: {} applies during two renewals and an upgrade, {} without an answer", answers.len(), refused.len());
    assert!(answers.len() > 10 && refused.is_empty(), "{refused:?}\n{}", replica.log());
    assert_eq!(trusted(&stack), authority, "the authority outlives the certificates");

    // Deleted: cert-manager writes another one.
    run(program(&stack, "kubectl", &["delete", "secret", NAME, "--namespace", NAMESPACE]), "").text();
    until("the certificate after a deletion", || served(&replica) >= 4);
    assert!(asked(&stack).contains(DENIED), "{}\n{}", asked(&stack), replica.log());
}
