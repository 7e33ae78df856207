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
use crate::controller::secret_versions::Place;
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
    let (mut due, mut turn) = (HashMap::<Place, Instant>::new(), 0);
    loop {
        tokio::time::sleep(TICK).await;
        turn += 1;
        let now = Instant::now();
        // Most ticks have nothing to do but this.
        let named = named(&ctx);
        due.retain(|place, _| named.contains(place));
        ctx.secret_versions.retain(|place| named.contains(place));
        let mut late = Vec::new();
        for place in named {
            match due.get_mut(&place) {
                // The first reads are spread over the period.
                None => drop(due.insert(place.clone(), now + PERIOD.mul_f64(fraction(&place.1, 0)))),
                Some(at) if *at <= now => {
                    *at = now + jittered(PERIOD, &place.1, turn);
                    late.push(place);
                }
                Some(_) => {}
            }
        }
        stream::iter(late).for_each_concurrent(CONCURRENT, |place| look(&ctx, place)).await;
    }
}

/// Returns the Secrets that credentials name.
fn named(ctx: &Context) -> HashSet<Place> {
    let mut named = HashSet::new();
    for credential in ctx.stores.credentials.store().state() {
        for secret in credential.spec.0.iter().filter(|_| !credential.deleting()).flat_map(|spec| &spec.secrets) {
            named.insert((credential.namespace().to_owned(), secret.clone()));
        }
    }
    named
}

async fn look(ctx: &Context, place: Place) {
    let (namespace, name) = (&place.0, &place.1);
    let version = match objects::metadata::<Secret>(&ctx.client, namespace, name).await {
        Ok(found) => found.and_then(|metadata| metadata.resource_version),
        Err(error) => {
            debug!(%error, namespace, "cannot read the metadata of a Secret");
            return;
        }
    };
    if ctx.secret_versions.differs(&place, version) {
        let users = ctx.stores.credentials.store().state_filter(|credential| credential.namespace() == namespace && credential.reads(name));
        for credential in users {
            ctx.ask_credential(&credential);
        }
    }
}
