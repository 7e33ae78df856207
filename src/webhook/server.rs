//! HTTPS server with limits: on connections, on the time for a handshake, a header, a body and an answer, and on concurrent reviews. One
//! that panics or hangs costs itself alone.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

/// Maximum number of connections.
const CONNECTIONS: usize = 512;
/// Time limit of a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Time limit of a request's header, which also ends idle connections. API servers close theirs after 90 s, so that none is closed here
/// while a request is on its way.
const HEADER: Duration = Duration::from_secs(120);
/// Maximum length of a header.
const HEADER_BYTES: usize = 64 * 1024;
/// Pause after an accept failed, for example because there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// Time for which requests are still accepted once the process is to end. Each answer then asks to close the connection, because a request
/// that meets a connection that is just being closed would fail.
const LINGER: Duration = Duration::from_secs(2);
/// Time limit of the requests that are running then.
const DRAIN: Duration = Duration::from_secs(6);

/// Returns the TLS configuration of a server whose certificate the resolver chooses.
///
/// # Errors
///
/// If the TLS library supports no protocol version.
pub fn tls(certificate: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let mut config = builder.with_safe_default_protocol_versions()?.with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves until `shutdown` resolves and the running requests have ended.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, routes: Router, shutdown: impl Future<Output = ()>) {
    let (ending, closing) = (CancellationToken::new(), CancellationToken::new());
    let ends = ending.clone();
    let routes = routes.layer(map_response(move |response| {
        let ends = ends.clone();
        async move { if ends.is_cancelled() { closed_after(response) } else { response } }
    }));
    let (tls, slots, running) = (TlsAcceptor::from(tls), Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
    let accepting = async {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    debug!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (tls, routes, closing) = (tls.clone(), routes.clone(), closing.clone());
            running.spawn(async move {
                connection(stream, tls, routes, &closing).await;
                drop(slot);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = async {
            shutdown.await;
            ending.cancel();
            tokio::time::sleep(LINGER).await;
        } => {}
    }
    drop(listener);
    closing.cancel();
    running.close();
    if tokio::time::timeout(DRAIN, running.wait()).await.is_err() {
        debug!("connections of the webhook are still open");
    }
}

fn closed_after(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, routes: Router, closing: &CancellationToken) {
    // An answer is small and must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "a client of the webhook ended the handshake"),
        Err(_) => return debug!("a client of the webhook does not finish the handshake"),
    };
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER).max_buf_size(HEADER_BYTES);
    let serving = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => {}
        () = closing.cancelled() => {
            // The request that is running is answered.
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

#[cfg(test)]
mod tests;
