//! Errors of `weirkeeper catalog`.

use std::io;

use super::installation::InstallationError;
use crate::catalog::Unreadable;

/// What the API server lets a ConfigMap hold.
pub(super) const LARGEST_CONFIG_MAP: usize = 1024 * 1024;

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The installation could not be read.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// A file could not be read or written.
    #[error("{attempt} {file}: {source}")]
    File {
        /// `read` or `write`.
        attempt: &'static str,
        /// Which.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file is no catalogue.
    #[error("read {file}: {source}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: Unreadable,
    },
    /// No ConfigMap can hold it.
    #[error("the catalogue has {0} bytes and a ConfigMap holds {LARGEST_CONFIG_MAP}; leave packages out that no workflow uses")]
    TooLarge(usize),
    /// Nothing of this name is there.
    #[error("{0}")]
    Unknown(String),
}
