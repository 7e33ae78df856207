//! Texts that are, or are not, a secret by their form.

/// Placeholders for secrets, in lower case.
const PLACEHOLDERS: &[&str] = &[
    "your",
    "xxxx",
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "insert",
    "replace",
    "dummy",
    "sample",
    "_here",
    "-here",
    "redacted",
    "removed",
    "hidden",
    "****",
    "....",
    "…",
    "<",
    ">",
    "{{",
    "${",
    "$(",
    "1234567890",
    "abcdef",
    "todo",
    "enter_",
    "enter-",
    "my_",
    "my-",
    "api_key",
    "apikey",
    "api-key",
    "access_token",
    "yyyy",
    "demo",
    "put_",
    "insira",
    "seu_",
    "sua_",
    "tu_",
];

/// Reports whether the text can be a secret, rather than a placeholder or an expression.
pub(super) fn is_secret_value(text: &str) -> bool {
    text.len() >= 8 && !text.contains(char::is_whitespace) && !text.contains("{{") && !text.starts_with(['$', '=']) && !is_placeholder(text)
}

/// Reports whether the text is a placeholder for a secret.
pub(super) fn is_placeholder(text: &str) -> bool {
    let folded = text.to_ascii_lowercase();
    let mut letters: Vec<char> = folded.chars().filter(char::is_ascii_alphanumeric).collect();
    letters.sort_unstable();
    letters.dedup();
    letters.len() < 5 || PLACEHOLDERS.iter().any(|word| folded.contains(word))
}

/// Reports whether letters and digits are mixed, as in no word.
pub(super) fn looks_random(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Returns the text after the first `start`. Few texts contain it, and whether they do is known much sooner than where.
pub(super) fn after<'t>(text: &'t str, start: &'t str) -> Option<&'t str> {
    places(text, start).next().map(|(at, start)| &text[at + start.len()..])
}

/// Returns the places of a word in the text, and the word.
pub(super) fn places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    text.contains(word).then(|| text.match_indices(word)).into_iter().flatten()
}

/// Returns the letters, digits and signs of a token at the start of the text; no token is longer than the inspected part.
pub(super) fn run(text: &str) -> &str {
    let length = text.bytes().take(4096).take_while(|byte| is_sign(*byte)).count();
    &text[..length]
}

pub(super) fn is_sign(byte: u8) -> bool {
    is_part(char::from(byte)) || matches!(byte, b'.' | b'+' | b'/' | b'=')
}

pub(super) fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
