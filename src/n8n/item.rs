//! Items of lists, each decoded for itself: one that cannot be read costs itself alone.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::operation::Operation;
use super::text::one_line;
use crate::domain::remote::{RemoteCredential, RemoteExecution, RemoteSummary, RemoteWorkflow, Tag};
use crate::domain::shallow::{self, Only, Shallow};

/// The longest name that is shown, in characters.
const NAME_CHARS: usize = 128;

/// An item that can be told from another.
pub(super) trait Listed: DeserializeOwned + Send + 'static {
    /// What is read of it.
    const ONLY: Only = Only::All;

    fn id(&self) -> &str;

    /// A part of it nests too deep and was left out.
    fn cut(self, _path: String) -> Self {
        self
    }
}

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
}

macro_rules! listed {
    ($($item:ty),*) => { $(impl Listed for $item { fn id(&self) -> &str { &self.id } })* };
}
listed!(RemoteCredential, RemoteExecution, Tag);

/// An item of a list.
#[derive(Debug)]
pub(super) enum Item<T> {
    Read(T),
    Unread(Unread),
}

/// An item of a list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its id; empty where even that cannot be read.
    pub id: String,
    /// Its name, on one line.
    pub name: String,
}

impl<T: Listed> Item<T> {
    /// The id, where it has one.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Read(item) => item.id(),
            Self::Unread(unread) => &unread.id,
        }
    }

    pub(super) fn read(self) -> Result<T, Unread> {
        match self {
            Self::Read(item) => Ok(item),
            Self::Unread(unread) => Err(unread),
        }
    }

    /// The item, or a line in the log for who can do nothing about one that cannot be read.
    pub(super) fn read_or_told(self, operation: Operation) -> Option<T> {
        self.read().inspect_err(|unread| tell(operation, unread)).ok()
    }
}

/// Names an item that is left out.
pub(super) fn tell(operation: Operation, unread: &Unread) {
    tracing::warn!(%operation, id = unread.id, name = unread.name, "an item of a list of n8n's cannot be read and is left out");
}

impl<'de, T: Listed> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shallow { mut value, cut } = shallow::read_only(deserializer, T::ONLY)?;
        let (id, name) = (value["id"].clone(), value["name"].as_str().map(|name| one_line(name, NAME_CHARS)));
        Ok(match T::deserialize(value.take()) {
            Ok(item) => Self::Read(match cut {
                Some(path) => item.cut(path),
                None => item,
            }),
            Err(_) => {
                let id = match id {
                    Value::String(id) => one_line(&id, NAME_CHARS),
                    Value::Number(id) => id.to_string(),
                    _ => String::new(),
                };
                Self::Unread(Unread { id, name: name.unwrap_or_default() })
            }
        })
    }
}
