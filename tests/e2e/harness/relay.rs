//! A relay that counts requests on the wire: plain HTTP on a loopback port, passed on unchanged to n8n or to the API server. It does not
//! interpret what it carries, so no request of a client can escape the count.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{Response, StatusCode, Uri};
use futures::stream;
use kube::config::Kubeconfig;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::harness::stack::{Stack, rand};

/// A request that was passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Set if it is a watch of Kubernetes.
    pub watches: bool,
}

impl Passed {
    /// Reports whether the request could change anything.
    pub fn writes(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Reports whether it only renews or releases the lease of the leader.
    pub fn renews_lease(&self) -> bool {
        self.path.starts_with("/apis/coordination.k8s.io/")
    }
}

/// A request with everything that the client sent.
#[derive(Clone, Debug)]
pub struct Whole {
    pub method: String,
    /// Path with the query.
    pub target: String,
    /// Headers and body as text.
    pub text: String,
}

/// Fault for the requests of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Nothing is passed on any more, including responses in progress, and every connection stays open.
    Silence,
    /// They are answered with 500.
    Errors,
}

/// A relay; it is stopped when dropped.
pub struct Relay {
    /// Its base URL.
    pub url: String,
    passed: Arc<Mutex<Vec<Passed>>>,
    whole: Arc<Mutex<Option<Vec<Whole>>>>,
    gate: Arc<Mutex<Option<Box<Gate>>>>,
    hindered: Hindered,
    // A runtime of its own: a busy test must not slow down what it measures.
    runtime: Option<Runtime>,
}

type Hindered = Arc<Mutex<Option<(String, Hindrance)>>>;

#[derive(Clone)]
struct Road {
    upstream: String,
    http: reqwest::Client,
    passed: Arc<Mutex<Vec<Passed>>>,
    whole: Arc<Mutex<Option<Vec<Whole>>>>,
    gate: Arc<Mutex<Option<Box<Gate>>>>,
    hindered: Hindered,
}

impl Road {
    fn hinders(&self, path: &str, by: Hindrance) -> bool {
        self.hindered.lock().expect("no panic in between").as_ref().is_some_and(|(hindered, how)| hindered == path && *how == by)
    }

    /// Waits as long as the requests of a path are blocked.
    async fn flows(&self, path: &str) {
        while self.hinders(path, Hindrance::Silence) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Answers a request in place of the upstream, or returns None.
type Gate = dyn Fn(&Uri) -> Option<Response<Body>> + Send;

/// The largest request that is passed on; the API server and n8n refuse sooner.
const LARGEST: usize = 32 << 20;

impl Relay {
    /// A relay to an HTTP server.
    pub fn to(upstream: &str) -> Self {
        Self::start(upstream, None)
    }

    /// Returns a relay to an n8n that does not report its version, as behind a proxy that passes only the API and webhooks.
    pub fn hiding_the_version_of(upstream: &str) -> Self {
        let relay = Self::start(upstream, None);
        relay.gate(|uri| matches!(uri.path(), "/" | "/metrics").then(|| page(404, "text/plain", "")));
        relay
    }

    /// Lets the gate answer requests from now on.
    pub fn gate(&self, gate: impl Fn(&Uri) -> Option<Response<Body>> + Send + 'static) {
        *self.gate.lock().expect("no panic in between") = Some(Box::new(gate));
    }

    /// Passes everything on from now on.
    pub fn open(&self) {
        *self.gate.lock().expect("no panic in between") = None;
    }

    /// Returns a relay to the API server, and a kubeconfig for a user of the stack that leads through it.
    pub fn to_api_server(stack: &Stack, user: &str) -> (Self, PathBuf) {
        let mut kubeconfig = Kubeconfig::read_from(stack.kubeconfig(user)).expect("a kubeconfig");
        let cluster = kubeconfig.clusters[0].cluster.as_mut().expect("a cluster");
        let ca = cluster.certificate_authority_data.take().expect("the API server's CA");
        let upstream = cluster.server.take().expect("a server");
        let relay = Self::start(&upstream, Some(&ca));
        cluster.server = Some(relay.url.clone());
        let path = stack.dir.join(format!("kubeconfig-relayed-{:x}", rand()));
        write_privately(&path, &kubeconfig);
        (relay, path)
    }

    fn start(upstream: &str, ca: Option<&str>) -> Self {
        crate::harness::world::install_crypto();
        let mut builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = ca {
            use base64::Engine;
            let pem = base64::engine::general_purpose::STANDARD.decode(ca).expect("base64");
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).expect("certificates");
            builder = builder.tls_certs_only(certificates);
        } else {
            // n8n closes idle connections after five seconds, and a busy machine may not notice before it uses one.
            builder = builder.pool_max_idle_per_host(0);
        }
        let road = Road {
            upstream: upstream.trim_end_matches('/').to_owned(),
            http: builder.build().expect("an HTTP client"),
            passed: Arc::default(),
            whole: Arc::default(),
            gate: Arc::default(),
            hindered: Arc::default(),
        };
        let (passed, whole) = (road.passed.clone(), road.whole.clone());
        let (gate, hindered) = (road.gate.clone(), road.hindered.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (send, receive) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a free port");
            send.send(listener.local_addr().expect("an address")).expect("the test waits");
            axum::serve(listener, Router::new().fallback(pass_on).with_state(road)).await.expect("the relay serves");
        });
        let address: SocketAddr = receive.recv().expect("the relay listens");
        Self { url: format!("http://{address}"), passed, whole, gate, hindered, runtime: Some(runtime) }
    }

