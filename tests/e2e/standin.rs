//! The stand-in for n8n: a server on a loopback port that behaves like the public API, the webhooks and the executions of n8n 2.39.10,
//! as they were measured.
//!
//! Scenarios use it for faults that the real n8n cannot be made to show (a create whose response is lost, a publication that takes the
//! workflow offline) and for speed: it starts at once, and each test has its own. The same scenarios run on either.
//!
//! `scenarios::standin_check::compare` sends the same requests to it and to the real n8n, and fails where the responses differ; the other
//! modules of `scenarios::standin_check` hold it to what was measured and to its own faults.
//!
//! It has a thread of its own, so that it responds independently of the runtime of the test and of processes that are killed. Its work
//! continues when a client disconnects, as n8n's does.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each user needs a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is test code")]

mod credentials;
mod editor;
mod executions;
mod faults;
mod marks;
mod node_types;
mod outbox;
mod production;
mod projects;
mod publish;
mod reply;
mod request;
mod routes;
mod run;
mod schema;
mod site;
mod store;
mod structure;
mod tags;
mod webhooks;
mod wire_log;
mod workflow_views;
mod workflows;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::harness::stack::{PUBLICATION_SERVICE, met_n8n, note_shape, shape};

pub(crate) use faults::{Caller, Fault, Faults, Gate, Rule};
pub(crate) use marks::Duplicate;
pub(crate) use node_types::Installed;
pub(crate) use routes::all_scopes as every_scope;
use site::Site;
pub(crate) use wire_log::{Entry, WireLog};

/// Node's `headersTimeout` and `keepAliveTimeout`.
const FIRST_REQUEST: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(5);

/// Configuration of the stand-in. All of it but the seed can be changed while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Delay of every response.
    pub latency: Duration,
    /// Time for which a publication removes the workflow's webhooks.
    pub webhook_gap: Duration,
    /// True if a move to another project fails to register the triggers again and leaves the workflow offline.
    pub moves_go_offline: bool,
    /// Time for which publishing hangs on a trigger whose broker cannot be reached (any redisTrigger).
    pub broker_hang: Duration,
    /// Time that the publication service takes to set up a version that it has reported as published; None if n8n does so at once. By
    /// default it is that of the real n8n that the tests share.
    pub publication_delay: Option<Duration>,
    /// Duration of an execution.
    pub execution_time: Duration,
    /// Time that n8n takes to start after a [`StandIn::restart`].
    pub startup_time: Duration,
    pub n8n_version: String,
    pub installed: Installed,
    /// Scopes of the first key; None is all of them.
    pub scopes: Option<Vec<String>>,
    /// Expiry of the first key, as in its JWT.
    pub key_expires: Option<jiff::Timestamp>,
    /// Makes ids repeatable. Without it they are as random as n8n's.
    pub seed: Option<u64>,
    /// True if the wire log keeps the bodies of writes.
    pub keep_bodies: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            webhook_gap: Duration::from_millis(3),
            moves_go_offline: false,
            broker_hang: Duration::from_secs(60),
            publication_delay: (shape() == PUBLICATION_SERVICE).then_some(Duration::from_millis(300)),
            execution_time: Duration::ZERO,
            startup_time: Duration::ZERO,
            n8n_version: "2.39.10".to_owned(),
            installed: Installed::default(),
            scopes: None,
            key_expires: None,
            seed: None,
            keep_bodies: true,
        }
    }
}

/// A running stand-in. It is stopped when dropped.
pub(crate) struct StandIn {
    site: Arc<Site>,
    address: SocketAddr,
    key: String,
    runtime: Option<Runtime>,
    listener: Mutex<Option<Listener>>,
    /// Keeps the port while nothing listens, so that no server of another test takes it.
    _reserved: TcpSocket,
}

struct Listener {
    abort: AbortHandle,
    gone: mpsc::Receiver<()>,
}

impl StandIn {
    /// Starts a stand-in, ready at once, on a free loopback port.
    pub(crate) fn start(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("n8n-stand-in")
            .enable_all()
            .build()
            .expect("a runtime for the stand-in");
        let (scopes, expires) = (options.scopes.clone(), options.key_expires);
        let later = options.publication_delay.is_some();
        let site = Site::new(options);
        let reserved = reserve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = reserved.local_addr().expect("the port just bound");
        let standin = Self {
            key: add_key(&site, scopes, expires),
            listener: Mutex::new(Some(listen(&runtime, &site, address))),
            site,
            address,
            _reserved: reserved,
            runtime: Some(runtime),
        };
        if later {
            note_shape(&standin.url(), PUBLICATION_SERVICE);
            met_n8n();
        }
        standin
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("taken only on drop")
    }

    /// Returns the base URL, without a trailing slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the first key: an unsigned JWT with its expiry in `exp`.
    pub(crate) fn api_key(&self) -> &str {
        &self.key
    }

    /// Adds another key; None is every scope.
    pub(crate) fn add_key(&self, scopes: Option<Vec<String>>, expires: Option<jiff::Timestamp>) -> String {
        add_key(&self.site, scopes, expires)
    }

