//! `weirkeeper catalog`: builds, inspects, searches and compares catalogues of n8n's node types.

mod describe;
mod diff;
mod error;
mod installation;
mod load;
mod output;
mod show;
mod sources;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::json;

use crate::api::instance::CATALOG_KEY;
use crate::catalog::{Catalog, search};
use crate::document::yaml;

use error::LARGEST_CONFIG_MAP;

pub use error::CatalogError;
pub use installation::InstallationError;
pub use load::{catalog_of, read};
pub use output::Output;

/// The subcommands.
#[derive(Subcommand)]
pub enum CatalogCommand {
    /// Build a catalogue from the description files of an n8n installation.
    Build {
        /// The installation: the folder that contains `node_modules`, or n8n's own package folder.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Community package to include, unpacked and with `dist/types`; may be repeated.
        #[arg(long, value_name = "DIR")]
        package: Vec<PathBuf>,
        /// File to write the catalogue to. Default: n8n.catalog, or NAME.yaml with --config-map.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write the manifest of a ConfigMap with this name that holds the catalogue, for spec.catalogRef of an N8nInstance.
        #[arg(long, value_name = "NAME")]
        config_map: Option<String>,
    },
    /// Print the facts about a node type or a credential type.
    Show {
        /// Name of the type, such as `n8n-nodes-base.slack`, `slack`, `slackTool` or `slackOAuth2Api`.
        #[arg(value_name = "TYPE")]
        name: String,
        /// Version of the node type. Default: the one that n8n uses for new nodes.
        #[arg(long = "version", value_name = "VERSION")]
        version: Option<f64>,
        /// Catalogue to use instead of the built-in one: a file, or an n8n installation.
        #[arg(long, value_name = "FILE")]
        catalog: Option<PathBuf>,
        /// Output format.
        #[arg(long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Find node types by name, alias or operation.
    Search {
        /// Words that must all match.
        #[arg(required = true)]
        words: Vec<String>,
        /// Maximum number of results.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Catalogue to use instead of the built-in one: a file, or an n8n installation.
        #[arg(long, value_name = "FILE")]
        catalog: Option<PathBuf>,
        /// Output format.
        #[arg(long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Print the changes from one catalogue or installation to another. Exit code 0: no breaking change; 1: breaking changes; 2: one could
    /// not be read.
    Diff {
        /// Catalogue file or installation in use.
        before: PathBuf,
        /// Catalogue file or installation that would replace it.
        after: PathBuf,
        /// Include changes that break nothing.
        #[arg(long)]
        all: bool,
        /// Output format.
        #[arg(long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
}

/// Runs a subcommand.
pub fn run(command: &CatalogCommand) -> Result<ExitCode, CatalogError> {
    match command {
        CatalogCommand::Build { from, package, output, config_map } => {
            build(from, package, output.as_deref(), config_map.as_deref()).map(|()| ExitCode::SUCCESS)
        }
        CatalogCommand::Show { name, version, catalog, output } => {
            let text = with(catalog.as_deref(), |catalog| show::show(catalog, name, *version, *output))??;
            print!("{text}");
            Ok(ExitCode::SUCCESS)
        }
        CatalogCommand::Search { words, limit, catalog, output } => {
            let hits = with(catalog.as_deref(), |catalog| search::search(catalog, words, *limit))?;
            print!("{}", show::hits(&hits, *output));
            if hits.is_empty() {
                return Err(CatalogError::Unknown(format!("no node type matches {:?}", words.join(" "))));
            }
            Ok(ExitCode::SUCCESS)
        }
        CatalogCommand::Diff { before, after, all, output } => match diff::diff(before, after, *all, *output) {
            Ok((text, breaks)) => {
                print!("{text}");
                Ok(if breaks { ExitCode::FAILURE } else { ExitCode::SUCCESS })
            }
            Err(error) => {
                eprintln!("weirkeeper: {error}");
                Ok(ExitCode::from(2))
            }
        },
    }
}

fn build(from: &Path, packages: &[PathBuf], output: Option<&Path>, config_map: Option<&str>) -> Result<(), CatalogError> {
    let (bytes, summary) = catalog_of(from, packages)?;
    let default = config_map.map_or_else(|| PathBuf::from(CATALOG_KEY), |name| PathBuf::from(format!("{name}.yaml")));
    let output = output.unwrap_or(&default);
    let written = match config_map {
        Some(_) if bytes.len() > LARGEST_CONFIG_MAP => return Err(CatalogError::TooLarge(bytes.len())),
        Some(name) => manifest(name, &bytes).into_bytes(),
        None => bytes.clone(),
    };
    std::fs::write(output, written).map_err(|source| CatalogError::File {
        attempt: "write",
        file: output.display().to_string(),
        source,
    })?;
    println!("{}: {} bytes\n{summary}", output.display(), bytes.len());
    if config_map.is_some() {
        println!("apply it with `kubectl apply --server-side -f {}`; it is too large for client-side apply", output.display());
    }
    Ok(())
}

fn manifest(name: &str, catalog: &[u8]) -> String {
    let packed = STANDARD.encode(catalog);
    let config_map =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "binaryData": { CATALOG_KEY: packed } });
    yaml::document(&config_map)
}

fn with<T>(path: Option<&Path>, work: impl FnOnce(&Catalog) -> T) -> Result<T, CatalogError> {
    match path {
        None => Ok(work(Catalog::embedded())),
        Some(path) => Ok(work(&read(path)?)),
    }
}
