//! Tokens of a call: those that the server reports if they can be true, an estimate otherwise.
//!
//! The estimate is one token for each three bytes of UTF-8, and four more for each message. Real vocabularies take about four bytes of
//! English text, three of JSON and two to three of other languages to a token, so that the estimate errs on the expensive side.

use serde_json::Value;

use crate::generation::call::{ModelCall, Usage};

/// Number of bytes for which a token is estimated.
const BYTES: u64 = 3;
/// Number of bytes of a token that is assumed where too few tokens would break a budget: Chinese takes about two.
const FEWEST_BYTES: u64 = 2;
/// Number of tokens that the template of a chat adds to a message.
const TEMPLATE: u64 = 4;
/// Maximum number of bytes of a token in a text that a person would send. A report of fewer tokens cannot be true.
const LONGEST_TOKEN: u64 = 32;
/// Number of tokens that servers add to a question on their own, such as the rules of a tool call.
const ADDED: u64 = 4096;

/// Sizes of a question and its answer, to which a report is compared.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes of the body of the request.
    pub question: u64,
    /// Bytes of the messages in it: a schema that the server enforces may cost no tokens.
    pub text: u64,
    /// Tokens that are estimated for the question.
    pub estimate: u64,
    /// Bytes of the text of the answer, with what the model thought.
    pub answer: u64,
    /// Maximum number of tokens that was asked for.
    pub maximum_output: u64,
}

/// Returns the estimated tokens of a text.
pub const fn tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES)
}

/// Returns the tokens to reserve for a call: as many as its question may take in any language, and the answer as long as it may become.
pub fn most(call: &ModelCall) -> Usage {
    let schema = call.output.as_ref().map_or(0, |output| output.strict.to_string().len().max(output.schema.to_string().len()));
    let bytes = call.messages.iter().map(|message| size(message.text.len())).sum::<u64>() + size(schema);
    let input = bytes.div_ceil(FEWEST_BYTES) + TEMPLATE * size(call.messages.len());
    Usage { input, cached: 0, output: u64::from(call.maximum_output_tokens), estimated: true }
}

/// Returns a number of bytes.
pub fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Returns the usage that a server reports, with an estimate in place of each number that is missing or cannot be true.
pub fn read(reported: Option<&Value>, sizes: Sizes) -> Usage {
    let field = |names: &[&str]| names.iter().find_map(|name| number(reported?.get(*name)?));
    let plausible_input = |tokens: &u64| (sizes.text / LONGEST_TOKEN..=sizes.question + ADDED).contains(tokens) && *tokens > 0;
    // Tokens of reasoning are part of the answer, but not always of its text.
    let most = sizes.maximum_output.max(sizes.answer) + TEMPLATE;
    let plausible_output = |tokens: &u64| (sizes.answer / LONGEST_TOKEN..=most).contains(tokens) && (*tokens > 0 || sizes.answer == 0);
    let input = field(&["prompt_tokens", "input_tokens"]).filter(plausible_input);
    let output = field(&["completion_tokens", "output_tokens"]).filter(plausible_output);
    let cached = reported.and_then(|usage| {
        let details = usage.get("prompt_tokens_details").or_else(|| usage.get("input_tokens_details"));
        let found = details.and_then(|details| details.get("cached_tokens")).or_else(|| usage.get("prompt_cache_hit_tokens"));
        number(found?)
    });
    let estimated = input.is_none() || output.is_none();
    let input = input.unwrap_or(sizes.estimate);
    // Cached tokens cost less: a report of more than there are is no reason to count less.
    let cached = cached.filter(|cached| *cached <= input && !estimated).unwrap_or(0);
    Usage { input, cached, output: output.unwrap_or_else(|| tokens(sizes.answer)), estimated }
}

/// Reads a number that may be written as a text or with a fraction.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => {
            number.as_u64().or_else(|| number.as_f64().filter(|float| *float >= 0.0 && *float < 1e15).map(|float| float as u64))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SIZES: Sizes = Sizes { question: 4000, text: 3600, estimate: 1300, answer: 900, maximum_output: 1000 };

    #[test]
    fn a_report_that_can_be_true_is_taken() {
        for (reported, cached) in [
            (json!({ "prompt_tokens": 1000, "completion_tokens": 250, "total_tokens": 1250 }), 0),
            (json!({ "prompt_tokens": "1000", "completion_tokens": 250.0, "prompt_tokens_details": { "cached_tokens": 900 } }), 900),
            (json!({ "input_tokens": 1000, "output_tokens": 250, "input_tokens_details": { "cached_tokens": 9000 } }), 0),
        ] {
            assert_eq!(read(Some(&reported), SIZES), Usage { input: 1000, cached, output: 250, estimated: false }, "{reported}");
        }
    }

    #[test]
    fn a_report_that_cannot_be_true_is_estimated() {
        let whole = Usage { input: 1300, cached: 0, output: 300, estimated: true };
        for reported in [
            json!(null),
            json!({}),
            json!([]),
            json!("many"),
            json!({ "prompt_tokens": 0, "completion_tokens": 0 }),
            json!({ "prompt_tokens": -5, "completion_tokens": -1 }),
            json!({ "prompt_tokens": 1, "completion_tokens": 1 }),
            json!({ "prompt_tokens": 1e300, "completion_tokens": 1e300 }),
            json!({ "prompt_tokens": 9_000_000, "completion_tokens": 9_000_000, "prompt_tokens_details": { "cached_tokens": 1000 } }),
            json!({ "prompt_tokens": "a", "completion_tokens": null }),
        ] {
            assert_eq!(read(Some(&reported), SIZES), whole, "{reported}");
        }
        assert_eq!(read(None, SIZES), whole);
        let half = json!({ "prompt_tokens": 1000, "completion_tokens": 99_999, "prompt_tokens_details": { "cached_tokens": 500 } });
        assert_eq!(read(Some(&half), SIZES), Usage { input: 1000, cached: 0, output: 300, estimated: true });
    }

    #[test]
    fn thinking_that_the_text_does_not_show_is_counted_up_to_the_maximum() {
        let reported = json!({ "prompt_tokens": 1000, "completion_tokens": 1000 });
        let short = Sizes { answer: 20, ..SIZES };
        assert_eq!(read(Some(&reported), short).output, 1000);
        assert_eq!(read(Some(&json!({ "prompt_tokens": 1000, "completion_tokens": 2000 })), short).output, 7);
    }
}
