//! The stand-in is held to what n8n 2.39.10 was seen to do.

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
