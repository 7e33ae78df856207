//! Arguments of `weirkeeper template`.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::catalog::CatalogError;

/// Subcommands of `template`.
#[derive(Subcommand)]
pub enum TemplateCommand {
    /// List the templates that ship with this program.
    List(ListArguments),
    /// Print the description and the inputs of a template.
    Show(ShowArguments),
    /// Write the n8n workflow of a template, and validate it. Exit code 0: no errors; 1: errors in the inputs or the workflow; 2: a file or
    /// an argument cannot be used.
    Render(Box<RenderArguments>),
    /// Validate templates in files: inputs, placeholders, and the workflow of each example. Exit code 0: no errors; 1: errors; 2: a file
    /// or an argument cannot be used.
    Validate(ValidateArguments),
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Text for people.
    #[default]
    Human,
    /// JSON for programs.
    Json,
}

/// Arguments of `weirkeeper template list`.
#[derive(Args)]
pub struct ListArguments {
    /// List only templates that contain all of these words, in their name, title, category, description or keywords.
    pub(super) words: Vec<String>,
    /// Output format.
    #[arg(long, default_value = "human")]
    pub(super) output: Form,
}

/// Arguments of `weirkeeper template show`.
#[derive(Args)]
pub struct ShowArguments {
    /// Name of a template, or a file with one; `-` for standard input.
    pub(super) template: String,
    /// Output format.
    #[arg(long, default_value = "human")]
    pub(super) output: Form,
}

/// Arguments of `weirkeeper template render`.
#[derive(Args)]
pub struct RenderArguments {
    /// Name of a template, or a file with one; `-` for standard input.
    pub(super) template: String,
    /// Value of an input: `--set channel=#sales`. Entries of a list are separated by commas.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = named)]
    pub(super) values: Vec<(String, String)>,
    /// File with the values of inputs, as YAML or JSON; `--set` replaces single ones.
    #[arg(long, value_name = "FILE")]
    pub(super) inputs: Option<PathBuf>,
    /// Use the values of the first example where none are given.
    #[arg(long)]
    pub(super) example: bool,
    /// Write a Workflow manifest instead of n8n's JSON.
    #[arg(long)]
    pub(super) manifest: bool,
    /// Name of the Workflow in the manifest; by default that of the template.
    #[arg(long, requires = "manifest")]
    pub(super) name: Option<String>,
    /// Name of the N8nInstance in the manifest.
    #[arg(long, requires = "manifest", default_value = "n8n")]
    pub(super) instance: String,
    /// Let the manifest refer to the template (`templateRef`), which the operator then renders, in place of the workflow itself.
    #[arg(long, requires = "manifest")]
    pub(super) by_reference: bool,
    /// Catalogue of the n8n that runs the workflow, written by `weirkeeper catalog build`; by default that of the n8n that this version is
    /// tested with.
    #[arg(long)]
    pub(super) catalog: Option<PathBuf>,
}

/// Arguments of `weirkeeper template validate`.
#[derive(Args)]
pub struct ValidateArguments {
    /// Files with WorkflowTemplate manifests; `-` for standard input.
    #[arg(required = true)]
    pub(super) files: Vec<String>,
    /// Catalogue of the n8n that runs the workflows, written by `weirkeeper catalog build`; by default that of the n8n that this version is
    /// tested with.
    #[arg(long)]
    pub(super) catalog: Option<PathBuf>,
}

fn named(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a value is written as NAME=VALUE")?;
    Ok((name.trim_start_matches('?').to_owned(), value.to_owned()))
}

/// Reason for which a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A file could not be read.
    #[error("read {0}: {1}")]
    File(String, String),
    /// No template has the name, and there is no such file.
    #[error("there is no template and no file {0}{1}; `weirkeeper template list` lists the templates")]
    NotFound(String, String),
    /// The file holds something else.
    #[error("{0} holds no WorkflowTemplate: {1}")]
    Kind(String, String),
    /// The template has no example.
    #[error("the template {0} has no example; give its inputs by --set")]
    NoExample(String),
    /// The inputs are no object.
    #[error("{0}: the values of inputs are an object, NAME: VALUE")]
    Inputs(String),
    /// A name that Kubernetes does not take.
    #[error("{0} is no name of an object: lower-case letters, digits and hyphens, at most 63")]
    Name(String),
    /// The output could not be written.
    #[error("write the result: {0}")]
    Output(#[from] io::Error),
    /// The result is no JSON.
    #[error("write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The catalogue cannot be used.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}
