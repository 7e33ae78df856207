//! The arguments of `weirkeeper validate`, and what keeps it from validating.

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::catalog::CatalogError;
use crate::document::finding::Code;
use crate::validator::rules::{ConfigError, Pattern, cannot_be_changed};

/// What to validate and how to tell.
#[derive(Args)]
pub struct ValidateArguments {
    /// Workflows as n8n exports them (JSON or YAML) or manifests that hold Workflow and N8nInstance objects; folders are searched for
    /// *.json, *.yaml and *.yml; - is standard input.
    #[arg(required_unless_present = "explain", value_name = "FILE|DIR|-")]
    pub(super) paths: Vec<String>,
    /// The form of the output.
    #[arg(long, short, value_enum, default_value_t = Form::Human)]
    pub(super) output: Form,
    /// Tell only the findings with these codes: a code, a beginning such as expression-*, or all.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = Pattern::parse)]
    pub(super) select: Option<Vec<Pattern>>,
    /// Do not tell the findings with these codes.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = ignorable)]
    pub(super) ignore: Vec<Pattern>,
    /// A configuration file, in place of the .weirkeeper.yaml that is nearest to each file in its folder or one above, within the
    /// repository.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Look for no configuration file.
    #[arg(long, conflicts_with = "config")]
    pub(super) no_config: bool,
    /// Print what a finding means, with an example and how to mend it, and end.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "output", "select", "ignore", "config"])]
    pub(super) explain: Option<String>,
    /// A catalogue made by `weirkeeper catalog build`, or an n8n installation, in place of the one that is built in.
    #[arg(long, value_name = "FILE|DIR")]
    pub(super) catalog: Option<PathBuf>,
    /// The version of the n8n that the workflows are for. Where it is not the catalogue's, what rests on node types is only doubtful, as
    /// for the operator. By default it is the catalogue's.
    #[arg(long, value_name = "VERSION")]
    pub(super) n8n_version: Option<String>,
    /// Take warnings for errors, and finding nothing to validate too.
    #[arg(long)]
    pub(super) strict: bool,
    /// Whether human output has colour. `auto`: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people: the worst first, source lines with markers, repeats folded, and a summary.
    Human,
    /// One line for each finding.
    Concise,
    /// One JSON object a line for each workflow.
    Json,
    /// Workflow commands of GitHub Actions, which show findings beside the lines of a pull request.
    Github,
    /// One SARIF 2.1.0 log, for code-scanning services.
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

/// Why nothing was validated.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The catalogue cannot be used, or standard output not be written to.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A configuration file cannot be read.
    #[error("read {0}: {1}")]
    ConfigFile(String, io::Error),
    /// A configuration file cannot be used.
    #[error("{0}: {1}")]
    Config(String, ConfigError),
    /// No finding has this code.
    #[error("{0}")]
    Code(String),
}

fn ignorable(text: &str) -> Result<Pattern, String> {
    match Code::ALL.iter().find(|code| code.as_str() == text && code.ends_checking()) {
        Some(code) => Err(cannot_be_changed(*code)),
        None => Pattern::parse(text),
    }
}
