//! The workflows that may call this one: those of the Workflows in its namespace that refer to it, unless the spec or a user of n8n sets
//! the list.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::reconciliation::Reconciliation;
use super::resolve::wake_callers;
use crate::api::workflow_status::Origin;
use crate::catalog::Catalog;
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::domain::caller_policy::{MOST, POLICY, admit, admitted, undecided};
use crate::domain::error::ReconcileError;
use crate::domain::reach::reach;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};

/// Returns the settings that a new workflow gets in addition to those of its version.
pub(super) fn at_create(rec: &mut Reconciliation<'_>, definition: &Definition) -> Map<String, Value> {
    let mut settings = Map::new();
    rec.status.record_callers(None);
    if undecided(definition) {
        admit(&mut settings, &known(rec, definition));
        rec.status.record_callers(admitted(&settings).map(Vec::from_iter));
    }
    settings
}

/// Adds new callers of this workflow. No caller is removed: a list that was changed in n8n is kept otherwise.
pub(super) async fn sync(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    remote: &RemoteWorkflow,
    definition: &Definition,
) -> Result<(), ReconcileError> {
    let decided = !undecided(definition) || rec.status.written_settings.iter().any(|key| key == POLICY);
    let ours = rec.status.origin == Some(Origin::Created) && !decided;
    let Some(mut listed) = admitted(&remote.settings).filter(|_| ours) else {
        rec.status.record_callers(None);
        return Ok(());
    };
    let before = listed.len();
    listed.extend(known(rec, definition));
    if listed.len() > before && remote.cut.is_none() {
        connection.trusted()?;
        let mut settings = Map::new();
        admit(&mut settings, &listed);
        let write = WorkflowWrite {
            name: remote.name.clone(),
            nodes: remote.nodes.clone(),
            connections: remote.connections.clone(),
            settings,
            node_groups: Some(remote.node_groups.clone()),
        };
        connection.client.update_workflow(&remote.id, &write, false).await?;
        wake_callers(rec);
    }
    rec.status.record_callers((listed.len() <= MOST).then(|| Vec::from_iter(listed)));
    Ok(())
}

/// Returns the ids in n8n of the Workflows that refer to this one; with its own id if it computes whom it calls, which may be itself.
fn known(rec: &Reconciliation<'_>, definition: &Definition) -> BTreeSet<String> {
    let (namespace, name) = rec.instance_key();
    let refers = rec.ctx.workflows_of(&namespace, &name);
    let refers = refers.iter().filter(|one| one.namespace() == rec.namespace() && one.refers_to(&rec.name()));
    let mut ids: BTreeSet<String> = refers.filter_map(|one| one.status.n8n_workflow_id.clone()).collect();
    // The parameters that name a workflow are the same in every catalogue.
    if !reach(definition, Catalog::embedded()).any_workflow.is_empty() {
        ids.extend(rec.status.n8n_workflow_id.clone());
    }
    ids
}
