//! Errors of `weirkeeper verdict`.

use crate::cli::catalog::CatalogError;
use crate::cli::connection::ConnectionError;
use crate::n8n::N8nError;

/// Reason for which n8n was not asked, or not about all workflows.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// The flag that allows writes is missing.
    #[error("this command creates workflows in that n8n and deletes them again; pass --write-scratch-workflows to allow it")]
    NotAllowed,
    /// The arguments are not valid for a connection to n8n.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The catalogue cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A call to n8n failed.
    #[error(transparent)]
    N8n(#[from] N8nError),
    /// The fence does not hold.
    #[error("this n8n publishes a workflow that calls one which does not exist, so a scratch workflow could be published: {0}")]
    NoFence(String),
}
