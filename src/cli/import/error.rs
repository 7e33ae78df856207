//! Errors of `weirkeeper import`.

use crate::cli::connection::ConnectionError;
use crate::n8n::N8nError;

/// Reason for which nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file could not be written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// Files to write exist already.
    #[error("nothing was written because these files exist: {0}; use --force to overwrite them")]
    Exists(String),
    /// The arguments are not valid for a connection to n8n.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A call to n8n failed.
    #[error(transparent)]
    N8n(#[from] N8nError),
    /// n8n has no workflow with these ids.
    #[error("n8n has no workflow with the id {0}, or the key cannot see it")]
    Missing(String),
}
