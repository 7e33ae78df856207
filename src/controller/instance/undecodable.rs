//! Instances that do not fit their kind: they are never reconciled. Their status says so, and they must not stay for ever when they are deleted.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::api::ObjectMeta;
use kube::core::PartialObjectMetaExt;
use kube::runtime::events::EventType;

use super::finalizer::is_needed;
use crate::api::INSTANCE_FINALIZER;
use crate::api::instance::N8nInstance;
use crate::api::reason::Reason;
use crate::controller::context::Context;
use crate::controller::runtime::latest;
use crate::controller::runtime::reconcile::Next;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::objects;

/// Reports on such instances as they are seen, and removes the finalizers of deleted ones.
pub async fn follow_undecodable(ctx: Arc<Context>, undecodable: impl Stream<Item = ObjectMeta>) {
    ctx.listed().await;
    undecodable.for_each_concurrent(None, |metadata| follow_one(&ctx, metadata)).await;
}

async fn follow_one(ctx: &Context, metadata: ObjectMeta) {
    let (namespace, name) = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
    loop {
        match latest::read::<N8nInstance>(&ctx.client, &namespace, &name).await {
            Ok(Decoded(Err(object))) if object.metadata.uid == metadata.uid => {
                if object.metadata.deletion_timestamp.is_none() {
                    ctx.report_unreadable::<N8nInstance>(&object).await;
                    return;
                }
                if !objects::has_finalizer(&object.metadata, INSTANCE_FINALIZER)
                    || (!is_needed(ctx, &object.metadata) && release(ctx, object.metadata).await)
                {
                    return;
                }
            }
            Err(ended) if ended.next != Next::OnChange => {}
            // It was corrected, or is gone.
            _ => return,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Removes the finalizer, and reports whether it is gone.
async fn release(ctx: &Context, metadata: ObjectMeta) -> bool {
    let bare = metadata.into_response_partial::<N8nInstance>();
    let ended = ctx.end_deletion(&bare, INSTANCE_FINALIZER, Reason::CleanupAbandoned, || ()).await;
    let released = ended.next == Next::OnChange;
    if released {
        let note = "the object does not fit the kind N8nInstance; its finalizer is removed without a request to n8n";
        ctx.send_event(&bare, EventType::Warning, Reason::CleanupAbandoned, note.to_owned()).await;
    }
    released
}
