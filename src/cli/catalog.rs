//! `weirkeeper catalog`: make, look into, search and compare catalogues of n8n's node types.

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
    /// Make a catalogue from the description files of an n8n installation.
    Build {
        /// The installation: the folder that holds `node_modules`, or n8n's own package folder.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// A community package to include, unpacked and with `dist/types`; may be given several times.
        #[arg(long, value_name = "DIR")]
        package: Vec<PathBuf>,
        /// Where to write the catalogue; by default n8n.catalog, or NAME.yaml with --config-map.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write the manifest of a ConfigMap of this name that holds the catalogue, for spec.catalogRef of an N8nInstance.
        #[arg(long, value_name = "NAME")]
        config_map: Option<String>,
    },
    /// Print what is known of a node type or a credential type.
    Show {
        /// Such as `n8n-nodes-base.slack`, `slack`, `slackTool` or `slackOAuth2Api`.
        #[arg(value_name = "TYPE")]
        name: String,
        /// The version of the node type; by default the one that n8n takes for new nodes.
        #[arg(long = "version", value_name = "VERSION")]
        version: Option<f64>,
        /// Another catalogue than the one that is built in: a file, or an n8n installation.
        #[arg(long, value_name = "FILE")]
        catalog: Option<PathBuf>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Find node types by name, alias or operation.
    Search {
        /// All must fit.
        #[arg(required = true)]
        words: Vec<String>,
        /// The most to print.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Another catalogue than the one that is built in: a file, or an n8n installation.
        #[arg(long, value_name = "FILE")]
        catalog: Option<PathBuf>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Print what changes from one catalogue or installation to another. Exit code 0: nothing breaks; 1: something does;
    /// 2: one could not be read.
    Diff {
        /// The catalogue file or installation that is in use.
        before: PathBuf,
        /// The one that would come.
        after: PathBuf,
        /// Also what breaks nothing.
        #[arg(long)]
        all: bool,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
}

/// Runs one subcommand.
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
                return Err(CatalogError::Unknown(format!("nothing fits {:?}", words.join(" "))));
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
    let (bytes, told) = catalog_of(from, packages)?;
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
    println!("{}: {} bytes\n{told}", output.display(), bytes.len());
    if config_map.is_some() {
        println!("apply it with `kubectl apply --server-side -f {}`: for client-side apply it is too large", output.display());
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
