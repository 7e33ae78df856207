//! The manifests in the examples and the documentation: each fits its kind, has only fields of the kind, and holds a definition that the
//! validator accepts without errors.

use serde_json::Value;
use weirkeeper::api::credential::N8nCredential;
use weirkeeper::api::instance::N8nInstance;
use weirkeeper::api::policy::WorkflowPolicy;
use weirkeeper::api::prompt::WorkflowPrompt;
use weirkeeper::api::provider::ModelProvider;
use weirkeeper::api::quota::WorkflowQuota;
use weirkeeper::api::template::WorkflowTemplate;
use weirkeeper::api::workflow::Workflow;
use weirkeeper::catalog::Catalog;
use weirkeeper::document::parse::read_text;
use weirkeeper::generation::template::validate;
use weirkeeper::validator::check::{check, parse_and_check};

use crate::schema::{is_free, kinds};
use crate::{hold, read, rust_files, tracked};

/// Returns every document of every manifest under examples/ and every YAML block in the documentation, with its location.
fn documents() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for path in tracked("examples")
        .into_iter()
        .filter(|path| path.ends_with(".yaml") && !path.ends_with("/names.yaml") && !path.starts_with("examples/helm/templates"))
    {
        found.extend(split(&read(&path)).into_iter().enumerate().map(|(at, text)| (format!("{path} document {}", at + 1), text)));
    }
    for path in tracked("docs").into_iter().chain(["README.md".to_owned()]).filter(|path| path.ends_with(".md")) {
        let text = read(&path);
        for (at, block) in text.split("```yaml\n").skip(1).enumerate() {
            let block = block.split("```").next().unwrap_or_default();
            found.extend(split(block).into_iter().map(|text| (format!("{path} block {}", at + 1), text)));
        }
    }
    found
        .into_iter()
        .map(|(at, text)| (at.clone(), serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{at}: {error}"))))
        .collect()
}

fn split(text: &str) -> Vec<String> {
    format!("\n{text}").split("\n---\n").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn ours() -> Vec<(String, Value)> {
    let ours: Vec<_> = documents()
        .into_iter()
        .filter(|(_, object)| object["apiVersion"].as_str().is_some_and(|version| version.starts_with("weirkeeper.dev/")))
        .collect();
    assert!(ours.len() >= 10, "only {} manifests were found", ours.len());
    ours
}

#[test]
fn every_example_has_only_fields_that_its_kind_has() {
    let kinds = kinds();
    let mut complaints = Vec::new();
    for (at, object) in ours() {
        match kinds.iter().find(|(kind, _)| object["kind"] == kind.as_str()) {
            Some((_, schema)) => unknown_fields(&object["spec"], &schema["properties"]["spec"], &at, &mut complaints),
            None => complaints.push(format!("{at}: no such kind: {}", object["kind"])),
        }
    }
    hold("the API server would warn or refuse", &complaints);
}

fn unknown_fields(value: &Value, schema: &Value, at: &str, complaints: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !is_free(schema) => {
            for (name, inner) in fields {
                let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                match known {
                    Some(known) => unknown_fields(inner, known, &format!("{at} {name}"), complaints),
                    None => complaints.push(format!("{at}: unknown field {name}")),
                }
            }
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !fields.contains_key(name) {
                    complaints.push(format!("{at}: {name} is missing"));
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| unknown_fields(item, &schema["items"], at, complaints)),
        Value::String(word) if schema["enum"].as_array().is_some_and(|words| !words.iter().any(|one| one == word)) => {
            complaints.push(format!("{at}: {word} is none of {}", schema["enum"]));
        }
        _ => {}
    }
}

#[test]
fn every_example_fits_its_type_and_its_definition_is_taken_and_valid() {
    let mut complaints = Vec::new();
    for (at, object) in ours() {
        let read = match object["kind"].as_str() {
            Some("Workflow") => serde_json::from_value::<Workflow>(object.clone()).map(|workflow| workflow.spec.definition),
            Some("WorkflowPolicy") => serde_json::from_value::<WorkflowPolicy>(object.clone()).map(|_| None),
            Some("WorkflowQuota") => serde_json::from_value::<WorkflowQuota>(object.clone()).map(|_| None),
            Some("WorkflowTemplate") => serde_json::from_value::<WorkflowTemplate>(object.clone()).map(|template| {
                let found = validate(&template.spec, Catalog::embedded()).into_iter().filter(|finding| finding.is_error());
                complaints.extend(found.map(|finding| format!("{at}: {finding}")));
                None
            }),
            Some("WorkflowPrompt") => serde_json::from_value::<WorkflowPrompt>(object.clone()).map(|_| None),
            Some("N8nCredential") => serde_json::from_value::<N8nCredential>(object.clone()).map(|_| None),
            Some("ModelProvider") => serde_json::from_value::<ModelProvider>(object.clone()).map(|_| None),
            _ => serde_json::from_value::<N8nInstance>(object.clone()).map(|_| None),
        };
        match read {
            Ok(Some(definition)) => findings(&at, &definition, &mut complaints),
            Ok(None) => {}
            Err(error) => complaints.push(format!("{at}: {error}")),
        }
    }
    for path in tracked("examples").into_iter().filter(|path| path.ends_with(".json")) {
        let text = read_text(&read(&path), 1_000_000).unwrap_or_else(|findings| panic!("{path}: {findings:?}"));
        findings(&path, &text.value, &mut complaints);
    }
    hold("an example that is not right", &complaints);
}

fn findings(at: &str, definition: &Value, complaints: &mut Vec<String>) {
    match parse_and_check(definition) {
        Ok(taken) => {
            let errors = check(&taken.definition, Some(true), Catalog::embedded()).into_iter().filter(|finding| finding.is_error());
            complaints
                .extend(taken.warnings.into_iter().chain(errors).map(|finding| format!("{at}: {}: {}", finding.path, finding.message)));
        }
        Err(findings) => complaints.extend(findings.iter().map(|finding| format!("{at}: {}: {}", finding.path, finding.message))),
    }
}

#[test]
fn the_manifests_of_the_readme_are_those_of_the_examples() {
    let examples: Vec<String> =
        tracked("examples").into_iter().filter(|path| path.ends_with(".yaml")).map(|path| body(&read(&path))).collect();
    let readme = read("README.md");
    let blocks: Vec<&str> = readme.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert!(blocks.len() >= 2, "the README shows an N8nInstance and a Workflow");
    let complaints: Vec<String> =
        blocks.into_iter().filter(|block| !examples.iter().any(|example| example == block)).map(str::to_owned).collect();
    hold("a manifest of the README that is in no file under examples/", &complaints);
}

/// Returns a manifest without the comment above it.
fn body(text: &str) -> String {
    text.lines().skip_while(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn commands_name_the_kinds_by_their_short_names() {
    let mut complaints = Vec::new();
    let shown = ["README.md", "CHANGELOG.md"]
        .map(str::to_owned)
        .into_iter()
        .chain(tracked("docs"))
        .chain(tracked("examples"))
        .chain(rust_files("src"));
    for path in shown {
        for (at, line) in read(&path).lines().enumerate() {
            let Some((_, command)) = line.split_once("kubectl ") else { continue };
            let command = command.split('`').next().unwrap_or(command);
            let long = command
                .split(|c: char| c.is_whitespace() || "/'\"".contains(c))
                .find(|word| ["workflow", "workflows", "n8ninstance", "n8ninstances"].contains(word));
            if let Some(word) = long {
                complaints.push(format!("{path}:{}: {word} instead of nwf or n8ni", at + 1));
            }
        }
    }
    hold("`workflow` is also a kind of Argo Workflows", &complaints);
}

#[test]
fn no_chart_evaluates_a_definition() {
    let templates: Vec<String> = tracked("examples").into_iter().filter(|path| path.contains("/templates/")).collect();
    let complaints: Vec<String> = templates.into_iter().filter(|path| read(path).contains("tpl ")).collect();
    hold("tpl takes n8n's expressions for its own", &complaints);
}
