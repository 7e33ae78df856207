//! Step 3, reads both: symbols of a version become ids of this instance.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::work::Work;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::controller::connections::{self, Connection};
use crate::document::definition::Definition;
use crate::domain::access::{Use, may_use};
use crate::domain::error::ReconcileError;
use crate::domain::reach::reach;
use crate::domain::remote::RemoteCredential;
use crate::domain::render::{CredentialSymbol, Means, Rendered, credential_symbols, resolve_references, workflow_symbols};
use crate::domain::ungranted_access::ungranted;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::objects;

/// How many Workflows may refer to each other in a row before it is taken for a ring.
const DEEPEST_CHAIN: usize = 64;

/// A version in this instance's ids, and what publication has to wait for.
pub(super) struct Resolved {
    pub(super) rendered: Rendered,
    pub(super) hold: Option<ReconcileError>,
}

/// Resolves every symbol of a version. A credential that cannot be resolved is left out and holds publication up; a
/// workflow that cannot be resolved stops the pass, for there is no id to write in its place.
pub(super) async fn resolve(
    work: &mut Work<'_>,
    connection: &Connection,
    definition: &Definition,
    name: &str,
    adopted: bool,
) -> Result<Resolved, ReconcileError> {
    let (credentials, missing) = credentials(work, connection, definition, adopted).await?;
    let (workflows, unpublished) = workflows(work, definition).await?;
    if !adopted {
        // What n8n itself held when it was adopted needs no grant.
        check_reach(work, connection, definition).await?;
    }
    let rendered = resolve_references(definition, name, &credentials, &workflows, &work.mark(), &work.status.written_settings);
    match &missing {
        Some(reconcile_error) => {
            work.set_condition(ConditionType::CredentialsReady, ConditionStatus::False, reconcile_error.reason, &reconcile_error.message)
        }
        None => work.set_condition(
            ConditionType::CredentialsReady,
            ConditionStatus::True,
            Reason::CredentialsMapped,
            credentials_summary(&rendered),
        ),
    }
    Ok(Resolved { rendered, hold: missing.or(unpublished) })
}

fn credentials_summary(rendered: &Rendered) -> String {
    match rendered.credentials.len() {
        0 => "the definition uses no credentials".to_owned(),
        count => format!("all {count} credentials are mapped"),
    }
}

type Exact = BTreeMap<CredentialSymbol, RemoteCredential>;

async fn credentials(
    work: &Work<'_>,
    connection: &Connection,
    definition: &Definition,
    adopted: bool,
) -> Result<(Exact, Option<ReconcileError>), ReconcileError> {
    let symbols = credential_symbols(definition);
    let read = |error| connections::reconcile_error(&error);
    let (mut exact, mut troubles) = (Exact::new(), Vec::new());
    if symbols.iter().any(|symbol| !matches!(symbol.means(), Means::Unmapped(_))) {
        let known = connection.credentials(false).await.map_err(read)?;
        (exact, troubles) = look_up(work, connection, &symbols, &known.items, adopted);
        if troubles.iter().any(|reconcile_error| reconcile_error.reason != Reason::CredentialUnmapped) {
            // A credential made a moment ago is not in the list that is kept for a minute.
            let known = connection.credentials(true).await.map_err(read)?;
            (exact, troubles) = look_up(work, connection, &symbols, &known.items, adopted);
        }
    } else if !symbols.is_empty() {
        (exact, troubles) = look_up(work, connection, &symbols, &[], adopted);
    }
    let summary = troubles.first().map(|first: &ReconcileError| {
        let mut messages: Vec<&str> = troubles.iter().map(|reconcile_error| reconcile_error.message.as_str()).collect();
        messages.truncate(8);
        ReconcileError { message: messages.join("; "), ..first.clone() }
    });
    Ok((exact, summary))
}

