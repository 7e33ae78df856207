//! Objects of Kubernetes among the documents.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use kube::CustomResourceExt;
use serde_json::Value;

use crate::api::workflow::{ConfigMapKeyRef, Workflow, WorkflowSpec};
use crate::domain::catalog::Catalog;
use crate::domain::finding::{Code, Finding, MAX_FINDINGS, quoted};
use crate::domain::path;
use crate::domain::positions::Span;
use crate::domain::suggest::nearest;

use super::document::{Document, join};
use super::embedded::text;
use super::{LARGEST_INLINE, Report, judged};

/// What an object is to us.
pub(super) enum Kind<'a> {
    Workflow,
    ConfigMap,
    List(&'a [Value]),
    Other,
}

/// A Workflow whose definition stands in a ConfigMap.
pub(super) struct Pending {
    /// Its report.
    pub(super) report: usize,
    pub(super) source: usize,
    /// Where it names the ConfigMap.
    pub(super) span: Option<Span>,
    pub(super) namespace: Option<String>,
    pub(super) from: ConfigMapKeyRef,
    pub(super) spec: Option<Box<WorkflowSpec>>,
}

/// Whether a document is an object of Kubernetes at all.
pub(super) fn is_object(value: &Value) -> bool {
    value["apiVersion"].is_string() && value["kind"].is_string()
}

/// What an object is.
pub(super) fn kind(value: &Value) -> Kind<'_> {
    let word = |key: &str| value[key].as_str().unwrap_or_default();
    match (word("apiVersion"), word("kind")) {
        (version, "Workflow") if version.starts_with("weirkeeper.dev/") => Kind::Workflow,
        ("v1", "ConfigMap") => Kind::ConfigMap,
        (_, kind) if kind.ends_with("List") => value["items"].as_array().map_or(Kind::Other, |items| Kind::List(items)),
        _ => Kind::Other,
    }
}

/// Judges a Workflow whose report will have this number; its definition is left to do where it stands in a ConfigMap.
pub(super) fn judge_object(
    document: &Document<'_>,
    object: &Value,
    at: &str,
    number: usize,
    catalog: &Catalog,
) -> (Report, Option<Pending>) {
    let mut report = Report::new(document.source);
    let complain = |report: &mut Report, finding: Finding| report.findings.push(document.place(finding, at));
    let spec = match serde_json::from_value::<Workflow>(object.clone()) {
        Ok(workflow) => Some(Box::new(workflow.spec)),
        Err(error) => {
            complain(&mut report, Finding::error(Code::ManifestInvalid, "spec", format!("this is no Workflow: {error}")));
            None
        }
    };
    for finding in unknown_fields(&object["spec"]) {
        complain(&mut report, finding);
    }
    let (inline, from) = (&object["spec"]["definition"], &object["spec"]["definitionFrom"]);
    if inline.is_null() == from.is_null() {
        let message = "exactly one of definition and definitionFrom must be set";
        complain(&mut report, Finding::error(Code::ManifestInvalid, "spec", message));
    }
    if !inline.is_null() {
        let size = serde_json::to_string(inline).map_or(0, |text| text.len());
        if size > LARGEST_INLINE {
            let message = "the definition is too large to stand in the object; put it into a ConfigMap and name it in spec.definitionFrom.configMapKeyRef";
            let finding = Finding::error(Code::DocumentTooLarge, "spec.definition", message);
            complain(&mut report, finding.mismatch(format!("{size} bytes"), format!("at most {LARGEST_INLINE}")));
        }
        let inside = judged(document, inline, &join(at, "spec.definition"), spec.as_deref(), catalog);
        report.findings.extend(inside.findings);
        report.required = inside.required;
        report.definition = inside.definition;
    }
    report.findings.extend(document.warnings(at));
    let from = serde_json::from_value::<ConfigMapKeyRef>(from["configMapKeyRef"].clone()).ok();
    let pending = from.map(|from| Pending {
        report: number,
        source: document.source,
        span: document.span(&join(at, "spec.definitionFrom.configMapKeyRef")),
        namespace: text(object, "namespace"),
        from,
        spec,
    });
    (report, pending)
}

/// Fields of the spec that the kind does not have, which the API server would drop or refuse.
fn unknown_fields(spec: &Value) -> Vec<Finding> {
    // Made once: a file may hold thousands of objects.
    static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let crd = Workflow::crd();
        let schema = crd.spec.versions.first().and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
        let spec = schema.and_then(|schema| schema.properties.as_ref()?.get("spec")?.properties.as_ref());
        spec.into_iter().flat_map(|spec| spec.keys().cloned()).collect()
    });
    let given = spec.as_object().into_iter().flat_map(|fields| fields.keys());
    let unknown = given.filter(|field| !KNOWN.contains(*field)).map(|field| {
        let message = format!("a Workflow has no field {}", quoted(field));
        let finding = Finding::error(Code::ManifestInvalid, path::key("spec", field), message);
        finding.suggest(nearest(field, KNOWN.iter().map(String::as_str)))
    });
    unknown.take(MAX_FINDINGS).collect()
}
