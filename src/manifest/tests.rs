use super::namespace_rules::Named;
use super::*;
use crate::api::quota::WorkflowQuotaSpec;
use crate::document::finding::Code;

fn source(name: &str, text: &str) -> Source {
    Source { name: name.into(), text: Ok(text.into()), found: false }
}

/// Returns `file:line:column code` of each finding of each workflow, without those on the start and the connections of nodes.
fn listed(sources: &[Source]) -> Vec<(String, Vec<String>)> {
    let line = |placed: &Placed| {
        if matches!(placed.finding.code, Code::TriggerMissing | Code::TriggerDisconnected | Code::NodeUnconnected) {
            return None;
        }
        let place = placed.span.map_or_else(String::new, |span| format!("{}:{}", span.line, span.column));
        Some(format!("{}:{place} {}", sources[placed.source].name, placed.finding.code))
    };
    validate(sources, Catalog::embedded())
        .iter()
        .map(|report| (report.name.clone(), report.findings.iter().filter_map(line).collect()))
        .collect()
}

fn expect(sources: &[Source], expected: &[(&str, &[&str])]) {
    let expected: Vec<(String, Vec<String>)> =
        expected.iter().map(|(name, findings)| ((*name).to_owned(), findings.iter().map(|one| (*one).to_owned()).collect())).collect();
    assert_eq!(listed(sources), expected);
}

const NODE: &str = r#"{"name": "A", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {}}"#;

#[test]
fn missing_values_of_an_export_are_shown_on_the_line_of_their_node() {
    let text = format!(
        "{{\n  \"nodes\": [\n    {NODE},\n    {{\"name\": \"B\", \"position\": [0, 0],\n     \"parameters\": {{}}}}\n  ],\n  \"connections\": {{\"X\": {{}}}}\n}}\n"
    );
    expect(
        &[source("a.json", &text)],
        &[("a.json", &["a.json:4:5 node-type-missing", "a.json:4:5 node-type-version-missing", "a.json:7:19 connection-source-unknown"])],
    );
    let wrapped = format!("{{\"data\":\n{text}}}");
    expect(
        &[source("w.json", &wrapped)],
        &[(
            "w.json",
            &[
                "w.json:1:2 document-wrapped",
                "w.json:5:5 node-type-missing",
                "w.json:5:5 node-type-version-missing",
                "w.json:8:19 connection-source-unknown",
            ],
        )],
    );
}

#[test]
fn each_workflow_of_an_export_of_several_is_reported_by_its_number() {
    let text = format!("[{{\"nodes\": [{NODE}], \"connections\": {{}}}},\n {{\"nodes\": [{{}}], \"connections\": {{}}}}]");
    let reports = validate(&[source("all.json", &text)], Catalog::embedded());
    let names: Vec<(&str, bool)> = reports.iter().map(|report| (report.name.as_str(), report.is_valid(false))).collect();
    assert_eq!(names, [("all.json#1", true), ("all.json#2", false)]);
    assert_eq!(reports[1].findings[0].span.map(|span| span.line), Some(2));
}

#[test]
fn manifests_are_read_with_lists_and_other_kinds_are_skipped() {
    let text = "\
# several objects
apiVersion: v1
kind: Service
metadata: {name: s}
---
apiVersion: v1
kind: List
items:
  - apiVersion: weirkeeper.dev/v1alpha1
    kind: Workflow
    metadata: {name: one}
    spec:
      instanceRef: {name: main}
      definiton: {}
      definition:
        nodes:
          - name: A
            typeVersion: 1
            position: [0, 0]
            parameters: {}
        connections: {}
--- # the same kind of another group
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: other}
";
    expect(&[source("m.yaml", text)], &[("m.yaml", &["m.yaml:14:7 manifest-invalid", "m.yaml:17:13 node-type-missing"])]);
}

