//! Input of a generation.

use serde::Serialize;
use serde_json::json;

use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::generation::outcome::Answers;
use crate::generation::prompt::Clarification;
use crate::text::sha256::sha256_hex;
use crate::validator::policy::Policy;

/// Maximum number of attempts: the first and two repairs.
pub const MOST_ATTEMPTS: u32 = 3;
/// Text with the rules and the grammar that every call begins with.
pub(super) const RULES: &str = include_str!("rules.md");
/// Assumption that is reported if the prompt contained a secret.
pub(super) const SECRET_IN_PROMPT: &str = "The prompt contains what looks like a secret: it was left out and is used nowhere. Store it as a credential, and replace it where it was visible.";
/// Version of the rest of what a model is sent, and of the checks of its answers.
const VERSION: u32 = 1;

/// Input of a generation. The same request leads to the same calls.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The text of the user.
    pub prompt: &'a str,
    /// Answers to earlier questions, by the id of the question.
    pub answers: &'a Answers,
    /// Time zone of schedules; without one that of the instance applies.
    pub timezone: Option<&'a str>,
    /// Handling of what the prompt leaves open.
    pub clarification: Clarification,
    /// Model that is asked first.
    pub tier: Tier,
    /// Workflow that the prompt changes.
    pub base: Option<&'a Definition>,
    /// Failed execution of that workflow, which the change is to repair.
    pub failure: Option<&'a ExecutionFailure>,
    /// Earlier prompts, questions and results of the same object, the oldest first; the last ones that fit are sent.
    pub conversation: &'a [Turn],
    /// Names of what exists on the instance.
    pub inventory: &'a Inventory,
    /// Policies that apply to generated definitions, those of the namespace and the built-in one.
    pub policies: &'a [Policy<'a>],
    /// Facts about node types.
    pub catalog: &'a Catalog,
    /// Maker of the workflow.
    pub provider: Provider<'a>,
    /// Part of [`Request::input_hash`] and of the key of each call: another one asks everything again.
    pub salt: &'a str,
    /// Maximum number of attempts, from 1 to [`MOST_ATTEMPTS`].
    pub attempts: u32,
}

/// Model that is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Tier {
    /// As the complexity of the prompt suggests.
    #[default]
    Auto,
    /// The cheaper model.
    Simple,
    /// The more capable model.
    Complex,
}

/// Maker of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Provider<'a> {
    /// Templates and patterns alone.
    Builtin,
    /// Templates and patterns, then a model.
    Model {
        /// Identifies endpoint and models, so that another model leads to another [`Request::input_hash`].
        identity: &'a str,
    },
}

/// Failed execution of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExecutionFailure {
    /// Name of the node that failed.
    pub node: String,
    /// Message of the error.
    pub message: String,
    /// Shape of the node's input: keys and kinds of values, no values.
    pub input_shape: String,
}

/// A part of an earlier conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// True for the user, false for what was generated or asked.
    pub user: bool,
    /// The text.
    pub text: String,
}

/// Names of what exists on an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Credentials: type and name.
    pub credentials: Vec<(String, String)>,
    /// Data tables.
    pub data_tables: Vec<String>,
    /// Workflows that can be called.
    pub workflows: Vec<String>,
}

impl Inventory {
    /// Reports whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.credentials.is_empty() && self.data_tables.is_empty() && self.workflows.is_empty()
    }

    /// Returns all names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.credentials.iter().map(|(_, name)| name).chain(&self.data_tables).chain(&self.workflows).map(String::as_str)
    }
}

impl Request<'_> {
    /// Returns the digest of everything that the result depends on. As long as it is the same, nothing needs to be generated again.
    pub fn input_hash(&self) -> String {
        let policies: Vec<_> = self.policies.iter().map(|policy| json!([policy.name, policy.rules])).collect();
        let index = self.catalog.index();
        let inputs = json!({
            "prompt": self.prompt,
            "answers": self.answers,
            "timezone": self.timezone,
            "clarification": format!("{:?}", self.clarification),
            "tier": self.tier,
            "base": self.base,
            "failure": self.failure,
            "conversation": self.conversation,
            "inventory": self.inventory,
            "policies": policies,
            "catalog": [json!(index.n8n), json!(index.packages), json!(index.nodes.len())],
            "provider": self.provider,
            "attempts": self.attempts,
            "salt": self.salt,
            "version": VERSION,
            "rules": sha256_hex(RULES),
        });
        sha256_hex(inputs.to_string())
    }
}
