//! Arguments of `weirkeeper generate`.

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::model::{ModelArguments, ModelError};
use crate::cli::catalog::CatalogError;
use crate::cli::connection::ConnectionError;
use crate::generation::engine;
use crate::generation::prompt;

/// Arguments of `generate`.
#[derive(Args)]
pub struct GenerateArguments {
    /// Task of the workflow, in a sentence or several.
    pub(super) prompt: String,
    #[command(flatten)]
    pub(super) model: ModelArguments,
    /// Answer to a question, by its id: `--answers schedule=daily`. Repeat it for several.
    #[arg(long = "answers", value_name = "ID=VALUE", value_parser = named)]
    pub(super) answers: Vec<(String, String)>,
    /// Time zone of schedules, such as Europe/Berlin. Default: that of the n8n instance.
    #[arg(long)]
    pub(super) timezone: Option<String>,
    /// Handling of what the prompt leaves open.
    #[arg(long, value_enum, default_value_t = ClarificationArgument::Ask)]
    pub(super) clarification: ClarificationArgument,
    /// Model that is asked first.
    #[arg(long, value_enum, default_value_t = TierArgument::Auto)]
    pub(super) tier: TierArgument,
    /// Maximum number of attempts of a model.
    #[arg(long, default_value_t = engine::MOST_ATTEMPTS, value_parser = clap::value_parser!(u32).range(1..=3))]
    pub(super) attempts: u32,
    /// Workflow that the prompt changes: n8n's JSON, or a Workflow manifest. What is not asked for stays as it is.
    #[arg(long, value_name = "FILE")]
    pub(super) base: Option<String>,
    /// File with WorkflowPolicies that the workflow must keep to; repeat it for several. The rules for generated workflows (no code, no
    /// commands, no files) apply besides, unless a policy allows a type by its full name.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Vec<String>,
    /// File to write the manifest to. Default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Name of the Workflow. Default: made from the name of the workflow.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// N8nInstance that the manifest refers to.
    #[arg(long, default_value = "n8n")]
    pub(super) instance: String,
    /// Print how the workflow came about: route, calls, tokens, corrections.
    #[arg(long)]
    pub(super) explain: bool,
    /// Catalogue of the n8n that runs the workflow, written by `weirkeeper catalog build`; by default that of the n8n that this version is
    /// tested with.
    #[arg(long)]
    pub(super) catalog: Option<PathBuf>,
}

/// Handling of what a prompt leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClarificationArgument {
    /// Ask.
    Ask,
    /// Take the defaults of questions that have one.
    AssumeDefaults,
    /// Ask nothing.
    Never,
}

impl From<ClarificationArgument> for prompt::Clarification {
    fn from(argument: ClarificationArgument) -> Self {
        match argument {
            ClarificationArgument::Ask => Self::Ask,
            ClarificationArgument::AssumeDefaults => Self::AssumeDefaults,
            ClarificationArgument::Never => Self::Never,
        }
    }
}

/// Model that is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TierArgument {
    /// As the complexity of the prompt suggests.
    Auto,
    /// The cheaper model.
    Simple,
    /// The more capable model.
    Complex,
}

impl From<TierArgument> for engine::Tier {
    fn from(argument: TierArgument) -> Self {
        match argument {
            TierArgument::Auto => Self::Auto,
            TierArgument::Simple => Self::Simple,
            TierArgument::Complex => Self::Complex,
        }
    }
}

/// Parses `ID=VALUE`.
fn named(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("an answer is written as ID=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Reason for which the command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The workflow to change cannot be used.
    #[error("read the workflow {0}: {1}")]
    Base(String, String),
    /// A policy cannot be used.
    #[error("read a policy: {0}")]
    Policy(String),
    /// The key cannot be sent.
    #[error("the key of the model: {0}")]
    Key(String),
    /// The name of the Workflow is no name of an object.
    #[error("{0} is no name of an object: lower-case letters, digits and hyphens, at most 63")]
    Name(String),
    /// The settings of the model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No runtime can be made.
    #[error(transparent)]
    Start(#[from] ConnectionError),
    /// The result could not be written.
    #[error("write the result: {0}")]
    Output(#[from] io::Error),
    /// The catalogue cannot be used.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}
