//! Outcome of a generation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compact::{Compact, OpenValue};
use crate::document::definition::Definition;
use crate::document::finding::Finding;

/// Outcome of a generation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A workflow that has no errors.
    Built(Box<Candidate>),
    /// The answers to these questions change the workflow.
    Questions(Questions),
    /// Nothing can be built that would be right.
    Abstained(Abstention),
    /// The request is refused for everybody.
    Refused(String),
    /// Every attempt had errors.
    Failed(Failure),
}

/// A workflow that was generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The workflow as n8n takes it. Each node that needs a credential names it by the credential's type.
    pub definition: Definition,
    /// Its compact form, unless it comes from a template that has none.
    pub compact: Option<Compact>,
    /// Values that the user still has to give, at their places in the compact form.
    pub slots: Vec<OpenValue>,
    /// Its maker, with the reason for that choice.
    pub route: Route,
    /// Assumptions where the prompt says nothing, for people.
    pub assumptions: Vec<String>,
    /// Warnings of the validator.
    pub findings: Vec<Finding>,
}

/// Maker of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Kind of the maker.
    pub kind: RouteKind,
    /// Name of the template or of the patterns; the tier of a model.
    pub name: String,
    /// Why it was chosen, for people.
    pub reason: String,
}

/// Kind of what makes a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// A template, filled in.
    Template,
    /// Patterns, put together.
    Pattern,
    /// One call of a model.
    Model,
    /// A plan of a model, whose nodes further calls fill in.
    Planned,
    /// A change of an existing workflow by a model.
    Edit,
}

/// Questions to the user, and what the answers would lead to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    /// The questions, at most three.
    pub questions: Vec<Question>,
    /// The best candidates so far, for people: a template's name and title, or a sentence.
    pub candidates: Vec<String>,
}

/// A question to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Id that the answer is given for: a letter, then letters, digits, hyphens.
    pub id: String,
    /// The question.
    pub text: String,
    /// Possible answers; any text if there are none.
    pub options: Vec<String>,
    /// Answer that is assumed if the user lets defaults be assumed; none if a guess is not safe.
    pub default: Option<String>,
}

/// Analysis of a prompt for which nothing can be built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abstention {
    /// Why nothing is built, and what to do, for people.
    pub reason: String,
    /// Names of services.
    pub services: Vec<String>,
    /// Node types.
    pub node_types: Vec<String>,
    /// Types of credentials.
    pub credentials: Vec<String>,
    /// Nearest templates.
    pub nearest: Vec<String>,
}

/// Attempts that all had errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Why no further attempt is made, for people.
    pub reason: String,
    /// The best candidate: never deployed.
    pub best: Option<Box<Candidate>>,
    /// Its errors, or those of the last answer.
    pub findings: Vec<Finding>,
}

/// Answers of the user by the id of the question.
pub type Answers = std::collections::BTreeMap<String, String>;

/// Values of slots and of inputs of templates by name.
pub type Inputs = std::collections::BTreeMap<String, Value>;

/// Returns answers as values of slots: they are texts.
pub fn as_inputs(answers: &Answers) -> Inputs {
    answers.iter().map(|(name, answer)| (name.clone(), Value::String(answer.clone()))).collect()
}
