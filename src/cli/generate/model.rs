//! The model that commands ask, and its arguments.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::replies::Replies;
use crate::api::provider::OutputMode;
use crate::generation::call::{Answer, CallFailure, ModelCall};
use crate::http::ApiKey;
use crate::llm::{Limits, ModelClient, ModelMetrics, ModelSettings, Settings, SettingsError};

/// Base URL without `--base-url`.
const OPENAI: &str = "https://api.openai.com/v1";

/// Arguments about the model.
#[derive(Args)]
pub struct ModelArguments {
    /// Maker of the workflow: templates and patterns alone, or then a model too. Default: builtin, and openai with --base-url or --model.
    #[arg(long, value_enum)]
    provider: Option<ProviderArgument>,
    /// Base URL of a server with OpenAI's chat completions, such as http://127.0.0.1:8000/v1. The key is read from WEIRKEEPER_MODEL_KEY or
    /// OPENAI_API_KEY.
    #[arg(long, value_name = "URL")]
    base_url: Option<Url>,
    /// Model for simple prompts.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Model for complex prompts and last attempts. Default: that of --model.
    #[arg(long, value_name = "NAME")]
    complex_model: Option<String>,
    /// PEM certificates to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    model_ca_file: Option<PathBuf>,
    /// Maximum time of a call in seconds, with all repetitions.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    model_timeout: u64,
    /// Strongest way of asking for JSON that is tried.
    #[arg(long, value_enum, default_value_t = ModeArgument::StrictSchema)]
    model_output: ModeArgument,
}

/// Maker of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderArgument {
    /// Templates and patterns, without a model.
    Builtin,
    /// A server with OpenAI's chat completions.
    Openai,
}

/// Way of asking for JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArgument {
    /// A schema that the server enforces.
    StrictSchema,
    /// A schema.
    Schema,
    /// The parameters of a tool.
    Tool,
    /// Any JSON.
    Json,
    /// Text.
    Text,
}

impl From<ModeArgument> for OutputMode {
    fn from(argument: ModeArgument) -> Self {
        match argument {
            ModeArgument::StrictSchema => Self::StrictSchema,
            ModeArgument::Schema => Self::Schema,
            ModeArgument::Tool => Self::Tool,
            ModeArgument::Json => Self::Json,
            ModeArgument::Text => Self::Text,
        }
    }
}

/// Reason for which a model cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No model is named.
    #[error("--provider openai needs a model: set --model to a name that the server knows")]
    NoModel,
    /// Arguments that exclude each other.
    #[error("--provider builtin asks no model; leave out --base-url and --model")]
    Builtin,
    /// A file could not be read.
    #[error("read {0}: {1}")]
    File(String, std::io::Error),
    /// A folder cannot be used.
    #[error("use the folder {0}: {1}")]
    Folder(String, std::io::Error),
    /// The settings are not valid.
    #[error("--base-url: {0}")]
    Settings(#[from] SettingsError),
    /// Metrics cannot be registered.
    #[error("start: {0}")]
    Start(String),
}

/// Source of answers to calls: a server, or recorded answers.
pub struct Asker {
    client: Option<ModelClient>,
    /// Address of the server, for messages.
    address: String,
    record: Option<Replies>,
    replay: Option<Replies>,
}

impl Asker {
    /// Returns the answer of a call.
    pub async fn answer(&self, call: &ModelCall) -> Answer {
        if let Some(replies) = &self.replay {
            match (replies.read(call), &self.client) {
                (Some(answer), _) => return answer,
                (None, None) => return Err(Replies::missing(call)),
                (None, Some(_)) => {}
            }
        }
        let Some(client) = &self.client else { return Err(Replies::missing(call)) };
        let answer = client
            .complete(call)
            .await
            .map_err(|failure| CallFailure { message: format!("{} (asked: {})", failure.message, self.address), ..failure });
        if let (Some(record), Ok(reply)) = (&self.record, &answer)
            && let Err(failure) = record.write(call, reply)
        {
            return Err(failure);
        }
        answer
    }
}

impl ModelArguments {
    /// Reports whether a model is to be asked.
    fn asks(&self) -> Result<bool, ModelError> {
        let named = self.base_url.is_some() || self.model.is_some();
        match self.provider {
            Some(ProviderArgument::Builtin) if named => Err(ModelError::Builtin),
            Some(ProviderArgument::Builtin) => Ok(false),
            Some(ProviderArgument::Openai) => Ok(true),
            None => Ok(named),
        }
    }

    /// Returns what answers calls; none for the provider `builtin`.
    pub(crate) fn asker(&self, key: Option<ApiKey>, record: Option<&Path>, replay: Option<&Path>) -> Result<Option<Asker>, ModelError> {
        let folder = |path: Option<&Path>, make: bool| {
            path.map(|path| Replies::of(path, make).map_err(|error| ModelError::Folder(path.display().to_string(), error))).transpose()
        };
        let (record, replay) = (folder(record, true)?, folder(replay, false)?);
        if !self.asks()? {
            return Ok(replay.map(|replay| Asker { client: None, address: String::new(), record: None, replay: Some(replay) }));
        }
        let model = self.model.as_deref().ok_or(ModelError::NoModel)?;
        let base_url = match &self.base_url {
            Some(url) => url.clone(),
            None => Url::parse(OPENAI).map_err(|error| ModelError::Start(error.to_string()))?,
        };
        let ca_bundle = self
            .model_ca_file
            .as_deref()
            .map(|path| std::fs::read(path).map_err(|error| ModelError::File(path.display().to_string(), error)));
        let address = base_url.to_string();
        let settings = Settings {
            key,
            ca_bundle: ca_bundle.transpose()?,
            trust_named_in: "--model-ca-file",
            complex: ModelSettings::named(self.complex_model.as_deref().unwrap_or(model)),
            limits: Limits { concurrency: NonZeroU32::MIN.saturating_add(15), ..Limits::default() },
            timeout: Duration::from_secs(self.model_timeout),
            output: self.model_output.into(),
            // The user of the command chose the address for this machine.
            allow_loopback: true,
            ..Settings::new(base_url, model)
        };
        let metrics = ModelMetrics::register(&prometheus::Registry::new()).map_err(|error| ModelError::Start(error.to_string()))?;
        Ok(Some(Asker { client: Some(ModelClient::new(settings, metrics)?), address, record, replay }))
    }

    /// Returns what identifies the endpoint and its models.
    pub(crate) fn identity(&self) -> String {
        let model = self.model.as_deref().unwrap_or_default();
        let url = self.base_url.as_ref().map_or(OPENAI, Url::as_str);
        format!("{url} {model} {}", self.complex_model.as_deref().unwrap_or(model))
    }
}
