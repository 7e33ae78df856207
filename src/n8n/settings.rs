//! Connection settings of one n8n.

use std::num::NonZeroU32;
use std::sync::Once;
use std::time::Duration;

use url::Url;

use super::address::{AddressPolicy, CheckedResolver};
use super::error::SettingsError;
use super::key::ApiKey;
use crate::text::one_line;

/// Maximum idle time of a reused connection: n8n closes idle connections after 5 s.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Maximum time to establish a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// Connection settings of one n8n. None are read from the environment; proxies are never used.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The base URL, `http` or `https`, with or without a path prefix: `https://host/n8n`.
    pub url: Url,
    /// The API key, sent only to the API below `url`.
    pub api_key: ApiKey,
    /// PEM certificates to trust instead of the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// The field or option that names the trusted certificates, for messages.
    pub trust_named_in: &'static str,
    /// Maximum time from sending a request to its complete answer. Time in the client's queue is not part of it.
    pub request_timeout: Duration,
    /// Maximum mean rate; a burst of one second's worth is allowed. `None`: no limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// Maximum number of concurrent requests.
    pub max_concurrent_requests: NonZeroU32,
    /// URL at which this process reaches production webhooks, if not `url`.
    pub webhook_check_url: Option<Url>,
    /// Allows connections to loopback addresses, for tests and demos.
    pub allow_loopback: bool,
}

impl ClientSettings {
    pub(super) fn address_policy(&self) -> AddressPolicy {
        AddressPolicy { allow_loopback: self.allow_loopback }
    }

    /// Checks the URLs and builds the HTTP client.
    pub(super) fn build_http(&self) -> Result<reqwest::Client, SettingsError> {
        check_base(&self.url, "url")?;
        if self.url.path().trim_end_matches('/').ends_with("/api/v1") {
            return Err(SettingsError::Url("url", "must not end in /api/v1; remove that part"));
        }
        if let Some(url) = &self.webhook_check_url {
            check_base(url, "webhookCheckURL")?;
        }
        install_crypto();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("weirkeeper/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(CheckedResolver(self.address_policy()))
            .pool_idle_timeout(POOL_IDLE)
            .connect_timeout(CONNECT.min(self.request_timeout));
        let tls = [Some(&self.url), self.webhook_check_url.as_ref()].into_iter().flatten().any(|u| u.scheme() == "https");
        match &self.ca_bundle {
            Some(pem) => {
                let bundle = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| SettingsError::CaBundle(innermost(&error)))?;
                if bundle.is_empty() {
                    return Err(SettingsError::CaBundle("it contains no certificate".into()));
                }
                builder = builder.tls_certs_only(bundle);
            }
            // Without TLS the system's certificates are not needed, and a container image may have none.
            None if !tls => builder = builder.tls_certs_only([]),
            None => {}
        }
        builder.build().map_err(|error| SettingsError::Client(innermost(&error)))
    }
}

fn check_base(url: &Url, which: &'static str) -> Result<(), SettingsError> {
    let problem = if !matches!(url.scheme(), "http" | "https") {
        "must start with http:// or https://"
    } else if url.host_str().is_none_or(str::is_empty) || url.cannot_be_a_base() {
        "must name a host"
    } else if !url.username().is_empty() || url.password().is_some() {
        "must not contain a user name or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "must not have a query or fragment"
    } else {
        return Ok(());
    };
    Err(SettingsError::Url(which, problem))
}

/// Installs a crypto provider for reqwest, which uses the one of the process; the first one installed wins, and any will do.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Returns the message of the innermost cause, which is the most helpful one.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    one_line(&cause.to_string(), 200)
}
