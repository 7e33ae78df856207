//! Lenient reading of JSON from others, so that no document can stop the reading of other documents: a value that nests too deep is left
//! out, and so are values that the reader does not need. serde_json skips a value without recursion, however deep it nests. A parsed value
//! takes many times the memory of its text (`{"a":1}` takes a hundred times as much), so its size is counted while it is read.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::document::json_path::JsonPath;

/// Maximum nesting of objects and arrays; deeper values are left out. serde_json reads 128 levels, of which a list or a watch event takes
/// two.
pub const LEVELS: usize = 120;

/// Maximum memory for one document, in bytes; values beyond it are left out. A workflow of 1 MB takes about 10 MB.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// Memory of a value in its list, of an entry in its object, and of a non-empty object, in bytes.
const VALUE: usize = 64;
const ENTRY: usize = 96;
const OBJECT: usize = 640;

/// Maximum length of the path of a value that was left out, in characters.
const PATH_CHARS: usize = 60;

/// Maximum number of duplicates that are recorded: a document can hold very many, each with a long path.
const MOST_DUPLICATES: usize = 100;

/// Paths that are not read, of one or two keys.
pub type Skip<'a> = &'a [&'a [&'a str]];

/// Selection of the parts of a value to read. For an array it applies to each item.
#[derive(Clone, Copy, Debug)]
pub enum Only {
    /// The whole value.
    All,
    /// These keys of an object, each with its own selection.
    Keys(&'static [(&'static str, Only)]),
}

/// The parts of a document that were read.
#[derive(Clone, Debug, PartialEq)]
pub struct Shallow {
    /// The document; null in place of a value that nests too deep, and nothing where the memory limit was reached.
    pub value: Value,
    /// Path of the first value that was left out, shortened.
    pub cut: Option<String>,
    /// Memory that the document takes, in bytes.
    pub weight: usize,
}

/// Explains why a part of a document was left out.
pub fn beyond() -> String {
    format!("nests deeper than {LEVELS} levels or takes more than {} MiB of memory", LARGEST / 1024 / 1024)
}

/// Memory budget that remains for reading.
#[derive(Debug)]
pub struct Meter(Cell<usize>);

impl Meter {
    /// Returns a meter with a budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        Self(Cell::new(bytes))
    }

    /// Reports whether something was left out because the budget was exhausted.
    pub fn is_empty(&self) -> bool {
        self.0.get() == 0
    }

    fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes).filter(|left| *left > 0);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Reads a document except for the values at the paths of `skip`.
///
/// # Errors
///
/// If the text is not JSON.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D, skip: Skip<'_>) -> Result<Shallow, D::Error> {
    read_as(deserializer, skip, Only::All, &Meter::new(LARGEST))
}

/// Does the same as [`read`], within the remaining budget of a meter.
///
/// # Errors
///
/// If the text is not JSON.
pub fn read_within<'de, D: Deserializer<'de>>(deserializer: D, skip: Skip<'_>, meter: &Meter) -> Result<Shallow, D::Error> {
    read_as(deserializer, skip, Only::All, meter)
}

/// Reads the selected parts of a document, within the remaining budget of a meter.
///
/// # Errors
///
/// If the text is not JSON.
pub fn read_only<'de, D: Deserializer<'de>>(deserializer: D, only: Only, meter: &Meter) -> Result<Shallow, D::Error> {
    read_as(deserializer, &[], only, meter)
}

fn read_as<'de, D: Deserializer<'de>>(deserializer: D, skip: Skip<'_>, only: Only, meter: &Meter) -> Result<Shallow, D::Error> {
    let before = meter.0.get();
    let mut notes = Notes { deepest: LEVELS, cut: None, duplicates: None, meter };
    let value = Reader { place: JsonPath::Root(""), level: 1, skip, only, notes: &mut notes }.deserialize(deserializer)?;
    Ok(Shallow { value, cut: notes.cut, weight: before - meter.0.get() })
}

