//! `weirkeeper validate`: what is wrong with workflows in files, for people, pipelines and code-scanning services.

pub(super) mod files;
mod human;
mod json;
mod sarif;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::catalog::{self, CatalogError};
use crate::domain::catalog::Catalog;
use crate::domain::check::doubt;
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
    /// The version of the n8n that the workflows are for. Where it is not the catalogue's, what rests on node types is only doubtful, as
    /// for the operator. By default it is the catalogue's.
    #[arg(long, value_name = "VERSION")]
    n8n_version: Option<String>,
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
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let mut reports = validate(&sources, catalog);
    if let Some(version) = arguments.n8n_version.as_deref().filter(|version| !catalog.is_of(Some(version))) {
        doubt(reports.iter_mut().flat_map(|report| &mut report.findings).map(|placed| &mut placed.finding));
        let own = catalog.index().n8n.as_deref().unwrap_or("unknown version");
        eprintln!("weirkeeper: the catalogue is that of n8n {own}, not {version}: what rests on node types is only doubtful");
    }
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
