//! Sending a request and reading its answer: pacing, address check, timeout, size limit, observation.

use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{StreamExt as _, TryFutureExt as _};
use http_body_util::{BodyStream, StreamBody};
use percent_encoding::percent_decode_str;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::address::Denied;
use super::answer::{Answer, Health, parse};
use super::client::N8nClient;
use super::error::{N8nError, Refusal};
use super::fence::boot_clock;
use super::memory::FREE;
use super::metrics::Observed;
use super::operation::Operation;
use super::settings::innermost;
use super::throttle::{Lane, NoTurn, SHORTEST_PAUSE};
use crate::document::lenient_json::mend_surrogates;
use crate::domain::remote::{RemoteVersion, RemoteWorkflow};

/// Maximum size of an answer of the API.
pub(super) const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Maximum size of an answer of which only a few fields are needed, or which is not a success.
pub(super) const SMALL_ANSWER: usize = 1024 * 1024;

/// Minimum rate, in bytes per second, of a large answer that holds memory, after a moment in which it begins: it keeps others waiting.
const SLOWEST: usize = 1024 * 1024;
const BEGINS_WITHIN: Duration = Duration::from_secs(5);

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) operation: Operation,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    pub(super) timeout: Duration,
    /// Maximum size of the answer that is read.
    pub(super) limit: usize,
}

impl Request {
    /// Adds a JSON body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, N8nError> {
        let json =
            serde_json::to_vec(body).map_err(|_| N8nError::Unsendable { operation: self.operation, reason: "the body is not JSON" })?;
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Some(json);
        Ok(self)
    }

    /// Limits the answer to a small size, for calls of which only a few fields are needed.
    pub(super) fn small(mut self) -> Self {
        self.limit = SMALL_ANSWER;
        self
    }

    /// Adds a query parameter.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }
}

impl N8nClient {
    /// Returns a request to the public API, which carries the key.
    pub(super) fn api(&self, operation: Operation, method: Method, path: &[&str]) -> Result<Request, N8nError> {
        let mut segments = vec!["api", "v1"];
        segments.extend(path);
        let mut request = self.plain(operation, method, &self.inner.settings.url, &segments)?;
        request.headers.insert("x-n8n-api-key", self.inner.settings.api_key.header());
        Ok(request)
    }

    /// Returns a request without the key.
    pub(super) fn plain(&self, operation: Operation, method: Method, base: &Url, path: &[&str]) -> Result<Request, N8nError> {
        // Such segments would be dropped or resolved, and lead to a different endpoint.
        if path.iter().any(|segment| segment.is_empty()) {
            return Err(N8nError::Unsendable { operation, reason: "a path segment is empty or consists of dots" });
        }
        let url = below(base, path).map_err(|reason| N8nError::Unsendable { operation, reason })?;
        Ok(Request {
            operation,
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            timeout: self.inner.settings.request_timeout,
            limit: LARGEST_ANSWER,
        })
    }

