//! How a model is asked. Servers differ in what they support and in the names of parameters; each refusal tells how to ask instead, and what
//! worked is remembered.

use super::error::{ErrorKind, ModelError};
use super::refusal::Refusal;
use crate::api::provider::OutputMode;

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Way of asking for JSON.
    pub mode: OutputMode,
    /// True once an answer came that was asked for in this way.
    pub confirmed: bool,
    /// Name of the parameter for the length of the answer.
    pub length: LengthParameter,
    /// True if a low temperature is requested; some models accept only their own.
    pub temperature: bool,
    /// True if rules are sent as system messages; some models accept only users' messages.
    pub system: bool,
}

/// Name of the parameter for the maximum length of the answer. Servers that do not know `max_completion_tokens` ignore it and answer without
/// end; those that do not know `max_tokens` any more refuse it. So the latter is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthParameter {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// Words that tell that a refusal is about the length parameter.
const LENGTH_WORDS: [&str; 2] = ["max_tokens", "max_completion_tokens"];
/// Words that tell that a refusal is about messages of the system.
const SYSTEM_WORDS: [&str; 4] = ["system role", "role 'system'", "role \"system\"", "system message"];

impl Style {
    /// Returns the style with which a model is asked first.
    pub const fn first(mode: OutputMode) -> Self {
        Self { mode, confirmed: false, length: LengthParameter::MaxTokens, temperature: true, system: true }
    }

    /// Returns how to ask instead after the server refused a request; None if the refusal has another cause, or nothing is left to try.
    /// `with_schema` tells whether JSON was asked for.
    pub fn after_refusal(self, refusal: &Refusal, with_schema: bool) -> Option<Self> {
        if !refusal.may_be_about_the_request() {
            return None;
        }
        let about = |words: &[&str]| words.iter().any(|word| refusal.mentions(word));
        if about(&LENGTH_WORDS) && self.length == LengthParameter::MaxTokens {
            return Some(Self { length: LengthParameter::MaxCompletionTokens, ..self });
        }
        if refusal.mentions("temperature") && self.temperature {
            return Some(Self { temperature: false, ..self });
        }
        if about(&SYSTEM_WORDS) && self.system {
            return Some(Self { system: false, ..self });
        }
        if refusal.has_another_cause() || !with_schema {
            return None;
        }
        self.mode.weaker().map(|mode| Self { mode, confirmed: false, ..self })
    }

    /// Returns how to ask after the server ignored the schema. The weaker ways of the server's own are skipped: each costs a call, and
    /// from here on the schema stands in the question.
    pub fn after_ignored_schema(self) -> Option<Self> {
        let mode = match self.mode {
            OutputMode::StrictSchema | OutputMode::Schema | OutputMode::Tool => OutputMode::Json,
            OutputMode::Json => OutputMode::Text,
            OutputMode::Text => return None,
        };
        Some(Self { mode, confirmed: false, ..self })
    }

    /// Returns the style, known to work.
    pub const fn confirmed(self) -> Self {
        Self { confirmed: true, ..self }
    }
}

/// Returns the error to report after the server refused every way of asking: the first one, unless the last tells something else.
pub fn most_telling(first: Option<ModelError>, last: ModelError) -> ModelError {
    match first {
        Some(first) if last.kind == ErrorKind::Rejected => first,
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Refusal {
        Refusal::read(status, body.as_bytes())
    }

    fn style(mode: OutputMode) -> Style {
        Style::first(mode)
    }

    #[test]
    fn a_refused_way_of_asking_is_followed_by_the_next_weaker_one() {
        for body in [
            r#"{"error":{"message":"Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.","param":"response_format"}}"#,
            r#"{"error":{"code":400,"message":"failed to parse grammar","type":"invalid_request_error"}}"#,
            r#"{"detail":"tool choice requires --enable-auto-tool-choice"}"#,
            "nobody understands this",
            "",
        ] {
            let mut style = style(OutputMode::StrictSchema);
            let mut tried = Vec::new();
            while let Some(next) = style.after_refusal(&refused(400, body), true) {
                tried.push(next.mode);
                style = next;
            }
            assert_eq!(tried, OutputMode::ALL[1..], "{body}");
            assert_eq!(style.after_refusal(&refused(400, body), false), None);
        }
    }

    #[test]
    fn a_refusal_with_another_cause_is_final() {
        for (status, body) in [
            (400, r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}"#),
            (404, r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#),
            (400, r#"{"error":{"message":"filtered","code":"content_filter"}}"#),
            (401, "{}"),
            (429, "{}"),
            (500, "{}"),
        ] {
            assert_eq!(style(OutputMode::Schema).after_refusal(&refused(status, body), true), None, "{body}");
        }
    }

    #[test]
    fn a_parameter_that_is_refused_is_sent_otherwise_once() {
        let body = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}}"#;
        let next = style(OutputMode::Schema).after_refusal(&refused(400, body), true).unwrap();
        assert_eq!((next.length, next.mode), (LengthParameter::MaxCompletionTokens, OutputMode::Schema));
        let body = r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model."}}"#;
        let next = next.after_refusal(&refused(400, body), false).unwrap();
        assert!(!next.temperature && next.length == LengthParameter::MaxCompletionTokens);
        let next = next.after_refusal(&refused(400, r#"{"error":"System role not supported"}"#), false).unwrap();
        assert!(!next.system);
    }

    #[test]
    fn an_ignored_schema_costs_at_most_two_more_calls() {
        let json = style(OutputMode::StrictSchema).after_ignored_schema().unwrap();
        let text = json.after_ignored_schema().unwrap();
        assert_eq!((json.mode, text.mode, text.after_ignored_schema()), (OutputMode::Json, OutputMode::Text, None));
    }
}
