//! Names of files and order of findings.

use crate::manifest::{Placed, Report, Source};

/// Returns the name of a file of the set.
pub(super) fn name(sources: &[Source], number: usize) -> &str {
    sources.get(number).map_or("", |source| source.name.as_str())
}

/// Returns all findings with their reports, the most severe first, and those of equal severity in the order of the files.
pub(super) fn by_harm(reports: &[Report]) -> Vec<(&Report, &Placed)> {
    let mut all: Vec<_> = reports.iter().flat_map(|report| report.findings.iter().map(move |placed| (report, placed))).collect();
    all.sort_by_key(|(_, placed)| (placed.finding.severity, placed.finding.code.harm()));
    all
}
