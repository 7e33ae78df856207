//! Arguments of `weirkeeper evaluate`.

use std::io;
use std::path::PathBuf;

use clap::Args;
use url::Url;

use crate::api::money::Money;
use crate::cli::catalog::CatalogError;
use crate::cli::connection::ConnectionError;
use crate::cli::generate::GenerateError;
use crate::cli::generate::model::{ModelArguments, ModelError};
use crate::generation::cost::Prices;

/// Arguments of `evaluate`.
#[derive(Args)]
pub struct EvaluateArguments {
    /// File with a prompt in each line: `{"id", "prompt", "expects": "workflow"|"questions"|"refusal", "reference": {"required_triggers",
    /// "essential_nodes"}}`; the last two are lists of alternatives.
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) model: ModelArguments,
    /// Run only the prompts with these ids.
    #[arg(long, value_name = "ID")]
    pub(super) id: Vec<String>,
    /// Run only so many prompts.
    #[arg(long, value_name = "NUMBER")]
    pub(super) limit: Option<usize>,
    /// Number of prompts that run at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) concurrency: u8,
    /// File to which results are appended, and whose results are not measured again.
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// Folder to write the answers of the model to, by the key of their call.
    #[arg(long, value_name = "DIR")]
    pub(super) record: Option<PathBuf>,
    /// Folder of answers that were recorded. Without --base-url nothing else is asked, and no key is needed.
    #[arg(long, value_name = "DIR")]
    pub(super) replay: Option<PathBuf>,
    /// n8n in which workflows are created, published and deleted, with stand-ins for credentials. The key is read from
    /// WEIRKEEPER_N8N_API_KEY. Use one that is there for tests.
    #[arg(long, value_name = "URL")]
    pub(super) n8n_url: Option<Url>,
    /// Folder to write the workflows to, as n8n's JSON.
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
    /// Time zone of schedules, such as Europe/Berlin.
    #[arg(long)]
    pub(super) timezone: Option<String>,
    /// File with WorkflowPolicies that the workflows must keep to; repeat it for several. The rules for generated workflows apply besides.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Vec<String>,
    /// Price of a million tokens of questions, in whatever currency.
    #[arg(long, value_name = "PRICE", value_parser = Money::parse)]
    pub(super) input_price: Option<Money>,
    /// Price of a million tokens of questions that the server had in a cache. Default: that of others.
    #[arg(long, value_name = "PRICE", value_parser = Money::parse)]
    pub(super) cached_price: Option<Money>,
    /// Price of a million tokens of answers.
    #[arg(long, value_name = "PRICE", value_parser = Money::parse)]
    pub(super) output_price: Option<Money>,
    /// Print the measures and the results as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Catalogue of the n8n that runs the workflows, written by `weirkeeper catalog build`; by default that of the n8n that this version is
    /// tested with.
    #[arg(long)]
    pub(super) catalog: Option<PathBuf>,
}

impl EvaluateArguments {
    /// Returns the prices, if they are given.
    pub(super) fn prices(&self) -> Option<Prices> {
        let (input, output) = (self.input_price?, self.output_price?);
        Some(Prices { input, cached: self.cached_price, output })
    }
}

/// Reason for which the command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A file could not be read or written.
    #[error("{0} {1}: {2}")]
    File(&'static str, String, io::Error),
    /// A line is no prompt.
    #[error("{0}, line {1}: {2}")]
    Line(String, usize, String),
    /// The file has no prompt.
    #[error("{0}: there is no prompt to run; check --id and --limit")]
    Nothing(String),
    /// The key cannot be sent.
    #[error("the key of the model: {0}")]
    Key(String),
    /// The settings of n8n cannot be used.
    #[error("--n8n-url: {0}")]
    Real(String),
    /// The settings of the model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A policy cannot be used.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// No runtime can be made.
    #[error(transparent)]
    Start(#[from] ConnectionError),
    /// The result could not be written.
    #[error("write the result: {0}")]
    Output(#[from] io::Error),
    /// The result is no JSON.
    #[error("write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The catalogue cannot be used.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}
