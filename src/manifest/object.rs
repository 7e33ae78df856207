//! Kubernetes objects among the documents.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::credential::N8nCredential;
use crate::api::instance::N8nInstance;
use crate::api::policy::WorkflowPolicy;
use crate::api::prompt::WorkflowPrompt;
use crate::api::provider::ModelProvider;
use crate::api::workflow::{ConfigMapKeyRef, LARGEST_INLINE, Workflow};
use crate::api::{GROUP, VERSION, annotation};
use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding, Severity, join_within, quoted};
use crate::document::json_path;
use crate::domain::admission::read;
use crate::domain::admission::rules::{self, Problem};
use crate::domain::annotations::{is_ours, unknown};
use crate::domain::policies::is_generated_object;
use crate::text::is_label;
use crate::text::similar::nearest;
use crate::validator::rules::Pattern;

use super::definition::report_on;
use super::document::{Document, join};
use super::embedded::text;
use super::namespace_rules::{Basis, Origin};
use super::pending::Pending;
use super::prompts::never_worked_on;
use super::report::{Kind, Report};
use super::schema;
use super::set::Member;

/// Maximum length of the problems of an object in a message.
const MOST_CHARS: usize = 1_000;

/// The kinds of this API group.
pub(super) const KINDS: [(&str, Kind); 8] = [
    ("Workflow", Kind::Workflow),
    ("N8nInstance", Kind::N8nInstance),
    ("N8nCredential", Kind::N8nCredential),
    ("WorkflowPolicy", Kind::WorkflowPolicy),
    ("WorkflowQuota", Kind::WorkflowQuota),
    ("ModelProvider", Kind::ModelProvider),
    ("WorkflowTemplate", Kind::WorkflowTemplate),
    ("WorkflowPrompt", Kind::WorkflowPrompt),
];

/// Kubernetes objects by their relevance for validation.
pub(super) enum Object<'a> {
    Managed(Kind),
    /// An object of this API group whose kind or version does not exist.
    Unknown(Finding),
    ConfigMap,
    List(&'a [Value]),
    Other,
}

/// Reports whether a document is a Kubernetes object.
pub(super) fn is_object(value: &Value) -> bool {
    value["apiVersion"].is_string() && value["kind"].is_string()
}

/// Classifies an object.
pub(super) fn kind(value: &Value) -> Object<'_> {
    let word = |key: &str| value[key].as_str().unwrap_or_default();
    let (group, version) = word("apiVersion").split_once('/').unwrap_or(("", word("apiVersion")));
    match (group, version, word("kind")) {
        ("", "v1", "ConfigMap") => Object::ConfigMap,
        (_, _, kind) if kind.ends_with("List") => value["items"].as_array().map_or(Object::Other, |items| Object::List(items)),
        (GROUP, _, kind) => {
            let Some((_, ours)) = KINDS.iter().find(|(name, _)| *name == kind) else {
                let unknown = Finding::error(Code::ManifestInvalid, "kind", format!("{GROUP} has no kind {}", quoted(kind)));
                return Object::Unknown(unknown.suggest(nearest(kind, KINDS.iter().map(|(name, _)| *name))));
            };
            if version != VERSION {
                let unknown = Finding::error(Code::ManifestInvalid, "apiVersion", format!("{GROUP} has no version {}", quoted(version)));
                return Object::Unknown(unknown.suggest(Some(format!("{GROUP}/{VERSION}"))));
            }
            Object::Managed(*ours)
        }
        _ => Object::Other,
    }
}

/// Returns the report on an object of this API group with an unknown kind.
pub(super) fn unknown_kind(document: &Document<'_>, finding: Finding, at: &str) -> Report {
    Report::new(document.source).with([document.place(finding, at)])
}

/// Validates an object that contains no definition.
pub(super) fn validate_other(kind: Kind, document: &Document<'_>, object: &Value, at: &str, catalog: &Catalog) -> Report {
    let mut report = Report::new(document.source).with(document.warnings(at)).with(document.words(at));
    report.kind = kind;
    let mut findings = schema::check(kind, object);
    if !findings.iter().any(Finding::is_error) {
        let (certain, doubtful): (Vec<_>, Vec<_>) = problems(kind, object, catalog).into_iter().partition(|(certain, _)| *certain);
        // One finding each, because reports show one of several at the same place.
        for (severity, found) in [(Severity::Error, certain), (Severity::Warning, doubtful)] {
            let messages: Vec<String> = found.into_iter().map(|(_, message)| message).collect();
            let finding = Finding::error(Code::ManifestInvalid, "spec", join_within("", &messages, MOST_CHARS));
            findings.extend((!messages.is_empty()).then_some(Finding { severity, ..finding }));
        }
    }
    findings.extend(metadata(object, &mut report));
    let placed: Vec<_> = findings.into_iter().map(|finding| document.place(finding, at)).collect();
    report.with(placed)
}

