use std::sync::Mutex;

use axum::body::Body;
use axum::http::Request;
use axum::routing::post;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;
use crate::webhook::certificates::testing::made;

#[derive(Debug, Default)]
struct Chosen(Mutex<Option<Arc<CertifiedKey>>>);

impl ResolvesServerCert for Chosen {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.lock().unwrap().clone()
    }
}

struct Running {
    address: std::net::SocketAddr,
    chosen: Arc<Chosen>,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<()>,
}

async fn running() -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, chosen) = (listener.local_addr().unwrap(), Arc::new(Chosen::default()));
    let (stop, stopped) = oneshot::channel();
    let routes = Router::new()
        .route("/echo", post(|request: Request<Body>| async move { request.uri().path().to_owned() }))
        .route("/slow", post(|| async { tokio::time::sleep(Duration::from_millis(300)).await }))
        .route("/panic", post(|| async { assert!(std::hint::black_box(false), "one request") }));
    let serving = serve(listener, tls(chosen.clone()).unwrap(), routes, async {
        let _ = stopped.await;
    });
    Running { address, chosen, stop: Some(stop), ended: tokio::spawn(serving) }
}

impl Running {
    /// Sends a request over a new connection that trusts these authorities, and returns the status line.
    async fn post(&self, path: &str, authorities: &str) -> Result<String, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(authorities.as_bytes()).map(Result::unwrap));
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
        let name = "127.0.0.1".try_into().unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = vec![0; 512];
        let count = stream.read(&mut answer).await.map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        answer.lines().next().map(str::to_owned).ok_or_else(|| "closed without an answer".to_owned())
    }
}

const FINE: &str = "HTTP/1.1 200 OK";

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_without_a_restart() {
    let server = running().await;
    assert!(server.post("/echo", "").await.is_err(), "there is no certificate yet");
    let ((first, one), (second, other)) = (made(), made());
    *server.chosen.0.lock().unwrap() = Some(first);
    assert_eq!(server.post("/echo", &one).await.as_deref(), Ok(FINE));
    *server.chosen.0.lock().unwrap() = Some(second);
    assert!(server.post("/echo", &one).await.is_err_and(|error| error.contains("UnknownIssuer")));
    let both = format!("{one}{other}");
    assert_eq!(server.post("/echo", &both).await.as_deref(), Ok(FINE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_its_own_connection_and_nonsense_none() {
    let server = running().await;
    let (first, authorities) = made();
    *server.chosen.0.lock().unwrap() = Some(first);
    assert!(server.post("/panic", &authorities).await.is_err());
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let idle: Vec<TcpStream> =
        futures::future::join_all((0..50).map(|_| TcpStream::connect(server.address))).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(server.post("/echo", &authorities).await.as_deref(), Ok(FINE));
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_request_is_answered_at_the_end_and_new_ones_for_a_while() {
    let mut server = running().await;
    let (first, authorities) = made();
    *server.chosen.0.lock().unwrap() = Some(first);
    let stop = server.stop.take();
    let slow = server.post("/slow", &authorities);
    let late = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stop);
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.post("/echo", &authorities).await
    };
    let (slow, late) = tokio::join!(slow, late);
    assert_eq!((slow.as_deref(), late.as_deref()), (Ok(FINE), Ok(FINE)));
    tokio::time::timeout(Duration::from_secs(10), server.ended).await.unwrap().unwrap();
}
