//! Part of step 3, reads both: the credentials of a version on this instance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::ResourceExt;

use super::reconciliation::Reconciliation;
use crate::api::reason::Reason;
use crate::api::required_credential::CredentialState;
use crate::controller::connections::{Connection, credentials_fresh_for};
use crate::controller::context::Context;
use crate::document::definition::Definition;
use crate::domain::access::{Use, may_use, no_credential};
use crate::domain::credential::mark::CredentialMark;
use crate::domain::credential_ref::{CredentialUse, use_of};
use crate::domain::error::ReconcileError;
use crate::domain::remote::{RemoteCredential, RemoteWorkflow};
use crate::domain::render::{CredentialSymbol, Means, ResolvedCredential, credential_symbols};

/// Maximum number of messages in the error about several credentials.
const MOST_MESSAGES: usize = 8;

/// The credentials of a version.
pub(super) type Credentials = BTreeMap<CredentialSymbol, ResolvedCredential>;

/// Error about a credential.
pub(super) struct Lack {
    pub(super) error: ReconcileError,
    /// False if publication does not wait for it.
    holds: bool,
}

/// Errors about the credentials of a version.
#[derive(Default)]
pub(super) struct Lacks {
    /// The error with all of them, for people.
    pub(super) all: Option<ReconcileError>,
    /// The reason why publication waits, if it does.
    pub(super) hold: Option<ReconcileError>,
}

/// Credentials as far as one list of n8n's tells.
#[derive(Default)]
struct Found {
    credentials: Credentials,
    lacks: Vec<Lack>,
    /// Set if one may be missing only because the list is too old.
    outdated: bool,
}

/// Returns the credentials of a version, and what is wrong with them. `served` has the ids of the credentials that the published version uses.
pub(super) async fn of_version(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
    adopted: bool,
    served: &BTreeSet<String>,
) -> Result<(Credentials, Lacks), ReconcileError> {
    let (credentials, lacks) = look_up(rec, connection, definition, adopted, served).await?;
    let summary = |counts: &dyn Fn(&Lack) -> bool| {
        let all: Vec<&ReconcileError> = lacks.iter().filter(|lack| counts(lack)).map(|lack| &lack.error).collect();
        let first = (*all.first()?).clone();
        let messages: Vec<&str> = all.iter().take(MOST_MESSAGES).map(|error| error.message.as_str()).collect();
        Some(ReconcileError { message: messages.join("; "), ..first })
    };
    let lacks = Lacks { all: summary(&|_| true), hold: summary(&|lack| lack.holds) };
    Ok((credentials, lacks))
}

/// Returns the ids of the credentials that the published version of a workflow uses.
pub(super) fn served(remote: &RemoteWorkflow) -> BTreeSet<String> {
    let nodes = remote.active_version.iter().filter(|_| remote.active).flat_map(|version| &version.nodes);
    let used = nodes.flat_map(|node| node["credentials"].as_object().into_iter().flatten());
    used.filter_map(|(_, entry)| entry["id"].as_str().map(str::to_owned)).collect()
}

/// Returns the credentials of a version, and the errors about those that cannot be used.
pub(super) async fn look_up(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
    adopted: bool,
    served: &BTreeSet<String>,
) -> Result<(Credentials, Vec<Lack>), ReconcileError> {
    let (symbols, namespace) = (credential_symbols(definition), rec.namespace());
    let scope = CredentialScope { ctx: rec.ctx, connection, namespace: &namespace };
    let mut found = Found::default();
    if symbols.iter().all(|symbol| matches!(symbol.means(), Means::Unmapped(_))) {
        found = find(scope, &symbols, &[], (adopted, served));
    } else {
        for max_age in [credentials_fresh_for(rec.spec().interval.get()), Duration::ZERO] {
            let known = connection.credentials(max_age).await?;
            found = find(scope, &symbols, &known.items, (adopted, served));
            if !found.outdated {
                break;
            }
        }
    }
    Ok((found.credentials, found.lacks))
}

/// Namespace and instance of a Workflow, which decide what its symbols mean.
#[derive(Clone, Copy)]
pub(super) struct CredentialScope<'a> {
    pub(super) ctx: &'a Context,
    pub(super) connection: &'a Connection,
    pub(super) namespace: &'a str,
}

/// Returns the id in n8n of the credential that a symbol names, if publication does not wait for it.
pub(super) fn id_of(scope: CredentialScope<'_>, symbol: &CredentialSymbol, known: &[RemoteCredential]) -> Option<String> {
    let remote = match symbol.means() {
        Means::Ref(name) => {
            let (resolved, wait) = named(scope, &symbol.kind, name, known, &mut false);
            resolved.remote.filter(|_| wait.is_none())?
        }
        _ => existing(scope, symbol, known, false).ok()?,
    };
    Some(remote.id)
}

