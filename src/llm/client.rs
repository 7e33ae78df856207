//! The client of one server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_openai::Client;
use async_openai::config::Config;
use async_openai::types::chat::CreateChatCompletionRequest;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use super::breaker::{Breaker, CircuitBreaker};
use super::chat::{self, maximum_output};
use super::courier::{CallState, Courier, Server, Undelivered};
use super::error::{ErrorKind, ModelError};
use super::limits::RateLimits;
use super::metrics::ModelMetrics;
use super::reply::{self, Read};
use super::settings::{ModelSettings, Settings, SettingsError};
use super::style::{Style, most_telling};
use super::usage::{self, Sizes};
use crate::api::provider::OutputMode;
use crate::generation::call::{Answer, Finish, ModelCall, ModelReply, Usage};
use crate::http::{LeaderFence, Memory, Transport};

/// Least number of bytes of a token that is assumed where a question is refused without asking the server.
const SHORT_TOKENS: u64 = 6;

/// Client of one server. Clones share the connections, the limits, the circuit breaker, and what was found out about the models.
#[derive(Clone)]
pub struct ModelClient {
    pub(super) server: Arc<Server>,
    styles: Arc<Mutex<BTreeMap<String, Style>>>,
    fence: LeaderFence,
    on_change: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for ModelClient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ModelClient").field("server", &self.server).field("styles", &self.styles).finish_non_exhaustive()
    }
}

impl ModelClient {
    /// Creates a client. Nothing is sent.
    ///
    /// # Errors
    /// If the URL is not a plain base URL or the CA bundle is unreadable.
    pub fn new(settings: Settings, metrics: ModelMetrics) -> Result<Self, SettingsError> {
        settings.check()?;
        let http = Transport::new(&settings.http(), Memory::of_process())?;
        let limits = RateLimits::new(&settings.limits);
        let remembered = [&settings.complex, &settings.simple].into_iter().filter_map(|model| {
            let mode = model.output.filter(|mode| *mode >= settings.output)?;
            Some((model.name.clone(), Style::first(mode).confirmed()))
        });
        let styles = Arc::new(Mutex::new(remembered.collect()));
        let server = Arc::new(Server { settings, http, breaker: CircuitBreaker::default(), limits, metrics });
        Ok(Self { server, styles, fence: LeaderFence::unlimited(), on_change: None })
    }

    /// Returns the client restricted to calls while the leader fence holds, so that two replicas never pay for one call.
    #[must_use]
    pub fn fenced_by(self, fence: LeaderFence) -> Self {
        Self { fence, ..self }
    }

    /// Returns the client with a function that is called whenever [`output_modes`](Self::output_modes) or [`breaker`](Self::breaker) may
    /// have changed, and when the key was refused.
    #[must_use]
    pub fn on_change(self, changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self { on_change: Some(Arc::new(changed)), ..self }
    }

    /// Returns the settings of the client.
    pub fn settings(&self) -> &Settings {
        &self.server.settings
    }

    /// Returns how each model is asked for JSON, for those that have obeyed.
    pub fn output_modes(&self) -> BTreeMap<String, OutputMode> {
        let styles = self.styles.lock().unwrap_or_else(PoisonError::into_inner);
        styles.iter().filter(|(_, style)| style.confirmed).map(|(name, style)| (name.clone(), style.mode)).collect()
    }

    /// Returns the state of the circuit breaker.
    pub fn breaker(&self) -> Breaker {
        self.server.breaker.state()
    }

    /// Returns the tokens to reserve for a call: until a model has obeyed a way of asking for JSON, its first answer may have to be asked for
    /// once more.
    pub fn reservation(&self, call: &ModelCall) -> Usage {
        let model = self.server.settings.model(call.tier);
        let once = Usage { output: u64::from(maximum_output(call, model)), ..usage::most(call) };
        if call.output.is_some() && !self.style(&model.name).confirmed { once.plus(once) } else { once }
    }

    /// Asks the model. The answer's usage is that of all requests that the call took.
    pub async fn complete(&self, call: &ModelCall) -> Answer {
        self.call(call).await.map_err(Into::into)
    }

    /// Does the same as [`complete`](Self::complete), with an error that says what can be done about it.
    ///
    /// # Errors
    /// If there is no answer in the time of a call, or none that can be used.
    pub async fn call(&self, call: &ModelCall) -> Result<ModelReply, ModelError> {
        let started = Instant::now();
        let limit = self.server.settings.timeout;
        let state = Arc::new(CallState::new(&call.key, started + limit, self.fence.clone()));
        let open_before = self.breaker() == Breaker::Closed;
        let result = tokio::time::timeout_at(state.deadline, self.converse(call, &state, started)).await;
        let result = result.unwrap_or_else(|_| Err(ModelError::timed_out(limit, state.facts().sent > 0)));
        let usage = result.as_ref().map_or_else(|_| lost(&state), |reply| reply.usage);
        let outcome = result.as_ref().map_or_else(
            |error| error.kind.as_str(),
            |reply| match reply.finish {
                Finish::Stop => "ok",
                Finish::Length => "length",
                Finish::Refused => "refused",
            },
        );
        self.server.metrics.call(call, outcome, usage, started.elapsed());
        // A key may have been replaced a moment ago.
        let refused = matches!(&result, Err(error) if error.kind == ErrorKind::Unauthorized);
        if refused || open_before != (self.breaker() == Breaker::Closed) {
            self.changed();
        }
        result
    }

