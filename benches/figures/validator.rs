//! The validator on one core, from JSON text to findings: no API server, no n8n, no file but the workflows. Of seconds the
//! processor's are measured too, which other work on the machine changes less.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use weirkeeper::catalog::Catalog;
use weirkeeper::document::parse::read_text;
use weirkeeper::validator::check::{check, parse_owned_and_check};

use crate::made;

const ROUNDS: usize = 10;
const NODES: usize = 50;
const REPEATED: usize = 2_000;

/// Workflows to measure with: those that lie beside the repository, else as many made ones.
pub fn workflows() -> (&'static str, Vec<String>) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/dev");
    let mut files: Vec<_> = fs::read_dir(corpus).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let texts: Vec<String> = files.iter().map(|path| fs::read_to_string(path).expect("a workflow is text")).collect();
    if texts.is_empty() { ("made", (0..300).map(|at| made::workflow(2 + at % 60)).collect()) } else { ("real", texts) }
}

/// Takes a text all the way. Returns the number of findings.
fn findings(text: &str) -> usize {
    let intake = read_text(text, 16 << 20).and_then(|read| parse_owned_and_check(read.value));
    match intake {
        Ok(intake) => {
            let active = intake.definition.declared_active;
            intake.warnings.len() + check(&intake.definition, active, Catalog::embedded()).len()
        }
        Err(findings) => findings.len(),
    }
}

/// Processor time of this thread.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Must run before anything else asks the catalogue, else there is nothing left to load.
pub fn measure() {
    catalogue();
    throughput();
    one();
}

fn catalogue() {
    let (memory, time) = (resident(), worked());
    let catalog = Catalog::embedded();
    let (opened, took) = (resident(), worked() - time);
    println!(
        "validator: catalogue of {} node types opened in {} µs of the processor, {} KiB",
        catalog.index().nodes.len(),
        took.as_micros(),
        opened.saturating_sub(memory)
    );
    let time = worked();
    let unpacked = catalog.index().nodes.iter().filter(|entry| catalog.node(&entry.name).is_some()).count();
    println!(
        "validator: all {unpacked} unpacked, which no workflow needs: {} ms of the processor, {} KiB",
        (worked() - time).as_millis(),
        resident().saturating_sub(opened)
    );
}

/// Workflows a second of processor time, once everything that they ask the catalogue for is unpacked.
pub fn throughput() -> f64 {
    let (origin, texts) = workflows();
    let bytes: usize = texts.iter().map(String::len).sum();
    let found: usize = texts.iter().map(|text| findings(text)).sum();
    let (wall, time) = (Instant::now(), worked());
    for text in (0..ROUNDS).flat_map(|_| &texts) {
        std::hint::black_box(findings(text));
    }
    let (wall, time) = (wall.elapsed().as_secs_f64(), (worked() - time).as_secs_f64());
    let checked = (texts.len() * ROUNDS) as f64;
    println!(
        "validator: {} {origin} workflows of {} bytes on average, {found} findings: {:.0} a second of one processor (>= 3000), {:.0} a second by the clock",
        texts.len(),
        bytes / texts.len(),
        checked / time,
        checked / wall
    );
    checked / time
}

/// One workflow after the other, as the admission of one object.
fn one() {
    let text = made::workflow(NODES);
    let mut taken: Vec<(Duration, Duration)> = (0..REPEATED)
        .map(|_| {
            let (wall, time) = (Instant::now(), worked());
            std::hint::black_box(findings(&text));
            (worked() - time, wall.elapsed())
        })
        .collect();
    let mut at = |percent: usize, of: fn(&(Duration, Duration)) -> Duration| {
        taken.sort_unstable_by_key(of);
        of(&taken[(REPEATED * percent).div_ceil(100) - 1]).as_micros()
    };
    println!(
        "validator: one workflow of {NODES} nodes, {} bytes, {REPEATED} times: p50 {} µs, p99 {} µs (<= 1000) of the processor; p50 {} µs, p99 {} µs by the clock",
        text.len(),
        at(50, |one| one.0),
        at(99, |one| one.0),
        at(50, |one| one.1),
        at(99, |one| one.1)
    );
}
