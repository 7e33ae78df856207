//! Words that kubectl reads differently from YAML 1.2: it follows version 1.1, in which `no` is false and `0123` is 83.
//!
//! Source: `resolve` of go.yaml.in/yaml/v2 2.4.3, with which kubectl 1.36 reads manifests; each word of the test below was checked with it.
//! Dates stay text there, and so do times of the form `12:30:00`.

use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

use crate::document::finding::{Code, Finding};
use crate::document::json_path;

/// Maximum number of such words that are reported for one document.
const MOST: usize = 100;
const TRUE: &[&str] = &["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"];
const FALSE: &[&str] = &["n", "N", "no", "No", "NO", "off", "Off", "OFF"];

/// A container that is not closed yet.
enum Level {
    /// Index of the next item.
    List(usize),
    /// Key whose value is read next.
    Map(Option<String>),
}

/// Returns the findings on plain scalars of one YAML document, with their paths in it.
pub(super) fn findings(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut open: Vec<Level> = Vec::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(Ok((event, _))) = parser.next_event() {
        match event {
            Event::Scalar(word, style, _, tag) => {
                let is_key = matches!(open.last(), Some(Level::Map(None)));
                let bare = style == ScalarStyle::Plain && tag.is_none() && found.len() < MOST;
                let problem = if bare { problem(&word, is_key) } else { None };
                if is_key {
                    key(&mut open, &word);
                }
                found.extend(problem.map(|problem| Finding::warning(Code::YamlWord, written(&open), problem)));
                if !is_key {
                    done(&mut open);
                }
            }
            Event::Alias(_) if matches!(open.last(), Some(Level::Map(None))) => key(&mut open, ""),
            Event::Alias(_) => done(&mut open),
            Event::SequenceStart(..) => {
                key(&mut open, "");
                open.push(Level::List(0));
            }
            Event::MappingStart(..) => {
                key(&mut open, "");
                open.push(Level::Map(None));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                done(&mut open);
            }
            _ => {}
        }
    }
    found
}

/// Records a key if one is expected.
fn key(open: &mut [Level], word: &str) {
    if let Some(Level::Map(key @ None)) = open.last_mut() {
        *key = Some(word.to_owned());
    }
}

/// Advances past a value.
fn done(open: &mut [Level]) {
    match open.last_mut() {
        Some(Level::List(index)) => *index += 1,
        Some(Level::Map(key)) => *key = None,
        None => {}
    }
}

fn written(open: &[Level]) -> String {
    open.iter().fold(String::new(), |at, level| match level {
        Level::List(index) => json_path::index(&at, *index),
        Level::Map(Some(key)) => json_path::key(&at, key),
        Level::Map(None) => at,
    })
}

/// Describes why a plain scalar is doubtful, if it is. A number is not repeated: it may be secret.
fn problem(word: &str, is_key: bool) -> Option<String> {
    if TRUE.contains(&word) || FALSE.contains(&word) {
        let truth = TRUE.contains(&word);
        return Some(format!("kubectl reads YAML 1.1, in which {word} is {truth}; put it in quotes"));
    }
    if is_plain_number(word) {
        return None;
    }
    let number = number(word)?;
    // In version 1.2 a word with a _ is text, though this program's reader is lenient.
    let same = if word.contains('_') {
        false
    } else if is_key {
        number.to_string() == word
    } else {
        ours(word).and_then(|own| own.as_f64()) == Some(number)
    };
    (!same).then(|| "kubectl reads YAML 1.1, in which this is another number, or a number instead of text; put it in quotes".to_owned())
}

/// Reports whether a word is a number that is the same in any version.
fn is_plain_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(part) && (whole == "0" || !whole.starts_with('0'))
}

/// Returns the value that this program reads.
fn ours(word: &str) -> Option<Value> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(word, options).ok()
}

/// Returns the number that kubectl reads, if it reads one.
fn number(word: &str) -> Option<f64> {
    if !word.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let plain = if word.starts_with('.') { word.to_owned() } else { word.replace('_', "") };
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let whole = |digits: &str, base: u32| u64::from_str_radix(digits, base).ok().map(|number| number as f64);
    let lower = digits.to_ascii_lowercase();
    let prefixed = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)];
    let found = prefixed.iter().find_map(|(prefix, base)| whole(lower.strip_prefix(prefix).filter(|rest| !rest.starts_with('+'))?, *base));
    let found = found.or_else(|| digits.starts_with(|c: char| c.is_ascii_digit() || c == '.').then(|| digits.parse().ok()).flatten())?;
    Some(if negative { -found } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_kubectl_reads_differently_are_reported() {
        // The value that kubectl reads from each: a boolean, a number, or the text itself (`None`).
        for (word, read) in [
            ("yes", Some("true")),
            ("y", Some("true")),
            ("On", Some("true")),
            ("NO", Some("false")),
            ("off", Some("false")),
            ("N", Some("false")),
            ("yEs", None),
            ("oFF", None),
            ("tRue", None),
            ("nuLL", None),
            ("0123456", Some("42798")),
            ("0o14", Some("12")),
            ("089", Some("89")),
            ("0b101", Some("5")),
            ("0B101", Some("5")),
            ("0x1F", Some("31")),
            ("0X1f", Some("31")),
            ("1_000", Some("1000")),
            ("1_000.5", Some("1000.5")),
            ("1_0e3", Some("10000")),
            ("_1", None),
            ("1_", Some("1")),
            ("12:30:00", None),
            ("190:20:30", None),
            ("2026-01-31", None),
            ("2026-01-31T10:00:00Z", None),
            ("1e3", Some("1000")),
            ("1E+3", Some("1000")),
            ("1.", Some("1")),
            (".5", Some("0.5")),
            ("+1", Some("1")),
            ("+0x1f", Some("31")),
            ("-0b1", Some("-1")),
            ("00", Some("0")),
            ("0_1", Some("1")),
            ("0x", None),
            ("0o8", None),
            ("-0123", Some("-83")),
            ("1,000", None),
            ("=", None),
            ("1.2.3", None),
            ("v1", None),
            ("10m", None),
            ("1e", None),
        ] {
            let truth = if TRUE.contains(&word) { Some("true".to_owned()) } else { FALSE.contains(&word).then(|| "false".to_owned()) };
            let got = truth.or_else(|| number(word).map(|number| number.to_string()));
            assert_eq!(got.as_deref(), read, "{word}");
        }
    }

    #[test]
    fn only_words_that_differ_are_reported_with_their_path() {
        let text = "a: [yes, 'yes', \"no\", !!str on, 1, 1.5, -3, 0.25, 1e3, 2026-01-31, 12:30:00, true, null, text]\non: {b: 0123}\nc: |\n  no\nd:\n- e: off\n- 1_000\n";
        let paths: Vec<String> = findings(text).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["a[0]", "on", "on.b", "d[0].e", "d[1]"]);
    }
}
