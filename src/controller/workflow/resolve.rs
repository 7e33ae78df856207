//! Step 3, reads both: resolves the symbols of a version to ids of this instance.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::credentials;
use super::reconciliation::Reconciliation;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::{Class, Reason};
use crate::api::workflow::Workflow;
use crate::controller::connections::{Connection, credentials_fresh_for};
use crate::document::definition::Definition;
use crate::domain::access::{Use, may_use};
use crate::domain::error::ReconcileError;
use crate::domain::reach::reach;
use crate::domain::reference_cycle::{self, CycleSearch};
use crate::domain::render::{Rendered, resolve_references, workflow_symbols};
use crate::domain::ungranted_access::ungranted;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::objects;

/// A version with this instance's ids, and what publication has to wait for.
pub(super) struct Resolved {
    pub(super) rendered: Rendered,
    pub(super) hold: Option<ReconcileError>,
}

/// Resolves every symbol of a version. `served` has the ids of the credentials that the published version uses. A credential that cannot be
/// resolved is left out and delays publication; a workflow that cannot be resolved stops the reconciliation, for there is no id to write in
/// its place.
pub(super) async fn resolve(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
    name: &str,
    (adopted, served): (bool, &BTreeSet<String>),
) -> Result<Resolved, ReconcileError> {
    let (credentials, lacks) = credentials::of_version(rec, connection, definition, adopted, served).await?;
    let (workflows, unpublished) = workflows(rec, definition).await?;
    if !adopted {
        // Content that n8n held when it was adopted needs no grant.
        check_reach(rec, connection, definition).await?;
    }
    let rendered = resolve_references(definition, name, &credentials, &workflows, &rec.mark(), &rec.status.written_settings);
    match &lacks.all {
        Some(error) => rec.set_condition(ConditionType::CredentialsReady, ConditionStatus::False, error.reason, &error.message),
        None => rec.set_condition(
            ConditionType::CredentialsReady,
            ConditionStatus::True,
            Reason::CredentialsMapped,
            credentials_summary(&rendered),
        ),
    }
    Ok(Resolved { rendered, hold: lacks.hold.or(unpublished) })
}

/// Returns an error if the namespace of the object lacks a grant that a version requires.
pub(super) async fn check_grants(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
    adopted: bool,
) -> Result<(), ReconcileError> {
    if connection.namespace() == rec.namespace() {
        return Ok(());
    }
    let (_, lacks) = credentials::look_up(rec, connection, definition, adopted, &BTreeSet::new()).await?;
    match lacks.into_iter().map(|lack| lack.error).find(|error| error.class == Class::Denied) {
        Some(error) => Err(error),
        None if adopted => Ok(()),
        None => check_reach(rec, connection, definition).await,
    }
}

fn credentials_summary(rendered: &Rendered) -> String {
    match rendered.credentials.len() {
        0 => "the definition uses no credentials".to_owned(),
        count => format!("all {count} credentials are mapped"),
    }
}

/// Returns the ids of the Workflows that a version refers to, and the wait for one that is not published.
async fn workflows(
    rec: &Reconciliation<'_>,
    definition: &Definition,
) -> Result<(BTreeMap<String, String>, Option<ReconcileError>), ReconcileError> {
    let symbols = workflow_symbols(definition);
    let mut ids = BTreeMap::new();
    let mut unpublished = None;
    if symbols.is_empty() {
        return Ok((ids, unpublished));
    }
    check_cycle(rec).await?;
    for (name, must_be_published) in symbols {
        let child =
            read(rec, &name).await?.ok_or_else(|| ReconcileError::waiting(Reason::ReferenceNotFound, reference_cycle::missing(&name)))?;
        let child = child.0.map_err(|undecodable| {
            ReconcileError::waiting(
                Reason::UnreadableObject,
                format!("Workflow {name}, which spec.references names, does not fit its kind: {}; correct it there", undecodable.why),
            )
        })?;
        if child.spec.instance_ref.name != rec.spec().instance_ref.name
            || child.spec.instance_ref.namespace.clone().unwrap_or_else(|| rec.namespace()) != rec.instance_key().0
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
        let own = rec.status.n8n_workflow_id.as_ref();
        if status.callers.as_ref().is_some_and(|callers| own.is_none_or(|own| !callers.contains(own))) {
            rec.ctx.wake_where(|indexed| indexed.namespace() == rec.namespace() && indexed.name() == name.as_str());
            unpublished.get_or_insert(ReconcileError::waiting(
                Reason::ReferenceNotPublished,
                format!("Workflow {name}, which this one calls, does not permit the call in n8n yet"),
            ));
        }
        ids.insert(name, id);
    }
    Ok((ids, unpublished))
}

async fn read(rec: &Reconciliation<'_>, name: &str) -> Result<Option<Decoded<Workflow>>, ReconcileError> {
    let found = objects::read_as(&rec.ctx.client, Some(&rec.namespace()), name).await;
    found.map_err(|error| objects::reconcile_error(&format!("read Workflow {name}"), &error))
}

/// Follows references from this object; coming back to it is a reference cycle, in which none can be published first.
async fn check_cycle(rec: &Reconciliation<'_>) -> Result<(), ReconcileError> {
    let own = rec.name();
    let names = |workflow: &Workflow| -> Vec<String> { workflow.spec.references.iter().map(|one| one.workflow_ref.name.clone()).collect() };
    let mut search = CycleSearch::new(&own, names(&rec.workflow));
    while let Some(next) = search.advance().map_err(|message| ReconcileError::invalid(Reason::ReferenceCycle, message))? {
        // An object that does not fit its kind says so in its own condition, and makes no progress before it is corrected.
        let next = read(rec, next).await?.and_then(|next| next.0.ok());
        search.follow(next.as_ref().map(names).unwrap_or_default());
    }
    Ok(())
}

/// Checks references past the mappings: they reach objects of anybody on the instance, so they need a grant.
async fn check_reach(rec: &Reconciliation<'_>, connection: &Connection, definition: &Definition) -> Result<(), ReconcileError> {
    let (home, namespace) = (connection.namespace(), rec.namespace());
    if home == namespace {
        return Ok(());
    }
    let loaded = rec.ctx.catalogs.of(&connection.instance).await?;
    let found = reach(definition, loaded.catalog());
    let granted = |wanted: Use<'_>| may_use(&connection.instance.spec, &home, &namespace, wanted);
    // A grant may name a credential by its name, which only n8n knows for sure.
    let by_name = found.credentials.iter().any(|(id, _)| !granted(Use::Credential { id, name: id }));
    let known = match by_name {
        true => Some(connection.credentials(credentials_fresh_for(rec.spec().interval.get())).await?),
        false => None,
    };
    let known = known.as_ref().map_or(&[][..], |list| &list.items);
    ungranted(&found, known, granted).map_or(Ok(()), Err)
}

/// Wakes the Workflows of the namespace that refer to this one.
pub(super) fn wake_callers(rec: &Reconciliation<'_>) {
    let (namespace, name) = (rec.workflow.namespace().unwrap_or_default(), rec.name());
    rec.ctx.wake_where(|indexed| indexed.namespace() == namespace && indexed.refers_to(&name));
}
