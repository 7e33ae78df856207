//! The JSON in an answer of a language model: models put fences, reasoning and sentences around it, and make small mistakes of syntax.

use serde_json::{Map, Value};

/// Largest answer that is read, in bytes. A workflow of a hundred nodes takes a tenth of it.
pub const LARGEST: usize = 1 << 20;
/// Maximum number of places at which an object is looked for.
const MOST_STARTS: usize = 64;
/// Tags in which models write their reasoning.
const REASONING: &[&str] = &["think", "thinking", "reasoning", "thought", "scratchpad"];

/// Reason for which an answer has no usable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoJson {
    /// There is no text.
    #[error("the answer is empty; return the JSON object")]
    Empty,
    /// The text is larger than [`LARGEST`].
    #[error("the answer is larger than 1 MiB; return one JSON object and nothing else")]
    TooLarge,
    /// No object begins anywhere.
    #[error("the answer contains no JSON object; return the JSON object and nothing else")]
    Absent,
    /// An object begins and does not end.
    #[error("the JSON object does not end: the answer was cut off; write a shorter one")]
    Truncated,
    /// An object has a syntax error.
    #[error("the JSON object has a syntax error; escape quotes, backslashes and line breaks within strings, and leave out comments")]
    Syntax,
}

/// Returns the largest JSON object in an answer.
///
/// Reasoning, fences and text around it are skipped. Comments, commas before a closing bracket, line breaks within strings, and escapes that
/// JSON does not have are corrected: their meaning is certain.
///
/// # Errors
///
/// [`NoJson`] says what is wrong in words that can be returned to the model.
pub fn extract(answer: &str) -> Result<Map<String, Value>, NoJson> {
    if answer.len() > LARGEST {
        return Err(NoJson::TooLarge);
    }
    let text = without_reasoning(answer.trim_start_matches('\u{feff}').trim());
    if text.is_empty() {
        return Err(if answer.trim().is_empty() { NoJson::Empty } else { NoJson::Absent });
    }
    largest(text)
}

/// Returns the text behind the last block of reasoning, if an object follows it.
fn without_reasoning(text: &str) -> &str {
    let ends = REASONING.iter().filter_map(|tag| {
        let end = format!("</{tag}>");
        text.rfind(&end).map(|at| at + end.len())
    });
    match ends.max().map(|at| text[at..].trim()) {
        Some(rest) if rest.contains('{') => rest,
        _ => text,
    }
}

/// Returns the largest object of those that parse, as they are or corrected. An object within another one does not count.
fn largest(text: &str) -> Result<Map<String, Value>, NoJson> {
    let mut best: Option<(usize, Map<String, Value>)> = None;
    let mut problem = NoJson::Absent;
    let (mut at, mut starts) = (0, 0);
    while let Some(start) = text[at..].find('{').map(|found| at + found) {
        starts += 1;
        if starts > MOST_STARTS {
            break;
        }
        at = start + 1;
        let rest = &text[start..];
        // Braces in a sentence are no JSON.
        if !rest[1..].trim_start().starts_with(['"', '/', '}']) {
            continue;
        }
        let found = match object(rest) {
            Some(found) => Some(found),
            None => {
                let mended = mended(rest);
                problem = if mended.length.is_some() { NoJson::Syntax } else { NoJson::Truncated };
                mended.length.and_then(|length| Some((length, object(&mended.text)?.1)))
            }
        };
        match found {
            Some((length, object)) => {
                at = start + length;
                if !object.is_empty() && best.as_ref().is_none_or(|(most, _)| length > *most) {
                    best = Some((length, object));
                }
            }
            // Whatever is complete within an object that was cut off is a part of it.
            None if problem == NoJson::Truncated => break,
            None => {}
        }
    }
    best.map(|(_, object)| object).ok_or(problem)
}

/// Returns the object at the start of a text, and its length.
fn object(text: &str) -> Option<(usize, Map<String, Value>)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match stream.next()? {
        Ok(Value::Object(object)) => Some((stream.byte_offset(), object)),
        _ => None,
    }
}

/// A text whose certain mistakes are corrected.
struct Mended {
    text: String,
    /// Number of bytes that it had before, up to its last bracket; `None` if a bracket or a string is open at the end.
    length: Option<usize>,
}

