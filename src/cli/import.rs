//! `weirkeeper import`: writes the workflows of an existing n8n as manifests, ready to commit and adopt.

mod arguments;
mod error;
mod fetch;
mod output;

use crate::manifest::import::{Target, import};
use crate::text::shown;

pub use arguments::ImportArguments;
pub use error::ImportError;

/// Reads n8n and writes the manifests. Notes for people are printed to standard error.
///
/// # Errors
/// If n8n cannot be read or a file not written. Nothing is written then, unless a disk fails midway.
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
