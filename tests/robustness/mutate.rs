//! Random changes of real and generated documents.
//!
//! `WEIRKEEPER_SEED` repeats one run, `WEIRKEEPER_MUTATION_SECONDS` makes it run longer. Why this and not a coverage-guided fuzzer:
//! docs/decisions/0011-mutation-not-coverage.md.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use weirkeeper::document::yaml;
use weirkeeper::validator::check::parse_and_check;

use crate::dice::Dice;
use crate::mutations::{change, text_edit};
use crate::{hold_in_any_order, reports, reversed, seeds, worked};

/// Default duration, in seconds, and maximum number of rounds.
const SECONDS: u64 = 20;
const RUNS: u64 = 20_000;
/// Maximum processor time for one document, in a debug build on a slow machine; most take milliseconds.
const LONGEST: Duration = Duration::from_secs(20);

#[test]
fn randomly_changed_documents_neither_panic_nor_take_long() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
    let given = number("WEIRKEEPER_SEED");
    let first = given.unwrap_or(now % 1_000_000_000_000);
    let patience = Duration::from_secs(number("WEIRKEEPER_MUTATION_SECONDS").unwrap_or(SECONDS));
    let documents = seeds::documents();
    assert!(documents.len() >= 6, "{}", documents.len());
    // A stack overflow ends the process: the last line of this file then names the seed.
    let diary = concat!(env!("CARGO_TARGET_TMPDIR"), "/mutation-seed");
    let (started, mut runs, mut slowest) = (Instant::now(), 0, (Duration::ZERO, first));
    while runs < RUNS && started.elapsed() < patience {
        let seed = first + runs;
        std::fs::write(diary, format!("WEIRKEEPER_SEED={seed}\n")).unwrap();
        let before = worked();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, &documents)));
        let took = worked() - before;
        assert!(outcome.is_ok() && took < LONGEST, "after {took:?}; repeat it with WEIRKEEPER_SEED={seed}");
        slowest = slowest.max((took, seed));
        runs += 1;
        if given.is_some() {
            break;
        }
    }
    println!("{runs} documents from seed {first} on; the slowest took {:?}, seed {}", slowest.0, slowest.1);
    assert!(runs > 20 || given.is_some(), "{runs} runs");
}

fn run(seed: u64, documents: &[Value]) {
    // Neighbouring seeds must not begin alike, and none may be zero.
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut document = dice.pick(documents).clone();
    change(&mut document, dice.pick(documents), &mut dice);
    let written = if dice.roll(4) == 0 { yaml::document(&document) } else { document.to_string() };
    // The order of the keys must not matter, except for positions.
    let mut other = String::new();
    reversed(&document, &mut other);
    assert_eq!(without_places(document.to_string()), without_places(other), "the order of keys matters");
    let mut text = written;
    if dice.roll(3) == 0 {
        text_edit(&mut text, &mut dice);
    }
    reports(text);
    if let Ok(intake) = parse_and_check(&document) {
        hold_in_any_order(intake.definition);
    }
}

fn without_places(text: String) -> Vec<String> {
    let findings = reports(text).into_iter().flat_map(|report| report.findings);
    let mut lines: Vec<String> = findings.map(|placed| format!("{:?}", placed.finding)).collect();
    lines.sort();
    lines
}
