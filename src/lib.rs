//! Weirkeeper manages n8n workflows as Kubernetes custom resources: it validates them, syncs them to
//! n8n, records versions, watches their health, and rolls back to the last good version.
//!
//! Each layer uses only those below it (docs/architecture.md):
//! `app` > `controller`, `webhook`, `cli` > `kubernetes` > `n8n`, `llm` (wire clients) > `http` > `manifest` > `domain`, `generation` > `validator` > `catalog` > `document` > `text` > `api`.

pub mod api;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod controller;
pub mod document;
pub mod domain;
pub mod generation;
pub mod http;
pub mod kubernetes;
pub mod llm;
pub mod manifest;
pub mod n8n;
pub mod text;
pub mod validator;
pub mod webhook;
