//! Examination of a Workflow: its definition, the rules and the quota of its namespace, its references and its grants.

use serde::Deserialize;
use serde_json::Value;

use super::credentials;
use super::grants::{self, InstanceFacts};
use super::{AdmissionOperation, AdmissionResponse, MESSAGE_CHARS, Request, read};
use crate::api::workflow::{LARGEST_INLINE, Workflow};
use crate::document::definition::Definition;
use crate::document::finding::{Finding, Severity, join_within, summarise};
use crate::domain::annotations::{silenced, unknown};
use crate::domain::credential_limits::{self, limits_of};
use crate::domain::credential_ref::NamedCredential;
use crate::domain::validation::{ValidationContext, examine};
use crate::validator::check::parse_owned_and_check;
use crate::validator::policy::Policy;

/// Facts about the namespace and the instance of a Workflow.
pub struct WorkflowFacts<'a> {
    /// Catalogue and n8n version that the definition is validated against.
    pub context: ValidationContext<'a>,
    /// The instance that it refers to.
    pub instance: InstanceFacts<'a>,
    /// Policies of the namespace that apply to it.
    pub policies: &'a [Policy<'a>],
    /// The limit that it would exceed.
    pub exceeded: Option<String>,
    /// The limit of the day that is used up, so that a new version waits.
    pub used_up: Option<String>,
    /// Returns the names of the Workflows that a Workflow of the namespace refers to; None if there is none of that name.
    pub references_of: &'a dyn Fn(&str) -> Option<Vec<String>>,
    /// Returns an N8nCredential of the namespace; None if there is none of that name.
    pub credential_of: &'a dyn Fn(&str) -> Option<NamedCredential>,
}

/// Problems of one state of an object.
#[derive(Default)]
struct Problems {
    findings: Vec<Finding>,
    others: Vec<(bool, String)>,
    /// Reason why findings about node types are doubtful.
    doubted: Option<String>,
}

/// Examines a Workflow. An update that leaves the definition as it is, is only denied for problems that it brings: rules may have become
/// stricter since the definition was accepted.
pub fn workflow(request: &Request, facts: &WorkflowFacts<'_>) -> AdmissionResponse {
    let mut new: Workflow = match read(&request.object) {
        Ok(workflow) => workflow,
        Err(message) => return AdmissionResponse::denied(message),
    };
    let names = (request.namespace.as_str(), request.name.as_str());
    let mut old = (request.operation == AdmissionOperation::Update).then(|| Workflow::deserialize(&request.old).ok()).flatten();
    let same = old.as_ref().is_some_and(|old| old.spec.definition == new.spec.definition);
    let changed = old.as_ref().is_none_or(|old| {
        let (old, new) = (&old.spec, &new.spec);
        !same || (&old.definition_from, &old.template_ref) != (&new.definition_from, &new.template_ref)
    });
    let mut problems = problems(&mut new, names, facts);
    let mut accepted = false;
    if let Some(old) = old.as_mut().filter(|old| same && old.spec.display_name == new.spec.display_name) {
        accepted = problems.forgive(&self::problems(old, names, facts));
    }
    // The change is kept, and deployed by itself when the day is over.
    problems.others.extend(facts.used_up.iter().filter(|_| changed).map(|used_up| (false, used_up.clone())));
    problems.others.extend(facts.exceeded.iter().map(|exceeded| (true, exceeded.clone())));
    problems.others.extend(unknown(new.metadata.annotations.as_ref(), "Workflow").map(|message| (false, message)));
    problems.review(accepted)
}

