//! Meaning of HTTP answers. Of the body only n8n's own JSON `message` and its start-up page are evaluated.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use serde_json::Value;
use url::Url;

use super::error::{Denial, MESSAGE_CHARS, N8nError};
use super::operation::Operation;
use crate::document::lenient_json::{self, Shallow};
use crate::http::{ApiKey, Part, retry_after};
use crate::text::one_line;

/// Beginning of the page that n8n sends with status 200 on every path while it migrates its database.
const STARTING: &[u8] = b"n8n is starting up";

/// Advice if the API's path does not exist.
const NO_API: &str = "the API is disabled or served at another path (unset N8N_PUBLIC_API_DISABLED and N8N_PUBLIC_API_ENDPOINT in n8n), a proxy in front of n8n does not forward /api/v1, the URL points elsewhere, or n8n is still starting";

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The method and the path of the request.
    pub(super) asked: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// True if the body exceeded the limit and was cut.
    pub(super) overflowed: bool,
    /// The memory that the answer holds until it is parsed.
    pub(super) memory: Option<Part>,
    /// The client's API key, which is hidden in all messages about the answer.
    pub(super) key: ApiKey,
}

/// The JSON error that n8n sends.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    pub(super) message: Option<String>,
    version_id: Option<String>,
}

impl Answer {
    /// Returns n8n's JSON error, if the body is one.
    pub(super) fn complaint(&self) -> Option<Complaint> {
        let json = self.json()?;
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        text("message").map(|message| Complaint { message: Some(self.key.hide_in(&message)), version_id: text("versionId") })
    }

    /// Returns the body, if it is JSON; values that nest too deep are left out.
    pub(super) fn json(&self) -> Option<Value> {
        let mut deserializer = serde_json::Deserializer::from_slice(&self.body);
        let Shallow { value, .. } = lenient_json::read(&mut deserializer, &[]).ok()?;
        deserializer.end().ok().map(|()| value)
    }

    /// Reports whether this is n8n's start-up page, or Express's answer for a route that is not registered yet.
    pub(super) fn is_starting(&self) -> bool {
        self.is_starting_page() || (self.status == StatusCode::NOT_FOUND && find(&self.body, b"<pre>Cannot ").is_some())
    }

    fn is_starting_page(&self) -> bool {
        self.body.starts_with(STARTING)
    }

    /// Returns the body of a success, or else the error.
    pub(super) fn accept(self, operation: Operation, limit: usize) -> Result<Vec<u8>, N8nError> {
        if self.is_starting_page() {
            return Err(self.not_ready(operation));
        }
        if !self.status.is_success() {
            return Err(self.error(operation));
        }
        if self.is_html() {
            return Err(self.not_api(operation));
        }
        if self.overflowed {
            return Err(N8nError::AnswerTooLarge { operation, limit });
        }
        Ok(self.body)
    }

    /// Returns the error of an unsuccessful answer. A 404 is not confirmed yet.
    pub(super) fn error(&self, operation: Operation) -> N8nError {
        let status = self.status.as_u16();
        let complaint = self.complaint();
        let message = complaint.as_ref().and_then(|c| c.message.as_deref()).map(|m| one_line(m, MESSAGE_CHARS));
        match status {
            300..=399 => N8nError::RedirectRefused { operation, asked: self.asked.clone(), status, to: self.redirect_origin() },
            408 | 425 => N8nError::Protocol { operation, reason: format!("HTTP {status}, which asks to try again") },
            404 => match message {
                Some(message) => N8nError::NotFound { operation, message },
                None => self.not_api(operation),
            },
            413 => N8nError::TooLarge { operation },
            429 => N8nError::RateLimited { operation, retry_after: retry_after(&self.headers) },
            503 => self.not_ready(operation),
            500..=599 => N8nError::Server { operation, status, message },
            400..=499 => match message {
                // The status concerns whatever is in front of n8n, never the request.
                None => self.not_api(operation),
                Some(_) if status == 401 => N8nError::Unauthorized { operation },
                Some(message) if status == 403 => {
                    let version_id = complaint.and_then(|c| c.version_id);
                    N8nError::Forbidden { operation, denial: denial(&message, version_id), message }
                }
                Some(message) if outdated(status, &message) => N8nError::Outdated { operation, message },
                Some(message) => N8nError::Refused { operation, status, message },
            },
            _ => N8nError::Protocol { operation, reason: format!("HTTP {status}") },
        }
    }

