//! Answers of a capable model to the prompts of the corpus, replayed: they reach the targets of generation without a server.
//!
//! They were written by hand, each from the very messages of its call and nothing else. `tests/fixtures/generation/dev` has them by the key
//! of the call, which is a digest of these messages, so that the corpus itself is no part of the repository. Prompts that patterns build
//! have answers, too: they count as soon as the patterns no longer build them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::folder::{corpora, note};

/// Shares in percent that are to be reached, by the name of the measure.
const SHARES: &[(&str, f64)] = &[
    ("answers with JSON", 99.5),
    ("valid within the attempts, of those tried", 95.0),
    ("valid at the first attempt, of those tried", 80.0),
    ("expected triggers, of the built", 95.0),
    ("essential nodes, of the built", 85.0),
    ("questions when expected (recall)", 80.0),
    ("expected when questions (precision)", 80.0),
    ("nothing built when a refusal is expected", 100.0),
];
/// Maximum medians of tokens.
const TOKENS: &[(&str, u64)] = &[("tokens in, median", 12_000), ("tokens out, median", 1_200)];

fn answers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/generation/dev")
}

/// Runs the evaluation with the recorded answers.
fn replayed() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .arg("evaluate")
        .arg(corpora().join("prompts/dev.jsonl"))
        .arg("--replay")
        .arg(answers())
        .arg("--json")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn recorded_answers_reach_the_targets() {
    let report = replayed();
    let results = report["results"].as_array().unwrap();
    let lost: Vec<&str> = results
        .iter()
        .filter(|result| result["message"].as_str().unwrap().contains("no answer is recorded"))
        .map(|result| result["id"].as_str().unwrap())
        .collect();
    let again = "what a model is sent has changed (rules, catalogue, signatures, schema or findings). Remove tests/fixtures/generation/dev, and record again: \
                 `weirkeeper evaluate ../shared/corpora/prompts/dev.jsonl --base-url URL --model NAME --record tests/fixtures/generation/dev`";
    assert!(lost.is_empty(), "no answer is recorded for a call of {}: {again}", lost.join(", "));

    let measures = report["measures"].as_array().unwrap();
    let named = |name: &str| measures.iter().find(|measure| measure["name"] == name).unwrap_or_else(|| panic!("no measure {name}"));
    for (name, target) in SHARES {
        let measure = named(name);
        let (part, whole) = (measure["of"][0].as_f64().unwrap(), measure["of"][1].as_f64().unwrap());
        note(&format!("{name}: {part} of {whole}"));
        assert!(whole > 0.0 && 100.0 * part / whole >= *target, "{name}: {part} of {whole}, and the target is {target} %");
    }
    for (name, most) in TOKENS {
        let value: u64 = named(name)["value"].as_str().unwrap().parse().unwrap();
        note(&format!("{name}: {value}"));
        assert!(value <= *most, "{name}: {value}, and the target is {most}");
    }
}
