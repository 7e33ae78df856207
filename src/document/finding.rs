//! Findings: what is wrong with a document, where, and how to fix it.

mod code;
mod describe;
mod rank;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::text::is_deceptive;

pub use code::Code;
pub use describe::kind_of;
pub use rank::Harm;

/// Approximate maximum number of findings for one document, see [`bounded`]: a document of a megabyte could have a hundred thousand, and
/// nobody reads that many.
pub const MAX_FINDINGS: usize = 10_000;
/// Maximum number of characters of a node's name in a finding.
const MAX_NAME: usize = 256;

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// n8n itself would refuse the document, or it cannot work.
    Error,
    /// Doubtful; never a reason to refuse.
    Warning,
    /// Worth knowing: a habit, or a value that the operator fills in. The operator does not show it.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        })
    }
}

/// A problem of a document.
///
/// No finding repeats a parameter value or a credential: both may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Code of the finding.
    pub code: Code,
    /// Severity.
    pub severity: Severity,
    /// JSON path such as `nodes[3].name`; empty for the whole document.
    pub path: String,
    /// Name of the node it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Description of the problem and its fix, as one sentence without a full stop.
    pub message: String,
    /// Description of the value that was found, for instance `a string`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// Description of the expected value, for instance `a number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub want: Option<String>,
    /// Name or value that the author probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Name of the WorkflowPolicy that it violates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

impl Finding {
    /// Returns an error.
    pub fn error(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, path.into(), message.into())
    }

    /// Returns a warning, or information if the code is advice.
    pub fn warning(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        let severity = if code.is_advice() { Severity::Info } else { Severity::Warning };
        Self::new(severity, code, path.into(), message.into())
    }

    fn new(severity: Severity, code: Code, path: String, message: String) -> Self {
        Self { code, severity, path, node: None, message, got: None, want: None, suggestion: None, policy: None }
    }

    /// Sets the node; an empty name is left out, a very long one is truncated.
    #[must_use]
    pub fn at_node(mut self, node: &str) -> Self {
        self.node = (!node.is_empty()).then(|| cut(node, MAX_NAME));
        self
    }

    /// Sets what was found and what is expected instead.
    #[must_use]
    pub fn mismatch(mut self, got: impl Into<String>, want: impl Into<String>) -> Self {
        self.got = Some(got.into());
        self.want = Some(want.into());
        self
    }

    /// Adds a suggestion, if there is one.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<impl AsRef<str>>) -> Self {
        self.suggestion = suggestion.map(|name| name.as_ref().to_owned()).filter(|name| name.len() <= 4 * MAX_NAME);
        self
    }

    /// Reports whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line: where, what, and how to fix it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "node {}: ", quoted(node))?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match (&self.got, &self.want) {
            (Some(got), Some(want)) => write!(f, " (found {got}, want {want})")?,
            (Some(got), None) => write!(f, " (found {got})")?,
            (None, Some(want)) => write!(f, " (want {want})")?,
            (None, None) => {}
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean {}?", quoted(suggestion))?;
        }
        Ok(())
    }
}

/// Returns a name in quotes on one line, truncated if the name is as long as a paragraph.
pub(crate) fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    out.push('"');
    for (count, c) in name.chars().enumerate() {
        if count == 80 {
            out.push('…');
            break;
        }
        match c {
            '"' => out.push_str("\\\""),
            c if c.is_control() || is_deceptive(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A name that is only put in quotes when a message is written.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(self.0))
    }
}

/// Reports whether there are so many findings that checks stop.
pub(crate) fn is_full(findings: &[Finding]) -> bool {
    findings.len() >= MAX_FINDINGS
}

/// Returns the findings in their order, at most [`MAX_FINDINGS`]. If there are more, the last finding says so; it is an error, since one of
/// those left out may be an error.
pub fn bounded(mut findings: Vec<Finding>) -> Vec<Finding> {
    if is_full(&findings) {
        findings.truncate(MAX_FINDINGS - 1);
        findings.push(Finding::error(Code::FindingsTooMany, "", "there are more findings than are listed; fix these first"));
    }
    findings
}

/// Reports whether any of the findings is an error.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::is_error)
}

