//! Table of the agreement, with the differences before it.

use std::collections::BTreeMap;
use std::fmt;

use weirkeeper::manifest::Report;

use super::compare::{Comparison, Outcome, Remark, Subject};
use super::words::Said;

/// The comparison of all workflows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// n8n's answer and the remarks, by the name of the workflow.
    pub(crate) lines: Vec<(String, &'static str, Vec<Remark>)>,
    /// Differences, and workflows without an answer, in words.
    notes: Vec<String>,
    counts: BTreeMap<(Subject, Outcome), usize>,
    asked: usize,
    /// Number of workflows that could not be read, or on which n8n gave no understandable answer.
    pub(crate) unasked: usize,
    /// True if n8n and the validator differ on any workflow.
    pub(crate) differs: bool,
    well: usize,
    flagged: usize,
}

impl Table {
    /// Adds a file without a readable workflow.
    pub(super) fn unread(&mut self, report: &Report) {
        self.unasked += 1;
        self.notes.push(format!("{}: not checked, because no workflow could be read", report.name));
        self.lines.push((report.name.clone(), "notAsked", Vec::new()));
    }

    /// Adds the comparison of a workflow.
    pub(super) fn compared(&mut self, report: &Report, said: &Said, comparison: &Comparison) {
        self.asked += 1;
        self.unasked += usize::from(matches!(said, Said::Unclear(_)));
        self.differs |= !comparison.agrees();
        self.well += comparison.well;
        self.flagged += comparison.flagged;
        for remark in &comparison.remarks {
            *self.counts.entry((remark.subject, remark.outcome)).or_default() += 1;
        }
        if let Said::Unclear(words) = said {
            self.notes.push(format!("{}: n8n gives no answer: {words}", report.name));
        }
        let differences = comparison.remarks.iter().filter(|one| matches!(one.outcome, Outcome::Missed | Outcome::False));
        self.notes.extend(differences.map(|remark| format!("{}: {}", report.name, difference(remark))));
        self.lines.push((report.name.clone(), answer(said), comparison.remarks.clone()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))?;
        let count = |subject, outcome| self.counts.get(&(subject, outcome)).copied().unwrap_or_default();
        writeln!(f, "\n{:<12} {:>7} {:>7} {:>7} {:>7}", "", "agreed", "missed", "false", "beyond")?;
        for subject in SUBJECTS {
            let [agreed, missed, wrong, beyond] =
                [Outcome::Agreed, Outcome::Missed, Outcome::False, Outcome::Beyond].map(|outcome| count(*subject, outcome));
            writeln!(f, "{:<12} {agreed:>7} {missed:>7} {wrong:>7} {beyond:>7}", word(*subject))?;
        }
        writeln!(f, "{} of {} nodes that n8n finds well configured have an error", self.flagged, self.well)?;
        writeln!(f, "{} workflows asked about, {} without an answer", self.asked, self.unasked)
    }
}

const SUBJECTS: &[Subject] =
    &[Subject::Structure, Subject::NodeType, Subject::Webhook, Subject::Trigger, Subject::Parameter, Subject::Credential, Subject::Other];

fn word(subject: Subject) -> &'static str {
    match subject {
        Subject::Structure => "structure",
        Subject::NodeType => "node type",
        Subject::Webhook => "webhook",
        Subject::Trigger => "trigger",
        Subject::Parameter => "parameter",
        Subject::Credential => "credential",
        Subject::Other => "other",
    }
}

fn answer(said: &Said) -> &'static str {
    match said {
        Said::Passed => "passed",
        Said::Unclear(_) => "unclear",
        _ => "refused",
    }
}

fn difference(remark: &Remark) -> String {
    let at = remark.node.as_ref().map(|node| format!("node \"{node}\": ")).unwrap_or_default();
    let subject = word(remark.subject);
    match remark.outcome {
        Outcome::Missed => format!("{at}missed: n8n refuses the {subject}: {}", remark.what),
        _ => format!("{at}false: n8n accepts the {subject}: {}", remark.what),
    }
}
