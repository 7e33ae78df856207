//! Errors of `weirkeeper verdict`.

use crate::cli::catalog::CatalogError;
use crate::cli::connection::ConnectionError;
use crate::n8n::N8nError;

/// Why n8n was not asked, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// The flag is not there.
    #[error("this creates workflows in that n8n and deletes them again; say --write-scratch-workflows if it may")]
    NotAllowed,
    /// n8n cannot be spoken to with these arguments.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The catalogue cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// n8n did not answer as wanted.
    #[error(transparent)]
    N8n(#[from] N8nError),
    /// The fence does not hold.
    #[error("this n8n publishes a workflow that calls one which does not exist, so a scratch workflow could go live: {0}")]
    NoFence(String),
}
