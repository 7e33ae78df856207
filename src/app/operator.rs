//! Life cycle of the operator: logs, health endpoints, controllers, and a graceful shutdown.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::api::ListParams;
use prometheus::{IntGauge, Registry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::client::client;
use super::crds::{CrdCheck, CrdReadiness};
use super::endpoints::routes;
use super::lease::Candidacy;
use super::logs;
use super::settings::{self, OperatorArguments};
use super::webhook::{self, WebhookError, WebhookReadiness};
use crate::api::workflow::Workflow;
use crate::cli::cluster::{self, ClusterError};
use crate::controller::{self, Liveness, StartError};
use crate::http::LeaderFence;
use crate::kubernetes::stores::Stores;

/// Maximum time for running reconciliations to end on shutdown; a pod has 30 s in all.
const DRAIN: Duration = Duration::from_secs(20);
/// Timeout of the check of the label selector. Before leader election the liveness check does not notice that the operator hangs.
const START_CHECK: Duration = Duration::from_secs(10);
/// Maximum time to wait afterwards for threads that cannot be interrupted.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Reason for which the operator ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperatorError {
    #[error("--log {0:?}: {1}")]
    Log(String, tracing_subscriber::filter::ParseError),
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("connect to the cluster: {0}")]
    Client(#[from] kube::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error("--watch-label-selector {0:?}: {1}")]
    Selector(String, String),
}

/// Runs the operator until a signal ends it.
pub(super) fn run(arguments: &OperatorArguments) -> Result<(), OperatorError> {
    let filter = EnvFilter::try_new(&arguments.log).map_err(|error| OperatorError::Log(arguments.log.clone(), error))?;
    logs::subscriber(filter, arguments.log_format, std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| OperatorError::Io("start the runtime".to_owned(), error))?;
    let ended = runtime.block_on(serve(arguments));
    // An unanswered name lookup must not delay the shutdown.
    runtime.shutdown_timeout(LAST_MOMENT);
    ended
}

async fn serve(arguments: &OperatorArguments) -> Result<(), OperatorError> {
    let (scope, registry) = (arguments.scope(), Registry::new());
    let liveness = Liveness::new(arguments.liveness_bound(), Stores::paths(&scope), controller::watched_paths(&scope));
    let io = |attempt: String| move |error| OperatorError::Io(attempt, error);
    let listener = TcpListener::bind(arguments.listen).await.map_err(io(format!("listen on {}", arguments.listen)))?;
    let address = listener.local_addr().map_err(io("read the address".to_owned()))?;
    info!(%address, version = env!("CARGO_PKG_VERSION"), "weirkeeper starts");
    let mut terminate = signal(SignalKind::terminate()).map_err(io("listen for signals".to_owned()))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io("listen for signals".to_owned()))?;
    let asked_to_end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("shutting down, waiting for running reconciliations");
    };
    // The body read timeout of kube is longer than a watch lives; its own retries suffice.
    let config = cluster::find(settings::https_proxy().as_deref(), |said| warn!("{said}")).await?;
    let webhook = WebhookReadiness::new(arguments.webhook_address.is_some());
    let crds = CrdReadiness::new();
    let endpoints = axum::serve(listener, routes(liveness.clone(), (crds.clone(), webhook.clone()), registry.clone()));
    tokio::select! {
        ended = lead(arguments, config, liveness, (&registry, crds, webhook), asked_to_end) => ended,
        ended = async { endpoints.await } => ended.map_err(io("serve health and metrics".to_owned())),
    }
}

