//! Attempts of models: the first answer, the parameters of a plan, and repairs.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::calls::{Ask, ROOM, Step, asked_again};
use super::complexity::Choice;
use super::edit::apply;
use super::evaluation::{Context, Draft, Evaluation};
use super::fence::cut;
use super::fill;
use super::output::{Content, Reply, read};
use super::prompt::{Task, first, redacted};
use super::repair::{self, SentFindings};
use super::request::SECRET_IN_PROMPT;
use crate::document::finding::{Code, Finding};
use crate::generation::call::{Answer, Finish, Message, ModelCall, ModelReply, ModelTier, Role, Stage};
use crate::generation::extract::{NoJson, extract};
use crate::generation::outcome::{Abstention, Candidate, Failure, Outcome, Questions, Route, RouteKind};
use crate::generation::polls;
use crate::generation::prompt::Clarification;
use crate::text::sha256::sha256_hex;
use crate::validator::content::secret::{holds_secret, without_secrets};

/// The attempts of a generation.
pub(super) struct Rounds<'c, 'a> {
    context: &'c Context<'a>,
    answers: &'c BTreeMap<String, Answer>,
    choice: Choice,
    tier: ModelTier,
    sent: SentFindings,
    /// Digests of answers that had errors.
    wrong: BTreeSet<String>,
    /// The candidate with the fewest errors, and these.
    best: Option<(Box<Candidate>, Vec<Finding>)>,
    /// Number of answers that were lost.
    lost: Cell<u32>,
}

impl<'c, 'a> Rounds<'c, 'a> {
    pub(super) fn new(context: &'c Context<'a>, answers: &'c BTreeMap<String, Answer>, choice: Choice) -> Self {
        let tier = choice.tier;
        Self { context, answers, choice, tier, sent: SentFindings::default(), wrong: BTreeSet::new(), best: None, lost: Cell::new(0) }
    }

    /// Runs all rounds for which there are answers.
    pub(super) fn run(mut self) -> Result<Outcome, Step> {
        let request = self.context.request;
        let task = match (request.base, self.choice.planned) {
            (Some(_), _) if request.failure.is_some() => Task::Mend,
            (Some(_), _) => Task::Edit,
            (None, true) => Task::Plan,
            (None, false) => Task::Write,
        };
        let opening = first(request, self.context.denied, task, self.context.base.map(|base| &base.compact));
        let mut draft = Draft::default();
        if let Some(base) = self.context.base {
            draft.workflow = json!(base.compact);
        }
        let (mut messages, mut stage, mut attempt) = (opening.clone(), Stage::Plan, 1);
        loop {
            let content = if request.base.is_some() || stage == Stage::Repair { Content::Change } else { Content::Workflow };
            let reply = self.ask(stage, &messages, content, attempt)?;
            if reply.finish == Finish::Refused {
                return Ok(Outcome::Refused("the model refuses to answer; put the request in other words".to_owned()));
            }
            let read = extract(&reply.text).map_err(|error| Box::new(Finding::error(unread(error), "", error.to_string()))).and_then(read);
            let mut evaluation = match read {
                Err(finding) => Evaluation::failed(vec![*finding]),
                Ok(answer) => {
                    if let Some(outcome) = self.ends(&answer) {
                        return Ok(outcome);
                    }
                    match self.take(&mut draft, answer) {
                        Err(findings) => Evaluation::failed(findings),
                        Ok(()) => {
                            if self.choice.planned && attempt == 1 {
                                fill::fill(self.context, &mut draft, |calls| self.all(calls))?;
                            }
                            self.context.evaluate(&mut draft, &self.route())
                        }
                    }
                }
            };
            if let Some(candidate) = evaluation.candidate.as_mut() {
                self.complete(candidate, &draft);
            }
            let last = attempt + self.lost.get() >= request.attempts;
            let open = self.sent.open(&evaluation);
            if evaluation.errors.is_empty()
                && (last || open.is_empty())
                && let Some(candidate) = evaluation.candidate
            {
                return Ok(Outcome::Built(Box::new(candidate)));
            }
            // With warnings alone the candidate is a result if the repair fails.
            self.keep(evaluation);
            let same = !self.wrong.insert(sha256_hex(&reply.text));
            if last || open.is_empty() {
                return Ok(self.end(if last { "every attempt had errors" } else { "the same errors came back unchanged" }));
            }
            if same {
                if self.tier == ModelTier::Complex {
                    return Ok(self.end("the model gave the same wrong answer again"));
                }
                self.tier = ModelTier::Complex;
            }
            attempt += 1;
            if attempt + self.lost.get() >= request.attempts {
                self.tier = ModelTier::Complex;
            }
            stage = Stage::Repair;
            let present = if draft.workflow.is_object() {
                json!({"workflow": redacted(&draft.workflow)}).to_string()
            } else {
                without_secrets(cut(&reply.text, 4_000)).0
            };
            messages = opening.clone();
            messages.push(Message { role: Role::Assistant, text: present });
            messages.push(Message { role: Role::User, text: repair::text(&open, &draft, request.catalog) });
            self.sent.note(&open);
        }
    }

    /// Takes the workflow of an answer into the draft.
    fn take(&self, draft: &mut Draft, answer: Reply) -> Result<(), Vec<Finding>> {
        let mut change = answer.change;
        let workflow = match (answer.workflow, change.as_mut()) {
            (Some(workflow), _) => workflow,
            (None, Some(change)) if draft.workflow.is_object() => {
                for node in change.get_mut("nodes").and_then(Value::as_array_mut).into_iter().flatten() {
                    super::autofix::even_node(node, &mut draft.fixes);
                }
                apply(&draft.workflow, change)?
            }
            _ => {
                let message = "the answer has no workflow; return it whole under the key workflow";
                return Err(vec![Finding::error(Code::CompactInvalid, "workflow", message)]);
            }
        };
        draft.workflow = workflow;
        if !answer.assumptions.is_empty() {
            draft.assumptions = answer.assumptions;
        }
        if !answer.effects.is_empty() {
            draft.effects = answer.effects;
        }
        Ok(())
    }

