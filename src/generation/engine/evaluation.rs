//! From a compact workflow to a candidate, or to the findings that keep it from being one.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::autofix::{even, mend};
use super::checks::{self, Asked, Known};
use super::denied::Denied;
use super::edit::Base;
use super::graph::Flow;
use super::output::Effect;
use super::request::Request;
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, Severity, has_errors};
use crate::document::json_path::is_within;
use crate::generation::compact::{Compact, Compiled, compile, locate, read};
use crate::generation::credentials;
use crate::generation::outcome::{Candidate, Inputs, Route, as_inputs};
use crate::text::one_line;
use crate::validator::check::check;
use crate::validator::content::secret::holds_secret;

/// Rounds of certain corrections.
const ROUNDS: u32 = 4;
/// Warnings that a model can mend and mostly means otherwise. A repair is asked for once.
const DOUBTS: &[Code] = &[
    Code::AnswerAsData,
    Code::WebhookFieldUnknown,
    Code::SentPerItem,
    Code::ServiceUnused,
    Code::ExpressionWithoutEquals,
    Code::ExpressionWithoutBraces,
    Code::ExpressionNameUnknown,
    Code::ExpressionNodeNotBefore,
    Code::ParameterUnknown,
    Code::ParameterOfOtherVersion,
    Code::ParameterShape,
    Code::ParameterOption,
    Code::ParameterMissing,
    Code::NodeUnreachable,
    Code::NodeUnconnected,
    Code::TriggerDisconnected,
    Code::LoopNotClosed,
    Code::LoopOutputsSwapped,
    Code::LoopEndless,
    Code::LocatorMode,
    Code::RespondNodeMissing,
    Code::RespondWithoutWebhook,
    Code::ErrorOutputUnconnected,
    Code::SubNodeMissing,
    Code::FromAiOutsideTool,
];

/// Context that all evaluations of a generation share.
pub(super) struct Context<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) denied: &'a Denied<'a>,
    pub(super) base: Option<&'a Base<'a>>,
    pub(super) known: Known,
    asked: OnceCell<Asked>,
    /// Answers, as values of the slots that a model left.
    inputs: Inputs,
    /// Findings of the workflow that is changed: not the model's.
    old: BTreeSet<(Code, Option<String>, String)>,
}

/// A workflow of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// Its compact form.
    pub(super) workflow: Value,
    pub(super) assumptions: Vec<String>,
    pub(super) effects: Vec<Effect>,
    /// Corrections that were made.
    pub(super) fixes: Vec<String>,
}

/// Result of an evaluation.
pub(super) struct Evaluation {
    /// The workflow, if it compiles: errors may remain.
    pub(super) candidate: Option<Candidate>,
    /// Errors that keep it from being a result.
    pub(super) errors: Vec<Finding>,
    /// Doubts for which one repair is requested.
    pub(super) doubts: Vec<Finding>,
}

impl<'a> Context<'a> {
    pub(super) fn new(request: &'a Request<'a>, denied: &'a Denied<'a>, base: Option<&'a Base<'a>>) -> Self {
        let mut texts: Vec<String> = vec![request.prompt.to_owned()];
        texts.extend(request.answers.values().cloned());
        texts.extend(request.inventory.names().map(str::to_owned));
        texts.extend(request.conversation.iter().filter(|turn| turn.user).map(|turn| turn.text.clone()));
        let mut old = BTreeSet::new();
        if let Some(base) = base {
            texts.extend(serde_json::to_string(base.definition));
            old = check(base.definition, None, request.catalog).into_iter().map(identity).collect();
        }
        let known = Known::of(texts.iter().map(String::as_str), request.catalog);
        Self { known, asked: OnceCell::new(), inputs: as_inputs(request.answers), request, denied, base, old }
    }

    /// Returns what was asked for. It is read when there is an answer to check: every answer of a model begins the rounds again.
    fn asked(&self) -> &Asked {
        // A change is about a part of the workflow, and may only mention the rest.
        let read = || if self.base.is_some() { Asked::default() } else { Asked::of(self.request.prompt, self.request.catalog) };
        self.asked.get_or_init(read)
    }

    /// Evaluates a workflow. Certain mistakes are corrected in the draft.
    pub(super) fn evaluate(&self, draft: &mut Draft, route: &Route) -> Evaluation {
        let fixes = even(&mut draft.workflow);
        draft.fixes.extend(fixes);
        let mut left = ROUNDS;
        loop {
            left -= 1;
            let (compact, compiled) = match self.compiled(&draft.workflow) {
                Ok(done) => done,
                Err(findings) => {
                    if left > 0 && self.mended(draft, &findings) {
                        continue;
                    }
                    return Evaluation::failed(findings);
                }
            };
            let evaluation = self.checked(draft, &compact, compiled, route);
            let all: Vec<Finding> = evaluation.errors.iter().chain(&evaluation.doubts).cloned().collect();
            let suggested = evaluation.candidate.as_ref().map(|candidate| candidate.findings.clone()).unwrap_or_default();
            if left > 0 && self.mended(draft, &[all, suggested].concat()) {
                continue;
            }
            return evaluation;
        }
    }

