//! A server that answers whether a header has one of some values, as a service with an API key does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

/// A server that checks a header.
pub struct HeaderServer {
    address: SocketAddr,
    state: Arc<Checked>,
    _task: AbortOnDropHandle<()>,
}

struct Checked {
    header: &'static str,
    accepted: Mutex<Vec<String>>,
    last: Mutex<Option<String>>,
}

impl HeaderServer {
    /// Starts a server that accepts no value yet.
    pub async fn start(header: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Checked { header, accepted: Mutex::default(), last: Mutex::default() });
        let router = Router::new().fallback(check).with_state(state.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("the server runs") });
        Self { address, state, _task: AbortOnDropHandle::new(task) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/check", self.address)
    }

    /// Accepts these values from now on, and no others.
    pub fn accept(&self, values: &[&str]) {
        *self.state.accepted.lock().expect("no panic") = values.iter().map(|value| (*value).to_owned()).collect();
    }

    /// Returns the value that was sent last.
    pub fn last(&self) -> Option<String> {
        self.state.last.lock().expect("no panic").clone()
    }
}

async fn check(State(state): State<Arc<Checked>>, headers: HeaderMap) -> impl IntoResponse {
    let value = headers.get(state.header).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let accepted = state.accepted.lock().expect("no panic").contains(&value);
    *state.last.lock().expect("no panic") = Some(value);
    let status = if accepted { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    (status, [(CONTENT_TYPE, "application/json")], json!({ "accepted": accepted }).to_string())
}