    /// Sends the request, expects success and parses the JSON. A `NotFound` is confirmed by readiness.
    pub(super) async fn send_json<T>(&self, request: Request) -> Result<T, N8nError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.send(&request, |body| parse(request.operation, body)).await
    }

    /// Like [`send_json`](Self::send_json), and returns the size of the answer too.
    pub(super) async fn send_json_sized<T>(&self, request: Request) -> Result<(T, usize), N8nError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let read = |body: Vec<u8>| {
            let size = body.len();
            parse(request.operation, body).map_ok(move |answer| (answer, size))
        };
        self.send(&request, read).await
    }

    /// Sends the request and expects success; the body is not read.
    pub(super) async fn send_unit(&self, request: Request) -> Result<(), N8nError> {
        self.send(&request, |_| std::future::ready(Ok(()))).await
    }

    async fn send<T, F>(&self, request: &Request, read: impl FnOnce(Vec<u8>) -> F) -> Result<T, N8nError>
    where
        F: Future<Output = Result<T, N8nError>>,
    {
        let operation = request.operation;
        let mut observed = self.inner.metrics.observe(operation);
        let result = async {
            let mut answer = self.exchange(request, &mut observed).await?;
            let _memory = answer.memory.take();
            read(answer.accept(operation, request.limit)?).await
        }
        .await;
        observed.end(outcome(&result));
        match result {
            Err(error) => Err(self.confirm(error).await),
            success => success,
        }
    }

    /// Sends the request; n8n's own refusal is returned as a result, not as an error.
    pub(super) async fn send_or_refusal<T>(&self, request: Request) -> Result<Result<T, Refusal>, N8nError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (operation, limit) = (request.operation, request.limit);
        let mut answer = self.send_raw(&request).await?;
        let _memory = answer.memory.take();
        let status = answer.status.as_u16();
        if let (400 | 409 | 422, Some(message)) = (status, answer.complaint().and_then(|complaint| complaint.message)) {
            return Ok(Err(Refusal { status, message }));
        }
        parse(operation, answer.accept(operation, limit)?).await.map(Ok)
    }

    /// Sends the request and returns any complete answer; only what prevents one is an error.
    pub(super) async fn send_raw(&self, request: &Request) -> Result<Answer, N8nError> {
        let mut observed = self.inner.metrics.observe(request.operation);
        let result = self.exchange(request, &mut observed).await;
        observed.end(outcome(&result));
        result
    }

    /// Confirms a 404, which counts only while n8n is ready: a proxy or a starting n8n may also answer 404. Likewise, a missing API counts
    /// as not ready while n8n reports that it is not ready.
    async fn confirm(&self, error: N8nError) -> N8nError {
        let missing = match &error {
            N8nError::NotFound { .. } => self.readiness().await,
            N8nError::NotApi { status: 404, .. } => match self.health().await {
                Ok(Health::NotReady(not_ready)) => Err(not_ready),
                _ => Ok(()),
            },
            _ => Ok(()),
        };
        match missing {
            Ok(()) => error,
            Err(other) => N8nError::NotReady { operation: error.operation(), status: 404, retry_after: other.retry_after() },
        }
    }

    pub(super) async fn exchange(&self, request: &Request, observed: &mut Observed<'_>) -> Result<Answer, N8nError> {
        let operation = request.operation;
        let asked = Instant::now();
        let lane = if operation == Operation::Probe { Lane::Probe } else { Lane::Call };
        let _slot = self.inner.throttle.enter(lane).await.map_err(|held| match held {
            NoTurn::Paused(left) => N8nError::RateLimited { operation, retry_after: Some(left) },
            NoTurn::Full(waited) => N8nError::Busy { operation, waited },
        })?;
        self.inner
            .settings
            .address_policy()
            .check_literal(&request.url)
            .map_err(|Denied(address)| N8nError::AddressDenied { operation, address })?;
        if operation.writes() {
            self.fence.held().await;
            if is_past(self.latest) {
                return Err(N8nError::Busy { operation, waited: asked.elapsed() });
            }
        }
        observed.sent();
        let answer = self.transfer(request).await?;
        // Authors of workflows decide what webhooks answer, so these answers must not slow down other calls.
        if !matches!(operation, Operation::Probe | Operation::CheckWebhook | Operation::CheckForm) {
            match (answer.status.as_u16(), answer.retry_after()) {
                // A `Retry-After` of 0, or of a time in the past, names no pause.
                (429, wait) => self.inner.throttle.pause(wait.unwrap_or_default().max(SHORTEST_PAUSE)),
                (503, Some(wait)) => self.inner.throttle.pause(wait),
                _ => {}
            }
            if let Some(ahead) = answer.clock_ahead() {
                self.inner.clock_ahead.store(ahead, Ordering::Relaxed);
            }
        }
        Ok(answer)
    }

    /// Sends the request, and repeats a read once if it was cut off before any answer, because the server may just have closed a kept-alive
    /// connection. A write is never repeated here, except by the connection pool if no byte of it was sent.
    pub(super) async fn transfer(&self, request: &Request) -> Result<Answer, N8nError> {
        let deadline = Instant::now() + request.timeout;
        let mut repeatable = request.method == Method::GET && !request.operation.writes();
        loop {
            let mut builder = self
                .inner
                .http
                .request(request.method.clone(), request.url.clone())
                .headers(request.headers.clone())
                .timeout(deadline.saturating_duration_since(Instant::now()));
            if let Some(body) = &request.body {
                builder = match request.operation.writes() {
                    true => builder.header(CONTENT_LENGTH, body.len()).body(self.fenced_body(body.clone())),
                    false => builder.body(body.clone()),
                };
            }
            match builder.send().await {
                Ok(response) => return self.read(request, response, deadline).await,
                Err(error) if repeatable && error.is_request() && !error.is_connect() && !error.is_timeout() => {
                    repeatable = false;
                }
                Err(error) => return Err(failure(request, &error, self.inner.settings.trust_named_in)),
            }
        }
    }

    /// Returns the body of a write, which fails once this process may not write any more. The process may be stopped while it connects,
    /// after it checked the fence, and must not send the rest of the request when it resumes.
    fn fenced_body(&self, body: Vec<u8>) -> reqwest::Body {
        let (fence, latest) = (self.fence.clone(), self.latest);
        let may = move || fence.holds() && !is_past(latest);
        let frames = BodyStream::new(reqwest::Body::from(body)).map(move |frame| match frame {
            Ok(frame) if may() => Ok(frame),
            Ok(_) => Err("the leader fence expired before the request was sent".into()),
            Err(error) => Err(Box::<dyn Error + Send + Sync>::from(error)),
        });
        reqwest::Body::wrap(StreamBody::new(frames))
    }

    /// Reads an answer up to the limit of the request. After its first bytes it waits for the maximum memory that the answer can take.
    async fn read(&self, request: &Request, mut response: reqwest::Response, mut deadline: Instant) -> Result<Answer, N8nError> {
        let (operation, status) = (request.operation, response.status());
        let limit = if status.is_success() { request.limit } else { request.limit.min(SMALL_ANSWER) };
        let most = response.content_length().and_then(|length| usize::try_from(length).ok()).map_or(limit, |length| length.min(limit));
        let headers = std::mem::take(response.headers_mut());
        let (mut body, mut overflowed, mut memory) = (Vec::new(), false, None);
        loop {
            let chunk = match tokio::time::timeout_at(deadline, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| failure(request, &error, self.inner.settings.trust_named_in))?,
                Err(_) => return Err(N8nError::Timeout { operation, after: request.timeout }),
            };
            let Some(chunk) = chunk else { break };
            let room = limit - body.len();
            if memory.is_none() && body.len() + chunk.len().min(room) > FREE {
                memory = tokio::time::timeout_at(deadline, self.inner.memory.read(most)).await.ok().flatten();
                if memory.is_none() {
                    return Err(N8nError::MemoryFull { operation });
                }
                deadline = deadline.min(Instant::now() + BEGINS_WITHIN + Duration::from_secs((most / SLOWEST) as u64));
            }
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                overflowed = true;
                break;
            }
        }
        // JavaScript's strings may contain lone surrogates.
        mend_surrogates(&mut body);
        let asked = format!("{} {}", request.method, request.url.path());
        let key = self.inner.settings.api_key.clone();
        Ok(Answer { asked, status, headers, body, overflowed, memory, key })
    }

    /// Returns the workflow after reserving the memory for it.
    fn hold(&self, operation: Operation, workflow: RemoteWorkflow) -> Result<RemoteWorkflow, N8nError> {
        let held = self.inner.memory.keep(workflow.held.weight).ok_or(N8nError::MemoryFull { operation })?;
        Ok(RemoteWorkflow { held, ..workflow })
    }

    /// Returns the version after reserving the memory for it.
    pub(super) fn hold_version(&self, operation: Operation, version: RemoteVersion) -> Result<RemoteVersion, N8nError> {
        let held = self.inner.memory.keep(version.held.weight).ok_or(N8nError::MemoryFull { operation })?;
        Ok(RemoteVersion { held, ..version })
    }

    /// Like [`send_json`](Self::send_json), for a workflow.
    pub(super) async fn send_for_workflow(&self, request: Request) -> Result<RemoteWorkflow, N8nError> {
        let operation = request.operation;
        self.hold(operation, self.send_json(request).await?)
    }
}

