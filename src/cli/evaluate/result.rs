//! The result of a prompt.

use serde::{Deserialize, Serialize};

use super::expected::{Expects, Prompt};
use super::real::TrialResult;
use crate::cli::generate::drive::Driven;
use crate::document::finding::summarise;
use crate::generation::call::{Finish, Usage};
use crate::generation::cost::Prices;
use crate::generation::extract::extract;
use crate::generation::outcome::Outcome;
use crate::text::one_line;

/// The result of a prompt, as it is kept between runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    pub(super) id: String,
    pub(super) outcome: Kind,
    /// Message for people.
    pub(super) message: String,
    /// Maker of the workflow.
    pub(super) route: Option<String>,
    /// Lists of alternatives of which the workflow has one, and all lists.
    pub(super) triggers: (usize, usize),
    pub(super) essential: (usize, usize),
    /// Alternatives of which the workflow has none.
    pub(super) missing: Vec<String>,
    pub(super) nodes: usize,
    pub(super) attempts: usize,
    pub(super) calls: usize,
    /// True if the last call got no answer: that says nothing about the model, and is not kept between runs.
    #[serde(default)]
    pub(super) unanswered: bool,
    /// Calls whose answer had JSON.
    pub(super) parsed: usize,
    pub(super) usage: Usage,
    pub(super) milliseconds: u64,
    /// Cost in millionths, if prices were given.
    pub(super) cost: Option<i64>,
    /// Result of the trial in n8n, if there was one.
    pub(super) real: Option<TrialResult>,
}

/// Kind of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Built,
    Questions,
    Abstained,
    Refused,
    Failed,
}

impl Measured {
    /// Measures a generation.
    pub(super) fn of(prompt: &Prompt, driven: &Driven, prices: Option<Prices>) -> Self {
        let reference = prompt.reference.clone().unwrap_or_default();
        let types: Vec<&str> = match &driven.outcome {
            Outcome::Built(candidate) => candidate.definition.nodes.iter().map(crate::document::definition::Node::kind).collect(),
            _ => Vec::new(),
        };
        // A node that an agent uses as a tool is the node.
        let has = |alternatives: &&Vec<String>| {
            alternatives.iter().any(|kind| types.iter().any(|own| *own == kind.as_str() || own.strip_suffix("Tool") == Some(kind)))
        };
        let hits = |lists: &[Vec<String>]| (lists.iter().filter(has).count(), lists.len());
        let lists = reference.required_triggers.iter().chain(&reference.essential_nodes);
        let missing = if types.is_empty() { Vec::new() } else { lists.filter(|list| !has(list)).map(|list| list.join(" or ")).collect() };
        let (outcome, message, route) = reported(&driven.outcome);
        let replies = || driven.calls.iter().filter_map(|(_, answer)| answer.as_ref().ok());
        let cost = prices.map(|prices| replies().map(|reply| prices.cost(&reply.usage).micros()).sum());
        Self {
            id: prompt.id.clone(),
            outcome,
            message,
            route,
            triggers: hits(&reference.required_triggers),
            essential: hits(&reference.essential_nodes),
            missing,
            nodes: types.iter().filter(|kind| **kind != crate::document::node_types::STICKY_NOTE).count(),
            attempts: driven.attempts(),
            calls: driven.calls.len(),
            unanswered: driven.calls.last().is_some_and(|(_, answer)| answer.is_err()),
            parsed: replies().filter(|reply| reply.finish != Finish::Refused && extract(&reply.text).is_ok()).count(),
            usage: driven.usage(),
            milliseconds: u64::try_from((driven.waited + driven.worked).as_millis()).unwrap_or(u64::MAX),
            cost,
            real: None,
        }
    }

    /// Reports whether the outcome is of the kind that is expected.
    pub(super) fn as_expected(&self, expects: Expects) -> bool {
        match expects {
            Expects::Workflow => self.outcome == Kind::Built,
            Expects::Questions => self.outcome == Kind::Questions,
            Expects::Refusal => matches!(self.outcome, Kind::Refused | Kind::Abstained),
        }
    }

    /// Adds to what happened.
    pub(super) fn note(&mut self, text: String) {
        self.message = format!("{}; {text}", self.message);
    }

    /// Returns the result on one line.
    pub(super) fn line(&self) -> String {
        let real = self.real.as_ref().map(|result| format!(", n8n: {}", result.line())).unwrap_or_default();
        let missing = if self.missing.is_empty() { String::new() } else { format!(", missing {}", self.missing.join("; ")) };
        format!(
            "{}: {:?}, {} attempts, {} tokens out{}, {} ms{missing}{real}: {}",
            self.id,
            self.outcome,
            self.attempts,
            self.usage.output,
            if self.usage.estimated { " (estimated)" } else { "" },
            self.milliseconds,
            one_line(&self.message, 300)
        )
    }
}

fn reported(outcome: &Outcome) -> (Kind, String, Option<String>) {
    match outcome {
        Outcome::Built(candidate) => {
            let route = format!("{:?}", candidate.route.kind).to_lowercase();
            (Kind::Built, format!("{} by {}", candidate.definition.name.clone().unwrap_or_default(), candidate.route.name), Some(route))
        }
        Outcome::Questions(questions) => {
            let texts: Vec<&str> = questions.questions.iter().map(|question| question.text.as_str()).collect();
            (Kind::Questions, texts.join(" / "), None)
        }
        Outcome::Abstained(abstention) => (Kind::Abstained, abstention.reason.clone(), None),
        Outcome::Refused(reason) => (Kind::Refused, reason.clone(), None),
        Outcome::Failed(failure) if failure.findings.is_empty() => (Kind::Failed, failure.reason.clone(), None),
        Outcome::Failed(failure) => (Kind::Failed, format!("{}: {}", failure.reason, summarise(&failure.findings, 600)), None),
    }
}
