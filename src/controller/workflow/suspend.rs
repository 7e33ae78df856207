//! A suspended object: n8n is neither read nor written, and whether the spec moved on is told from Kubernetes alone.

use super::converge::symbolic;
use super::gather::{Gathered, gather};
use super::versions;
use super::work::Work;

/// Whether the spec asks for something else than what serves. The generation cannot tell: setting `suspend` moves it too.
pub(super) async fn spec_changed(work: &mut Work<'_>) -> bool {
    let Some(serving) = work.status.active_version else { return true };
    if let Some(pinned) = work.pinned() {
        return pinned.trim() != serving.to_string();
    }
    if work.spec().active.is_some_and(|active| active != work.status.published_at.is_some()) {
        return true;
    }
    match gather(work).await {
        Ok(gathered) => content_changed(work, &gathered).await,
        Err(_) => true,
    }
}

/// Whether the definition is another one than what serves.
pub(super) async fn content_changed(work: &Work<'_>, gathered: &Gathered) -> bool {
    let Some(serving) = work.status.active_version else { return true };
    match symbolic(work, gathered).await {
        Ok(symbolic) => symbolic.digest.to_string() != versions::digest_of(&work.status, serving),
        Err(_) => true,
    }
}
