//! Objects of one kind in memory, kept up to date by one watch, and their changes for those that follow them.
//!
//! The watch runs on every replica from its start, since admission is decided on all of them; controllers begin to follow when their replica
//! becomes the leader.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{Error, Event};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// The objects of one kind.
pub struct Watched<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    followers: Mutex<Vec<UnboundedSender<Change<K>>>>,
    synced: watch::Sender<bool>,
}

/// A change, as sent to followers.
enum Change<K> {
    /// A new list is complete.
    List(Vec<Arc<K>>),
    One(Event<K>),
}

impl<K: Resource<DynamicType = ()>> Clone for Watched<K> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), shared: self.shared.clone() }
    }
}

impl<K> Watched<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    /// Returns the objects of a watch, and the task that keeps them up to date.
    pub fn of(events: impl Stream<Item = Result<Event<K>, Error>> + Send + 'static) -> (Self, impl Future<Output = ()> + Send) {
        let (store, writer) = reflector::store();
        let shared = Arc::new(Shared { followers: Mutex::default(), synced: watch::Sender::new(false) });
        let watched = Self { store, shared };
        let publisher = watched.clone();
        let keeping = events.reflect(writer).for_each(move |event| {
            if let Ok(event) = event {
                publisher.publish(event);
            }
            std::future::ready(())
        });
        (watched, keeping)
    }

    /// Returns the objects.
    pub fn store(&self) -> &Store<K> {
        &self.store
    }

    /// Waits for the first complete list. kube's own wait of a store loses wake-ups with more than one waiter.
    pub async fn synced(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// Reports whether there was a complete list.
    pub fn is_synced(&self) -> bool {
        *self.shared.synced.borrow()
    }

    /// Returns all objects as a list, once there is one, and all changes from then on.
    pub fn follow(&self) -> impl Stream<Item = Result<Event<K>, Error>> + Send + use<K> {
        let (sender, receiver) = unbounded_channel();
        let mut followers = self.followers();
        if self.is_synced() {
            // The receiver is still there.
            let _ = sender.send(Change::List(self.store.state()));
        }
        followers.push(sender);
        received(receiver).flat_map(|change| match change {
            Change::One(event) => stream::once(std::future::ready(Ok(event))).left_stream(),
            Change::List(objects) => {
                let all = objects.into_iter().map(|object| Event::InitApply((*object).clone()));
                stream::iter(std::iter::once(Event::Init).chain(all).chain([Event::InitDone]).map(Ok)).right_stream()
            }
        })
    }

    /// Sends a change to all followers. Parts of a list are held back until it is complete.
    fn publish(&self, event: Event<K>) {
        let mut followers = self.followers();
        match event {
            Event::Init | Event::InitApply(_) => {}
            Event::InitDone => {
                self.shared.synced.send_replace(true);
                followers.retain(|follower| follower.send(Change::List(self.store.state())).is_ok());
            }
            Event::Apply(_) | Event::Delete(_) => followers.retain(|follower| follower.send(Change::One(event.clone())).is_ok()),
        }
    }

    fn followers(&self) -> std::sync::MutexGuard<'_, Vec<UnboundedSender<Change<K>>>> {
        self.shared.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the messages of a channel as a stream.
pub fn received<T: Send + 'static>(receiver: UnboundedReceiver<T>) -> impl Stream<Item = T> + Send {
    stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(name: &str) -> ConfigMap {
        let metadata = ObjectMeta { name: Some(name.to_owned()), namespace: Some("n".to_owned()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    /// Returns the changes that a follower has received by now.
    fn seen(follower: &mut (impl Stream<Item = Result<Event<ConfigMap>, Error>> + Unpin)) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(Some(event)) = follower.next().now_or_never() {
            seen.push(match event.unwrap() {
                Event::Init => "list".to_owned(),
                Event::InitApply(object) => format!("with {}", object.name_any()),
                Event::InitDone => "complete".to_owned(),
                Event::Apply(object) => format!("changed {}", object.name_any()),
                Event::Delete(object) => format!("deleted {}", object.name_any()),
            });
        }
        seen
    }

    #[tokio::test]
    async fn who_follows_late_gets_the_list_first_and_no_half_of_one() {
        let (events, source) = unbounded_channel();
        let (watched, keeping) = Watched::of(received(source));
        let keeping = tokio::spawn(keeping);
        let mut early = Box::pin(watched.follow());
        for event in [Event::Init, Event::InitApply(object("a"))] {
            events.send(Ok(event)).unwrap();
        }
        assert!(watched.synced().now_or_never().is_none());
        let mut between = Box::pin(watched.follow());
        for event in [Event::InitApply(object("b")), Event::InitDone] {
            events.send(Ok(event)).unwrap();
        }
        watched.synced().await;
        for follower in [&mut early, &mut between] {
            let mut all = seen(follower);
            all[1..3].sort();
            assert_eq!(all, ["list", "with a", "with b", "complete"]);
        }
        let mut late = Box::pin(watched.follow());
        events.send(Ok(Event::Delete(object("a")))).unwrap();
        events.send(Ok(Event::Apply(object("c")))).unwrap();
        drop(events);
        keeping.await.unwrap();
        let mut all = seen(&mut late);
        all[1..3].sort();
        assert_eq!(all, ["list", "with a", "with b", "complete", "deleted a", "changed c"]);
        assert_eq!(seen(&mut early), ["deleted a", "changed c"]);
        assert_eq!(watched.store().len(), 2);
    }
}
