//! A running n8n: its database, configuration, faults and log, and the handling of a request.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::faults::{Caller, Fault, Faults};
use super::node_types::Installed;
use super::outbox::Outbox;
use super::reply::{BoxError, Reply};
use super::request::Request;
use super::store::World;
use super::wire_log::WireLog;
use super::{Options, routes};

pub(crate) type Response = hyper::Response<UnsyncBoxBody<Bytes, BoxError>>;

/// Maximum size of a body.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

pub(crate) struct Site {
    world: Mutex<World>,
    pub options: Mutex<Options>,
    pub faults: Faults,
    pub log: WireLog,
    ready_at: Mutex<Option<Instant>>,
    works: Mutex<JoinSet<()>>,
}

impl Site {
    pub(crate) fn new(options: Options) -> Arc<Self> {
        let mut world = World::new(options.seed);
        world.outbox = options.publication_delay.map(Outbox::new);
        Arc::new(Self {
            world: Mutex::new(world),
            options: Mutex::new(options),
            faults: Faults::default(),
            log: WireLog::default(),
            ready_at: Mutex::new(Some(Instant::now())),
            works: Mutex::new(JoinSet::new()),
        })
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // A handler that panics shows in its test; the others continue.
        let mut world = self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        world.work_off();
        world
    }

    pub(crate) fn options(&self) -> MutexGuard<'_, Options> {
        self.options.lock().expect("options are only copied under the lock")
    }

    pub(crate) fn gaps(&self) -> (Duration, Duration) {
        let options = self.options();
        (options.webhook_gap, options.broker_hang)
    }

    pub(crate) fn installed(&self) -> Installed {
        self.options().installed.clone()
    }

    /// Sets the time at which n8n is ready; None means not until set.
    pub(crate) fn set_ready_at(&self, at: Option<Instant>) {
        *self.ready_at.lock().expect("a plain value") = at;
    }

    pub(crate) fn is_ready(&self) -> bool {
        let at = *self.ready_at.lock().expect("a plain value");
        at.is_some_and(|at| at <= Instant::now())
    }

    /// Starts work that continues when the client is gone, as n8n's does, and ends when n8n is killed.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut works = self.works.lock().expect("nothing panics under the lock");
        while works.try_join_next().is_some() {}
        works.spawn(work);
    }

    pub(crate) fn abort_works(&self) {
        self.works.lock().expect("nothing panics under the lock").abort_all();
    }

    fn work(self: &Arc<Self>, request: Arc<Request>, number: u64) -> oneshot::Receiver<Reply> {
        let (done, reply) = oneshot::channel();
        let site = Arc::clone(self);
        self.spawn(async move {
            let reply = routes::handle(&site, &request).await;
            site.log.done(number, &reply);
            // The client may be gone.
            let _ = done.send(reply);
        });
        reply
    }

    /// Answers a request, or closes its connection with `Err`.
    pub(crate) async fn serve(self: Arc<Self>, request: hyper::Request<hyper::body::Incoming>) -> Result<Response, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let request = Arc::new(Request::new(&parts, body));
        let (latency, keep_bodies) = {
            let options = self.options();
            (options.latency, options.keep_bodies)
        };
        let number = self.log.begin(&request, keep_bodies);
        let fate = self.faults.decide(&request.method, &request.path);
        let wait = latency + fate.delay;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        for gate in &fate.gates {
            gate.pass().await;
        }
        let reply = match fate.fault {
            None | Some(Fault::Delay(_) | Fault::Held(_)) => self.work(request, number).await?,
            Some(Fault::DropBefore) => return Err("a fault closed the connection".into()),
            Some(Fault::DropAfter) => {
                self.work(request, number).await?;
                return Err("a fault closed the connection after the work".into());
            }
            Some(Fault::LateApply { after, caller }) => {
                return self.apply_late(request, number, after, caller).await;
            }
            Some(Fault::HalfBody) => {
                let reply = self.work(request, number).await?;
                self.log.answered(number, reply.status);
                return Ok(half(reply));
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Html404) => Reply::cannot(&request.method, &request.path),
            Some(fault @ Fault::Respond { .. }) => fault.reply().expect("a fault with an answer"),
        };
        self.log.answered(number, reply.status);
        Ok(reply.into_response())
    }

    async fn apply_late(
        self: Arc<Self>,
        request: Arc<Request>,
        number: u64,
        after: Duration,
        caller: Caller,
    ) -> Result<Response, BoxError> {
        let site = Arc::clone(&self);
        self.spawn(async move {
            tokio::time::sleep(after).await;
            let reply = routes::handle(&site, &request).await;
            site.log.done(number, &reply);
        });
        match caller {
            Caller::Disconnected => Err("a fault closed the connection before the work".into()),
            Caller::KeptWaiting => std::future::pending().await,
        }
    }
}

pub(crate) fn is_too_large(request: &Request) -> bool {
    request.body.len() > LARGEST_BODY
}

/// A response that announces its whole length and stops half-way.
fn half(reply: Reply) -> Response {
    let (length, half) = (reply.body.len(), reply.body.slice(..reply.body.len() / 2));
    let head = async move { Ok::<_, BoxError>(Frame::data(half)) };
    // The half has to reach the wire before the break.
    let break_off = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err("a fault broke the answer off".into())
    };
    let body = futures::stream::once(head).chain(futures::stream::once(break_off));
    let reply = reply.with_header("content-length", &length.to_string());
    reply.into_response_with(StreamBody::new(body).boxed_unsync())
}
