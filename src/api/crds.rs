//! The CustomResourceDefinitions, as written to `crds/` and the chart.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::Value;

use super::VERSION;
use super::credential::N8nCredential;
use super::instance::N8nInstance;
use super::policy::WorkflowPolicy;
use super::prompt::WorkflowPrompt;
use super::provider::ModelProvider;
use super::quota::WorkflowQuota;
use super::template::WorkflowTemplate;
use super::workflow::Workflow;

/// Returns the definition of every kind, in the order in which they are printed.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        finish(N8nInstance::crd()),
        finish(N8nCredential::crd()),
        finish(Workflow::crd()),
        finish(WorkflowPolicy::crd()),
        finish(WorkflowQuota::crd()),
        finish(WorkflowPrompt::crd()),
        finish(ModelProvider::crd()),
        finish(WorkflowTemplate::crd()),
    ]
}

/// Returns the schema of a definition's version of the group, if it serves it.
pub fn schema(crd: &CustomResourceDefinition) -> Option<Value> {
    let version = crd.spec.versions.iter().find(|version| version.name == VERSION && version.served)?;
    serde_json::to_value(version.schema.as_ref()?.open_api_v3_schema.as_ref()?).ok()
}

/// Returns the schema of each kind.
pub fn schemas() -> BTreeMap<String, Value> {
    all().iter().filter_map(|crd| Some((crd.spec.names.kind.clone(), schema(crd)?))).collect()
}

/// Adds the parts that the derive cannot express. The status starts with `observedGeneration: -1`, so that kstatus never reports a fresh
/// object as current. Fields inside list items have no default: the API server would fill it in, and client-side apply and Argo CD replace
/// the whole list when an item differs from the manifest. The Rust types fill it in instead.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else { continue };
        drop_defaults_in_lists(root, false);
        if let Some(status) = root.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            status.default = serde_json::from_str(r#"{"observedGeneration": -1}"#).ok();
        }
    }
    crd
}

fn drop_defaults_in_lists(schema: &mut JSONSchemaProps, in_list: bool) {
    if in_list {
        schema.default = None;
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        drop_defaults_in_lists(property, in_list);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        drop_defaults_in_lists(values, in_list);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => drop_defaults_in_lists(items, true),
        Some(JSONSchemaPropsOrArray::Schemas(all)) => all.iter_mut().for_each(|items| drop_defaults_in_lists(items, true)),
        None => {}
    }
}
