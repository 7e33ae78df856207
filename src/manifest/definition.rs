//! Validation of one definition, independent of the file that contains it.

use serde_json::Value;

use super::document::{Document, join};
use super::namespace_rules::{Basis, Origin};
use super::report::Report;
use crate::document::definition::Definition;
use crate::document::finding::{Finding, has_errors};
use crate::document::parse::place_of_workflow;
use crate::validator::check::{disagreements, examine, parse_and_check, take_for_filled_in};
use crate::validator::schema::NodeCredentials;

/// Result of validating a definition, independent of the file that contains it.
pub(super) struct Validated {
    pub(super) findings: Vec<Finding>,
    pub(super) required: Vec<NodeCredentials>,
    pub(super) definition: Option<Definition>,
}

/// Validates a definition: that of a `Workflow` against its spec and the policies of its namespace, any other against its own declarations
/// and all policies.
pub(super) fn validate(raw: &Value, of: Origin<'_>, basis: Basis<'_>) -> Validated {
    let spec = of.spec;
    let mut intake = match parse_and_check(raw) {
        Ok(intake) => intake,
        Err(findings) => return Validated { findings, required: Vec::new(), definition: None },
    };
    let definition = &mut intake.definition;
    let mut findings = intake.warnings;
    if let Some(name) = spec.and_then(|spec| spec.display_name.as_ref()) {
        definition.name = Some(name.clone());
    }
    let active = spec.map_or(definition.declared_active, |spec| spec.active);
    let (found, required) = examine(definition, active, basis.catalog);
    findings.extend(found);
    basis.rules.check(definition, &of, basis.catalog, &mut findings);
    if spec.is_some() {
        take_for_filled_in(&mut findings);
    }
    if let Some(spec) = spec.filter(|_| !has_errors(&findings)) {
        findings.extend(disagreements(definition, spec.active, spec.tags.as_deref()));
    }
    Validated { findings, required, definition: Some(intake.definition) }
}

/// Returns the report on a definition at a path of a document.
pub(super) fn report_on(document: &Document<'_>, raw: &Value, path: &str, of: Origin<'_>, basis: Basis<'_>) -> Report {
    let validated = validate(raw, of, basis);
    let base = join(path, &place_of_workflow(raw));
    let mut report = Report::new(document.source).with(validated.findings.into_iter().map(|finding| document.place(finding, &base)));
    report.required = validated.required;
    report.definition = validated.definition;
    report
}
