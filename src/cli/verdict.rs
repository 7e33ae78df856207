//! `weirkeeper verdict`: compares a running n8n's verdict on workflow files with the validator's findings.

mod ask;
mod error;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::catalog::Catalog;
use crate::cli::catalog::{self};
use crate::cli::connection::{Connection, runtime};
use crate::cli::validate::files;
use crate::manifest::validate;

/// Workflows to compare, and the n8n to ask.
#[derive(Args)]
pub struct VerdictArguments {
    /// Workflow files, as for `weirkeeper validate`.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<String>,
    #[command(flatten)]
    connection: Connection,
    /// Allow this command to create workflows in that n8n and delete them again. Without it nothing is done.
    #[arg(long)]
    write_scratch_workflows: bool,
    /// Output format.
    #[arg(long, short, value_enum, default_value_t = Form::Human)]
    output: Form,
    /// Catalogue built by `weirkeeper catalog build`, or an n8n installation, to use instead of the built-in one.
    #[arg(long, value_name = "FILE|DIR")]
    catalog: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Text for people: the differences, and a table.
    Human,
    /// One JSON object per line for each workflow.
    Json,
}

pub use error::VerdictError;

/// Exit code if n8n and the validator differ.
const DIFFERENT: u8 = 1;
/// Exit code if something could not be checked or was left behind, which takes precedence over differences.
const UNASKED: u8 = 2;

/// Asks n8n about each workflow and prints its verdict beside the validator's findings.
///
/// # Errors
/// If n8n cannot be asked. Scratch workflows are deleted even then, as far as n8n allows it.
pub fn run(arguments: &VerdictArguments, key: Option<&str>) -> Result<ExitCode, VerdictError> {
    if !arguments.write_scratch_workflows {
        return Err(VerdictError::NotAllowed);
    }
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let reports = validate(&files::read(&arguments.paths), catalog);
    let client = arguments.connection.client(key)?;
    let mut output = output::Output::new(arguments.output == Form::Json);
    let ended = runtime()?.block_on(ask::all(&client, &reports, catalog, &mut output));
    let summary = output.end();
    let whole = ended?;
    Ok(ExitCode::from(match (whole && summary.unasked == 0, summary.differ) {
        (false, _) => UNASKED,
        (true, true) => DIFFERENT,
        (true, false) => 0,
    }))
}
