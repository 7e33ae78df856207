//! Reading of answers. Servers leave out fields, write null, lists in the place of texts, and names of their own.

use serde_json::Value;

use super::error::{ErrorKind, ModelError};
use crate::document::lenient_json::Only;
use crate::generation::call::{Finish, OutputSchema};
use crate::generation::extract;

/// The parts of an answer that are read; the memory for the rest, such as probabilities of tokens, is not taken.
pub const PARTS: Only = Only::Keys(&[
    ("error", Only::All),
    ("model", Only::All),
    ("usage", Only::All),
    (
        "choices",
        Only::Keys(&[
            ("finish_reason", Only::All),
            ("text", Only::All),
            (
                "message",
                Only::Keys(&[
                    ("content", Only::All),
                    ("refusal", Only::All),
                    ("reasoning_content", Only::All),
                    ("reasoning", Only::All),
                    ("tool_calls", Only::Keys(&[("function", Only::Keys(&[("arguments", Only::All)]))])),
                    ("function_call", Only::Keys(&[("arguments", Only::All)])),
                ]),
            ),
        ]),
    ),
]);

/// An answer as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The text, or the arguments of the tool that was called.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Bytes of the text and of what the model thought.
    pub bytes: u64,
    /// Name of the model that answered.
    pub model: Option<String>,
}

/// Reads the first choice of an answer.
///
/// # Errors
/// If there is none, or nothing is in it. It was paid for.
pub fn read(answer: &Value) -> Result<Read, ModelError> {
    let unusable = |what: &str| ModelError::paid(ErrorKind::Unusable, format!("the answer of the server cannot be used: {what}"));
    let choices =
        answer.get("choices").and_then(Value::as_array).ok_or_else(|| unusable("it has no choices, so this is no chat completion"))?;
    let choice = choices.first().ok_or_else(|| unusable("its list of choices is empty"))?;
    let message = choice.get("message").unwrap_or(&Value::Null);
    let thought = [message.get("reasoning_content"), message.get("reasoning")].into_iter().flatten().find_map(text);
    let said = message.get("content").and_then(text).or_else(|| choice.get("text").and_then(text)).filter(|text| !text.trim().is_empty());
    let called = message.get("tool_calls").and_then(|calls| arguments(calls.get(0)?.get("function")?));
    let called = called.or_else(|| arguments(message.get("function_call")?));
    let refusal = message.get("refusal").and_then(text).filter(|text| !text.is_empty());
    let finish = finish(choice.get("finish_reason").and_then(Value::as_str), refusal.is_some());
    // A server that cannot tell thoughts from answers puts both in the place of the thoughts.
    let from_thought = || thought.clone().filter(|text| finish == Finish::Stop && extract::extract(text).is_ok());
    let text = called.or(said).or_else(|| refusal.clone()).or_else(from_thought);
    if text.is_none() && finish == Finish::Stop {
        return Err(unusable("its text is empty"));
    }
    let text = text.unwrap_or_default();
    let bytes = super::usage::size(text.len() + thought.map_or(0, |thought| thought.len()));
    let model = answer.get("model").and_then(Value::as_str).map(|name| crate::text::one_line(name, 256)).filter(|name| !name.is_empty());
    Ok(Read { text, finish, bytes, model })
}

/// Reports whether an answer is an object with the keys that the root of a schema requires. A server that enforces a schema returns nothing
/// else; one that ignores it often does.
pub fn obeys(text: &str, output: &OutputSchema) -> bool {
    let Ok(object) = extract::extract(text) else { return false };
    let required = output.schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str).all(|key| object.contains_key(key))
}

/// Returns a text, which may be written as a list of parts.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()));
            Some(texts.collect::<Vec<_>>().concat())
        }
        _ => None,
    }
}

/// Returns the arguments of a call: JSON in a text, or, against the protocol, as an object.
fn arguments(function: &Value) -> Option<String> {
    match function.get("arguments")? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        object @ Value::Object(_) => Some(object.to_string()),
        _ => None,
    }
}

