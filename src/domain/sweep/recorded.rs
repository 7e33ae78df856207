//! Workflow in n8n as the status of its object records it, so that a listing alone can confirm it after a restart.

use std::collections::BTreeSet;

use super::shown::{Shown, hash, hash_of};
use crate::api::workflow_status::{Snapshot, VersionRecord, VersionResult};
use crate::domain::history;
use crate::domain::mark::Mark;
use crate::domain::settings;

/// State of a Ready object without unfinished work, in a few bytes. Texts are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Generation for which the object is Ready.
    pub generation: i64,
    name: u64,
    /// Id in n8n of the version that it holds.
    version: u64,
    published: bool,
    project: Option<u64>,
    callers: Option<u64>,
    /// Key of each setting, the meaning of its value, and that of its absence.
    settings: Box<[(u64, u64, u64)]>,
    added_tags: Box<[u64]>,
}

/// The parts of a spec that a listing has to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `spec.active`.
    pub active: Option<bool>,
    /// Hashes of `spec.tags`.
    pub tags: Option<&'a [u64]>,
    /// Hash of `spec.project.id`.
    pub project: Option<u64>,
}

/// The parts of a status that tell what n8n holds.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmedState<'a> {
    /// Generation for which the object is Ready.
    pub generation: i64,
    /// `status.activeVersion`.
    pub version: i64,
    /// `status.history`.
    pub history: &'a [VersionRecord],
    /// `status.confirmed`.
    pub confirmed: &'a Snapshot,
    /// `status.published`.
    pub published: bool,
    /// `status.project`.
    pub project: Option<&'a str>,
    /// `status.callers`.
    pub callers: Option<&'a [String]>,
    /// `status.addedTags`.
    pub added_tags: &'a [String],
}

impl Recorded {
    /// Returns what the status says, if its version proved itself.
    pub fn of(state: ConfirmedState<'_>) -> Option<Self> {
        let record = history::numbered(state.history, state.version).filter(|record| record.result == VersionResult::Good)?;
        let setting = |(key, meaning): (&String, &String)| (hash(key), hash(meaning), hash(settings::meaning(key, None)));
        Some(Self {
            generation: state.generation,
            name: hash(state.confirmed.name.as_deref()?),
            version: hash(record.n8n_version_id.as_deref()?),
            published: state.published,
            project: state.project.map(hash),
            callers: state.callers.map(|ids| hash_of(ids.iter().collect::<BTreeSet<_>>())),
            settings: state.confirmed.settings.iter().map(setting).collect(),
            added_tags: state.added_tags.iter().map(hash).collect(),
        })
    }

    /// Reports whether a listing shows the workflow as this status and the spec say.
    pub fn is_shown(&self, asked: Asked<'_>, mark: &Mark, shown: &Shown) -> bool {
        let version = shown.version == Some(self.version);
        let publication = match (asked.active, shown.published) {
            (Some(true), published) => published == Some(self.version),
            (Some(false), published) => published.is_none(),
            (None, _) => true,
        };
        let placed = asked.project.is_none() || asked.project == self.project && shown.project.is_none_or(|at| asked.project == Some(at));
        let value =
            |wanted: u64, absent: u64| shown.settings.iter().find(|(key, _)| *key == wanted).map_or(absent, |(_, meaning)| *meaning);
        let settings = self.settings.iter().all(|(key, meaning, absent)| value(*key, *absent) == *meaning);
        let tags = asked.tags.is_none_or(|wanted| {
            wanted.iter().all(|tag| shown.tags.contains(tag)) && self.added_tags.iter().all(|tag| wanted.contains(tag))
        });
        version
            && publication
            && self.published == shown.published.is_some()
            && !shown.archived
            && self.name == shown.name
            && shown.mark == Some(hash(mark.to_value()))
            && placed
            && settings
            && tags
            && (self.callers.is_none() || self.callers == shown.callers)
    }
}
