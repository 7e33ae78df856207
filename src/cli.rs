//! Subcommands that people and pipelines run: they print or write files, and talk to no cluster.

pub mod catalog;
pub mod connection;
pub mod crds;
pub mod import;
pub mod validate;
pub mod verdict;
