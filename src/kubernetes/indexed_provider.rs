//! A ModelProvider in memory. One that does not fit its kind is kept, too: its status says so, and nobody mistakes it for one that is absent.

use kube::Resource;
use kube::api::ObjectMeta;
use serde::Deserialize;

use super::indexed_metadata;
use super::indexed_policy::Readable;
use crate::api::condition::{ConditionStatus, ConditionType, find};
use crate::api::provider::{ModelProvider, ModelProviderSpec, ModelProviderStatus};

/// A ModelProvider.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = "ModelProvider")]
pub struct IndexedProvider {
    /// Metadata of the object.
    pub metadata: ObjectMeta,
    /// Its spec.
    #[serde(default)]
    pub spec: Readable<ModelProviderSpec>,
    #[serde(default)]
    status: Readable<ModelProviderStatus>,
}

impl IndexedProvider {
    /// Returns a provider that cannot be read at all.
    pub fn without_spec(metadata: ObjectMeta) -> Self {
        Self { metadata, spec: Readable(Err("the object does not fit its kind".to_owned())), status: Readable::default() }
    }

    /// Returns the object's namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the object's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Returns the object, or the reason why its spec cannot be read.
    pub fn object(&self) -> Result<ModelProvider, &str> {
        let spec = self.spec.0.as_ref().map_err(String::as_str)?.clone();
        Ok(ModelProvider { metadata: self.metadata.clone(), spec, status: self.status.0.as_ref().ok().cloned() })
    }

    /// Reports whether its condition Ready is True.
    pub fn is_ready(&self) -> bool {
        let conditions = self.status.0.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        find(conditions, ConditionType::Ready).is_some_and(|ready| ready.status == ConditionStatus::True)
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

    fn indexed(spec: serde_json::Value) -> IndexedProvider {
        let metadata = json!({ "name": "a", "namespace": "n", "annotations": { "weirkeeper.dev/reset-at": "1", "other": "x" } });
        let mut indexed: IndexedProvider = serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": {} })).unwrap();
        indexed.slim();
        indexed
    }

    #[test]
    fn a_spec_that_cannot_be_read_is_never_that_of_the_built_in_generator() {
        assert!(indexed(json!({ "type": "Builtin" })).object().is_ok());
        for spec in [json!({ "type": "Other" }), json!([]), json!(null)] {
            assert!(indexed(spec.clone()).object().is_err(), "{spec}");
        }
        assert!(IndexedProvider::without_spec(ObjectMeta::default()).object().is_err());
        let missing: IndexedProvider = serde_json::from_value(json!({ "metadata": { "name": "a" } })).unwrap();
        assert!(missing.object().is_err());
    }

    #[test]
    fn only_changes_by_others_than_the_operator_are_noticed() {
        let one = indexed(json!({}));
        let mut other = one.clone();
        other.status = Readable(Ok(ModelProviderStatus { observed_generation: 3, ..Default::default() }));
        assert_eq!(indexed_metadata::change_hash(&one), indexed_metadata::change_hash(&other));
        other.metadata.generation = Some(2);
        assert_ne!(indexed_metadata::change_hash(&one), indexed_metadata::change_hash(&other));
    }
}