#[test]
fn findings_on_a_definition_in_a_configmap_have_their_position_in_its_file() {
    let workflow = "\
apiVersion: weirkeeper.dev/v1alpha1
kind: Workflow
metadata: {name: one, namespace: team}
spec:
  instanceRef: {name: main}
  definitionFrom:
    configMapKeyRef: {name: flows, key: KEY}
";
    let map = "\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: flows}
data:
  flow.json: |

    {
      \"nodes\": [
        {\"name\": \"A\", \"typeVersion\": 1, \"position\": [0, 0], \"parameters\": {}}
      ],
      \"connections\": {}
    }
  folded.json: \"{\\\"nodes\\\": [{}], \\\"connections\\\": {}}\"
  cut.json: |-
    {\"nodes\":
      [
";
    let with = |key: &str| source("w.yaml", &workflow.replace("KEY", key));
    expect(&[with("flow.json"), source("c.yaml", map)], &[("w.yaml", &["c.yaml:10:9 node-type-missing"])]);
    expect(&[with("cut.json"), source("c.yaml", map)], &[("w.yaml", &["c.yaml:17:7 document-truncated"])]);
    expect(&[with("flow.jsn"), source("c.yaml", map)], &[("w.yaml", &["w.yaml:7:5 definition-not-found"])]);
    expect(&[with("flow.json")], &[("w.yaml", &["w.yaml:7:5 definition-not-found"])]);
    assert!(validate(&[with("flow.json")], Catalog::embedded())[0].is_valid(false), "what is not there is doubtful, not wrong");
    let folded = validate(&[source("c.yaml", map), with("folded.json")], Catalog::embedded());
    assert!(folded[0].findings.iter().all(|placed| placed.span.map(|span| span.line) == Some(14)), "{folded:#?}");
}

#[test]
fn a_syntax_error_is_shown_at_its_position_and_affects_no_other_document() {
    let fine = format!("nodes: [{NODE}]\nconnections: {{}}\n");
    expect(
        &[source("a.yaml", &format!("{fine}---\nnodes: [\n---\n{fine}"))],
        &[("a.yaml#1", &[]), ("a.yaml#2", &["a.yaml:4:8 document-syntax"]), ("a.yaml#3", &[])],
    );
    expect(&[source("a.json", "{\"é\": x}")], &[("a.json", &["a.json:1:7 document-syntax"])]);
    expect(&[source("a.txt", "Here it is:\n```json\n{}\n```\n")], &[("a.txt", &["a.txt:2:1 document-fenced"])]);
    expect(&[source("empty.yaml", "# nothing\n---\n")], &[("empty.yaml", &["empty.yaml:1:1 document-empty"])]);
}

#[test]
fn unrelated_files_of_a_folder_are_skipped() {
    let values = Source { found: true, ..source("values.yaml", "replicas: 3\n") };
    assert!(validate(std::slice::from_ref(&values), Catalog::embedded()).is_empty());
    assert!(!validate(&[Source { found: false, ..values }], Catalog::embedded()).is_empty());
}

#[test]
fn an_object_that_does_not_fit_its_kind_is_reported_with_the_field() {
    let object =
        serde_json::json!({ "metadata": { "name": "a" }, "spec": { "instanceRef": { "name": "main" }, "definition": {}, "tags": "x" } });
    assert_eq!(misfit("Workflow", &object).as_deref(), Some("spec.tags: this must be an array (found a string, want an array)"));
    assert_eq!(misfit("ConfigMap", &object), None);
}

#[test]
fn workflows_of_a_set_are_checked_against_each_other() {
    let workflow = |name: &str, more: &str| {
        source(
            &format!("{name}.yaml"),
            &format!(
                "apiVersion: weirkeeper.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec:\n  instanceRef: {{name: main}}\n{more}  definition:\n    connections: {{}}\n    nodes:\n      - {{name: Hook, type: n8n-nodes-base.webhook, typeVersion: 2, position: [0, 0], webhookId: w, parameters: {{path: orders}}}}\n"
            ),
        )
    };
    let found = |sources: &[Source], report: usize, code: Code| {
        let reports = validate(sources, Catalog::embedded());
        let found = reports[report].findings.iter().find(|placed| placed.finding.code == code).unwrap_or_else(|| panic!("{reports:#?}"));
        (found.span.map(|span| (span.line, span.column)), format!("{} {}", found.finding.severity, found.finding))
    };
    let two = [workflow("orders", ""), workflow("returns", "")];
    let (place, text) = found(&two, 1, Code::WebhookConflict);
    assert_eq!(place, Some((9, 113)));
    assert!(text.contains("GET /webhook/orders is also served by Workflow \"orders\" (orders.yaml)"), "{text}");
    for (one, other) in [("", "  active: false\n"), ("", "  driftPolicy: Report\n")] {
        let same_name = Source { name: "prod/orders.yaml".into(), ..workflow("orders", other) };
        let second = if other.contains("active") { workflow("returns", other) } else { same_name };
        let quiet = validate(&[workflow("orders", one), second], Catalog::embedded());
        assert!(quiet.iter().all(|report| report.findings.iter().all(|placed| placed.finding.code != Code::WebhookConflict)), "{quiet:#?}");
    }
    let probing = [workflow("orders", "  healthCheck:\n    probes:\n      - node: hook\n        method: POST\n")];
    let (place, text) = found(&probing, 0, Code::ProbeInvalid);
    assert_eq!(
        (place, text.as_str()),
        (Some((8, 9)), "error spec.healthCheck.probes[0].node: the definition has no node \"hook\" to probe; did you mean \"Hook\"?")
    );
    let probing = [workflow("orders", "  healthCheck:\n    probes:\n      - node: Hook\n        method: POST\n")];
    let (place, text) = found(&probing, 0, Code::ProbeInvalid);
    assert_eq!(
        (place, text.as_str()),
        (Some((9, 9)), "error spec.healthCheck.probes[0].method: node \"Hook\" does not answer POST (found POST, want GET)")
    );
    let calling = [workflow("orders", "  references:\n    - id: x\n      workflowRef: {name: retruns}\n"), workflow("returns", "")];
    let (place, text) = found(&calling, 0, Code::WorkflowNotFound);
    assert!(
        place == Some((8, 21))
            && text.starts_with("warning spec.references[0].workflowRef.name: ")
            && text.ends_with("did you mean \"returns\"?"),
        "{place:?} {text}"
    );
    assert!(found(&calling[..1], 0, Code::WorkflowNotFound).1.starts_with("info "), "the cluster may have it");
    assert!(found(&calling, 0, Code::MappingUnused).1.contains("the definition calls no workflow \"x\""));
}

#[test]
fn inputs_of_a_kustomization_are_not_checked() {
    let kustomization =
        "resources: [workflow.yaml]\npatches:\n  - path: ../patch.yaml\nconfigMapGenerator:\n  - name: flows\n    files: [a.json]\n";
    let workflow = "apiVersion: weirkeeper.dev/v1alpha1\nkind: Workflow\nmetadata: {name: one}\nspec:\n  instanceRef: {name: main}\n  definitionFrom: {configMapKeyRef: {name: flows, key: a.json}}\n";
    let patch = "apiVersion: weirkeeper.dev/v1alpha1\nkind: Workflow\nmetadata: {name: one}\nspec: {active: true}\n";
    let sources = [source("k/kustomization.yaml", kustomization), source("k/workflow.yaml", workflow), source("patch.yaml", patch)];
    let reports = validate(&sources, Catalog::embedded());
    let findings: Vec<String> = reports.iter().flat_map(|report| &report.findings).map(|one| one.finding.to_string()).collect();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(
        findings[0].contains("the kustomization in \"k\" generates it")
            && findings[0].contains("kubectl kustomize k | weirkeeper validate -"),
        "{findings:?}"
    );
    assert!(findings[1].contains("this is a patch") && findings[1].contains("kubectl kustomize k | weirkeeper validate -"), "{findings:?}");
    let template = source("t.yaml", "metadata:\n  name: {{ .Release.Name }}\n");
    let helm = |found| validate(&[Source { found, ..template.clone() }], Catalog::embedded())[0].is_valid(false);
    assert_eq!((helm(true), helm(false)), (true, false), "one that nobody named may lie there by chance");
    let begins = source(
        "t.yaml",
        "{{- range $name, $text := .Values.workflows }}\n---\nkind: ConfigMap\nmetadata: {name: {{ $name }}}\n{{- end }}\n",
    );
    let findings: Vec<String> =
        validate(&[begins], Catalog::embedded()).iter().flat_map(|report| &report.findings).map(|one| one.finding.to_string()).collect();
    assert!(!findings.is_empty() && findings.iter().all(|one| one.contains("helm template")), "{findings:?}");
}

#[test]
fn every_kind_of_the_api_group_is_known() {
    for crd in crate::api::crds::all() {
        let kind = crd.spec.names.kind;
        assert!(super::object::KINDS.iter().any(|(name, _)| *name == kind), "{kind}");
    }
}

#[test]
fn unknown_kinds_and_versions_of_the_api_group_are_reported() {
    let object = |version: &str, kind: &str| {
        source("a.yaml", &format!("apiVersion: weirkeeper.dev/{version}\nkind: {kind}\nmetadata: {{name: a}}\n"))
    };
    expect(&[object("v1alpha1", "Workflows")], &[("a.yaml", &["a.yaml:2:1 manifest-invalid"])]);
    expect(&[object("v1", "Workflow")], &[("a.yaml", &["a.yaml:1:1 manifest-invalid"])]);
    let reports = validate(&[object("v1alpha1", "N8nInstance")], Catalog::embedded());
    assert_eq!((reports[0].kind, reports[0].is_valid(false)), (Kind::N8nInstance, false));
}

#[test]
fn required_credentials_are_listed_and_unmapped_ones_are_no_error() {
    let text = r#"{"nodes": [
        {"name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {}},
        {"name": "A", "type": "n8n-nodes-base.slack", "typeVersion": 2.3, "position": [200, 0],
         "parameters": {"select": "channel", "channelId": {"__rl": true, "mode": "name", "value": "general"}, "text": "x"},
         "credentials": {"slackApi": {"name": "x"}}}],
        "connections": {"Start": {"main": [[{"node": "A", "type": "main", "index": 0}]]}}}"#;
    let reports = validate(&[source("a.json", text)], Catalog::embedded());
    assert!(reports[0].is_valid(false), "{reports:#?}");
    let needs: Vec<_> = reports[0].required.iter().map(|one| (one.node.as_str(), one.types.clone())).collect();
    assert_eq!(needs, [("A", vec!["slackApi".to_owned()])]);
}

/// Returns a Workflow of a manifest without a definition of its own.
fn of_quota(namespace: &str, name: &str, more: &str) -> String {
    let namespace = if namespace.is_empty() { String::new() } else { format!(", namespace: {namespace}") };
    format!(
        "apiVersion: weirkeeper.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}{namespace}}}\nspec: {{instanceRef: {{name: main}}, {more}definitionFrom: {{configMapKeyRef: {{name: m, key: k}}}}}}\n---\n"
    )
}

#[test]
fn quotas_count_the_workflows_of_their_namespace_in_the_order_of_the_files() {
    let quota = |namespace: &str, hard: &str| -> Vec<Named<WorkflowQuotaSpec>> {
        let text =
            format!("apiVersion: weirkeeper.dev/v1alpha1\nkind: WorkflowQuota\nmetadata: {{name: q{namespace}}}\nspec: {{hard: {hard}}}\n");
        let read = read_quotas(&source("q.yaml", &text)).unwrap();
        read.into_iter().map(|one| Named { namespace: Some(namespace.to_owned()), ..one }).collect()
    };
    let files = |texts: &[String]| [source("w.yaml", &texts.concat())];
    let exceeded = |texts: &[String], quotas: Vec<Named<WorkflowQuotaSpec>>| -> Vec<(String, String, String)> {
        let rules = NamespaceRules { quotas, ..NamespaceRules::default() };
        let reports = validate_by(&files(texts), Catalog::embedded(), &rules);
        let all = reports.iter().flat_map(|report| report.findings.iter().map(move |placed| (report, &placed.finding)));
        all.filter(|(_, finding)| finding.code == Code::QuotaExceeded)
            .map(|(report, finding)| (report.name.clone(), finding.path.clone(), finding.message.clone()))
            .collect()
    };
    let three = |namespace: &str| ["c", "b", "a"].map(|name| of_quota(namespace, name, "")).to_vec();
    let hard = |namespace| quota(namespace, "{workflows: 2}");
    let words =
        "exceeded quota: qt, requested: workflows=1, used: 2, limited: 2; delete a Workflow of this namespace, or ask for a higher limit";
    assert_eq!(exceeded(&three("t"), hard("t")), [("w.yaml#3".to_owned(), "spec".to_owned(), words.to_owned())]);
    assert_eq!(exceeded(&three("other"), hard("t")), []);
    assert_eq!(exceeded(&three(""), hard("t")).len(), 1, "a later step of the delivery sets the namespace");
    let mixed = [of_quota("t", "a", ""), of_quota("", "b", ""), of_quota("t", "c", ""), of_quota("other", "d", "")];
    assert_eq!(exceeded(&mixed, hard("t")).iter().map(|(report, ..)| report.as_str()).collect::<Vec<_>>(), ["w.yaml#3"]);
    let stages = [of_quota("t", "a", ""), of_quota("t", "a", ""), of_quota("t", "b", "")];
    assert_eq!(exceeded(&stages, hard("t")), [], "the same object in two stages");
    let resting = [of_quota("t", "a", "suspend: true, "), of_quota("t", "b", ""), of_quota("t", "c", "")];
    assert_eq!(exceeded(&resting, hard("t")), []);
    let active = [of_quota("t", "a", "active: true, "), of_quota("t", "b", ""), of_quota("t", "c", "active: true, ")];
    let found = exceeded(&active, quota("t", "{workflows: 3, activeWorkflows: 1}"));
    assert_eq!((found.len(), found[0].0.as_str(), found[0].1.as_str()), (1, "w.yaml#3", "spec.active"), "{found:?}");
    assert_eq!(exceeded(&three("t"), [hard("t"), quota("t", "{workflows: 9}")].concat()).len(), 1, "the lowest limit counts");
    assert_eq!(exceeded(&three("t"), quota("t", "{workflows: 0}")).len(), 3);
}

#[test]
fn a_file_of_rules_that_holds_none_or_a_wrong_one_is_refused() {
    let text =
        |hard: &str| format!("apiVersion: weirkeeper.dev/v1alpha1\nkind: WorkflowQuota\nmetadata: {{name: q}}\nspec: {{hard: {hard}}}\n");
    assert_eq!(read_policies(&source("q.yaml", &text("{}"))).unwrap_err(), "q.yaml: it contains no WorkflowPolicy");
    assert!(read_quotas(&source("q.yaml", &text("{workflows: 1}"))).is_ok());
    for (hard, part) in
        [("{workflow: 1}", "spec.hard.workflow"), ("{workflows: -1}", "spec.hard.workflows"), ("{workflows: many}", "spec.hard.workflows")]
    {
        let error = read_quotas(&source("q.yaml", &text(hard))).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