/// Returns what admission denies and warns of that the schema of a kind does not express, in the same words.
fn problems(kind: Kind, object: &Value, catalog: &Catalog) -> Vec<Problem> {
    match kind {
        Kind::N8nInstance => examined::<N8nInstance>(object, |instance| rules::of_instance(&instance.spec)),
        Kind::N8nCredential => examined::<N8nCredential>(object, |credential| rules::of_credential(&credential.spec)),
        Kind::ModelProvider => examined::<ModelProvider>(object, |provider| rules::of_provider(&provider.spec)),
        Kind::WorkflowPolicy => examined::<WorkflowPolicy>(object, |policy| rules::of_policy(&policy.spec, catalog)),
        Kind::WorkflowPrompt => {
            examined::<WorkflowPrompt>(object, |prompt| never_worked_on(prompt).map(|message| (true, message)).into_iter().collect())
        }
        Kind::Workflow | Kind::WorkflowQuota | Kind::WorkflowTemplate => Vec::new(),
    }
}

fn examined<K: DeserializeOwned>(object: &Value, problems: impl FnOnce(&K) -> Vec<Problem>) -> Vec<Problem> {
    read(object).map_or_else(|message| vec![(true, message)], |read| problems(&read))
}

/// Validates a Workflow whose report will have this index; a definition in a ConfigMap is left for later.
pub(super) fn validate_workflow(
    document: &Document<'_>,
    object: &Value,
    at: &str,
    number: usize,
    basis: Basis<'_>,
) -> (Report, Option<Pending>, Option<Member>) {
    let mut report = Report { namespace: text(object, "namespace"), ..Report::new(document.source) };
    let mut findings = schema::check(Kind::Workflow, object);
    findings.extend(metadata(object, &mut report));
    let spec = match serde_json::from_value::<Workflow>(object.clone()) {
        Ok(workflow) => Some(Box::new(workflow.spec)),
        Err(error) => {
            // The schema check names the field; errors that it does not find are reported as they are.
            if !findings.iter().any(Finding::is_error) {
                findings.push(Finding::error(Code::ManifestInvalid, "spec", format!("this is not a Workflow: {error}")));
            }
            None
        }
    };
    let (inline, from) = (&object["spec"]["definition"], &object["spec"]["definitionFrom"]);
    if !inline.is_null() {
        let size = serde_json::to_string(inline).map_or(0, |text| text.len());
        if size > LARGEST_INLINE {
            let message = "the definition is too large for the object; put it into a ConfigMap and refer to it in spec.definitionFrom.configMapKeyRef";
            let finding = Finding::error(Code::DocumentTooLarge, "spec.definition", message);
            findings.push(finding.mismatch(format!("{size} bytes"), format!("at most {LARGEST_INLINE}")));
        }
    }
    report.findings.extend(findings.into_iter().map(|finding| document.place(finding, at)));
    if inline.is_object() {
        let origin = Origin { spec: spec.as_deref(), namespace: report.namespace.as_deref(), generated: is_generated_object(object) };
        let inside = report_on(document, inline, &join(at, "spec.definition"), origin, basis);
        report.findings.extend(inside.findings);
        report.required = inside.required;
        report.definition = inside.definition;
    }
    report.findings.extend(document.warnings(at));
    report.findings.extend(document.words(at));
    let member = spec.as_ref().map(|spec| Member::new(document, object, at, number, spec.as_ref().clone()));
    let from = serde_json::from_value::<ConfigMapKeyRef>(from["configMapKeyRef"].clone()).ok();
    let pending = from.map(|from| Pending {
        report: number,
        source: document.source,
        span: document.span(&join(at, "spec.definitionFrom.configMapKeyRef")),
        namespace: report.namespace.clone(),
        from,
        spec,
        generated: is_generated_object(object),
    });
    (report, pending, member)
}

/// Returns the findings on an object's metadata. Adds the codes that an annotation silences to the report.
fn metadata(object: &Value, report: &mut Report) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wrong = |at: String, message: String| findings.push(Finding::error(Code::ManifestInvalid, at, message));
    let metadata = &object["metadata"];
    match metadata["name"].as_str() {
        Some(name) if !is_name(name) => {
            let message = "the name must consist of lower case letters, digits, - and ., and begin and end with a letter or digit";
            wrong("metadata.name".to_owned(), message.to_owned());
        }
        None if !metadata["generateName"].is_string() => wrong("metadata".to_owned(), "metadata.name is missing".to_owned()),
        _ => {}
    }
    for field in ["labels", "annotations"] {
        for (key, value) in metadata[field].as_object().into_iter().flatten().filter(|(_, value)| !value.is_string()) {
            let at = json_path::key(&json_path::key("metadata", field), key);
            wrong(at, format!("{field} must be text: put the value in quotes (found {})", crate::document::finding::kind_of(value)));
        }
    }
    let doubtful = |key: &str, message| {
        let at = json_path::key("metadata.annotations", key);
        Finding { severity: Severity::Warning, ..Finding::error(Code::ManifestInvalid, at, message) }
    };
    let kind = object["kind"].as_str().unwrap_or_default();
    let ours = metadata["annotations"].as_object().into_iter().flatten().filter(|(key, _)| is_ours(key));
    for (key, value) in ours {
        let alone = BTreeMap::from([(key.clone(), String::new())]);
        findings.extend(unknown(Some(&alone), kind).map(|message| doubtful(key, message)));
        if let Some(text) = value.as_str().filter(|_| key == annotation::IGNORE_FINDINGS) {
            let (silenced, wrong) = Pattern::parse_known(text);
            report.silenced = silenced;
            findings.extend(wrong.into_iter().map(|message| doubtful(key, message)));
        }
    }
    findings
}

/// Reports whether Kubernetes accepts a name: a DNS subdomain of RFC 1123.
fn is_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}
