//! SARIF 2.1.0: one log with one run.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::explain;
use super::order::name;
use crate::document::finding::{Code, Severity};
use crate::manifest::{Placed, Report, Source};
use crate::text::sha256::sha256_hex;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Name of the fingerprint, with the version of its algorithm.
const FINGERPRINT: &str = "weirkeeper/v1";

pub(super) fn write(sources: &[Source], reports: &[Report]) -> String {
    let rules: Vec<Value> = Code::ALL.iter().map(|code| rule(*code)).collect();
    let mut seen = HashMap::new();
    let mut results = Vec::new();
    for report in reports {
        for placed in &report.findings {
            results.push(result(sources, placed, &report.name, &mut seen));
        }
    }
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

/// Returns a rule, with the section of the page of findings as its help.
fn rule(code: Code) -> Value {
    let section = explain::section(code);
    // The page names the severity of a code first; of several, the most severe is the default.
    let level = match section.split_terminator([' ', '.']).next().unwrap_or_default() {
        "**Info" => Severity::Info,
        "**Warning" => Severity::Warning,
        _ => Severity::Error,
    };
    json!({
        "id": code,
        "shortDescription": { "text": code.explanation() },
        "helpUri": explain::address(code),
        "help": { "text": section, "markdown": section },
        "defaultConfiguration": { "level": level_of(level) },
    })
}

const fn level_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn result(sources: &[Source], placed: &Placed, workflow: &str, seen: &mut HashMap<String, usize>) -> Value {
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
    // The text of a finding names its node and path; the workflow distinguishes several in one file.
    json!({
        "ruleId": finding.code, "ruleIndex": rule, "level": level_of(finding.severity), "message": { "text": finding.to_string() },
        "locations": [location], "properties": { "workflow": workflow },
        "partialFingerprints": { FINGERPRINT: fingerprint(workflow, placed, seen) },
    })
}

/// Returns a fingerprint that does not depend on the lines above the finding: workflow, code and node, or the path if there is no node.
fn fingerprint(workflow: &str, placed: &Placed, seen: &mut HashMap<String, usize>) -> String {
    let finding = &placed.finding;
    // The index of a node in its list changes like a line number.
    let inside = finding.path.split_once(']').filter(|(list, _)| list.starts_with("nodes[") && finding.node.is_some());
    let path = inside.map_or(finding.path.as_str(), |(_, inside)| inside);
    let of = [workflow, finding.code.as_str(), finding.node.as_deref().unwrap_or_default(), path].join("\n");
    let count = seen.entry(of.clone()).or_insert(0);
    *count += 1;
    sha256_hex(format!("{of}\n{count}"))[..32].to_owned()
}

/// Returns a file name as a URI reference (RFC 3986): relative if it is given so, absolute as a file URL.
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
