//! A WorkflowPrompt in memory: metadata and references, never the prompt.

use kube::Resource;
use kube::api::ObjectMeta;
use serde::Deserialize;

use super::indexed_metadata;
use crate::api::prompt::WorkflowPrompt;

/// A WorkflowPrompt without its prompt.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = "WorkflowPrompt")]
pub struct IndexedPrompt {
    /// Metadata without the parts that only other tools read.
    pub metadata: ObjectMeta,
    /// References of the spec.
    #[serde(default)]
    pub spec: IndexedPromptSpec,
}

/// The references of a prompt's spec.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedPromptSpec {
    provider_ref: Option<Reference>,
    base_workflow_ref: Option<Reference>,
    instance_ref: Reference,
    workflow: Reference,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
struct Reference {
    name: Option<String>,
    namespace: Option<String>,
}

impl IndexedPrompt {
    /// Returns a prompt of which only the metadata can be read.
    pub fn without_references(metadata: ObjectMeta) -> Self {
        Self { metadata, spec: IndexedPromptSpec::default() }
    }

    /// Returns the object's namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the object's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Reports whether it refers to a ModelProvider.
    pub fn asks(&self, namespace: &str, name: &str) -> bool {
        self.spec.provider_ref.as_ref().is_some_and(|provider| self.refers(provider, namespace, name))
    }

    /// Reports whether it refers to an N8nInstance.
    pub fn runs_on(&self, namespace: &str, name: &str) -> bool {
        self.refers(&self.spec.instance_ref, namespace, name)
    }

    /// Reports whether it makes the Workflow of that name in its namespace, or changes its definition.
    pub fn concerns(&self, workflow: &str) -> bool {
        let base = self.spec.base_workflow_ref.as_ref().and_then(|base| base.name.as_deref());
        self.spec.workflow.name.as_deref().unwrap_or(self.name()) == workflow || base == Some(workflow)
    }

    fn refers(&self, reference: &Reference, namespace: &str, name: &str) -> bool {
        reference.name.as_deref() == Some(name) && reference.namespace.as_deref().unwrap_or(self.namespace()) == namespace
    }

    /// Drops the parts that only other tools read.
    pub fn slim(&mut self) {
        indexed_metadata::slim(&mut self.metadata);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn indexed(spec: serde_json::Value) -> IndexedPrompt {
        let metadata =
            json!({ "name": "p", "namespace": "n", "generation": 1, "annotations": { "weirkeeper.dev/answers": "{}", "other": "x" } });
        let mut indexed: IndexedPrompt = serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap();
        indexed.slim();
        indexed
    }

    #[test]
    fn references_are_found_and_the_prompt_is_not_kept() {
        let one =
            indexed(json!({ "prompt": "long", "instanceRef": { "name": "main", "namespace": "n8n" }, "providerRef": { "name": "models" },
            "baseWorkflowRef": { "name": "base" }, "workflow": { "name": "made" } }));
        assert!(one.asks("n", "models") && !one.asks("other", "models") && one.runs_on("n8n", "main") && !one.runs_on("n", "main"));
        assert!(one.concerns("made") && one.concerns("base") && !one.concerns("p"));
        assert!(indexed(json!({ "prompt": 7 })).concerns("p"));
        assert!(!format!("{one:?}").contains("long"));
    }

    #[test]
    fn an_answer_starts_a_reconciliation_and_a_foreign_annotation_does_not() {
        let (before, mut after) = (indexed(json!({})), indexed(json!({})));
        assert_eq!(indexed_metadata::change_hash(&before), indexed_metadata::change_hash(&after));
        after.metadata.annotations.as_mut().unwrap().insert("weirkeeper.dev/answers".into(), "{\"a\":\"b\"}".into());
        assert_ne!(indexed_metadata::change_hash(&before), indexed_metadata::change_hash(&after));
    }
}
