//! Suspended objects: n8n is neither read nor written, and whether the spec changed is decided from Kubernetes alone.

use super::reconciliation::Reconciliation;
use super::source::{self, Source};
use super::{validate, versions};

/// Reports whether the spec wants another version than the published one. The generation cannot tell: setting `suspend` moves it too.
pub(super) async fn spec_changed(rec: &mut Reconciliation<'_>) -> bool {
    if rec.status.active_version.is_none() || rec.spec().active.is_some_and(|active| active != rec.status.published_at.is_some()) {
        return true;
    }
    let asked = rec.spec().project.as_ref().map(|project| &project.id);
    if asked.is_some() && asked != rec.status.project.as_ref() {
        return true;
    }
    let taken_in = match rec.connect().await {
        // An edit is validated all the same, as long as that sends n8n no request.
        Ok(connection) if validate::knows_version(&connection) => validate::load(rec, &connection).await,
        _ => source::load(rec).await,
    };
    match taken_in {
        Ok(source) => another_wanted(rec, &source).await,
        // A pinned version needs no source.
        Err(_) => pin_moved(rec).unwrap_or(true),
    }
}

/// Reports whether the pin, or else the definition, wants another version than the published one.
pub(super) async fn another_wanted(rec: &Reconciliation<'_>, source: &Source) -> bool {
    let Some(serving) = rec.status.active_version else { return true };
    if let Some(moved) = pin_moved(rec) {
        return moved;
    }
    match versions::symbolic(rec, &source.definition).await {
        Ok(symbolic) => symbolic.digest.to_string() != versions::digest_of(&rec.status, serving),
        Err(_) => true,
    }
}

/// Reports whether a pin names another version than the published one; None without a pin.
fn pin_moved(rec: &Reconciliation<'_>) -> Option<bool> {
    let pinned = rec.pinned()?;
    Some(pinned.trim().parse() != Ok(rec.status.active_version?))
}
