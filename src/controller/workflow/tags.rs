//! Tags in n8n: those that the spec names are there, those that other people added stay.

use super::work::Work;
use crate::api::reason::Reason;
use crate::controller::connections::{self, Connection};
use crate::document::finding::quoted;
use crate::domain::access::{Use, may_use};
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteWorkflow;

/// Adds what is missing and takes away what we added and nobody asks for any more.
pub(super) async fn sync(work: &mut Work<'_>, connection: &Connection, remote: &RemoteWorkflow) -> Result<(), ReconcileError> {
    let Some(wanted) = work.spec().tags.clone() else { return Ok(()) };
    let has = |name: &String| remote.tags.iter().any(|tag| tag.name == *name);
    let namespace = work.namespace();
    let granted = |name: &String| may_use(&connection.instance.spec, &connection.namespace(), &namespace, Use::Tag(name));
    // A grant that was taken back covers no removal either.
    let surplus: Vec<String> = work.status.added_tags.iter().filter(|name| !wanted.contains(name) && granted(name)).cloned().collect();
    let missing: Vec<&String> = wanted.iter().filter(|name| !has(name)).collect();
    if let Some(name) = missing.iter().find(|name| !granted(name)) {
        return Err(ReconcileError::denied(
            Reason::TagNotGranted,
            format!(
                "the N8nInstance grants namespace {namespace} no use of the tag {} that spec.tags names; its owner can add it under spec.grants[].tags",
                quoted(name)
            ),
        ));
    }
    if missing.is_empty() && !surplus.iter().any(has) {
        work.status.added_tags.retain(|name| wanted.contains(name));
        return Ok(());
    }
    connection.trusted()?;
    let failed = |error| connections::reconcile_error(&error);
    let mut ids: Vec<String> = remote.tags.iter().filter(|tag| !surplus.contains(&tag.name)).map(|tag| tag.id.clone()).collect();
    if !missing.is_empty() {
        let known = connection.client.list_tags().await.map_err(failed)?;
        for name in &missing {
            let id = match known.iter().find(|tag| tag.name == **name) {
                Some(tag) => tag.id.clone(),
                None => connection.client.create_tag(name).await.map_err(failed)?.id,
            };
            ids.push(id);
        }
    }
    // What is recorded as ours before it is added can be taken away again after a crash, and what is to be taken away stays recorded
    // until n8n has confirmed it.
    let added = &mut work.status.added_tags;
    added.extend(missing.into_iter().cloned());
    added.sort_unstable();
    added.dedup();
    work.save().await?;
    connection.client.set_tags(&remote.id, &ids).await.map_err(failed)?;
    work.status.added_tags.retain(|name| wanted.contains(name));
    Ok(())
}
