//! The values that a template is rendered with: those that are given, and defaults.

use serde_json::{Number, Value};

use super::value::{complaint, wanted};
use crate::api::template::{InputType, TemplateInput};
use crate::document::finding::{Code, Finding, is_full, quoted};
use crate::document::json_path;
use crate::generation::outcome::Inputs;
use crate::text::similar;

/// Checks the given values, and adds the defaults of the others. A required value that is missing is an error unless `may_miss`.
///
/// # Errors
///
/// Findings about values that do not fit the inputs, at paths below `inputs`.
pub fn check_inputs(inputs: &[TemplateInput], given: &Inputs, may_miss: bool) -> Result<Inputs, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut values = Inputs::new();
    for name in given.keys().filter(|name| !inputs.iter().any(|input| input.name == **name)) {
        if is_full(&findings) {
            break;
        }
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let finding = Finding::error(Code::TemplateInputUnknown, at(name), format!("the template has no input {}", quoted(name)));
        findings.push(finding.mismatch(quoted(name), has).suggest(similar::nearest(name, names.iter().copied())));
    }
    for input in inputs {
        // A null is what YAML has for a key without a value.
        let value = given.get(&input.name).filter(|value| !value.is_null());
        match value.or(input.default.as_ref()) {
            Some(value) => {
                findings.extend(finding(input, value, at(&input.name)));
                values.insert(input.name.clone(), value.clone());
            }
            None if may_miss => {}
            None => {
                let message = format!("the input is required and not given: {}", input.description.trim_end_matches('.'));
                let finding = Finding::error(Code::TemplateInputMissing, at(&input.name), message);
                findings.push(finding.mismatch("nothing", wanted(input)));
            }
        }
    }
    if findings.is_empty() { Ok(values) } else { Err(findings) }
}

/// Returns the finding about a value of an input, if there is something wrong with it.
pub(super) fn finding(input: &TemplateInput, value: &Value, path: impl Into<String>) -> Option<Finding> {
    let complaint = complaint(input, value)?;
    let finding = Finding::error(Code::TemplateInputInvalid, path, complaint.message);
    Some(Finding { got: complaint.got, want: complaint.want, ..finding }.suggest(complaint.suggestion))
}

fn at(name: &str) -> String {
    json_path::key("inputs", name)
}

/// Reads a value as it is written on a command line: numbers, `true` and `false`, and lists with commas or as JSON. What cannot be read
/// stays a text, so that the check of the inputs says what is wrong with it.
pub fn from_text(input: &TemplateInput, text: &str) -> Value {
    let number = |text: &str| text.trim().parse::<Number>().ok().map(Value::Number);
    match input.kind {
        InputType::Number => number(text).unwrap_or_else(|| text.into()),
        InputType::Boolean => match text.trim() {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        },
        InputType::List if text.trim_start().starts_with('[') => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        InputType::List => {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            let entry = |entry: &str| match input.items {
                Some(InputType::Number) => number(entry).unwrap_or_else(|| entry.into()),
                _ => entry.into(),
            };
            Value::Array(entries.map(entry).collect())
        }
        _ => text.into(),
    }
}
