//! Resource versions of the Secrets that credentials were made from, to notice changes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Namespace and name of a Secret.
pub type SecretName = (String, String);

/// Resource versions of the Secrets that credentials were last made from; None for a Secret that did not exist.
#[derive(Debug, Default)]
pub struct SecretVersions {
    read: Mutex<HashMap<SecretName, Option<String>>>,
}

impl SecretVersions {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SecretName, Option<String>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the version that a reconciliation read.
    pub fn note(&self, namespace: &str, name: &str, version: Option<String>) {
        self.lock().insert((namespace.to_owned(), name.to_owned()), version);
    }

    /// Reports whether a version differs from the one that was read last, and notes it. A Secret that was never read concerns nobody.
    pub fn differs(&self, secret: &SecretName, version: Option<String>) -> bool {
        match self.lock().get_mut(secret) {
            Some(known) if *known != version => {
                *known = version;
                true
            }
            _ => false,
        }
    }

    /// Forgets the versions of Secrets that nobody names any more.
    pub fn retain(&self, kept: impl Fn(&SecretName) -> bool) {
        self.lock().retain(|secret, _| kept(secret));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_deleted_and_a_created_secret_are_noticed_once() {
        let versions = SecretVersions::default();
        let secret = ("n".to_owned(), "s".to_owned());
        let version = |text: &str| Some(text.to_owned());
        assert!(!versions.differs(&secret, version("1")), "nobody has read it");
        versions.note("n", "s", version("1"));
        assert!(!versions.differs(&secret, version("1")));
        for changed in [version("2"), None, version("3")] {
            assert!(versions.differs(&secret, changed.clone()));
            assert!(!versions.differs(&secret, changed));
        }
        versions.retain(|_| false);
        assert!(!versions.differs(&secret, version("4")));
    }
}
