//! The pipeline as a function of the request and the answers so far. It is run again from the start for each step, so that whoever keeps
//! the answers can stop at any point and go on, and never asks the same twice.

use std::collections::BTreeMap;

use super::calls::Step;
use super::complexity::choose;
use super::denied::Denied;
use super::edit::Base;
use super::evaluation::Context;
use super::request::{MOST_ATTEMPTS, Provider, Request, SECRET_IN_PROMPT};
use super::rounds::Rounds;
use crate::generation::builtin::propose;
use crate::generation::call::Answer;
use crate::generation::compact::Compact;
use crate::generation::hostile;
use crate::generation::outcome::{Failure, Outcome};
use crate::generation::prompt::{MAX_PROMPT, Prompt};
use crate::validator::content::secret::{holds_secret, without_secrets};

/// Largest compact form of a workflow that a prompt can change, in bytes.
const LARGEST_BASE: usize = 60_000;

/// Returns what is to be done next, given the answers so far by the key of their call. The same arguments give the same result.
pub fn step(request: &Request<'_>, answers: &BTreeMap<String, Answer>) -> Step {
    match run(request, answers) {
        Ok(outcome) => Step::Done(outcome),
        Err(step) => step,
    }
}

fn run(request: &Request<'_>, answers: &BTreeMap<String, Answer>) -> Result<Outcome, Step> {
    if let Some(outcome) = not_admitted(request) {
        return Ok(outcome);
    }
    if request.base.is_none() {
        // For patterns alone a secret is a reason to refuse; a model is asked without it.
        let clean = without_secrets(request.prompt).0;
        let first = propose(&Prompt {
            text: if request.provider == Provider::Builtin { request.prompt } else { &clean },
            answers: request.answers,
            timezone: request.timezone,
            clarification: request.clarification,
            catalog: request.catalog,
        });
        let allowed = |outcome: Outcome| within_policies(request, outcome);
        match (&first, request.provider) {
            (Outcome::Built(_) | Outcome::Refused(_), _) | (_, Provider::Builtin) => match allowed(first) {
                // A model may find another way where a pattern is refused.
                Outcome::Failed(_) if request.provider != Provider::Builtin => {}
                outcome => return Ok(outcome),
            },
            _ => {}
        }
    } else if request.provider == Provider::Builtin {
        let reason = "only a model can change a workflow; set a ModelProvider, or edit the workflow by hand";
        return Ok(failed(reason, Vec::new()));
    }
    by_model(request, answers)
}

/// Has a model make the workflow, whatever patterns could do.
pub(super) fn by_model(request: &Request<'_>, answers: &BTreeMap<String, Answer>) -> Result<Outcome, Step> {
    let denied = Denied::of(request.policies, request.catalog);
    let base = match request.base.map(|base| Base::of(base, request.catalog)) {
        None => None,
        Some(Ok(base)) => Some(base),
        Some(Err(findings)) => return Ok(failed("the workflow cannot be changed by a prompt; correct it first", findings)),
    };
    if base.as_ref().is_some_and(|base| size(&base.compact) > LARGEST_BASE) {
        return Ok(failed("the workflow is too large to be changed by a prompt; divide it, or edit it by hand", Vec::new()));
    }
    let context = Context::new(request, &denied, base.as_ref());
    let choice = choose(request, &denied);
    Rounds::new(&context, answers, choice).run()
}

/// Returns the outcome of a request for which nothing is done.
pub(super) fn not_admitted(request: &Request<'_>) -> Option<Outcome> {
    if request.prompt.trim().is_empty() {
        return Some(failed("the prompt is empty; say what the workflow is to do", Vec::new()));
    }
    if request.prompt.len() > MAX_PROMPT {
        let reason =
            format!("the prompt has {} bytes, and at most {MAX_PROMPT} are allowed; shorten it, or divide the work", request.prompt.len());
        return Some(failed(&reason, Vec::new()));
    }
    if !(1..=MOST_ATTEMPTS).contains(&request.attempts) {
        return Some(failed(&format!("attempts must be from 1 to {MOST_ATTEMPTS}"), Vec::new()));
    }
    let texts = std::iter::once(request.prompt).chain(request.answers.values().map(String::as_str));
    let reason = texts.into_iter().find_map(hostile::refusal)?;
    Some(Outcome::Refused(format!("{reason}; nothing is built for that, and no model was asked")))
}

fn failed(reason: &str, findings: Vec<crate::document::finding::Finding>) -> Outcome {
    Outcome::Failed(Failure { reason: reason.to_owned(), best: None, findings })
}

/// Returns the outcome, failed if the policies deny the workflow.
fn within_policies(request: &Request<'_>, outcome: Outcome) -> Outcome {
    let Outcome::Built(mut candidate) = outcome else { return outcome };
    let mut findings = Vec::new();
    Denied::of(request.policies, request.catalog).check(&candidate.definition, &mut findings);
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.into_iter().partition(crate::document::finding::Finding::is_error);
    candidate.findings.extend(warnings);
    if holds_secret(request.prompt) {
        candidate.assumptions.push(SECRET_IN_PROMPT.to_owned());
    }
    if errors.is_empty() {
        return Outcome::Built(candidate);
    }
    Outcome::Failed(Failure { reason: "policies of the namespace deny the workflow".to_owned(), best: Some(candidate), findings: errors })
}

fn size(compact: &Compact) -> usize {
    serde_json::to_string(compact).map_or(usize::MAX, |text| text.len())
}
