//! Liveness: it must not stay green when a watch hangs or reconciliations never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Records signs of progress.
#[derive(Clone, Debug)]
pub struct Liveness {
    started: Instant,
    bound: Duration,
    inner: Arc<Signs>,
}

#[derive(Debug)]
struct Signs {
    watches: Vec<Watch>,
    passed: AtomicU64,
    running: TaskTracker,
    synced: AtomicBool,
    leading: AtomicBool,
}

/// A watch by the path that is listed and watched, and when the API server last sent something on it.
#[derive(Debug)]
struct Watch {
    path: String,
    /// Set if only the leader watches it.
    leader: bool,
    last_activity: AtomicU64,
}

/// Maximum duration of a watch; the API server is asked to end it then, so that the connection is known to work.
const LONGEST_WATCH: Duration = Duration::from_secs(290);

impl Liveness {
    /// Returns the liveness of the watches of every replica and of those of the leader, by path. `bound` limits how long a watch may be
    /// silent, and how long reconciliations may run without one of them ending.
    pub fn new(bound: Duration, every: Vec<String>, leader: Vec<String>) -> Self {
        let of =
            |paths: Vec<String>, leader| paths.into_iter().map(move |path| Watch { path, leader, last_activity: AtomicU64::default() });
        let watches = of(every, false).chain(of(leader, true)).collect();
        let signs = Signs {
            watches,
            passed: AtomicU64::default(),
            running: TaskTracker::new(),
            synced: AtomicBool::default(),
            leading: AtomicBool::default(),
        };
        Self { started: Instant::now(), bound, inner: Arc::new(signs) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn since(&self, sign: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(sign.load(Ordering::Relaxed)))
    }

    /// Returns the timeout of a watch in seconds. It fits several times into the bound: on a quiet cluster only the end of a watch and an
    /// occasional bookmark show that it works.
    pub fn watch_seconds(&self) -> u32 {
        u32::try_from((self.bound / 3).clamp(Duration::from_secs(1), LONGEST_WATCH).as_secs()).unwrap_or(1)
    }

    /// Reports whether a path is watched.
    pub fn watches(&self, path: &str) -> bool {
        self.inner.watches.iter().any(|watch| watch.path == path)
    }

    /// Records that the API server sent something on a watch, or on the list before it.
    pub fn record_activity(&self, path: &str) {
        if let Some(watch) = self.inner.watches.iter().find(|watch| watch.path == path) {
            watch.last_activity.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Returns a token that counts a reconciliation as running until it is dropped.
    pub fn reconciliation(&self) -> Running {
        if self.inner.running.is_empty() {
            self.inner.passed.store(self.now(), Ordering::Relaxed);
        }
        Running { liveness: self.clone(), _token: self.inner.running.token() }
    }

    /// Waits until no reconciliation is running.
    pub async fn idle(&self) {
        self.inner.running.close();
        self.inner.running.wait().await;
    }

    /// Records that the caches are synced.
    pub fn synced(&self) {
        self.inner.synced.store(true, Ordering::Relaxed);
    }

    /// Records whether this replica leads, or needs no lease.
    pub fn set_leading(&self, leads: bool) {
        for watch in self.inner.watches.iter().filter(|watch| watch.leader) {
            watch.last_activity.store(self.now(), Ordering::Relaxed);
        }
        self.inner.leading.store(leads, Ordering::Relaxed);
    }

    /// Returns why liveness fails; None if it does not.
    pub fn liveness_error(&self) -> Option<String> {
        let leading = self.inner.leading.load(Ordering::Relaxed);
        let silent = self
            .inner
            .watches
            .iter()
            .filter(|watch| leading || !watch.leader)
            .map(|watch| (self.since(&watch.last_activity), &watch.path))
            .max();
        if let Some((silence, path)) = silent.filter(|(silence, _)| *silence > self.bound) {
            return Some(format!("the watch of {path} received nothing for {} s", silence.as_secs()));
        }
        let pass = self.since(&self.inner.passed);
        (!self.inner.running.is_empty() && pass > self.bound)
            .then(|| format!("reconciliations are running and none ended for {} s", pass.as_secs()))
    }

    /// Returns what readiness waits for; None if it is ready.
    pub fn waiting_for(&self) -> Option<&'static str> {
        (!self.inner.synced.load(Ordering::Relaxed))
            .then_some("waiting for the caches of Workflows, N8nInstances and WorkflowPolicies to sync")
    }
}

/// A running reconciliation.
#[derive(Debug)]
pub struct Running {
    liveness: Liveness,
    _token: TaskTrackerToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.liveness.inner.passed.store(self.liveness.now(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_watch_must_show_progress() {
        let paths = ["/apis/weirkeeper.dev/v1alpha1/workflows", "/api/v1/configmaps"];
        let [every, leader] = paths.map(|path| vec![path.to_owned()]);
        let liveness = Liveness::new(Duration::from_millis(1), every, leader);
        assert_eq!(liveness.liveness_error(), None);
        std::thread::sleep(Duration::from_millis(2));
        liveness.record_activity(paths[0]);
        assert_eq!(liveness.liveness_error(), None, "a standby does not watch ConfigMaps");
        liveness.set_leading(true);
        std::thread::sleep(Duration::from_millis(2));
        liveness.record_activity("/api/v1/configmaps");
        liveness.record_activity("/api/v1/secrets");
        assert!(
            liveness.liveness_error().is_some_and(|message| message.contains("/apis/weirkeeper.dev/v1alpha1/")),
            "{:?}",
            liveness.liveness_error()
        );
        assert!(liveness.watches("/api/v1/configmaps") && !liveness.watches("/api/v1/namespaces/a/configmaps"));
    }

    #[tokio::test]
    async fn a_reconciliation_that_is_dropped_or_ends_runs_no_longer() {
        let liveness = Liveness::new(Duration::ZERO, Vec::new(), Vec::new());
        liveness.set_leading(true);
        let (ending, dropped) = (liveness.reconciliation(), liveness.reconciliation());
        let idle = liveness.idle();
        let mut idle = std::pin::pin!(idle);
        assert!(futures::poll!(idle.as_mut()).is_pending());
        std::thread::sleep(Duration::from_millis(2));
        assert!(liveness.liveness_error().is_some_and(|said| said.contains("none ended")));
        drop(ending);
        assert!(futures::poll!(idle.as_mut()).is_pending());
        let task = tokio::spawn(async move {
            let _running = dropped;
            std::future::pending::<()>().await;
        });
        task.abort();
        idle.await;
        assert_eq!(liveness.liveness_error(), None);
    }

    #[test]
    fn a_watch_ends_several_times_within_the_bound() {
        let seconds = [15, 60, 900, 7200].map(|bound| Liveness::new(Duration::from_secs(bound), Vec::new(), Vec::new()).watch_seconds());
        assert_eq!(seconds, [5, 20, 290, 290]);
    }
}
