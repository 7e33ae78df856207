//! Tests of the embedded catalogue against the n8n installation that it was made from, and of its evaluation of conditions, defaults,
//! required values and ports against n8n's own code.
//!
//! `make test` starts the stack; WEIRKEEPER_STACK names its folder. Without it these tests fail, they are never skipped.

// Tests unwrap and expect their preconditions; a panic is how a test fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod agreement;
mod command;
mod embedded;
mod installation;
mod reaches;
