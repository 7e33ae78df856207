//! A WorkflowQuota in memory. One whose limits cannot be read is kept, too: they must not be off because of that.

use std::borrow::Cow;

use jiff::Timestamp;
use kube::Resource;
use kube::api::ObjectMeta;
use serde::Deserialize;

use super::indexed_policy::Readable;
use crate::api::quota::{QuotaLimits, QuotaResource, WorkflowQuota, WorkflowQuotaSpec, WorkflowQuotaStatus};
use crate::domain::quota::daily::{self, Use};
use crate::domain::quota::{Exceeded, unreadable};

/// A WorkflowQuota.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = "WorkflowQuota")]
pub struct IndexedQuota {
    /// Metadata of the object.
    pub metadata: ObjectMeta,
    /// Its limits.
    #[serde(default)]
    pub spec: Readable<WorkflowQuotaSpec>,
    #[serde(default)]
    status: Readable<WorkflowQuotaStatus>,
}

impl IndexedQuota {
    /// Returns a quota that cannot be read at all.
    pub fn without_limits(metadata: ObjectMeta) -> Self {
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

    /// Returns its name and limits, if they can be read.
    pub fn limits(&self) -> Option<(&str, &QuotaLimits)> {
        Some((self.name(), &self.spec.0.as_ref().ok()?.hard))
    }

    /// Returns the message about limits that cannot be read.
    pub fn unreadable(&self) -> Option<String> {
        self.spec.0.as_ref().err().map(|why| unreadable(self.name(), why))
    }

    /// Returns its observed state.
    pub fn status(&self) -> Cow<'_, WorkflowQuotaStatus> {
        self.status.0.as_ref().map_or_else(|_| Cow::Owned(WorkflowQuotaStatus::default()), Cow::Borrowed)
    }

    /// Returns the limit that keeps one more of a resource from being used today.
    pub fn used_up(&self, resource: QuotaResource, now: Timestamp) -> Option<Exceeded> {
        let (name, hard) = self.limits()?;
        let one = Use { resource, key: "", amount: 1 };
        daily::reserve(&mut self.status().into_owned(), (name, hard), one, now).err()
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
    fn limits_that_cannot_be_read_are_kept_with_the_reason() {
        let read = |hard: serde_json::Value| -> IndexedQuota {
            let object =
                json!({ "metadata": { "name": "a", "namespace": "n" }, "spec": { "hard": hard }, "status": { "day": "2026-11-29" } });
            serde_json::from_value(object).unwrap()
        };
        let quota = read(json!({ "workflows": 3 }));
        assert_eq!((quota.spec.0.as_ref().unwrap().hard.workflows, quota.status().day.as_deref()), (Some(3), Some("2026-11-29")));
        assert!(read(json!({ "callsPerDay": 3 })).spec.0.unwrap_err().contains("callsPerDay"));
        assert_eq!(IndexedQuota::without_limits(quota.metadata).status().observed_generation, -1);
    }
}
