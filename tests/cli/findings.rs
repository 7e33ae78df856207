//! Checks docs/findings.md against the code: the examples of each entry are validated as `weirkeeper validate` does.
//!
//! The words after a block's language say what it yields: `error`, `warning`, `info`, or `fixed` for no finding of the code. A JSON block
//! is a part of a workflow, which [`whole`] completes, unless it is marked `whole`; any other block is a complete file. A block marked
//! `policy` or `quota` holds the WorkflowPolicy or WorkflowQuota that the entry's examples are validated against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::document::finding::{Code, Finding, Severity};
use weirkeeper::manifest::{NamespaceRules, Source, read_policies, read_quotas, validate, validate_by};

/// Codes without an example in the page, because no text of a file yields them.
const WITHOUT_EXAMPLE: &[Code] = &[
    Code::FileUnreadable,
    Code::CompactInvalid,
    Code::SlotOpen,
    Code::ValueInvented,
    Code::EffectMissing,
    Code::ServiceUnused,
    Code::BranchesJoined,
    Code::ConditionMissing,
    Code::AnswerAsData,
    Code::WebhookFieldUnknown,
    Code::SentPerItem,
    Code::NodeTypeDeprecated,
    Code::GeneratedForbidden,
    Code::TemplateInvalid,
    Code::TemplatePlaceholder,
    Code::TemplateInputUnused,
    Code::TemplateInputUnknown,
    Code::TemplateInputMissing,
    Code::TemplateInputInvalid,
];

/// An entry of the page.
struct Entry {
    code: String,
    text: String,
    blocks: Vec<Block>,
}

struct Block {
    language: String,
    /// The words after the language.
    words: Vec<String>,
    text: String,
}

impl Block {
    fn says(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }
}

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings.md")).unwrap()
}

fn entries(page: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut open: Option<(String, Block)> = None;
    for line in page.lines() {
        if let Some((fence, mut block)) = open.take() {
            if line == fence {
                entries.last_mut().unwrap().blocks.push(block);
            } else {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some((fence, block));
            }
        } else if let Some(code) = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`')) {
            entries.push(Entry { code: code.to_owned(), text: String::new(), blocks: Vec::new() });
        } else if line.starts_with("```") {
            let info = line.trim_start_matches('`');
            let mut words = info.split_whitespace().map(str::to_owned);
            let language = words.next().unwrap_or_default();
            open = Some((line[..line.len() - info.len()].to_owned(), Block { language, words: words.collect(), text: String::new() }));
        } else if let Some(entry) = entries.last_mut().filter(|_| !line.starts_with("## ")) {
            entry.text.push_str(line);
            entry.text.push('\n');
        }
    }
    entries
}

/// Replaces the placeholders for text that no repository should hold, or that no reader wants to see.
fn filled(text: &str) -> String {
    let token: String = (0..40u32).map(|at| char::from_digit(at * 7919 % 36, 36).unwrap_or('x')).collect();
    let nodes: Vec<Value> = (0..5_001).map(|at| json!({"name": at.to_string()})).collect();
    let settings: serde_json::Map<String, Value> = (0..10_001).map(|at| (format!("s{at}"), json!(0))).collect();
    text.replace("‹token›", &token)
        .replace("\"‹10,001 unknown settings›\"", &Value::from(settings).to_string())
        .replace("\"‹5001 nodes›\"", &Value::from(nodes).to_string())
        .replace("‹5,001 times +1›", &"+1".repeat(5_001))
        .replace("‹200 kB of text›", &"x".repeat(200_000))
}

/// Completes a part of a workflow: adds a trigger `Start` if there is none, a node `Next` if there are no nodes, positions and empty
/// parameters, and connections from each node to the next if there are none.
fn whole(part: Value) -> Value {
    let mut document = if part.get("type").or(part.get("typeVersion")).is_some() { json!({ "nodes": [part] }) } else { part };
    let given = document.get("nodes").and_then(Value::as_array).cloned();
    let mut nodes = given.unwrap_or_else(|| vec![json!({"name": "Next", "type": "n8n-nodes-base.noOp", "typeVersion": 1})]);
    let kind = |node: &Value| node["type"].as_str().unwrap_or_default().to_owned();
    let begins = |node: &Value| kind(node).ends_with("Trigger") || kind(node) == "n8n-nodes-base.webhook";
    if !begins(nodes.first().unwrap()) {
        let rule = json!({"rule": {"interval": [{"field": "hours"}]}});
        let start = json!({"name": "Start", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "parameters": rule});
        nodes.insert(0, start);
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        let node = node.as_object_mut().unwrap();
        node.entry("position").or_insert_with(|| json!([at * 220, 0]));
        node.entry("parameters").or_insert_with(|| json!({}));
    }
    if document.get("connections").is_none() {
        let name = |node: &Value| node["name"].as_str().unwrap_or_default().to_owned();
        let steps = nodes.windows(2).filter(|pair| !name(&pair[1]).is_empty() && name(&pair[0]) != name(&pair[1]));
        let chain = steps.map(|pair| (name(&pair[0]), json!({"main": [[{"node": name(&pair[1]), "type": "main", "index": 0}]]})));
        document["connections"] = Value::Object(chain.collect());
    }
    document["nodes"] = Value::from(nodes);
    document
}

