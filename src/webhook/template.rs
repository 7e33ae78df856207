//! Templates in reviews: a WorkflowTemplate itself, and the template and inputs that a Workflow names.

use std::collections::BTreeMap;

use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;
use serde_json::Value;

use crate::api::template::{WorkflowTemplate, WorkflowTemplateSpec};
use crate::api::template_ref::{TemplateKind, TemplatePolicy, TemplateRef};
use crate::catalog::Catalog;
use crate::document::finding::{Finding, Severity, has_errors, quoted, summarise};
use crate::domain::access::may_refer;
use crate::domain::admission::{AdmissionOperation, AdmissionResponse, Request, read};
use crate::generation::outcome::Inputs;
use crate::generation::template::{Missing, check_inputs, render, templates, validate};
use crate::kubernetes::stores::Stores;
use crate::text::similar::nearest;

/// Maximum length of the findings in a denial.
const FINDINGS_CHARS: usize = 1_500;

/// Examines a WorkflowTemplate.
pub(super) fn review(object: &Value) -> AdmissionResponse {
    let template: WorkflowTemplate = match read(object) {
        Ok(template) => template,
        Err(message) => return AdmissionResponse::denied(message),
    };
    let mut findings = validate(&template.spec, Catalog::embedded());
    findings.retain(|finding| finding.severity < Severity::Info);
    let errors: Vec<Finding> = findings.iter().filter(|finding| finding.is_error()).cloned().collect();
    let denied = has_errors(&errors).then(|| summarise(&errors, FINDINGS_CHARS));
    let warnings = findings.iter().filter(|finding| !finding.is_error()).map(ToString::to_string).collect();
    AdmissionResponse { denied, warnings }
}

/// Returns the request with the rendered workflow as its definition, if the template is one that ships with the operator: then the definition
/// is examined like one that is written out.
pub(super) fn rendered(request: &Request, catalog: &Catalog) -> Option<Request> {
    let object = with_definition(&request.object, catalog)?;
    let old = with_definition(&request.old, catalog).unwrap_or_else(|| request.old.clone());
    let Request { operation, subresource, ref namespace, ref name, .. } = *request;
    Some(Request { operation, subresource, namespace: namespace.clone(), name: name.clone(), object, old })
}

fn with_definition(object: &Value, catalog: &Catalog) -> Option<Value> {
    let reference = reference(object).filter(|reference| reference.kind == TemplateKind::BuiltinTemplate)?;
    let template = templates().iter().find(|template| template.name == reference.name)?;
    let mut made = render(&template.spec, &inputs(&reference), Missing::Refuse, catalog).ok()?;
    made.definition.without_ids();
    let mut object = object.clone();
    let spec = object.get_mut("spec")?.as_object_mut()?;
    spec.remove("templateRef");
    spec.insert("definition".to_owned(), serde_json::to_value(&made.definition).ok()?);
    Some(object)
}

fn reference(object: &Value) -> Option<TemplateRef> {
    TemplateRef::deserialize(object.get("spec")?.get("templateRef")?).ok()
}

fn inputs(reference: &TemplateRef) -> Inputs {
    reference.inputs.clone().into_iter().collect()
}

/// Adds what is wrong with the template and the inputs that a Workflow names. `labels` are those of its namespace, if they are known.
pub(super) fn check(
    request: &Request,
    stores: &Stores,
    (catalog, labels): (&Catalog, Option<&BTreeMap<String, String>>),
    decision: &mut AdmissionResponse,
) {
    let Some(wanted) = reference(&request.object) else { return };
    let findings = match wanted.home(&request.namespace) {
        None => match templates().iter().find(|template| template.name == wanted.name) {
            Some(template) => render(&template.spec, &inputs(&wanted), Missing::Refuse, catalog).err(),
            None => return deny(decision, unknown(&wanted.name)),
        },
        Some(home) => match usable(stores, home, &wanted.name, &request.namespace, labels) {
            Ok(spec) => check_inputs(&spec.inputs, &inputs(&wanted), false).err(),
            Err(warning) => return decision.warnings.insert(0, warning),
        },
    };
    let Some(findings) = findings else { return };
    let message = format!("spec.templateRef: {}", summarise(&findings, FINDINGS_CHARS));
    // The template may have changed since, and a pinned one is not known here.
    let before = (request.operation == AdmissionOperation::Update).then(|| reference(&request.old)).flatten();
    let stands = before.is_some_and(|before| before == wanted || (wanted.policy == TemplatePolicy::Pin && before.name == wanted.name));
    if stands { decision.warnings.insert(0, message) } else { deny(decision, message) }
}

