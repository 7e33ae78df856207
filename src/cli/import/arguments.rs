//! The arguments of `weirkeeper import`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::api::workflow::InstanceRef;
use crate::cli::connection::Connection;

/// Which n8n to read, what of it, and where to write.
#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).args(["all", "tag", "id"]))]
pub struct ImportArguments {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Every workflow that the key can see.
    #[arg(long)]
    pub(super) all: bool,
    /// The workflows that have one of these tags.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(super) tag: Vec<String>,
    /// The workflows of these ids.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(super) id: Vec<String>,
    /// The N8nInstance that the manifests refer to.
    #[arg(long, value_name = "NAME[/NAMESPACE]", value_parser = instance)]
    pub(super) instance: InstanceRef,
    /// The namespace that the manifests name. Default: none, so that kubectl or Kustomize chooses.
    #[arg(long)]
    pub(super) namespace: Option<String>,
    /// The folder to write one file per workflow into. Default: all of them to standard output.
    #[arg(long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// Overwrite files that exist.
    #[arg(long, requires = "output_dir")]
    pub(super) force: bool,
    /// Import workflows that Weirkeeper manages already, too.
    #[arg(long)]
    pub(super) managed: bool,
}

fn instance(text: &str) -> Result<InstanceRef, String> {
    let (name, namespace) = text.split_once('/').map_or((text, None), |(name, namespace)| (name, Some(namespace)));
    let fits = |part: &str| (1..=63).contains(&part.len()) && !part.contains('/');
    if !fits(name) || !namespace.is_none_or(fits) {
        return Err("want NAME or NAME/NAMESPACE, each of 1 to 63 characters".to_owned());
    }
    Ok(InstanceRef { name: name.to_owned(), namespace: namespace.map(str::to_owned) })
}
