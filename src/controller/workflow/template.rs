//! Step 1 for `spec.templateRef`, reads Kubernetes: finds the template, and renders it with the inputs of the object.

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::reflector::ObjectRef;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::reconciliation::Reconciliation;
use crate::api::instance::AllowedFrom;
use crate::api::reason::Reason;
use crate::api::template::{WorkflowTemplate, WorkflowTemplateSpec};
use crate::api::template_ref::{TemplatePolicy, TemplateRef, TemplateUse};
use crate::api::workflow_status::VersionSource;
use crate::document::definition::Definition;
use crate::document::finding::{Finding, summarise};
use crate::domain::access::may_refer;
use crate::domain::error::ReconcileError;
use crate::domain::history::revision_name;
use crate::generation::template::{Missing, digest, pinned_versions, render, templates};
use crate::kubernetes::catalogs::LoadedCatalog;
use crate::kubernetes::{objects, revisions};

/// Maximum size of a rendered workflow, in bytes of JSON: as for a definition in a ConfigMap.
const LARGEST: usize = 1_100_000;
/// Maximum length of the findings in a condition.
const FINDINGS_CHARS: usize = 1_500;

/// A workflow that was made from a template.
pub(super) struct Made {
    pub(super) definition: Definition,
    /// SHA-256 of the definition.
    pub(super) text: [u8; 32],
    pub(super) warnings: Vec<Finding>,
}

/// Renders the template that the object refers to, and records in the status which one that is.
pub(super) async fn load(rec: &mut Reconciliation<'_>, reference: &TemplateRef) -> Result<Made, ReconcileError> {
    let loaded = catalog(rec).await?;
    let catalog = loaded.as_ref().map_or_else(|| crate::catalog::Catalog::embedded(), LoadedCatalog::catalog);
    let pinned = reference.policy == TemplatePolicy::Pin;
    let stored = if pinned { snapshot(rec, reference).await? } else { None };
    let (spec, used) = match stored {
        Some(stored) => stored,
        None => {
            let mut spec = current(rec, reference).await?;
            let digest = digest(&spec);
            if pinned {
                spec = pinned_versions(&spec, catalog).map_err(|findings| invalid(reference, &findings))?;
            }
            let used = TemplateUse {
                kind: reference.kind,
                name: reference.name.clone(),
                namespace: reference.home(&rec.namespace()).map(str::to_owned),
                digest,
                revision: None,
            };
            (spec, used)
        }
    };
    let inputs = reference.inputs.clone().into_iter().collect();
    let mut rendered = render(&spec, &inputs, Missing::Refuse, catalog).map_err(|findings| invalid(reference, &findings))?;
    // Each Workflow gets ids of its own.
    rendered.definition.without_ids();
    let text = serde_json::to_string(&rendered.definition).unwrap_or_default();
    if text.len() > LARGEST {
        let message = format!("the workflow that {} gives has {} bytes and may have {LARGEST}", reference.name, text.len());
        return Err(ReconcileError::invalid(Reason::TooLarge, message));
    }
    let used = if pinned && used.revision.is_none() { keep(rec, &spec, used).await? } else { used };
    rec.use_template(Some(used));
    Ok(Made { definition: rendered.definition, text: Sha256::digest(&text).into(), warnings: rendered.findings })
}

/// Returns the catalogue of the object's instance; None if the instance is not known.
async fn catalog(rec: &Reconciliation<'_>) -> Result<Option<LoadedCatalog>, ReconcileError> {
    let (namespace, name) = rec.instance_key();
    match rec.ctx.instance(&namespace, &name) {
        Some(instance) => rec.ctx.catalogs.of(&instance).await.map(Some),
        None => Ok(None),
    }
}

/// Returns the error about inputs that do not fit, or about a template that is not usable.
fn invalid(reference: &TemplateRef, findings: &[Finding]) -> ReconcileError {
    let of_inputs = findings.iter().any(|finding| finding.path.starts_with("inputs"));
    let (reason, place) = match of_inputs {
        true => (Reason::TemplateInputsInvalid, "spec.templateRef".to_owned()),
        false => (Reason::TemplateInvalid, format!("template {}", reference.name)),
    };
    ReconcileError::invalid(reason, format!("{place}: {}", summarise(findings, FINDINGS_CHARS)))
}

