//! `weirkeeper validate`: what is wrong with workflows in files, for people, pipelines and code-scanning services.

mod files;
mod human;
mod json;
mod sarif;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::catalog::{self, CatalogError};
use crate::domain::catalog::Catalog;
use crate::domain::manifest::{Report, Source, validate};

/// What to validate and how to tell.
#[derive(Args)]
pub struct ValidateArguments {
    /// Workflows as n8n exports them (JSON or YAML) or manifests that hold Workflow objects; folders are searched for *.json, *.yaml and
    /// *.yml; - is standard input.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<String>,
    /// The form of the output.
    #[arg(long, short, value_enum, default_value_t = Form::Human)]
    output: Form,
    /// A catalogue made by `weirkeeper catalog build`, or an n8n installation, in place of the one that is built in.
    #[arg(long, value_name = "FILE|DIR")]
    catalog: Option<PathBuf>,
    /// Take warnings for errors.
    #[arg(long)]
    strict: bool,
    /// Whether human output has colour. `auto`: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: source lines with markers, and a summary.
    Human,
    /// One JSON object a line for each workflow.
    Json,
    /// One SARIF 2.1.0 log, for code-scanning services.
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

/// The exit code for files that could not be read, which outweighs any finding.
const UNREADABLE: u8 = 2;

/// Validates and prints. The exit code is 0 where nothing is wrong, 1 for errors, 2 where a file could not be read.
///
/// # Errors
/// When the catalogue cannot be read or standard output cannot be written to.
pub fn run(arguments: &ValidateArguments, no_color: bool) -> Result<ExitCode, CatalogError> {
    let sources = files::read(&arguments.paths);
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let reports = validate(&sources, given.as_ref().unwrap_or_else(|| Catalog::embedded()));
    let stdout = io::stdout();
    let coloured = match arguments.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => stdout.is_terminal() && !no_color,
    };
    let text = match arguments.output {
        Form::Human => human::write(&sources, &reports, coloured),
        Form::Json => json::write(&sources, &reports, arguments.strict),
        Form::Sarif => sarif::write(&sources, &reports),
    };
    match stdout.lock().write_all(text.as_bytes()) {
        // Whoever reads may have seen enough, as `head` does.
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            return Err(CatalogError::File { attempt: "write", file: "standard output".to_owned(), source });
        }
        _ => {}
    }
    Ok(ExitCode::from(code(&reports, arguments.strict)))
}

fn code(reports: &[Report], strict: bool) -> u8 {
    if reports.iter().any(|report| !report.readable) { UNREADABLE } else { u8::from(reports.iter().any(|report| !report.is_valid(strict))) }
}

/// The name of a file of the set.
fn name(sources: &[Source], number: usize) -> &str {
    sources.get(number).map_or("", |source| source.name.as_str())
}
