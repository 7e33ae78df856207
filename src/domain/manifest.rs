//! The workflows in a set of files, and what is wrong with each: exports of n8n, and manifests that hold `Workflow` objects.
//!
//! A definition that stands in a ConfigMap is looked for among the files, and Workflows are held against each other. Objects of other
//! kinds are passed over.

mod document;
mod embedded;
mod object;
mod rules;
mod schema;
mod set;
mod unrendered;
mod words;

use serde::Serialize;
use serde_json::Value;

use super::catalog::Catalog;
use super::check::{disagreements, examine, take_for_filled_in};
use super::definition::Definition;
use super::finding::{Finding, Severity, has_errors};
use super::intake::{place_of_workflow, several, take_in};
use super::positions::Span;
use super::rules::Pattern;
use super::schema::NodeCredentials;
use crate::api::workflow::WorkflowSpec;
use document::Document;
use embedded::Shelf;
use object::{Object, Pending};
use set::Member;
use unrendered::Kustomizations;

/// The largest inline definition, in bytes of JSON: client-side apply keeps a copy in an annotation, which holds 262,144.
pub const LARGEST_INLINE: usize = 200_000;

/// A file, or what was typed.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name as it was given.
    pub name: String,
    /// Its text, or why there is none.
    pub text: Result<String, String>,
    /// Whether it was found in a folder rather than named: what is clearly something else is then passed over.
    pub found: bool,
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A workflow: an export of n8n, or a `Workflow` of Kubernetes.
    Workflow,
    /// A connection to an n8n.
    N8nInstance,
}

/// What is known of one workflow or instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is.
    pub kind: Kind,
    /// The name of its file, followed by `#` and its number from 1 where the file holds several.
    pub name: String,
    /// The file, by its place in the set.
    pub source: usize,
    /// What is wrong with it, in the order of the file.
    pub findings: Vec<Placed>,
    /// The credentials that its nodes name.
    pub required: Vec<NodeCredentials>,
    /// The workflow itself, where it could be read.
    pub definition: Option<Definition>,
    /// Whether the file could be read at all.
    pub readable: bool,
    /// The codes that an annotation of the object silences.
    pub silenced: Vec<Pattern>,
}

impl Report {
    fn new(source: usize) -> Self {
        Self {
            kind: Kind::Workflow,
            name: String::new(),
            source,
            findings: Vec::new(),
            required: Vec::new(),
            definition: None,
            readable: true,
            silenced: Vec::new(),
        }
    }

    fn with(mut self, findings: impl IntoIterator<Item = Placed>) -> Self {
        self.findings.extend(findings);
        self
    }

    /// Whether nothing is wrong; with `strict`, nothing doubtful either.
    pub fn is_valid(&self, strict: bool) -> bool {
        let worst = if strict { Severity::Warning } else { Severity::Error };
        !self.findings.iter().any(|placed| placed.finding.severity <= worst)
    }
}

/// A finding and where it is to be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The finding.
    pub finding: Finding,
    /// The file, by its place in the set. It is another than the report's for a definition in a ConfigMap.
    pub source: usize,
    /// The place in the file.
    pub span: Option<Span>,
}

/// What is known of a definition, whatever file it stands in.
struct Verdict {
    findings: Vec<Finding>,
    required: Vec<NodeCredentials>,
    definition: Option<Definition>,
}

/// Judges a definition: one of a `Workflow` by what its spec wants, any other by what it says itself.
fn judge(raw: &Value, spec: Option<&WorkflowSpec>, catalog: &Catalog) -> Verdict {
    let mut intake = match take_in(raw) {
        Ok(intake) => intake,
        Err(findings) => return Verdict { findings, required: Vec::new(), definition: None },
    };
    let definition = &mut intake.definition;
    let mut findings = intake.warnings;
    if let Some(name) = spec.and_then(|spec| spec.display_name.as_ref()) {
        definition.name = Some(name.clone());
    }
    let active = spec.map_or(definition.declared_active, |spec| spec.active);
    let (found, required) = examine(definition, active, catalog);
    findings.extend(found);
    if spec.is_some() {
        take_for_filled_in(&mut findings);
    }
    if let Some(spec) = spec.filter(|_| !has_errors(&findings)) {
        findings.extend(disagreements(definition, spec.active, spec.tags.as_deref()));
    }
    Verdict { findings, required, definition: Some(intake.definition) }
}

