//! The admission webhook in the process of the operator.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use kube::Client;
use prometheus::Registry;
use tokio::net::TcpListener;
use tracing::info;

use super::settings::OperatorArguments;
use crate::http::LeaderFence;
use crate::kubernetes::catalogs::Catalogs;
use crate::kubernetes::stores::Stores;
use crate::webhook::certificates::{CertificateMetrics, Certificates};
use crate::webhook::facts::Facts;
use crate::webhook::handler::{self, ReviewMetrics};
use crate::webhook::server;

/// Reason why the webhook cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebhookError {
    #[error("listen on {0} for the webhook: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("register metrics of the webhook: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("serve the webhook over TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Readiness of the webhook; always ready if it is not served.
#[derive(Clone, Default)]
pub(super) struct WebhookReadiness {
    certificates: Arc<OnceLock<Arc<Certificates>>>,
    served: bool,
}

impl WebhookReadiness {
    /// Returns the readiness of a webhook that is not started yet.
    pub(super) fn new(served: bool) -> Self {
        Self { served, ..Self::default() }
    }

    /// Returns what the webhook waits for; None if it is ready or not served.
    pub(super) fn waiting_for(&self) -> Option<String> {
        match self.certificates.get() {
            Some(certificates) => certificates.waiting_for(),
            None => self.served.then(|| "the webhook is not started yet".to_owned()),
        }
    }
}

/// Serves the webhook, if the arguments ask for it, until `shutdown` resolves and the running requests have ended. Returns at once if they
/// do not.
pub(super) async fn serve(
    arguments: &OperatorArguments,
    (client, namespace): (Client, &str),
    stores: Arc<Stores>,
    fence: LeaderFence,
    (registry, readiness): (&Registry, WebhookReadiness),
    shutdown: impl Future<Output = ()>,
) -> Result<(), WebhookError> {
    let Some(address) = arguments.webhook_address else { return Ok(()) };
    let listener = TcpListener::bind(address).await.map_err(|error| WebhookError::Listen(address, error))?;
    let metrics = CertificateMetrics::register(registry)?;
    let reviews = ReviewMetrics::register(registry)?;
    let certificates = Arc::new(Certificates::new(client.clone(), arguments.certificates(namespace), fence, metrics));
    let facts = Arc::new(Facts::new(stores, Catalogs::new(client)));
    let tls = server::tls(certificates.resolver())?;
    info!(%address, "the admission webhook is served");
    // It is set once.
    let _ = readiness.certificates.set(certificates.clone());
    tokio::select! {
        () = server::serve(listener, tls, handler::routes(facts.clone(), reviews), shutdown) => {}
        () = certificates.keep() => {}
        () = facts.keep_catalogs() => {}
    }
    Ok(())
}
