//! Where a template comes from: its name, or a file.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::arguments::TemplateError;
use crate::api::template::{WorkflowTemplate, WorkflowTemplateSpec};
use crate::cli::validate::files;
use crate::document::parse::read_text;
use crate::generation::template::templates;
use crate::text::similar;

/// Maximum size of a file in bytes.
const LARGEST: usize = 4 << 20;

/// A template with its name.
pub(super) struct Named {
    pub name: String,
    pub spec: WorkflowTemplateSpec,
    /// True if it ships with this program.
    pub ships: bool,
}

/// Returns the template of a name or in a file. A name wins, since a file can be written with its folder.
pub(super) fn find(wanted: &str) -> Result<Named, TemplateError> {
    if let Some(template) = templates().iter().find(|template| template.name == wanted) {
        return Ok(Named { name: template.name.clone(), spec: template.spec.clone(), ships: true });
    }
    if wanted != "-" && !Path::new(wanted).is_file() {
        let nearest = similar::nearest(wanted, templates().iter().map(|template| template.name.as_str()));
        let meant = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        return Err(TemplateError::NotFound(wanted.to_owned(), meant));
    }
    let text = text_of(wanted)?;
    let value = value_of(wanted, &text)?;
    parse(wanted, &value)
}

/// Returns the text of a file.
pub(super) fn text_of(file: &str) -> Result<String, TemplateError> {
    let mut sources = files::read(&[file.to_owned()]);
    let (Some(source), true) = (sources.pop(), sources.is_empty()) else {
        return Err(TemplateError::Kind(file.to_owned(), "name a single file".to_owned()));
    };
    source.text.map_err(|error| TemplateError::File(file.to_owned(), error))
}

/// Returns the document of a text.
pub(super) fn value_of(file: &str, text: &str) -> Result<Value, TemplateError> {
    let read = read_text(text, LARGEST).map_err(|findings| {
        let why = findings.first().map_or_else(String::new, ToString::to_string);
        TemplateError::File(file.to_owned(), why)
    })?;
    Ok(read.value)
}

/// Reads a manifest.
pub(super) fn parse(file: &str, value: &Value) -> Result<Named, TemplateError> {
    let wrong = |why: String| TemplateError::Kind(file.to_owned(), why);
    if value.get("kind").and_then(Value::as_str) != Some("WorkflowTemplate") {
        return Err(wrong("its kind is another one".to_owned()));
    }
    let template = WorkflowTemplate::deserialize(value).map_err(|error| wrong(error.to_string()))?;
    Ok(Named { name: template.metadata.name.unwrap_or_default(), spec: template.spec, ships: false })
}