/// The first thing by which an object does not fit its kind, with its field; nothing for kinds that are not ours.
pub fn misfit(kind: &str, object: &Value) -> Option<String> {
    let kind = object::KINDS.iter().find(|(name, _)| *name == kind)?.1;
    schema::check(kind, object).first().map(ToString::to_string)
}

/// Validates every workflow in a set of files, in their order.
pub fn validate(sources: &[Source], catalog: &Catalog) -> Vec<Report> {
    let mut work = Work::new(catalog, Kustomizations::of(sources));
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
        let resolved = work.shelf.resolve(&pending, catalog, &work.kustomizations);
        if let Some(report) = work.reports.get_mut(pending.report) {
            report.findings.extend(resolved.findings);
            report.required = resolved.required;
            report.definition = resolved.definition;
        }
    }
    set::check(&work.members, sources, &mut work.reports);
    for report in &mut work.reports {
        report.findings.sort_by_key(|placed| (placed.source != report.source, placed.span.map(|span| (span.line, span.column))));
    }
    work.reports
}

struct Work<'c> {
    catalog: &'c Catalog,
    reports: Vec<Report>,
    shelf: Shelf,
    /// Workflows whose definition may stand in a file that comes later.
    pending: Vec<Pending>,
    /// The Workflows that fit their kind.
    members: Vec<Member>,
    kustomizations: Kustomizations,
}

impl<'c> Work<'c> {
    fn new(catalog: &'c Catalog, kustomizations: Kustomizations) -> Self {
        Self { catalog, reports: Vec::new(), shelf: Shelf::default(), pending: Vec::new(), members: Vec::new(), kustomizations }
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
            let judged = judged(document, value, "", None, self.catalog);
            return self.reports.push(judged.with(document.warnings("")));
        }
        for (path, part) in parts {
            self.reports.push(judged(document, part, &path, None, self.catalog));
        }
    }

    /// Takes an object of Kubernetes; `path` leads to it in the document.
    fn take_object(&mut self, document: &Document<'_>, value: &Value, path: &str) {
        match object::kind(value) {
            Object::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = super::path::index(&super::path::key(path, "items"), index);
                    self.take_object(document, item, &at);
                }
            }
            Object::ConfigMap => self.shelf.put(document, value, path),
            Object::Ours(Kind::Workflow) => {
                let (report, pending, member) = object::judge_workflow(document, value, path, self.reports.len(), self.catalog);
                self.reports.push(report);
                self.pending.extend(pending);
                self.members.extend(member);
            }
            Object::Ours(Kind::N8nInstance) => self.reports.push(object::judge_instance(document, value, path)),
            Object::Unknown(finding) => self.reports.push(object::unknown_kind(document, finding, path)),
            Object::Other => {}
        }
    }
}

/// The report on a definition that stands in a document at a path.
fn judged(document: &Document<'_>, raw: &Value, path: &str, spec: Option<&WorkflowSpec>, catalog: &Catalog) -> Report {
    let verdict = judge(raw, spec, catalog);
    let base = document::join(path, &place_of_workflow(raw));
    let mut report = Report::new(document.source).with(verdict.findings.into_iter().map(|finding| document.place(finding, &base)));
    report.required = verdict.required;
    report.definition = verdict.definition;
    report
}

/// Whether a document that nobody named is meant to be a workflow.
fn looks_like_workflow(value: &Value) -> bool {
    let has = |key: &str| value.get(key).is_some();
    value.is_array() || has("nodes") || has("connections") || !place_of_workflow(value).is_empty()
}

#[cfg(test)]
mod tests;