/// Reads a whole document, and the paths of keys that replace earlier ones, which `serde_json::Value` silently loses.
///
/// # Errors
///
/// If the text is not JSON, or nests deeper than the deserializer allows.
pub fn read_whole<'de, D: Deserializer<'de>>(deserializer: D) -> (Result<Value, D::Error>, Vec<String>) {
    let mut notes = Notes { deepest: usize::MAX, cut: None, duplicates: Some(Vec::new()), meter: &Meter::new(usize::MAX) };
    let read = Reader { place: JsonPath::Root(""), level: 1, skip: &[], only: Only::All, notes: &mut notes }.deserialize(deserializer);
    (read, notes.duplicates.unwrap_or_default())
}

/// Replaces unpaired surrogates: JavaScript's strings may hold one half of a surrogate pair, which JSON writes as `\ud83d` and Rust's
/// strings cannot hold. Each is replaced by U+FFFD. Everything else stays as it is.
pub fn mend_surrogates(text: &mut [u8]) {
    let unit = |text: &[u8], at: usize| -> Option<u16> {
        let escape = text.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
        let digits = &escape[2..];
        digits.iter().all(u8::is_ascii_hexdigit).then(|| u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
    };
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        match unit(text, at) {
            Some(0xd800..=0xdbff) if matches!(unit(text, at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                text[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            Some(_) => at += 6,
            // Skips the escaped character, which may be a backslash.
            None => at = (at + 2).min(text.len()),
        }
    }
}

/// Notes about a document, collected while it is read.
struct Notes<'m> {
    /// Last level that is read.
    deepest: usize,
    cut: Option<String>,
    /// Paths of keys that replaced an earlier one, if they are requested.
    duplicates: Option<Vec<String>>,
    meter: &'m Meter,
}

struct Reader<'a, 'm> {
    place: JsonPath<'a>,
    /// Level of the value; the document itself is the first.
    level: usize,
    skip: Skip<'a>,
    only: Only,
    notes: &'a mut Notes<'m>,
}

impl Reader<'_, '_> {
    fn too_deep(&mut self) -> bool {
        self.level > self.notes.deepest && self.leave_out()
    }

    /// Reports whether the budget is smaller than `bytes`.
    fn too_large(&mut self, bytes: usize) -> bool {
        !self.notes.meter.take(bytes) && self.leave_out()
    }

    /// Records the path, if it is the first.
    fn leave_out(&mut self) -> bool {
        if self.notes.cut.is_none() {
            let path = self.place.written();
            let mut short: String = path.chars().take(PATH_CHARS).collect();
            if short.len() < path.len() {
                short.push('…');
            }
            self.notes.cut = Some(short);
        }
        true
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, '_> {
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
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that JSON cannot represent"))
    }

    fn visit_str<E>(mut self, value: &str) -> Result<Value, E> {
        Ok(if self.too_large(value.len()) { Value::Null } else { Value::String(value.to_owned()) })
    }

    fn visit_string<E>(mut self, value: String) -> Result<Value, E> {
        Ok(if self.too_large(value.len()) { Value::Null } else { Value::String(value) })
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        if self.too_deep() {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut out = Vec::new();
        loop {
            let place = JsonPath::Index(&self.place, out.len());
            match items.next_element_seed(Reader { place, level: self.level + 1, skip: &[], only: self.only, notes: &mut *self.notes })? {
                Some(item) => out.push(item),
                None => return Ok(Value::Array(out)),
            }
            if self.too_large(VALUE) {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Value::Array(out));
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        if self.too_deep() {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut out = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let below: Vec<&[&str]> =
                self.skip.iter().filter_map(|path| path.split_first()).filter(|(first, _)| **first == key).map(|(_, rest)| rest).collect();
            let only = match self.only {
                Only::All => Some(Only::All),
                Only::Keys(keys) => keys.iter().find(|(wanted, _)| *wanted == key).map(|(_, only)| *only),
            };
            let Some(only) = only.filter(|_| !below.iter().any(|rest| rest.is_empty())) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if self.too_large(key.len() + ENTRY + if out.is_empty() { OBJECT } else { 0 }) {
                entries.next_value::<IgnoredAny>()?;
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Value::Object(out));
            }
            let place = JsonPath::Key(&self.place, &key);
            let value = entries.next_value_seed(Reader { place, level: self.level + 1, skip: &below, only, notes: &mut *self.notes })?;
            match out.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(mut entry) => {
                    if let Some(duplicates) = self.notes.duplicates.as_mut().filter(|duplicates| duplicates.len() < MOST_DUPLICATES) {
                        duplicates.push(JsonPath::Key(&self.place, entry.key()).written());
                    }
                    entry.insert(value);
                }
            }
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shallow(text: &str, skip: Skip<'_>) -> Shallow {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let read = read(&mut deserializer, skip).unwrap();
        deserializer.end().unwrap();
        read
    }

    fn nested(levels: usize) -> String {
        format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn values_that_nest_too_deep_are_left_out_with_their_path() {
        assert_eq!(shallow(&nested(LEVELS), &[]).cut, None);
        for levels in [LEVELS + 1, 100_000] {
            let text = format!("{{\"x\":[{},2],\"y\":3}}", nested(levels));
            let Shallow { value, cut, .. } = shallow(&text, &[]);
            assert_eq!((&value["x"][1], &value["y"]), (&json!(2), &json!(3)), "{levels}");
            assert!(cut.as_deref().is_some_and(|path| path.starts_with("x[0].a.a.a") && path.chars().count() <= 61), "{cut:?}");
        }
    }

    #[test]
    fn skipped_paths_are_not_read() {
        let text = format!("{{\"metadata\":{{\"name\":\"n\",\"managedFields\":{0}}},\"managedFields\":1,\"data\":{0}}}", nested(500));
        let read = shallow(&text, &[&["metadata", "managedFields"], &["data"]]);
        assert_eq!((read.value, read.cut), (json!({ "metadata": { "name": "n" }, "managedFields": 1 }), None));
    }

    #[test]
    fn values_beyond_the_memory_limit_are_left_out_and_the_rest_is_counted() {
        for (item, wanted) in [("[]", 64), ("1", 64), ("{\"a\":1}", 800), ("\"aaaaaaaaaaaaaaaa\"", 80)] {
            let text = format!("{{\"many\":[{}],\"after\":1}}", vec![item; 1_000].join(","));
            let meter = Meter::new(LARGEST);
            let read_with = |meter: &Meter| read_within(&mut serde_json::Deserializer::from_str(&text), &[], meter).unwrap();
            let whole = read_with(&meter);
            assert_eq!((whole.cut, whole.value["after"].as_i64(), meter.is_empty()), (None, Some(1), false));
            assert!((wanted * 1_000..wanted * 1_000 + 2_000).contains(&whole.weight), "{item}: {}", whole.weight);
            let meter = Meter::new(whole.weight / 2);
            let half = read_with(&meter);
            let kept = half.value["many"].as_array().unwrap().len();
            assert!((400..=500).contains(&kept) && meter.is_empty(), "{item}: {kept}");
            assert!(half.cut.unwrap().starts_with("many"), "{item}");
        }
    }

    #[test]
    fn only_selected_keys_of_each_item_are_read() {
        const ONLY: Only = Only::Keys(&[("id", Only::All), ("nodes", Only::Keys(&[("type", Only::All)]))]);
        let text = format!(
            "{{\"id\":{{\"a\":1}},\"nodes\":[{{\"type\":\"t\",\"code\":{0}}},7,[{{\"type\":2,\"x\":3}}]],\"data\":{0}}}",
            nested(500)
        );
        let value = read_only(&mut serde_json::Deserializer::from_str(&text), ONLY, &Meter::new(LARGEST)).unwrap().value;
        assert_eq!(value, json!({ "id": { "a": 1 }, "nodes": [{ "type": "t" }, 7, [{ "type": 2 }]] }));
    }

    #[test]
    fn numbers_and_texts_are_read_as_serde_json_reads_them() {
        let text = r#"[0,-7,18446744073709551615,18446744073709551616,1e300,123.45678901234567,"\ud83d\ude00 ä",null,true,{}]"#;
        assert_eq!(shallow(text, &[]).value, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn only_a_half_of_a_character_is_replaced() {
        for (text, mended) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\uD83D""#, "\u{fffd}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83dx\u0041""#, "\u{fffd}xA"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\\\ud83d\"""#, "\\\u{fffd}\""),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            mend_surrogates(&mut bytes);
            assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), mended, "{text}");
        }
        for broken in [r#""\u"#, r#""\ud8"#, "\\", r#"\ud83d\"#, r#"\u+123"#] {
            mend_surrogates(&mut broken.as_bytes().to_vec());
        }
    }
}
