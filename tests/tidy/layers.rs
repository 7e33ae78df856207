//! Which layer may use which. A layer uses itself and those after it in the list, never those before.

use crate::{hold, is_test, read, rust_files, shipped_lines};

/// The layers, highest first; layers that share a rank may not use each other.
const RANKS: &[&[&str]] = &[&["app"], &["controller", "webhook", "cli"], &["n8n", "llm"], &["domain"], &["api"]];

/// What nothing at or below the domain may touch: IO, clocks, the environment and logs.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "axum",
    "hyper",
    "futures",
    "tracing",
    "prometheus",
    "kube::Api",
    "kube::Client",
    "kube::client",
    "kube::runtime",
    "kube::config",
    "std::fs",
    "std::env",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::process",
    "std::thread",
    "Instant::now",
    "std::time::Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "println!",
    "eprintln!",
];

fn rank(layer: &str) -> Option<usize> {
    RANKS.iter().position(|layers| layers.contains(&layer))
}

/// The layer of a file, such as `domain` for src/domain/plan.rs; the roots have none.
fn layer_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let layer = inside.split('/').next()?.trim_end_matches(".rs");
    (!matches!(layer, "lib" | "main")).then_some(layer)
}

/// The layers that a line names by `crate::layer`, or by `crate::{layer::…, layer::…}`.
fn named(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for after in line.split("crate::").skip(1) {
        let items: Vec<&str> = match after.strip_prefix('{') {
            Some(list) => list.split(',').collect(),
            None => vec![after],
        };
        for item in items {
            let word: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if rank(&word).is_some() {
                found.push(word);
            }
        }
    }
    found
}

#[test]
fn no_layer_uses_one_above_or_beside_it() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for path in rust_files("src") {
        let Some(layer) = layer_of(&path) else { continue };
        let Some(own) = rank(layer) else {
            complaints.push(format!("{path}: {layer} is no layer; give it a rank in tests/tidy/layers.rs"));
            continue;
        };
        for (number, line) in read(&path).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for used in named(line) {
                seen += 1;
                if used != layer && rank(&used).is_some_and(|other| other <= own) {
                    complaints.push(format!("{path}:{}: {layer} uses {used}", number + 1));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} uses were found; does the test still read the imports?");
    hold("a layer was crossed", &complaints);
}

#[test]
fn the_domain_and_the_api_touch_no_io_no_clock_and_no_log() {
    let mut complaints = Vec::new();
    let files = rust_files("src/domain").into_iter().chain(rust_files("src/api")).chain(["src/domain.rs".into(), "src/api.rs".into()]);
    for path in files.filter(|path| !is_test(path)) {
        for (number, line) in shipped_lines(&read(&path)) {
            complaints.extend(IMPURE.iter().filter(|word| uses(line, word)).map(|word| format!("{path}:{number}: {word}")));
        }
    }
    hold("the pure layers stay pure", &complaints);
}

/// Whether a line names something as a whole word.
fn uses(line: &str, word: &str) -> bool {
    let joined = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(joined) && !line[at + word.len()..].starts_with(joined))
}

#[test]
fn the_environment_is_read_in_one_place() {
    let complaints: Vec<String> = rust_files("src")
        .into_iter()
        .filter(|path| path != "src/app/settings.rs")
        .flat_map(|path| {
            let text = read(&path);
            let found: Vec<String> = shipped_lines(&text)
                .into_iter()
                .filter(|(_, line)| line.contains("env::var") || line.contains("env = \""))
                .map(|(number, _)| format!("{path}:{number}"))
                .collect();
            found
        })
        .collect();
    hold("only src/app/settings.rs reads the environment", &complaints);
}

#[test]
fn the_checks_of_layers_find_what_they_look_for() {
    assert_eq!(layer_of("src/domain/intake/json.rs"), Some("domain"));
    assert_eq!(layer_of("src/main.rs"), None);
    assert_eq!(named("use crate::{api::MANAGER, domain::plan::Plan};"), ["api", "domain"]);
    assert_eq!(named("let a: crate::n8n::N8nError = crate::controller::x();"), ["n8n", "controller"]);
    assert!(uses("use tokio::sync;", "tokio") && uses("let now = Timestamp::now();", "Timestamp::now"));
    assert!(!uses("let tokio_like = 1;", "tokio") && !uses("my_tokio", "tokio"));
}