fn find(
    scope: CredentialScope<'_>,
    symbols: &BTreeSet<CredentialSymbol>,
    known: &[RemoteCredential],
    (adopted, served): (bool, &BTreeSet<String>),
) -> Found {
    let mut found = Found::default();
    for symbol in symbols {
        let (resolved, lack) = match symbol.means() {
            Means::Ref(name) => {
                let (resolved, error) = named(scope, &symbol.kind, name, known, &mut found.outdated);
                // A failing test of one that the published version uses already: waiting would save nothing, and may keep back the cure.
                let is_served = resolved.remote.as_ref().is_some_and(|remote| served.contains(&remote.id));
                let holds = resolved.state != CredentialState::Invalid || !is_served;
                (resolved, error.map(|error| Lack { error, holds }))
            }
            _ => match existing(scope, symbol, known, adopted) {
                Ok(remote) => (ResolvedCredential { remote: Some(remote), state: CredentialState::Satisfied }, None),
                Err(error) => {
                    found.outdated |= error.reason != Reason::CredentialUnmapped;
                    (ResolvedCredential { remote: None, state: CredentialState::Missing }, Some(Lack { error, holds: true }))
                }
            },
        };
        found.credentials.insert(symbol.clone(), resolved);
        found.lacks.extend(lack);
    }
    found
}

/// Returns the credential of an N8nCredential of the namespace, and what publication would wait for.
fn named(
    CredentialScope { ctx, connection, namespace }: CredentialScope<'_>,
    kind: &str,
    name: &str,
    known: &[RemoteCredential],
    outdated: &mut bool,
) -> (ResolvedCredential, Option<ReconcileError>) {
    let found = ctx.named_credential(namespace, name);
    let instance = (connection.namespace(), connection.instance.name_any());
    let CredentialUse { state, id, wait } = use_of(name, Some(kind), (&instance.0, &instance.1), found.as_ref());
    // A status could be forged; the name in n8n tells whose the credential is.
    let mark = found.as_ref().map(|found| CredentialMark::of(&ctx.cluster, &found.uid, namespace, name));
    let is_its_own = |one: &&RemoteCredential| one.kind == kind && CredentialMark::in_name(&one.name) == mark;
    let remote = id.and_then(|id| known.iter().find(|one| one.id == id)).filter(is_its_own).cloned();
    if let (Some(id), None) = (id, &remote) {
        *outdated = true;
        let lost = || {
            let message = format!(
                "n8n has no credential {id} of type {kind} with the mark of N8nCredential {name} in its name; see `kubectl describe n8ncredential {name}`"
            );
            ReconcileError::waiting(Reason::CredentialNotReady, message)
        };
        return (ResolvedCredential { remote, state: CredentialState::Missing }, Some(wait.unwrap_or_else(lost)));
    }
    (ResolvedCredential { remote, state }, wait)
}

/// Returns the existing credential of the instance that a symbol names.
fn existing(
    CredentialScope { connection, namespace, .. }: CredentialScope<'_>,
    symbol: &CredentialSymbol,
    known: &[RemoteCredential],
    adopted: bool,
) -> Result<RemoteCredential, ReconcileError> {
    let kind = &symbol.kind;
    // Content that n8n held when it was adopted needs no grant; content stored from n8n later does.
    let adopted = adopted && !symbol.symbol.starts_with("weirkeeper:");
    let granted = |id: &str, name: &str| {
        adopted || may_use(&connection.instance.spec, &connection.namespace(), namespace, Use::Credential { id, name })
    };
    // Without a grant, the error does not disclose whether the credential exists.
    let usable = known.iter().filter(|one| &one.kind == kind && granted(&one.id, &one.name));
    let (word, what, same): (_, _, Vec<_>) = match symbol.means() {
        Means::Unmapped(name) | Means::Ref(name) => {
            return Err(ReconcileError::invalid(
                Reason::CredentialUnmapped,
                format!(
                    "credential {name:?} of type {kind} is not mapped; map it in spec.credentials to an N8nCredential (`weirkeeper credentials FILE` writes its manifest) or to an existing credential"
                ),
            ));
        }
        Means::Id(id) => (id, format!("id {id}"), usable.filter(|one| one.id == id).collect()),
        Means::Name(name) => (name, format!("name {name:?}"), usable.filter(|one| one.name == name).collect()),
    };
    match same.as_slice() {
        [only] => Ok((*only).clone()),
        [] if granted(word, word) => {
            Err(ReconcileError::waiting(Reason::CredentialNotFound, format!("the instance has no credential of type {kind} with {what}")))
        }
        [] => Err(ReconcileError::denied(
            Reason::CredentialNotGranted,
            no_credential(
                namespace,
                Some(kind),
                &what,
                if symbol.symbol.starts_with("weirkeeper:") { "spec.credentials" } else { "the kept version" },
            ),
        )),
        several => Err(ReconcileError::invalid(
            Reason::CredentialAmbiguous,
            format!("{} credentials of type {kind} have the {what}; map by id in spec.credentials", several.len()),
        )),
    }
}