    pub(crate) fn revoke_key(&self, token: &str) {
        self.site.world().keys.retain(|key| key.token != token);
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.site.faults
    }

    pub(crate) fn log(&self) -> &WireLog {
        &self.site.log
    }

    /// Changes the configuration of the running stand-in.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.site.options());
    }

    /// Returns the number of workflows, and of published ones.
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.site.world().counts()
    }

    /// Returns the maximum number of workflows, and of published ones, that ever existed at the same time.
    pub(crate) fn most_at_once(&self) -> (usize, usize) {
        self.site.world().most
    }

    /// Returns the marks under a telemetry key that a create through the API ever put on a second workflow while the first still existed,
    /// even if one is gone by now.
    pub(crate) fn duplicates_seen(&self, key: &str) -> Vec<Duplicate> {
        self.site.world().marks.seen(key)
    }

    /// Kills n8n: the port closes, connections break, work in progress stops. Saved data is not lost.
    pub(crate) fn stop(&self) {
        let listener = self.listener.lock().expect("a plain value").take();
        self.site.abort_works();
        if let Some(listener) = listener {
            listener.abort.abort();
            // The sender never sends: it is dropped when the port refuses connections.
            let _ = listener.gone.recv();
        }
    }

    /// Kills it and starts it again on the same port. It is ready after `startup_time`.
    pub(crate) fn restart(&self) {
        let startup = self.site.options().startup_time;
        self.come_back(Some(startup));
    }

    /// The same, but it keeps starting until [`StandIn::finish_starting`].
    pub(crate) fn restart_and_hang(&self) {
        self.come_back(None);
    }

    pub(crate) fn finish_starting(&self) {
        publish::activate_all(&mut self.site.world());
        self.site.set_ready_at(Some(Instant::now()));
    }

    fn come_back(&self, startup: Option<Duration>) {
        self.stop();
        {
            let mut world = self.site.world();
            world.crash_running();
            world.webhooks.clear();
        }
        self.site.set_ready_at(None);
        *self.listener.lock().expect("a plain value") = Some(listen(self.runtime(), &self.site, self.address));
        match startup {
            None => {}
            Some(Duration::ZERO) => self.finish_starting(),
            Some(startup) => {
                let site = Arc::clone(&self.site);
                let _context = self.runtime().enter();
                self.site.spawn(async move {
                    tokio::time::sleep(startup).await;
                    publish::activate_all(&mut site.world());
                    site.set_ready_at(Some(Instant::now()));
                });
            }
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop();
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed inside of a test's own runtime.
            runtime.shutdown_background();
        }
    }
}

/// Binds a socket that can share its port with others of this program. It refuses connections until it listens.
fn reserve(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).expect("a port that can be shared");
    socket.bind(address).expect("a free loopback port");
    socket
}

fn listen(runtime: &Runtime, site: &Arc<Site>, address: SocketAddr) -> Listener {
    let _context = runtime.enter();
    let listener = reserve(address).listen(1024).expect("a listener of this runtime");
    let (dropped, gone) = mpsc::channel();
    let site = Arc::clone(site);
    let task = runtime.spawn(async move {
        // Dropped after the listener, which shows that the port refuses connections.
        let _dropped = dropped;
        let listener = listener;
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let site = Arc::clone(&site);
            connections.spawn(async move {
                // Requests under way, and those that were answered.
                let (progress, progressed) = watch::channel((0_usize, 0_usize));
                let service = hyper::service::service_fn(|request| async {
                    progress.send_modify(|(running, _)| *running += 1);
                    let response = Arc::clone(&site).serve(request).await.map_err(std::io::Error::other);
                    progress.send_modify(|(running, answered)| (*running, *answered) = (*running - 1, *answered + 1));
                    response
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(FIRST_REQUEST)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    // Faults end connections with errors.
                    _ = connection => {}
                    () = idle(progressed) => {}
                }
            });
        }
    });
    Listener { abort: task.abort_handle(), gone }
}

/// Ends when no request is under way for five seconds after one was answered.
async fn idle(mut progress: watch::Receiver<(usize, usize)>) {
    loop {
        let is_idle = matches!(*progress.borrow_and_update(), (0, 1..));
        let longest = if is_idle { IDLE } else { Duration::MAX };
        if tokio::time::timeout(longest, progress.changed()).await.is_err() {
            return;
        }
    }
}

/// Creates a key that looks like n8n's. It is generated, so that no file contains one.
fn add_key(site: &Site, scopes: Option<Vec<String>>, expires: Option<jiff::Timestamp>) -> String {
    let mut world = site.world();
    let mut claims = json!({ "sub": world.user_id, "iss": "n8n", "aud": "public-api", "jti": world.uuid(),
        "iat": jiff::Timestamp::now().as_second() });
    if let Some(expires) = expires {
        claims["exp"] = json!(expires.as_second());
    }
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let head = part(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
    let signature = part(format!("{}{}", world.nano_id(), world.nano_id()));
    let token = format!("{head}.{}.{signature}", part(claims.to_string()));
    world.keys.push(store::Key { token: token.clone(), scopes: scopes.unwrap_or_else(routes::all_scopes), expires });
    token
}
