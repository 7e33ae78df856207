//! Validation of a template itself.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::code::Languages;
use super::inputs::finding;
use super::placeholders::{self, Placeholder, PlaceholderContext};
use super::render::{Missing, Rendered, below, render};
use super::value::fits;
use crate::api::template::{InputType, TemplateInput, WorkflowTemplateSpec};
use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding, bounded, quoted};
use crate::document::json_path::{self, is_within};
use crate::generation::compact::{self, locate};
use crate::generation::outcome::Inputs;
use crate::text::similar;
use crate::validator::check::check;

/// Validates a template: its inputs, its placeholders, and the workflows that its examples give. Paths are those within the spec.
pub fn validate(spec: &WorkflowTemplateSpec, catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names = HashSet::new();
    for (index, input) in spec.inputs.iter().enumerate() {
        let path = json_path::index("inputs", index);
        if !names.insert(input.name.as_str()) {
            let message = format!("another input is called {}, too; rename one", quoted(&input.name));
            findings.push(Finding::error(Code::TemplateInvalid, json_path::key(&path, "name"), message));
        }
        check_input(input, spec.compact.is_some(), &path, &mut findings);
    }
    match placeholders_of(spec, catalog) {
        Ok(placeholders) => check_placeholders(&spec.inputs, &placeholders, spec.compact.is_some(), &mut findings),
        Err(unreadable) => {
            findings.extend(unreadable.into_iter().filter(|finding| finding.code != Code::SlotOpen));
            return bounded(findings);
        }
    }
    let mut needed = Vec::new();
    for (index, example) in spec.examples.iter().enumerate() {
        let path = json_path::index("examples", index);
        let inputs: Inputs = example.inputs.clone().into_iter().collect();
        findings.extend(below(&path, rendered_findings(spec, &inputs, Missing::Refuse, catalog, &mut needed)));
    }
    if spec.examples.is_empty() {
        findings.extend(rendered_findings(spec, &Inputs::new(), Missing::LeaveOpen, catalog, &mut needed));
    }
    for kind in needed.iter().filter(|kind| !spec.credentials.iter().any(|declared| declared.kind == **kind)) {
        let message = format!("the workflow needs credentials of type {}, which are not listed here; add them", quoted(kind));
        findings.push(Finding::warning(Code::TemplateInvalid, "credentials", message));
    }
    for (index, declared) in spec.credentials.iter().enumerate().filter(|(_, declared)| !needed.contains(&declared.kind)) {
        let message = format!("the workflow needs no credentials of type {}; remove the entry", quoted(&declared.kind));
        findings.push(Finding::warning(Code::TemplateInvalid, json_path::index("credentials", index), message));
    }
    bounded(findings)
}

/// Returns the findings about a rendered template: those of the inputs and of the template, or else those of the validator.
fn rendered_findings(
    spec: &WorkflowTemplateSpec,
    inputs: &Inputs,
    missing: Missing,
    catalog: &Catalog,
    needed: &mut Vec<String>,
) -> Vec<Finding> {
    let rendered = match render(spec, inputs, missing, catalog) {
        Ok(rendered) => rendered,
        Err(findings) => return findings,
    };
    needed.extend(rendered.credentials.iter().filter(|kind| !needed.contains(kind)).cloned().collect::<Vec<_>>());
    rendered.check(catalog).into_iter().filter(|finding| finding.code != Code::SlotOpen).collect()
}

impl Rendered {
    /// Returns its warnings and what the validator finds in it, at paths within the template. Nothing is said about what stands in the
    /// place of an open placeholder.
    pub fn check(&self, catalog: &Catalog) -> Vec<Finding> {
        let (field, to): (_, fn(&str) -> String) =
            if self.compact.is_some() { ("compact", locate) } else { ("definition", |path| path.to_owned()) };
        let checked = check(&self.definition, None, catalog).into_iter().map(|finding| Finding { path: to(&finding.path), ..finding });
        let open: Vec<&String> = self.slots.iter().filter(|slot| slot.open).flat_map(|slot| &slot.paths).collect();
        let checked = checked.filter(|finding| !open.iter().any(|path| is_within(&finding.path, path))).collect();
        let mut findings = self.findings.clone();
        findings.extend(below(field, checked));
        findings
    }
}

