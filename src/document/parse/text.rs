//! Reading of text, with precise errors.

use serde_json::Value;
use serde_json::error::Category;

use super::levels::MOST_LEVELS;
use crate::document::finding::{Code, Finding};
use crate::document::lenient_json::{mend_surrogates, read_whole};

/// A document that was read from text.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// The document.
    pub value: Value,
    /// Findings on the text, such as duplicate keys.
    pub warnings: Vec<Finding>,
}

/// Error for text that is not a document, with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    /// The finding that describes the text.
    pub finding: Finding,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in bytes.
    pub column: usize,
}

/// Reads a JSON or YAML document of at most `max_bytes` bytes.
///
/// Text that starts with a brace or bracket is read as JSON, without falling back to YAML's looser rules: n8n itself could not import it.
/// YAML is read by the rules of version 1.2, in which `yes` and `on` are text.
///
/// # Errors
///
/// One finding that says what the text is instead, with line and column.
pub fn read_text(text: &str, max_bytes: usize) -> Result<Text, Vec<Finding>> {
    locate_text(text, max_bytes).map_err(|unread| vec![unread.finding])
}

/// Does the same as [`read_text`], for callers that show the position to a person.
///
/// # Errors
///
/// The finding of [`read_text`], with the position.
pub fn locate_text(text: &str, max_bytes: usize) -> Result<Text, Box<Unread>> {
    if text.len() > max_bytes {
        let finding = Finding::error(Code::DocumentTooLarge, "", "the document is too large");
        let (got, want) = (format!("{} bytes", text.len()), format!("at most {max_bytes}"));
        return Err(at(1, 1, finding.mismatch(got, want)));
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = body.trim_start();
    match start.chars().next() {
        None => Err(at(1, 1, Finding::error(Code::DocumentEmpty, "", "the document is empty"))),
        Some('{' | '[') => read_json(body),
        Some('<') => Err(at(1, 1, kind("this is HTML or XML, not a workflow; download the workflow as JSON"))),
        Some('`') if start.starts_with("```") => Err(fenced(body, 1)),
        Some(_) => read_yaml(body),
    }
}

fn at(line: usize, column: usize, finding: Finding) -> Box<Unread> {
    Box::new(Unread { finding, line: line.max(1), column: column.max(1) })
}

fn kind(message: impl Into<String>) -> Finding {
    Finding::error(Code::DocumentKind, "", message)
}

/// JavaScript's strings can hold half of a surrogate pair (mostly a truncated emoji), which no other text can. It is read as the
/// replacement character, as Kubernetes does.
fn read_json(body: &str) -> Result<Text, Box<Unread>> {
    let unread = match read_whole_json(body) {
        Err(unread) if unread.finding.message.contains(HALF) => unread,
        read => return read,
    };
    let mut mended = body.as_bytes().to_vec();
    mend_surrogates(&mut mended);
    let first = body.bytes().zip(&mended).position(|(before, after)| before != *after);
    let (Some(first), Ok(mended)) = (first, String::from_utf8(mended)) else { return Err(unread) };
    let line = body.bytes().take(first).filter(|byte| *byte == b'\n').count() + 1;
    let mut text = read_whole_json(&mended)?;
    let message =
        format!("line {line} contains half of a character (a truncated emoji?), which is read as \u{fffd}; complete or remove it");
    text.warnings.push(Finding::warning(Code::CharacterHalved, "", message));
    Ok(text)
}

/// The parser's message for an unpaired surrogate, whether it is followed by text or by another escape.
const HALF: &str = "hex escape";

fn read_whole_json(body: &str) -> Result<Text, Box<Unread>> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let (read, duplicates) = read_whole(&mut deserializer);
    let value = read.map_err(|error| explain_json(body, &error))?;
    deserializer.end().map_err(|error| explain_trailing(body, &error))?;
    let warn =
        |path: String| Finding::warning(Code::KeyDuplicate, path, "this key occurs twice in its object; the last one counts, as in n8n");
    Ok(Text { value, warnings: duplicates.into_iter().map(warn).collect() })
}

fn explain_json(body: &str, error: &serde_json::Error) -> Box<Unread> {
    let (line, column) = (error.line(), error.column());
    let rest = rest_at(body, line, column);
    // A document that is truncated inside a string fails at the line break that an editor adds at the end of a file.
    if error.classify() == Category::Eof || line > 1 && rest.trim().is_empty() && error.to_string().starts_with("control character") {
        let message = format!("the JSON ends at line {line} before it is complete: it was truncated; provide the whole document");
        return at(line, column, Finding::error(Code::DocumentTruncated, "", message));
    }
    if error.to_string().starts_with("recursion limit exceeded") {
        let message = format!("the document is nested too deeply at line {line} column {column}; a workflow may have {MOST_LEVELS} levels");
        return at(line, column, Finding::error(Code::DocumentTooLarge, "", message));
    }
    let message = format!("this is not valid JSON: {}", json_problem(body, error));
    at(line, column, Finding::error(Code::DocumentSyntax, "", message))
}

/// Describes why and where a text is not JSON, and how to fix it if that is known. Nothing of the text is repeated.
pub(crate) fn json_problem(body: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    let hint = json_hint(rest_at(body, line, column), reason).map_or_else(String::new, |hint| format!(": {hint}"));
    format!("{reason} at line {line} column {column}{hint}")
}

