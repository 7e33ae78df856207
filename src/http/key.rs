//! A key that a server accepts: sent to one origin only, and hidden wherever it could be shown.

use std::collections::HashSet;
use std::fmt;

use reqwest::header::HeaderValue;
use thiserror::Error;

use crate::text::is_deceptive;

/// Minimum number of consecutive characters of a key that are hidden wherever they occur.
const PART: usize = 12;
/// Minimum length of a key that is hidden; servers give out no shorter keys, and they would match parts of any text.
const SHORTEST: usize = 8;
/// Replacement for a key.
const HIDDEN: &str = "[API key]";

/// Error for a text that is no key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the API key is empty or contains characters that cannot be sent")]
pub struct UnsendableKey;

/// API key of a server. Nothing shows it, not even `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// Parses the key as stored in a Secret; surrounding whitespace, such as a final newline, is dropped.
    ///
    /// # Errors
    /// If it is empty or cannot be sent as an HTTP header.
    pub fn parse(text: &str) -> Result<Self, UnsendableKey> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UnsendableKey);
        }
        let mut header = HeaderValue::from_str(text).map_err(|_| UnsendableKey)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// Reports whether a text contains the key.
    pub fn stands_in(&self, text: &str) -> bool {
        self.0.to_str().is_ok_and(|key| text.contains(key))
    }

    /// Returns the text without the key, and without any part of it that is long enough to be recognised.
    pub fn hide_in(&self, text: &str) -> String {
        let Some(key) = self.0.to_str().ok().filter(|key| key.len() >= SHORTEST) else { return text.to_owned() };
        let text: String = text.chars().filter(|c| !is_deceptive(*c)).collect();
        let size = PART.min(key.len());
        let parts: HashSet<&[u8]> = key.as_bytes().windows(size).collect();
        let mut hidden = vec![false; text.len()];
        for (at, window) in text.as_bytes().windows(size).enumerate() {
            if parts.contains(window) {
                hidden[at..at + size].fill(true);
            }
        }
        let mut out = String::with_capacity(text.len());
        for (at, character) in text.char_indices() {
            match (hidden[at], at > 0 && hidden[at - 1]) {
                (false, _) => out.push(character),
                (true, false) => out.push_str(HIDDEN),
                (true, true) => {}
            }
        }
        out
    }

    /// Hides the key in a text that contains it.
    pub fn hide(&self, text: &mut String) {
        if self.stands_in(text) {
            *text = self.hide_in(text);
        }
    }

    /// Returns the key as the value of a header.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Returns the value of the header `Authorization` with the key as a bearer token.
    pub fn bearer(&self) -> HeaderValue {
        let mut value = self.0.clone();
        if let Ok(bearer) = HeaderValue::from_bytes(&[b"Bearer ", self.0.as_bytes()].concat()) {
            value = bearer;
        }
        value.set_sensitive(true);
        value
    }

    /// Returns the key itself, for those who read what is in it.
    pub fn expose(&self) -> Option<&str> {
        self.0.to_str().ok()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows_itself() {
        let key = ApiKey::parse(" secret-key\n").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(redacted)");
        assert_eq!(key.header().to_str().unwrap(), "secret-key");
        assert!(key.header().is_sensitive());
        assert_eq!(key.bearer().to_str().unwrap(), "Bearer secret-key");
        assert!(key.bearer().is_sensitive());
    }

    #[test]
    fn neither_the_key_nor_a_part_of_it_is_left_in_a_text() {
        let key = ApiKey::parse(&["0123456789", "abcdefghij", "klmnopqrst"].concat()).unwrap();
        for (text, wanted) in [
            ("the key 0123456789abcdefghijklmnopqrst is wrong", "the key [API key] is wrong"),
            ("begins 0123456789abc… and ends ghijklmnopqrst", "begins [API key]… and ends [API key]"),
            ("ä0123456789abcdefghijklmnopqrstä", "ä[API key]ä"),
            ("0123456789a is too short to tell", "0123456789a is too short to tell"),
            ("", ""),
        ] {
            assert_eq!(key.hide_in(text), wanted);
        }
        assert_eq!(key.hide_in("0123456789\u{200b}abcdefghijklmnopqrst"), "[API key]");
        assert_eq!(ApiKey::parse("a").unwrap().hide_in("a word"), "a word");
    }

    #[test]
    fn an_empty_or_unsendable_key_is_refused() {
        assert_eq!(ApiKey::parse(" \n"), Err(UnsendableKey));
        assert_eq!(ApiKey::parse("a\nb"), Err(UnsendableKey));
    }
}
