//! Facts about n8n's node types and credential types, taken from the description files of an installation.
//!
//! [`Catalog::embedded`] is the catalogue of the n8n version that Weirkeeper is tested with. A node type is unpacked on first use and then
//! cached, so that a program pays only for the types that its workflows use.

pub mod capability;
mod changes;
pub mod compare;
mod credential_fields;
pub mod display;
mod distil;
mod families;
pub mod fill;
pub mod issues;
pub mod js;
mod level;
pub mod model;
mod operations;
pub mod pack;
mod plan;
pub mod ports;
pub mod raw;
mod reviewed;
pub mod search;
mod serde_default;
pub mod tool;
mod typed;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

pub use capability::Capability;
pub(crate) use changes::is_from_ai_only;
pub use credential_fields::CredentialField;
pub use display::{Around, Display, shown};
pub use distil::{Distilled, RawPackage, distil};
pub use fill::{Filled, filled};
pub use issues::{Issue, IssueKind, issues};
pub use level::Level;
pub use model::{CredentialType, CredentialUse, Kind, LEFT_OUT, NodeType, NodeVersion, Parameter, Shared};
pub use pack::{CredentialEntry, Index, NodeEntry, Unreadable};
pub use ports::{Port, Ports};
pub use tool::Derived;

use crate::text::similar;

/// The catalogue of the n8n version that Weirkeeper is tested with.
const EMBEDDED: &[u8] = include_bytes!("catalog/n8n-2.39.10.catalog");
/// Maximum size of the cache of unpacked types, in bytes; all types of the built-in catalogue take 3 MB. Beyond it, types are unpacked on
/// every use.
const MOST_KEPT: usize = 16 * 1024 * 1024;
/// Package in which a short name such as `slack` is looked up first.
const BASE: &str = "n8n-nodes-base";

/// Node types and credential types, unpacked on first use.
#[derive(Debug)]
pub struct Catalog {
    bytes: Bytes,
    index: Index,
    layout: pack::Layout,
    /// Indexes of node types, by name.
    nodes: HashMap<String, usize>,
    credentials: HashMap<String, usize>,
    unpacked: Vec<Unpacked>,
    unpacked_credentials: Vec<OnceLock<Option<Arc<CredentialType>>>>,
    /// Size of the cached node types, in bytes.
    kept: AtomicUsize,
}

