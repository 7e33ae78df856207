//! Production webhooks and forms: checks whether they are registered, and probes. None of these calls carries the API key.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::{ACCESS_CONTROL_ALLOW_METHODS, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::answer::{Answer, find};
use super::author::{self, NO_WEBHOOKS, author};
use super::client::N8nClient;
use super::error::N8nError;
use super::operation::Operation;
use super::send::Request;
use crate::api::headers::is_steering;
use crate::domain::probe_answer::Author;
use crate::http::below;

/// Maximum size of a webhook's answer that is read.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Message about an answer to OPTIONS that does not come from n8n.
const NOT_NAMED: &str = "something in front of n8n answers OPTIONS in its place, and no other check works without calling the webhook; set \
                         spec.webhookCheckURL of the N8nInstance to an address of n8n itself";

/// Result of checking a webhook or form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCheck {
    /// n8n itself reports that the path is registered, for these methods. Empty for a form.
    Registered(Vec<String>),
    /// n8n itself reports that the path is not registered.
    NotRegistered,
    /// n8n has the route but no version behind it, so callers get a 404.
    NoVersion,
    /// The answer is inconclusive, for this reason.
    Unknown(String),
}

/// A call of a production webhook.
#[derive(Clone)]
pub struct ProbeRequest {
    /// The method that the webhook uses.
    pub method: Method,
    /// The path after `/webhook/`, with parameters filled in, as n8n registers it: characters with a special meaning in URLs are encoded.
    pub path: String,
    /// Additional headers; the values may be secret.
    pub headers: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// Maximum time from sending to the complete answer.
    pub timeout: Duration,
}

impl fmt::Debug for ProbeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ProbeRequest")
            .field("method", &self.method)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A webhook's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body, if it is JSON of at most 1 MiB. It must not reach a log or status.
    pub json: Option<Value>,
    /// The author of the answer.
    pub author: Author,
}

impl N8nClient {
    /// Returns the methods for which n8n has registered a path, without calling any of them: n8n answers OPTIONS itself, with their names,
    /// and no workflow can have that method. For a path with parameters it names only one method. `base` is the first segment of the path:
    /// `webhook` or `mcp`.
    ///
    /// # Errors
    /// If n8n gave no answer of its own: not ready, unreachable, a proxy's 5xx.
    pub async fn check_webhook(&self, base: &str, path: &str) -> Result<WebhookCheck, N8nError> {
        // A proxy may answer OPTIONS in n8n's place, for each path alike.
        if !self.inner.names_methods.load(Ordering::Relaxed) {
            let nobodys = format!("weirkeeper-{:016x}", RandomState::new().build_hasher().finish());
            match self.named_methods("webhook", &nobodys).await? {
                Ok(none) if none.is_empty() => self.inner.names_methods.store(true, Ordering::Relaxed),
                Ok(_) => return Ok(WebhookCheck::Unknown(NOT_NAMED.to_owned())),
                Err(unknown) => return Ok(unknown),
            }
        }
        Ok(match self.named_methods(base, path).await? {
            Ok(none) if none.is_empty() => WebhookCheck::NotRegistered,
            Ok(methods) => WebhookCheck::Registered(methods),
            Err(unknown) => unknown,
        })
    }

    async fn named_methods(&self, base: &str, path: &str) -> Result<Result<Vec<String>, WebhookCheck>, N8nError> {
        let operation = Operation::CheckWebhook;
        let mut request = self.webhook_request(operation, Method::OPTIONS, base, path)?;
        request.http.headers.insert(ORIGIN, HeaderValue::from_static("https://weirkeeper.dev"));
        let answer = self.send_raw(&request).await?;
        self.definite(&answer, operation).await?;
        if let (204, Some(methods)) = (answer.status.as_u16(), named(&answer)) {
            return Ok(Ok(methods));
        }
        // Before its routes are registered, n8n answers OPTIONS as for any other path.
        if self.readiness().await.is_err() {
            return Err(answer.not_ready(operation));
        }
        let nowhere = answer.is_starting() || author::is_editor(&answer);
        Ok(Err(WebhookCheck::Unknown(if nowhere { NO_WEBHOOKS } else { NOT_NAMED }.to_owned())))
    }

    /// Checks whether a production webhook leads to a version, without running anything: called with its own method below the path for MCP
    /// servers, n8n looks up the route and the published version, and then finds that the node is not an MCP server. Only for an n8n that
    /// is known to do so (2.39.10): older ones run the workflow.
    ///
    /// # Errors
    /// See [`check_webhook`](Self::check_webhook).
    pub async fn check_version_behind(&self, path: &str, method: Method) -> Result<WebhookCheck, N8nError> {
        let operation = Operation::CheckWebhook;
        let answer = self.send_raw(&self.webhook_request(operation, method, "mcp", path)?).await?;
        self.definite(&answer, operation).await?;
        let message = answer.complaint().and_then(|c| c.message).unwrap_or_default();
        Ok(match answer.status.as_u16() {
            _ if answer.is_starting() || author::is_editor(&answer) => WebhookCheck::Unknown(NO_WEBHOOKS.to_owned()),
            404 if message.starts_with("Published version not found") => WebhookCheck::NoVersion,
            404 if message.starts_with("This webhook is not registered for ") => WebhookCheck::Registered(Vec::new()),
            404 if message.starts_with("The requested webhook ") && message.contains("is not registered") => WebhookCheck::NotRegistered,
            status => WebhookCheck::Unknown(format!("HTTP {status} is not n8n's answer for a node that is not an MCP server")),
        })
    }

