//! The health checks and actions for Argo CD, run as Argo CD runs them, on statuses that the operator's own code makes. The scenarios in
//! `tests/e2e/scenarios/argocd.rs` run them on objects of a real API server.

// A panic is how a test fails, so preconditions are expected.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod actions;
mod health;
mod lua;
