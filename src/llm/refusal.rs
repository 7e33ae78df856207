//! Meaning of answers that are no success. Servers and gateways write errors in many shapes; all are read, and none is trusted: the message is
//! put on one line, bounded, and the key in it is hidden.

use std::time::Duration;

use serde_json::Value;

use super::error::{ErrorKind, ModelError, seconds};
use crate::document::lenient_json;
use crate::http::ApiKey;
use crate::text::one_line;

/// Maximum length of the server's message, in characters.
const MESSAGE_CHARS: usize = 300;

/// Codes and types with which servers say that the account is exhausted: waiting does not help.
const QUOTA: [&str; 5] =
    ["insufficient_quota", "billing_hard_limit_reached", "quota_exceeded", "insufficient_credits", "billing_not_active"];
/// Words in messages with which servers say the same.
const QUOTA_WORDS: [&str; 4] = ["exceeded your current quota", "insufficient credits", "insufficient balance", "out of credits"];
/// Words with which servers say that question and answer are too long.
const TOO_LONG: [&str; 7] =
    ["context_length", "context length", "context size", "context window", "too many tokens", "exceed_context", "prompt is too long"];
/// Words with which servers say that they do not have the model.
const NO_MODEL: [&str; 4] = ["model_not_found", "no such model", "unknown model", "model not found"];
/// Words with which servers say that a filter refuses the question.
const FILTERED: [&str; 4] = ["content_filter", "content_policy", "content management policy", "moderation"];
/// Words with which gateways say that a model of theirs lacks a capability, with a status that means something else.
const CAPABILITY: [&str; 5] = ["response_format", "json_schema", "tool use", "tool_choice", "structured output"];

/// An answer that is no success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    /// The server's message, as it is.
    message: String,
    /// Code, type and parameter, in lower case.
    words: String,
    /// True if the body was JSON.
    is_json: bool,
}

