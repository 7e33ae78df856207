//! The request for a repair: the errors of an answer, as the model reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::evaluation::{Draft, Evaluation};
use super::signature::{Detail, OperationSignature, operations};
use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding};
use crate::text::one_line;

/// Maximum number of findings in one message.
const MOST: usize = 8;
/// Number of messages that may repeat a finding.
const MOST_REPEATS: u32 = 2;
/// Bytes of the signatures in one message.
const SIGNATURES: usize = 5_000;

/// Findings that the model was sent, and how often.
#[derive(Debug, Default)]
pub(super) struct SentFindings {
    times: BTreeMap<(Code, String, String), u32>,
    /// The errors of the last answer.
    pub(super) last: Vec<Finding>,
}

impl SentFindings {
    /// Returns the findings to send: errors, then warnings that were not sent yet. What came back unchanged twice is left out: either the
    /// model cannot mend it, or the finding is wrong.
    pub(super) fn open(&mut self, evaluation: &Evaluation) -> Vec<Finding> {
        self.last.clone_from(&evaluation.errors);
        let times = |finding: &Finding| self.times.get(&identity(finding)).copied().unwrap_or_default();
        let errors = evaluation.errors.iter().filter(|finding| times(finding) < MOST_REPEATS);
        let doubts = evaluation.doubts.iter().filter(|finding| times(finding) == 0);
        let mut seen = BTreeSet::new();
        errors.chain(doubts).filter(|finding| seen.insert(identity(finding))).take(MOST).cloned().collect()
    }

    /// Records that these findings were sent.
    pub(super) fn note(&mut self, findings: &[Finding]) {
        for finding in findings {
            *self.times.entry(identity(finding)).or_insert(0) += 1;
        }
    }
}

fn identity(finding: &Finding) -> (Code, String, String) {
    let place = finding.node.clone().unwrap_or_else(|| finding.path.clone());
    let field = finding.path.rsplit(']').next().unwrap_or_default();
    (finding.code, format!("{place}{field}"), finding.message.clone())
}

/// Returns the message that asks for a repair.
pub(super) fn text(findings: &[Finding], draft: &Draft, catalog: &Catalog) -> String {
    let mut out = "The workflow has these problems. Correct them and nothing else. Return `change` (`nodes`: the nodes that change or are new, each in full; `remove`: ids; \
                   `edges`: the full list if it changes, else null), or the whole `workflow` if most of it changes; leave the other null. Keep `effects` up to date.\n\n"
        .to_owned();
    for (number, finding) in findings.iter().enumerate() {
        let _ = writeln!(out, "{}. {}", number + 1, line(finding, &draft.workflow));
    }
    let signatures = signatures(findings, &draft.workflow, catalog);
    if !signatures.is_empty() {
        let _ = write!(out, "\nSignatures of these operations:\n{signatures}");
    }
    out
}

/// Returns a finding with the id of its node, on one line.
fn line(finding: &Finding, workflow: &Value) -> String {
    let id = index(&finding.path).and_then(|at| workflow.get("nodes")?.get(at)?.get("id")?.as_str().map(str::to_owned));
    let mut shown = finding.clone();
    if let Some(id) = id {
        let rest = finding.path.split_once(']').map_or("", |(_, rest)| rest).trim_start_matches('.');
        shown.path = if rest.is_empty() { id } else { format!("{id}.{rest}") };
    }
    one_line(&shown.to_string(), 700)
}

fn index(path: &str) -> Option<usize> {
    path.strip_prefix("nodes[")?.split_once(']')?.0.parse().ok()
}

/// Returns the exact signatures of the operations whose parameters have findings.
fn signatures(findings: &[Finding], workflow: &Value, catalog: &Catalog) -> String {
    let mut out = String::new();
    let mut seen = BTreeSet::new();
    for at in findings
        .iter()
        .filter(|finding| finding.path.contains(".set") || finding.path.contains(".use"))
        .filter_map(|finding| index(&finding.path))
    {
        let Some(node) = workflow.get("nodes").and_then(|nodes| nodes.get(at)) else { continue };
        let Some(text) = node.get("use").and_then(Value::as_str) else { continue };
        let set = node.get("set").and_then(Value::as_object).cloned().unwrap_or_default();
        for operation in named(text, catalog) {
            if !seen.insert(operation.clone()) {
                continue;
            }
            let Some(signature) = operation.signature_with(&set, catalog, Detail::EXACT) else { continue };
            if out.len() + signature.len() < SIGNATURES {
                let _ = writeln!(out, "{signature}");
            }
        }
    }
    out
}

/// Returns the operation that a `use` names; several if it names the type alone, or an operation that does not exist.
pub(super) fn named(text: &str, catalog: &Catalog) -> Vec<OperationSignature> {
    let text = text.trim_start_matches("type:").split('@').next().unwrap_or_default();
    let (kind, rest) = if text.starts_with("n8n-nodes-") {
        let (package, rest) = text.split_once('.').unwrap_or((text, ""));
        let (name, words) = rest.split_once('.').unwrap_or((rest, ""));
        (Some(format!("{package}.{name}")), words)
    } else {
        let (short, words) = text.split_once('.').unwrap_or((text, ""));
        (catalog.whole_names(short).into_iter().next(), words)
    };
    let Some(kind) = kind else { return Vec::new() };
    let all = operations(&kind, catalog);
    let words: Vec<&str> = rest.split('.').filter(|word| !word.is_empty()).collect();
    let fits = |operation: &&OperationSignature| {
        let own: Vec<&str> = [operation.resource.as_deref(), operation.operation.as_deref()].into_iter().flatten().collect();
        own == words || words.len() == 1 && own.last() == words.first()
    };
    match all.iter().find(fits) {
        Some(one) => vec![one.clone()],
        None => all
            .into_iter()
            .filter(|operation| words.first().is_none_or(|word| operation.resource.as_deref() == Some(word)))
            .take(4)
            .collect(),
    }
}
