//! Output: for people the differences and a table, for programs one JSON object per line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::json;

use crate::domain::verdict::{Comparison, Outcome, Remark, Said, Subject};
use crate::manifest::Report;

/// Prints results as they arrive, so that a long run shows its progress.
pub(super) struct Output {
    json: bool,
    counts: BTreeMap<(Subject, Outcome), usize>,
    summary: Summary,
    well: usize,
    flagged: usize,
}

/// Summary of all results.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    asked: usize,
    /// Number of workflows that could not be read, or on which n8n gave no understandable verdict.
    pub(super) unasked: usize,
    /// True if n8n and the validator differ on any workflow.
    pub(super) differ: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json, counts: BTreeMap::new(), summary: Summary::default(), well: 0, flagged: 0 }
    }

    /// Reports a file without a readable workflow.
    pub(super) fn unread(&mut self, report: &Report) {
        self.summary.unasked += 1;
        if self.json {
            print(&json!({"file": report.name, "answer": "notAsked", "remarks": []}).to_string());
        } else {
            print(&format!("{}: not checked, because no workflow could be read", report.name));
        }
    }

    pub(super) fn compared(&mut self, report: &Report, said: &Said, comparison: &Comparison) {
        self.summary.asked += 1;
        self.summary.unasked += usize::from(matches!(said, Said::Unclear(_)));
        self.summary.differ |= !comparison.agrees();
        self.well += comparison.well;
        self.flagged += comparison.flagged;
        for remark in &comparison.remarks {
            *self.counts.entry((remark.subject, remark.outcome)).or_default() += 1;
        }
        if self.json {
            let line = json!({"file": report.name, "answer": answer(said), "remarks": comparison.remarks});
            return print(&line.to_string());
        }
        if let Said::Unclear(words) = said {
            print(&format!("{}: n8n gives no verdict: {words}", report.name));
        }
        let differences = comparison.remarks.iter().filter(|one| matches!(one.outcome, Outcome::Missed | Outcome::False));
        differences.for_each(|remark| print(&format!("{}: {}", report.name, difference(remark))));
    }

    /// Prints the table for people.
    pub(super) fn end(self) -> Summary {
        if !self.json {
            let count = |subject, outcome| self.counts.get(&(subject, outcome)).copied().unwrap_or_default();
            print(&format!("\n{:<12} {:>7} {:>7} {:>7} {:>7}", "", "agreed", "missed", "false", "beyond"));
            for subject in SUBJECTS {
                let [agreed, missed, wrong, beyond] =
                    [Outcome::Agreed, Outcome::Missed, Outcome::False, Outcome::Beyond].map(|outcome| count(*subject, outcome));
                print(&format!("{:<12} {agreed:>7} {missed:>7} {wrong:>7} {beyond:>7}", word(*subject)));
            }
            print(&format!("{} of {} nodes that n8n finds well configured have an error", self.flagged, self.well));
            print(&format!("{} workflows asked about, {} without a verdict", self.summary.asked, self.summary.unasked));
        }
        self.summary
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

/// Prints a line. A reader that closed the output early, as `head` does, is ignored, because scratch workflows still have to be deleted.
fn print(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