impl Refusal {
    /// Reads the body of an answer.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let read = lenient_json::read(&mut serde_json::Deserializer::from_slice(body), &[]);
        let Ok(value) = read.map(|read| read.value) else { return Self { status, ..Self::default() } };
        let mut found = Self { status, is_json: value.is_object() || value.is_array(), ..Self::default() };
        found.take_in(&value, 0);
        found.words = found.words.to_lowercase();
        found
    }

    /// Takes in an error of any shape: an object with `message`, `detail`, `error` or `errors`, a text, or a list of those.
    fn take_in(&mut self, value: &Value, level: usize) {
        if level > 4 {
            return;
        }
        match value {
            Value::String(text) if self.message.is_empty() => text.clone_into(&mut self.message),
            Value::Array(items) => items.iter().take(8).for_each(|item| self.take_in(item, level + 1)),
            Value::Object(fields) => {
                for name in ["code", "type", "param", "status"] {
                    match fields.get(name) {
                        Some(Value::String(word)) => self.words = format!("{} {word}", self.words),
                        Some(Value::Number(number)) => self.words = format!("{} {number}", self.words),
                        _ => {}
                    }
                }
                for name in ["error", "errors", "message", "detail", "msg", "reason"] {
                    fields.get(name).into_iter().for_each(|inner| self.take_in(inner, level + 1));
                }
            }
            _ => {}
        }
    }

    /// Returns the refusal in an answer with status 200 whose body is an error, as some gateways send; None for another answer.
    pub fn in_success(value: &Value) -> Option<Self> {
        let error = value.get("error").filter(|error| !error.is_null())?;
        if value.get("choices").and_then(Value::as_array).is_some_and(|choices| !choices.is_empty()) {
            return None;
        }
        let mut found = Self { is_json: true, ..Self::default() };
        found.take_in(error, 0);
        found.words = found.words.to_lowercase();
        let code = error.get("code").or_else(|| error.get("status"));
        let code = code.and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
        found.status = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code)).unwrap_or(502);
        Some(found)
    }

    /// Reports whether code, type, parameter or message contain a word, whatever its case.
    pub fn mentions(&self, word: &str) -> bool {
        self.words.contains(word) || self.message.to_lowercase().contains(word)
    }

    /// Reports whether the refusal may be about the way in which the request was written.
    pub fn may_be_about_the_request(&self) -> bool {
        let capability = || CAPABILITY.iter().any(|word| self.mentions(word));
        matches!(self.status, 400 | 422) || (matches!(self.status, 404 | 405 | 500 | 501) && capability())
    }

    /// Reports whether the refusal names a cause that no other way of asking removes.
    pub fn has_another_cause(&self) -> bool {
        [&TOO_LONG[..], &NO_MODEL, &FILTERED, &QUOTA, &QUOTA_WORDS].iter().any(|words| words.iter().any(|word| self.mentions(word)))
    }

    /// Reports whether a filter of the server refused the question.
    pub fn is_filtered(&self) -> bool {
        matches!(self.status, 400 | 403 | 422) && FILTERED.iter().any(|word| self.mentions(word))
    }

    fn kind(&self) -> ErrorKind {
        let any = |words: &[&str]| words.iter().any(|word| self.mentions(word));
        match self.status {
            402 => ErrorKind::OutOfQuota,
            429 | 403 | 400 if any(&QUOTA) || any(&QUOTA_WORDS) => ErrorKind::OutOfQuota,
            401 | 403 => ErrorKind::Unauthorized,
            429 => ErrorKind::RateLimited,
            300..=399 => ErrorKind::NotApi,
            400 | 413 | 422 if any(&TOO_LONG) => ErrorKind::TooLong,
            413 => ErrorKind::TooLong,
            404 | 405 => ErrorKind::NotFound,
            // llama.cpp answers an unusable schema and a question that is too long with 500 in some versions.
            500 if any(&TOO_LONG) => ErrorKind::TooLong,
            // A capability that the server lacks does not come back by itself.
            500.. if self.may_be_about_the_request() => ErrorKind::Rejected,
            408 | 409 | 425 | 500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Rejected,
        }
    }

    /// Returns the error for people. `asked` is the pause that the server asks for.
    pub fn error(&self, asked: Option<Duration>, key: Option<&ApiKey>) -> ModelError {
        let kind = self.kind();
        let status = self.status;
        let said = if self.message.is_empty() {
            String::new()
        } else {
            let hidden = key.map_or_else(|| self.message.clone(), |key| key.hide_in(&self.message));
            format!(": {}", one_line(&hidden, MESSAGE_CHARS))
        };
        let message = match kind {
            // Servers repeat the beginning and the end of a wrong key.
            ErrorKind::Unauthorized => format!(
                "the server does not accept the key (HTTP {status}): store a valid key that may use the model in the Secret of the ModelProvider (WEIRKEEPER_MODEL_KEY on the command line)"
            ),
            ErrorKind::OutOfQuota => {
                format!("the account at the server is exhausted (HTTP {status}){said}; raise its limits or pay its bill")
            }
            ErrorKind::RateLimited => match asked {
                Some(wait) => format!(
                    "the server's rate limit is reached (HTTP {status}){said}; it asks to wait for {}; try again after that, or have the limit raised",
                    seconds(wait)
                ),
                None => format!("the server's rate limit is reached (HTTP {status}){said}; limits of the provider keep below it"),
            },
            ErrorKind::TooLong => {
                format!("question and answer are too long for the model (HTTP {status}){said}; name a model that reads more")
            }
            ErrorKind::NotFound if self.is_json => {
                format!(
                    "the server does not know the model or the path (HTTP {status}){said}; check the name of the model and the base URL"
                )
            }
            ErrorKind::NotFound | ErrorKind::NotApi => {
                format!("no server of models answers at the base URL (HTTP {status}); it is the part of the URL before /chat/completions")
            }
            ErrorKind::Unavailable => {
                format!("the server failed (HTTP {status}){said}; try again later, and look into its log if that does not help")
            }
            _ => format!("the server refuses the request (HTTP {status}){said}"),
        };
        ModelError { retry_after: asked, ..ModelError::new(kind, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_shape_are_read() {
        for (status, body, kind, said) in [
            (
                400,
                r#"{"error":{"message":"bad thing","type":"invalid_request_error","param":null,"code":null}}"#,
                ErrorKind::Rejected,
                "bad thing",
            ),
            (400, r#"{"error":{"code":400,"message":"bad thing"}}"#, ErrorKind::Rejected, "bad thing"),
            (400, r#"{"error":"bad thing"}"#, ErrorKind::Rejected, "bad thing"),
            (422, r#"{"detail":[{"loc":["body","x"],"msg":"bad thing","type":"missing"}]}"#, ErrorKind::Rejected, "bad thing"),
            (
                422,
                r#"{"object":"error","message":{"detail":[{"msg":"bad thing"}]},"type":"invalid","code":1500}"#,
                ErrorKind::Rejected,
                "bad thing",
            ),
            (500, r#"[{"error":{"code":500,"message":"bad thing","status":"INTERNAL"}}]"#, ErrorKind::Unavailable, "bad thing"),
            (503, "<html>no such thing</html>", ErrorKind::Unavailable, "HTTP 503"),
            (500, "", ErrorKind::Unavailable, "HTTP 500"),
            (400, r#""bad thing""#, ErrorKind::Rejected, "bad thing"),
            (404, "404 page not found", ErrorKind::NotFound, "/chat/completions"),
            (
                404,
                r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
                ErrorKind::NotFound,
                "does not exist",
            ),
            (429, r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#, ErrorKind::RateLimited, "Rate limit"),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
                ErrorKind::OutOfQuota,
                "exhausted",
            ),
            (402, r#"{"error":{"message":"Insufficient credits","code":402}}"#, ErrorKind::OutOfQuota, "exhausted"),
            (400, r#"{"error":{"message":"maximum context length is 8192","code":"context_length_exceeded"}}"#, ErrorKind::TooLong, "8192"),
            (302, "", ErrorKind::NotApi, "base URL"),
            (529, "{}", ErrorKind::Unavailable, "HTTP 529"),
        ] {
            let error = Refusal::read(status, body.as_bytes()).error(None, None);
            assert!(error.kind == kind && error.message.contains(said) && !error.may_have_been_paid, "{status} {body}: {error:?}");
        }
    }

    #[test]
    fn neither_a_key_nor_a_long_or_deceptive_message_gets_through() {
        let text = ["wk", "-", "0123456789abcdefghij"].concat();
        let key = ApiKey::parse(&text).unwrap();
        let body =
            serde_json::json!({ "error": { "message": format!("key {text}\nReady: True\u{202e} {}", "x".repeat(5000)) } }).to_string();
        let error = Refusal::read(400, body.as_bytes()).error(None, Some(&key));
        assert!(!error.message.contains(&text[..14]) && !error.message.contains('\n') && error.message.chars().count() < 400, "{error}");
        let shown = Refusal::read(401, br#"{"error":{"message":"Incorrect API key provided: wk-01****ghij"}}"#).error(None, Some(&key));
        assert!(!shown.message.contains("wk-01"), "{shown}");
    }

    #[test]
    fn an_error_in_a_success_has_its_own_status() {
        let read = |text: &str| Refusal::in_success(&serde_json::from_str(text).unwrap()).map(|refusal| refusal.error(None, None).kind);
        assert_eq!(read(r#"{"error":{"message":"slow down","code":429}}"#), Some(ErrorKind::RateLimited));
        assert_eq!(read(r#"{"error":{"message":"slow down","code":"429"}}"#), Some(ErrorKind::RateLimited));
        assert_eq!(read(r#"{"error":"overloaded"}"#), Some(ErrorKind::Unavailable));
        assert_eq!(read(r#"{"error":null,"choices":[]}"#), None);
        assert_eq!(read(r#"{"error":{"code":400},"choices":[{}]}"#), None);
    }
}