fn look_up(
    work: &Work<'_>,
    connection: &Connection,
    symbols: &BTreeSet<CredentialSymbol>,
    known: &[RemoteCredential],
    adopted: bool,
) -> (Exact, Vec<ReconcileError>) {
    let mut exact = Exact::new();
    let mut troubles = Vec::new();
    for symbol in symbols {
        match exact_one(work, connection, symbol, known, adopted) {
            Ok(credential) => drop(exact.insert(symbol.clone(), credential)),
            Err(reconcile_error) => troubles.push(reconcile_error),
        }
    }
    (exact, troubles)
}

fn exact_one(
    work: &Work<'_>,
    connection: &Connection,
    symbol: &CredentialSymbol,
    known: &[RemoteCredential],
    adopted: bool,
) -> Result<RemoteCredential, ReconcileError> {
    let kind = &symbol.kind;
    // What n8n itself held when it was adopted needs no grant; what it held later, and is kept, does.
    let adopted = adopted && !symbol.symbol.starts_with("weirkeeper:");
    let granted = |id: &str, name: &str| {
        adopted || may_use(&connection.instance.spec, &connection.namespace(), &work.namespace(), Use::Credential { id, name })
    };
    // Without a grant nobody learns whether there is such a credential.
    let usable = known.iter().filter(|one| &one.kind == kind && granted(&one.id, &one.name));
    let (word, what, same): (_, _, Vec<_>) = match symbol.means() {
        Means::Unmapped(name) => {
            return Err(ReconcileError::invalid(
                Reason::CredentialUnmapped,
                format!("credential {name:?} of type {kind} is not mapped; add it to spec.credentials with the existing one that it means"),
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
            format!(
                "the N8nInstance grants namespace {} no use of the {kind} credential with {what} that {} names; its owner can add it under spec.grants[].credentials",
                work.namespace(),
                if symbol.symbol.starts_with("weirkeeper:") { "spec.credentials" } else { "the kept version" },
            ),
        )),
        several => Err(ReconcileError::invalid(
            Reason::CredentialAmbiguous,
            format!("{} credentials of type {kind} have the {what}; map by id in spec.credentials", several.len()),
        )),
    }
}

/// The ids of the Workflows that a version refers to, and what waits for one that is not published.
async fn workflows(work: &Work<'_>, definition: &Definition) -> Result<(BTreeMap<String, String>, Option<ReconcileError>), ReconcileError> {
    let symbols = workflow_symbols(definition);
    let mut ids = BTreeMap::new();
    let mut unpublished = None;
    if symbols.is_empty() {
        return Ok((ids, unpublished));
    }
    check_ring(work).await?;
    for (name, must_be_published) in symbols {
        let child = read(work, &name).await?.ok_or_else(|| {
            ReconcileError::waiting(
                Reason::ReferenceNotFound,
                format!("Workflow {name}, which spec.references names, does not exist in this namespace"),
            )
        })?;
        let child = child.0.map_err(|unfit| {
            ReconcileError::waiting(
                Reason::UnreadableObject,
                format!("Workflow {name}, which spec.references names, does not fit its kind: {}; correct it there", unfit.why),
            )
        })?;
        if child.spec.instance_ref.name != work.spec().instance_ref.name
            || child.spec.instance_ref.namespace.clone().unwrap_or_else(|| work.namespace()) != work.instance_key().0
        {
            return Err(ReconcileError::invalid(
                Reason::ReferenceNotFound,
                format!("Workflow {name}, which spec.references names, is on another N8nInstance"),
            ));
        }
        let status = child.status.clone().unwrap_or_default();
        let id = status.n8n_workflow_id.ok_or_else(|| {
            ReconcileError::waiting(
                Reason::ReferenceNotPublished,
                format!("Workflow {name}, which this one calls, has no workflow in n8n yet"),
            )
        })?;
        if must_be_published && child.spec.active == Some(true) && status.published_at.is_none() {
            unpublished.get_or_insert(ReconcileError::waiting(
                Reason::ReferenceNotPublished,
                format!("Workflow {name}, which this one calls, is not published yet"),
            ));
        }
        if must_be_published && child.spec.active == Some(false) {
            unpublished.get_or_insert(ReconcileError::waiting(
                Reason::ReferenceNotPublished,
                format!(
                    "Workflow {name}, which this one calls, has spec.active: false; n8n publishes no caller of an unpublished workflow"
                ),
            ));
        }
        let own = work.status.n8n_workflow_id.as_ref();
        if status.callers.as_ref().is_some_and(|callers| own.is_none_or(|own| !callers.contains(own))) {
            work.ctx.wake_where(|indexed| indexed.namespace() == work.namespace() && indexed.name() == name.as_str());
            unpublished.get_or_insert(ReconcileError::waiting(
                Reason::ReferenceNotPublished,
                format!("Workflow {name}, which this one calls, does not let it do so in n8n yet"),
            ));
        }
        ids.insert(name, id);
    }
    Ok((ids, unpublished))
}

async fn read(work: &Work<'_>, name: &str) -> Result<Option<Decoded<Workflow>>, ReconcileError> {
    let found = objects::read_as(&work.ctx.client, Some(&work.namespace()), name).await;
    found.map_err(|error| objects::reconcile_error(&format!("read Workflow {name}"), &error))
}

/// Follows references from this object; coming back to it is a ring, in which none can be published first.
async fn check_ring(work: &Work<'_>) -> Result<(), ReconcileError> {
    let own = work.name();
    let names = |workflow: &Workflow| -> Vec<String> { workflow.spec.references.iter().map(|one| one.workflow_ref.name.clone()).collect() };
    let mut open: Vec<Vec<String>> = names(&work.workflow).into_iter().map(|name| vec![name]).collect();
    let mut seen = BTreeSet::new();
    while let Some(chain) = open.pop() {
        let Some(last) = chain.last().cloned() else { continue };
        if last == own {
            return Err(ReconcileError::invalid(
                Reason::ReferenceRing,
                format!("Workflows refer to each other in a ring: {own} -> {}; take one of the references out", chain.join(" -> ")),
            ));
        }
        if chain.len() > DEEPEST_CHAIN || !seen.insert(last.clone()) {
            continue;
        }
        // An object that does not fit its kind says so in its own condition, and goes nowhere before it is corrected.
        let next = read(work, &last).await?.and_then(|next| next.0.ok());
        for name in next.as_ref().map(names).unwrap_or_default() {
            open.push(chain.iter().cloned().chain([name]).collect());
        }
    }
    Ok(())
}

/// What a definition reaches past the mappings belongs to anybody on the instance, so it needs a grant.
async fn check_reach(work: &Work<'_>, connection: &Connection, definition: &Definition) -> Result<(), ReconcileError> {
    let (home, namespace) = (connection.namespace(), work.namespace());
    if home == namespace {
        return Ok(());
    }
    let held = work.ctx.catalogs.of(&connection.instance).await?;
    let found = reach(definition, held.catalog());
    let granted = |wanted: Use<'_>| may_use(&connection.instance.spec, &home, &namespace, wanted);
    // A grant may name a credential by its name, which only n8n knows for sure.
    let by_name = found.credentials.iter().any(|(id, _)| !granted(Use::Credential { id, name: id }));
    let known = match by_name {
        true => Some(connection.credentials(false).await.map_err(|error| connections::reconcile_error(&error))?),
        false => None,
    };
    let known = known.as_ref().map_or(&[][..], |list| &list.items);
    ungranted(&found, known, granted).map_or(Ok(()), Err)
}

/// Wakes the Workflows of the namespace that refer to this one.
pub(super) fn wake_callers(work: &Work<'_>) {
    let (namespace, name) = (work.workflow.namespace().unwrap_or_default(), work.name());
    work.ctx.wake_where(|indexed| indexed.namespace() == namespace && indexed.refers_to(&name));
}
