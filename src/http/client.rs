//! Settings of the connections to one server, and the client made from them.

use std::num::NonZeroU32;
use std::sync::Once;
use std::time::Duration;

use thiserror::Error;

use super::address::{AddressPolicy, CheckedResolver};
use super::error::innermost;

/// Maximum idle time of a reused connection: n8n, like any server on Node.js, closes idle connections after 5 s.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Maximum time to establish a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// Settings of the connections to one server. None are read from the environment; proxies are never used.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// PEM certificates to trust instead of the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// The field or option that names the trusted certificates, for messages.
    pub trust_named_in: &'static str,
    /// True if any URL of the server begins with `https`.
    pub tls: bool,
    /// Maximum time for a complete answer.
    pub request_timeout: Duration,
    /// Maximum mean rate; a burst of one second's worth is allowed. `None`: no limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// Maximum number of concurrent requests.
    pub max_concurrent_requests: NonZeroU32,
    /// Allows connections to loopback addresses, for tests and demos.
    pub allow_loopback: bool,
}

/// Error for settings from which no client can be created.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ClientError {
    /// The CA bundle contains no readable certificate.
    #[error("the CA bundle is not a list of PEM certificates: {0}")]
    CaBundle(String),
    /// The TLS or HTTP layer cannot be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

impl HttpSettings {
    pub(super) fn addresses(&self) -> AddressPolicy {
        AddressPolicy { allow_loopback: self.allow_loopback }
    }

    /// Builds the HTTP client.
    pub(super) fn build(&self) -> Result<reqwest::Client, ClientError> {
        install_crypto();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("weirkeeper/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(CheckedResolver(self.addresses()))
            .pool_idle_timeout(POOL_IDLE)
            .connect_timeout(CONNECT.min(self.request_timeout));
        match &self.ca_bundle {
            Some(pem) => {
                let bundle = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| ClientError::CaBundle(innermost(&error)))?;
                if bundle.is_empty() {
                    return Err(ClientError::CaBundle("it contains no certificate".into()));
                }
                builder = builder.tls_certs_only(bundle);
            }
            // Without TLS the system's certificates are not needed, and a container image may have none.
            None if !self.tls => builder = builder.tls_certs_only([]),
            None => {}
        }
        builder.build().map_err(|error| ClientError::Client(innermost(&error)))
    }
}

/// Installs a crypto provider for reqwest, which uses the one of the process; the first one installed wins, and any will do.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
    });
}
