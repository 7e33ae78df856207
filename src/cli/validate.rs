//! `weirkeeper validate`: validates workflow files, for people, pipelines and code-scanning services.

mod arguments;
mod choices;
mod explain;
pub mod files;
mod github;
mod human;
mod json;
mod lines;
mod order;
mod sarif;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use crate::catalog::Catalog;
use crate::cli::catalog::{self, CatalogError};
use crate::cli::stdout;
use crate::manifest::{NamespaceRules, Report, Source, read_policies, read_quotas, validate_by};
use crate::text::shown;
use arguments::{Colour, Form};

pub use arguments::{ValidateArguments, ValidateError};

/// Exit code for files that could not be read, which takes precedence over any finding.
const UNREADABLE: u8 = 2;

/// Validates files and prints the findings. The exit code is 0 without errors, 1 for errors, 2 if a file could not be read.
///
/// # Errors
/// If the catalogue or the configuration cannot be used, or standard output cannot be written to.
pub fn run(arguments: &ValidateArguments, no_color: bool) -> Result<ExitCode, ValidateError> {
    if let Some(code) = &arguments.explain {
        print(&explain::explain(code).map_err(ValidateError::Code)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let sources = files::read(&arguments.paths);
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let rules = NamespaceRules {
        policies: each(&arguments.policy, read_policies).map_err(ValidateError::Policy)?,
        quotas: each(&arguments.quota, read_quotas).map_err(ValidateError::Quota)?,
    };
    let mut reports = validate_by(&sources, catalog, &rules);
    let remarks = rules.remarks(&reports, catalog);
    for remark in &remarks {
        eprintln!("weirkeeper: warning: {}", shown(remark));
    }
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
    Ok(ExitCode::from(code(&reports, arguments.strict).max(u8::from(arguments.strict && !remarks.is_empty()))))
}

/// Returns the objects of all files.
fn each<T: Clone>(paths: &[String], read: fn(&Source) -> Result<Vec<T>, String>) -> Result<Vec<T>, String> {
    Ok(files::read(paths).iter().map(read).collect::<Result<Vec<_>, _>>()?.concat())
}

fn print(text: &str) -> Result<(), ValidateError> {
    let failed = |source| CatalogError::File { attempt: "write", file: "standard output".to_owned(), source };
    stdout::write(text).map_err(|source| failed(source).into())
}

fn code(reports: &[Report], strict: bool) -> u8 {
    if reports.iter().any(|report| !report.readable) { UNREADABLE } else { u8::from(reports.iter().any(|report| !report.is_valid(strict))) }
}

/// Returns the message that there was nothing to validate, which in a pipeline mostly means a wrong path.
fn nothing(paths: &[String], files: usize) -> String {
    let read = match files {
        0 => "there is no *.json, *.yaml or *.yml file",
        _ => {
            "the files contain no n8n workflow, Workflow, N8nInstance, N8nCredential, WorkflowPolicy, WorkflowQuota, ModelProvider or WorkflowTemplate"
        }
    };
    format!("there is nothing to validate in {}: {read}; check the path", paths.join(", "))
}
