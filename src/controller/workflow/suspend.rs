//! A suspended object: n8n is neither read nor written, and whether the spec moved on is told from Kubernetes alone.

use super::converge::symbolic;
use super::gather::{LoadedSource, gather};
use super::judge::{self, judge};
use super::versions;
use super::work::Work;

/// Whether the spec asks for something else than what serves. The generation cannot tell: setting `suspend` moves it too.
pub(super) async fn spec_changed(work: &mut Work<'_>) -> bool {
    if work.status.active_version.is_none() || work.spec().active.is_some_and(|active| active != work.status.published_at.is_some()) {
        return true;
    }
    let asked = work.spec().project.as_ref().map(|project| &project.id);
    if asked.is_some() && asked != work.status.project.as_ref() {
        return true;
    }
    let (namespace, name) = work.instance_key();
    let taken_in = match work.ctx.connections.for_workflow(&work.namespace(), (&namespace, &name)).await {
        // An edit is judged all the same, as long as that asks n8n nothing.
        Ok(connection) if judge::knows(&connection) => judge(work, &connection).await,
        _ => gather(work).await,
    };
    match taken_in {
        Ok(gathered) => another_wanted(work, &gathered).await,
        // A pinned version needs no source.
        Err(_) => pin_moved(work).unwrap_or(true),
    }
}

/// Whether the pin, or else the definition, asks for another version than what serves.
pub(super) async fn another_wanted(work: &Work<'_>, gathered: &LoadedSource) -> bool {
    let Some(serving) = work.status.active_version else { return true };
    if let Some(moved) = pin_moved(work) {
        return moved;
    }
    match symbolic(work, gathered).await {
        Ok(symbolic) => symbolic.digest.to_string() != versions::digest_of(&work.status, serving),
        Err(_) => true,
    }
}

/// Whether a pin names another version than what serves, where there is one.
fn pin_moved(work: &Work<'_>) -> Option<bool> {
    let pinned = work.pinned()?;
    Some(pinned.trim().parse() != Ok(work.status.active_version?))
}
