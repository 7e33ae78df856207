//! Reading JSON with an eye on duplicate keys, which `serde_json::Value` loses in silence.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::domain::path;

/// How many duplicates are noted: a document can hold very many, each with a long path.
const MOST_DUPLICATES: usize = 100;

/// Builds a [`Value`], noting the path of each key that replaces an earlier one.
pub(super) struct Tree<'a> {
    pub(super) place: Place<'a>,
    pub(super) duplicates: &'a mut Vec<String>,
}

/// Where a value stands, as a path that is only written down when it is needed.
#[derive(Clone, Copy)]
pub(in crate::domain) enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    pub(in crate::domain) fn written(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(outer, key) => path::key(&outer.written(), key),
            Self::Index(outer, index) => path::index(&outer.written(), *index),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that JSON cannot hold"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        loop {
            let seed = Tree { place: Place::Index(&self.place, out.len()), duplicates: &mut *self.duplicates };
            match items.next_element_seed(seed)? {
                Some(item) => out.push(item),
                None => return Ok(Value::Array(out)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let place = Place::Key(&self.place, &key);
            let value = entries.next_value_seed(Tree { place, duplicates: &mut *self.duplicates })?;
            if out.contains_key(&key) && self.duplicates.len() < MOST_DUPLICATES {
                self.duplicates.push(place.written());
            }
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}
