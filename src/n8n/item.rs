//! Items of lists, each decoded separately: one that cannot be read does not affect the others.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer};
use serde_json::Value;

use super::operation::Operation;
use crate::document::lenient_json::{self, Meter, Only, Shallow};
use crate::domain::remote::{NAME_CHARS, RemoteCredential, RemoteExecution, RemoteSummary, RemoteWorkflow, Tag};
use crate::text::one_line;

/// Maximum length of the name or id of an unread item that is shown, in characters.
const SHOWN: usize = 128;
/// Maximum number of tags of a workflow that are kept.
const MOST_TAGS: usize = 64;
/// Maximum number of unreadable items of a list that are named in the log.
const MOST_LOGGED: usize = 20;

/// An item of a list.
pub(super) trait Listed: DeserializeOwned + Send + 'static {
    /// The part of the item that is read.
    const ONLY: Only = Only::All;

    fn id(&self) -> &str;

    /// Records that a part of the item was left out.
    fn cut(self, _path: String) -> Self {
        self
    }

    /// Limits the item to the parts that are kept, with bounded names.
    fn fit(&mut self) {}

    /// Returns the memory, in bytes, that the item takes in a list that is kept; 0 for items that only commands keep.
    fn weight(&self) -> usize {
        0
    }
}

/// Estimated size of an item without its texts, in bytes.
const ITEM: usize = 256;

impl Listed for RemoteWorkflow {
    fn id(&self) -> &str {
        &self.id
    }

    fn cut(self, path: String) -> Self {
        Self { cut: Some(path), ..self }
    }
}

impl Listed for RemoteSummary {
    const ONLY: Only = RemoteSummary::READ;

    fn id(&self) -> &str {
        &self.id
    }

    fn fit(&mut self) {
        shorten(&mut self.name);
        for version in [&mut self.version_id, &mut self.active_version_id].into_iter().flatten() {
            shorten(version);
        }
        self.tags.truncate(MOST_TAGS);
        self.tags.iter_mut().for_each(|tag| shorten(&mut tag.name));
        self.reduce_to_routes();
    }

    fn weight(&self) -> usize {
        let tags = self.tags.iter().map(|tag| ITEM + tag.name.len()).sum::<usize>();
        // A route is stored under each of its first segments.
        let routes = self.kept_routes().routes.iter().map(|route| ITEM + 4 * format!("{route:?}").len()).sum::<usize>();
        // The item itself, and what is kept of all that a listing shows.
        2 * ITEM + self.name.len() + tags + routes
    }
}

macro_rules! listed {
    ($($item:ty, $($text:ident),*;)*) => { $(impl Listed for $item {
        fn id(&self) -> &str { &self.id }
        fn fit(&mut self) { $(shorten(&mut self.$text);)* }
        fn weight(&self) -> usize { ITEM $(+ self.$text.len())* }
    })* };
}
listed! {
    RemoteCredential, name, kind;
    RemoteExecution, mode;
    Tag, name;
}

/// Cuts a text to slightly more than the maximum length of a name.
fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(NAME_CHARS) {
        text.truncate(end);
        text.shrink_to_fit();
    }
}

/// An item of a list.
#[derive(Debug)]
pub(super) enum Item<T> {
    Read(T),
    Unread(Unread),
}

/// An item of a list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its id; empty if that cannot be read either.
    pub id: String,
    /// Its name, on one line.
    pub name: String,
}

impl<T: Listed> Item<T> {
    /// Returns the id; empty if it has none.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Read(item) => item.id(),
            Self::Unread(unread) => &unread.id,
        }
    }

    /// Returns the memory that the item takes in a list that is kept.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Read(item) => item.weight(),
            Self::Unread(_) => 0,
        }
    }

    pub(super) fn read(self) -> Result<T, Unread> {
        match self {
            Self::Read(item) => Ok(item),
            Self::Unread(unread) => Err(unread),
        }
    }
}

/// Limit on the unreadable items of one list that are named in the log.
#[derive(Debug, Default)]
pub(super) struct UnreadLog(usize);

impl UnreadLog {
    /// Returns the item; one that cannot be read is logged and left out.
    pub(super) fn note<T>(&mut self, operation: Operation, item: Result<T, Unread>) -> Option<T> {
        let unread = match item {
            Ok(item) => return Some(item),
            Err(unread) => unread,
        };
        self.0 += 1;
        match self.0 {
            ..=MOST_LOGGED => {
                tracing::warn!(%operation, id = unread.id, name = unread.name, "skipping an unreadable item of a list");
            }
            count if count == MOST_LOGGED + 1 => tracing::warn!(%operation, "skipping more unreadable items of the list"),
            _ => {}
        }
        None
    }
}

/// Deserializes an item within the memory that a meter has left.
pub(super) struct ItemSeed<'m, T>(pub(super) &'m Meter, pub(super) PhantomData<T>);

impl<'de, T: Listed> DeserializeSeed<'de> for ItemSeed<'_, T> {
    type Value = Item<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item<T>, D::Error> {
        let Shallow { mut value, cut, .. } = lenient_json::read_only(deserializer, T::ONLY, self.0)?;
        let shown = |text: &Value| text.as_str().map(|text| one_line(text, SHOWN));
        let (id, name) = (shown(&value["id"]).or_else(|| Some(value["id"].as_u64()?.to_string())), shown(&value["name"]));
        Ok(match T::deserialize(value.take()) {
            Ok(item) => {
                let mut item = match cut {
                    Some(path) => item.cut(path),
                    None => item,
                };
                item.fit();
                Item::Read(item)
            }
            Err(_) => Item::Unread(Unread { id: id.unwrap_or_default(), name: name.unwrap_or_default() }),
        })
    }
}
