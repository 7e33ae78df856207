//! Tags in n8n: those that the spec names are added, those that other people added stay.

use super::reconciliation::Reconciliation;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::domain::access::{Use, may_use, no_tag};
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteWorkflow;

/// Adds missing tags, and removes tags that Weirkeeper added and the spec no longer names.
pub(super) async fn sync(rec: &mut Reconciliation<'_>, connection: &Connection, remote: &RemoteWorkflow) -> Result<(), ReconcileError> {
    let Some(wanted) = rec.spec().tags.clone() else { return Ok(()) };
    let has = |name: &String| remote.tags.iter().any(|tag| tag.name == *name);
    let namespace = rec.namespace();
    let granted = |name: &String| may_use(&connection.instance.spec, &connection.namespace(), &namespace, Use::Tag(name));
    // A revoked grant covers no removal either.
    let surplus: Vec<String> = rec.status.added_tags.iter().filter(|name| !wanted.contains(name) && granted(name)).cloned().collect();
    let missing: Vec<&String> = wanted.iter().filter(|name| !has(name)).collect();
    if let Some(name) = missing.iter().find(|name| !granted(name)) {
        return Err(ReconcileError::denied(Reason::TagNotGranted, no_tag(&namespace, name)));
    }
    if missing.is_empty() && !surplus.iter().any(has) {
        rec.status.keep_tags(&wanted);
        return Ok(());
    }
    connection.trusted()?;
    let mut ids: Vec<String> = remote.tags.iter().filter(|tag| !surplus.contains(&tag.name)).map(|tag| tag.id.clone()).collect();
    if !missing.is_empty() {
        let known = connection.client.list_tags().await?;
        for name in &missing {
            let id = match known.iter().find(|tag| tag.name == **name) {
                Some(tag) => tag.id.clone(),
                None => connection.client.create_tag(name).await?.id,
            };
            ids.push(id);
        }
    }
    // A tag that is recorded before it is added can be removed after a crash, and a tag to be removed stays recorded until n8n has
    // confirmed the removal.
    rec.status.record_tags(missing.into_iter());
    rec.save().await?;
    connection.client.set_tags(&remote.id, &ids).await?;
    rec.status.keep_tags(&wanted);
    Ok(())
}