/// Returns a template in memory that a namespace may use, or the warning that there is none: it may be applied or allowed later.
fn usable(
    stores: &Stores,
    home: &str,
    name: &str,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Result<WorkflowTemplateSpec, String> {
    let none = BTreeMap::new();
    let found = stores.templates.store().get(&ObjectRef::new(name).within(home));
    let spec = found.and_then(|found| found.spec.0.clone().ok());
    let spec = spec.filter(|spec| may_refer(&spec.allowed_namespaces, home, namespace, labels.unwrap_or(&none)));
    spec.ok_or_else(|| {
        let lack = match home == namespace {
            true => format!("WorkflowTemplate {name} does not exist in this namespace"),
            false => format!("WorkflowTemplate {name} does not exist in namespace {home} or does not allow namespace {namespace}"),
        };
        format!("{lack}; the Workflow waits until it does")
    })
}

fn unknown(name: &str) -> String {
    let near = nearest(name, templates().iter().map(|template| template.name.as_str()));
    let meant = near.map_or_else(String::new, |near| format!("; did you mean {}?", quoted(near)));
    format!("spec.templateRef.name: no template {} ships with this version of the operator{meant}", quoted(name))
}

fn deny(decision: &mut AdmissionResponse, message: String) {
    decision.denied = Some(match decision.denied.take() {
        Some(other) => format!("{message}; {other}"),
        None => message,
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(reference: Value) -> Request {
        let object = json!({"metadata": {"name": "a"}, "spec": {"instanceRef": {"name": "main"}, "templateRef": reference}});
        let (namespace, name) = ("n".to_owned(), "a".to_owned());
        Request { operation: AdmissionOperation::Create, subresource: false, namespace, name, object, old: Value::Null }
    }

    #[test]
    fn the_workflow_of_a_built_in_template_is_examined_like_a_definition() {
        let reference = json!({"kind": "BuiltinTemplate", "name": "status-endpoint", "inputs": {"path": "mine"}});
        let rendered = rendered(&request(reference), Catalog::embedded()).unwrap();
        let spec = &rendered.object["spec"];
        assert_eq!((&spec["templateRef"], &spec["definition"]["nodes"][0]["parameters"]["path"]), (&Value::Null, &json!("mine")));
        for other in [
            json!({"kind": "BuiltinTemplate", "name": "status-endpoint", "inputs": {"path": "not a path"}}),
            json!({"kind": "BuiltinTemplate", "name": "no-such"}),
            json!({"name": "status-endpoint"}),
            json!({"name": 1}),
        ] {
            assert!(super::rendered(&request(other.clone()), Catalog::embedded()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_template_with_errors_is_denied_with_their_places() {
        let object = |using: &str| {
            let nodes = json!([{"id": "n1", "use": "webhook", "as": "Hook", "set": {"path": using, "httpMethod": "GET"}}]);
            json!({"metadata": {"name": "a"}, "spec": {"title": "T", "category": "Development", "description": "d",
                "inputs": [{"name": "path", "description": "d", "required": true}],
                "compact": {"compact": 1, "name": "w", "nodes": nodes, "edges": []}}})
        };
        assert_eq!(review(&object("?path")).denied, None);
        let denied = review(&object("?pth")).denied.unwrap();
        assert!(denied.contains("compact.nodes[0].set.path") && denied.contains("did you mean \"path\"?"), "{denied}");
        assert!(review(&json!({"metadata": {"name": "a"}, "spec": {}})).denied.unwrap().contains("does not fit its kind"));
    }
}
