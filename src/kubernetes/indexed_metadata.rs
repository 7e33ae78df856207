//! Metadata of objects in memory: the parts that are kept, and those whose change starts a reconciliation.

use std::hash::{DefaultHasher, Hash, Hasher};

use kube::Resource;
use kube::api::ObjectMeta;

use crate::domain::annotations::is_ours;

/// Drops the parts that only other tools read: client-side apply keeps a second copy of the whole object in an annotation.
pub fn slim(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.labels = None;
    metadata.owner_references = None;
    if let Some(annotations) = &mut metadata.annotations {
        // Misspelt annotations are kept: they are reported.
        annotations.retain(|key, _| is_ours(key));
    }
}

/// Returns a hash of the parts that a reconciliation reacts to. The status is left out, so that the operator's own writes start nothing, and so
/// are finalizers: the reconciliation that adds its own goes on to the end, and a second one after it would only repeat the same requests.
pub fn change_hash<K: Resource<DynamicType = ()>>(object: &K) -> Option<u64> {
    let metadata = object.meta();
    // Misspelt annotations are included: they are reported.
    let annotations: Vec<_> = metadata.annotations.iter().flatten().filter(|(key, _)| is_ours(key)).collect();
    let mut hasher = DefaultHasher::new();
    (&metadata.uid, metadata.generation, annotations, metadata.deletion_timestamp.is_some()).hash(&mut hasher);
    Some(hasher.finish())
}
