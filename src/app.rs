//! The process: arguments, logs, health endpoints, leader election.

mod client;
mod crds;
mod endpoints;
mod lease;
mod logs;
mod operator;
mod settings;
mod webhook;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli;
use crate::text::shown;

/// Manages n8n workflows as Kubernetes custom resources.
#[derive(Parser)]
#[command(name = "weirkeeper", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator for the cluster of the environment (in-cluster, or KUBECONFIG).
    Operator(Box<settings::OperatorArguments>),
    /// Write an n8n workflow in the compact form. Exit code 0: done; 1: it has no compact form; 2: the file or an argument cannot be used.
    Compact(cli::compact::CompactArguments),
    /// Write the n8n workflow of a compact one, and validate it. Exit code 0: no errors; 1: errors; 2: the file or an argument cannot be
    /// used.
    Expand(cli::compact::ExpandArguments),
    /// Print the CustomResourceDefinitions and their admission policies, or write them to a folder.
    Crds {
        /// Folder to write one file per definition and policy to; it must exist.
        #[arg(long)]
        output: Option<std::path::PathBuf>,
        /// Compare the definitions that are installed in the cluster of the environment instead. Exit code 0: they are those of this
        /// version; 1: they differ, and the output says what to apply; 2: they cannot be read.
        #[arg(long, conflicts_with = "output")]
        check: bool,
    },
    /// Build, inspect, search and compare catalogues of n8n's node types.
    Catalog {
        #[command(subcommand)]
        command: cli::catalog::CatalogCommand,
    },
    /// Run prompts against any provider and print how well it does. Exit code 0: done; 2: a file or an argument cannot be used.
    Evaluate(Box<cli::evaluate::EvaluateArguments>),
    /// Make a workflow of a sentence, and write it as a manifest. Exit code 0: built; 1: every attempt had errors; 2: a file or an argument
    /// cannot be used; 3: there are questions; 4: nothing is built, and the output says why.
    Generate(Box<cli::generate::GenerateArguments>),
    /// Write manifests of the credentials that workflows need, to fill in: an N8nCredential and a Secret for each. Exit code 0: written; 1:
    /// some could not be written, and standard error says why; 2: an argument cannot be used.
    Credentials(cli::credentials::CredentialsArguments),
    /// Write the workflows of an existing n8n as manifests, ready to commit and to adopt.
    Import(Box<cli::import::ImportArguments>),
    /// Remove Weirkeeper's finalizers from all objects before uninstalling, so that no deletion hangs and n8n stays unchanged. Stop the
    /// operator first.
    Release(cli::release::ReleaseArguments),
    /// List, show, render and validate templates of workflows.
    Template {
        #[command(subcommand)]
        command: cli::template::TemplateCommand,
    },
    /// Validate workflow files. Exit code 0: no errors; 1: errors; 2: a file, the configuration or an argument cannot be used.
    Validate(cli::validate::ValidateArguments),
}

/// Runs the command that the arguments name. Exit code 1 is a failure that the last line explains; 2 is a usage error.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Operator(arguments) => operator::run(&arguments).map_err(|error| error.to_string()),
        Command::Crds { check: true, .. } => return ended(cli::crds::check::run(settings::https_proxy().as_deref())),
        Command::Crds { output: Some(folder), .. } => cli::crds::write(&folder).map_err(|error| error.to_string()),
        Command::Catalog { command } => match cli::catalog::run(&command) {
            Ok(code) => return code,
            Err(error) => Err(error.to_string()),
        },
        Command::Compact(arguments) => return ended(cli::compact::run_compact(&arguments)),
        Command::Expand(arguments) => return ended(cli::compact::run_expand(&arguments)),
        Command::Evaluate(arguments) => {
            let (model, n8n) = (settings::model_key(), settings::n8n_api_key());
            return ended(cli::evaluate::run(&arguments, model.as_deref(), n8n.as_deref()));
        }
        Command::Credentials(arguments) => return ended(cli::credentials::run(&arguments)),
        Command::Generate(arguments) => return ended(cli::generate::run(&arguments, settings::model_key().as_deref())),
        Command::Template { command } => return ended(cli::template::run(&command)),
        Command::Validate(arguments) => return ended(cli::validate::run(&arguments, settings::no_color())),
        Command::Release(arguments) => cli::release::run(&arguments, settings::https_proxy().as_deref()).map_err(|error| error.to_string()),
        Command::Import(arguments) => cli::import::run(&arguments, settings::n8n_api_key().as_deref()).map_err(|error| error.to_string()),
        Command::Crds { output: None, .. } => cli::crds::stream().map(|yaml| print!("{yaml}")).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("weirkeeper: {}", shown(&message.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Returns the exit code of a command for which exit code 1 does not mean a failure.
fn ended(result: Result<ExitCode, impl std::fmt::Display>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("weirkeeper: {}", shown(&error.to_string()));
        ExitCode::from(2)
    })
}
