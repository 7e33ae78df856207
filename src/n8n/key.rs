//! The API key: a JWT that n8n signs.

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::error::SettingsError;
use crate::text::is_deceptive;

/// Minimum number of consecutive characters of a key that are hidden wherever they occur.
const PART: usize = 12;
/// Minimum length of a key that is hidden; n8n has no shorter keys, and they would match parts of any text.
const SHORTEST: usize = 8;
/// Replacement for a key.
const HIDDEN: &str = "[API key]";

/// API key of n8n. Nothing shows it, not even `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// Parses the key as stored in a Secret; surrounding whitespace, such as a final newline, is dropped.
    ///
    /// # Errors
    /// If it is empty or cannot be sent as an HTTP header.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SettingsError::ApiKey);
        }
        let mut header = HeaderValue::from_str(text).map_err(|_| SettingsError::ApiKey)?;
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

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

/// Returns when the key expires: the `exp` claim, which is not verified. `None` for a key without expiry, or one that is not a JWT (n8n
/// before 1.82 created opaque keys).
pub fn key_expiry(key: &ApiKey) -> Option<jiff::Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }
    let claims = key.0.to_str().ok()?.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    // The cast from a float saturates, and jiff refuses values out of its range.
    jiff::Timestamp::from_second(claims.exp? as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> ApiKey {
        let body = URL_SAFE_NO_PAD.encode(claims);
        ApiKey::parse(&format!("eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl")).unwrap()
    }

    #[test]
    fn the_expiry_is_read_from_the_claims() {
        let expiry = |claims| key_expiry(&jwt(claims)).map(|t| t.to_string());
        assert_eq!(expiry(r#"{"sub":"u","exp":1790000000}"#).as_deref(), Some("2026-09-21T14:13:20Z"));
        assert_eq!(expiry(r#"{"sub":"u"}"#), None);
        assert_eq!(expiry(r#"{"exp":null}"#), None);
        assert_eq!(expiry(r#"{"exp":1e300}"#), None);
        assert_eq!(expiry("not json"), None);
        assert_eq!(key_expiry(&ApiKey::parse("n8n_api_0123456789abcdef").unwrap()), None);
        assert_eq!(key_expiry(&ApiKey::parse("a.!!!.c").unwrap()), None);
    }

    #[test]
    fn a_key_never_shows_itself() {
        let key = ApiKey::parse(" secret-key\n").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(redacted)");
        assert_eq!(key.header().to_str().unwrap(), "secret-key");
        assert!(key.header().is_sensitive());
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
        assert_eq!(ApiKey::parse(" \n"), Err(SettingsError::ApiKey));
        assert_eq!(ApiKey::parse("a\nb"), Err(SettingsError::ApiKey));
    }
}
