//! Sending a request and reading its answer: pacing, address check, write permit, deadline, bounded size and memory.

use std::error::Error;
use std::time::Duration;

use futures::StreamExt as _;
use http_body_util::{BodyStream, StreamBody};
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::address::{AddressPolicy, Denied};
use super::client::{ClientError, HttpSettings};
use super::error::TransportError;
use super::fence::WritePermit;
use super::headers::retry_after;
use super::memory::{FREE, Memory, Part};
use super::throttle::{RequestLength, SHORTEST_PAUSE, Throttle};

/// Maximum time that a request waits in the queue. Beyond it the server cannot catch up.
const LONGEST_QUEUE: Duration = Duration::from_secs(120);

/// Maximum size of an answer that is not a success.
pub const SMALL_ANSWER: usize = 1024 * 1024;

/// Minimum rate, in bytes per second, of a large answer that holds memory, after a moment in which it begins: it keeps others waiting.
const SLOWEST: usize = 1024 * 1024;
const BEGINS_WITHIN: Duration = Duration::from_secs(5);

/// Connections to one server.
#[derive(Debug)]
pub struct Transport {
    client: reqwest::Client,
    addresses: AddressPolicy,
    trust_named_in: &'static str,
    throttle: Throttle,
    /// The budget for answers.
    pub memory: Memory,
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The full URL.
    pub url: Url,
    /// The headers; the client adds those of the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// Maximum time from sending to the complete answer.
    pub timeout: Duration,
    /// Maximum size of the answer that is read.
    pub limit: usize,
}

/// A complete answer.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to the limit of the request.
    pub body: Vec<u8>,
    /// True if the body exceeded the limit and was cut.
    pub overflowed: bool,
    /// The memory that the answer holds until it is parsed.
    pub memory: Option<Part>,
}

impl Transport {
    /// Creates the connections. Nothing is sent.
    ///
    /// # Errors
    /// If the CA bundle is unreadable, or TLS cannot be set up.
    pub fn new(settings: &HttpSettings, memory: Memory) -> Result<Self, ClientError> {
        Ok(Self {
            client: settings.build()?,
            addresses: settings.addresses(),
            trust_named_in: settings.trust_named_in,
            throttle: Throttle::new(settings.max_concurrent_requests, settings.requests_per_second, LONGEST_QUEUE),
            memory,
        })
    }

    /// Waits for a turn, and for the permit of a write; calls `sent`, sends the request and reads its answer.
    ///
    /// # Errors
    /// If there is no complete answer.
    pub async fn exchange(
        &self,
        length: RequestLength,
        request: &Request,
        permit: Option<&WritePermit>,
        sent: impl FnOnce() + Send,
    ) -> Result<Response, TransportError> {
        let asked = Instant::now();
        let _slot = self.throttle.enter(length).await?;
        self.addresses.check_literal(&request.url).map_err(|Denied(address)| TransportError::AddressDenied(address))?;
        if let Some(permit) = permit {
            permit.fence.wait_until_held().await;
            if permit.has_passed() {
                return Err(TransportError::NoTurn(asked.elapsed()));
            }
        }
        sent();
        self.transfer(request, permit).await
    }

    /// Returns a client that builds requests. Sent by it, a request would wait for no turn and its answer have no bound.
    pub fn builder(&self) -> reqwest::Client {
        self.client.clone()
    }

    /// Pauses all requests for as long as an answer asks.
    pub fn pause_as_asked(&self, response: &Response) {
        match (response.status.as_u16(), retry_after(&response.headers)) {
            // A `Retry-After` of 0, or of a time in the past, names no pause.
            (429, wait) => self.throttle.pause(wait.unwrap_or_default().max(SHORTEST_PAUSE)),
            (503, Some(wait)) => self.throttle.pause(wait),
            _ => {}
        }
    }

    /// Sends the request, and repeats a read once if it was cut off before any answer, because the server may just have closed a kept-alive
    /// connection. A write is never repeated here, except by the connection pool if no byte of it was sent.
    ///
    /// # Errors
    /// If there is no complete answer.
    pub async fn transfer(&self, request: &Request, permit: Option<&WritePermit>) -> Result<Response, TransportError> {
        let deadline = Instant::now() + request.timeout;
        let mut repeatable = request.method == Method::GET && permit.is_none();
        loop {
            let mut builder = self
                .client
                .request(request.method.clone(), request.url.clone())
                .headers(request.headers.clone())
                .timeout(deadline.saturating_duration_since(Instant::now()));
            if let Some(body) = &request.body {
                builder = match permit {
                    Some(permit) => builder.header(CONTENT_LENGTH, body.len()).body(fenced_body(body.clone(), permit.clone())),
                    None => builder.body(body.clone()),
                };
            }
            match builder.send().await {
                Ok(response) => return self.read(request, response, deadline).await,
                Err(error) if repeatable && error.is_request() && !error.is_connect() && !error.is_timeout() => {
                    repeatable = false;
                }
                Err(error) => return Err(TransportError::of(&error, self.trust_named_in)),
            }
        }
    }

    /// Reads an answer up to the limit of the request. After its first bytes it waits for the maximum memory that the answer can take.
    async fn read(&self, request: &Request, mut response: reqwest::Response, mut deadline: Instant) -> Result<Response, TransportError> {
        let status = response.status();
        let limit = if status.is_success() { request.limit } else { request.limit.min(SMALL_ANSWER) };
        let most = response.content_length().and_then(|length| usize::try_from(length).ok()).map_or(limit, |length| length.min(limit));
        let headers = std::mem::take(response.headers_mut());
        let (mut body, mut overflowed, mut memory) = (Vec::new(), false, None);
        if status.is_success() && response.content_length().is_some_and(|length| length > limit as u64) {
            // Its result would be discarded.
            return Ok(Response { status, headers, body, overflowed: true, memory });
        }
        loop {
            let chunk = match tokio::time::timeout_at(deadline, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| TransportError::of(&error, self.trust_named_in))?,
                Err(_) => return Err(TransportError::TimedOut),
            };
            let Some(chunk) = chunk else { break };
            let room = limit - body.len();
            if memory.is_none() && body.len() + chunk.len().min(room) > FREE {
                memory = tokio::time::timeout_at(deadline, self.memory.read(most)).await.ok().flatten();
                if memory.is_none() {
                    return Err(TransportError::MemoryFull);
                }
                deadline = deadline.min(Instant::now() + BEGINS_WITHIN + Duration::from_secs((most / SLOWEST) as u64));
                if response.content_length().is_some() {
                    // Otherwise it would grow to up to twice the size of the answer.
                    body.reserve_exact(most.saturating_sub(body.len()));
                }
            }
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                overflowed = true;
                break;
            }
        }
        Ok(Response { status, headers, body, overflowed, memory })
    }
}

/// Returns the body of a write, which fails once this process may not write any more. The process may be stopped while it connects, after
/// it checked the fence, and must not send the rest of the request when it resumes.
fn fenced_body(body: Vec<u8>, permit: WritePermit) -> reqwest::Body {
    let frames = BodyStream::new(reqwest::Body::from(body)).map(move |frame| match frame {
        Ok(frame) if permit.holds() => Ok(frame),
        Ok(_) => Err("the leader fence expired before the request was sent".into()),
        Err(error) => Err(Box::<dyn Error + Send + Sync>::from(error)),
    });
    reqwest::Body::wrap(StreamBody::new(frames))
}