/// Corrects the mistakes whose meaning is certain, outside and within strings.
fn mended(text: &str) -> Mended {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut within) = (0_usize, false);
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if within {
            match letter {
                '"' => {
                    within = false;
                    out.push(letter);
                }
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\\' => match letters.peek().map(|(_, next)| *next) {
                    Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => {
                        out.push(letter);
                        out.extend(letters.next().map(|(_, next)| next));
                    }
                    // `\'` is JavaScript's; any other is a backslash that was not escaped, as in a regular expression.
                    Some('\'') => {}
                    _ => out.push_str("\\\\"),
                },
                other if other.is_control() => {}
                other => out.push(other),
            }
            continue;
        }
        match letter {
            '"' => {
                within = true;
                out.push(letter);
            }
            '/' if text[at + 1..].starts_with('/') => skip(&mut letters, |letter, _| letter == '\n'),
            '/' if text[at + 1..].starts_with('*') => {
                letters.next();
                skip(&mut letters, |letter, before| letter == '/' && before == '*');
            }
            '{' | '[' => {
                depth += 1;
                out.push(letter);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                let end = out.trim_end().len();
                if out[..end].ends_with(',') {
                    out.truncate(end - 1);
                }
                out.push(letter);
                if depth == 0 {
                    return Mended { text: out, length: Some(at + 1) };
                }
            }
            other => out.push(other),
        }
    }
    Mended { text: out, length: None }
}

/// Skips letters up to and including the first for which `ends` holds; it gets the letter before, too.
fn skip(letters: &mut std::iter::Peekable<std::str::CharIndices<'_>>, ends: impl Fn(char, char) -> bool) {
    let mut before = ' ';
    for (_, letter) in letters.by_ref() {
        if ends(letter, before) {
            return;
        }
        before = letter;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_object_is_found_in_whatever_surrounds_it() {
        let wanted = json!({"a": {"b": [1, "x}"]}});
        let object = wanted.to_string();
        for answer in [
            object.clone(),
            format!("\u{feff} \n{object}\n"),
            format!("```json\n{object}\n```"),
            format!("```\n{object}\n```\nThis workflow {{does}} it."),
            format!("Here it is: {object} I hope {{\"c\": 1}} helps."),
            format!("<think>Should it be {{\"a\": 1}} or {{\"much\": \"longer than the wanted object is, by far\"}}?</think>{object}"),
            format!("<think>never closed {object}"),
            "{\"a\": {\"b\": [1, \"x}\"],},}".to_owned(),
            "{\"a\": /* the list */ {\"b\": [1, \"x}\"]} // end\n}".to_owned(),
            "{\"a\": {\"b\": [1, \"x}\"] }\n}\n}".to_owned(),
        ] {
            assert_eq!(extract(&answer).map(Value::Object), Ok(wanted.clone()), "{answer}");
        }
    }

    #[test]
    fn mistakes_within_strings_are_corrected() {
        let code = "{\"jsCode\": \"const r = /\\d+/;\nreturn [{json: {s: 'it\\'s // no comment'}}];\"}";
        assert_eq!(extract(code).unwrap()["jsCode"], "const r = /\\d+/;\nreturn [{json: {s: 'it's // no comment'}}];");
    }

    #[test]
    fn what_has_no_object_is_distinguished() {
        for (answer, wanted) in [
            ("", NoJson::Empty),
            (" \n", NoJson::Empty),
            ("I cannot do this.", NoJson::Absent),
            ("[1, 2]", NoJson::Absent),
            ("{}", NoJson::Absent),
            ("{\"nodes\": [{\"id\": \"n1\"}, {\"id", NoJson::Truncated),
            ("```json\n{\"a\": 1", NoJson::Truncated),
            ("{a: 1}", NoJson::Absent),
            ("{\"a\" \"b\"}", NoJson::Syntax),
        ] {
            assert_eq!(extract(answer), Err(wanted), "{answer}");
        }
        assert_eq!(extract(&" ".repeat(LARGEST + 1)), Err(NoJson::TooLarge));
    }

    #[test]
    fn many_brackets_take_no_time() {
        for text in ["{".repeat(LARGEST), "{\"a\":".repeat(100_000), "[{".repeat(100_000)] {
            assert!(extract(&text).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_answer_causes_a_panic(answer in "[ -~\\n\u{e4}\u{1f600}{}\\[\\]\",:/\\\\*]{0,200}") {
            let _ = extract(&answer);
        }
    }
}