#[derive(Debug)]
enum Bytes {
    Embedded(&'static [u8]),
    Given(Vec<u8>),
}

/// A node type and the types derived from it, unpacked on first use.
#[derive(Debug, Default)]
struct Unpacked {
    own: LazyNodeType,
    tool: LazyNodeType,
    review: LazyNodeType,
}

type LazyNodeType = OnceLock<Option<Arc<NodeType>>>;

impl Catalog {
    /// Returns the catalogue that is compiled in; it is read once. If it cannot be read (a test ensures that it can), the catalogue is
    /// empty.
    pub fn embedded() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| Self::open(Bytes::Embedded(EMBEDDED)).unwrap_or_else(|_| Self::empty()))
    }

    /// Reads a catalogue from the bytes that `weirkeeper catalog build` wrote.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Unreadable> {
        Self::open(Bytes::Given(bytes))
    }

    fn open(bytes: Bytes) -> Result<Self, Unreadable> {
        let (index, layout) = pack::open(bytes.as_slice())?;
        Ok(Self {
            nodes: index.nodes.iter().enumerate().map(|(at, entry)| (entry.name.clone(), at)).collect(),
            credentials: index.credentials.iter().enumerate().map(|(at, entry)| (entry.name.clone(), at)).collect(),
            unpacked: index.nodes.iter().map(|_| Unpacked::default()).collect(),
            unpacked_credentials: index.credentials.iter().map(|_| OnceLock::new()).collect(),
            kept: AtomicUsize::new(0),
            bytes,
            index,
            layout,
        })
    }

    fn empty() -> Self {
        let (index, layout) = (Index::default(), pack::Layout::default());
        let (nodes, credentials) = (HashMap::new(), HashMap::new());
        let (unpacked, unpacked_credentials) = (Vec::new(), Vec::new());
        Self { bytes: Bytes::Embedded(&[]), index, layout, nodes, credentials, unpacked, unpacked_credentials, kept: AtomicUsize::new(0) }
    }

    /// Returns the index: the facts that are available without unpacking a type.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns a node type by its full name, including the types that n8n derives (`…Tool`, `…HitlTool`).
    pub fn node(&self, name: &str) -> Option<Arc<NodeType>> {
        if let Some(at) = self.nodes.get(name) {
            return self.own(*at);
        }
        let (base, how) = tool::origin(name)?;
        let at = *self.nodes.get(base)?;
        let place = &self.unpacked[at];
        let derived = match how {
            Derived::Tool => &place.tool,
            Derived::Review => &place.review,
        };
        self.kept(derived, at, || self.own(at).and_then(|own| tool::derive(&own, how)).map(Arc::new))
    }

    fn own(&self, at: usize) -> Option<Arc<NodeType>> {
        let unpack = || self.layout.node(self.bytes.as_slice(), &self.index.nodes[at]).ok().map(Arc::new);
        self.kept(&self.unpacked[at].own, at, unpack)
    }

    /// Returns the cached value or makes it; the result is cached as long as there is room.
    fn kept(&self, place: &LazyNodeType, at: usize, make: impl FnOnce() -> Option<Arc<NodeType>>) -> Option<Arc<NodeType>> {
        if let Some(kept) = place.get() {
            return kept.clone();
        }
        let size = self.index.nodes[at].size();
        if self.kept.fetch_add(size, Ordering::Relaxed).saturating_add(size) <= MOST_KEPT {
            return place.get_or_init(make).clone();
        }
        self.kept.fetch_sub(size, Ordering::Relaxed);
        make()
    }

    /// Returns the type that a node counts as: its own type, or the type that n8n derives it from (`…Tool`, `…HitlTool`). `None` if the
    /// catalogue does not know it.
    pub fn base(&self, name: &str) -> Option<&str> {
        let own = self.nodes.get(name);
        let derived = || tool::origin(name).and_then(|(base, _)| self.nodes.get(base)).filter(|_| self.node(name).is_some());
        own.or_else(derived).map(|at| self.index.nodes[*at].name.as_str())
    }

    /// Returns the capabilities that nodes of a type have outside their own definition; `None` if the catalogue does not know the type, or
    /// was made without n8n's sources.
    pub fn reaches(&self, name: &str) -> Option<&[Capability]> {
        let at = self.nodes.get(self.base(name)?)?;
        self.index.nodes[*at].reaches.as_deref()
    }

    /// Returns the full names that a short name such as `slack` may mean, those of n8n's base package first.
    pub fn whole_names(&self, short: &str) -> Vec<String> {
        if short.contains('.') {
            return self.node(short).map(|node| node.name.clone()).into_iter().collect();
        }
        let mut found: Vec<String> = Vec::new();
        let derived = tool::origin(short).map(|(base, _)| base);
        for entry in &self.index.nodes {
            let Some((package, name)) = entry.name.rsplit_once('.') else { continue };
            let exact = name == short;
            if exact || Some(name) == derived {
                let whole = format!("{package}.{short}");
                if exact || self.node(&whole).is_some() {
                    found.push(whole);
                }
            }
        }
        found.sort_by_key(|name| !name.starts_with(&format!("{BASE}.")));
        found
    }

    /// Suggests the node type that the author probably meant.
    pub fn nearest(&self, wanted: &str) -> Option<String> {
        // The most common mistake is the right name with the wrong package, or with none.
        if let Some(found) = self.whole_names(short(wanted)).into_iter().find(|name| name != wanted) {
            return Some(found);
        }
        // Derived types are not in the index: correct the name of the type that they derive from.
        if let Some((base, _)) = tool::origin(wanted).filter(|(base, _)| !self.nodes.contains_key(*base)) {
            let derived = self.near_own(base).and_then(|near| self.node(&format!("{near}{}", &wanted[base.len()..])));
            if let Some(derived) = derived {
                return Some(derived.name.clone());
            }
        }
        self.near_own(wanted)
    }

    /// Returns the type of the index with the most similar short name. Full names would be misleading: with a common package prefix, very
    /// different names look similar.
    fn near_own(&self, wanted: &str) -> Option<String> {
        let near = similar::nearest(short(wanted), self.index.nodes.iter().map(|entry| short(&entry.name)))?;
        self.whole_names(near).into_iter().next()
    }

    /// Returns a credential type by its name.
    pub fn credential(&self, name: &str) -> Option<Arc<CredentialType>> {
        let at = *self.credentials.get(name)?;
        let unpack = || self.layout.credential(self.bytes.as_slice(), &self.index.credentials[at]).ok().map(Arc::new);
        self.unpacked_credentials[at].get_or_init(unpack).clone()
    }

    /// Returns the fields of a credential type, with those of the types that it extends; `None` if the type is unknown.
    pub fn credential_fields(&self, name: &str) -> Option<Vec<CredentialField>> {
        credential_fields::credential_fields(name, &|name| self.credential(name))
    }

    /// Suggests the credential type that the author probably meant.
    pub fn nearest_credential(&self, wanted: &str) -> Option<&str> {
        similar::nearest(wanted, self.index.credentials.iter().map(|entry| entry.name.as_str()))
    }

    /// Reports whether a credential type is `base` or extends it, directly or indirectly.
    pub fn credential_extends(&self, name: &str, base: &str) -> bool {
        let mut names = vec![name.to_owned()];
        // n8n's chains have at most three types; the bound stops a cycle.
        for _ in 0..8 {
            if names.iter().any(|name| name == base) {
                return true;
            }
            names = names.iter().filter_map(|name| self.credential(name)).flat_map(|facts| facts.extends.clone()).collect();
        }
        false
    }

    /// Reports whether the catalogue is of exactly this version of n8n. An unknown version never matches.
    pub fn is_of(&self, n8n: Option<&str>) -> bool {
        self.index.n8n.as_deref().is_some_and(|own| n8n == Some(own))
    }

    /// Reports whether the catalogue covers the package of a node type: only then is an unknown type an error.
    pub fn covers(&self, node_type: &str) -> bool {
        node_type.rsplit_once('.').is_some_and(|(package, _)| self.index.packages.iter().any(|(name, _)| name == package))
    }
}

