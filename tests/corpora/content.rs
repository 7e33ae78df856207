//! Tests of the content checks with real workflows and with labelled defects.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::Definition;
use weirkeeper::document::finding::{Code, Finding};
use weirkeeper::document::parse::read_text;
use weirkeeper::manifest::{Source, validate};
use weirkeeper::validator::check::parse_and_check;
use weirkeeper::validator::content::check_content_of;
use weirkeeper::validator::schema::{NodeTypes, Resolved, check_against};
use weirkeeper::validator::structure::check_structure;

use crate::folder::{corpora, note};

fn definition(path: &Path) -> Option<Definition> {
    let text = fs::read_to_string(path).unwrap();
    Some(parse_and_check(&read_text(&text, 4 << 20).ok()?.value).ok()?.definition)
}

/// Returns the findings about the content, with the parameter that each text belongs to.
fn check_content(definition: &Definition, active: Option<bool>) -> Vec<Finding> {
    let types = NodeTypes::of(definition, Catalog::embedded());
    check_content_of(definition, active, &Resolved::of(definition, &types, Catalog::embedded()))
}

fn workflows(folder: &Path) -> Vec<(String, Definition)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let json = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), definition(&path)?))).collect()
}

/// Labelled classes of defects that only depend on content, and their codes.
const CLASSES: &[(&str, Code)] = &[
    ("active_only_manual_trigger", Code::TriggerMissing),
    ("active_trigger_disabled", Code::TriggerMissing),
    ("active_without_trigger", Code::TriggerMissing),
    ("code_js_syntax_error", Code::ScriptSyntax),
    ("cred_embedded_secret", Code::CredentialEmbedded),
    ("cron_invalid", Code::CronInvalid),
    ("cycle_without_exit", Code::LoopEndless),
    ("disconnected_trigger", Code::TriggerDisconnected),
    ("dup_webhook_path", Code::WebhookConflict),
    ("expression_mustache_dialect", Code::ExpressionNameUnknown),
    ("expression_ref_not_upstream", Code::ExpressionNodeNotBefore),
    ("expression_syntax_error", Code::ExpressionSyntax),
    ("expression_unbalanced", Code::ExpressionUnclosed),
    ("expression_unknown_node", Code::ExpressionNodeUnknown),
    ("expression_unknown_node_legacy", Code::ExpressionNodeUnknown),
    ("expression_without_equals", Code::ExpressionWithoutEquals),
    ("fromAI_outside_tool", Code::FromAiOutsideTool),
    ("literal_secret_header", Code::SecretLiteral),
    ("literal_secret_in_code", Code::SecretLiteral),
    ("literal_secret_in_url", Code::SecretLiteral),
    ("orphan_node", Code::NodeUnconnected),
    ("respond_node_unused", Code::RespondNodeUnused),
    ("respond_without_webhook", Code::RespondWithoutWebhook),
    ("self_loop", Code::LoopEndless),
    ("settings_bad_timezone", Code::TimeZoneUnknown),
    ("splitInBatches_loop_not_closed", Code::LoopNotClosed),
    ("splitInBatches_outputs_swapped", Code::LoopOutputsSwapped),
    ("unreachable_island", Code::NodeUnreachable),
    ("webhookId_missing", Code::WebhookIdMissing),
    ("webhook_responseNode_without_respond", Code::RespondNodeMissing),
    ("webhook_without_path", Code::WebhookPathMissing),
];

/// Labels of errors that n8n publishes and runs all the same: a webhook without a path uses its webhookId as the path, an unknown time zone
/// does no harm to a workflow that is not started by the clock, and a webhook below version 2 sends an empty response if the node that it
/// waits for is missing.
const ACCEPTED: &[&str] = &["settings_bad_timezone", "webhook_responseNode_without_respond", "webhook_without_path"];

