//! `/livez`, `/readyz` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};

use crate::controller::Pulse;

/// The routes. Each answers from memory.
pub(super) fn routes(pulse: Pulse, registry: Registry) -> Router {
    let health = Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(pulse);
    health.merge(Router::new().route("/metrics", get(metrics)).with_state(registry))
}

async fn livez(State(pulse): State<Pulse>) -> (StatusCode, String) {
    match pulse.ailment() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(ailment) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{ailment}\n")),
    }
}

async fn readyz(State(pulse): State<Pulse>) -> (StatusCode, String) {
    match pulse.waiting_for() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(waiting) => (StatusCode::SERVICE_UNAVAILABLE, format!("{waiting}\n")),
    }
}

async fn metrics(State(registry): State<Registry>) -> axum::response::Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => ([(CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
