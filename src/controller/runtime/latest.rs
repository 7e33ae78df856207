//! The head of every reconciliation: the object as it is now, with the finalizer.

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

/// Returns how a reconciliation ends that could not add the finalizer.
pub fn without_finalizer(error: &kube::Error) -> Ended {
    if objects::is_gone(error) || objects::is_conflict(error) {
        return Ended::again_in(Reason::Progressing, std::time::Duration::from_millis(50));
    }
    warn!(%error, "cannot add the finalizer");
    Ended::failed(Reason::RequestFailed)
}

/// Returns how a reconciliation ends whose status could not be written.
pub fn unwritten(error: &kube::Error) -> Ended {
    if objects::is_gone(error) {
        return Ended::for_good(Reason::Cleaned);
    }
    warn!(%error, "cannot write the status");
    Ended::failed(Reason::RequestFailed)
}
