//! The object as it is now, and its end.

use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::{Client, Resource};
use tracing::warn;

use super::reconcile::Ended;
use crate::api::reason::Reason;
use crate::kubernetes::decoded::{Decode, Decoded};
use crate::kubernetes::objects;

/// Reads an object, because the store lags behind. Returns how the reconciliation ends if there is none.
pub async fn read<K>(client: &Client, namespace: &str, name: &str) -> Result<Decoded<K>, Ended>
where
    K: Decode + Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match objects::read_as::<K>(client, Some(namespace), name).await {
        Ok(Some(read)) => Ok(read),
        // The watch reports the deletion soon.
        Ok(None) => Err(Ended::for_good(Reason::Cleaned)),
        Err(error) => {
            warn!(%error, kind = %K::kind(&()), "cannot read the object");
            Err(Ended::failed(Reason::RequestFailed))
        }
    }
}

/// Returns how a reconciliation ends whose status could not be written.
pub fn unwritten(error: &kube::Error) -> Ended {
    if objects::is_gone(error) {
        return Ended::for_good(Reason::Cleaned);
    }
    // Another writer was first.
    if objects::is_conflict(error) {
        return Ended::again_in(Reason::Progressing, Duration::from_millis(100));
    }
    warn!(%error, "cannot write the status");
    Ended::failed(Reason::RequestFailed)
}
