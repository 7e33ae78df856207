//! Arguments of `weirkeeper import`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::api::workflow::InstanceRef;
use crate::cli::connection::ConnectionArguments;

/// Selection of the n8n and its workflows, and the destination of the manifests.
#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).args(["all", "tag", "id"]))]
pub struct ImportArguments {
    #[command(flatten)]
    pub(super) connection: ConnectionArguments,
    /// Import all workflows that the key can see.
    #[arg(long)]
    pub(super) all: bool,
    /// Import the workflows that have one of these tags.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(super) tag: Vec<String>,
    /// Import the workflows with these ids.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(super) id: Vec<String>,
    /// N8nInstance that the manifests refer to.
    #[arg(long, value_name = "NAME[/NAMESPACE]", value_parser = instance)]
    pub(super) instance: InstanceRef,
    /// Namespace in the manifests. Default: none, so that kubectl or Kustomize sets it.
    #[arg(long)]
    pub(super) namespace: Option<String>,
    /// Folder to write one file per workflow to. Default: all of them to standard output.
    #[arg(long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// Overwrite existing files.
    #[arg(long, requires = "output_dir")]
    pub(super) force: bool,
    /// Also write an N8nCredential for each credential that the workflows use, which adopts it; the Workflows then name these objects. Values
    /// are not written: n8n never returns them.
    #[arg(long)]
    pub(super) with_credentials: bool,
    /// Also import workflows that Weirkeeper manages already.
    #[arg(long)]
    pub(super) managed: bool,
}

pub(crate) fn instance(text: &str) -> Result<InstanceRef, String> {
    let (name, namespace) = text.split_once('/').map_or((text, None), |(name, namespace)| (name, Some(namespace)));
    let fits = |part: &str| (1..=63).contains(&part.len()) && !part.contains('/');
    if !fits(name) || !namespace.is_none_or(fits) {
        return Err("expected NAME or NAME/NAMESPACE, each of 1 to 63 characters".to_owned());
    }
    Ok(InstanceRef { name: name.to_owned(), namespace: namespace.map(str::to_owned) })
}
