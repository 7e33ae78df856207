//! `weirkeeper import`: the workflows of an existing n8n as manifests, ready to commit and to adopt.

mod fetch;
mod output;

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::api::workflow::InstanceRef;
use crate::cli::connection::{Connection, ConnectionError};
use crate::domain::import::{Target, import};
use crate::domain::text::shown;
use crate::n8n::N8nError;

/// Which n8n to read, what of it, and where to write.
#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).args(["all", "tag", "id"]))]
pub struct ImportArguments {
    #[command(flatten)]
    connection: Connection,
    /// Every workflow that the key can see.
    #[arg(long)]
    all: bool,
    /// The workflows that have one of these tags.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    tag: Vec<String>,
    /// The workflows of these ids.
    #[arg(long, value_name = "ID", num_args = 1..)]
    id: Vec<String>,
    /// The N8nInstance that the manifests refer to.
    #[arg(long, value_name = "NAME[/NAMESPACE]", value_parser = instance)]
    instance: InstanceRef,
    /// The namespace that the manifests name. Default: none, so that kubectl or Kustomize chooses.
    #[arg(long)]
    namespace: Option<String>,
    /// The folder to write one file per workflow into. Default: all of them to standard output.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Overwrite files that exist.
    #[arg(long, requires = "output_dir")]
    force: bool,
    /// Import workflows that Weirkeeper manages already, too.
    #[arg(long)]
    managed: bool,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file could not be written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// Files are in the way.
    #[error("nothing was written, for these files exist: {0}; use --force to overwrite them")]
    Exists(String),
    /// n8n cannot be spoken to with these arguments.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// n8n did not answer as wanted.
    #[error(transparent)]
    N8n(#[from] N8nError),
    /// Ids that n8n does not have.
    #[error("n8n has no workflow with the id {0}, or the key cannot see it")]
    Missing(String),
}

/// Reads n8n and writes the manifests. What a person should know goes to standard error.
///
/// # Errors
/// When n8n cannot be read or a file not written. Nothing is written then, except where a disk fails midway.
pub fn run(arguments: &ImportArguments, key: Option<&str>) -> Result<(), ImportError> {
    let held = fetch::fetch(arguments, key)?;
    let target = Target { instance: arguments.instance.clone(), namespace: arguments.namespace.clone() };
    let (imported, notes) = import(held.chosen, &target);
    for line in held.notes.into_iter().chain(notes.into_iter().map(|note| format!("{}: {}", note.name, note.message))) {
        eprintln!("{}", shown(&line));
    }
    output::write(&imported, arguments.output_dir.as_deref(), arguments.force)?;
    eprintln!("{} imported, {} left out", imported.len(), held.total - imported.len());
    Ok(())
}

fn instance(text: &str) -> Result<InstanceRef, String> {
    let (name, namespace) = text.split_once('/').map_or((text, None), |(name, namespace)| (name, Some(namespace)));
    let fits = |part: &str| (1..=63).contains(&part.len()) && !part.contains('/');
    if !fits(name) || !namespace.is_none_or(fits) {
        return Err("want NAME or NAME/NAMESPACE, each of 1 to 63 characters".to_owned());
    }
    Ok(InstanceRef { name: name.to_owned(), namespace: namespace.map(str::to_owned) })
}
