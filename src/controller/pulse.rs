//! Whether things move: liveness must not stay green when a watch hangs or no pass ends any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Notes signs of life.
#[derive(Clone, Debug)]
pub struct Pulse {
    started: Instant,
    inner: Arc<Signs>,
}

#[derive(Debug, Default)]
struct Signs {
    watched: AtomicU64,
    passed: AtomicU64,
    running: AtomicU64,
    synced: AtomicBool,
    leading: AtomicBool,
}

/// How long a watch may be silent: the API server ends a watch after five minutes at most, and a new one answers.
pub const WATCH_BOUND: Duration = Duration::from_secs(900);
/// How long passes may be under way without one of them ending.
pub const PASS_BOUND: Duration = Duration::from_secs(900);

impl Default for Pulse {
    fn default() -> Self {
        Self { started: Instant::now(), inner: Arc::default() }
    }
}

impl Pulse {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn since(&self, sign: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(sign.load(Ordering::Relaxed)))
    }

    /// A watch said something.
    pub fn watched(&self) {
        self.inner.watched.store(self.now(), Ordering::Relaxed);
    }

    /// A pass began.
    pub fn pass_began(&self) {
        if self.inner.running.fetch_add(1, Ordering::Relaxed) == 0 {
            self.inner.passed.store(self.now(), Ordering::Relaxed);
        }
    }

    /// A pass ended.
    pub fn pass_ended(&self) {
        self.inner.running.fetch_sub(1, Ordering::Relaxed);
        self.inner.passed.store(self.now(), Ordering::Relaxed);
    }

    /// Waits until no pass is under way.
    pub async fn idle(&self) {
        while self.inner.running.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The first lists are complete.
    pub fn synced(&self) {
        self.inner.synced.store(true, Ordering::Relaxed);
    }

    /// This replica holds the lease, or needs none.
    pub fn leads(&self) {
        self.inner.leading.store(true, Ordering::Relaxed);
        self.watched();
    }

    /// What is wrong with liveness, if something is.
    pub fn ailment(&self) -> Option<String> {
        if !self.inner.leading.load(Ordering::Relaxed) {
            return None;
        }
        let watch = self.since(&self.inner.watched);
        if watch > WATCH_BOUND {
            return Some(format!("no watch said anything for {} s", watch.as_secs()));
        }
        let pass = self.since(&self.inner.passed);
        (self.inner.running.load(Ordering::Relaxed) > 0 && pass > PASS_BOUND)
            .then(|| format!("passes are under way and none ended for {} s", pass.as_secs()))
    }

    /// What readiness waits for, if it waits.
    pub fn waiting_for(&self) -> Option<&'static str> {
        if !self.inner.leading.load(Ordering::Relaxed) {
            // A standby is ready: it can take over at any time.
            return None;
        }
        (!self.inner.synced.load(Ordering::Relaxed)).then_some("waiting for the first lists of Workflows and N8nInstances")
    }
}
