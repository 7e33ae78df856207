//! Watches of namespaces that may have been deleted.

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Error, Event};
use kube::{Api, Client, Resource};
use tracing::warn;

/// Returns the events of the watch of one namespace. The Role of the operator goes with its namespace: while the namespace does not exist, a
/// refused list is an empty one, so that the objects of the other namespaces do not wait for it.
pub fn empty_while_absent<K>(
    events: impl Stream<Item = Result<Event<K>, Error>> + Send,
    client: Client,
    namespace: String,
) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Resource<DynamicType = ()> + Send + 'static,
{
    let namespaces = Api::<PartialObjectMeta<Namespace>>::all(client);
    let events = events.then(move |event| {
        let (namespaces, namespace) = (namespaces.clone(), namespace.clone());
        async move {
            match event {
                Err(error) if is_refused(&error) && matches!(namespaces.get_metadata_opt(&namespace).await, Ok(None)) => {
                    warn!(namespace, kind = %K::kind(&()), "the namespace does not exist; create it, or remove it from --watch-namespaces");
                    vec![Ok(Event::Init), Ok(Event::InitDone)]
                }
                event => vec![event],
            }
        }
    });
    events.flat_map(stream::iter)
}

/// Reports whether the operator has no right to list or to watch.
fn is_refused(error: &Error) -> bool {
    match error {
        Error::InitialListFailed(error) | Error::WatchStartFailed(error) => matches!(error, kube::Error::Api(status) if status.code == 403),
        _ => false,
    }
}
