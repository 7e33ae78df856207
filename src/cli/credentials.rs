//! `weirkeeper credentials`: writes the manifests of the credentials that workflows need, for people to fill in.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::api::workflow::InstanceRef;
use crate::catalog::Catalog;
use crate::cli::catalog::{self, CatalogError};
use crate::cli::import::instance;
use crate::cli::{stdout, validate};
use crate::manifest::{ExportTarget, credentials_needed};
use crate::text::shown;

/// Workflows whose credentials are to be written, and where these are to be.
#[derive(Args)]
pub struct CredentialsArguments {
    /// Workflows exported from n8n (JSON or YAML), or manifests with Workflow objects; folders are searched for *.json, *.yaml and *.yml;
    /// - is standard input. N8nCredentials among the files are not written again.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<String>,
    /// N8nInstance of the credentials of workflows exported from n8n. A Workflow object names its own.
    #[arg(long, value_name = "NAME[/NAMESPACE]", value_parser = instance)]
    instance: Option<InstanceRef>,
    /// Namespace in the manifests, for workflows that name none. Default: none, so that kubectl or Kustomize sets it.
    #[arg(long)]
    namespace: Option<String>,
    /// Catalogue built by `weirkeeper catalog build`, or an n8n installation, to use instead of the built-in one.
    #[arg(long, value_name = "FILE|DIR")]
    catalog: Option<PathBuf>,
}

/// Writes an N8nCredential and a Secret for each credential that the workflows need and that neither the files nor `existing` mappings provide.
/// The exit code is 0, or 1 if something could not be written, which standard error says.
///
/// # Errors
/// If the catalogue cannot be used, or standard output cannot be written to.
pub fn run(arguments: &CredentialsArguments) -> Result<ExitCode, CatalogError> {
    let sources = validate::files::read(&arguments.paths);
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let target = ExportTarget { instance: arguments.instance.clone(), namespace: arguments.namespace.clone() };
    let needs = credentials_needed(&sources, catalog, &target);
    let text: String = needs.skeletons.iter().map(|skeleton| skeleton.text(catalog)).collect();
    stdout::write(&text).map_err(|source| CatalogError::File { attempt: "write", file: "standard output".to_owned(), source })?;
    for note in needs.notes.iter().chain(&needs.problems) {
        eprintln!("weirkeeper: {}", shown(note));
    }
    if needs.skeletons.is_empty() && needs.notes.is_empty() && needs.problems.is_empty() {
        eprintln!("weirkeeper: the workflows need no credential that is not there");
    }
    Ok(ExitCode::from(u8::from(!needs.problems.is_empty())))
}
