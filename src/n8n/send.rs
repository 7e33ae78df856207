//! Requests to n8n: sent, observed, and their answers classified.

use std::sync::atomic::Ordering;

use futures::TryFutureExt as _;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::answer::{Answer, Health, parse};
use super::client::N8nClient;
use super::error::N8nError;
use super::metrics::Observed;
use super::operation::Operation;
use crate::document::lenient_json::mend_surrogates;
use crate::domain::remote::{RemoteVersion, RemoteWorkflow};
use crate::http::{self, RequestLength, Response, SMALL_ANSWER, TransportError, below, clock_ahead};

/// Maximum size of an answer of the API.
pub(super) const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) operation: Operation,
    pub(super) http: http::Request,
}

impl Request {
    /// Adds a JSON body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, N8nError> {
        let json =
            serde_json::to_vec(body).map_err(|_| N8nError::Unsendable { operation: self.operation, reason: "the body is not JSON" })?;
        self.http.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.body = Some(json);
        Ok(self)
    }

    /// Limits the answer to a small size, for calls of which only a few fields are needed.
    pub(super) fn small(mut self) -> Self {
        self.http.limit = SMALL_ANSWER;
        self
    }

    /// Adds a query parameter.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.http.url.query_pairs_mut().append_pair(name, value);
        self
    }
}

impl N8nClient {
    /// Returns a request to the public API, which carries the key.
    pub(super) fn api(&self, operation: Operation, method: Method, path: &[&str]) -> Result<Request, N8nError> {
        let mut segments = vec!["api", "v1"];
        segments.extend(path);
        let mut request = self.plain(operation, method, &self.inner.settings.url, &segments)?;
        request.http.headers.insert("x-n8n-api-key", self.inner.settings.api_key.header());
        Ok(request)
    }

    /// Returns a request without the key.
    pub(super) fn plain(&self, operation: Operation, method: Method, base: &Url, path: &[&str]) -> Result<Request, N8nError> {
        // Such segments would be dropped or resolved, and lead to a different endpoint.
        if path.iter().any(|segment| segment.is_empty()) {
            return Err(N8nError::Unsendable { operation, reason: "a path segment is empty or consists of dots" });
        }
        let url = below(base, path).map_err(|reason| N8nError::Unsendable { operation, reason })?;
        let timeout = self.inner.settings.request_timeout;
        let http = http::Request { method, url, headers: HeaderMap::new(), body: None, timeout, limit: LARGEST_ANSWER };
        Ok(Request { operation, http })
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
            read(answer.accept(operation, request.http.limit)?).await
        }
        .await;
        observed.end(outcome(&result));
        match result {
            Err(error) => Err(self.confirm(error).await),
            success => success,
        }
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
        let length = if operation == Operation::Probe { RequestLength::Long } else { RequestLength::Short };
        let permit = operation.writes().then_some(&self.permit);
        let response = self.inner.http.exchange(length, &request.http, permit, || observed.sent()).await;
        let response = response.map_err(|error| failed(request, error))?;
        // Authors of workflows decide what webhooks answer, so these answers must not slow down other calls.
        if !matches!(operation, Operation::Probe | Operation::CheckWebhook | Operation::CheckForm) {
            self.inner.http.pause_as_asked(&response);
            if let Some(ahead) = clock_ahead(&response.headers) {
                self.inner.clock_ahead.store(ahead, Ordering::Relaxed);
            }
        }
        Ok(self.answer(request, response))
    }

    fn answer(&self, request: &Request, response: Response) -> Answer {
        let Response { status, headers, mut body, overflowed, memory } = response;
        // JavaScript's strings may contain lone surrogates.
        mend_surrogates(&mut body);
        let asked = format!("{} {}", request.http.method, request.http.url.path());
        Answer { asked, status, headers, body, overflowed, memory, key: self.inner.settings.api_key.clone() }
    }

    /// Returns the workflow after reserving the memory for it.
    fn hold(&self, operation: Operation, workflow: RemoteWorkflow) -> Result<RemoteWorkflow, N8nError> {
        let memory = self.inner.http.memory.keep(workflow.memory.weight).ok_or(N8nError::MemoryFull { operation })?;
        Ok(RemoteWorkflow { memory, ..workflow })
    }

    /// Returns the version after reserving the memory for it.
    pub(super) fn hold_version(&self, operation: Operation, version: RemoteVersion) -> Result<RemoteVersion, N8nError> {
        let memory = self.inner.http.memory.keep(version.memory.weight).ok_or(N8nError::MemoryFull { operation })?;
        Ok(RemoteVersion { memory, ..version })
    }

    /// Like [`send_json`](Self::send_json), for a workflow.
    pub(super) async fn send_for_workflow(&self, request: Request) -> Result<RemoteWorkflow, N8nError> {
        let operation = request.operation;
        self.hold(operation, self.send_json(request).await?)
    }
}

/// Returns the error of a request that got no complete answer.
pub(super) fn failed(request: &Request, error: TransportError) -> N8nError {
    let operation = request.operation;
    match error {
        TransportError::Paused(left) => N8nError::RateLimited { operation, retry_after: Some(left) },
        TransportError::NoTurn(waited) => N8nError::Busy { operation, waited },
        TransportError::AddressDenied(address) => N8nError::AddressDenied { operation, address },
        TransportError::Unsendable => N8nError::Unsendable { operation, reason: "the HTTP client refuses it" },
        TransportError::NotConnected(reason) => N8nError::Connect { operation, reason },
        TransportError::TimedOut => N8nError::Timeout { operation, after: request.http.timeout },
        TransportError::Broken { reason, before_answer } => {
            let advice = match request.http.url.scheme() {
                "http" if operation == Operation::Readiness && before_answer => "; if the port speaks TLS, write https:// in the URL",
                _ => "",
            };
            N8nError::HalfAnswered { operation, reason: reason + advice }
        }
        TransportError::MemoryFull => N8nError::MemoryFull { operation },
    }
}

pub(super) fn outcome<T>(result: &Result<T, N8nError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.outcome(),
    }
}
