//! Validation of the workflows in a set of files: exports of n8n, and manifests that hold `Workflow` objects.
//!
//! Definitions in ConfigMaps are looked up among the files, and Workflows are checked against each other. Objects of other kinds are
//! skipped.

mod credentials;
mod definition;
mod document;
mod embedded;
pub mod import;
mod namespace_rules;
mod needs;
mod object;
mod pending;
mod prompts;
mod quotas;
mod read_rules;
mod report;
mod rules;
mod schema;
mod set;
pub mod skeleton;
mod templates;
mod unrendered;
mod words;

use serde_json::Value;

use crate::catalog::Catalog;
use crate::document::parse::{place_of_workflow, several};
use credentials::CredentialManifest;
use definition::report_on;
use document::Document;
use embedded::Shelf;
use namespace_rules::{Basis, Origin};
use object::Object;
use pending::Pending;
use set::Member;
use templates::{TemplateShelf, Templated};
use unrendered::Kustomizations;

pub use namespace_rules::{Named, NamespaceRules};
pub use needs::{ExportTarget, Needs};
pub use prompts::never_worked_on;
pub use read_rules::{read_policies, read_quotas};
pub use report::{Kind, Placed, Report, Source};

/// Returns the first error of an object against the schema of its kind, with its field; `None` for kinds of other API groups.
pub fn misfit(kind: &str, object: &Value) -> Option<String> {
    let kind = object::KINDS.iter().find(|(name, _)| *name == kind)?.1;
    schema::check(kind, object).first().map(ToString::to_string)
}

/// Validates every workflow in a set of files, in their order.
pub fn validate(sources: &[Source], catalog: &Catalog) -> Vec<Report> {
    validate_by(sources, catalog, &NamespaceRules::default())
}

/// Validates every workflow in a set of files against the rules and limits of their namespaces, too.
pub fn validate_by(sources: &[Source], catalog: &Catalog, rules: &NamespaceRules) -> Vec<Report> {
    let mut work = Validation::of(sources, Basis { catalog, rules });
    let mut found = set::check(&work.members, sources, &work.reports);
    found.extend(quotas::check(&work.members, rules));
    found.extend(credentials::check(&work.members, &work.credentials, &work.reports));
    for (report, placed) in found {
        if let Some(report) = work.reports.get_mut(report) {
            report.findings.push(placed);
        }
    }
    for report in &mut work.reports {
        report.findings.sort_by_key(|placed| (placed.source != report.source, placed.span.map(|span| (span.line, span.column))));
    }
    work.reports
}

/// Returns manifests to fill in for the credentials that the workflows of a set need and that nothing in it provides.
pub fn credentials_needed(sources: &[Source], catalog: &Catalog, target: &ExportTarget) -> Needs {
    let rules = NamespaceRules::default();
    let work = Validation::of(sources, Basis { catalog, rules: &rules });
    needs::collect(sources, &work.reports, &work.members, &work.credentials, target)
}

struct Validation<'c> {
    basis: Basis<'c>,
    reports: Vec<Report>,
    shelf: Shelf,
    /// Workflows whose definition may stand in a later file.
    pending: Vec<Pending>,
    templates: TemplateShelf,
    /// Workflows whose template may stand in a later file.
    templated: Vec<Templated>,
    /// Workflows that fit their kind.
    members: Vec<Member>,
    /// N8nCredentials that fit their kind.
    credentials: Vec<CredentialManifest>,
    kustomizations: Kustomizations,
}

