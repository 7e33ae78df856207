//! Watches that are not stopped by objects that do not fit their kind.

use std::fmt::Debug;

use futures::{Stream, StreamExt, future};
use kube::api::ObjectMeta;
use kube::runtime::watcher::{Error, Event};
use tracing::warn;

use super::decoded::{Decode, Decoded};

/// Returns the events of a watch. An object that does not fit its kind is replaced by the result of `instead` for its metadata, if there
/// is one; the second argument is true if the object was deleted.
pub fn decodable<K>(
    events: impl Stream<Item = Result<Event<Decoded<K>>, Error>> + Send,
    instead: impl Fn(ObjectMeta, bool) -> Option<K> + Send,
) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Decode + Clone + Debug + Send + 'static,
{
    events.filter_map(move |event| {
        let decoded = |decoded: Decoded<K>, deleted: bool| match decoded.0 {
            Ok(object) => Some(object),
            Err(undecodable) => {
                let (kind, metadata) = (K::kind(&()), undecodable.metadata);
                warn!(%kind, name = metadata.name, namespace = metadata.namespace, "object does not fit its kind");
                instead(metadata, deleted)
            }
        };
        future::ready(match event {
            Ok(Event::Apply(object)) => decoded(object, false).map(|object| Ok(Event::Apply(object))),
            Ok(Event::InitApply(object)) => decoded(object, false).map(|object| Ok(Event::InitApply(object))),
            Ok(Event::Delete(object)) => decoded(object, true).map(|object| Ok(Event::Delete(object))),
            Ok(Event::Init) => Some(Ok(Event::Init)),
            Ok(Event::InitDone) => Some(Ok(Event::InitDone)),
            Err(error) => {
                warn!(%error, kind = %K::kind(&()), "watch failed; restarting");
                Some(Err(error))
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::instance::N8nInstance;
    use futures::stream;
    use kube::ResourceExt;
    use serde_json::{Value, json};

    fn decoded(spec: Value) -> Decoded<N8nInstance> {
        let object = json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "a" }, "spec": spec });
        serde_json::from_value(object).unwrap()
    }

    #[tokio::test]
    async fn the_deletion_of_an_object_that_does_not_fit_is_reported_as_that_of_the_last_that_did() {
        let spec = json!({ "url": "https://n8n.example", "apiKeySecretRef": { "name": "a" } });
        let last = decoded(spec.clone()).0.unwrap();
        let undecodable = || decoded(json!({ "url": 7 }));
        let events =
            [Event::Apply(decoded(spec)), Event::Apply(undecodable()), Event::InitApply(undecodable()), Event::Delete(undecodable())];
        let seen = decodable(stream::iter(events.map(Ok)), |_, deleted| deleted.then(|| last.clone()));
        let seen: Vec<String> = seen
            .map(|event| match event.unwrap() {
                Event::Apply(object) => format!("apply {}", object.name_any()),
                Event::Delete(object) => format!("delete {}", object.name_any()),
                other => format!("{other:?}"),
            })
            .collect()
            .await;
        assert_eq!(seen, ["apply a", "delete a"]);
    }
}