    /// Checks whether a production form is registered by fetching its page, which runs nothing.
    ///
    /// # Errors
    /// See [`check_webhook`](Self::check_webhook).
    pub async fn check_form(&self, path: &str) -> Result<WebhookCheck, N8nError> {
        let operation = Operation::CheckForm;
        let answer = self.send_raw(&self.webhook_request(operation, Method::GET, "form", path)?).await?;
        self.definite(&answer, operation).await?;
        let header = |name| answer.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
        Ok(match answer.status.as_u16() {
            _ if answer.is_starting() || author::is_editor(&answer) => WebhookCheck::Unknown(NO_WEBHOOKS.to_owned()),
            200 if header("content-type").starts_with("text/html") => WebhookCheck::Registered(Vec::new()),
            // A form with basic authentication.
            401 if header("www-authenticate") == "Basic realm=\"Enter credentials\"" => WebhookCheck::Registered(Vec::new()),
            404 if find(&answer.body, b"Problem loading form").is_some()
                || answer.complaint().and_then(|c| c.message).is_some_and(|m| m.contains("is not registered")) =>
            {
                WebhookCheck::NotRegistered
            }
            status => WebhookCheck::Unknown(format!("HTTP {status} is not n8n's answer for a form")),
        })
    }

    /// Calls a production webhook, which runs the workflow. Any complete answer is a success here, including redirects, which are not
    /// followed.
    ///
    /// # Errors
    /// `Unsendable` for a path or header that is not allowed; `NotReady` while n8n starts.
    pub async fn probe(&self, probe: ProbeRequest) -> Result<ProbeAnswer, N8nError> {
        let operation = Operation::Probe;
        let mut request = self.webhook_request(operation, probe.method, "webhook", &probe.path)?;
        request.http.timeout = probe.timeout;
        if let Some(body) = &probe.body {
            request = request.json(body)?;
        }
        for (name, value) in &probe.headers {
            let refused = |reason| N8nError::Unsendable { operation, reason };
            let name = HeaderName::try_from(name.as_str()).map_err(|_| refused("a header name is not valid"))?;
            if is_steering(name.as_str()) {
                return Err(refused("a header is not allowed in a probe"));
            }
            let mut value = HeaderValue::from_str(value).map_err(|_| refused("a header value is not valid"))?;
            value.set_sensitive(true);
            if name == CONTENT_TYPE {
                request.http.headers.insert(name, value);
            } else {
                request.http.headers.append(name, value);
            }
        }
        let answer = self.send_raw(&request).await?;
        self.started(&answer, operation).await?;
        let json = if answer.overflowed { None } else { answer.json() };
        Ok(ProbeAnswer { status: answer.status.as_u16(), json, author: author(&answer) })
    }

    /// Refuses the answer of a starting n8n. If a ready n8n has no such route, it serves no production webhooks.
    async fn started(&self, answer: &Answer, operation: Operation) -> Result<(), N8nError> {
        let absent = answer.is_starting() && !(answer.status == StatusCode::NOT_FOUND && self.readiness().await.is_ok());
        if absent || author::lacks_its_database(answer) { Err(answer.not_ready(operation)) } else { Ok(()) }
    }

    /// Refuses answers that say nothing about the webhook and will change later.
    async fn definite(&self, answer: &Answer, operation: Operation) -> Result<(), N8nError> {
        self.started(answer, operation).await?;
        match answer.status.as_u16() {
            429 | 502..=504 => Err(answer.error(operation)),
            _ => Ok(()),
        }
    }

    fn webhook_base(&self) -> &Url {
        let settings = &self.inner.settings;
        settings.webhook_check_url.as_ref().unwrap_or(&settings.url)
    }

    fn webhook_request(&self, operation: Operation, method: Method, kind: &str, path: &str) -> Result<Request, N8nError> {
        let mut request = self.plain(operation, method, self.webhook_base(), &[kind])?;
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let refused = |reason| N8nError::Unsendable { operation, reason };
        if segments == [""] {
            return Err(refused("the path is empty"));
        }
        // n8n serves paths with an empty segment in between.
        request.http.url = below(&request.http.url, &segments).map_err(refused)?;
        request.http.limit = LARGEST_ANSWER;
        Ok(request)
    }
}

/// Returns the methods that n8n names: `OPTIONS` first, in exactly this format.
fn named(answer: &Answer) -> Option<Vec<String>> {
    let named = answer.headers.get(ACCESS_CONTROL_ALLOW_METHODS)?.to_str().ok()?;
    let mut methods = named.split(", ");
    (methods.next() == Some("OPTIONS")).then(|| methods.map(str::to_owned).collect())
}
