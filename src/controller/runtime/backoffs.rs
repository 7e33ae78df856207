//! Failures in a row of each object, and the delay until its next reconciliation that follows from them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::backoff;

/// Failures of all objects, by UID.
#[derive(Debug, Default)]
pub struct Backoffs {
    objects: Mutex<HashMap<String, Object>>,
}

#[derive(Debug, Default)]
struct Object {
    failures: u32,
    /// Successful reconciliations; they turn the jitter.
    successes: u64,
    /// Hash of the spec and annotations that were last reconciled.
    requested: Option<u64>,
}

impl Backoffs {
    /// Restarts the backoff when the spec or an annotation changed. Each change counts once, even while its status cannot be written and
    /// the object stays unobserved.
    pub fn restart_on_change(&self, uid: &str, requested: Option<u64>) {
        let mut objects = self.lock();
        let object = objects.entry(uid.to_owned()).or_default();
        if object.requested != requested {
            object.requested = requested;
            object.failures = 0;
        }
    }

    /// Counts one more failure and returns the delay until the next attempt.
    pub fn after_failure(&self, uid: &str) -> Duration {
        let mut objects = self.lock();
        let object = objects.entry(uid.to_owned()).or_default();
        object.failures = object.failures.saturating_add(1);
        backoff::pause(object.failures, uid)
    }

    /// Resets the failures and returns the jittered interval until the next reconciliation.
    pub fn after_success(&self, uid: &str, interval: Duration) -> Duration {
        let mut objects = self.lock();
        let object = objects.entry(uid.to_owned()).or_default();
        object.failures = 0;
        object.successes += 1;
        backoff::jittered(interval, uid, object.successes)
    }

    /// Returns the UIDs of objects whose last reconciliation failed.
    pub fn failing(&self) -> HashSet<String> {
        self.lock().iter().filter(|(_, object)| object.failures > 0).map(|(uid, _)| uid.clone()).collect()
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_with_failures_and_start_again_after_a_success_or_a_change() {
        let backoffs = Backoffs::default();
        backoffs.restart_on_change("a", Some(1));
        let first = backoffs.after_failure("a");
        let second = backoffs.after_failure("a");
        assert!(second > first);
        backoffs.restart_on_change("a", Some(1));
        assert!(backoffs.after_failure("a") > second, "the same change counts once");
        backoffs.restart_on_change("a", Some(2));
        assert_eq!(backoffs.after_failure("a"), first);
        assert_eq!(backoffs.failing(), HashSet::from(["a".to_owned()]));
        backoffs.after_success("a", Duration::from_secs(60));
        assert!(backoffs.failing().is_empty());
        assert_eq!(backoffs.after_failure("a"), first);
        backoffs.forget("a");
        assert!(backoffs.failing().is_empty());
    }
}
