//! A WorkflowPolicy in memory. One whose rules cannot be read is kept, too: its rules must not be off because of that.

use std::sync::Arc;

use kube::Resource;
use kube::api::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::api::policy::{WorkflowPolicy, WorkflowPolicySpec, WorkflowPolicyStatus};
use crate::domain::policies::{BUILT_IN, Denial, applies, built_in, unreadable};
use crate::validator::policy::Policy;

/// A WorkflowPolicy.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = "WorkflowPolicy")]
pub struct IndexedPolicy {
    /// Metadata of the object.
    pub metadata: ObjectMeta,
    /// Its rules.
    #[serde(default)]
    pub spec: Readable<WorkflowPolicySpec>,
    /// Observed state of the object.
    #[serde(default, deserialize_with = "or_default")]
    pub status: WorkflowPolicyStatus,
}

/// A part of an object, or the reason why it cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Readable<T>(pub Result<T, String>);

impl<T> Default for Readable<T> {
    fn default() -> Self {
        Self(Err("it is missing".to_owned()))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Readable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        // A list would be taken for the fields in their order.
        if !value.is_object() {
            return Ok(Self(Err("it is no object".to_owned())));
        }
        Ok(Self(serde_json::from_value(value).map_err(|error| error.to_string())))
    }
}

fn or_default<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Readable::deserialize(deserializer)?.0.unwrap_or_default())
}

impl IndexedPolicy {
    /// Returns a policy that cannot be read at all.
    pub fn without_rules(metadata: ObjectMeta) -> Self {
        let spec = Readable(Err("the object does not fit its kind".to_owned()));
        Self { metadata, spec, status: WorkflowPolicyStatus::default() }
    }

    /// Returns the object's namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the object's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Returns the rules, if they can be read and apply to a definition that a language model made (`generated`) or not.
    pub fn rules(&self, generated: bool) -> Option<Policy<'_>> {
        let rules = self.spec.0.as_ref().ok().filter(|rules| applies(rules, generated))?;
        Some(Policy { name: self.name(), rules })
    }

    /// Returns the rules of policies for a definition that a language model made (`generated`) or not, together with built-in ones.
    pub fn rules_of<'a>(policies: &'a [Arc<Self>], generated: bool, built_in: Option<&'a WorkflowPolicySpec>) -> Vec<Policy<'a>> {
        let own = policies.iter().filter_map(|policy| policy.rules(generated));
        own.chain(built_in.map(|rules| Policy { name: BUILT_IN, rules })).collect()
    }

    /// Returns the built-in rules for a definition that a language model made (`generated`); None for another.
    pub fn built_in(policies: &[Arc<Self>], generated: bool) -> Option<WorkflowPolicySpec> {
        generated.then(|| built_in(policies.iter().filter_map(|policy| policy.spec.0.as_ref().ok())))
    }

    /// Returns the denial of everything by rules that cannot be read.
    pub fn unreadable(&self) -> Option<Denial> {
        self.spec.0.as_ref().err().map(|why| unreadable(self.name(), why))
    }

    /// Drops the parts that only other tools read.
    pub fn slim(&mut self) {
        self.metadata.managed_fields = None;
        self.metadata.annotations = None;
        self.metadata.labels = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_that_cannot_be_read_are_kept_with_the_reason() {
        let read = |spec: serde_json::Value| -> IndexedPolicy {
            serde_json::from_value(json!({ "metadata": { "name": "a", "namespace": "n" }, "spec": spec, "status": { "denied": "x" } }))
                .unwrap()
        };
        assert_eq!(read(json!({ "maximumNodes": 3 })).spec.0.unwrap().maximum_nodes, Some(3));
        let later = read(json!({ "maximumNodes": 3, "fromALaterVersion": true }));
        assert!(later.spec.0.as_ref().unwrap_err().contains("fromALaterVersion"), "{later:?}");
        assert!(read(json!([])).spec.0.is_err());
    }
}
