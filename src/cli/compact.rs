//! `weirkeeper compact` and `weirkeeper expand`: between n8n's workflows and the compact form.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::cli::catalog::{self, CatalogError};
use crate::cli::stdout;
use crate::cli::validate::files;
use crate::document::finding::{Code, Finding, has_errors};
use crate::document::json_path::is_within;
use crate::document::parse::read_text;
use crate::generation::compact::normal::normal;
use crate::generation::compact::{Compact, compile, decompile, locate, read};
use crate::text::shown;
use crate::validator::check::{check, parse_and_check};

/// Maximum size of a document in bytes.
const LARGEST: usize = 4 << 20;
/// Exit code for a file that could not be read.
const UNREADABLE: u8 = 2;

/// Arguments of `weirkeeper compact`.
#[derive(Args)]
pub struct CompactArguments {
    /// n8n workflow as JSON or YAML; `-` for standard input.
    file: String,
    /// Catalogue of the n8n that runs the workflow, written by `weirkeeper catalog build`; by default that of the n8n that this version is
    /// tested with.
    #[arg(long)]
    catalog: Option<PathBuf>,
}

/// Arguments of `weirkeeper expand`.
#[derive(Args)]
pub struct ExpandArguments {
    /// Workflow in the compact form; `-` for standard input.
    file: String,
    /// Value of a slot: `--set channel=#sales` stands in place of `?channel`.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = named)]
    values: Vec<(String, String)>,
    /// Catalogue of the n8n that runs the workflow, written by `weirkeeper catalog build`; by default that of the n8n that this version is
    /// tested with.
    #[arg(long)]
    catalog: Option<PathBuf>,
}

fn named(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a value is written as NAME=VALUE")?;
    Ok((name.trim_start_matches('?').to_owned(), value.to_owned()))
}

/// Reason for which a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The file could not be read.
    #[error("read {0}: {1}")]
    File(String, String),
    /// The argument is something other than one file.
    #[error("{0} is not one file; name a single workflow")]
    Several(String),
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

/// Prints a workflow in the compact form. The exit code is 0, or 1 if it cannot be written in it, 2 if the file cannot be read.
///
/// # Errors
/// If the file or the catalogue cannot be used, or standard output cannot be written to.
pub fn run_compact(arguments: &CompactArguments) -> Result<ExitCode, CompactError> {
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let value = match document(&arguments.file)? {
        Ok(value) => value,
        Err(findings) => return Ok(report(&findings, UNREADABLE)),
    };
    let parsed = match parse_and_check(&value) {
        Ok(parsed) => parsed,
        Err(findings) => return Ok(report(&findings, 1)),
    };
    let done = match decompile(&parsed.definition, catalog) {
        Ok(done) => done,
        Err(findings) => return Ok(report(&findings, 1)),
    };
    let mut findings = done.findings;
    let back = compile(&done.compact, &BTreeMap::new(), catalog);
    if !back.is_ok_and(|back| normal(&back.definition, catalog) == normal(&parsed.definition, catalog)) {
        let message = "expanding it gives a workflow that differs in more than names, ids and places; compare the two before you use it";
        findings.push(Finding::warning(Code::CompactInvalid, "", message));
    }
    print(&done.compact)?;
    Ok(report(&findings, 1))
}

/// Prints the n8n workflow of a compact one, and what the validator finds in it. The exit code is 0 without errors, 1 with errors, 2 if the
/// file cannot be read.
///
/// # Errors
/// If the file or the catalogue cannot be used, or standard output cannot be written to.
pub fn run_expand(arguments: &ExpandArguments) -> Result<ExitCode, CompactError> {
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let value = match document(&arguments.file)? {
        Ok(value) => value,
        Err(findings) => return Ok(report(&findings, UNREADABLE)),
    };
    let inputs = arguments.values.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let compiled = match read(&value).and_then(|compact: Compact| compile(&compact, &inputs, catalog)) {
        Ok(compiled) => compiled,
        Err(findings) => return Ok(report(&findings, 1)),
    };
    let mut findings = compiled.findings;
    let checked = check(&compiled.definition, None, catalog).into_iter().map(|finding| Finding { path: locate(&finding.path), ..finding });
    // A value that is still to be given is said once, and nothing is said about what stands in its place.
    let open: Vec<&String> = compiled.slots.iter().filter(|slot| slot.open).flat_map(|slot| &slot.paths).collect();
    findings.extend(checked.filter(|finding| !open.iter().any(|path| is_within(&finding.path, path))));
    print(&compiled.definition)?;
    Ok(report(&findings, 1))
}

fn document(file: &str) -> Result<Result<Value, Vec<Finding>>, CompactError> {
    let mut sources = files::read(&[file.to_owned()]);
    let (Some(source), true) = (sources.pop(), sources.is_empty()) else { return Err(CompactError::Several(file.to_owned())) };
    let text = source.text.map_err(|error| CompactError::File(file.to_owned(), error))?;
    Ok(read_text(&text, LARGEST).map(|read| read.value))
}

fn print(value: &impl Serialize) -> Result<(), CompactError> {
    Ok(stdout::write(&format!("{}\n", serde_json::to_string_pretty(value)?))?)
}

/// Prints the findings to standard error and returns the exit code.
fn report(findings: &[Finding], failed: u8) -> ExitCode {
    for finding in findings {
        eprintln!("{}: {}: {}", finding.severity, finding.code, shown(&finding.to_string()));
    }
    ExitCode::from(if has_errors(findings) { failed } else { 0 })
}
