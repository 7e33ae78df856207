//! The Kubernetes client: its writes wait for the lease, and events on its watches count for the liveness check.

use axum::body::{Bytes, HttpBody};
use axum::http::{Method, Request};
use futures::{StreamExt, stream};
use http_body_util::{BodyStream, StreamBody};
use kube::client::Body;

use crate::controller::Liveness;
use crate::http::LeaderFence;

/// Beginning of the event with which a watch reports an error.
const BROKE: &[u8] = b"{\"type\":\"ERROR\"";

/// Returns a client whose writes wait for the leader fence, and that reports events on its watches to the liveness check.
pub(super) fn client(config: kube::Config, fence: LeaderFence, liveness: Liveness) -> Result<kube::Client, kube::Error> {
    let namespace = config.default_namespace.clone();
    let client = kube::Client::try_from(config)?;
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, fence, liveness) = (client.clone(), fence.clone(), liveness.clone());
        async move {
            if !request.method().is_safe() {
                fence.wait_until_held().await;
            }
            let watched =
                (request.method() == Method::GET && liveness.watches(request.uri().path())).then(|| request.uri().path().to_owned());
            let response = client.send(request).await?;
            let watched = watched.filter(|_| response.status().is_success());
            Ok::<_, kube::Error>(response.map(|body| listened_to(body, watched, liveness)))
        }
    });
    Ok(kube::Client::new(service, namespace))
}

/// Wraps a body to record each event that arrives on a watch. On a quiet cluster only a bookmark now and then and the end of each watch
/// arrive. Errors do not count.
fn listened_to(body: Body, watched: Option<String>, liveness: Liveness) -> impl HttpBody<Data = Bytes, Error = kube::Error> {
    let listening = (BodyStream::new(body), watched, liveness, false);
    StreamBody::new(stream::unfold(listening, |(mut frames, watched, liveness, mut broke)| async move {
        let frame = frames.next().await;
        broke = match &frame {
            Some(Ok(frame)) => frame.data_ref().is_some_and(|data| data.starts_with(BROKE)),
            Some(Err(_)) => true,
            None => broke,
        };
        if let Some(path) = watched.as_ref().filter(|_| !broke) {
            liveness.record_activity(path);
        }
        Some((frame?, (frames, watched, liveness, broke)))
    }))
}
