//! `weirkeeper template render`.

use std::process::ExitCode;

use serde_json::Value;

use super::arguments::{RenderArguments, TemplateError};
use super::manifest::manifest;
use super::source::{Named, find, text_of, value_of};
use super::validate::report;
use crate::catalog::Catalog;
use crate::cli::{catalog, stdout};
use crate::document::yaml;
use crate::generation::outcome::Inputs;
use crate::generation::template::{self, Missing, from_text};

/// Prints the workflow of a template, or a manifest.
pub(super) fn render(arguments: &RenderArguments) -> Result<ExitCode, TemplateError> {
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let named = find(&arguments.template)?;
    let inputs = inputs(&named, arguments)?;
    let rendered = match template::render(&named.spec, &inputs, Missing::Refuse, catalog) {
        Ok(rendered) => rendered,
        Err(findings) => return Ok(report("", &findings)),
    };
    let findings = rendered.check(catalog);
    let text = if arguments.manifest {
        yaml::document(&manifest(&named, rendered, inputs, arguments)?)
    } else {
        format!("{}\n", serde_json::to_string_pretty(&rendered.definition)?)
    };
    stdout::write(&text)?;
    Ok(report("", &findings))
}

fn inputs(named: &Named, arguments: &RenderArguments) -> Result<Inputs, TemplateError> {
    let mut inputs = Inputs::new();
    if arguments.example {
        let example = named.spec.examples.first().ok_or_else(|| TemplateError::NoExample(named.name.clone()))?;
        inputs.extend(example.inputs.clone());
    }
    if let Some(file) = &arguments.inputs {
        let file = file.display().to_string();
        match value_of(&file, &text_of(&file)?)? {
            Value::Object(values) => inputs.extend(values),
            _ => return Err(TemplateError::Inputs(file)),
        }
    }
    for (name, text) in &arguments.values {
        let input = named.spec.inputs.iter().find(|input| input.name == *name);
        inputs.insert(name.clone(), input.map_or_else(|| text.as_str().into(), |input| from_text(input, text)));
    }
    Ok(inputs)
}
