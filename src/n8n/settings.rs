//! Connection settings of one n8n.

use std::num::NonZeroU32;
use std::time::Duration;

use url::Url;

use super::error::SettingsError;
use crate::http::{ApiKey, HttpSettings, check_base};

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
    /// Checks the URLs.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        check_base(&self.url).map_err(|problem| SettingsError::Url("url", problem))?;
        if self.url.path().trim_end_matches('/').ends_with("/api/v1") {
            return Err(SettingsError::Url("url", "must not end in /api/v1; remove that part"));
        }
        self.webhook_check_url.as_ref().map_or(Ok(()), check_base).map_err(|problem| SettingsError::Url("webhookCheckURL", problem))
    }

    /// Returns the settings of the connections.
    pub(super) fn http(&self) -> HttpSettings {
        HttpSettings {
            ca_bundle: self.ca_bundle.clone(),
            trust_named_in: self.trust_named_in,
            tls: [Some(&self.url), self.webhook_check_url.as_ref()].into_iter().flatten().any(|url| url.scheme() == "https"),
            request_timeout: self.request_timeout,
            requests_per_second: self.requests_per_second,
            max_concurrent_requests: self.max_concurrent_requests,
            allow_loopback: self.allow_loopback,
        }
    }
}
