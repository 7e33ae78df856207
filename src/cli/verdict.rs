//! `weirkeeper verdict`: what a running n8n has against workflows in files, beside what the validator says.

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

/// Which workflows, and which n8n to ask.
#[derive(Args)]
pub struct VerdictArguments {
    /// Workflows, as `weirkeeper validate` takes them.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<String>,
    #[command(flatten)]
    connection: Connection,
    /// Say that this may create workflows in that n8n and delete them again. Without it nothing is done.
    #[arg(long)]
    write_scratch_workflows: bool,
    /// The form of the output.
    #[arg(long, short, value_enum, default_value_t = Form::Human)]
    output: Form,
    /// A catalogue made by `weirkeeper catalog build`, or an n8n installation, in place of the one that is built in.
    #[arg(long, value_name = "FILE|DIR")]
    catalog: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: where the two differ, and a table.
    Human,
    /// One JSON object a line for each workflow.
    Json,
}

pub use error::VerdictError;

/// Whether both say the same.
const DIFFERENT: u8 = 1;
/// The exit code where something could not be asked or was left behind, which outweighs any difference.
const UNASKED: u8 = 2;

/// Asks n8n about each workflow and prints what it says beside what the validator says.
///
/// # Errors
/// When n8n cannot be asked. Scratch workflows are deleted all the same, as far as n8n lets them.
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
