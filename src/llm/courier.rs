//! Delivery of the requests that async-openai writes: a tower service over our own connections. It waits for a turn, repeats what may pass,
//! and hands on only answers that are JSON with status 200, so that nothing is left for async-openai to misread or to log.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tokio::time::Instant;

use super::breaker::{Breaker, CircuitBreaker, ServerState};
use super::error::{ErrorKind, ModelError};
use super::limits::RateLimits;
use super::metrics::ModelMetrics;
use super::refusal::Refusal;
use super::reply::PARTS;
use super::retry;
use super::settings::Settings;
use super::usage;
use crate::document::lenient_json::{self, LARGEST, Meter, mend_surrogates};
use crate::http::{ApiKey, LeaderFence, Part, Request, RequestLength, Response, Transport, WritePermit, asked_pause};
use crate::text::one_line;

/// Maximum size of an answer: no model writes that much in the time of a call.
pub const LARGEST_ANSWER: usize = 2 * 1024 * 1024;
/// Longest pause that is named in messages.
const LONGEST_NAMED: Duration = Duration::from_secs(24 * 3600);
/// Header by which a gateway recognises a repeated request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// State that all calls of one server share.
#[derive(Debug)]
pub(super) struct Server {
    pub settings: Settings,
    pub http: Transport,
    pub breaker: CircuitBreaker,
    pub limits: RateLimits,
    pub metrics: ModelMetrics,
}

/// Facts about one call, which outlive each of its requests.
#[derive(Debug)]
pub(super) struct CallState {
    /// Key of the call.
    pub key: String,
    pub deadline: Instant,
    pub fence: LeaderFence,
    facts: Mutex<Facts>,
}

#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Number of requests that were sent.
    pub sent: u32,
    /// Tokens that are estimated for questions whose answer got lost.
    pub lost: u64,
    /// Bytes of the body of the last request.
    pub question: u64,
    /// Maximum number of tokens of the answer.
    pub maximum_output: u64,
    /// Number of times that the request was written in another style.
    pub rewritten: u32,
    /// The memory of the last answer, until it is parsed.
    pub memory: Option<Part>,
}

impl CallState {
    pub fn new(key: &str, deadline: Instant, fence: LeaderFence) -> Self {
        Self { key: key.to_owned(), deadline, fence, facts: Mutex::default() }
    }

    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns the value of the header that identifies the request.
    fn idempotency_key(&self) -> Option<HeaderValue> {
        match self.facts().rewritten {
            0 => HeaderValue::from_str(&self.key).ok(),
            // A gateway refuses the same key with another body.
            times => HeaderValue::from_str(&format!("{}-{times}", self.key)).ok(),
        }
    }
}

/// Reason for which a request has no answer, with what the server said.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(super) struct Undelivered {
    pub error: ModelError,
    pub refusal: Option<Refusal>,
}

impl From<ModelError> for Undelivered {
    fn from(error: ModelError) -> Self {
        Self { error, refusal: None }
    }
}

impl From<Undelivered> for OpenAIError {
    fn from(undelivered: Undelivered) -> Self {
        Self::Boxed(Box::new(undelivered))
    }
}

impl From<OpenAIError> for Undelivered {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(inner) => match inner.downcast::<Self>() {
                Ok(undelivered) => *undelivered,
                Err(other) => ModelError::new(ErrorKind::Unsendable, one_line(&other.to_string(), 200)).into(),
            },
            // Its text has the whole answer in it.
            OpenAIError::JSONDeserialize(..) => ModelError::paid(ErrorKind::Unusable, "the answer of the server is not valid JSON").into(),
            OpenAIError::InvalidArgument(what) => ModelError::new(ErrorKind::Unsendable, one_line(&what, 200)).into(),
            _ => ModelError::new(ErrorKind::Unsendable, "the request cannot be built").into(),
        }
    }
}

/// Delivers the requests of one call.
#[derive(Clone, Debug)]
pub(super) struct Courier {
    pub server: Arc<Server>,
    pub call: Arc<CallState>,
}

