//! One JSON object per line for each workflow.

use serde_json::{Value, json};

use super::order::name;
use crate::manifest::{Placed, Report, Source};

pub(super) fn write(sources: &[Source], reports: &[Report], strict: bool) -> String {
    let line = |report: &Report| {
        let findings: Vec<Value> = report.findings.iter().map(|placed| finding(sources, report, placed)).collect();
        let line = json!({
            "file": report.name, "kind": report.kind, "valid": report.is_valid(strict), "findings": findings, "requiredCredentials": report.required,
        });
        format!("{line}\n")
    };
    reports.iter().map(line).collect()
}

/// Returns a finding as JSON. All keys are always present, and null if there is no value.
fn finding(sources: &[Source], report: &Report, placed: &Placed) -> Value {
    let finding = &placed.finding;
    let mut out = json!({
        "code": finding.code, "severity": finding.severity, "node": finding.node, "path": finding.path, "message": finding.message,
        "got": finding.got, "want": finding.want, "suggestion": finding.suggestion,
        "line": placed.span.map(|span| span.line), "column": placed.span.map(|span| span.column),
    });
    if placed.source != report.source {
        out["in"] = json!(name(sources, placed.source));
    }
    out
}
