//! SARIF 2.1.0: one log with one run.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::name;
use crate::domain::finding::{Code, Severity};
use crate::domain::manifest::{Placed, Report, Source};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) fn write(sources: &[Source], reports: &[Report]) -> String {
    let rules: Vec<Value> =
        Code::ALL.iter().map(|code| json!({ "id": code, "shortDescription": { "text": code.explanation() } })).collect();
    let results: Vec<Value> =
        reports.iter().flat_map(|report| report.findings.iter().map(|placed| result(sources, placed, &report.name))).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "weirkeeper", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": reports.iter().all(|report| report.readable) }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn result(sources: &[Source], placed: &Placed, workflow: &str) -> Value {
    let finding = &placed.finding;
    let mut location = json!({ "physicalLocation": { "artifactLocation": { "uri": uri(name(sources, placed.source)) } } });
    if let Some(span) = placed.span {
        location["physicalLocation"]["region"] =
            json!({ "startLine": span.line, "startColumn": span.column, "endLine": span.end_line, "endColumn": span.end_column });
    }
    if !finding.path.is_empty() {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": finding.path, "kind": "member" }]);
    }
    let rule = Code::ALL.iter().position(|code| *code == finding.code);
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    // The text of a finding names its node and path; the workflow tells several of one file apart.
    json!({
        "ruleId": finding.code, "ruleIndex": rule, "level": level, "message": { "text": finding.to_string() },
        "locations": [location], "properties": { "workflow": workflow },
    })
}

/// A file name as a reference (RFC 3986): relative as it was given, absolute as a file URL.
fn uri(name: &str) -> String {
    let mut out = if name.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in name.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(byte as char);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_become_references() {
        assert_eq!(uri("flows/über 1.json"), "flows/%C3%BCber%201.json");
        assert_eq!(uri("./a.json"), "a.json");
        assert_eq!(uri("/srv/a.json"), "file:///srv/a.json");
    }
}