    /// Returns the outcome of an answer that builds nothing, or asks first.
    fn ends(&self, answer: &Reply) -> Option<Outcome> {
        let request = self.context.request;
        let builds = answer.workflow.is_some() || answer.change.is_some();
        if let Some(refusal) = answer.refusal.as_ref().filter(|_| !builds) {
            return Some(if refusal.harmful {
                Outcome::Refused(refusal.reason.clone())
            } else {
                Outcome::Abstained(Abstention {
                    reason: refusal.reason.clone(),
                    nearest: refusal.nearest.iter().cloned().collect(),
                    ..Abstention::default()
                })
            });
        }
        let mut questions = answer.questions.clone();
        questions.retain(|question| !request.answers.contains_key(&question.id));
        match request.clarification {
            Clarification::Ask => {}
            // Defaults are assumed if that leads to a workflow.
            Clarification::AssumeDefaults => questions.retain(|question| question.default.is_none() || !builds),
            Clarification::Never if builds => questions.clear(),
            Clarification::Never => {
                let reason = match questions.first() {
                    Some(question) => format!("without an answer nothing is built: {}", question.text),
                    None => return None,
                };
                return Some(Outcome::Abstained(Abstention { reason, ..Abstention::default() }));
            }
        }
        (!questions.is_empty()).then(|| Outcome::Questions(Questions { questions, candidates: Vec::new() }))
    }

    fn route(&self) -> Route {
        let kind = match (self.context.base, self.choice.planned) {
            (Some(_), _) => RouteKind::Edit,
            (None, true) => RouteKind::Planned,
            (None, false) => RouteKind::Model,
        };
        Route { kind, name: self.tier.as_str().to_owned(), reason: self.choice.reason.clone() }
    }

    /// Adds to a candidate what code knows.
    fn complete(&self, candidate: &mut Candidate, draft: &Draft) {
        candidate.assumptions.extend(polls::assumption(&candidate.definition, self.context.request.catalog));
        candidate.assumptions.extend(draft.fixes.iter().map(|fix| format!("Corrected: {fix}")));
        if holds_secret(self.context.request.prompt) {
            candidate.assumptions.push(SECRET_IN_PROMPT.to_owned());
        }
    }

    /// Keeps the candidate with the fewest errors.
    fn keep(&mut self, evaluation: Evaluation) {
        let better =
            |best: &Option<(Box<Candidate>, Vec<Finding>)>| best.as_ref().is_none_or(|(_, errors)| evaluation.errors.len() <= errors.len());
        match evaluation.candidate {
            Some(candidate) if better(&self.best) => self.best = Some((Box::new(candidate), evaluation.errors)),
            _ => {}
        }
    }

    /// Returns the end after the last attempt: a candidate without errors if there was one.
    fn end(self, reason: &str) -> Outcome {
        match self.best {
            Some((candidate, errors)) if errors.is_empty() => Outcome::Built(candidate),
            Some((candidate, findings)) => Outcome::Failed(Failure { reason: reason.to_owned(), best: Some(candidate), findings }),
            None => Outcome::Failed(Failure { reason: reason.to_owned(), best: None, findings: self.sent.last }),
        }
    }

    /// Returns the answer of a call. One that was cut off is asked for once more, with twice the room; that is no attempt.
    fn ask(&self, stage: Stage, messages: &[Message], content: Content, attempt: u32) -> Result<ModelReply, Step> {
        let ask = |room| Ask { stage, tier: self.tier, messages: messages.to_vec(), content, room, attempt }.call(self.context.request);
        let reply = self.one(ask(ROOM))?;
        if reply.finish != Finish::Length {
            return Ok(reply);
        }
        self.one(ask(2 * ROOM))
    }

    fn one(&self, call: ModelCall) -> Result<ModelReply, Step> {
        let mut replies = self.all(vec![call])?;
        replies.pop().ok_or_else(|| Step::Call(Vec::new()))
    }

    /// Returns the answers of several calls, in their order.
    fn all(&self, calls: Vec<ModelCall>) -> Result<Vec<ModelReply>, Step> {
        let mut replies = Vec::with_capacity(calls.len());
        let mut missing = Vec::new();
        for mut call in calls {
            // An answer that was lost, and may have been paid, counts as an attempt.
            while let Some(Err(failure)) = self.answers.get(&call.key)
                && failure.may_have_been_paid
                && self.lost.get() + 1 < self.context.request.attempts
            {
                self.lost.set(self.lost.get() + 1);
                call = asked_again(&call, self.lost.get());
            }
            match self.answers.get(&call.key) {
                Some(Ok(reply)) => replies.push(reply.clone()),
                Some(Err(failure)) => {
                    let reason = format!("the model gave no answer: {}", failure.message);
                    return Err(Step::Done(Outcome::Failed(Failure {
                        reason,
                        best: self.best.clone().map(|(best, _)| best),
                        findings: Vec::new(),
                    })));
                }
                None => missing.push(call),
            }
        }
        if missing.is_empty() { Ok(replies) } else { Err(Step::Call(missing)) }
    }
}

/// Returns the code of an answer without JSON.
fn unread(why: NoJson) -> Code {
    match why {
        NoJson::Truncated => Code::DocumentTruncated,
        NoJson::TooLarge => Code::DocumentTooLarge,
        NoJson::Empty | NoJson::Absent | NoJson::Syntax => Code::DocumentSyntax,
    }
}