    fn mended(&self, draft: &mut Draft, findings: &[Finding]) -> bool {
        let fixes = mend(&mut draft.workflow, findings, self.request.catalog);
        let any = !fixes.is_empty();
        draft.fixes.extend(fixes);
        any
    }

    fn compiled(&self, workflow: &Value) -> Result<(Compact, Compiled), Vec<Finding>> {
        let compact = read(workflow)?;
        let compiled = compile(&compact, &self.inputs, self.request.catalog)?;
        Ok((compact, compiled))
    }

    fn checked(&self, draft: &Draft, compact: &Compact, compiled: Compiled, route: &Route) -> Evaluation {
        let mut definition = match self.base {
            Some(base) => base.merged(compact, &compiled.definition),
            None => compiled.definition,
        };
        let mut findings = compiled.findings;
        if self.base.is_some_and(|base| *base.definition == definition) {
            let message = "the change changes nothing; return the nodes that are to differ";
            findings.push(Finding::error(Code::CompactInvalid, "change", message));
        }
        credentials::add(&mut definition, self.request.catalog);
        let mut checked = check(&definition, None, self.request.catalog);
        self.denied.check(&definition, &mut checked);
        let place = |finding: Finding| Finding { path: path_in(&finding.path, &definition, compact), ..finding };
        let mut checked: Vec<Finding> = checked.into_iter().map(place).collect();
        // A value that is still to be given is said once, and nothing is said about what stands in its place.
        let open: Vec<&String> = compiled.slots.iter().filter(|slot| slot.open).flat_map(|slot| &slot.paths).collect();
        checked.retain(|finding| !(open.iter().any(|path| is_within(&finding.path, path)) && is_of_value(finding.code)));
        checked.retain(|finding| finding.policy.is_some() || !self.old.contains(&identity(finding.clone())));
        findings.extend(checked);
        checks::check(&Flow::new(compact, &definition, self.request.catalog), &draft.effects, self.asked(), &self.known, &mut findings);
        settings_hold_no_secret(&definition, &mut findings);
        let errors: Vec<Finding> = findings.iter().filter(|finding| finding.is_error()).cloned().collect();
        let doubts =
            findings.iter().filter(|finding| finding.severity == Severity::Warning && DOUBTS.contains(&finding.code)).cloned().collect();
        let candidate = Candidate {
            definition,
            compact: Some(compact.clone()),
            slots: compiled.slots,
            route: route.clone(),
            assumptions: draft.assumptions.clone(),
            findings: findings.into_iter().filter(|finding| !finding.is_error()).collect(),
        };
        Evaluation { candidate: Some(candidate), errors, doubts }
    }
}

impl Evaluation {
    pub(super) fn failed(findings: Vec<Finding>) -> Self {
        let errors = if has_errors(&findings) { findings.into_iter().filter(Finding::is_error).collect() } else { findings };
        Self { candidate: None, errors, doubts: Vec::new() }
    }
}

fn identity(finding: Finding) -> (Code, Option<String>, String) {
    (finding.code, finding.node, finding.message)
}

/// Reports whether a finding is about a value, which the user of a slot will give.
fn is_of_value(code: Code) -> bool {
    !matches!(code, Code::PolicyNodeType | Code::PolicyHost | Code::SecretLiteral | Code::GeneratedForbidden | Code::SlotOpen)
}

/// Returns the place in the compact workflow of a place in the definition, whose nodes may be in another order.
fn path_in(path: &str, definition: &Definition, compact: &Compact) -> String {
    let moved = || {
        let (index, rest) = path.strip_prefix("nodes[")?.split_once(']')?;
        let node = definition.nodes.get(index.parse::<usize>().ok()?)?;
        let at = compact.nodes.iter().position(|own| own.name == node.name())?;
        Some(format!("nodes[{at}]{rest}"))
    };
    locate(&moved().unwrap_or_else(|| path.to_owned()))
}

/// The validator looks for secrets in parameters; a model may also write one into a name or a note.
fn settings_hold_no_secret(definition: &Definition, findings: &mut Vec<Finding>) {
    let texts = definition.nodes.iter().flat_map(|node| [node.name(), node.0.get("notes").and_then(Value::as_str).unwrap_or_default()]);
    if texts.chain(definition.name.as_deref()).any(holds_secret) {
        let message = "a name or a note contains a secret; leave it out";
        findings.push(Finding::error(Code::SecretLiteral, "nodes", one_line(message, 200)));
    }
}
