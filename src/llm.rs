//! Client of servers of language models with OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp, gateways.
//!
//! - It connects as [`http`](crate::http) allows, and sends the key to one origin only.
//! - A call ends at its deadline, with all its retries and waits. Overload, failures of the server and broken connections are repeated with
//!   backoff; a server that fails again and again is left alone for a while.
//! - JSON is asked for in the strongest way that the server supports, which is found out and remembered.
//! - Answers are read leniently and bounded in size. A usage that is missing or cannot be true is replaced by an estimate.
//!
//! async-openai supplies the types of the requests, and hands each request to the tower service in `courier`, which does the rest: the
//! transport of async-openai has no deadline, obeys any `Retry-After`, and logs whole bodies (docs/decisions/0031-async-openai.md).

mod breaker;
mod chat;
mod client;
mod courier;
mod error;
mod limits;
mod metrics;
mod prober;
mod refusal;
mod reply;
mod retry;
mod settings;
mod style;
mod usage;

pub use breaker::Breaker;
pub use client::ModelClient;
pub use error::{ErrorKind, ModelError};
pub use metrics::ModelMetrics;
pub use prober::Listed;
pub use settings::{Limits, ModelSettings, Settings, SettingsError};
