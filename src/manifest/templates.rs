//! Templates of a set of files, and the Workflows that are made from them or from those that ship with this program.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::api::instance::AllowedFrom;
use crate::api::template::{WorkflowTemplate, WorkflowTemplateSpec};
use crate::api::template_ref::{TemplateKind, TemplateRef};
use crate::api::workflow::WorkflowSpec;
use crate::document::finding::{Code, Finding, Severity, quoted};
use crate::document::json_path;
use crate::document::positions::Span;
use crate::generation::template::{self, Missing, templates};
use crate::text::similar::nearest;

use super::definition::validate;
use super::document::{Document, join};
use super::embedded::{Resolved, text};
use super::namespace_rules::{Basis, Origin, may_share};
use super::object::validate_other;
use super::report::{Kind, Placed, Report};
use crate::domain::policies::is_generated_object;

/// Path of the reference in a Workflow.
const FIELD: &str = "spec.templateRef";

/// WorkflowTemplates of a set of files, by name.
#[derive(Default)]
pub(super) struct TemplateShelf(HashMap<String, Vec<(Option<String>, WorkflowTemplateSpec)>>);

/// A Workflow that is made from a template, which may stand in a later file.
pub(super) struct Templated {
    /// Index of its report.
    pub(super) report: usize,
    source: usize,
    namespace: Option<String>,
    reference: TemplateRef,
    spec: Box<WorkflowSpec>,
    generated: bool,
    /// Positions of the reference and of its inputs.
    spans: BTreeMap<String, Span>,
}

impl Templated {
    /// Returns the Workflow, if it is made from a template.
    pub(super) fn of(document: &Document<'_>, object: &Value, at: &str, report: usize, spec: &WorkflowSpec) -> Option<Self> {
        let reference = spec.template_ref.clone()?;
        let inputs = json_path::key(FIELD, "inputs");
        let paths = [FIELD.to_owned(), json_path::key(FIELD, "name")];
        let paths = paths.into_iter().chain(reference.inputs.keys().map(|name| json_path::key(&inputs, name)));
        let spans = paths.filter_map(|path| Some((path.clone(), document.span(&join(at, &path))?))).collect();
        let spec = Box::new(spec.clone());
        let (namespace, generated) = (text(object, "namespace"), is_generated_object(object));
        Some(Self { report, source: document.source, namespace, reference, spec, generated, spans })
    }

    fn place(&self, finding: Finding) -> Placed {
        let span = self.spans.get(&finding.path).or_else(|| self.spans.get(FIELD)).copied();
        Placed { finding, source: self.source, span }
    }

    fn only(&self, finding: Finding) -> Resolved {
        Resolved { findings: vec![self.place(finding)], ..Resolved::default() }
    }
}

impl TemplateShelf {
    /// Validates a WorkflowTemplate, and keeps it for the Workflows of the set.
    pub(super) fn put(&mut self, document: &Document<'_>, object: &Value, at: &str, basis: Basis<'_>) -> Report {
        let report = validate_other(Kind::WorkflowTemplate, document, object, at, basis.catalog);
        let Ok(template) = serde_json::from_value::<WorkflowTemplate>(object.clone()) else { return report };
        let readable = !report.findings.iter().any(|placed| placed.finding.is_error());
        let findings = if readable { template::validate(&template.spec, basis.catalog) } else { Vec::new() };
        let base = join(at, "spec");
        let placed: Vec<Placed> = findings.into_iter().map(|finding| document.place(finding, &base)).collect();
        let name = text(object, "name").unwrap_or_default();
        self.0.entry(name).or_default().push((text(object, "namespace"), template.spec));
        report.with(placed)
    }

    /// Renders the template of a Workflow, and validates what comes out.
    pub(super) fn resolve(&self, workflow: &Templated, basis: Basis<'_>) -> Resolved {
        let reference = &workflow.reference;
        let spec = match self.find(workflow) {
            Ok(spec) => spec,
            Err(finding) => return workflow.only(*finding),
        };
        let inputs = reference.inputs.clone().into_iter().collect();
        let mut rendered = match template::render(spec, &inputs, Missing::Refuse, basis.catalog) {
            Ok(rendered) => rendered,
            Err(findings) => {
                let of_inputs = |finding: &Finding| finding.path.starts_with("inputs");
                let at = |finding: Finding| match of_inputs(&finding) {
                    true => Finding { path: join(FIELD, &finding.path), ..finding },
                    false => Finding { path: FIELD.to_owned(), message: format!("{}: {}", finding.path, finding.message), ..finding },
                };
                let findings = findings.into_iter().map(|finding| workflow.place(at(finding))).collect();
                return Resolved { findings, ..Resolved::default() };
            }
        };
        rendered.definition.without_ids();
        let raw = serde_json::to_value(&rendered.definition).unwrap_or_default();
        let validated = validate(
            &raw,
            Origin { spec: Some(&workflow.spec), namespace: workflow.namespace.as_deref(), generated: workflow.generated },
            basis,
        );
        let findings = rendered.findings.into_iter().chain(validated.findings).map(|finding| workflow.place(finding)).collect();
        Resolved { findings, required: validated.required, definition: validated.definition }
    }

    fn find(&self, workflow: &Templated) -> Result<&WorkflowTemplateSpec, Box<Finding>> {
        let (reference, path) = (&workflow.reference, json_path::key(FIELD, "name"));
        let name = reference.name.as_str();
        if reference.kind == TemplateKind::BuiltinTemplate {
            let found = templates().iter().find(|template| template.name == name).map(|template| &template.spec);
            return found.ok_or_else(|| {
                let message = format!("this version has no template {}; `weirkeeper template list` lists those that it has", quoted(name));
                let near = nearest(name, templates().iter().map(|template| template.name.as_str()));
                Finding::error(Code::DefinitionNotFound, path, message).suggest(near).into()
            });
        }
        let home = reference.namespace.as_deref().or(workflow.namespace.as_deref());
        let warning =
            |message: String| Finding { severity: Severity::Warning, ..Finding::error(Code::DefinitionNotFound, path.clone(), message) };
        let found = self.0.get(name).and_then(|all| all.iter().find(|(namespace, _)| may_share(namespace.as_deref(), home)));
        let Some((_, spec)) = found else {
            let message = format!("WorkflowTemplate {} is not among the files, so the Workflow was not checked", quoted(name));
            let ours = self.0.keys().map(String::as_str).chain(templates().iter().map(|template| template.name.as_str()));
            let meant = templates().iter().any(|template| template.name == name);
            let finding = warning(if meant {
                format!("{message}; a template of this name ships with the operator: kind: BuiltinTemplate")
            } else {
                message
            });
            return Err(finding.suggest(nearest(name, ours)).into());
        };
        let elsewhere = reference.namespace.is_some() && !may_share(reference.namespace.as_deref(), workflow.namespace.as_deref());
        if elsewhere && spec.allowed_namespaces.from == AllowedFrom::Same {
            let message =
                format!("WorkflowTemplate {} does not allow other namespaces; its owner can do so in spec.allowedNamespaces", quoted(name));
            return Err(warning(message).into());
        }
        Ok(spec)
    }
}
