//! The names and the order of what is reported.

use crate::manifest::{Placed, Report, Source};

/// The name of a file of the set.
pub(super) fn name(sources: &[Source], number: usize) -> &str {
    sources.get(number).map_or("", |source| source.name.as_str())
}

/// Every finding with its report, the worst first; those that are as bad in the order of the files.
pub(super) fn by_harm(reports: &[Report]) -> Vec<(&Report, &Placed)> {
    let mut all: Vec<_> = reports.iter().flat_map(|report| report.findings.iter().map(move |placed| (report, placed))).collect();
    all.sort_by_key(|(_, placed)| (placed.finding.severity, placed.finding.code.harm()));
    all
}
