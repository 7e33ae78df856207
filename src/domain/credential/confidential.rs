//! Values that no message may show, in any encoding.

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use secrecy::{ExposeSecret, SecretString};

/// Number of consecutive characters of a value by which it is recognised.
const PART: usize = 6;
/// Minimum length of a value that is recognised; shorter ones would match parts of any text.
const SHORTEST: usize = 3;

/// Values that no message may show.
#[derive(Clone, Default)]
pub struct Confidential(Vec<SecretString>);

impl fmt::Debug for Confidential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Confidential({})", self.0.len())
    }
}

impl FromIterator<SecretString> for Confidential {
    fn from_iter<I: IntoIterator<Item = SecretString>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Confidential {
    /// Reports whether a text shows a value or a recognisable part of one, as it is, in base64 or in hexadecimal.
    pub fn stands_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let shown: HashSet<&str> = parts(&text).collect();
        self.0.iter().any(|value| shows(&text, &shown, value.expose_secret()))
    }
}

fn shows(text: &str, shown: &HashSet<&str>, value: &str) -> bool {
    let value = value.trim();
    if value.len() < SHORTEST {
        return false;
    }
    // Base64 depends on the position of the value in what is encoded.
    let encoded = (0..3).flat_map(|shift| {
        let bytes = [&b"\0\0\0"[..shift], value.as_bytes()].concat();
        // The first digits depend on what stands before, and the last ones on what follows.
        [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)].map(|all| all.get(4..all.len().saturating_sub(4)).unwrap_or_default().to_owned())
    });
    let hexadecimal: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = encoded.chain([hexadecimal, value.to_owned()]).filter(|form| form.len() >= SHORTEST);
    forms.any(|form| contains_part(text, shown, &form.to_lowercase()))
}

/// Reports whether a text, with the parts `shown`, contains [`PART`] consecutive characters of a value, or all of a shorter one. The value is
/// read once: it may have a megabyte, and texts are short.
fn contains_part(text: &str, shown: &HashSet<&str>, value: &str) -> bool {
    let mut parts = parts(value).peekable();
    match parts.peek() {
        Some(_) => parts.any(|part| shown.contains(part)),
        None => text.contains(value),
    }
}

/// Returns all sequences of [`PART`] consecutive characters.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let starts = || text.char_indices().map(|(at, _)| at);
    starts().zip(starts().chain([text.len()]).skip(PART)).map(|(from, to)| &text[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidential() -> Confidential {
        [["hunter", "2", "-Correct"].concat(), "ab".to_owned(), "xyz".to_owned()].into_iter().map(SecretString::from).collect()
    }

    #[test]
    fn a_value_is_recognised_in_any_encoding() {
        let value = ["hunter", "2", "-Correct"].concat();
        let hidden = confidential();
        for text in [
            value.clone(),
            format!("token {} is wrong", value.to_uppercase()),
            format!("…{}…", &value[3..10]),
            STANDARD.encode(format!("Bearer {value}")),
            STANDARD.encode(format!("user:{value}")),
            STANDARD.encode(&value),
            value.bytes().map(|byte| format!("{byte:02x}")).collect(),
            "the word xyz".to_owned(),
        ] {
            assert!(hidden.stands_in(&text), "{text}");
        }
        for text in ["Authorization failed - please check your credentials", "connect ECONNREFUSED 127.0.0.1:5432", "ab", ""] {
            assert!(!hidden.stands_in(text), "{text}");
        }
    }

    #[test]
    fn a_value_of_a_megabyte_is_compared() {
        let value: String = (0..1_000_000_u64).map(|number| char::from(b'a' + u8::try_from(number * number % 23).unwrap())).collect();
        let hidden: Confidential = [SecretString::from(value.clone())].into_iter().collect();
        assert!(hidden.stands_in(&format!("it is {}", &value[500_000..500_006])));
        assert!(!hidden.stands_in(&"No testing function found for this credential. ".repeat(6)));
    }

    #[test]
    fn values_do_not_show_themselves() {
        assert_eq!(format!("{:?}", confidential()), "Confidential(3)");
    }
}
