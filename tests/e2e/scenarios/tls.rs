//! An n8n behind TLS with a certificate of a private authority.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::harness::n8n::answering;
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Options, StandIn};

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_to_a_tls_port_is_reported_with_the_url_to_use() {
    let standin = StandIn::start(Options::default());
    let authority = Authority::new("Inside");
    let front = Front::of(&standin.url(), authority.server("127.0.0.1")).await;
    let world = World::bare(Stack::shared(), "plain", &standin.url(), standin.api_key()).await;
    world.instance("main", &front.url.replace("https://", "http://"), standin.api_key(), json!({ "interval": "2s" })).await;
    let reported = |object: &Value| {
        condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("write https:// in the URL"))
    };
    world.until_kind("N8nInstance", "main", "it says what to write", reported).await;
    world.instance("main", &front.url, standin.api_key(), json!({ "interval": "2s", "caBundle": authority.pem() })).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
}

/// A private certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns the configuration of a server with a name or address.
    fn server(&self, name: &str) -> ServerConfig {
        crate::harness::world::install_crypto();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).expect("a configuration")
    }
}

/// Terminates TLS and passes everything on in plain text; ends when dropped.
struct Front {
    url: String,
    task: JoinHandle<()>,
}

impl Front {
    async fn of(upstream: &str, config: ServerConfig) -> Self {
        let upstream: SocketAddr = upstream.strip_prefix("http://").expect("plain HTTP").parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Clients that do not trust the certificate disconnect here.
                    let (Ok(mut outside), Ok(mut inside)) = (acceptor.accept(stream).await, TcpStream::connect(upstream).await) else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Self { url, task }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_by_its_bundle_and_reported_without_it() {
    let standin = StandIn::start(Options::default());
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let front = Front::of(&standin.url(), authority.server("127.0.0.1")).await;
    let elsewhere = Front::of(&standin.url(), authority.server("n8n.invalid")).await;
    let key = standin.api_key().to_owned();
    let world = World::bare(Stack::shared(), "tls", &standin.url(), &key).await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "interval": "2s", "definition": answering(&path, "1") })).await;
    let says = |reason: &'static str, words: &'static str| {
        move |object: &Value| {
            let ready = condition(object, "Ready");
            current(object) && ready["reason"] == reason && ready["message"].as_str().is_some_and(|message| message.contains(words))
        }
    };
    let wrong = [
        (&front.url, None, "InstanceUnreachable", "UnknownIssuer; trusted certificate authorities are set in spec.caBundle"),
        (&elsewhere.url, Some(authority.pem()), "InstanceUnreachable", "not valid for name \"127.0.0.1\""),
        (
            &front.url,
            Some(stranger.pem()),
            "InstanceUnreachable",
            "UnknownIssuer; trusted certificate authorities are set in spec.caBundle",
        ),
        (&front.url, Some("no certificate at all".to_owned()), "InvalidInstance", "the CA bundle is not a list of PEM certificates"),
    ];
    for (url, bundle, reason, words) in wrong {
        world.instance("main", url, &key, json!({ "caBundle": bundle })).await;
        let instance = world.until_kind("N8nInstance", "main", &format!("{reason}: {words}"), says(reason, words)).await;
        println!("{}", condition(&instance, "Ready")["message"]);
        world.until("a", &format!("{reason}: {words}"), says(reason, words)).await;
    }
    let mut import = std::process::Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    import.args(["import", "--all", "--instance", "main", "--url", &front.url]).env("WEIRKEEPER_N8N_API_KEY", &key);
    let text = String::from_utf8(import.output().expect("the command ends").stderr).expect("text");
    assert!(text.contains("trusted certificate authorities are set in --ca-file") && !text.contains("spec."), "{text}");
    assert_eq!(standin.log().count("*", "/"), 0, "no request, and so no key, reaches what is not trusted");
    world.instance("main", &front.url, &key, json!({ "caBundle": authority.pem() })).await;
    let live = world.until_ready("a").await;
    assert_eq!(condition(&live, "Live")["status"], "True", "webhooks are checked through the same bundle: {live:#}");
    world.until_kind("N8nInstance", "main", "it is Ready", ready).await;
    world.n8n.expect_version(&path, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_trusts_the_authority_of_its_flag_and_no_other() {
    let stack = Stack::shared();
    let (ours, other) = (Authority::new("Ours"), Authority::new("Other"));
    let front = Front::of(&stack.n8n_url(), ours.server("127.0.0.1")).await;
    let import = |authority: &Authority| {
        let file = std::env::temp_dir().join(format!("weirkeeper-authority-{:x}.pem", crate::harness::stack::rand()));
        std::fs::write(&file, authority.pem()).expect("a file");
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
            .args(["import", "--url", &front.url, "--instance", "main", "--tag", "no-workflow-has-this", "--ca-file"])
            .arg(&file)
            .env("WEIRKEEPER_N8N_API_KEY", stack.n8n_key())
            .output()
            .expect("the binary runs");
        let _ = std::fs::remove_file(&file);
        (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned())
    };
    assert_eq!(import(&ours), (Some(0), "0 imported, 0 left out\n".to_owned()));
    let (code, reported) = import(&other);
    assert_eq!(code, Some(1));
    assert!(reported.contains("certificate") && !reported.contains(&stack.n8n_key()), "{reported}");
}
