//! A mutex for each key: whoever holds one key keeps nobody from another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Mutexes by key. They guard no data, so they may be held over requests.
#[derive(Debug, Default)]
pub struct KeyedMutex(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl KeyedMutex {
    /// Waits until nobody else holds the key.
    pub async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    fn of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, one| Arc::strong_count(one) > 1);
        all.entry(key.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_key_waits_and_keys_that_nobody_holds_are_forgotten() {
        let keys = KeyedMutex::default();
        let first = keys.lock("a").await;
        let other = keys.lock("b").await;
        let mut second = std::pin::pin!(keys.lock("a"));
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop((first, other));
        let second = second.await;
        let _last = keys.lock("c").await;
        drop(second);
        drop(keys.lock("c2").await);
        assert_eq!(keys.0.lock().unwrap().len(), 2, "the one that is held and the last one");
    }
}
