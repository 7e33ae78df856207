//! Credentials that are gone, and the Workflows that use those that are there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, future};
use tokio::sync::Notify;

use crate::controller::context::Context;
use crate::kubernetes::indexed_credential::IndexedCredential;
use crate::kubernetes::present::Present;

/// Changes of Workflows within this time cost one count.
const TOGETHER: Duration = Duration::from_secs(1);
/// Maximum number of users that is counted.
const MOST_USERS: i64 = 10_000;

/// Forgets credentials that are gone.
pub(crate) async fn following(ctx: Arc<Context>) {
    ctx.listed().await;
    let mut changes = std::pin::pin!(ctx.stores.credentials.follow());
    let mut present = Present::default();
    while let Some(event) = changes.next().await {
        for gone in event.iter().flat_map(|event| present.gone(event)) {
            ctx.forget_credential(&gone.extra.uid.unwrap_or_default());
        }
    }
    future::pending().await
}

/// Counts the Workflows of each credential again whenever Workflows changed: their number is in the status, and a deletion may wait for
/// them.
pub(crate) async fn keep_counts(ctx: Arc<Context>, changed: Arc<Notify>) {
    ctx.listed().await;
    loop {
        changed.notified().await;
        tokio::time::sleep(TOGETHER).await;
        let mut users = HashMap::<(String, String), i64>::new();
        for workflow in ctx.workflows.state() {
            let names: BTreeSet<&str> = workflow.credential_names().collect();
            for name in names {
                *users.entry((workflow.namespace().to_owned(), name.to_owned())).or_default() += 1;
            }
        }
        for credential in ctx.stores.credentials.store().state() {
            let counted = credential.status().and_then(|status| status.used_by);
            let now = users.get(&(credential.namespace().to_owned(), credential.name().to_owned())).copied().unwrap_or_default();
            if counted.is_some_and(|counted| counted != now.min(MOST_USERS)) {
                ctx.ask_credential(&credential);
            }
        }
    }
}

impl Context {
    /// Returns the number of Workflows that use a credential.
    pub fn users_of_credential(&self, namespace: &str, name: &str) -> i64 {
        let users = self.workflows.state_filter(|workflow| workflow.namespace() == namespace && workflow.uses_credential(name));
        i64::try_from(users.len()).unwrap_or(MOST_USERS).min(MOST_USERS)
    }

    /// Starts a reconciliation of the credentials of an instance that `wanted` selects.
    pub fn wake_credentials(&self, namespace: &str, name: &str, wanted: impl Fn(&IndexedCredential) -> bool) {
        let of_instance = |one: &IndexedCredential| one.instance() == Some((namespace, name)) && wanted(one);
        for credential in self.stores.credentials.store().state_filter(of_instance) {
            self.ask_credential(&credential);
        }
    }

    /// Starts a reconciliation of a credential.
    pub fn ask_credential(&self, credential: &IndexedCredential) {
        // The receiver only goes away with the operator.
        let _ = self.wake_credential.send(credential.object_ref());
    }

    /// Returns the credentials of an instance that are bound to a credential in n8n, or may be.
    pub fn bound_credentials(&self, namespace: &str, name: &str) -> Vec<Arc<IndexedCredential>> {
        let bound = |one: &IndexedCredential| {
            one.status().is_some_and(|status| status.n8n_credential_id.is_some() || status.creating_since.is_some())
        };
        self.stores.credentials.store().state_filter(|one| one.instance() == Some((namespace, name)) && bound(one))
    }

    /// Forgets a credential that is gone.
    pub fn forget_credential(&self, uid: &str) {
        self.count_credential(uid, None);
        self.credential_reservations.release(uid);
        self.forget_reconciled(uid);
    }
}
