//! Output formats.

use clap::ValueEnum;

/// Output format.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    Human,
    /// JSON for programs.
    Json,
}
