//! Scenarios on the real components: a real kube-apiserver, the operator as a process with its own RBAC identity, and a real n8n or, for
//! speed or for faults, the stand-in.
//!
//! `make test` starts the stack; WEIRKEEPER_STACK names its folder. Without it these tests fail, they are never skipped.

// A panic is how a test fails, so preconditions are expected.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod agreement;
mod harness;
#[path = "../model/llama.rs"]
mod llama;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../model/server.rs"]
mod model;
mod scenarios;
mod standin;
