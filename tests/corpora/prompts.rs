//! The `builtin` provider on prompts whose expected starts and nodes are known: of what it builds nearly all must have them.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use weirkeeper::catalog::Catalog;
use weirkeeper::generation::builtin::propose;
use weirkeeper::generation::outcome::{Answers, Candidate, Outcome};
use weirkeeper::generation::prompt::{Clarification, Prompt};

use crate::folder::{corpora, note};

fn rows() -> Vec<Value> {
    let text = fs::read_to_string(corpora().join("prompts/dev.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn proposed(row: &Value) -> Outcome {
    let request = Prompt {
        text: row["prompt"].as_str().unwrap(),
        answers: &Answers::new(),
        timezone: None,
        clarification: Clarification::Ask,
        catalog: Catalog::embedded(),
    };
    propose(&request)
}

/// Returns the expected nodes of which a workflow has none.
fn missing(row: &Value, candidate: &Candidate) -> Vec<String> {
    let has = |kind: &Value| candidate.definition.nodes.iter().any(|node| kind == node.kind());
    let lists = ["required_triggers", "essential_nodes"].into_iter().flat_map(|key| row["reference"][key].as_array().unwrap());
    lists.filter(|kinds| !kinds.as_array().unwrap().iter().any(has)).map(ToString::to_string).collect()
}

pub fn nearly_all_that_is_built_has_the_expected_start_and_nodes_and_half_of_the_simple_prompts_are_built() {
    let (mut built, mut right) = (0, 0);
    let mut by_difficulty: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for row in rows() {
        let difficulty = row["difficulty"].as_str().unwrap_or("none").to_owned();
        let counts = by_difficulty.entry(difficulty).or_default();
        counts.1 += 1;
        let Outcome::Built(candidate) = proposed(&row) else { continue };
        counts.0 += 1;
        built += 1;
        let missing = missing_of(&row, &candidate);
        right += usize::from(missing.is_empty());
        note(&format!(
            "{} is built{}",
            row["id"],
            if missing.is_empty() { String::new() } else { format!(" without {}", missing.join(", ")) }
        ));
    }
    note(&format!("{right} of {built} workflows are as expected; built and all by difficulty: {by_difficulty:?}"));
    assert!(right * 100 >= built * 95, "{right} of {built}");
    let (simple, of) = by_difficulty["simple"];
    assert!(simple * 2 >= of, "{simple} of {of} simple prompts");
}

fn missing_of(row: &Value, candidate: &Candidate) -> Vec<String> {
    if row["expects"] == "workflow" { missing(row, candidate) } else { vec![format!("no workflow is expected, but {}", row["expects"])] }
}

pub fn vague_prompts_are_asked_about_and_others_refused() {
    for row in rows() {
        let outcome = proposed(&row);
        match row["expects"].as_str().unwrap() {
            "questions" => assert!(
                matches!(&outcome, Outcome::Questions(asked) if (1..=3).contains(&asked.questions.len())),
                "{}: {outcome:?}",
                row["id"]
            ),
            "refusal" => assert!(matches!(outcome, Outcome::Refused(_)), "{}: {outcome:?}", row["id"]),
            // A prompt that says what is wanted is not answered by questions.
            _ => assert!(!matches!(outcome, Outcome::Questions(_) | Outcome::Refused(_)), "{}: {outcome:?}", row["id"]),
        }
    }
}
