//! Subcommands for people and pipelines. Only `release` and `crds --check` connect to a cluster.

pub mod catalog;
pub mod cluster;
pub mod compact;
pub mod connection;
pub mod crds;
pub mod credentials;
pub mod evaluate;
pub mod generate;
pub mod import;
pub mod release;
mod stdout;
pub mod template;
pub mod validate;