impl<'c> Validation<'c> {
    /// Reads a set: each workflow is validated by itself, with its definition from wherever in the set it stands.
    fn of(sources: &[Source], basis: Basis<'c>) -> Self {
        let mut work = Self::new(basis, Kustomizations::of(sources));
        for (number, source) in sources.iter().enumerate() {
            let first = work.reports.len();
            match &source.text {
                Ok(text) => {
                    let patch = work.kustomizations.patch(&source.name);
                    let documents = if patch.is_some() { Vec::new() } else { document::divide(number, text) };
                    let patch = patch.map(|finding| Placed { finding, source: number, span: None });
                    work.reports.extend(patch.map(|placed| Report::new(number).with([placed])));
                    for document in documents {
                        work.take(&document, source.found);
                    }
                }
                Err(reason) => {
                    work.reports.push(Report { readable: false, ..Report::new(number) }.with([document::unreadable(number, reason)]))
                }
            }
            let count = work.reports.len() - first;
            for (at, report) in work.reports.iter_mut().skip(first).enumerate() {
                report.name = if count == 1 { source.name.clone() } else { format!("{}#{}", source.name, at + 1) };
            }
        }
        for pending in std::mem::take(&mut work.pending) {
            let resolved = work.shelf.resolve(&pending, basis, &work.kustomizations);
            if let Some(report) = work.reports.get_mut(pending.report) {
                report.findings.extend(resolved.findings);
                report.required = resolved.required;
                report.definition = resolved.definition;
            }
        }
        for workflow in std::mem::take(&mut work.templated) {
            let resolved = work.templates.resolve(&workflow, basis);
            if let Some(report) = work.reports.get_mut(workflow.report) {
                report.findings.extend(resolved.findings);
                report.required = resolved.required;
                report.definition = resolved.definition;
            }
        }
        work
    }

    fn new(basis: Basis<'c>, kustomizations: Kustomizations) -> Self {
        let (shelf, templates) = (Shelf::default(), TemplateShelf::default());
        let (reports, pending, templated, members) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { basis, reports, shelf, pending, templates, templated, members, credentials: Vec::new(), kustomizations }
    }

    fn take(&mut self, document: &Document<'_>, found: bool) {
        let value = match &document.read {
            Ok(text) => &text.value,
            Err(_) if !document.is_json() && unrendered::is_helm(document.text) => {
                let placed = document.place(unrendered::helm(found), "");
                return self.reports.push(Report::new(document.source).with([placed]));
            }
            Err(_) => return self.reports.push(Report::new(document.source).with(document.unread())),
        };
        if self.kustomizations.is_own(document.source) || unrendered::is_kustomization(value) {
            return;
        }
        if object::is_object(value) {
            return self.take_object(document, value, "");
        }
        if found && !document.is_json() && !looks_like_workflow(value) {
            return;
        }
        let parts = several(value);
        if parts.is_empty() {
            let report = report_on(document, value, "", Origin::default(), self.basis);
            return self.reports.push(report.with(document.warnings("")));
        }
        for (path, part) in parts {
            self.reports.push(report_on(document, part, &path, Origin::default(), self.basis));
        }
    }

    /// Reads a Kubernetes object; `path` leads to it in the document.
    fn take_object(&mut self, document: &Document<'_>, value: &Value, path: &str) {
        match object::kind(value) {
            Object::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = crate::document::json_path::index(&crate::document::json_path::key(path, "items"), index);
                    self.take_object(document, item, &at);
                }
            }
            Object::ConfigMap => self.shelf.put(document, value, path),
            Object::Managed(Kind::Workflow) => {
                let number = self.reports.len();
                let (report, pending, member) = object::validate_workflow(document, value, path, number, self.basis);
                self.reports.push(report);
                self.templated.extend(member.as_ref().and_then(|member| Templated::of(document, value, path, number, member.spec())));
                self.pending.extend(pending);
                self.members.extend(member);
            }
            Object::Managed(Kind::WorkflowTemplate) => {
                let report = self.templates.put(document, value, path, self.basis);
                self.reports.push(report);
            }
            Object::Managed(kind) => {
                if kind == Kind::N8nCredential {
                    self.credentials.extend(CredentialManifest::of(document, value, path, self.reports.len()));
                }
                self.reports.push(object::validate_other(kind, document, value, path, self.basis.catalog));
            }
            Object::Unknown(finding) => self.reports.push(object::unknown_kind(document, finding, path)),
            Object::Other => {}
        }
    }
}

/// Reports whether a document that was found in a folder is meant to be a workflow.
fn looks_like_workflow(value: &Value) -> bool {
    let has = |key: &str| value.get(key).is_some();
    value.is_array() || has("nodes") || has("connections") || !place_of_workflow(value).is_empty()
}

#[cfg(test)]
mod tests;
