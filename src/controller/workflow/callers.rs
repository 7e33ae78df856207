//! The workflows that may call this one: those of the Workflows of its namespace that refer to it, unless somebody says otherwise.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::resolve::wake_callers;
use super::work::Work;
use crate::api::workflow_status::Origin;
use crate::catalog::Catalog;
use crate::controller::connections::{self, Connection};
use crate::document::definition::Definition;
use crate::domain::caller_policy::{MOST, POLICY, admit, admitted, undecided};
use crate::domain::error::ReconcileError;
use crate::domain::reach::reach;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};

/// The settings that a new workflow gets beside those of its version.
pub(super) fn at_create(work: &mut Work<'_>, definition: &Definition) -> Map<String, Value> {
    let mut settings = Map::new();
    work.status.callers = None;
    if undecided(definition) {
        admit(&mut settings, &known(work, definition));
        work.status.callers = admitted(&settings).map(Vec::from_iter);
    }
    settings
}

/// Lets in who came to refer to this workflow. Nobody is put out: a list that people changed in n8n stays as it is otherwise.
pub(super) async fn sync(
    work: &mut Work<'_>,
    connection: &Connection,
    remote: &RemoteWorkflow,
    definition: &Definition,
) -> Result<(), ReconcileError> {
    let decided = !undecided(definition) || work.status.written_settings.iter().any(|key| key == POLICY);
    let ours = work.status.origin == Some(Origin::Created) && !decided;
    let Some(mut listed) = admitted(&remote.settings).filter(|_| ours) else {
        work.status.callers = None;
        return Ok(());
    };
    let before = listed.len();
    listed.extend(known(work, definition));
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
        connection.client.update_workflow(&remote.id, &write, false).await.map_err(|error| connections::reconcile_error(&error))?;
        wake_callers(work);
    }
    work.status.callers = (listed.len() <= MOST).then(|| Vec::from_iter(listed));
    Ok(())
}

/// The ids in n8n of the Workflows that refer to this one, and its own where it computes whom it calls, which may be itself.
fn known(work: &Work<'_>, definition: &Definition) -> BTreeSet<String> {
    let (namespace, name) = work.instance_key();
    let refers = work.ctx.workflows_of(&namespace, &name);
    let refers = refers.iter().filter(|one| one.namespace() == work.namespace() && one.refers_to(&work.name()));
    let mut ids: BTreeSet<String> = refers.filter_map(|one| one.status.n8n_workflow_id.clone()).collect();
    // Which parameters name a workflow is the same for every catalogue.
    if !reach(definition, Catalog::embedded()).any_workflow.is_empty() {
        ids.extend(work.status.n8n_workflow_id.clone());
    }
    ids
}
