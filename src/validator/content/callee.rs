//! Ids of other workflows that are not ids: placeholders of a template, and texts that a program writes for a missing value.

use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, is_full};
use crate::document::references::{ReferencePlace, sub_workflow_references};

/// Texts that programs write for a missing value.
const NO_VALUE: &[&str] = &["undefined", "null", "nan", "none", "nil", "true", "false", "[object object]"];

/// Words that mark a placeholder, without `-`, `_` and whitespace.
const TO_FILL_IN: &[&str] = &[
    "yourworkflow",
    "workflowidhere",
    "idhere",
    "placeholder",
    "changeme",
    "replaceme",
    "replacewith",
    "todo",
    "fixme",
    "xxxx",
    "insertid",
    "putid",
    "enterid",
];

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    for reference in sub_workflow_references(definition) {
        if is_full(findings) {
            return;
        }
        if !is_left_over(&reference.id) {
            continue;
        }
        let message = "this looks like a placeholder, not like the id of a workflow; set the id of the intended workflow";
        let finding = Finding::warning(Code::WorkflowIdDoubtful, reference.path, message);
        findings.push(match &reference.place {
            ReferencePlace::Node(node) => finding.at_node(node),
            ReferencePlace::Setting(_) => finding,
        });
    }
}

/// Reports whether an id is certainly not intended. n8n's ids are letters and digits, and the words that `spec.references` maps are free
/// text, so only texts that nobody would choose are reported.
fn is_left_over(id: &str) -> bool {
    let lower = id.to_lowercase();
    let plain: String = lower.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect();
    let brackets = lower.contains("${") || lower.contains("{{") || lower.contains("<%") || (lower.starts_with(['<', '{', '[', '%', '$']));
    brackets
        || NO_VALUE.contains(&lower.as_str())
        || TO_FILL_IN.iter().any(|word| plain.contains(word))
        || plain == "workflowid"
        || plain == "id"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_distinguished_from_ids_and_words() {
        for id in [
            "${undefined}",
            "undefined",
            "null",
            "NaN",
            "[object Object]",
            "YOUR_WORKFLOW_ID",
            "your-workflow-id-here",
            "<workflow id>",
            "{{ WORKFLOW_ID }}",
            "REPLACE_ME",
            "placeholder",
            "%WORKFLOW_ID%",
            "$WORKFLOW_ID",
            "workflow_id",
            "xxxxxxxx",
            "id",
        ] {
            assert!(is_left_over(id), "{id}");
        }
        for id in [
            "tGx1Kpdl0LPmq3Wa",
            "1",
            "42",
            "orders",
            "Send mail",
            "notify-team",
            "null-handler",
            "d8f1a2b3-0c4d-4e5f-8a9b-0c1d2e3f4a5b",
            "invoice_undefined_items",
            "my workflow",
            "Nonesuch",
        ] {
            assert!(!is_left_over(id), "{id}");
        }
    }
}
