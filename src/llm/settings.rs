//! Settings of the client of one server.

use std::num::NonZeroU32;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::api::provider::OutputMode;
use crate::generation::call::ModelTier;
use crate::http::{ApiKey, ClientError, HttpSettings, check_base};

/// Settings of the client of one server. None are read from the environment; proxies are never used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The base URL, the part before `/chat/completions`.
    pub base_url: Url,
    /// The key, sent only below `base_url`; none for local servers.
    pub key: Option<ApiKey>,
    /// PEM certificates to trust instead of the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// The field or option that names the trusted certificates, for messages.
    pub trust_named_in: &'static str,
    /// The model for simple workflows.
    pub simple: ModelSettings,
    /// The model for all others.
    pub complex: ModelSettings,
    /// Limits on the requests.
    pub limits: Limits,
    /// Maximum time for an answer, with all retries and waits.
    pub timeout: Duration,
    /// Strongest way of asking for JSON that is tried.
    pub output: OutputMode,
    /// Allows connections to loopback addresses, for tests, demos and the command line.
    pub allow_loopback: bool,
}

/// A model of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSettings {
    /// Its name on the server.
    pub name: String,
    /// Maximum number of tokens of question and answer together.
    pub context_tokens: Option<u32>,
    /// Maximum number of tokens of an answer.
    pub maximum_output_tokens: Option<u32>,
    /// Way of asking for JSON that it is known to obey.
    pub output: Option<OutputMode>,
}

impl ModelSettings {
    /// Returns a model of which nothing but the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), context_tokens: None, maximum_output_tokens: None, output: None }
    }
}

/// Limits on the requests to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of requests in a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Maximum number of tokens in a minute.
    pub tokens_per_minute: Option<NonZeroU32>,
    /// Maximum number of concurrent requests.
    pub concurrency: NonZeroU32,
}

/// Number of concurrent requests without a limit of its own.
const CONCURRENCY: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_minute: None, tokens_per_minute: None, concurrency: CONCURRENCY }
    }
}

/// Error for settings from which no client can be created.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// The URL is not a plain base URL.
    #[error("the base URL {0}")]
    Url(&'static str),
    /// The CA bundle is unreadable, or TLS cannot be set up.
    #[error(transparent)]
    Http(#[from] ClientError),
}

impl Settings {
    /// Returns the settings of a server whose one model is asked for everything, without limits.
    pub fn new(base_url: Url, model: &str) -> Self {
        Self {
            base_url,
            key: None,
            ca_bundle: None,
            trust_named_in: "spec.caBundle",
            simple: ModelSettings::named(model),
            complex: ModelSettings::named(model),
            limits: Limits::default(),
            timeout: Duration::from_secs(120),
            output: OutputMode::StrictSchema,
            allow_loopback: false,
        }
    }

    /// Returns the model of a tier.
    pub const fn model(&self, tier: ModelTier) -> &ModelSettings {
        match tier {
            ModelTier::Simple => &self.simple,
            ModelTier::Complex => &self.complex,
        }
    }

    /// Checks the URL.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        check_base(&self.base_url).map_err(SettingsError::Url)?;
        if self.base_url.path().trim_end_matches('/').ends_with("/chat/completions") {
            return Err(SettingsError::Url("must not end in /chat/completions; remove that part"));
        }
        Ok(())
    }

    /// Returns the settings of the connections.
    pub(super) fn http(&self) -> HttpSettings {
        HttpSettings {
            ca_bundle: self.ca_bundle.clone(),
            trust_named_in: self.trust_named_in,
            tls: self.base_url.scheme() == "https",
            request_timeout: self.timeout,
            requests_per_second: None,
            max_concurrent_requests: self.limits.concurrency,
            allow_loopback: self.allow_loopback,
        }
    }
}