fn source(text: String) -> Source {
    Source { name: "example".to_owned(), text: Ok(text), found: false }
}

fn look(text: String, rules: &NamespaceRules) -> Vec<Finding> {
    let reports = validate_by(&[source(text)], Catalog::embedded(), rules);
    reports.into_iter().flat_map(|report| report.findings).map(|placed| placed.finding).collect()
}

fn findings_of(block: &Block, rules: &NamespaceRules) -> Vec<Finding> {
    let text = filled(&block.text);
    if block.language != "json" || block.says("whole") {
        return look(text, rules);
    }
    look(whole(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))).to_string(), rules)
}

/// Returns the severities that the entry's first words name.
fn claimed(entry: &Entry) -> BTreeSet<&'static str> {
    let words = entry.text.trim_start();
    for (start, severities) in [
        ("**Error.**", &["error"][..]),
        ("**Warning.**", &["warning"]),
        ("**Error or warning.**", &["error", "warning"]),
        ("**Info.**", &["info"]),
        ("**Warning or info.**", &["warning", "info"]),
    ] {
        if words.starts_with(start) {
            return severities.iter().copied().collect();
        }
    }
    panic!("{} begins with no severity: {words}", entry.code);
}

#[test]
fn every_code_has_one_entry_and_one_line_in_the_table_of_contents() {
    let page = page();
    let reported: Vec<String> = entries(&page).into_iter().map(|entry| entry.code).collect();
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(reported.iter().map(String::as_str).collect::<BTreeSet<_>>(), codes);
    assert_eq!(reported.len(), codes.len(), "an entry comes twice");
    for code in &codes {
        assert_eq!(page.matches(&format!("[`{code}`](#{code})")).count(), 1, "{code} in the table of contents");
    }
    let contents: Vec<&String> = reported.iter().filter(|code| page.find(&format!("(#{code})")) > page.find("\n## Document")).collect();
    assert!(contents.is_empty(), "linked below the contents only: {contents:?}");
}

#[test]
fn every_example_yields_its_code_and_its_fixed_form_does_not() {
    let mut complaints = Vec::new();
    for entry in entries(&page()) {
        let claimed = claimed(&entry);
        let mut shown = BTreeSet::new();
        let given = |word| entry.blocks.iter().filter(move |block| block.says(word)).map(|block| source(block.text.clone()));
        let rules = NamespaceRules {
            policies: given("policy").flat_map(|source| read_policies(&source).unwrap()).collect(),
            quotas: given("quota").flat_map(|source| read_quotas(&source).unwrap()).collect(),
        };
        let examples = entry.blocks.iter().enumerate().filter(|(_, block)| !block.says("policy") && !block.says("quota"));
        for (number, block) in examples {
            let at = format!("{} block {}", entry.code, number + 1);
            let findings = findings_of(block, &rules);
            let own: BTreeSet<Severity> =
                findings.iter().filter(|finding| finding.code.as_str() == entry.code).map(|finding| finding.severity).collect();
            let others: Vec<String> = findings
                .iter()
                .filter(|finding| finding.is_error() && finding.code.as_str() != entry.code)
                .map(|finding| format!("{}: {finding}", finding.code))
                .collect();
            let wanted = [("error", Severity::Error), ("warning", Severity::Warning), ("info", Severity::Info)];
            let wanted = wanted.iter().find(|(word, _)| block.says(word));
            match wanted {
                Some((word, severity)) => {
                    shown.insert(*word);
                    if own != BTreeSet::from([*severity]) {
                        complaints.push(format!("{at}: want {word}, got {own:?} of {findings:?}"));
                    }
                }
                None if !block.says("fixed") => complaints.push(format!("{at}: says neither error, warning, info nor fixed")),
                None if !own.is_empty() => complaints.push(format!("{at}: is not fixed: {findings:?}")),
                None => {}
            }
            complaints.extend(others.iter().map(|other| format!("{at}: another error: {other}")));
        }
        let without = WITHOUT_EXAMPLE.iter().any(|code| code.as_str() == entry.code);
        if shown != claimed && !without {
            complaints.push(format!("{}: says {claimed:?} and shows {shown:?}", entry.code));
        }
        if !entry.text.contains("\nFix: ") {
            complaints.push(format!("{}: does not say how to fix it", entry.code));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn an_unreadable_file_is_reported() {
    let source = Source { name: "gone.json".to_owned(), text: Err("it could not be read".to_owned()), found: false };
    let reports = validate(&[source], Catalog::embedded());
    assert_eq!(reports[0].findings[0].finding.code, Code::FileUnreadable);
}

#[test]
fn the_page_is_linked_from_where_people_look() {
    for file in ["README.md", "docs/validate.md"] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(text.contains("findings.md"), "{file}");
    }
}

/// A line of tests/fixtures/broken/table.tsv. Its last column is the observed behaviour of n8n 2.39.10: it refuses to `create` or to
/// `publish` the workflow, it `run`s it without doing what is written, it `loses` a part of it in the answers of its API, or it `takes` it;
/// `never` if it cannot even be sent.
struct Row<'a> {
    file: &'a str,
    sound: &'a str,
    code: &'a str,
    severity: &'a str,
    node: &'a str,
    path: &'a str,
}

fn fixtures() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken/table.tsv")).unwrap()
}

