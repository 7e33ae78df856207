//! Weirkeeper manages n8n workflows as Kubernetes custom resources: it validates them, syncs them to
//! n8n, records versions, watches their health, and rolls back to the last good version.
//!
//! Layers, each may use only those below it:
//! `app` > `controller`, `cli` > `n8n` (wire client) > `domain` (pure) > `api`.

pub mod api;
pub mod app;
pub mod cli;
pub mod controller;
pub mod domain;
pub mod n8n;
