//! A workflow as a listing shows it, and its fingerprint.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::caller_policy::admitted;
use crate::domain::mark::Mark;
use crate::domain::remote::{RemoteSummary, RemoteWorkflow, Tag};
use crate::domain::settings;
use crate::text::one_line;

/// Maximum length of a name in n8n.
const NAME: usize = 128;

/// Digest of all that a listing shows of a workflow.
pub type Fingerprint = [u8; 16];

/// Workflow as a listing shows it, in a few bytes. Texts are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Digest of all that is shown.
    pub fingerprint: Fingerprint,
    pub(super) name: u64,
    pub(super) archived: bool,
    pub(super) version: Option<u64>,
    /// The published version; None if none is.
    pub(super) published: Option<u64>,
    pub(super) project: Option<u64>,
    pub(super) mark: Option<u64>,
    pub(super) callers: Option<u64>,
    /// Key and meaning of each setting.
    pub(super) settings: Box<[(u64, u64)]>,
    pub(super) tags: Box<[u64]>,
}

/// The parts of a workflow that a listing and a read of the workflow alone have in common.
struct View<'a> {
    name: &'a str,
    active: bool,
    archived: bool,
    version_id: Option<&'a str>,
    active_version_id: Option<&'a str>,
    updated_at: &'a str,
    project: Option<&'a str>,
    settings: &'a Map<String, Value>,
    tags: &'a [Tag],
}

macro_rules! view {
    ($($of:ty),*) => { $(impl<'a> From<&'a $of> for View<'a> {
        fn from(of: &'a $of) -> Self {
            Self {
                name: &of.name,
                active: of.active,
                archived: of.is_archived,
                version_id: of.version_id.as_deref(),
                active_version_id: of.active_version_id.as_deref(),
                updated_at: &of.updated_at,
                project: of.project.as_deref(),
                settings: &of.settings,
                tags: &of.tags,
            }
        }
    })* };
}
view!(RemoteSummary, RemoteWorkflow);

impl View<'_> {
    fn fingerprint(&self) -> Fingerprint {
        let mut tags: Vec<(&str, &str)> = self.tags.iter().map(|tag| (tag.id.as_str(), tag.name.as_str())).collect();
        tags.sort_unstable();
        let all = serde_json::json!([
            self.name,
            self.active,
            self.archived,
            self.version_id,
            self.active_version_id,
            self.updated_at,
            self.project,
            self.settings,
            tags,
        ]);
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(&Sha256::digest(all.to_string())[..16]);
        fingerprint
    }
}

impl Shown {
    /// Returns what a listing shows of a workflow.
    pub fn of(summary: &RemoteSummary) -> Self {
        let view = View::from(summary);
        let setting = |key: &String| (hash(key), hash(settings::meaning(key, view.settings.get(key))));
        Self {
            fingerprint: view.fingerprint(),
            name: hash(one_line(view.name, NAME)),
            archived: view.archived,
            version: view.version_id.map(hash),
            published: view.active_version_id.filter(|_| view.active).map(hash),
            project: view.project.map(hash),
            mark: Mark::of(view.settings).map(|mark| hash(mark.to_value())),
            callers: admitted(view.settings).map(|ids| hash_of(&ids)),
            settings: settings::managed(view.settings).map(setting).collect(),
            tags: view.tags.iter().map(|tag| hash(&tag.name)).collect(),
        }
    }
}

/// Returns the fingerprint that a listing shows as long as the workflow stays as it was read.
pub fn fingerprint(remote: &RemoteWorkflow) -> Fingerprint {
    View::from(remote).fingerprint()
}

/// Returns a hash of a text, which only has to tell texts apart that nobody chose to have the same one.
pub fn hash(text: impl AsRef<str>) -> u64 {
    hash_of(text.as_ref())
}

pub(super) fn hash_of(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
