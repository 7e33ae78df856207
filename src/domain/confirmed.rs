//! The three sides of a comparison with n8n: what was last confirmed there, what is wanted, and what n8n holds now.
//!
//! A part that differs in n8n from what is wanted is drift (a change that a person made in n8n) only if it also differs from what was last
//! confirmed and from what was last sent. Any other difference is a write that is still to come.

use serde_json::{Map, Value};

use crate::api::workflow_status::{PublishedContent, Snapshot};
use crate::document::canonical::digest_of;
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::domain::settings;
use crate::text::one_line;

/// Maximum length of a name in n8n. Names are compared as status shows them, so names that differ only in invisible characters are equal.
const NAME: usize = 128;

/// Wanted publication state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// The target version is published.
    Published,
    /// Not published.
    Unpublished,
    /// Publication is left to people, or waits for a credential or a referenced workflow.
    Untouched,
}

/// Returns the digest of nodes, connections and groups.
pub fn content(nodes: &[Value], connections: &Value, groups: &[Value]) -> String {
    digest_of(nodes, connections, groups, &Map::new(), &Default::default()).to_string()
}

/// Returns a snapshot of what n8n holds, with the settings that are also in `sent`.
pub fn seen(remote: &RemoteWorkflow, sent: &Map<String, Value>) -> Snapshot {
    let draft = content(&remote.nodes, &remote.connections, &remote.node_groups);
    let published = remote.active.then(|| {
        if remote.active_version_id.is_some() && remote.active_version_id == remote.version_id {
            return Some(draft.clone());
        }
        remote.active_version.as_ref().map(|version| content(&version.nodes, &version.connections, &version.node_groups))
    });
    let publication = match published {
        // n8n does not return its content, so it equals no other.
        Some(None) => Some(PublishedContent { digest: Some(String::new()) }),
        Some(digest) => Some(PublishedContent { digest }),
        None => Some(PublishedContent::default()),
    };
    let settings = settings::managed(sent).map(|key| (key.clone(), settings::meaning(key, remote.settings.get(key)))).collect();
    Snapshot { name: Some(one_line(&remote.name, NAME)), draft: Some(draft), publication, settings }
}

/// Returns a snapshot of what n8n should hold.
pub fn wanted(write: &WorkflowWrite, publication: Publication) -> Snapshot {
    let draft = content(&write.nodes, &write.connections, write.node_groups.as_deref().unwrap_or_default());
    let publication = match publication {
        Publication::Published => Some(PublishedContent { digest: Some(draft.clone()) }),
        Publication::Unpublished => Some(PublishedContent::default()),
        Publication::Untouched => None,
    };
    let settings = settings::managed(&write.settings).map(|key| (key.clone(), settings::meaning(key, write.settings.get(key)))).collect();
    Snapshot { name: Some(one_line(&write.name, NAME)), draft: Some(draft), publication, settings }
}

/// Weirkeeper's knowledge of its own writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Last confirmed state. Without it no difference counts as drift.
    pub confirmed: Option<&'a Snapshot>,
    /// Last state that was sent and is not confirmed.
    pub sent: Option<&'a Snapshot>,
    /// State that was sent before that, was not answered, and may still take effect.
    pub late: Option<&'a Snapshot>,
    /// True if an announced attempt is unfinished: n8n's failures unpublish a workflow.
    pub unfinished: bool,
}

/// A part of a workflow that n8n holds differently than wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A person changed it in n8n.
    pub changed: bool,
    /// The spec asks for something else than what was last confirmed.
    pub asked: bool,
}

impl Known<'_> {
    fn sides(&self) -> impl Iterator<Item = &Snapshot> {
        [self.confirmed, self.sent, self.late].into_iter().flatten()
    }

    /// Compares one part; None if n8n holds it as wanted, or if nothing is wanted.
    pub fn part<T: PartialEq>(&self, wanted: Option<&T>, seen: Option<&T>, part: impl Fn(&Snapshot) -> Option<&T>) -> Option<Difference> {
        if wanted.is_none() || wanted == seen {
            return None;
        }
        let confirmed = self.confirmed.and_then(&part);
        let ours = self.sides().any(|side| part(side).is_some() && part(side) == seen);
        Some(Difference { changed: confirmed.is_some() && !ours, asked: confirmed != wanted })
    }

    /// Compares what is published. If an unfinished attempt unpublished the workflow, nobody else did.
    pub fn publication(&self, wanted: &Snapshot, seen: &Snapshot) -> Option<Difference> {
        let found = self.part(wanted.publication.as_ref(), seen.publication.as_ref(), |side| side.publication.as_ref())?;
        let offline = seen.publication.as_ref().is_some_and(|published| published.digest.is_none());
        Some(Difference { changed: found.changed && !(offline && self.unfinished), ..found })
    }

    /// Reports whether Weirkeeper wrote nodes, connections and groups with this digest.
    pub fn wrote(&self, content: &str) -> bool {
        self.sides().any(|side| {
            let published = side.publication.as_ref().and_then(|published| published.digest.as_deref());
            side.draft.as_deref() == Some(content) || published == Some(content)
        })
    }
}

/// Copies each part that was sent and that `seen` shows to `confirmed`: it took effect, whatever is sent next.
pub fn arrived(confirmed: &mut Option<Snapshot>, sent: Option<&Snapshot>, seen: &Snapshot) {
    let Some(sent) = sent else { return };
    let known = confirmed.get_or_insert_default();
    take(&mut known.name, &sent.name, &seen.name);
    take(&mut known.draft, &sent.draft, &seen.draft);
    take(&mut known.publication, &sent.publication, &seen.publication);
    for (key, value) in sent.settings.iter().filter(|(key, value)| seen.settings.get(*key) == Some(*value)) {
        known.settings.insert(key.clone(), value.clone());
    }
    if *known == Snapshot::default() {
        *confirmed = None;
    }
}

fn take<T: PartialEq + Clone>(known: &mut Option<T>, sent: &Option<T>, seen: &Option<T>) {
    if sent.is_some() && sent == seen {
        known.clone_from(seen);
    }
}
