//! Comparison of all findings with those of another build, for changes that must not change any: `WEIRKEEPER_FINDINGS` names a file, which the
//! first run writes and later runs compare with. The workflows are those of the corpora, of the templates and of the examples.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weirkeeper::catalog::Catalog;
use weirkeeper::document::parse::read_text;
use weirkeeper::validator::check::{examine, parse_and_check};

use crate::folder::corpora;

fn file() -> Option<PathBuf> {
    std::env::var_os("WEIRKEEPER_FINDINGS").map(PathBuf::from)
}

/// Reports whether no file is named.
pub fn is_ignored() -> bool {
    file().is_none()
}

/// Returns the files below a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Collects the objects that may be workflows, those inside texts included.
fn workflows(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            if map.contains_key("nodes") {
                found.push(value.clone());
            }
            map.values().for_each(|inner| workflows(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| workflows(inner, found)),
        Value::String(text) if text.contains("nodes") => {
            if let Ok(inner) = serde_json::from_str::<Value>(text) {
                workflows(&inner, found);
            }
        }
        _ => {}
    }
}

/// Writes every finding about a document with all its fields, and the credentials that its nodes need.
fn report(document: &Value, out: &mut String) {
    let parsed = match parse_and_check(document) {
        Ok(parsed) => parsed,
        Err(findings) => return writeln!(out, "unparsable: {findings:#?}").unwrap(),
    };
    writeln!(out, "{:#?}\n{:?}", parsed.warnings, parsed.definition).unwrap();
    for active in [None, Some(true), Some(false)] {
        let (findings, credentials) = examine(&parsed.definition, active, Catalog::embedded());
        writeln!(out, "active {active:?}: {findings:#?}\n{credentials:#?}").unwrap();
    }
}

fn report_on(text: &str, out: &mut String) {
    match read_text(text, 16 << 20) {
        Ok(read) => {
            report(&read.value, out);
            let mut inner = Vec::new();
            workflows(&read.value, &mut inner);
            inner.iter().filter(|inner| **inner != read.value).for_each(|inner| report(inner, out));
        }
        Err(findings) => writeln!(out, "unreadable: {findings:#?}").unwrap(),
    }
}

pub fn every_finding_is_that_of_the_other_build() {
    let file = file().unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut reports = String::new();
    let folders = [corpora(), own.join("templates"), own.join("examples")];
    for (folder, path) in folders.iter().flat_map(|folder| files(folder).into_iter().map(move |path| (folder, path))) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        writeln!(reports, "# {}", path.strip_prefix(folder).unwrap().display()).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => report_on(&text, &mut reports),
            Some("yaml" | "yml") => text.split("\n---").for_each(|document| report_on(document, &mut reports)),
            _ => {}
        }
    }
    if !file.exists() {
        fs::write(&file, reports).unwrap();
        return;
    }
    let before = fs::read_to_string(&file).unwrap();
    let (mut of, mut now) = ("", reports.lines());
    for line in before.lines() {
        of = if line.starts_with("# ") { line } else { of };
        assert_eq!(now.next(), Some(line), "{of}");
    }
    assert_eq!(now.next(), None, "after {of}");
}
