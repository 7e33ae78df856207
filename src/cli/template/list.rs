//! `weirkeeper template list` and `weirkeeper template show`.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::arguments::{Form, ListArguments, ShowArguments, TemplateError};
use super::source::{Named, find};
use crate::api::template::{InputType, TemplateInput};
use crate::cli::stdout;
use crate::generation::template::{Template, digest, templates};
use crate::text::{one_line, shown};

/// Prints the templates as a table, or as JSON.
pub(super) fn list(arguments: &ListArguments) -> Result<ExitCode, TemplateError> {
    let words: Vec<String> = arguments.words.iter().map(|word| word.to_lowercase()).collect();
    let found: Vec<&Template> = templates().iter().filter(|template| words.iter().all(|word| mentions(template, word))).collect();
    let text = match arguments.output {
        Form::Json => {
            let all: Vec<Value> = found.iter().map(|template| summary(template)).collect();
            format!("{}\n", serde_json::to_string_pretty(&all)?)
        }
        Form::Human => table(&found),
    };
    stdout::write(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn mentions(template: &Template, word: &str) -> bool {
    let spec = &template.spec;
    let texts = [template.name.as_str(), &spec.title, spec.category.as_str(), &spec.description];
    texts.into_iter().chain(spec.keywords.iter().map(String::as_str)).any(|text| text.to_lowercase().contains(word))
}

fn summary(template: &Template) -> Value {
    let spec = &template.spec;
    json!({
        "name": template.name, "title": spec.title, "category": spec.category, "description": spec.description, "keywords": spec.keywords,
        "phrases": spec.phrases, "inputs": spec.inputs, "credentials": spec.credentials, "expectedRunTime": spec.expected_run_time,
        "expectedCost": spec.expected_cost, "digest": digest(spec),
    })
}

fn table(found: &[&Template]) -> String {
    let width = |of: fn(&Template) -> usize, head: &str| found.iter().map(|one| of(one)).max().unwrap_or(0).max(head.len());
    let name = width(|one| one.name.len(), "NAME");
    let category = width(|one| one.spec.category.as_str().len(), "CATEGORY");
    let mut text = format!("{:name$}  {:category$}  TITLE\n", "NAME", "CATEGORY");
    for one in found {
        let _ = writeln!(text, "{:name$}  {:category$}  {}", one.name, one.spec.category.as_str(), one.spec.title);
    }
    text
}

/// Prints a template: what it does, its inputs and its credentials.
pub(super) fn show(arguments: &ShowArguments) -> Result<ExitCode, TemplateError> {
    let named = find(&arguments.template)?;
    let text = match arguments.output {
        Form::Json => {
            let metadata = json!({ "name": named.name });
            let kind = ("weirkeeper.dev/v1alpha1", "WorkflowTemplate");
            let object = json!({ "apiVersion": kind.0, "kind": kind.1, "metadata": metadata, "spec": named.spec });
            format!("{}\n", serde_json::to_string_pretty(&object)?)
        }
        Form::Human => described(&named),
    };
    stdout::write(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn described(named: &Named) -> String {
    let spec = &named.spec;
    let mut text = format!("{}: {}\n\n{}\n\n", named.name, shown(&spec.title), shown(spec.description.trim()));
    let _ = writeln!(text, "category     {}", spec.category.as_str());
    if let Some(time) = spec.expected_run_time {
        let _ = writeln!(text, "run time     about {}", json!(time).as_str().unwrap_or_default());
    }
    if let Some(cost) = &spec.expected_cost {
        let _ = writeln!(text, "cost         {} US dollars an execution", shown(cost));
    }
    for credential in &spec.credentials {
        let what = credential.description.as_deref().unwrap_or_default();
        let _ = writeln!(text, "credential   {}  {}", shown(&credential.kind), shown(what));
    }
    text.push_str("\ninputs\n");
    if spec.inputs.is_empty() {
        text.push_str("  none\n");
    }
    for input in &spec.inputs {
        let _ = writeln!(text, "  {}: {}", shown(&input.name), shown(&nature(input)));
        let _ = writeln!(text, "      {}", shown(input.description.trim()));
    }
    if let Some(example) = spec.examples.first() {
        let values = example.inputs.iter().map(|(name, value)| format!(" --set {name}={}", in_shell(&argument(value))));
        let _ = writeln!(text, "\nexample\n  weirkeeper template render {}{}", in_shell(&named.name), shown(&values.collect::<String>()));
    }
    text
}

/// Describes the type, the bounds and the default of an input.
fn nature(input: &TemplateInput) -> String {
    let mut text = match (input.kind, input.items) {
        (InputType::List, Some(items)) => format!("List of {}", items.as_str()),
        (kind, _) => kind.as_str().to_owned(),
    };
    let mut add = |part: String| text.push_str(&format!(", {part}"));
    if !input.options.is_empty() {
        add(format!("one of {}", input.options.join(", ")));
    }
    for (bound, word) in [(input.minimum, "at least"), (input.maximum, "at most")] {
        if let Some(bound) = bound {
            add(format!("{word} {bound}"));
        }
    }
    match &input.default {
        Some(Value::String(text)) if text.is_empty() => add("default empty".to_owned()),
        Some(value) => add(format!("default {}", one_line(&argument(value), 80))),
        None => add("required".to_owned()),
    }
    if input.expression {
        add("may be an expression".to_owned());
    }
    text
}

/// Returns a value as `--set` takes it.
fn argument(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| item.as_str().is_some_and(|text| !text.contains(','))) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

fn in_shell(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@,+%".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
