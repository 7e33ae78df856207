//! One word, one meaning: words that were replaced by the terms of the field stay out of code, comments and docs, and types that everybody
//! meets have one declaration.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};

use crate::{hold, read, rust_files, tracked};

/// Words in each form, and the terms in their place.
const WORDS: &[(&[&str], &str)] = &[
    (&["lane", "lanes"], "a queue, or a track of the build"),
    (&["rival", "rivals"], "another workflow or route, that conflicts"),
    (&["sighting", "sightings"], "a listed workflow"),
    (&["trouble", "troubles", "troubled"], "an error"),
    (&["salvage", "salvaged", "salvages"], "decode leniently"),
    (&["verdict", "verdicts"], "the answer, the response or the result of somebody who is named"),
    (&["told"], "sent, reported, listed or distinguished"),
    (&["judge", "judges", "judged", "judging", "judgement", "judgements"], "evaluate, validate, check or decide"),
];

/// A file of the corpora.
const CORPUS_FILE: &str = "N8N_VERDICT.tsv";
/// Words of people's prompts.
const VOCABULARY: [&str; 2] = ["src/generation/builtin/words/", "src/generation/builtin/phrases.rs"];

/// The settlement of a reservation, which replaces the reserved amount by the actual one, has no other meaning: the files where it is spoken of.
const SETTLEMENT: [&str; 8] = [
    "src/controller/quotas",
    "src/controller/prompt",
    "src/controller/workflow/",
    "src/domain/quota",
    "tests/e2e/scenarios/prompt",
    "tests/e2e/scenarios/quota_deployments.rs",
    "docs/quotas.md",
    "docs/decisions/0026-places-are-held.md",
];

/// A name that says nothing about what a variable, a field or a function is: it stood for catalogues, credentials, revisions, keys and quotas.
const NO_NAME: &str = "held";

/// Types that have one meaning: a second type needs a more precise name.
const TYPES: [(&str, &str); 6] = [
    // A macro declares that of n8n's API, in src/n8n/operation.rs.
    ("Operation", "src/generation/builtin/operations.rs"),
    ("Span", "src/document/positions/index.rs"),
    ("Connection", "src/controller/connections.rs"),
    ("Slot", "src/controller/runtime/slots.rs"),
    ("Finding", "src/document/finding.rs"),
    ("Definition", "src/document/definition.rs"),
];

/// Types that have none: they say nothing about what they hold.
const NO_TYPES: [&str; 6] = ["Place", "Held", "Verdict", "Settled", "Work", "Trouble"];

#[test]
fn words_that_were_replaced_stay_out() {
    let own = file!();
    let code = ["src", "tests", "benches"].iter().flat_map(|folder| rust_files(folder));
    let docs = tracked("docs").into_iter().filter(|path| path.ends_with(".md"));
    let mut complaints = Vec::new();
    for path in code.chain(docs).filter(|path| path != own && !VOCABULARY.iter().any(|vocabulary| path.starts_with(vocabulary))) {
        let is_code = path.ends_with(".rs");
        for (at, line) in read(&path).lines().enumerate() {
            for word in words(&line.replace(CORPUS_FILE, "")) {
                // Prompts and documents may ask for a judgement.
                let found = WORDS.iter().filter(|(forms, _)| is_code || forms[0] != "judge").find(|(forms, _)| forms.contains(&&*word));
                complaints.extend(found.map(|(_, terms)| format!("{path}:{}: {word}; write {terms}", at + 1)));
                if word.starts_with("settle") && !SETTLEMENT.iter().any(|one| path.starts_with(one)) {
                    complaints.push(format!("{path}:{}: {word}; only reservations are settled", at + 1));
                }
            }
        }
    }
    hold("one word, one meaning", &complaints);
}

/// Returns the words of a line in lower case: those of identifiers are divided.
fn words(line: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in line.chars() {
        if !letter.is_ascii_alphabetic() {
            before = ' ';
            continue;
        }
        match found.last_mut().filter(|_| before != ' ' && !(before.is_lowercase() && letter.is_uppercase())) {
            Some(word) => word.push(letter.to_ascii_lowercase()),
            None => found.push(letter.to_ascii_lowercase().to_string()),
        }
        before = letter;
    }
    found
}

#[test]
fn the_words_of_identifiers_are_divided() {
    assert_eq!(
        words("fn lane_of(rivalPath: &OpenLanes) // no-trouble"),
        ["fn", "lane", "of", "rival", "path", "open", "lanes", "no", "trouble"]
    );
}

#[test]
fn types_that_everybody_meets_have_one_declaration() {
    let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in rust_files("src") {
        let mut reader = Declarations::default();
        reader.visit_file(&syn::parse_file(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}")));
        for name in reader.0 {
            declared.entry(name).or_default().push(path.clone());
        }
    }
    let mut complaints = Vec::new();
    for (name, home) in TYPES {
        let files = declared.get(name).cloned().unwrap_or_default();
        if files != [home] {
            complaints.push(format!("{name} is declared in {files:?}, and should be in {home} only"));
        }
    }
    for name in NO_TYPES {
        complaints
            .extend(declared.get(name).map(|files| format!("{name} is declared in {files:?}; give it a name that says what it holds")));
    }
    hold("one word, one meaning", &complaints);
}

#[test]
fn names_say_what_they_are_of() {
    let mut complaints = Vec::new();
    for path in ["src", "tests", "benches"].iter().flat_map(|folder| rust_files(folder)) {
        let mut reader = Names(&path, &mut complaints);
        reader.visit_file(&syn::parse_file(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}")));
    }
    hold("names say what they are of", &complaints);
}

/// The names that a file gives to variables, fields and functions.
struct Names<'a>(&'a str, &'a mut Vec<String>);

impl Names<'_> {
    fn check(&mut self, name: &syn::Ident) {
        if name == NO_NAME {
            self.1.push(format!("{}: {name}; name what it is", self.0));
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.check(&pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.check(name);
        }
        visit::visit_field(self, field);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.check(&signature.ident);
        visit::visit_signature(self, signature);
    }
}

/// Names of the types that a file declares.
#[derive(Default)]
struct Declarations(Vec<String>);

impl<'ast> Visit<'ast> for Declarations {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let name = match item {
            syn::Item::Struct(one) => Some(&one.ident),
            syn::Item::Enum(one) => Some(&one.ident),
            syn::Item::Type(one) => Some(&one.ident),
            syn::Item::Trait(one) => Some(&one.ident),
            _ => None,
        };
        self.0.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }
}
