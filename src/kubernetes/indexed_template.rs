//! A WorkflowTemplate in memory: its inputs and who may use it, without its workflow.

use kube::Resource;
use kube::api::ObjectMeta;
use serde::Deserialize;

use super::indexed_policy::Readable;
use crate::api::template::{WorkflowTemplate, WorkflowTemplateSpec, WorkflowTemplateStatus};
use crate::generation::template::digest;

/// A WorkflowTemplate without its workflow.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = "WorkflowTemplate")]
pub struct IndexedTemplate {
    /// Metadata of the object.
    pub metadata: ObjectMeta,
    /// The spec, without the parts that only people and a rendering need.
    #[serde(default)]
    pub spec: Readable<WorkflowTemplateSpec>,
    #[serde(default)]
    status: Readable<WorkflowTemplateStatus>,
    /// Digest of what workflows are made from.
    #[serde(skip)]
    pub digest: String,
}

impl IndexedTemplate {
    /// Returns a template of which only the metadata can be read.
    pub fn without_spec(metadata: ObjectMeta) -> Self {
        let spec = Readable(Err("the object does not fit its kind".to_owned()));
        Self { metadata, spec, status: Readable::default(), digest: String::new() }
    }

    /// Returns the object's namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the object's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Returns the number of Workflows that the status names.
    pub fn counted(&self) -> Option<i64> {
        self.status.0.as_ref().ok().map(|status| status.workflows)
    }

    /// Drops the parts that are not needed in memory, and keeps their digest.
    pub fn slim(&mut self) {
        self.metadata.managed_fields = None;
        self.metadata.annotations = None;
        let Ok(spec) = &mut self.spec.0 else { return };
        self.digest = digest(spec);
        (spec.definition, spec.compact) = (None, None);
        (spec.keywords, spec.phrases, spec.examples, spec.credentials) = Default::default();
        spec.description = String::new();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_in_memory_has_its_inputs_and_the_digest_of_the_whole() {
        let object = |title: &str, node: &str| {
            json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"title": title, "category": "Reporting", "description": "d",
                "inputs": [{"name": "x", "description": "d", "required": true}], "compact": {"nodes": [node]}}})
        };
        let slim = |title: &str, node: &str| {
            let mut template: IndexedTemplate = serde_json::from_value(object(title, node)).unwrap();
            template.slim();
            template
        };
        let one = slim("A", "x");
        let spec = one.spec.0.as_ref().unwrap();
        assert_eq!((spec.inputs.len(), &spec.compact), (1, &None));
        assert_eq!(one.digest, slim("B", "x").digest);
        assert_ne!(one.digest, slim("A", "y").digest);
        let odd: IndexedTemplate = serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"title": 1}})).unwrap();
        assert!(odd.spec.0.is_err());
    }
}
