//! Dependencies between layers: a layer uses itself and those after it in the list, never those before it. No files use each other in a
//! circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{IMPORTS, circles, imports, paths_in};
use crate::{hold, read, rust_files, shipped_lines};

/// The layers, highest first; layers that share a rank may not use each other.
const RANKS: &[&[&str]] = &[
    &["app"],
    &["controller", "webhook", "cli"],
    &["kubernetes"],
    &["n8n", "llm"],
    &["http"],
    &["manifest"],
    // They use nothing of each other.
    &["domain", "generation"],
    &["validator"],
    &["catalog"],
    &["document"],
    &["text"],
    &["api"],
];

/// Layers whose functions depend on their arguments only.
const PURE: &[&str] = &["manifest", "domain", "generation", "validator", "catalog", "document", "text", "api"];

/// Modules that the pure layers may not use: IO, clocks, the environment and logs.
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

/// Returns the layer of a module, such as `domain` for `domain::plan`.
fn layer_of(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

#[test]
fn no_layer_uses_one_above_or_beside_it() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for (module, uses) in IMPORTS.iter().filter(|(module, _)| !module.is_empty()) {
        let layer = layer_of(module);
        let Some(own) = rank(layer) else {
            complaints.push(format!("{}: {layer} is no layer; give it a rank in tests/tidy/layers.rs", uses.file));
            continue;
        };
        for used in &uses.modules {
            seen += 1;
            let other = layer_of(used);
            if other != layer && rank(other).is_some_and(|other| other <= own) {
                complaints.push(format!("{}: {layer} uses {used}", uses.file));
            }
        }
    }
    assert!(seen > 800, "only {seen} uses were found; does the test still read the imports?");
    hold("a layer was crossed", &complaints);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let edges: BTreeMap<String, BTreeSet<String>> = IMPORTS.iter().map(|(module, uses)| (module.clone(), uses.modules.clone())).collect();
    let complaints: Vec<String> = circles(&edges).iter().map(|circle| circle.join(", ")).collect();
    hold("files use each other in a circle; move what they share into a file of its own", &complaints);
}

#[test]
fn the_harness_and_the_stand_in_use_no_scenario() {
    let e2e = imports("tests/e2e/", rust_files("tests/e2e"));
    let is_scenario = |module: &str| layer_of(module) == "scenarios";
    assert!(e2e.iter().any(|(module, uses)| is_scenario(module) && uses.modules.contains("harness::world")), "no import was found");
    let complaints: Vec<String> = e2e
        .iter()
        .filter(|(module, _)| ["harness", "standin"].contains(&layer_of(module)))
        .flat_map(|(_, uses)| uses.modules.iter().filter(|used| is_scenario(used)).map(|used| format!("{}: {used}", uses.file)))
        .collect();
    hold("only scenarios use scenarios", &complaints);
}

#[test]
fn the_pure_layers_touch_no_io_no_clock_and_no_log() {
    let mut complaints = Vec::new();
    for uses_of in IMPORTS.iter().filter(|(module, _)| PURE.contains(&layer_of(module))).map(|(_, uses_of)| uses_of) {
        let path = &uses_of.file;
        for (number, line) in shipped_lines(&read(path)) {
            complaints.extend(IMPURE.iter().filter(|word| uses(line, word)).map(|word| format!("{path}:{number}: {word}")));
        }
    }
    hold("the pure layers stay pure", &complaints);
}

/// Reports whether a line contains a name as a whole word.
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
    let parsed = syn::parse_file(
        "use crate::{api::MANAGER, domain::{plan::{self, Plan}}};
         mod child;
         fn shipped() -> crate::n8n::N8nError { assert!(super::beside::holds(), \"{}\", child::text()); self::child::other() }
         #[cfg(test)] mod tests { use crate::app::x; }",
    );
    let found = paths_in(&parsed.unwrap(), "controller::workflow");
    for wanted in [
        "api::MANAGER",
        "domain::plan::self",
        "domain::plan::Plan",
        "n8n::N8nError",
        "controller::beside::holds",
        "controller::workflow::child::text",
        "controller::workflow::child::other",
    ] {
        assert!(found.iter().any(|path| path == wanted), "{wanted}: {found:?}");
    }
    assert!(!found.iter().any(|path| path.starts_with("app")), "{found:?}");
    let edges = |pairs: &[(&str, &str)]| {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        edges
    };
    assert_eq!(circles(&edges(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")])), [["b", "c"]]);
    assert!(circles(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    assert!(uses("use tokio::sync;", "tokio") && uses("let now = Timestamp::now();", "Timestamp::now"));
    assert!(!uses("let tokio_like = 1;", "tokio") && !uses("my_tokio", "tokio"));
}