    /// Applies a fault to requests of exactly this path from now on; None passes everything.
    pub fn hinder(&self, hindrance: Option<(&str, Hindrance)>) {
        *self.hindered.lock().expect("no panic in between") = hindrance.map(|(path, how)| (path.to_owned(), how));
    }

    /// Keeps all that clients send from now on.
    pub fn keep_whole(&self) {
        *self.whole.lock().expect("no panic in between") = Some(Vec::new());
    }

    /// Returns the requests since [`Self::keep_whole`].
    pub fn whole(&self) -> Vec<Whole> {
        self.whole.lock().expect("no panic in between").clone().unwrap_or_default()
    }

    /// Returns the number of requests so far.
    pub fn count(&self) -> usize {
        self.passed.lock().expect("no panic in between").len()
    }

    /// Returns the requests after the first `from`.
    pub fn since(&self, from: usize) -> Vec<Passed> {
        self.passed.lock().expect("no panic in between")[from..].to_vec()
    }

    /// Reports whether there is such a request after the first `from`.
    pub fn has_passed_since(&self, from: usize, wanted: impl Fn(&Passed) -> bool) -> bool {
        self.passed.lock().expect("no panic in between")[from..].iter().any(wanted)
    }

    /// Returns the requests after the first `from` that could change something.
    pub fn writes_since(&self, from: usize) -> Vec<Passed> {
        self.since(from).into_iter().filter(|one| one.writes() && !one.renews_lease()).collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Watches have no timeout.
            runtime.shutdown_background();
        }
    }
}

async fn pass_on(State(road): State<Road>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let watches = parts.uri.query().is_some_and(|query| query.split('&').any(|one| ["watch=true", "watch=1"].contains(&one)));
    let noted = Passed { method: parts.method.to_string(), path: parts.uri.path().to_owned(), watches };
    road.passed.lock().expect("no panic in between").push(noted);
    let gated = road.gate.lock().expect("no panic in between").as_ref().and_then(|gate| gate(&parts.uri));
    if let Some(answer) = gated {
        return answer;
    }
    let path = parts.uri.path().to_owned();
    road.flows(&path).await;
    if road.hinders(&path, Hindrance::Errors) {
        let mut answer = Response::new(Body::from("hindered"));
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return answer;
    }
    let Ok(body) = to_bytes(body, LARGEST).await else { return failed("the request broke off") };
    let query = parts.uri.path_and_query().map_or("/", |all| all.as_str());
    if let Some(whole) = road.whole.lock().expect("no panic in between").as_mut() {
        let text = format!("{:?}\n{}", parts.headers, String::from_utf8_lossy(&body));
        whole.push(Whole { method: parts.method.to_string(), target: query.to_owned(), text });
    }
    let mut headers = parts.headers;
    for own in [HOST, CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(own);
    }
    let sent = road.http.request(parts.method, format!("{}{query}", road.upstream)).headers(headers).body(body).send().await;
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => return failed(&error.to_string()),
    };
    let mut relayed = Response::builder().status(answer.status());
    if let Some(into) = relayed.headers_mut() {
        into.extend(answer.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
        for own in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
            into.remove(own);
        }
    }
    // Chunk by chunk, so that events of a watch arrive in time. A broken response ends early for the client too.
    let chunks = stream::unfold((answer, road, path), |(mut answer, road, path)| async move {
        let chunk = answer.chunk().await;
        road.flows(&path).await;
        match chunk {
            Ok(Some(chunk)) => Some((Ok::<_, Infallible>(chunk), (answer, road, path))),
            _ => None,
        }
    });
    relayed.body(Body::from_stream(chunks)).unwrap_or_else(|error| failed(&error.to_string()))
}

/// Builds the response of a gate.
pub fn page(status: u16, content: &str, body: &str) -> Response<Body> {
    let answer = Response::builder().status(status).header("content-type", content).body(Body::from(body.to_owned()));
    answer.expect("an answer")
}

fn failed(why: &str) -> Response<Body> {
    let mut answer = Response::new(Body::from(format!("relay: {why}")));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

fn write_privately(path: &Path, kubeconfig: &Kubeconfig) {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(path).expect("a kubeconfig file");
    serde_json::to_writer(file, kubeconfig).expect("a kubeconfig is written");
}
