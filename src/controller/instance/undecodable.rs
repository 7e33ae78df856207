//! Deletion of instances that do not fit their kind: they are never reconciled, and must not stay for ever.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::ResourceExt;
use kube::api::ObjectMeta;
use kube::core::{PartialObjectMeta, PartialObjectMetaExt};
use kube::runtime::events::EventType;
use tracing::warn;

use super::finalizer::is_needed;
use crate::api::INSTANCE_FINALIZER;
use crate::api::instance::N8nInstance;
use crate::api::reason::Reason;
use crate::controller::context::Context;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::objects;

/// Removes the finalizers of such instances as they are seen.
pub async fn finalize_undecodable(ctx: Arc<Context>, undecodable: impl Stream<Item = ObjectMeta>) {
    ctx.listed().await;
    undecodable.for_each_concurrent(None, |metadata| finalize_one(&ctx, metadata)).await;
}

async fn finalize_one(ctx: &Context, metadata: ObjectMeta) {
    let (namespace, name) = (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default());
    if metadata.deletion_timestamp.is_none() {
        return;
    }
    loop {
        let pause = match objects::read_as::<N8nInstance>(&ctx.client, Some(&namespace), &name).await {
            Ok(None | Some(Decoded(Ok(_)))) => return,
            Ok(Some(Decoded(Err(object))))
                if object.metadata.uid != metadata.uid || !objects::has_finalizer(&object.metadata, INSTANCE_FINALIZER) =>
            {
                return;
            }
            Ok(Some(Decoded(Err(object)))) if is_needed(ctx, &object.metadata) => Duration::from_secs(1),
            Ok(Some(Decoded(Err(object)))) => {
                let bare = object.metadata.into_response_partial::<N8nInstance>();
                match objects::set_finalizer(&ctx.client, &bare, INSTANCE_FINALIZER, false).await {
                    Ok(Some(_)) => return report_finalized(ctx, &bare).await,
                    // Another process removed it first.
                    Ok(None) => return,
                    Err(failed) => warn!(error = %failed, "cannot remove the finalizer"),
                }
                Duration::from_secs(1)
            }
            Err(failed) => {
                warn!(error = %failed, "cannot read the N8nInstance");
                Duration::from_secs(5)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn report_finalized(ctx: &Context, instance: &PartialObjectMeta<N8nInstance>) {
    warn!(namespace = instance.namespace(), name = instance.name_any(), "N8nInstance does not fit its kind; its finalizer is removed");
    ctx.metrics.abandoned.inc();
    let note = "the object does not fit the kind N8nInstance; its finalizer is removed without a request to n8n";
    ctx.send_event(instance, EventType::Warning, Reason::CleanupAbandoned, note.to_owned()).await;
}
