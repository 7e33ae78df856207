//! Connection of commands to n8n: URL, API key, trusted certificates.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use url::Url;

use crate::http::ApiKey;
use crate::n8n::{ClientSettings, N8nClient, N8nMetrics, SettingsError};

/// Timeout of a request to n8n. A page of a list has up to 250 workflows.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Arguments for the connection to n8n.
#[derive(Args)]
pub struct ConnectionArguments {
    /// URL of n8n, for example https://n8n.example.com.
    #[arg(long)]
    url: Url,
    /// File that contains the API key. Default: the environment variable WEIRKEEPER_N8N_API_KEY.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// PEM certificates to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Reason for which no connection to n8n can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No API key is given.
    #[error("no API key: set --api-key-file or WEIRKEEPER_N8N_API_KEY")]
    NoKey,
    /// A file could not be read.
    #[error("read {0}: {1}")]
    File(String, std::io::Error),
    /// The arguments are not valid for a connection.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The system refuses a thread, a socket or a metric.
    #[error("start: {0}")]
    Start(String),
}

impl ConnectionArguments {
    /// Creates a client; `key` is the API key from the environment.
    pub(super) fn client(&self, key: Option<&str>) -> Result<N8nClient, ConnectionError> {
        let settings = ClientSettings {
            url: self.url.clone(),
            api_key: match &self.api_key_file {
                Some(path) => ApiKey::parse(&String::from_utf8_lossy(&read(path)?)).map_err(SettingsError::from)?,
                None => ApiKey::parse(key.ok_or(ConnectionError::NoKey)?).map_err(SettingsError::from)?,
            },
            ca_bundle: self.ca_file.as_deref().map(read).transpose()?,
            trust_named_in: "--ca-file",
            request_timeout: TIMEOUT,
            requests_per_second: None,
            max_concurrent_requests: NonZeroU32::MIN,
            webhook_check_url: None,
            // The user of the command chose the address for this machine.
            allow_loopback: true,
        };
        let metrics = N8nMetrics::register(&prometheus::Registry::new()).map_err(|error| ConnectionError::Start(error.to_string()))?;
        Ok(N8nClient::new(settings, metrics)?)
    }
}

/// Creates the runtime of a command.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, ConnectionError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| ConnectionError::Start(error.to_string()))
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectionError> {
    std::fs::read(path).map_err(|error| ConnectionError::File(path.display().to_string(), error))
}