/// Returns the text from the character at which the parser stopped.
fn rest_at(body: &str, line: usize, column: usize) -> &str {
    let start: usize = body.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(body.len());
    while !body.is_char_boundary(at) {
        at -= 1;
    }
    body.get(at..).unwrap_or_default()
}

fn json_hint(rest: &str, reason: &str) -> Option<&'static str> {
    let starts = |words: &[&str]| words.iter().any(|word| rest.starts_with(word));
    if starts(&["//", "/*", "#"]) {
        Some("JSON has no comments; remove it")
    } else if reason.contains("trailing comma") {
        Some("remove the comma before the closing brace or bracket")
    } else if starts(&["'"]) {
        Some("JSON requires double quotes")
    } else if starts(&["“", "”", "„", "‘", "’"]) {
        Some("the text contains typographic quotes; use plain double quotes")
    } else if starts(&["None", "True", "False"]) {
        Some("this is Python syntax; JSON uses null, true and false")
    } else if starts(&["undefined", "NaN", "Infinity", "-Infinity"]) {
        Some("JSON has no such value; use null or a number")
    } else if starts(&["{{", "{%"]) || (starts(&["{"]) && reason.starts_with("key must be")) {
        Some("a template was not rendered here")
    } else if reason.contains("control character") {
        Some("write a line break inside a string as \\n and a tab as \\t")
    } else {
        None
    }
}

fn explain_trailing(body: &str, error: &serde_json::Error) -> Box<Unread> {
    let (line, column) = (error.line(), error.column());
    let rest = rest_at(body, line, column);
    if rest.starts_with("```") {
        return fenced(body, line);
    }
    if rest.starts_with(['{', '[']) {
        let message = format!("a second JSON document starts at line {line}; give each workflow its own object");
        return at(line, column, Finding::error(Code::DocumentSeveral, "", message));
    }
    let message = format!("text follows the end of the JSON at line {line}; remove it");
    at(line, column, Finding::error(Code::DocumentTrailing, "", message))
}

fn fenced(body: &str, fallback_line: usize) -> Box<Unread> {
    let opening = body.lines().position(|line| line.trim_start().starts_with("```"));
    let line = opening.map_or(fallback_line, |index| index + 1);
    let message = format!("this is Markdown with a code fence at line {line}; provide only the content of the fence");
    at(line, 1, Finding::error(Code::DocumentFenced, "", message))
}

fn read_yaml(body: &str) -> Result<Text, Box<Unread>> {
    // No snippets: they would repeat parts of the document, including secrets, in a message.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let value = match serde_saphyr::from_str_with_options::<Value>(body, options) {
        Ok(value) => value,
        Err(_) if has_fence(body) => return Err(fenced(body, 1)),
        Err(error) => {
            let place = error.location().map_or((1, 1), |location| (location.line() as usize, location.column() as usize));
            return Err(at(place.0, place.1, explain_yaml(&error)));
        }
    };
    match value {
        Value::Object(_) | Value::Array(_) => Ok(Text { value, warnings: Vec::new() }),
        Value::Null => Err(at(1, 1, Finding::error(Code::DocumentEmpty, "", "the document is empty"))),
        Value::String(inner) if inner.trim_start().starts_with(['{', '[']) => {
            Err(at(1, 1, kind("this is JSON inside a string (encoded twice); provide the JSON itself")))
        }
        _ if has_fence(body) => Err(fenced(body, 1)),
        other => {
            let finding = kind("this is plain text, neither a JSON nor a YAML workflow");
            Err(at(1, 1, finding.mismatch(crate::document::finding::kind_of(&other), "an object with `nodes`")))
        }
    }
}

pub(crate) fn has_fence(body: &str) -> bool {
    body.lines().any(|line| line.starts_with("```"))
}

fn explain_yaml(error: &serde_saphyr::Error) -> Finding {
    use serde_saphyr::Error as Yaml;
    let error = error.without_snippet();
    let at = error.location().filter(|location| location.line() > 0);
    let place = at.map_or_else(String::new, |location| format!(" at line {} column {}", location.line(), location.column()));
    match error {
        Yaml::MultipleDocuments { .. } => {
            let message = "there are several YAML documents (separated by ---); give each workflow its own object";
            Finding::error(Code::DocumentSeveral, "", message)
        }
        Yaml::DuplicateMappingKey { .. } => {
            let message = format!("a key occurs twice in one YAML mapping{place}; remove one of them");
            Finding::error(Code::KeyDuplicate, "", message)
        }
        Yaml::Eof { .. } => {
            let message = format!("the YAML ends{place} before it is complete: it was truncated; provide the whole document");
            Finding::error(Code::DocumentTruncated, "", message)
        }
        other => {
            let rendered = other.to_string();
            let reason = rendered.lines().next().unwrap_or_default();
            // The library may also include the position in its text.
            let place = if reason.contains("line ") { "" } else { place.as_str() };
            let message = format!("this is neither JSON nor valid YAML: {reason}{place}");
            Finding::error(Code::DocumentSyntax, "", message)
        }
    }
}
