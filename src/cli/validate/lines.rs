//! One line per finding, in the order of the files, for editors and `grep`.

use super::order::name;
use crate::manifest::{Report, Source};
use crate::text::shown as plain;

pub(super) fn write(sources: &[Source], reports: &[Report]) -> String {
    let mut out = String::new();
    for placed in reports.iter().flat_map(|report| &report.findings) {
        let finding = &placed.finding;
        let place = placed.span.map_or_else(String::new, |span| format!(":{}:{}", span.line, span.column));
        let file = plain(name(sources, placed.source));
        out.push_str(&format!("{file}{place}: {}[{}] {}\n", finding.severity, finding.code, plain(&finding.to_string())));
    }
    out
}
