//! The client of language models against a scripted server that is as unkind as real ones are. No stack is needed.

// A panic is how a test fails, so preconditions are expected.
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "../model/server.rs"]
mod model;

mod answers;
mod failures;
mod ladder;
mod limits;
mod secrecy;

use std::time::Duration;

use model::{MODEL, ModelServer};
use serde_json::json;
use weirkeeper::generation::call::ModelTier;
use weirkeeper::generation::call::{Message, ModelCall, OutputSchema, Role, Stage};
use weirkeeper::llm::{ModelClient, ModelMetrics, Settings};

/// An answer that satisfies the schema of [`call`].
pub const GOOD: &str = r#"{"name":"Report","nodes":[]}"#;

/// Returns a key, made at run time.
pub fn key() -> String {
    ["wk", &format!("{:08}", std::process::id()), "abcdefghijklmnopqrstuvwx"].join("-")
}

/// Returns settings for a server with a few seconds for a call.
pub fn settings(server: &ModelServer) -> Settings {
    Settings {
        key: Some(weirkeeper::http::ApiKey::parse(&key()).unwrap()),
        timeout: Duration::from_secs(8),
        allow_loopback: true,
        ..Settings::new(server.base_url().parse().unwrap(), MODEL)
    }
}

/// Returns a client with these settings.
pub fn client_of(settings: Settings) -> ModelClient {
    ModelClient::new(settings, ModelMetrics::register(&prometheus::Registry::new()).unwrap()).unwrap()
}

/// Returns a client of a server.
pub fn client(server: &ModelServer) -> ModelClient {
    client_of(settings(server))
}

/// Returns a call that asks for an object with `name` and `nodes`.
pub fn call() -> ModelCall {
    let message = |role, text: &str| Message { role, text: text.to_owned() };
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["name", "nodes"],
        "properties": { "name": { "type": "string" }, "nodes": { "type": "array", "items": { "type": "string" } } },
    });
    ModelCall {
        key: "0123456789abcdef".repeat(4),
        stage: Stage::Plan,
        tier: ModelTier::Complex,
        messages: vec![
            message(Role::System, "You write workflows as JSON with the keys name and nodes."),
            message(Role::User, "Every weekday at 8 send a report of the open orders to the sales channel."),
        ],
        output: Some(OutputSchema { name: "workflow".to_owned(), strict: schema.clone(), schema }),
        maximum_output_tokens: 400,
    }
}