/// Summarises the errors and warnings in at most `max_chars` characters, the worst first, for a condition or an admission message: `3
/// errors, 1 warning: …; …; and 2 more`. Information is left out.
///
/// Whole findings are left out rather than truncated; only a single one that does not fit alone is shortened.
pub fn summarise(findings: &[Finding], max_chars: usize) -> String {
    let mut ordered: Vec<&Finding> = findings.iter().filter(|finding| finding.severity < Severity::Info).collect();
    let errors = ordered.iter().filter(|finding| finding.is_error()).count();
    let head = match (errors, ordered.len() - errors) {
        (0, 0) => return cut("no findings", max_chars),
        (errors, 0) => counted(errors, "error"),
        (0, warnings) => counted(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    ordered.sort_by_key(|finding| (finding.severity, finding.code.harm()));
    let lines: Vec<String> = ordered.iter().map(ToString::to_string).collect();
    join_within(&head, &lines, max_chars)
}

/// Joins lines to `head: a; b; and N more` in at most `max_chars` characters.
pub(crate) fn join_within(head: &str, lines: &[String], max_chars: usize) -> String {
    let mut text = if head.is_empty() { String::new() } else { format!("{head}: ") };
    let mut used = text.chars().count();
    for (index, line) in lines.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        let left = lines.len() - index - 1;
        let reserve = if left == 0 { 0 } else { more(left).chars().count() };
        let length = line.chars().count() + separator.len();
        if used + length + reserve > max_chars {
            if index == 0 {
                let room = max_chars.saturating_sub(used + reserve);
                text.push_str(&cut(line, room));
                if left > 0 {
                    text.push_str(&more(left));
                }
            } else {
                text.push_str(&more(left + 1));
            }
            return cut(&text, max_chars);
        }
        text.push_str(separator);
        text.push_str(line);
        used += length;
    }
    text
}

fn more(count: usize) -> String {
    format!("; and {count} more")
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Returns the text in at most `max_chars` characters.
pub(crate) fn cut(text: &str, max_chars: usize) -> String {
    if text.len() <= max_chars || text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    if max_chars > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_finding_reads_as_one_line_that_says_where_what_and_what_to_do() {
        let finding = Finding::error(Code::ConnectionTargetUnknown, "connections.A.main[0][0].node", "no such node")
            .at_node("A")
            .suggest(Some("Send mail"));
        assert_eq!(finding.to_string(), r#"node "A": connections.A.main[0][0].node: no such node; did you mean "Send mail"?"#);
        let finding =
            Finding::error(Code::NodeFieldType, "nodes[1].typeVersion", "typeVersion has the wrong type").mismatch("a string", "a number");
        assert_eq!(finding.to_string(), "nodes[1].typeVersion: typeVersion has the wrong type (found a string, want a number)");
        assert!(!Finding::warning(Code::NodesMissing, "", "x").at_node("a\nb").to_string().contains('\n'));
    }

    #[test]
    fn a_summary_puts_errors_first_and_says_how_many_more_there_are() {
        let findings = vec![
            Finding::warning(Code::PinnedDataDropped, "pinData", "left out"),
            Finding::error(Code::NodeNameMissing, "nodes[0].name", "give it a name"),
            Finding::error(Code::NodeNameMissing, "nodes[1].name", "give it a name"),
        ];
        assert_eq!(
            summarise(&findings, 1000),
            "2 errors, 1 warning: nodes[0].name: give it a name; nodes[1].name: give it a name; pinData: left out"
        );
        assert_eq!(summarise(&findings, 70), "2 errors, 1 warning: nodes[0].name: give it a name; and 2 more");
        assert_eq!(summarise(&findings[..1], 100), "1 warning: pinData: left out");
        assert_eq!(summarise(&[], 100), "no findings");
    }

    #[test]
    fn every_code_is_unique() {
        let words: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
            assert!(code.explanation().ends_with('.'), "{code}");
        }
    }

    proptest! {
        #[test]
        fn a_summary_never_exceeds_its_bound(count in 0usize..6, text in ".{0,60}", max in 0usize..200) {
            let findings: Vec<Finding> =
                (0..count).map(|i| Finding::error(Code::NodesInvalid, format!("nodes[{i}]"), text.clone())).collect();
            prop_assert!(summarise(&findings, max).chars().count() <= max);
        }
    }
}