fn finish(reason: Option<&str>, refused: bool) -> Finish {
    match reason.unwrap_or_default().to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "model_length" | "max_output_tokens" => Finish::Length,
        "content_filter" | "safety" | "refusal" | "recitation" | "prohibited_content" => Finish::Refused,
        _ if refused => Finish::Refused,
        _ => Finish::Stop,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::llm::refusal::Refusal;
    use crate::llm::usage::{self, Sizes};

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        let names = prop::sample::select(vec![
            "error",
            "message",
            "code",
            "type",
            "detail",
            "choices",
            "content",
            "tool_calls",
            "function",
            "arguments",
            "refusal",
            "usage",
            "prompt_tokens",
            "completion_tokens",
            "finish_reason",
            "text",
        ]);
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names.clone(), inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_of_any_shape_causes_a_panic_or_an_absurd_usage(answer in any_json(), status in 100u16..600) {
            let sizes = Sizes { question: 4000, text: 3000, estimate: 1300, answer: 90, maximum_output: 1000 };
            let used = usage::read(answer.get("usage"), sizes);
            prop_assert!(used.input > 0 && used.input < 10_000 && used.output > 0 && used.output < 2_000 && used.cached <= used.input);
            let error = Refusal::read(status, answer.to_string().as_bytes()).error(None, None);
            let fits = error.message.chars().count() < 600 && !error.message.contains(['\n', '\u{202e}']);
            prop_assert!(fits, "{}", error.message);
            let _ = (read(&answer), Refusal::in_success(&answer));
        }
    }

    fn of(choice: &Value) -> Result<(String, Finish), ErrorKind> {
        read(&json!({ "choices": [choice] })).map(|read| (read.text, read.finish)).map_err(|error| error.kind)
    }

    #[test]
    fn the_text_is_found_wherever_servers_put_it() {
        let object = r#"{"a":1}"#;
        for choice in [
            json!({ "message": { "content": object }, "finish_reason": "stop" }),
            json!({ "message": { "content": object } }),
            json!({ "message": { "content": [{ "type": "text", "text": "{\"a\"" }, { "type": "text", "text": ":1}" }] }, "finish_reason": null }),
            json!({ "message": { "content": null, "tool_calls": [{ "function": { "name": "x", "arguments": object } }] }, "finish_reason": "tool_calls" }),
            json!({ "message": { "content": "", "tool_calls": [{ "function": { "arguments": { "a": 1 } } }] } }),
            json!({ "message": { "function_call": { "arguments": object } }, "finish_reason": "function_call" }),
            json!({ "text": object, "finish_reason": "stop" }),
            json!({ "message": { "content": null, "reasoning_content": object }, "finish_reason": "stop" }),
            json!({ "message": { "content": object, "reasoning_content": "I think that {\"b\":2}", "tool_calls": [] }, "finish_reason": "eos" }),
        ] {
            assert_eq!(of(&choice), Ok((object.to_owned(), Finish::Stop)), "{choice}");
        }
    }

    #[test]
    fn an_answer_says_why_it_ended() {
        for (choice, finish) in [
            (json!({ "message": { "content": "{\"a\":" }, "finish_reason": "length" }), Finish::Length),
            (json!({ "message": { "content": null, "reasoning": "hm" }, "finish_reason": "length" }), Finish::Length),
            (json!({ "message": { "content": null }, "finish_reason": "content_filter" }), Finish::Refused),
            (json!({ "message": { "content": null, "refusal": "I cannot help with that." }, "finish_reason": "stop" }), Finish::Refused),
        ] {
            assert_eq!(of(&choice).map(|(_, finish)| finish), Ok(finish), "{choice}");
        }
    }

    #[test]
    fn a_schema_is_obeyed_by_an_object_with_its_required_keys() {
        let output = |schema| OutputSchema { name: "x".to_owned(), strict: json!({}), schema };
        let schema = output(json!({ "type": "object", "required": ["a", "b"] }));
        assert!(obeys(r#"{"a":null,"b":1,"c":2}"#, &schema) && obeys("```json\n{\"a\":1,\"b\":2}\n```", &schema));
        assert!(!obeys(r#"{"a":1}"#, &schema) && !obeys("[1]", &schema) && !obeys("Sure, here you are.", &schema));
        assert!(obeys(r#"{"x":1}"#, &output(json!({}))));
    }

    #[test]
    fn an_answer_with_nothing_in_it_was_paid_for_and_cannot_be_used() {
        for answer in [
            json!({}),
            json!({ "choices": [] }),
            json!({ "choices": null }),
            json!({ "choices": [{}] }),
            json!({ "choices": [{ "message": { "content": null }, "finish_reason": "stop" }] }),
            json!({ "choices": [{ "message": { "content": "  " } }] }),
            json!({ "choices": ["x"] }),
        ] {
            let error = read(&answer).unwrap_err();
            assert!(error.kind == ErrorKind::Unusable && error.may_have_been_paid, "{answer}: {error:?}");
        }
    }
}