/// Returns the template as it is now.
async fn current(rec: &Reconciliation<'_>, reference: &TemplateRef) -> Result<WorkflowTemplateSpec, ReconcileError> {
    let own = rec.namespace();
    let name = &reference.name;
    let Some(home) = reference.home(&own) else {
        let found = templates().iter().find(|template| template.name == *name).map(|template| template.spec.clone());
        return found.ok_or_else(|| missing_builtin(name));
    };
    // Users without access to a template do not learn that it exists.
    let missing = || ReconcileError::waiting(Reason::TemplateNotFound, not_found(name, home, &own));
    let found = objects::get::<WorkflowTemplate>(&rec.ctx.client, Some(home), name).await;
    let unread = |error: kube::Error| objects::reconcile_error_elsewhere("read the WorkflowTemplate", &error);
    let spec = found.map_err(unread)?.ok_or_else(missing)?.spec;
    let labels = match spec.allowed_namespaces.from {
        AllowedFrom::Selector if home != own => namespace_labels(rec, &own).await?,
        _ => Default::default(),
    };
    if may_refer(&spec.allowed_namespaces, home, &own, &labels) { Ok(spec) } else { Err(missing()) }
}

fn missing_builtin(name: &str) -> ReconcileError {
    let nearest = crate::text::similar::nearest(name, templates().iter().map(|template| template.name.as_str()));
    let meant = nearest.map_or_else(String::new, |name| format!(" (did you mean {name}?)"));
    let message = format!("this version of the operator has no template {name}{meant}; `weirkeeper template list` lists those that it has");
    ReconcileError::waiting(Reason::TemplateNotFound, message)
}

/// Returns the message about a template that a namespace cannot use.
fn not_found(name: &str, home: &str, own: &str) -> String {
    match home == own {
        true => format!("WorkflowTemplate {name}, which spec.templateRef names, does not exist in this namespace"),
        false => format!("WorkflowTemplate {name} does not exist in namespace {home} or does not allow namespace {own}"),
    }
}

async fn namespace_labels(rec: &Reconciliation<'_>, namespace: &str) -> Result<std::collections::BTreeMap<String, String>, ReconcileError> {
    let known = rec.ctx.stores.namespaces.store().get(&ObjectRef::new(namespace));
    if let Some(known) = known {
        return Ok(known.metadata.labels.clone().unwrap_or_default());
    }
    let found = objects::get::<Namespace>(&rec.ctx.client, None, namespace).await;
    let found = found.map_err(|error| objects::reconcile_error("read the namespace", &error))?;
    Ok(found.and_then(|namespace| namespace.metadata.labels).unwrap_or_default())
}

/// Returns the template that is stored for this object, if it is the one that it refers to.
async fn snapshot(
    rec: &Reconciliation<'_>,
    reference: &TemplateRef,
) -> Result<Option<(WorkflowTemplateSpec, TemplateUse)>, ReconcileError> {
    let used = rec.status.template.clone().filter(|used| used.is_of(reference, &rec.namespace()));
    let Some((used, revision)) = used.and_then(|used| Some((used.clone(), used.revision?))) else { return Ok(None) };
    let data = revisions::read(&rec.ctx.client, &rec.namespace(), &revision, &rec.uid()).await;
    let data = data.map_err(|error| objects::reconcile_error("read the stored template", &error))?;
    let stored = data.and_then(|mut data| serde_json::from_value::<WorkflowTemplateSpec>(data["template"].take()).ok());
    Ok(stored.map(|spec| (spec, used)))
}

/// Stores a template for this object.
async fn keep(rec: &Reconciliation<'_>, spec: &WorkflowTemplateSpec, used: TemplateUse) -> Result<TemplateUse, ReconcileError> {
    let name = revision_name(&format!("{}-template", rec.name()), &used.digest);
    let data: Value = json!({ "template": spec });
    let kept = revisions::keep(&rec.ctx.client, &rec.workflow, &name, (0, VersionSource::Template), data).await;
    if kept.map_err(|error| objects::reconcile_error("store the template", &error))? {
        rec.ctx.metrics.writes.with_label_values(&["ControllerRevision"]).inc();
    }
    Ok(TemplateUse { revision: Some(name), ..used })
}
