//! Dependencies of a Workflow beyond the object itself that decide about its definition: policies, grants and credentials. A digest of them in
//! the status shows after a restart that none changed while no operator ran, so that a listing of n8n is enough to confirm the Workflow.

use std::fmt::Write as _;
use std::sync::Arc;

use super::credentials::{CredentialScope, id_of};
use super::policy::versions_of;
use super::reconciliation::Reconciliation;
use crate::api::instance::Grant;
use crate::controller::connections::{CREDENTIALS_FRESH_FOR, Connection};
use crate::controller::context::Context;
use crate::domain::remote::RemoteCredential;
use crate::domain::render::{CredentialSymbol, mapped_symbol};
use crate::n8n::List;
use crate::text::sha256::sha256_hex;

/// Number of digits of the digest.
const DIGITS: usize = 16;

/// Facts about an instance that its Workflows have in common.
pub(super) struct InstanceFacts {
    credentials: Option<Arc<List<RemoteCredential>>>,
    /// Id of the catalogue, which tells what a node type reaches.
    catalog: Option<String>,
}

impl InstanceFacts {
    /// Reads the facts that are needed: the credentials, and the catalogue for Workflows of other namespaces. Facts that cannot be read are
    /// unknown.
    pub(super) async fn read(ctx: &Context, connection: &Connection, credentials: bool, catalog: bool) -> Self {
        let credentials = if credentials { connection.credentials(CREDENTIALS_FRESH_FOR).await.ok() } else { None };
        let catalog = if catalog { ctx.catalogs.of(&connection.instance).await.ok() } else { None };
        let catalog = catalog.map(|loaded| format!("{} {:?}", loaded.id, loaded.catalog().index().n8n));
        Self { credentials, catalog }
    }
}

/// Records the digest in the status of a Workflow that is in order.
pub(super) async fn record(rec: &mut Reconciliation<'_>, connection: &Connection) {
    let named = rec.status.required_credentials.iter().filter(|one| !one.name.is_empty());
    let symbols: Option<Vec<_>> = named.map(|one| mapped_symbol(&rec.spec().credentials, &one.kind, &one.name)).collect();
    let namespace = rec.namespace();
    let scope = CredentialScope { ctx: rec.ctx, connection, namespace: &namespace };
    let uses_some = symbols.as_ref().is_some_and(|symbols| !symbols.is_empty());
    let facts = InstanceFacts::read(rec.ctx, connection, uses_some, is_foreign(scope)).await;
    let digest = symbols.and_then(|symbols| digest(scope, &symbols, &facts));
    // Where something is not certain, the next start reconciles the Workflow.
    rec.status.record_dependency_digest(digest.unwrap_or_default());
}

/// Reports whether the instance is in another namespace, whose grants decide what the Workflow may use.
pub(super) fn is_foreign(scope: CredentialScope<'_>) -> bool {
    scope.connection.namespace() != scope.namespace
}

/// Returns the digest for a Workflow that uses these credentials; `Some(None)` if nothing else decides, and None if that is not certain.
pub(super) fn digest(scope: CredentialScope<'_>, symbols: &[CredentialSymbol], facts: &InstanceFacts) -> Option<Option<String>> {
    let mut dependencies = String::new();
    let policies = scope.ctx.stores.policies_of(scope.namespace);
    if !policies.is_empty() {
        write!(dependencies, "policies {:?}", versions_of(&policies)).ok()?;
    }
    if is_foreign(scope) {
        let concerns = |grant: &&Grant| grant.namespaces.iter().any(|one| one == "*" || one == scope.namespace);
        let grants: Vec<&Grant> = scope.connection.instance.spec.grants.iter().filter(concerns).collect();
        write!(dependencies, "grants {} catalog {}", serde_json::to_string(&grants).ok()?, facts.catalog.as_ref()?).ok()?;
    }
    let known = facts.credentials.as_ref().map(|list| list.items.as_slice());
    for symbol in symbols {
        write!(dependencies, "credential {:?} is {}", symbol, id_of(scope, symbol, known?)?).ok()?;
    }
    Some((!dependencies.is_empty()).then(|| sha256_hex(dependencies)[..DIGITS].to_owned()))
}
