//! The finalizer of an N8nInstance: the connection stays usable while bound Workflows and N8nCredentials are being deleted, for a limited time.

use std::time::Duration;

use kube::Resource;
use kube::api::ObjectMeta;

use crate::api::INSTANCE_FINALIZER;
use crate::api::instance::N8nInstance;
use crate::api::reason::Reason;
use crate::controller::context::Context;
use crate::controller::runtime::reconcile::Ended;

/// Removes the finalizer once no Workflow or N8nCredential needs the connection.
pub(super) async fn remove(ctx: &Context, instance: &N8nInstance) -> Ended {
    if is_needed(ctx, instance.meta()) {
        return Ended::again_in(Reason::Deleting, Duration::from_secs(1));
    }
    ctx.end_deletion(instance, INSTANCE_FINALIZER, Reason::Cleaned, || ()).await
}

/// Reports whether Workflows and N8nCredentials that are being deleted still need the connection, and may still wait for it.
pub(super) fn is_needed(ctx: &Context, metadata: &ObjectMeta) -> bool {
    let (namespace, name) = (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default());
    let users = ctx.workflows_of(namespace, name);
    let workflows = users.iter().any(|indexed| indexed.deleting() && indexed.status.n8n_workflow_id.is_some());
    let credentials = || ctx.bound_credentials(namespace, name).iter().any(|credential| credential.deleting());
    !ctx.deletion_left(metadata).is_zero() && (workflows || credentials())
}
