//! The state that a watcher sees: which Workflows of a namespace are Ready, at which generation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::harness::world::{World, ready};

/// Workflows as a watcher sees them.
pub struct Progress {
    state: Arc<State>,
    watching: AbortHandle,
}

#[derive(Default)]
struct State {
    // Name to the generation that is Ready.
    ready: Mutex<HashMap<String, i64>>,
    moved: Notify,
}

impl Progress {
    /// Watches the Workflows of a world.
    pub fn of(world: &World) -> Self {
        let state = Arc::<State>::default();
        let seen = state.clone();
        let events = watcher(world.api("Workflow"), watcher::Config::default().page_size(250)).default_backoff().applied_objects();
        let watching = tokio::spawn(async move {
            let noted = events.try_for_each(|object| {
                let (name, generation) = (object.name_any(), object.metadata.generation.unwrap_or(0));
                let value: Value = serde_json::to_value(&object).expect("an object is JSON");
                if ready(&value) {
                    seen.ready.lock().unwrap().insert(name, generation);
                    seen.moved.notify_waiters();
                }
                futures::future::ready(Ok(()))
            });
            noted.await.expect("the watch goes on");
        });
        Self { state, watching: watching.abort_handle() }
    }

    /// Waits until every one of these is Ready at its generation or a later one.
    pub async fn until_ready(&self, wanted: &HashMap<String, i64>, patience: Duration) {
        let (started, mut message) = (Instant::now(), Instant::now());
        loop {
            let moved = self.state.moved.notified();
            let missing = {
                let ready = self.state.ready.lock().unwrap();
                wanted.iter().filter(|(name, generation)| ready.get(*name).is_none_or(|ready| ready < generation)).count()
            };
            if missing == 0 {
                return;
            }
            assert!(started.elapsed() < patience, "{missing} of {} workflows are not Ready after {patience:?}", wanted.len());
            if message.elapsed() > Duration::from_secs(15) {
                eprintln!("  … {missing} of {} to go", wanted.len());
                message = Instant::now();
            }
            let _ = tokio::time::timeout(Duration::from_secs(1), moved).await;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
