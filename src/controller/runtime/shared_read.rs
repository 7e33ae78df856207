//! A read that many share: its last result is there for all, and no lock on it is held while something is read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The last result of a read.
#[derive(Debug)]
pub struct SharedRead<T, E> {
    tickets: AtomicU64,
    /// Orders the reads: whoever waits for it shares the next one.
    turn: tokio::sync::Mutex<()>,
    last: Mutex<Option<Last<T, E>>>,
}

#[derive(Debug)]
struct Last<T, E> {
    began: Instant,
    /// Tickets up to this one were taken before the read began.
    covers: u64,
    result: Result<Arc<T>, E>,
}

impl<T, E> Default for SharedRead<T, E> {
    fn default() -> Self {
        Self { tickets: AtomicU64::default(), turn: tokio::sync::Mutex::default(), last: Mutex::default() }
    }
}

impl<T, E: Clone> SharedRead<T, E> {
    fn last(&self) -> MutexGuard<'_, Option<Last<T, E>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the result of a read that began after this call; callers that come while one is running share the next one.
    pub async fn read(&self, read: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        let ticket = self.tickets.fetch_add(1, Ordering::SeqCst) + 1;
        let _turn = self.turn.lock().await;
        if let Some(last) = self.last().as_ref().filter(|last| last.covers >= ticket) {
            return last.result.clone();
        }
        self.read_beside(read).await
    }

    /// Reads without waiting for a read that is running, and keeps the result for others.
    pub async fn read_beside(&self, read: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        let (began, covers) = (Instant::now(), self.tickets.load(Ordering::SeqCst));
        let result = read.await.map(Arc::new);
        let mut last = self.last();
        if last.as_ref().is_none_or(|last| last.began < began) {
            *last = Some(Last { began, covers, result: result.clone() });
        }
        result
    }

    /// Returns the last result if its read began within this time.
    pub fn recent(&self, within: Duration) -> Option<Arc<T>> {
        self.last().as_ref().filter(|last| last.began.elapsed() < within).and_then(|last| last.result.as_ref().ok().cloned())
    }

    /// Drops a result that is too old for anybody.
    pub fn expire(&self, after: Duration) {
        self.last().take_if(|last| last.began.elapsed() > after);
    }
}
