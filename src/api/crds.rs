//! The CustomResourceDefinitions, as they are printed into `crds/` and the chart.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::instance::N8nInstance;
use super::workflow::Workflow;

/// Every kind's definition, in the order in which they are printed.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![finish(N8nInstance::crd()), finish(Workflow::crd())]
}

/// What the derive cannot say: a status that starts with `observedGeneration: -1`, so that kstatus never takes a
/// fresh object for a finished one.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let properties =
            version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()).and_then(|root| root.properties.as_mut());
        if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
            status.default = serde_json::from_str(r#"{"observedGeneration": -1}"#).ok();
        }
    }
    crd
}
