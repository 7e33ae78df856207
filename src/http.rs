//! HTTP clients of servers that tenants choose. Knows no server and no API.
//!
//! - It connects only to allowed addresses, checked after DNS; follows no redirect and uses no proxy.
//! - A slow server delays only its own requests: each server has slots, a rate, and pauses that its answers ask for.
//! - Each request has a deadline for the complete answer. Each answer is bounded in size, and all answers together by the memory that the
//!   process has for them.
//! - A write is sent only while this process may write, and never repeated.

mod address;
mod base;
mod client;
mod error;
mod fence;
mod headers;
mod key;
mod memory;
mod throttle;
mod transport;

pub use base::{below, check_base};
pub use client::{ClientError, HttpSettings};
pub use error::TransportError;
pub use fence::{LeaderFence, WritePermit, boot_clock};
pub use headers::{asked_pause, clock_ahead, retry_after};
pub use key::{ApiKey, UnsendableKey};
pub use memory::{Memory, Part};
pub use throttle::RequestLength;
pub use transport::{Request, Response, SMALL_ANSWER, Transport};
