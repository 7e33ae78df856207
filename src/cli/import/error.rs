//! Errors of `weirkeeper import`.

use crate::cli::connection::ConnectionError;
use crate::n8n::N8nError;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file could not be written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// Files are in the way.
    #[error("nothing was written, for these files exist: {0}; use --force to overwrite them")]
    Exists(String),
    /// n8n cannot be spoken to with these arguments.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// n8n did not answer as wanted.
    #[error(transparent)]
    N8n(#[from] N8nError),
    /// Ids that n8n does not have.
    #[error("n8n has no workflow with the id {0}, or the key cannot see it")]
    Missing(String),
}
