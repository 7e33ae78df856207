//! Objects that do not fit their kind, by their metadata.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::Stream;
use kube::api::ObjectMeta;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::watched::received;

/// Objects that do not fit their kind, and their follower.
#[derive(Clone, Default)]
pub struct UndecodableObjects(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// By UID.
    objects: HashMap<String, ObjectMeta>,
    follower: Option<UnboundedSender<ObjectMeta>>,
}

impl UndecodableObjects {
    /// Records such an object, or that it is gone.
    pub(super) fn report(&self, metadata: ObjectMeta, deleted: bool) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = metadata.uid.clone().unwrap_or_default();
        if deleted {
            seen.objects.remove(&uid);
            return;
        }
        if let Some(follower) = &seen.follower {
            // The receiver only goes away with the process.
            let _ = follower.send(metadata.clone());
        }
        seen.objects.insert(uid, metadata);
    }

    /// Returns the objects that were seen, and then each change of one. There is one follower.
    pub fn follow(&self) -> impl Stream<Item = ObjectMeta> + Send + use<> {
        let (sender, receiver) = unbounded_channel();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for metadata in seen.objects.values() {
            // The receiver is still there.
            let _ = sender.send(metadata.clone());
        }
        seen.follower = Some(sender);
        received(receiver)
    }
}
