//! The API key: a JWT that n8n signs.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::error::SettingsError;

/// An API key of n8n. Neither `Debug` nor anything else shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// Takes the key as a Secret holds it; surrounding whitespace, such as a final newline, is dropped.
    ///
    /// # Errors
    /// When nothing is left or it cannot be an HTTP header.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SettingsError::ApiKey);
        }
        let mut header = HeaderValue::from_str(text).map_err(|_| SettingsError::ApiKey)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// Tells whether the key stands in a text.
    pub fn stands_in(&self, text: &str) -> bool {
        self.0.to_str().is_ok_and(|key| text.contains(key))
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

/// When the key expires: the `exp` claim, which is not verified. `None` for a key without expiry, or one that is
/// not a JWT (n8n before 1.82 made opaque keys).
pub fn key_expiry(key: &ApiKey) -> Option<jiff::Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }
    let claims = key.0.to_str().ok()?.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    // A cast from a float saturates, and jiff refuses what is out of its range.
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
    fn an_empty_or_unsendable_key_is_refused() {
        assert_eq!(ApiKey::parse(" \n"), Err(SettingsError::ApiKey));
        assert_eq!(ApiKey::parse("a\nb"), Err(SettingsError::ApiKey));
    }
}