/// Reports whether the last time at which a write may be sent, of [`boot_clock`], has passed.
fn is_past(latest: Option<Duration>) -> bool {
    latest.is_some_and(|latest| boot_clock() > latest)
}

fn failure(request: &Request, error: &reqwest::Error, trust_named_in: &str) -> N8nError {
    let operation = request.operation;
    if let Some(Denied(address)) = find_cause::<Denied>(error) {
        N8nError::AddressDenied { operation, address: *address }
    } else if error.is_connect() {
        let reason = innermost(error);
        let advice = if reason.contains("UnknownIssuer") {
            format!("; trusted certificate authorities are set in {trust_named_in}")
        } else if reason.contains("InvalidContentType") {
            "; the port does not speak TLS, write http:// in the URL".to_owned()
        } else {
            String::new()
        };
        N8nError::Connect { operation, reason: reason + &advice }
    } else if error.is_timeout() {
        N8nError::Timeout { operation, after: request.timeout }
    } else if error.is_builder() {
        N8nError::Unsendable { operation, reason: "the HTTP client refuses it" }
    } else {
        let advice = match request.url.scheme() {
            "http" if operation == Operation::Readiness && error.is_request() => "; if the port speaks TLS, write https:// in the URL",
            _ => "",
        };
        N8nError::HalfAnswered { operation, reason: innermost(error) + advice }
    }
}

fn find_cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        cause = current.source();
    }
    None
}

/// Returns the URL of a path below a base; the segments may contain any character that a server distinguishes. The URL is parsed again as
/// the server will parse it: the parser drops some characters and resolves dots, so only the finished URL shows its target.
pub(super) fn below(base: &Url, path: &[&str]) -> Result<Url, &'static str> {
    if path.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err("a path segment is empty or consists of dots");
    }
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| "the URL has no path")?.pop_if_empty().extend(path);
    let finished = Url::parse(url.as_str()).map_err(|_| "the path does not form a URL")?;
    let kept = base.path().trim_end_matches('/').split('/').count();
    let below = finished.path().split('/').skip(kept).map(|part| percent_decode_str(part).collect::<Vec<u8>>());
    let same = finished.origin() == base.origin()
        && finished.path().starts_with(base.path().trim_end_matches('/'))
        && (path.is_empty() || below.eq(path.iter().map(|part| part.as_bytes().to_vec())));
    if same { Ok(url) } else { Err("the path contains a character that URLs cannot contain, and would lead elsewhere") }
}

pub(super) fn outcome<T>(result: &Result<T, N8nError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.outcome(),
    }
}
