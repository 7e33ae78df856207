//! Deserialization of fields of n8n's answers: ids, and values that may be absent.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::text::one_line;

/// Maximum length of an id that is read; n8n's ids have 16 characters.
pub const LONGEST_ID: usize = 64;

pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// An id, which is a number in some releases and a string in others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        match id {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        }
    }
}

impl Id {
    /// Returns the id, unless n8n could not have assigned it.
    fn checked<E: Error>(self) -> Result<String, E> {
        let id = String::from(self);
        if id.len() > 4 * LONGEST_ID || one_line(&id, LONGEST_ID) != id {
            return Err(E::custom(format!("an id of more than {LONGEST_ID} characters or with unprintable ones")));
        }
        Ok(id)
    }
}

pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Id::deserialize(deserializer)?.checked()
}

pub(super) fn id_or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<Id>::deserialize(deserializer)?.map_or_else(|| Ok(String::new()), Id::checked)
}
