//! The API key of n8n: a JWT that n8n signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::http::ApiKey;

/// Returns when the key expires: the `exp` claim, which is not verified. `None` for a key without expiry, or one that is not a JWT (n8n
/// before 1.82 created opaque keys).
pub fn key_expiry(key: &ApiKey) -> Option<jiff::Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }
    let claims = key.expose()?.split('.').nth(1)?;
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
}
