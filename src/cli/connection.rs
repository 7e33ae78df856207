//! How commands reach an n8n: where it is, the API key, whom to trust.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use url::Url;

use crate::n8n::{ApiKey, ClientSettings, N8nClient, N8nMetrics, SettingsError};

/// How long n8n may take for one answer. A page of a list is up to 250 workflows.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where n8n is and what to show it.
#[derive(Args)]
pub struct Connection {
    /// Where n8n is, for example https://n8n.example.com.
    #[arg(long)]
    url: Url,
    /// A file with the API key. Default: the environment variable WEIRKEEPER_N8N_API_KEY.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// PEM certificates to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Why n8n cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// There is no key.
    #[error("no API key: name a file with --api-key-file, or set WEIRKEEPER_N8N_API_KEY")]
    NoKey,
    /// A file could not be read.
    #[error("read {0}: {1}")]
    File(String, std::io::Error),
    /// n8n cannot be spoken to with these arguments.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The machine refuses a thread, a socket or a metric.
    #[error("start: {0}")]
    Start(String),
}

impl Connection {
    /// A client; `key` is that of the environment.
    pub(super) fn client(&self, key: Option<&str>) -> Result<N8nClient, ConnectionError> {
        let settings = ClientSettings {
            url: self.url.clone(),
            api_key: match &self.api_key_file {
                Some(path) => ApiKey::parse(&String::from_utf8_lossy(&read(path)?))?,
                None => ApiKey::parse(key.ok_or(ConnectionError::NoKey)?)?,
            },
            ca_bundle: self.ca_file.as_deref().map(read).transpose()?,
            trust_named_in: "--ca-file",
            request_timeout: TIMEOUT,
            requests_per_second: None,
            max_concurrent_requests: NonZeroU32::MIN,
            webhook_check_url: None,
            // Whoever runs this chose the address for this machine.
            allow_loopback: true,
        };
        let metrics = N8nMetrics::register(&prometheus::Registry::new()).map_err(|error| ConnectionError::Start(error.to_string()))?;
        Ok(N8nClient::new(settings, metrics)?)
    }
}

/// What the calls of a command run on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, ConnectionError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| ConnectionError::Start(error.to_string()))
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectionError> {
    std::fs::read(path).map_err(|error| ConnectionError::File(path.display().to_string(), error))
}