/// Takes the definition out of the Workflow.
fn problems(workflow: &mut Workflow, names: (&str, &str), facts: &WorkflowFacts<'_>) -> Problems {
    let mut problems = Problems::default();
    let definition = workflow.spec.definition.take().and_then(|raw| problems.read(raw, workflow, facts));
    // Without the instance's own catalogue nothing is known for certain about its node types.
    let catalog = (facts.context.catalog, facts.context.instead.is_none());
    let instance = (facts.instance.namespace, workflow.spec.instance_ref.name.as_str());
    let warnings = credentials::warnings(&workflow.spec, definition.as_ref(), instance, facts.credential_of);
    problems.others.extend(warnings.into_iter().map(|message| (false, message)));
    problems.others.extend(grants::problems(&workflow.spec, definition.as_ref(), names, facts.instance, catalog, facts.references_of));
    problems
}

impl Problems {
    /// Reads an inline definition and adds what the validator and the policies find.
    fn read(&mut self, raw: Value, workflow: &Workflow, facts: &WorkflowFacts<'_>) -> Option<Definition> {
        let size = serde_json::to_string(&raw).map_or(0, |text| text.len());
        if size > LARGEST_INLINE {
            self.others.push((true, too_large(size)));
            return None;
        }
        let parsed = match parse_owned_and_check(raw) {
            Ok(parsed) => parsed,
            Err(findings) => {
                self.findings = findings;
                return None;
            }
        };
        let mut definition = parsed.definition;
        if let Some(name) = &workflow.spec.display_name {
            definition.name = Some(name.clone());
        }
        let silenced = silenced(workflow.metadata.annotations.as_ref());
        let (active, tags) = (workflow.spec.active, workflow.spec.tags.as_deref());
        let limits = limits_of(&workflow.spec, |name| (facts.credential_of)(name)?.rate_limit);
        let mut warnings = parsed.warnings;
        warnings.extend(credential_limits::warnings(&definition, &workflow.spec, &limits));
        let examined = examine(&definition, active, tags, warnings, facts.context, facts.policies, &silenced);
        self.findings = examined.findings;
        self.doubted = examined.doubted;
        Some(definition)
    }

    /// Turns the errors that were there before into warnings. Returns whether there were any.
    fn forgive(&mut self, before: &Problems) -> bool {
        let mut any = false;
        for finding in self.findings.iter_mut().filter(|finding| finding.is_error() && before.findings.contains(finding)) {
            finding.severity = Severity::Warning;
            any = true;
        }
        for problem in self.others.iter_mut().filter(|problem| problem.0 && before.others.contains(problem)) {
            problem.0 = false;
            any = true;
        }
        any
    }

    fn review(self, accepted: bool) -> AdmissionResponse {
        let Self { mut findings, others, doubted } = self;
        findings.retain(|finding| finding.severity != Severity::Info);
        findings.sort_by_key(|finding| (finding.severity, finding.code.harm()));
        let (certain, doubtful): (Vec<_>, Vec<_>) = others.into_iter().partition(|(certain, _)| *certain);
        let mut reasons = Vec::new();
        let errors: Vec<Finding> = findings.iter().filter(|finding| finding.is_error()).cloned().collect();
        if !errors.is_empty() {
            reasons.push(summarise(&errors, MESSAGE_CHARS));
        }
        reasons.extend(certain.into_iter().map(|(_, message)| message));
        let mut warnings: Vec<String> = Vec::new();
        if accepted {
            let note = "the definition was accepted earlier and is still used; today it would be rejected: see the warnings that follow";
            warnings.push(note.to_owned());
        }
        warnings.extend(doubtful.into_iter().map(|(_, message)| message));
        warnings.extend(findings.iter().filter(|finding| !finding.is_error()).map(ToString::to_string));
        warnings.extend(doubted);
        AdmissionResponse { denied: (!reasons.is_empty()).then(|| join_within("", &reasons, MESSAGE_CHARS)), warnings }
    }
}

/// Returns the message about an inline definition that is too large.
pub fn too_large(size: usize) -> String {
    format!(
        "spec.definition has {size} bytes and may have {LARGEST_INLINE}; store the workflow in a ConfigMap and name it in spec.definitionFrom.configMapKeyRef"
    )
}

#[cfg(test)]
mod tests;
