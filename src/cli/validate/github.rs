//! Workflow commands of GitHub Actions: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.
//!
//! A step shows ten annotations of each kind, so the worst come first.

use super::order::{by_harm, name};
use crate::document::finding::Severity;
use crate::manifest::{Report, Source};
use crate::text::shown;

pub(super) fn write(sources: &[Source], reports: &[Report]) -> String {
    let mut out = String::new();
    for (_, placed) in by_harm(reports) {
        let finding = &placed.finding;
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let file = property(&shown(name(sources, placed.source).trim_start_matches("./")));
        let place = placed.span.map_or_else(String::new, |span| {
            // Columns are shown only for a range within one line.
            let end = if span.line == span.end_line { format!(",endColumn={}", span.end_column) } else { String::new() };
            format!(",line={},endLine={},col={}{end}", span.line, span.end_line, span.column)
        });
        let title = property(&format!("weirkeeper {}", finding.code));
        out.push_str(&format!("::{command} file={file}{place},title={title}::{}\n", data(&shown(&finding.to_string()))));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
