//! Arguments of `weirkeeper validate`, and its errors.

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::catalog::CatalogError;
use crate::document::finding::Code;
use crate::validator::rules::{ConfigError, Pattern, cannot_be_changed};

/// Files to validate, and options for the findings.
#[derive(Args)]
pub struct ValidateArguments {
    /// Workflows exported from n8n (JSON or YAML), or manifests with Workflow and N8nInstance objects; folders are searched for *.json,
    /// *.yaml and *.yml; - is standard input.
    #[arg(required_unless_present = "explain", value_name = "FILE|DIR|-")]
    pub(super) paths: Vec<String>,
    /// Output format.
    #[arg(long, short, value_enum, default_value_t = Form::Human)]
    pub(super) output: Form,
    /// Report only findings with these codes: a code, a prefix such as expression-*, or all.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = Pattern::parse)]
    pub(super) select: Option<Vec<Pattern>>,
    /// Do not report findings with these codes.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = ignorable)]
    pub(super) ignore: Vec<Pattern>,
    /// Configuration file to use instead of the nearest .weirkeeper.yaml in the folder of each file or above it, within the repository.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Do not use any configuration file.
    #[arg(long, conflicts_with = "config")]
    pub(super) no_config: bool,
    /// Print what a finding means, with an example and a fix, and exit.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "output", "select", "ignore", "config"])]
    pub(super) explain: Option<String>,
    /// File of WorkflowPolicies that the workflows must meet, as in the cluster; repeat the option for several files.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Vec<String>,
    /// File of WorkflowQuotas that limit the workflows, as if their namespace had no others; repeat the option for several files.
    #[arg(long, value_name = "FILE")]
    pub(super) quota: Vec<String>,
    /// Catalogue built by `weirkeeper catalog build`, or an n8n installation, to use instead of the built-in one.
    #[arg(long, value_name = "FILE|DIR")]
    pub(super) catalog: Option<PathBuf>,
    /// Version of the n8n that the workflows are for. If it is not the catalogue's, errors about node types are reported as warnings, as by
    /// the operator. Default: the catalogue's version.
    #[arg(long, value_name = "VERSION")]
    pub(super) n8n_version: Option<String>,
    /// Treat warnings as errors, and fail if there is nothing to validate.
    #[arg(long)]
    pub(super) strict: bool,
    /// Colour of human output. `auto`: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Text for people: errors first, source lines with markers, repeated findings folded, and a summary.
    Human,
    /// One line per finding.
    Concise,
    /// One JSON object per line for each workflow.
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

/// Reason for which nothing was validated.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The catalogue cannot be used, or standard output cannot be written to.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A configuration file cannot be read.
    #[error("read {0}: {1}")]
    ConfigFile(String, io::Error),
    /// A configuration file is not valid.
    #[error("{0}: {1}")]
    Config(String, ConfigError),
    /// A file of policies cannot be used.
    #[error("--policy {0}")]
    Policy(String),
    /// A file of quotas cannot be used.
    #[error("--quota {0}")]
    Quota(String),
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
