//! Calls of language models, as values: the engine returns what it wants to ask and is given the answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A question to a language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCall {
    /// Identifies the question: SHA-256 in hexadecimal of everything that its answer depends on, and of the number of the attempt.
    pub key: String,
    /// Part of the work that asks.
    pub stage: Stage,
    /// Which of the provider's models is asked.
    pub tier: ModelTier,
    /// The messages, those that rarely change first, so that a server can cache them.
    pub messages: Vec<Message>,
    /// The JSON that is wanted; text otherwise.
    pub output: Option<OutputSchema>,
    /// Maximum number of tokens of the answer.
    pub maximum_output_tokens: u32,
}

/// Part of the work that asks a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Understand the prompt and plan the workflow, in one call with the parameters if it is simple.
    Plan,
    /// Fill in the parameters of the nodes of a plan.
    Fill,
    /// Correct what the validator or a policy found.
    Repair,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::Plan, Self::Fill, Self::Repair];

    /// Returns the value of the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Fill => "fill",
            Self::Repair => "repair",
        }
    }
}

/// Which model of a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelTier {
    /// The cheaper model.
    Simple,
    /// The more capable model.
    Complex,
}

impl ModelTier {
    /// Returns the value of the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Complex => "complex",
        }
    }
}

/// A message of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Role of the speaker.
    pub role: Role,
    /// The text.
    pub text: String,
}

/// Speaker of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules.
    System,
    /// The user and the facts.
    User,
    /// An earlier answer of the model.
    Assistant,
}

/// The JSON that a model is to return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// Name of the schema: letters, digits, underscores.
    pub name: String,
    /// JSON Schema that fits the rules of strict schema output.
    pub strict: Value,
    /// JSON Schema for servers that take any schema.
    pub schema: Value,
}

/// An answer of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReply {
    /// The text, with fences and reasoning removed by nobody yet.
    pub text: String,
    /// Why the answer ended.
    pub finish: Finish,
    /// Tokens that the answer cost.
    pub usage: Usage,
    /// Name of the model that answered.
    pub model: String,
    /// Milliseconds from the request to the complete answer.
    pub milliseconds: u64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// It is complete.
    Stop,
    /// The maximum number of tokens was reached.
    Length,
    /// The model or a filter of the server refused.
    Refused,
}

/// Tokens of one or several calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the question.
    pub input: u64,
    /// Tokens of the question that the server had in a cache; part of `input`.
    pub cached: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// True if the server reported no usage, or an impossible one, so that the numbers are an estimate.
    pub estimated: bool,
}

impl Usage {
    /// Returns the sum of two usages.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
            estimated: self.estimated || other.estimated,
        }
    }

    /// Returns the number of tokens of questions and answers.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// A call that has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFailure {
    /// Message for people, without the server's body and without secrets.
    pub message: String,
    /// True if the server may have worked, and been paid, for the call.
    pub may_have_been_paid: bool,
}

/// Outcome of a call.
pub type Answer = Result<ModelReply, CallFailure>;