impl tower::Service<HttpRequestFactory> for Courier {
    type Response = reqwest::Response;
    type Error = Undelivered;
    type Future = Pin<Box<dyn Future<Output = Result<reqwest::Response, Undelivered>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Undelivered>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let courier = self.clone();
        Box::pin(async move { courier.deliver(&request).await })
    }
}

impl Courier {
    /// Sends the request until it is answered, or nothing speaks for sending it again.
    async fn deliver(&self, factory: &HttpRequestFactory) -> Result<reqwest::Response, Undelivered> {
        let mut paid = 0;
        let mut last: Option<Undelivered> = None;
        let before = self.call.facts().sent;
        loop {
            let request = self.request(factory).await?;
            let failed = match self.attempt(&request).await {
                Ok(answer) => return respond(&answer),
                // A breaker that opened meanwhile says less than the failure that opened it.
                Err(open) if open.error.kind == ErrorKind::CircuitOpen => return Err(last.map_or(open, |last| self.with_breaker(last))),
                Err(failed) => failed,
            };
            if failed.error.may_have_been_paid {
                paid += 1;
                self.call.facts().lost += usage::tokens(usage::size(request.body.as_ref().map_or(0, Vec::len)));
            }
            // A wait for the end of a pause is no attempt.
            let attempts = self.call.facts().sent - before;
            let jitter = retry::jitter(&self.call.key, attempts);
            match retry::pause(&failed.error, attempts, paid, self.call.left(), jitter) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(self.with_breaker(failed)),
            }
            last = Some(failed);
        }
    }

    /// Returns a failure with the time for which the circuit breaker that it opened stays open.
    fn with_breaker(&self, mut failed: Undelivered) -> Undelivered {
        if let Breaker::Open(left) = self.server.breaker.state() {
            failed.error.retry_after = Some(failed.error.retry_after.unwrap_or_default().max(left));
        }
        failed
    }

    /// Builds the request anew, for one attempt.
    async fn request(&self, factory: &HttpRequestFactory) -> Result<Request, Undelivered> {
        let mut built = factory.build().await.map_err(Undelivered::from)?;
        let mut headers = std::mem::take(built.headers_mut());
        if let Some(key) = self.call.idempotency_key() {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        let body = built.body().and_then(reqwest::Body::as_bytes).map(<[u8]>::to_vec);
        self.call.facts().question = usage::size(body.as_ref().map_or(0, Vec::len));
        let (method, url) = (built.method().clone(), built.url().clone());
        Ok(Request { method, url, headers, body, timeout: self.call.left(), limit: LARGEST_ANSWER })
    }

    /// Sends the request once, and returns the parts of its answer that are read.
    async fn attempt(&self, request: &Request) -> Result<Value, Undelivered> {
        let server = &*self.server;
        let mut passage = server.breaker.pass().map_err(circuit_open)?;
        let tokens = {
            let facts = self.call.facts();
            usage::tokens(facts.question).saturating_add(facts.maximum_output)
        };
        let turn = tokio::time::timeout_at(self.call.deadline, server.limits.turn(tokens)).await;
        turn.unwrap_or_else(|_| Err(no_turn(server.settings.timeout)))?;
        // A request that waited begins with the time that is left.
        let request = &Request {
            timeout: self.call.left(),
            headers: request.headers.clone(),
            url: request.url.clone(),
            method: request.method.clone(),
            body: request.body.clone(),
            ..*request
        };
        let permit = WritePermit { fence: self.call.fence.clone(), latest: None };
        let mut was_sent = false;
        let sent = || {
            was_sent = true;
            self.call.facts().sent += 1;
            passage.sent();
        };
        let answered = server.http.exchange(RequestLength::Short, request, Some(&permit), sent).await;
        let result = match answered {
            Ok(response) => self.read(response),
            Err(error) => Err(ModelError::of_transport(error, server.settings.timeout).into()),
        };
        let kind = result.as_ref().err().map(|undelivered| undelivered.error.kind);
        passage.end(server_state(kind));
        if was_sent {
            server.metrics.request(kind.map_or("ok", ErrorKind::as_str));
        }
        result
    }

    /// Reads an answer: the parts of a completion, or what the server refuses.
    fn read(&self, mut response: Response) -> Result<Value, Undelivered> {
        let server = &*self.server;
        let key = server.settings.key.as_ref();
        let asked = asked_pause(&response.headers).map(|asked| asked.min(LONGEST_NAMED));
        let refused = |refusal: Refusal| Undelivered { error: refusal.error(asked, key), refusal: Some(refusal) };
        if !response.status.is_success() {
            server.http.pause_as_asked(&response);
            return Err(refused(Refusal::read(response.status.as_u16(), &response.body)));
        }
        if response.overflowed {
            let message = format!("the answer of the server is larger than {} MiB, which no model writes", LARGEST_ANSWER / 1024 / 1024);
            return Err(ModelError::paid(ErrorKind::TooLarge, message).into());
        }
        mend_surrogates(&mut response.body);
        if std::str::from_utf8(&response.body).is_err() {
            response.body = String::from_utf8_lossy(&response.body).into_owned().into_bytes();
        }
        let meter = Meter::new(LARGEST);
        let value = match lenient_json::read_only(&mut serde_json::Deserializer::from_slice(&response.body), PARTS, &meter) {
            Ok(read) => read.value,
            Err(error) if error.is_eof() => {
                return Err(ModelError::paid(ErrorKind::Broken, "the answer of the server is cut off before its end").into());
            }
            Err(_) => return Err(not_json(&response, key).into()),
        };
        if let Some(refusal) = Refusal::in_success(&value) {
            return Err(refused(refusal));
        }
        self.call.facts().memory = response.memory.take();
        Ok(value)
    }
}

