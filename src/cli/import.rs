//! `weirkeeper import`: writes the workflows of an existing n8n as manifests, ready to commit and adopt.

mod arguments;
mod error;
mod fetch;
mod output;

use crate::manifest::import::{Target, import};
use crate::text::shown;

pub use arguments::ImportArguments;
pub(super) use arguments::instance;
pub use error::ImportError;

/// Reads n8n and writes the manifests. Notes for people are printed to standard error.
///
/// # Errors
/// If n8n cannot be read or a file not written. Nothing is written then, unless a disk fails midway.
pub fn run(arguments: &ImportArguments, key: Option<&str>) -> Result<(), ImportError> {
    let fetched = fetch::fetch(arguments, key)?;
    let target =
        Target { instance: arguments.instance.clone(), namespace: arguments.namespace.clone(), credentials: arguments.with_credentials };
    let import = import(fetched.chosen, &target);
    for line in fetched.notes.into_iter().chain(import.notes.into_iter().map(|note| format!("{}: {}", note.name, note.message))) {
        eprintln!("{}", shown(&line));
    }
    output::write(&import.workflows, &import.credentials, arguments.output_dir.as_deref(), arguments.force)?;
    eprintln!("{} imported, {} left out", import.workflows.len(), fetched.total - import.workflows.len());
    Ok(())
}
