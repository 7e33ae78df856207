//! `weirkeeper template`: the templates that ship with this program, and those in files.

mod arguments;
mod list;
mod manifest;
mod render;
mod source;
mod validate;

use std::process::ExitCode;

pub use arguments::{TemplateCommand, TemplateError};

/// Runs the command. The exit code is 0, or 1 with errors in the template or the inputs, 2 if a file or an argument cannot be used.
///
/// # Errors
/// If a template, a file or the catalogue cannot be used, or standard output cannot be written to.
pub fn run(command: &TemplateCommand) -> Result<ExitCode, TemplateError> {
    match command {
        TemplateCommand::List(arguments) => list::list(arguments),
        TemplateCommand::Show(arguments) => list::show(arguments),
        TemplateCommand::Render(arguments) => render::render(arguments),
        TemplateCommand::Validate(arguments) => validate::validate(arguments),
    }
}