/// Returns the name without its package.
fn short(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Embedded(bytes) => bytes,
            Self::Given(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::search::search;
    use super::*;

    #[test]
    fn a_node_type_is_found_with_and_without_its_package_and_as_a_tool() {
        let catalog = Catalog::embedded();
        assert_eq!(catalog.whole_names("slack"), ["n8n-nodes-base.slack"]);
        assert_eq!(catalog.whole_names("slackTool"), ["n8n-nodes-base.slackTool"]);
        assert_eq!(catalog.whole_names("agent"), ["@n8n/n8n-nodes-langchain.agent"]);
        assert_eq!(catalog.whole_names("code").len(), 2, "two packages have one");
        let tool = catalog.node("n8n-nodes-base.slackTool").unwrap();
        assert_eq!(tool.latest().unwrap().outputs, Ports::Fixed(vec![Port { kind: "ai_tool".into(), ..Port::default() }]));
        assert!(tool.version(1.0).is_none() && tool.version(2.2).is_some(), "version 1 cannot be used as a tool");
        assert!(catalog.node("n8n-nodes-base.slackHitlTool").is_some());
        assert!(catalog.node("n8n-nodes-base.ifTool").is_none() && catalog.node("n8n-nodes-base.Tool").is_none());
    }

    #[test]
    fn a_misspelt_name_or_package_gets_a_suggestion() {
        let catalog = Catalog::embedded();
        let nearest = |wanted| catalog.nearest(wanted);
        assert_eq!(nearest("n8n-nodes-base.slak").as_deref(), Some("n8n-nodes-base.slack"));
        assert_eq!(nearest("nodes-base.httpRequest").as_deref(), Some("n8n-nodes-base.httpRequest"));
        assert_eq!(nearest("n8n-nodes-base.agent").as_deref(), Some("@n8n/n8n-nodes-langchain.agent"));
        assert_eq!(nearest("n8n-nodes-base.completelyDifferentThing"), None);
        assert_eq!(nearest("n8n-nodes-base.telegrmTool").as_deref(), Some("n8n-nodes-base.telegramTool"));
        assert_eq!(nearest("n8n-nodes-base.agentTol").as_deref(), Some("@n8n/n8n-nodes-langchain.agentTool"), "a type of its own");
        assert_eq!(catalog.nearest_credential("slackApi2"), Some("slackApi"));
        assert!(catalog.covers("n8n-nodes-base.x") && !catalog.covers("n8n-nodes-other.x"));
    }

    #[test]
    fn credentials_have_their_extended_types_and_scopes() {
        let catalog = Catalog::embedded();
        assert!(catalog.credential_extends("googleSheetsOAuth2Api", "oAuth2Api"));
        assert!(!catalog.credential_extends("slackApi", "oAuth2Api"));
        let sheets = catalog.credential("googleSheetsOAuth2Api").unwrap();
        assert!(sheets.scopes.contains(&"https://www.googleapis.com/auth/spreadsheets".to_owned()));
        assert!(catalog.credential("slackApi").unwrap().testable);
    }

    #[test]
    fn the_right_node_comes_first_in_a_search() {
        let first = |words: &str| search(Catalog::embedded(), &[words.to_owned()], 5).first().map(|hit| hit.name.clone());
        assert_eq!(first("google sheets").as_deref(), Some("n8n-nodes-base.googleSheets"));
        assert_eq!(first("slack").as_deref(), Some("n8n-nodes-base.slack"));
        assert_eq!(first("curl").as_deref(), Some("n8n-nodes-base.httpRequest"), "an alias");
        assert_eq!(first("sendAndWait slack").as_deref(), Some("n8n-nodes-base.slack"), "an operation");
        assert_eq!(first("zzzz"), None);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic() {
        assert!(matches!(Catalog::from_bytes(b"hello".to_vec()), Err(Unreadable::Kind)));
        for cut in [11, 13, 15, 100, EMBEDDED.len() / 2] {
            if let Ok(catalog) = Catalog::from_bytes(EMBEDDED[..cut].to_vec()) {
                assert!(catalog.node("n8n-nodes-base.slack").is_none());
            }
        }
        let mut turned = EMBEDDED.to_vec();
        let last = turned.len() - 1000;
        turned[last] ^= 0xff;
        let catalog = Catalog::from_bytes(turned).unwrap();
        let unreadable = catalog.index().credentials.iter().filter(|entry| catalog.credential(&entry.name).is_none()).count();
        assert!(unreadable > 0, "the checksum of the block tells");
    }

    #[test]
    fn a_required_parameter_without_default_is_missing() {
        let slack = Catalog::embedded().node("n8n-nodes-base.slack").unwrap();
        let facts = slack.version(2.2).unwrap();
        let written = json!({"select": "channel", "text": "hi"});
        let written: &Map<_, _> = written.as_object().unwrap();
        let full = filled(facts, written, 2.2, &slack.name).unwrap();
        assert_eq!(full["authentication"], "accessToken");
        let missing: Vec<String> = issues(facts, &full, 2.2, &slack.name).into_iter().map(|issue| issue.parameter).collect();
        assert_eq!(missing, ["channelId"]);
    }
}
