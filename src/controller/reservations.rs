//! Reservations of workflows in n8n by objects of this process. The recorded ids say the same, but only after a write and a watch event;
//! two objects that adopt one workflow at the same moment do not see each other's.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An instance as namespace/name, and an id in its n8n.
type IdOfInstance = (String, String);

/// Workflows in n8n that were given to objects, by UID.
#[derive(Debug, Default)]
pub struct Reservations {
    given: Mutex<HashMap<IdOfInstance, String>>,
}

impl Reservations {
    fn lock(&self) -> MutexGuard<'_, HashMap<IdOfInstance, String>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a workflow to an object, in place of any other, unless another object has it. Returns whether the object has it now.
    pub fn take(&self, instance: &str, id: &str, uid: &str) -> bool {
        let place = (instance.to_owned(), id.to_owned());
        let mut given = self.lock();
        if given.get(&place).is_some_and(|holder| holder != uid) {
            return false;
        }
        given.retain(|_, holder| holder != uid);
        given.insert(place, uid.to_owned());
        true
    }

    /// Releases the workflow of an object.
    pub fn release(&self, uid: &str) {
        self.lock().retain(|_, holder| holder != uid);
    }

    /// Returns the UIDs of the objects that have a workflow.
    pub fn objects(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_is_reserved_until_it_is_released() {
        let reservations = Reservations::default();
        assert!(reservations.take("ops/main", "w", "one") && reservations.take("ops/main", "w", "one"));
        assert!(!reservations.take("ops/main", "w", "two"));
        assert!(reservations.take("ops/other", "w", "two"), "another n8n has ids of its own");
        reservations.release("one");
        assert!(reservations.take("ops/main", "w", "two"));
    }

    #[test]
    fn an_object_has_one_workflow() {
        let reservations = Reservations::default();
        assert!(reservations.take("ops/main", "v", "one") && reservations.take("ops/main", "w", "one"));
        assert!(reservations.take("ops/main", "v", "two"));
        let mut objects = reservations.objects();
        objects.sort_unstable();
        assert_eq!(objects, ["one", "two"]);
    }
}