fn rows(table: &str) -> Vec<Row<'_>> {
    let row = |line| {
        let cells: Vec<&str> = str::split(line, '\t').collect();
        let [file, sound, code, severity, node, path, n8n] = cells[..] else { panic!("{line}") };
        // A workflow that n8n accepts and runs as written is no error, unless it reveals a secret.
        let gives_away = matches!(code, "secret-literal" | "credential-embedded");
        assert!(
            ["create", "publish", "run", "loses", "never"].contains(&n8n) || n8n == "takes" && (severity == "warning" || gives_away),
            "{line}"
        );
        Row { file, sound, code, severity, node, path }
    };
    table.lines().skip(1).map(row).collect()
}

fn fixture(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    filled(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

#[test]
fn every_broken_fixture_has_its_one_defect_and_its_sound_counterpart_none() {
    let table = fixtures();
    let mut complaints = Vec::new();
    for row in rows(&table) {
        let errors = look(fixture(&format!("sound/{}", row.sound)), &NamespaceRules::default())
            .into_iter()
            .filter(Finding::is_error)
            .map(|one| one.to_string());
        complaints.extend(errors.map(|error| format!("{}: {error}", row.sound)));
        let findings = look(fixture(&format!("broken/{}", row.file)), &NamespaceRules::default());
        let reported: Vec<(String, String, String, String)> = findings
            .iter()
            .filter(|one| one.is_error() || one.code.as_str() == row.code)
            .map(|one| (one.severity.to_string(), one.code.to_string(), one.node.clone().unwrap_or_default(), one.path.clone()))
            .collect();
        let wanted = (row.severity.to_owned(), row.code.to_owned(), row.node.to_owned(), row.path.to_owned());
        if reported != [wanted.clone()] {
            complaints.push(format!("{}: want {wanted:?}, got {reported:?}", row.file));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_error_has_a_broken_fixture_and_every_fixture_a_line() {
    let table = fixtures();
    let mut covered: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows(&table).iter().filter(|row| row.severity == "error") {
        *covered.entry(row.code).or_default() += 1;
    }
    let missing: Vec<String> = entries(&page())
        .iter()
        .filter(|entry| claimed(entry).contains("error") && !covered.contains_key(entry.code.as_str()))
        .map(|entry| entry.code.clone())
        // These are no errors to n8n.
        .filter(|code| !WITHOUT_EXAMPLE.iter().any(|other| other.as_str() == code))
        .filter(|code| !code.starts_with("policy-") && !code.starts_with("quota-") && !NOT_IN_A_FILE.contains(&code.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken");
    let files: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let listed: BTreeSet<String> = rows(&table).iter().map(|row| row.file.to_owned()).chain(["table.tsv".to_owned()]).collect();
    assert_eq!(files, listed);
}

/// Errors whose files would be unreadable, huge, or not a workflow; the examples in the page suffice.
const NOT_IN_A_FILE: &[&str] = &["document-too-large", "findings-too-many", "nodes-too-many"];

#[test]
fn workflows_that_only_look_wrong_have_no_findings() {
    let findings = look(fixture("sound/stay-quiet.json"), &NamespaceRules::default());
    assert!(findings.is_empty(), "{findings:#?}");
}
