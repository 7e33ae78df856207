//! Workflows follow the N8nCredentials that they name.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, future};
use kube::runtime::watcher::Event;

use super::context::Context;
use crate::domain::credential_ref::NamedCredential;
use crate::kubernetes::indexed_credential::IndexedCredential;

/// View of each N8nCredential by its Workflows, by namespace and name.
type Known = HashMap<(String, String), NamedCredential>;

/// Wakes the Workflows that name an N8nCredential when it appears, becomes ready, changes or goes, until the process ends.
pub(super) async fn follow(ctx: Arc<Context>) {
    ctx.listed().await;
    let wake = |(namespace, name): &(String, String)| {
        ctx.wake_where(|indexed| indexed.namespace() == namespace && indexed.uses_credential(name));
    };
    let (mut known, mut before) = (Known::new(), None::<Known>);
    let mut changes = std::pin::pin!(ctx.stores.credentials.follow());
    while let Some(event) = changes.next().await {
        match event {
            Ok(Event::Init) => before = Some(std::mem::take(&mut known)),
            Ok(Event::Apply(credential) | Event::InitApply(credential)) => {
                let (key, seen) = (key(&credential), credential.named());
                let earlier = known.insert(key.clone(), seen.clone()).or_else(|| before.as_ref()?.get(&key).cloned());
                if earlier != Some(seen) {
                    wake(&key);
                }
            }
            Ok(Event::Delete(credential)) => {
                known.remove(&key(&credential));
                wake(&key(&credential));
            }
            // One that was deleted while the watch was broken is only missing in the new list.
            Ok(Event::InitDone) => before.take().iter().flat_map(HashMap::keys).filter(|key| !known.contains_key(*key)).for_each(wake),
            Err(_) => {}
        }
    }
    // It ends with the watch, and reconciliations may still be running then.
    future::pending().await
}

fn key(credential: &IndexedCredential) -> (String, String) {
    (credential.namespace().to_owned(), credential.name().to_owned())
}
