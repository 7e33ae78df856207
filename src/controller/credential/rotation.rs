//! Notices changed Secrets. They are neither listed nor watched, because RBAC cannot restrict that to metadata: whoever may watch Secrets may read
//! all of them. Instead the metadata of each Secret that a credential names is read again and again, each within a minute
//! (docs/decisions/0034-secrets-are-read-again.md).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use tracing::debug;

use crate::controller::context::Context;
use crate::controller::secret_versions::SecretName;
use crate::domain::backoff::{fraction, jittered};
use crate::kubernetes::objects;

/// Time after which a Secret is looked at again, with a jitter of a tenth: a change is in n8n within a minute.
const PERIOD: Duration = Duration::from_secs(40);
/// Time between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);
/// Maximum number of concurrent reads.
const CONCURRENT: usize = 16;

/// Reads the metadata of the Secrets that credentials name, and wakes the credentials whose Secret changed, until the process ends.
pub(crate) async fn follow_secrets(ctx: Arc<Context>) {
    ctx.listed().await;
    let (mut due, mut turn) = (HashMap::<SecretName, Instant>::new(), 0);
    loop {
        tokio::time::sleep(TICK).await;
        turn += 1;
        let now = Instant::now();
        // Most ticks have nothing to do but this.
        let named = named(&ctx);
        due.retain(|secret, _| named.contains(secret));
        ctx.secret_versions.retain(|secret| named.contains(secret));
        let mut late = Vec::new();
        for secret in named {
            match due.get_mut(&secret) {
                // The first reads are spread over the period.
                None => drop(due.insert(secret.clone(), now + PERIOD.mul_f64(fraction(&secret.1, 0)))),
                Some(at) if *at <= now => {
                    *at = now + jittered(PERIOD, &secret.1, turn);
                    late.push(secret);
                }
                Some(_) => {}
            }
        }
        stream::iter(late).for_each_concurrent(CONCURRENT, |secret| check_secret(&ctx, secret)).await;
    }
}

/// Returns the Secrets that credentials name.
fn named(ctx: &Context) -> HashSet<SecretName> {
    let mut named = HashSet::new();
    for credential in ctx.stores.credentials.store().state() {
        for secret in credential.spec.0.iter().filter(|_| !credential.deleting()).flat_map(|spec| &spec.secrets) {
            named.insert((credential.namespace().to_owned(), secret.clone()));
        }
    }
    named
}

async fn check_secret(ctx: &Context, secret: SecretName) {
    let (namespace, name) = (&secret.0, &secret.1);
    let version = match objects::metadata::<Secret>(&ctx.client, namespace, name).await {
        Ok(found) => found.and_then(|metadata| metadata.resource_version),
        Err(error) => {
            debug!(%error, namespace, "cannot read the metadata of a Secret");
            return;
        }
    };
    if ctx.secret_versions.differs(&secret, version) {
        let users = ctx.stores.credentials.store().state_filter(|credential| credential.namespace() == namespace && credential.reads(name));
        for credential in users {
            ctx.ask_credential(&credential);
        }
    }
}
