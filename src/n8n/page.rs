//! A page of a list, read item by item within a bound.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::item::{Item, ItemSeed, Listed};
use crate::document::lenient_json::{LARGEST, Meter};

/// Maximum size of a page in bytes. A page with a single item may be as large as any answer.
pub(super) const LARGEST_PAGE: usize = 16 * 1024 * 1024;
/// Maximum length of a cursor.
const LARGEST_CURSOR: usize = 4096;
/// Maximum number of items on a page; n8n sends at most 250.
const MOST_ITEMS: usize = 1_000;

/// Page of any list of the public API.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<Item<T>>,
    pub(super) next_cursor: Option<String>,
    /// True if something was left out because the page takes too much memory.
    pub(super) full: bool,
}

impl<'de, T: Listed> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(Meter::new(LARGEST), PhantomData))
    }
}

struct Reader<T>(Meter, PhantomData<T>);

impl<'de, T: Listed> Visitor<'de> for Reader<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Page<T>, A::Error> {
        let (mut items, mut next_cursor) = (None, None);
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "data" => items = Some(entries.next_value_seed(Items(&self.0, PhantomData))?),
                "nextCursor" => next_cursor = entries.next_value()?,
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        if next_cursor.as_ref().is_some_and(|cursor: &String| cursor.len() > LARGEST_CURSOR) {
            return Err(A::Error::custom("a cursor that is too long"));
        }
        Ok(Page { items: items.ok_or_else(|| A::Error::missing_field("data"))?, next_cursor, full: self.0.is_empty() })
    }
}

struct Items<'m, T>(&'m Meter, PhantomData<T>);

impl<'de, T: Listed> DeserializeSeed<'de> for Items<'_, T> {
    type Value = Vec<Item<T>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Listed> Visitor<'de> for Items<'_, T> {
    type Value = Vec<Item<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = all.next_element_seed(ItemSeed(self.0, PhantomData))? {
            if items.len() == MOST_ITEMS {
                return Err(de::Error::custom("more items than a page has"));
            }
            items.push(item);
        }
        Ok(items)
    }
}
