//! Remaining time for which a deletion may wait for n8n.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::ObjectMeta;

use super::context::Context;
use crate::domain::backoff;
use crate::http::boot_clock;

impl Context {
    /// Returns the remaining time for which n8n is tried, counted from the first call: before that, the deletion waited for something else.
    pub fn deletion_left_since_tried(&self, metadata: &ObjectMeta) -> Duration {
        let now = boot_clock();
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let tried = self.remember(uid, |memory| now.saturating_sub(*memory.deleting_since.get_or_insert(now)));
        self.settings.deletion_bound.saturating_sub(tried)
    }

    /// Returns the remaining time for which an object that is being deleted may wait for n8n.
    pub fn deletion_left(&self, metadata: &ObjectMeta) -> Duration {
        let since = metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let age = since.and_then(|since| Duration::try_from(Timestamp::now().duration_since(since)).ok()).unwrap_or_default();
        let now = boot_clock();
        let tried = self
            .remember(metadata.uid.as_deref().unwrap_or_default(), |memory| now.saturating_sub(*memory.deleting_since.get_or_insert(now)));
        backoff::deletion_left(self.settings.deletion_bound, age, tried)
    }
}
