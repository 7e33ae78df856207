//! Files and tests that the documents mention exist: a test that is renamed takes its mentions along.

use std::collections::BTreeMap;

use crate::{hold, read, root, rust_files, tracked};

/// Folders whose files are mentioned by path.
const FOLDERS: &[&str] = &["src/", "tests/", "docs/", "benches/", "charts/", "config/", "crds/", "examples/", ".ci/"];

/// Files of the kind that docs/adding-a-kind.md adds as an example.
const EXAMPLES: &[&str] = &[
    "src/api/probe.rs",
    "src/controller/probe.rs",
    "src/kubernetes/indexed_probe.rs",
    "config/argocd/resource_customizations/weirkeeper.dev/Probe/",
];

/// The functions and the modules of the repository.
struct Known {
    /// Components of the path of each file, without the extension.
    files: Vec<Vec<String>>,
    /// Files by the name of a function in them.
    functions: BTreeMap<String, Vec<usize>>,
}

impl Known {
    fn new() -> Self {
        let paths: Vec<String> = ["src", "tests", "benches"].into_iter().flat_map(rust_files).collect();
        let mut functions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, path) in paths.iter().enumerate() {
            for rest in read(path).split("fn ").skip(1) {
                let name: String = rest.chars().take_while(|c| is_name(*c)).collect();
                functions.entry(name).or_default().push(at);
            }
        }
        let parts = |path: &String| path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        Self { files: paths.iter().map(parts).collect(), functions }
    }

    /// Reports whether a mention such as `routes::tests::a_name` or `routes::a_na…` is a module or a function.
    fn has(&self, mention: &str) -> bool {
        let whole = mention.trim_end_matches('…').trim_end_matches('_');
        let segments: Vec<&str> = whole.split("::").collect();
        let (modules, name) = segments.split_at(segments.len() - 1);
        // A module of tests may be inside of the file.
        let inside = |at: &usize| modules.iter().all(|module| *module == "tests" || self.files[*at].iter().any(|part| part == module));
        let is_prefix = mention.ends_with('…');
        let fits = |function: &str| if is_prefix { function.starts_with(name[0]) } else { function == name[0] };
        let is_module = !is_prefix && self.files.iter().any(|parts| segments.iter().rev().eq(parts.iter().rev().take(segments.len())));
        is_module || self.functions.iter().any(|(function, files)| fits(function) && files.iter().any(inside))
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// Returns the texts in backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Reports whether a text names a test or a module of this repository, rather than a metric, a field or an address.
fn names_a_test(text: &str, crates: &[String]) -> bool {
    let whole = text.trim_end_matches('…').trim_end_matches('_');
    let segments: Vec<&str> = whole.split("::").collect();
    let is_path = segments.iter().all(|one| one.starts_with(|c: char| c.is_ascii_lowercase()) && one.chars().all(is_name));
    let words = whole.matches('_').count() + 1;
    is_path
        && match segments[..] {
            [one] => (words >= 5 || text.ends_with('…') && words >= 3) && !one.starts_with("weirkeeper_"),
            _ => !crates.iter().any(|known| known == segments[0]),
        }
}

#[test]
fn every_file_and_test_that_a_document_mentions_exists() {
    let known = Known::new();
    let manifest = read("Cargo.toml");
    let crates: Vec<String> = manifest.lines().filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_"))).collect();
    let documents = tracked("docs").into_iter().chain(["README.md".to_owned()]).filter(|path| path.ends_with(".md"));
    let (mut complaints, mut files, mut tests) = (Vec::new(), 0, 0);
    for document in documents.filter(|path| !path.starts_with("docs/reference/")) {
        let text = read(&document);
        for (at, mention) in text.lines().enumerate().flat_map(|(at, line)| quoted(line).map(move |mention| (at + 1, mention))) {
            let is_file = FOLDERS.iter().any(|folder| mention.starts_with(folder)) && !mention.contains(['*', ' ', '…']);
            if is_file {
                files += 1;
                if !EXAMPLES.contains(&mention) && !root().join(mention).exists() {
                    complaints.push(format!("{document}:{at}: there is no {mention}"));
                }
            } else if names_a_test(mention, &crates) {
                tests += 1;
                if !known.has(mention) {
                    complaints.push(format!("{document}:{at}: there is no test or module {mention}"));
                }
            }
        }
    }
    assert!(files > 40 && tests > 60, "only {files} files and {tests} tests were found; does the test still read the documents?");
    hold("documents mention what exists", &complaints);
}

#[test]
fn mentions_are_distinguished_from_other_text_in_backticks() {
    let crates = ["serde_json".to_owned()];
    for test in ["routes::a_b", "code_that_runs_…", "routes::tests::no_path_…", "every_file_and_test_exists", "domain::plan"] {
        assert!(names_a_test(test, &crates), "{test}");
    }
    for other in
        ["weirkeeper_reconcile_total_of_something", "memory_full", "fec0::1", "::1", "kube::Api", "serde_json::from_str", "__proto__"]
    {
        assert!(!names_a_test(other, &crates), "{other}");
    }
    let known = Known::new();
    assert!(known.has("tidy::mentions") && known.has("mentions::every_file_and_test_…") && known.has("domain::plan"));
    assert!(!known.has("layers::every_file_and_test_…") && !known.has("mentions::every_file_and_test") && !known.has("domain::nothing"));
}