pub fn labelled_defects_are_found_at_their_node_with_their_severity() {
    let corpora = corpora();
    let labels = fs::read_to_string(corpora.join("broken/dev/LABELS.tsv")).unwrap();
    let mut classes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    for line in labels.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [file, class, _, severity, node, ..] = cells[..] else { panic!("{line}") };
        let Some((_, code)) = CLASSES.iter().find(|(name, _)| *name == class) else { continue };
        let definition = definition(&corpora.join(file)).unwrap();
        let findings = check_content(&definition, definition.declared_active);
        let found = findings.iter().find(|f| f.code == *code && f.node.as_deref().unwrap_or("-") == node);
        let (seen, hit) = classes.entry(class).or_default();
        *seen += 1;
        match found {
            Some(found) if found.severity.to_string() == severity || ACCEPTED.contains(&class) => *hit += 1,
            Some(found) => missed.push(format!("{file} {class}: found as {}", found.severity)),
            None => missed.push(format!("{file} {class} at {node}: missed; {findings:?}")),
        }
    }
    for (class, (seen, hit)) in &classes {
        note(&format!("{class}: {hit} of {seen}"));
    }
    assert!(classes.len() >= CLASSES.len(), "{}", classes.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Codes that must not be reported for each trap.
const TRAPS: &[(&str, &[Code])] = &[
    ("control_blank_at_edge_of_name", &[Code::ExpressionNodeUnknown, Code::NodeUnconnected, Code::NodeUnreachable]),
    ("control_disabled_node", &[Code::NodeUnreachable, Code::NodeUnconnected, Code::TriggerMissing]),
    ("control_error_output_used", &[Code::LoopEndless, Code::NodeUnreachable]),
    ("control_float_positions", &[]),
    ("control_legacy_string_credentials", &[Code::CredentialEmbedded]),
    ("control_loop_with_exit", &[Code::LoopEndless, Code::LoopNotClosed, Code::LoopOutputsSwapped]),
    ("control_merge_many_inputs", &[Code::NodeUnreachable]),
    ("control_moustache_in_html_or_code", &[Code::ExpressionWithoutEquals, Code::ExpressionSyntax, Code::ExpressionUnclosed]),
    ("control_moustache_in_sticky_note", &[Code::ExpressionWithoutEquals]),
    ("control_nested_braces_in_expression", &[Code::ExpressionSyntax, Code::ExpressionUnclosed]),
    ("control_null_output_slot", &[Code::NodeUnreachable, Code::LoopNotClosed]),
    ("control_quote_in_node_name", &[Code::ExpressionNodeUnknown, Code::ExpressionSyntax]),
    ("control_tool_variant_type", &[Code::FromAiOutsideTool, Code::NodeUnreachable]),
];

pub fn no_trap_is_reported() {
    let corpora = corpora();
    let labels = fs::read_to_string(corpora.join("broken/dev/LABELS.tsv")).unwrap();
    let mut hit = Vec::new();
    let mut traps = 0;
    for line in labels.lines().skip(1).filter(|line| line.contains("\tcontrol_")) {
        let mut cells = line.split('\t');
        let (file, class) = (cells.next().unwrap(), cells.next().unwrap());
        let (_, codes) = TRAPS.iter().find(|(name, _)| *name == class).unwrap_or_else(|| panic!("{class}"));
        let definition = definition(&corpora.join(file)).unwrap();
        traps += 1;
        let findings = check_content(&definition, definition.declared_active).into_iter();
        hit.extend(findings.filter(|f| codes.contains(&f.code)).map(|finding| format!("{file} {class}: {finding}")));
    }
    assert!(traps >= 13, "{traps}");
    assert!(hit.is_empty(), "{}", hit.join("\n"));
}

/// Errors in the 300 real workflows, each reviewed.
const ARGUED: &[&str] = &[
    // A placeholder, `$json.current.<…>`, was left in the expression; n8n's parser refuses it too.
    "w0090 expression-syntax Scrapingbee - Get Organization's URL content",
    // The path from the webhook to its Respond node is interrupted: n8n answers "No Respond to Webhook node found".
    "w0300 respond-node-missing Webhook",
];

pub fn errors_in_real_workflows_are_those_that_were_reviewed() {
    let corpora = corpora();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut errors = Vec::new();
    let all = workflows(&corpora.join("dev"));
    for (name, definition) in &all {
        for finding in check_content(definition, definition.declared_active) {
            *counts.entry(format!("{} {}", finding.severity, finding.code)).or_default() += 1;
            if finding.is_error() {
                errors.push(format!("{name} {} {}", finding.code, finding.node.unwrap_or_default()));
            }
        }
    }
    for (kind, count) in &counts {
        note(&format!("{kind}: {count}"));
    }
    assert!(all.len() >= 300, "{}", all.len());
    assert_eq!(errors, ARGUED);
}

pub fn only_errors_that_depend_on_the_catalogue_are_warnings_on_another_n8n() {
    let corpora = corpora();
    let mut errors = (0, 0);
    for folder in ["dev", "broken/dev"] {
        for (_, definition) in workflows(&corpora.join(folder)) {
            let mut found = Vec::new();
            check_against(&definition, Catalog::embedded(), &mut found);
            for finding in found.iter().filter(|finding| finding.is_error()) {
                errors.0 += 1;
                assert!(finding.code.dependency_digest_catalog(), "{finding}");
            }
            let mut own = check_structure(&definition);
            own.extend(check_content(&definition, Some(true)));
            for finding in own.iter().filter(|finding| finding.is_error() && finding.code != Code::TriggerMissing) {
                errors.1 += 1;
                assert!(!finding.code.dependency_digest_catalog(), "{finding}");
            }
        }
    }
    assert!(errors.0 > 100 && errors.1 > 20, "{errors:?}");
}

/// Findings without habits for each small input from public reports about other tools: `severity code path`.
const REPORTS: &[(&str, &[&str])] = &[
    ("01-bigquery-inline-expression.json", &[]),
    (
        "03-bare-variable.json",
        &[
            "warning expression-without-braces nodes[1].parameters.assignments.assignments[0].value",
            "warning expression-without-braces nodes[1].parameters.assignments.assignments[1].value",
            "warning expression-without-braces nodes[1].parameters.assignments.assignments[2].value",
            "warning expression-without-braces nodes[1].parameters.assignments.assignments[3].value",
            "warning expression-without-braces nodes[1].parameters.assignments.assignments[4].value",
        ],
    ),
    ("04-code-leading-equals-broken.json", &["error script-syntax nodes[1].parameters.jsCode"]),
    ("05-code-leading-equals-template-text.json", &[]),
    ("06-jsonbody-missing-paren.json", &["error expression-syntax nodes[1].parameters.jsonBody"]),
    ("07-jsonbody-literal-invalid.json", &["error parameter-json-invalid nodes[1].parameters.jsonBody"]),
    (
        "09-if-unknown-operators.json",
        &[
            "error condition-unknown nodes[1].parameters.conditions.conditions[0].operator.operation",
            "error condition-unknown nodes[2].parameters.conditions.conditions[0].operator.operation",
            "error condition-unknown nodes[3].parameters.conditions.combinator",
            "error condition-unknown nodes[3].parameters.conditions.conditions[0].operator.operation",
        ],
    ),
    ("10-if-v1-conditions-on-v2.json", &["error parameter-shape nodes[1].parameters.conditions"]),
    ("11-if-short-form-is-fine.json", &[]),
    (
        "12-switch-rules-under-wrong-key.json",
        &[
            "error connection-kind connections.Route.main[0][0]",
            "error connection-kind connections.Route.main[1][0]",
            "error parameter-of-other-version nodes[1].parameters.rules.rules",
        ],
    ),
    ("14-node-named-hasownproperty.json", &["error node-name-reserved nodes[1].name"]),
    ("15-workflow-name-arrow.json", &[]),
    ("16-error-output-unwired.json", &["warning error-output-unconnected nodes[1].onError"]),
    (
        "17-node-settings-in-parameters.json",
        &[
            "warning node-field-misplaced nodes[1].parameters.disabled",
            "warning node-field-misplaced nodes[1].parameters.maxTries",
            "warning node-field-misplaced nodes[1].parameters.onError",
            "warning node-field-misplaced nodes[1].parameters.retryOnFail",
        ],
    ),
    (
        "18-connections-under-key-0.json",
        &[
            "error connection-kind connections.Check[\"0\"]",
            "error connection-kind connections.Check[\"1\"]",
            "warning node-unreachable nodes[2].name",
            "warning node-unreachable nodes[3].name",
        ],
    ),
    ("19-connection-type-0.json", &["warning connection-kind connections.Check.main[0][0].type"]),
    ("20-vector-store-as-tool.json", &[]),
    ("21-vector-store-wrong-mode.json", &["error connection-kind connections.Handbook.ai_tool[0][0]"]),
    ("22-parser-without-flag.json", &["warning connection-kind connections.Shape.ai_outputParser[0][0]"]),
    ("23-chain-with-fallback-model.json", &[]),
    (
        "25-invented-tool-types.json",
        &["error node-type-unknown nodes[4].type", "error node-type-unknown nodes[5].type", "error node-type-unknown nodes[6].type"],
    ),
    ("26-evaluation-trigger.json", &[]),
    ("27-empty-ids.json", &[]),
    ("29-settings-as-the-editor-stores-them.json", &[]),
    ("30-whole-answer-of-get.json", &[]),
    (
        "31-node-keys-echoed.json",
        &[
            "warning node-key-unknown nodes[1].color",
            "warning node-key-unknown nodes[1].data",
            "warning node-key-unknown nodes[1].extendsCredential",
            "warning node-key-unknown nodes[1].issues",
            "warning node-key-unknown nodes[1].runIndex",
            "warning node-key-unknown nodes[1].selected",
        ],
    ),
    ("32-subworkflow-id-undefined.json", &["warning workflow-id-doubtful nodes[1].parameters.workflowId"]),
    (
        "33-yaml-1.1-words.yaml",
        // A date stays text in kubectl's YAML.
        &[
            "warning yaml-word spec.definition.nodes[1].parameters.assignments.assignments[0].value",
            "warning yaml-word spec.definition.nodes[1].parameters.assignments.assignments[1].value",
            "warning yaml-word spec.definition.nodes[1].parameters.assignments.assignments[2].value",
            "warning yaml-word spec.definition.nodes[1].parameters.assignments.assignments[3].value",
            "warning yaml-word spec.definition.nodes[1].parameters.assignments.assignments[5].value",
        ],
    ),
    ("34-utf-16.json", &["error file-unreadable "]),
    ("35-bom-crlf-nbsp.json", &[]),
    (
        "37-number-beyond-2-53.json",
        &["warning number-rounded nodes[1].parameters.channelId.value", "warning number-rounded nodes[1].parameters.guildId.value"],
    ),
    (
        "38-secrets-that-should-be-found.json",
        &[
            "error secret-literal nodes[1].parameters.headerParameters.parameters[0].value",
            "error secret-literal nodes[2].parameters.url",
            "error secret-literal nodes[3].parameters.url",
            "error secret-literal nodes[4].parameters.queryParameters.parameters[1].value",
            "error secret-literal nodes[5].parameters.url",
            "error secret-literal nodes[6].parameters.jsCode",
        ],
    ),
    ("40-code-that-is-fine.json", &[]),
    ("42-merge-third-input-by-default.json", &["error connection-input-unknown connections.C.main[0][0].index"]),
    ("43-merge-three-inputs.json", &[]),
    (
        "44-groups-that-are-no-lists.json",
        &[
            "error parameter-shape nodes[0].parameters.rule.interval",
            "error parameter-shape nodes[1].parameters.headerParameters.parameters",
            "error parameter-shape nodes[2].parameters.rules.values",
        ],
    ),
    ("45-two-outputs-are-no-error-output.json", &[]),
    (
        "46-name-composed-otherwise.json",
        &[
            "error connection-target-unknown connections.Hourly.main[0][0].node",
            "warning node-unconnected nodes[1].name",
            "warning trigger-disconnected nodes[0].name",
        ],
    ),
];

pub fn inputs_from_reports_on_other_tools_have_the_listed_findings() {
    let corpora = corpora();
    let habits = [Code::ErrorsUnhandled, Code::HttpWithoutTimeout, Code::WebhookOpen, Code::CredentialsMissing];
    let mut wrong = Vec::new();
    let mut files: Vec<String> =
        fs::read_dir(corpora.join("reports")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|file| file != "INDEX.md" && REPORTS.iter().all(|(known, _)| known != file));
    assert!(files.is_empty(), "nothing is said of {files:?}");
    for (file, wanted) in REPORTS {
        let bytes = fs::read(corpora.join("reports").join(file)).unwrap();
        let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned());
        let source = Source { name: (*file).to_owned(), text, found: false };
        let reports = validate(&[source], Catalog::embedded());
        let findings = reports.into_iter().flat_map(|report| report.findings).map(|placed| placed.finding);
        let mut reported: Vec<String> = findings
            .filter(|finding| !habits.contains(&finding.code))
            .map(|finding| format!("{} {} {}", finding.severity, finding.code, finding.path))
            .collect();
        reported.sort();
        let mut wanted: Vec<String> = wanted.iter().map(|line| (*line).to_owned()).collect();
        wanted.sort();
        if reported != wanted {
            wrong.push(format!("{file}: want {wanted:#?}, got {reported:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
