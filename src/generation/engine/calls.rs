//! Calls of models, and the next step of a generation.

use serde_json::json;

use super::output::{Content, output_schema};
use super::request::Request;
use crate::generation::call::{Answer, Message, ModelCall, ModelTier, Stage};
use crate::generation::outcome::Outcome;
use crate::text::sha256::sha256_hex;

/// Maximum number of tokens of an answer; twice as many if it was cut off.
pub(super) const ROOM: u32 = 4_000;

/// The next step of a generation.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These calls are wanted; they do not depend on each other.
    Call(Vec<ModelCall>),
    /// The generation has ended.
    Done(Outcome),
}

/// Reports whether an answer counts as an attempt: it was to be a whole workflow or a correction, or it was lost and may have been paid. An answer
/// that was cut off and its repetition with more room are one attempt.
pub fn is_attempt(call: &ModelCall, answer: &Answer) -> bool {
    match answer {
        Ok(_) => call.stage != Stage::Fill && call.maximum_output_tokens <= ROOM,
        Err(failure) => failure.may_have_been_paid,
    }
}

/// Returns the same question as a new one, after its answer was lost so many times: a server may have been paid for each.
pub(super) fn asked_again(call: &ModelCall, lost: u32) -> ModelCall {
    ModelCall { key: sha256_hex(format!("{} {lost}", call.key)), ..call.clone() }
}

/// A call before it has a key.
pub(super) struct Ask {
    pub(super) stage: Stage,
    pub(super) tier: ModelTier,
    pub(super) messages: Vec<Message>,
    pub(super) content: Content,
    /// Maximum number of tokens of the answer.
    pub(super) room: u32,
    /// Number of the attempt.
    pub(super) attempt: u32,
}

impl Ask {
    /// Returns the call, whose key is the digest of all that its answer depends on.
    pub(super) fn call(self, request: &Request<'_>) -> ModelCall {
        let Self { stage, tier, messages, content, room, attempt } = self;
        let output = output_schema(content);
        let key = sha256_hex(json!([request.salt, request.provider, stage, tier, messages, output.strict, room, attempt]).to_string());
        ModelCall { key, stage, tier, messages, output: Some(output), maximum_output_tokens: room }
    }
}
