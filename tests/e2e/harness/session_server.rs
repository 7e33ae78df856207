//! A service in which n8n opens sessions with a password, as it does with Metabase: n8n keeps the session in the credential.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Router, body};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

/// The service.
pub struct SessionServer {
    address: SocketAddr,
    sessions: Arc<Mutex<Sessions>>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Sessions {
    /// Passwords with which sessions were opened, in order.
    opened: Vec<String>,
    /// The session that is valid.
    valid: Option<String>,
    /// True while every session is refused.
    refuses: bool,
}

impl SessionServer {
    /// Starts the service.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let sessions = Arc::<Mutex<Sessions>>::default();
        let router = Router::new().fallback(answer).with_state(sessions.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("the server runs") });
        Self { address, sessions, _task: AbortOnDropHandle::new(task) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the passwords with which sessions were opened.
    pub fn opened(&self) -> Vec<String> {
        self.sessions.lock().expect("no panic").opened.clone()
    }

    /// Ends the session that is valid.
    pub fn expire(&self) {
        self.sessions.lock().expect("no panic").valid = None;
    }

    /// Refuses every session from now on, or none.
    pub fn refuse(&self, refuses: bool) {
        self.sessions.lock().expect("no panic").refuses = refuses;
    }
}

async fn answer(State(sessions): State<Arc<Mutex<Sessions>>>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let mut sessions = sessions.lock().expect("no panic");
    let (status, answer) = if parts.uri.path() == "/api/session" {
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        sessions.opened.push(body["password"].as_str().unwrap_or_default().to_owned());
        let session = format!("session-{}", sessions.opened.len());
        sessions.valid = Some(session.clone());
        (StatusCode::OK, json!({ "id": session }))
    } else {
        let session = parts.headers.get("x-metabase-session").and_then(|value| value.to_str().ok());
        let accepted = !sessions.refuses && session.is_some() && session == sessions.valid.as_deref();
        (if accepted { StatusCode::OK } else { StatusCode::UNAUTHORIZED }, json!({ "accepted": accepted }))
    };
    (status, [(CONTENT_TYPE, "application/json")], answer.to_string())
}
