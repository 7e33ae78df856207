//! Errors of `weirkeeper catalog`.

use std::io;

use super::installation::InstallationError;
use crate::catalog::Unreadable;

/// Maximum size of a ConfigMap that the API server accepts.
pub(super) const LARGEST_CONFIG_MAP: usize = 1024 * 1024;

/// Error of a catalogue command.
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
        /// The file.
        file: String,
        /// The cause.
        source: io::Error,
    },
    /// A file is not a catalogue.
    #[error("read {file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The cause.
        source: Unreadable,
    },
    /// The catalogue is too large for a ConfigMap.
    #[error("the catalogue has {0} bytes, and a ConfigMap holds at most {LARGEST_CONFIG_MAP}; leave out packages that no workflow uses")]
    TooLarge(usize),
    /// No type of this name exists.
    #[error("{0}")]
    Unknown(String),
}
