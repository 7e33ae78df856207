//! The stand-in behaves as n8n 2.39.10 was observed to behave.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is test code")]

mod caller;
mod compare;
mod executions;
mod faults;
mod lifecycle;
mod publishing;
mod resources;
mod webhooks;
mod workflows;