    fn is_html(&self) -> bool {
        self.content().starts_with("text/html")
    }

    fn content(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type")
    }

    pub(super) fn not_api(&self, operation: Operation) -> N8nError {
        N8nError::NotApi {
            operation,
            asked: self.asked.clone(),
            status: self.status.as_u16(),
            content: one_line(&self.key.hide_in(self.content().split(';').next().unwrap_or_default()), 60),
            advice: self.advice(),
        }
    }

    /// Returns advice on what to change so that n8n's API answers.
    fn advice(&self) -> &'static str {
        let has = |needle: &[u8]| find(&self.body, needle).is_some();
        match self.status.as_u16() {
            400 if has(b"HTTPS port") || has(b"HTTPS server") => "the port speaks TLS; write https:// in the URL",
            401 | 403 | 407 => {
                "a gateway in front of n8n requires a login; let requests with the header X-N8N-API-KEY pass it, or set a URL behind the gateway"
            }
            404 => NO_API,
            200..=299 if has(b"n8n:config") => {
                "n8n's editor answers, so the API is disabled or served at another path; unset N8N_PUBLIC_API_DISABLED and N8N_PUBLIC_API_ENDPOINT in n8n"
            }
            200..=299 => "a login page or another site answers; set a URL at which n8n's API answers without a login",
            _ => "a proxy in front of n8n may have refused the request",
        }
    }

    pub(super) fn not_ready(&self, operation: Operation) -> N8nError {
        N8nError::NotReady { operation, status: self.status.as_u16(), retry_after: retry_after(&self.headers) }
    }

    fn redirect_origin(&self) -> Option<String> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        let origin = Url::parse(location).ok()?.origin();
        origin.is_tuple().then(|| one_line(&self.key.hide_in(&origin.ascii_serialization()), 200))
    }
}

/// Reports whether this is the message of an n8n before 2.35 for a setting, a parameter or a call that was added later (measured on
/// 1.123.81). Newer releases answer "Unrecognized key(s)" to unknown keys, which is then the definition's fault.
fn outdated(status: u16, message: &str) -> bool {
    match status {
        400 => message.ends_with("must NOT have additional properties") || message.starts_with("Unknown query parameter"),
        405 => message.ends_with("method not allowed"),
        _ => false,
    }
}

fn denial(message: &str, version_id: Option<String>) -> Denial {
    if message.starts_with("Your change was saved as a draft") {
        Denial::SavedAsDraft { version_id }
    } else if message.contains("license does not allow")
        || message.contains("not licensed")
        || message.contains("not available on your plan")
    {
        Denial::Unlicensed
    } else if message == "Forbidden" {
        Denial::MissingScope
    } else {
        Denial::Other
    }
}

/// Returns the position of `needle` in `text`.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

/// Maximum size of a body that is parsed in place; larger ones take tens of milliseconds and must not block the thread that serves other
/// calls.
const PARSE_INLINE: usize = 256 * 1024;

/// Parses the body of a success.
pub(super) async fn parse<T>(operation: Operation, body: Vec<u8>) -> Result<T, N8nError>
where
    T: serde::de::DeserializeOwned + Send + 'static,
{
    let parsed = if body.len() <= PARSE_INLINE {
        serde_json::from_slice(&body)
    } else {
        tokio::task::spawn_blocking(move || serde_json::from_slice(&body))
            .await
            .map_err(|_| N8nError::Protocol { operation, reason: "parsing was interrupted".into() })?
    };
    parsed.map_err(|error| N8nError::Protocol {
        operation,
        // The text of a serde error may quote the body.
        reason: match error.classify() {
            serde_json::error::Category::Eof => "the JSON ends early".into(),
            serde_json::error::Category::Data => {
                format!("not the expected JSON, at column {}", error.column())
            }
            _ => "not JSON".into(),
        },
    })
}

/// Result of n8n's health check.
#[derive(Debug)]
pub(super) enum Health {
    /// n8n is ready.
    Ready,
    /// n8n is starting, or its database is unavailable.
    NotReady(N8nError),
    /// The health check is hidden, moved, or behind a login, so something else answers.
    Silent,
}
