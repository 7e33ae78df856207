//! `/livez`, `/readyz` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};

use super::crds::CrdReadiness;
use super::webhook::WebhookReadiness;
use crate::controller::Liveness;

/// Returns the routes. All of them answer from memory.
pub(super) fn routes(liveness: Liveness, (crds, webhook): (CrdReadiness, WebhookReadiness), registry: Registry) -> Router {
    let ready = Router::new().route("/readyz", get(readyz)).with_state((liveness.clone(), crds, webhook));
    let health = Router::new().route("/livez", get(livez)).with_state(liveness).merge(ready);
    health.merge(Router::new().route("/metrics", get(metrics)).with_state(registry))
}

async fn livez(State(liveness): State<Liveness>) -> (StatusCode, String) {
    match liveness.liveness_error() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(liveness_error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{liveness_error}\n")),
    }
}

async fn readyz(State((liveness, crds, webhook)): State<(Liveness, CrdReadiness, WebhookReadiness)>) -> (StatusCode, String) {
    match crds.waiting_for().or_else(|| liveness.waiting_for().map(str::to_owned)).or_else(|| webhook.waiting_for()) {
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
