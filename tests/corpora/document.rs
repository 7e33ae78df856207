//! Tests of the document layer with real workflows and the responses of a real n8n to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use weirkeeper::document::canonical::{Digest, canonical, digest, digest_of};
use weirkeeper::document::definition::Definition;
use weirkeeper::document::derive::{IdentitySeed, fill_ids};
use weirkeeper::document::difference::difference;
use weirkeeper::document::finding::{Finding, has_errors};
use weirkeeper::document::parse::read_text;
use weirkeeper::validator::check::parse_and_check;
use weirkeeper::validator::structure::check_structure;

use crate::folder::corpora;

/// Returns all findings about one file, and the definition if there is one.
fn examine(path: &Path) -> (Option<Definition>, Vec<Finding>) {
    let text = fs::read_to_string(path).unwrap();
    let read = match read_text(&text, 4 << 20) {
        Ok(read) => read,
        Err(findings) => return (None, findings),
    };
    match parse_and_check(&read.value) {
        Ok(intake) => {
            let mut findings = [read.warnings, intake.warnings].concat();
            findings.extend(check_structure(&intake.definition));
            (Some(intake.definition), findings)
        }
        Err(findings) => (None, findings),
    }
}

struct Recorded {
    path: PathBuf,
    create: String,
    message: String,
}

fn recorded(folder: &Path) -> Vec<Recorded> {
    let table = fs::read_to_string(folder.join("N8N_VERDICT.tsv")).unwrap();
    let row = |line: &str| {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().unwrap_or_default().to_owned();
        let (file, create, message) = (cell(), cell(), cell());
        let file = Path::new(&file).file_name().unwrap().to_owned();
        Recorded { path: folder.join(file), create, message }
    };
    let rows: Vec<Recorded> = table.lines().skip(1).map(row).collect();
    rows.into_iter().filter(|response| response.path.exists()).collect()
}

/// Reports whether parsing repairs the defect of a refusal, so that the sent document is no longer the one that n8n refused.
fn is_repaired(message: &str) -> bool {
    message.contains("Unrecognized key(s)")
        || message.ends_with("received null")
        || message.ends_with("must have required property 'settings'")
}

pub fn workflows_that_n8n_creates_have_no_error_and_those_that_it_refuses_have_one() {
    let corpora = corpora();
    let mut validated = 0;
    let mut wrong = Vec::new();
    for folder in ["dev", "broken/dev"] {
        for response in recorded(&corpora.join(folder)) {
            let (_, findings) = examine(&response.path);
            let errors: Vec<String> = findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
            let file = response.path.display();
            validated += 1;
            let repaired = match response.create.as_str() {
                "200" => {
                    if !errors.is_empty() {
                        wrong.push(format!("{file}: n8n created it, we say {errors:?}"));
                    }
                    continue;
                }
                _ => {
                    is_repaired(&response.message)
                        // Absent connections become empty ones, and a wrapper is removed.
                        || findings.iter().any(|f| matches!(f.code.as_str(), "connections-missing" | "document-wrapped"))
                }
            };
            if errors.is_empty() && !repaired {
                wrong.push(format!("{file}: n8n says {}, we say nothing", response.message));
            }
        }
    }
    assert!(validated > 400, "{validated}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub fn every_repaired_document_is_one_that_n8n_accepts() {
    // After the repair only messages that n8n would send for the repaired document may remain.
    let corpora = corpora();
    for response in recorded(&corpora.join("dev")) {
        let (definition, findings) = examine(&response.path);
        let expected = response.create == "200" || is_repaired(&response.message);
        assert_eq!(definition.is_some() && !has_errors(&findings), expected, "{}", response.path.display());
    }
}

fn managed() -> BTreeSet<String> {
    ["executionOrder", "timezone", "errorWorkflow", "saveManualExecutions"].map(str::to_owned).into()
}

/// Returns n8n's response to a body: normalised, with keys in another order and names of credentials rewritten.
fn read_back(body: &Map<String, Value>) -> Value {
    let mut read: Value = serde_json::from_str(&Value::Object(body.clone()).to_string()).unwrap();
    for node in read["nodes"].as_array_mut().unwrap() {
        let credentials = node.get_mut("credentials").and_then(Value::as_object_mut);
        for (_, reference) in credentials.into_iter().flatten() {
            let by_id = reference.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
            if by_id {
                reference["name"] = "rewritten".into();
            }
        }
    }
    read["nodeGroups"] = Value::Array(Vec::new());
    read["settings"]["availableInMCP"] = Value::Bool(false);
    read
}

fn digest_of_body(body: &Value) -> Digest {
    let list = |key: &str| body[key].as_array().unwrap().as_slice();
    digest_of(list("nodes"), &body["connections"], list("nodeGroups"), body["settings"].as_object().unwrap(), &managed())
}

pub fn parsing_is_idempotent_and_stable_under_a_round_trip() {
    let corpora = corpora();
    let seed = IdentitySeed { cluster_id: "c".into(), namespace: "n".into(), name: "w".into() };
    let mut seen = 0;
    for response in recorded(&corpora.join("dev")) {
        let file = response.path.display();
        let (Some(mut definition), _) = examine(&response.path) else { panic!("{file}") };
        fill_ids(&mut definition, &seed);
        let form = canonical((&definition).into(), &managed());
        let found = digest((&definition).into(), &managed());

        // The body that would be sent, parsed again, is the same document without a warning about it.
        let again = parse_and_check(&Value::Object(definition.update_body())).unwrap();
        let mut sent = again.definition;
        fill_ids(&mut sent, &seed);
        assert_eq!(again.warnings, [], "{file}");
        assert_eq!(sent.nodes, definition.nodes, "{file}");
        assert_eq!(canonical((&sent).into(), &managed()), form, "{file}");
        assert!(difference((&definition).into(), (&sent).into(), &managed()).is_empty(), "{file}");

        assert_eq!(digest_of_body(&read_back(&definition.update_body())), found, "{file}");
        assert_eq!(check_structure(&sent).len(), check_structure(&definition).len(), "{file}");
        seen += 1;
    }
    assert!(seen >= 300, "{seen}");
}

pub fn a_document_is_parsed_alike_from_json_and_yaml() {
    let corpora = corpora();
    for response in recorded(&corpora.join("dev")).iter().step_by(10) {
        let text = fs::read_to_string(&response.path).unwrap();
        let json = read_text(&text, 4 << 20).unwrap().value;
        let yaml = serde_saphyr::to_string(&json).unwrap();
        assert_eq!(read_text(&yaml, 8 << 20).unwrap().value, json, "{}", response.path.display());
    }
}