/// Returns what an outcome says about the server.
fn server_state(kind: Option<ErrorKind>) -> ServerState {
    match kind {
        None => ServerState::Works,
        Some(ErrorKind::Busy | ErrorKind::Unsendable | ErrorKind::AddressDenied) => ServerState::Unknown,
        // Too many requests are not the server's failure, and no sign that it works.
        Some(ErrorKind::RateLimited) => ServerState::Unknown,
        Some(kind) if kind.is_failure_of_server() => ServerState::Failed,
        Some(_) => ServerState::Works,
    }
}

fn circuit_open(left: Duration) -> ModelError {
    let message = format!("the server failed several times in succession and gets no requests for {}", super::error::seconds(left));
    ModelError { retry_after: Some(left), ..ModelError::new(ErrorKind::CircuitOpen, message) }
}

fn no_turn(limit: Duration) -> ModelError {
    let message = format!(
        "no turn within {} under limits.requestsPerMinute and limits.tokensPerMinute of the provider",
        super::error::seconds(limit)
    );
    ModelError::new(ErrorKind::Busy, message)
}

/// Returns the error of an answer with status 200 that is no JSON.
fn not_json(response: &Response, key: Option<&ApiKey>) -> ModelError {
    let content = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
    let content = content.split(';').next().unwrap_or_default();
    let content = one_line(&key.map_or_else(|| content.to_owned(), |key| key.hide_in(content)), 60);
    let message = format!(
        "what answers at the base URL is no server of models: its answer is not JSON ({content}); the base URL is the part before /chat/completions"
    );
    ModelError::paid(ErrorKind::NotApi, message)
}

/// Returns the answer as async-openai takes it.
fn respond(answer: &Value) -> Result<reqwest::Response, Undelivered> {
    let unusable = || Undelivered::from(ModelError::paid(ErrorKind::Unusable, "the answer of the server cannot be used"));
    let body = serde_json::to_vec(answer).map_err(|_| unusable())?;
    hyper::Response::builder().status(200).body(body).map(reqwest::Response::from).map_err(|_| unusable())
}