fn check_input(input: &TemplateInput, compact: bool, path: &str, findings: &mut Vec<Finding>) {
    let mut say = |key: &str, message: &str| findings.push(Finding::error(Code::TemplateInvalid, json_path::key(path, key), message));
    match (input.required, &input.default) {
        (true, Some(_)) => say("default", "a required input has no default; remove one of the two"),
        (false, None) => say("default", "an input that is not required needs a default; add it, or set required: true"),
        _ => {}
    }
    let of = |kinds: &[InputType]| kinds.contains(&input.kind);
    if of(&[InputType::Enum]) && input.options.is_empty() {
        say("options", "an Enum needs options");
    }
    if !of(&[InputType::Enum, InputType::List]) && !input.options.is_empty() {
        say("options", "only an Enum or a List has options");
    }
    if input.items.is_some() && !of(&[InputType::List]) {
        say("items", "only a List has items");
    }
    if input.items.is_some_and(|kind| !matches!(kind, InputType::String | InputType::Number | InputType::Url | InputType::Email)) {
        say("items", "the entries of a List are String, Number, Url or Email");
    }
    if (input.minimum.is_some() || input.maximum.is_some()) && !of(&[InputType::Number]) {
        say("minimum", "only a Number has a minimum and a maximum; a text or a List has minLength and maxLength");
    }
    if input.minimum.zip(input.maximum).is_some_and(|(least, most)| least > most) {
        say("minimum", "the minimum is above the maximum");
    }
    if input.min_length.zip(input.max_length).is_some_and(|(least, most)| least > most) {
        say("minLength", "the minimum length is above the maximum length");
    }
    if input.expression && !of(&[InputType::String]) {
        say("expression", "only a String may be an expression");
    }
    match (&input.credential_type, input.kind) {
        (Some(_), kind) if kind != InputType::SecretReference => say("credentialType", "only a SecretReference has a credentialType"),
        (None, InputType::SecretReference) if compact => {
            say("credentialType", "the compact form has no credentials; say which type of credential the name is for");
        }
        _ => {}
    }
    if let Some(Err(why)) = input.pattern.as_deref().map(|pattern| fits(pattern, "")) {
        say("pattern", &why);
    }
    findings.extend(input.default.as_ref().and_then(|value| finding(input, value, json_path::key(path, "default"))));
}

/// Returns the placeholders of the template's workflow.
fn placeholders_of(spec: &WorkflowTemplateSpec, catalog: &Catalog) -> Result<Vec<Placeholder>, Vec<Finding>> {
    match (&spec.compact, &spec.definition) {
        (Some(document), None) => {
            let compact = compact::read(document).map_err(|findings| below("compact", findings))?;
            let compiled = compact::compile(&compact, &BTreeMap::new(), catalog).map_err(|findings| below("compact", findings))?;
            let nodes = compiled.definition.nodes.iter();
            let languages: Vec<Languages> = nodes.map(|node| Languages::of(node.kind(), node.type_version(), catalog)).collect();
            Ok(placeholders::of_compact(&compact, &languages))
        }
        (None, Some(document)) => {
            let nodes = document.get("nodes").and_then(Value::as_array).into_iter().flatten();
            let version = |node: &Value| node.get("typeVersion").and_then(Value::as_f64);
            let languages: Vec<Languages> =
                nodes.map(|node| Languages::of(node["type"].as_str().unwrap_or_default(), version(node), catalog)).collect();
            Ok(placeholders::of_definition(document, &languages))
        }
        _ => Err(vec![Finding::error(Code::TemplateInvalid, "", "exactly one of definition and compact must be set")]),
    }
}

fn check_placeholders(inputs: &[TemplateInput], placeholders: &[Placeholder], compact: bool, findings: &mut Vec<Finding>) {
    let field = if compact { "compact" } else { "definition" };
    for placeholder in placeholders {
        let path = format!("{field}.{}", placeholder.path);
        let mut say = |message: String| findings.push(Finding::error(Code::TemplatePlaceholder, path.clone(), message));
        let name = &placeholder.name;
        let Some(input) = inputs.iter().find(|input| input.name == *name) else {
            // In an n8n workflow a text such as ?page may be meant as it is.
            if compact || !placeholder.whole {
                let names = inputs.iter().map(|input| input.name.as_str());
                let message = format!("the template has no input {}; declare it under inputs", quoted(name));
                let finding = Finding::error(Code::TemplatePlaceholder, path, message);
                findings.push(finding.suggest(similar::nearest(name, names)));
            }
            continue;
        };
        match placeholder.place {
            PlaceholderContext::Fixed => say(format!("no value is put in the place of ?{name} here; write the text itself")),
            PlaceholderContext::Code(language) if !(language.takes_whole() && placeholder.whole) => {
                say(format!("?{name} would be a part of code here; {}", language.advice()));
            }
            PlaceholderContext::Data | PlaceholderContext::Code(_) if input.kind == InputType::SecretReference => {
                say(format!("?{name} is the name of a credential, and only stands in the credentials of a node"));
            }
            PlaceholderContext::Credential if input.kind != InputType::SecretReference => {
                say(format!("?{name} stands for the name of a credential, so its type is SecretReference"));
            }
            _ => {}
        }
    }
    for (index, input) in inputs.iter().enumerate() {
        let used = placeholders.iter().any(|placeholder| placeholder.name == input.name);
        if !used && input.credential_type.is_none() {
            let message = format!("nothing uses ?{}; remove the input, or use it", input.name);
            findings.push(Finding::warning(Code::TemplateInputUnused, json_path::index("inputs", index), message));
        }
    }
}
