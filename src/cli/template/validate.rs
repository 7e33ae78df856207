//! `weirkeeper template validate`.

use std::process::ExitCode;

use serde_json::Value;

use super::arguments::{TemplateError, ValidateArguments};
use super::source::parse;
use crate::catalog::Catalog;
use crate::cli::catalog;
use crate::cli::validate::files;
use crate::document::finding::{Finding, Severity, has_errors};
use crate::generation::template;
use crate::text::shown;

/// Prints the findings about the templates in files.
pub(super) fn validate(arguments: &ValidateArguments) -> Result<ExitCode, TemplateError> {
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let (mut templates, mut failed) = (0_usize, false);
    for source in files::read(&arguments.files) {
        let text = source.text.map_err(|error| TemplateError::File(source.name.clone(), error))?;
        let wrong = |error: String| TemplateError::Kind(source.name.clone(), error);
        for document in serde_saphyr::from_multiple::<Value>(&text).map_err(|error| wrong(error.to_string()))? {
            let other = document.get("kind").and_then(Value::as_str) != Some("WorkflowTemplate");
            if document.is_null() || (source.found && other) {
                continue;
            }
            let named = parse(&source.name, &document)?;
            templates += 1;
            let findings: Vec<Finding> =
                template::validate(&named.spec, catalog).into_iter().filter(|finding| finding.severity < Severity::Info).collect();
            failed |= has_errors(&findings);
            print(&format!("{}: {}: ", shown(&source.name), shown(&named.name)), &findings);
        }
    }
    eprintln!("{templates} template{} validated{}", if templates == 1 { "" } else { "s" }, if failed { ", with errors" } else { "" });
    Ok(ExitCode::from(u8::from(failed)))
}

/// Prints findings to standard error and returns the exit code.
pub(super) fn report(place: &str, findings: &[Finding]) -> ExitCode {
    print(place, findings);
    ExitCode::from(u8::from(has_errors(findings)))
}

fn print(place: &str, findings: &[Finding]) {
    for finding in findings {
        eprintln!("{place}{}: {}: {}", finding.severity, finding.code, shown(&finding.to_string()));
    }
}
