//! From a template and its inputs to a workflow.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::inputs::check_inputs;
use super::{expressions, substitute};
use crate::api::template::{InputType, TemplateInput, WorkflowTemplateSpec};
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding};
use crate::generation::compact::{self, Compact, OpenValue};
use crate::generation::outcome::Inputs;
use crate::text::sha256::sha256_hex;
use crate::validator::check::parse_owned_and_check;
use crate::validator::schema::required_credentials;

/// Handling of required inputs without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// They are errors.
    Refuse,
    /// Their placeholders stay, as `?name`.
    LeaveOpen,
}

/// A workflow that was made from a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The workflow as n8n takes it. Each node that needs a credential names it, by its type unless an input has another name.
    pub definition: Definition,
    /// Its compact form, if the template is written in it.
    pub compact: Option<Compact>,
    /// The placeholders of a template in the compact form, with those that are still open.
    pub slots: Vec<OpenValue>,
    /// Types of the credentials that the nodes need, each once.
    pub credentials: Vec<String>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// Renders a template. The result is not validated beyond its shape; [`crate::validator::check::check`] does that.
///
/// # Errors
///
/// Findings about the inputs, at paths below `inputs`, or else with the template, at paths below `compact` or `definition`.
pub fn render(spec: &WorkflowTemplateSpec, given: &Inputs, missing: Missing, catalog: &Catalog) -> Result<Rendered, Vec<Finding>> {
    let values = check_inputs(&spec.inputs, given, missing == Missing::LeaveOpen)?;
    let is_expression = |input: &&TemplateInput| {
        input.expression && values.get(&input.name).and_then(Value::as_str).is_some_and(|text| text.starts_with('='))
    };
    let named = |name: &String| spec.inputs.iter().filter(is_expression).any(|input| input.name == *name);
    let (expressions, values): (Inputs, Inputs) = values.clone().into_iter().partition(|(name, _)| named(name));
    let mut rendered = match (&spec.compact, &spec.definition) {
        (Some(document), None) => of_compact(document, &values, &expressions, catalog)?,
        (None, Some(document)) => of_definition(document, &values, &expressions)?,
        _ => return Err(vec![Finding::error(Code::TemplateInvalid, "", "exactly one of definition and compact must be set")]),
    };
    rendered.credentials = name_credentials(&mut rendered.definition, &spec.inputs, &values, catalog);
    Ok(rendered)
}

fn of_compact(document: &Value, values: &Inputs, expressions: &Inputs, catalog: &Catalog) -> Result<Rendered, Vec<Finding>> {
    let mut compact = compact::read(document).map_err(|findings| below("compact", findings))?;
    expressions::into_compact(&mut compact, expressions);
    let compiled = compact::compile(&compact, values, catalog).map_err(|findings| below("compact", findings))?;
    let findings = below("compact", compiled.findings);
    Ok(Rendered { definition: compiled.definition, compact: Some(compact), slots: compiled.slots, credentials: Vec::new(), findings })
}

fn of_definition(document: &Value, values: &Inputs, expressions: &Inputs) -> Result<Rendered, Vec<Finding>> {
    let mut document = document.clone();
    substitute::into_definition(&mut document, values, expressions).map_err(|findings| below("definition", findings))?;
    let parsed = parse_owned_and_check(document).map_err(|findings| below("definition", findings))?;
    let findings = below("definition", parsed.warnings);
    Ok(Rendered { definition: parsed.definition, compact: None, slots: Vec::new(), credentials: Vec::new(), findings })
}

/// Puts the paths of findings below a field of the template.
pub(super) fn below(field: &str, findings: Vec<Finding>) -> Vec<Finding> {
    let path = |path: &str| match path {
        "" => field.to_owned(),
        path if path.starts_with('[') => format!("{field}{path}"),
        path => format!("{field}.{path}"),
    };
    findings.into_iter().map(|finding| Finding { path: path(&finding.path), ..finding }).collect()
}

/// Names the credentials that the nodes need and that the template does not name itself, and returns the types of all.
fn name_credentials(definition: &mut Definition, inputs: &[TemplateInput], values: &Inputs, catalog: &Catalog) -> Vec<String> {
    let names: BTreeMap<&str, &str> = inputs
        .iter()
        .filter(|input| input.kind == InputType::SecretReference)
        .filter_map(|input| Some((input.credential_type.as_deref()?, values.get(&input.name)?.as_str()?)))
        .collect();
    let mut all: Vec<String> = Vec::new();
    for needs in required_credentials(definition, catalog) {
        let Some(node) = definition.nodes.iter_mut().find(|node| node.name() == needs.node) else { continue };
        for kind in needs.types.into_iter().chain(needs.chosen) {
            let own = node.0.entry("credentials").or_insert_with(|| json!({}));
            if let Value::Object(own) = own
                && own.get(&kind).is_none_or(Value::is_null)
            {
                let name = names.get(kind.as_str()).copied().unwrap_or(&kind);
                own.insert(kind.clone(), json!({ "name": name }));
            }
            if !all.contains(&kind) {
                all.push(kind);
            }
        }
    }
    all
}

/// Returns the digest of what workflows are made from: it is the same for templates that differ in descriptions, phrases and examples
/// only.
pub fn digest(spec: &WorkflowTemplateSpec) -> String {
    let input = |input: &TemplateInput| {
        let input = TemplateInput { description: String::new(), ..input.clone() };
        serde_json::to_value(&input).unwrap_or_default()
    };
    let inputs: Vec<Value> = spec.inputs.iter().map(input).collect();
    let document = json!({ "inputs": inputs, "definition": spec.definition, "compact": spec.compact });
    sha256_hex(document.to_string())
}

/// Returns the template with the versions of its node types written out: with any catalogue it then gives the same workflow.
///
/// # Errors
///
/// Findings about the template, at paths below `compact`.
pub fn pinned_versions(spec: &WorkflowTemplateSpec, catalog: &Catalog) -> Result<WorkflowTemplateSpec, Vec<Finding>> {
    let mut pinned = spec.clone();
    let Some(document) = &mut pinned.compact else { return Ok(pinned) };
    let compact = compact::read(document).map_err(|findings| below("compact", findings))?;
    let compiled = compact::compile(&compact, &BTreeMap::new(), catalog).map_err(|findings| below("compact", findings))?;
    let nodes = document.get_mut("nodes").and_then(Value::as_array_mut).into_iter().flatten();
    for (node, built) in nodes.zip(&compiled.definition.nodes) {
        let (Some(text), Some(version)) = (node["use"].as_str(), built.type_version()) else { continue };
        let named = |(kind, version): (&str, &str)| !kind.is_empty() && version.starts_with(|c: char| c.is_ascii_digit());
        if !text.rsplit_once('@').is_some_and(named) {
            node["use"] = format!("{text}@{version}").into();
        }
    }
    Ok(pinned)
}
