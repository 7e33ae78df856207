//! `weirkeeper validate`: what is wrong with workflows in files, for people, pipelines and code-scanning services.

mod choices;
mod explain;
pub(super) mod files;
mod github;
mod human;
mod json;
mod lines;
mod sarif;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::catalog::{self, CatalogError};
use crate::domain::catalog::Catalog;
use crate::domain::finding::Code;
use crate::domain::manifest::{Placed, Report, Source, validate};
use crate::domain::rules::{ConfigError, Pattern, cannot_be_changed};

/// What to validate and how to tell.
#[derive(Args)]
pub struct ValidateArguments {
    /// Workflows as n8n exports them (JSON or YAML) or manifests that hold Workflow and N8nInstance objects; folders are searched for
    /// *.json, *.yaml and *.yml; - is standard input.
    #[arg(required_unless_present = "explain", value_name = "FILE|DIR|-")]
    paths: Vec<String>,
    /// The form of the output.
    #[arg(long, short, value_enum, default_value_t = Form::Human)]
    output: Form,
    /// Tell only the findings with these codes: a code, a beginning such as expression-*, or all.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = Pattern::parse)]
    select: Option<Vec<Pattern>>,
    /// Do not tell the findings with these codes.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = ignorable)]
    ignore: Vec<Pattern>,
    /// A configuration file, in place of the .weirkeeper.yaml that is nearest to each file in its folder or one above, within the
    /// repository.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Look for no configuration file.
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
    /// Print what a finding means, with an example and how to mend it, and end.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "output", "select", "ignore", "config"])]
    explain: Option<String>,
    /// A catalogue made by `weirkeeper catalog build`, or an n8n installation, in place of the one that is built in.
    #[arg(long, value_name = "FILE|DIR")]
    catalog: Option<PathBuf>,
    /// The version of the n8n that the workflows are for. Where it is not the catalogue's, what rests on node types is only doubtful, as
    /// for the operator. By default it is the catalogue's.
    #[arg(long, value_name = "VERSION")]
    n8n_version: Option<String>,
    /// Take warnings for errors, and finding nothing to validate too.
    #[arg(long)]
    strict: bool,
    /// Whether human output has colour. `auto`: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
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
enum Colour {
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

/// The exit code for files that could not be read, which outweighs any finding.
const UNREADABLE: u8 = 2;

/// Validates and prints. The exit code is 0 where nothing is wrong, 1 for errors, 2 where a file could not be read.
///
/// # Errors
/// When the catalogue or the configuration cannot be used or standard output cannot be written to.
pub fn run(arguments: &ValidateArguments, no_color: bool) -> Result<ExitCode, ValidateError> {
    if let Some(code) = &arguments.explain {
        print(&explain::explain(code).map_err(ValidateError::Code)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let sources = files::read(&arguments.paths);
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let mut reports = validate(&sources, catalog);
    let hidden = choices::apply(arguments, &sources, &mut reports, catalog)?;
    let coloured = match arguments.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => io::stdout().is_terminal() && !no_color,
    };
    print(&match arguments.output {
        Form::Human => human::write(&sources, &reports, hidden, coloured),
        Form::Concise => lines::write(&sources, &reports),
        Form::Json => json::write(&sources, &reports, arguments.strict),
        Form::Github => github::write(&sources, &reports),
        Form::Sarif => sarif::write(&sources, &reports),
    })?;
    if reports.is_empty() {
        eprintln!("weirkeeper: warning: {}", nothing(&arguments.paths, sources.len()));
        return Ok(ExitCode::from(u8::from(arguments.strict)));
    }
    Ok(ExitCode::from(code(&reports, arguments.strict)))
}

fn print(text: &str) -> Result<(), ValidateError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads may have seen enough, as `head` does.
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(CatalogError::File { attempt: "write", file: "standard output".to_owned(), source }.into())
        }
        _ => Ok(()),
    }
}

fn code(reports: &[Report], strict: bool) -> u8 {
    if reports.iter().any(|report| !report.readable) { UNREADABLE } else { u8::from(reports.iter().any(|report| !report.is_valid(strict))) }
}

/// Says that there was nothing to validate, which in a pipeline is mostly a path that leads elsewhere.
fn nothing(paths: &[String], files: usize) -> String {
    let read = match files {
        0 => "they hold no *.json, *.yaml or *.yml file",
        _ => "no n8n workflow, Workflow or N8nInstance is in them",
    };
    format!("there is nothing to validate in {}: {read}; check the path", paths.join(", "))
}

fn ignorable(text: &str) -> Result<Pattern, String> {
    match Code::ALL.iter().find(|code| code.as_str() == text && code.ends_checking()) {
        Some(code) => Err(cannot_be_changed(*code)),
        None => Pattern::parse(text),
    }
}

/// The name of a file of the set.
fn name(sources: &[Source], number: usize) -> &str {
    sources.get(number).map_or("", |source| source.name.as_str())
}

/// Every finding with its report, the worst first; those that are as bad in the order of the files.
fn by_harm(reports: &[Report]) -> Vec<(&Report, &Placed)> {
    let mut all: Vec<_> = reports.iter().flat_map(|report| report.findings.iter().map(move |placed| (report, placed))).collect();
    all.sort_by_key(|(_, placed)| (placed.finding.severity, placed.finding.code.harm()));
    all
}
