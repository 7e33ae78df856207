//! The operator's life: logs, health endpoints, controllers, and an orderly end.

use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;
use tracing_subscriber::EnvFilter;

use super::endpoints::routes;
use super::settings::{LogFormat, OperatorArguments};
use crate::controller::{self, Pulse, StartError};

/// Why the operator ended otherwise than by a signal.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperatorError {
    #[error("--log {0:?}: {1}")]
    Log(String, tracing_subscriber::filter::ParseError),
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    #[error("find the cluster: {0}")]
    Cluster(#[from] kube::config::InferConfigError),
    #[error("connect to the cluster: {0}")]
    Client(#[from] kube::Error),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Runs the operator until a signal ends it.
pub(super) fn run(arguments: &OperatorArguments) -> Result<(), OperatorError> {
    let filter = EnvFilter::try_new(&arguments.log).map_err(|error| OperatorError::Log(arguments.log.clone(), error))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Json => logs.json().init(),
        LogFormat::Text => logs.with_ansi(false).init(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| OperatorError::Io("start the runtime".to_owned(), error))?.block_on(serve(arguments))
}

async fn serve(arguments: &OperatorArguments) -> Result<(), OperatorError> {
    let (pulse, registry) = (Pulse::default(), Registry::new());
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
        info!("asked to end; passes that are under way end first");
    };
    // The body read timeout of kube is longer than a watch lives; its own retries suffice.
    let client = kube::Client::try_from(kube::Config::infer().await?)?;
    pulse.leads();
    let endpoints = axum::serve(listener, routes(pulse.clone(), registry.clone()));
    let controllers = controller::run(client, arguments.controller(), &registry, pulse, asked_to_end);
    tokio::select! {
        ended = controllers => ended.map_err(OperatorError::from),
        ended = async { endpoints.await } => ended.map_err(io("serve health and metrics".to_owned())),
    }
}