/// Keeps the stores, and runs the controllers: without leader election at once, else while the lease is held. A replica that loses the lease
/// stands by again.
async fn lead(
    arguments: &OperatorArguments,
    config: kube::Config,
    liveness: Liveness,
    (registry, crds, webhook): (&Registry, CrdReadiness, WebhookReadiness),
    asked_to_end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), OperatorError> {
    let leading = IntGauge::new("weirkeeper_leading", "1 if this replica leads, 0 if it stands by.").map_err(StartError::from)?;
    registry.register(Box::new(leading.clone())).map_err(StartError::from)?;
    let metrics = controller::register(registry, arguments.metrics_by_namespace).map_err(StartError::from)?;
    let asked_to_end = asked_to_end.shared();
    let plain = kube::Client::try_from(config.clone())?;
    tokio::select! {
        checked = check_selector(arguments, plain.clone()) => checked?,
        () = asked_to_end.clone() => return Ok(()),
    }
    let check = CrdCheck::new(plain.clone(), registry).map_err(StartError::from)?;
    tokio::select! {
        () = check.until_current(&crds) => {}
        () = asked_to_end.clone() => return Ok(()),
    }
    let namespace = arguments.lease_namespace(&config.default_namespace);
    let fence = if arguments.elects() { LeaderFence::none() } else { LeaderFence::unlimited() };
    let client = client(config, fence.clone(), liveness.clone())?;
    let stores = Arc::new(Stores::start(&client, arguments.scope(), liveness.watch_seconds()));
    let run = || {
        liveness.set_leading(true);
        leading.set(1);
        let settings = arguments.controller(fence.clone(), namespace.clone());
        controller::run(client.clone(), stores.clone(), settings, &metrics, liveness.clone(), asked_to_end.clone())
    };
    let synced = async {
        stores.synced().await;
        liveness.synced();
        info!(workflows = stores.workflows.store().len(), instances = stores.instances.store().len(), "caches synced");
        std::future::pending().await
    };
    let led = async {
        if !arguments.elects() {
            warn!("no lease is taken: another operator for the same objects would write too");
            return work(run(), asked_to_end.clone()).await;
        }
        // A restarted container has the same name as its predecessor and must not take over its identity.
        let identity = format!("{}-{}-{:x}", arguments.identity, std::process::id(), jiff::Timestamp::now().as_microsecond());
        let mut candidacy =
            Candidacy::new(plain, &namespace, &arguments.lease_name(), identity, fence.clone()).lasting(arguments.lease_duration());
        loop {
            tokio::select! {
                () = candidacy.win() => {}
                () = asked_to_end.clone() => return Ok(()),
            }
            let ended = tokio::select! {
                ended = work(run(), asked_to_end.clone()) => Some(ended),
                () = candidacy.keep() => None,
            };
            leading.set(0);
            liveness.set_leading(false);
            match ended {
                Some(ended) => {
                    candidacy.hand_over().await;
                    return ended;
                }
                // The controllers ended with their future; another replica may lead by now.
                None => warn!("the lease is lost; the controllers are stopped and this replica stands by"),
            }
        }
    };
    // Both end on a shutdown; an error of either ends the process.
    let reviews =
        webhook::serve(arguments, (client.clone(), &namespace), stores.clone(), fence.clone(), (registry, webhook), asked_to_end.clone());
    tokio::select! {
        ended = async { futures::try_join!(led, async { Ok(reviews.await?) }).map(|_| ()) } => ended,
        () = synced => Ok(()),
        () = check.keep() => Ok(()),
    }
}

/// Checks with the API server that the label selector is valid; a watch with an invalid one would be retried for ever.
async fn check_selector(arguments: &OperatorArguments, client: kube::Client) -> Result<(), OperatorError> {
    let Some(selector) = arguments.selector() else { return Ok(()) };
    let one = ListParams::default().labels(selector).limit(1);
    let Some(api) = arguments.scope().apis::<Workflow>(&client).into_iter().next() else { return Ok(()) };
    match tokio::time::timeout(START_CHECK, api.list_metadata(&one)).await {
        Ok(Err(kube::Error::Api(status))) if status.code == 400 => {
            Err(OperatorError::Selector(selector.to_owned(), status.message.clone()))
        }
        // The watch meets and reports any other error, a missing answer included.
        _ => Ok(()),
    }
}

/// Runs until a shutdown is requested, and then for the time that running reconciliations have to end.
async fn work(run: impl Future<Output = Result<(), StartError>>, asked_to_end: impl Future<Output = ()>) -> Result<(), OperatorError> {
    let drained = asked_to_end.then(|()| tokio::time::sleep(DRAIN));
    tokio::select! {
        ended = run => Ok(ended?),
        () = drained => {
            warn!("terminating while reconciliations are still running; the next operator continues them");
            Ok(())
        }
    }
}