    /// Asks in one style after the other until the server accepts one and the model obeys it.
    async fn converse(&self, call: &ModelCall, state: &Arc<CallState>, started: Instant) -> Result<ModelReply, ModelError> {
        let model = self.server.settings.model(call.tier);
        fits(call, model)?;
        let before = self.style(&model.name);
        let mut style = before;
        let mut first_refusal = None;
        let mut spent = Usage::default();
        let mut ignored = false;
        loop {
            state.facts().maximum_output = u64::from(maximum_output(call, model));
            let (read, usage) = match self.ask(call, chat::request(call, model, style), state).await {
                Ok(answer) => answer,
                Err(Undelivered { error, refusal }) => {
                    if refusal.as_ref().is_some_and(super::refusal::Refusal::is_filtered) {
                        return Ok(filtered(model, spent.plus(lost(state)), started));
                    }
                    let Some(next) = refusal.and_then(|refusal| style.after_refusal(&refusal, call.output.is_some())) else {
                        return Err(most_telling(first_refusal, error));
                    };
                    first_refusal.get_or_insert(error);
                    style = next;
                    state.facts().rewritten += 1;
                    continue;
                }
            };
            spent = spent.plus(usage);
            if read.finish == Finish::Stop && call.output.as_ref().is_some_and(|output| !reply::obeys(&read.text, output)) {
                if let Some(next) = style.after_ignored_schema() {
                    style = next;
                    if !ignored {
                        ignored = true;
                        state.facts().rewritten += 1;
                        continue;
                    }
                }
            } else if read.finish == Finish::Stop && call.output.is_some() {
                style = style.confirmed();
            }
            self.remember(&model.name, before, style);
            let Read { text, finish, model: answered, .. } = read;
            let name = answered.unwrap_or_else(|| model.name.clone());
            return Ok(ModelReply { text, finish, usage: spent.plus(lost(state)), model: name, milliseconds: since(started) });
        }
    }

    /// Sends one request and reads its answer.
    async fn ask(
        &self,
        call: &ModelCall,
        request: CreateChatCompletionRequest,
        state: &Arc<CallState>,
    ) -> Result<(Read, Usage), Undelivered> {
        let courier = Courier { server: self.server.clone(), call: state.clone() };
        let client = Client::build(self.server.http.builder(), Address::of(&self.server.settings)).with_http_service(courier);
        let answer: Result<Value, _> = client.chat().create_byot(request).await;
        let answer = answer.map_err(Undelivered::from)?;
        let (question, maximum_output) = {
            let mut facts = state.facts();
            facts.memory = None;
            (facts.question, facts.maximum_output)
        };
        let read = reply::read(&answer).map_err(Undelivered::from)?;
        let sizes = Sizes { question, text: text(call), estimate: usage::tokens(question), answer: read.bytes, maximum_output };
        let usage = usage::read(answer.get("usage"), sizes);
        Ok((read, usage))
    }

    fn style(&self, model: &str) -> Style {
        let styles = self.styles.lock().unwrap_or_else(PoisonError::into_inner);
        styles.get(model).copied().unwrap_or(Style::first(self.server.settings.output))
    }

    fn remember(&self, model: &str, before: Style, style: Style) {
        if before == style {
            return;
        }
        self.styles.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned(), style);
        self.changed();
    }

    fn changed(&self) {
        if let Some(changed) = &self.on_change {
            changed();
        }
    }
}

/// Returns the bytes of the messages.
fn text(call: &ModelCall) -> u64 {
    call.messages.iter().map(|message| usage::size(message.text.len())).sum()
}

/// Refuses a question that cannot fit into the context of the model, however few tokens it takes.
fn fits(call: &ModelCall, model: &ModelSettings) -> Result<(), ModelError> {
    let least = text(call) / SHORT_TOKENS + u64::from(maximum_output(call, model));
    match model.context_tokens {
        Some(most) if least > u64::from(most) => Err(ModelError::new(
            ErrorKind::TooLong,
            format!("question and answer take at least {least} tokens, and the context of model {} has {most}", model.name),
        )),
        _ => Ok(()),
    }
}

/// Returns the usage of requests whose answer got lost: the question may have been paid for.
fn lost(state: &CallState) -> Usage {
    let input = state.facts().lost;
    Usage { input, cached: 0, output: 0, estimated: input > 0 }
}

/// Returns the answer to a question that a filter of the server refused.
fn filtered(model: &ModelSettings, usage: Usage, started: Instant) -> ModelReply {
    ModelReply { text: String::new(), finish: Finish::Refused, usage, model: model.name.clone(), milliseconds: since(started) }
}

fn since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The address of a server and its key, as async-openai asks for them. Its own configuration reads the environment.
#[derive(Clone)]
struct Address {
    base: String,
    bearer: Option<HeaderValue>,
    unused: SecretString,
}

impl Address {
    fn of(settings: &Settings) -> Self {
        Self {
            base: settings.base_url.as_str().trim_end_matches('/').to_owned(),
            bearer: settings.key.as_ref().map(crate::http::ApiKey::bearer),
            unused: SecretString::default(),
        }
    }
}

impl Config for Address {
    fn headers(&self) -> HeaderMap {
        self.bearer.iter().map(|bearer| (AUTHORIZATION, bearer.clone())).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.unused
    }
}
