//! Removal of secrets from texts that leave the machine.

use super::shape::{in_text, is_secret_name, prefixed_at, token};
use super::value::{is_placeholder, looks_random, run};

/// Stands in the place of a secret.
pub const REMOVED: &str = "[secret removed]";

/// Words that say in a sentence that the next value is secret, beside the names that a parameter of a secret has.
const ANNOUNCED: &[&str] = &[
    "key",
    "pin",
    "pwd",
    "pass",
    "passwort",
    "kennwort",
    "schlüssel",
    "geheimnis",
    "zugangsschlüssel",
    "contraseña",
    "clave",
    "secreto",
    "mot",
    "passe",
    "clé",
    "jeton",
    "secret",
    "token",
    "password",
    "passphrase",
    "credentials",
    "login",
];
/// Words between such a word and the value.
const BETWEEN: &[&str] = &[
    "is",
    "=",
    ":",
    "ist",
    "lautet",
    "es",
    "est",
    "the",
    "value",
    "with",
    "named",
    "called",
    "literally",
    "exactly",
    "as",
    "de",
    "-",
    "=>",
    "named:",
];
/// Maximum distance in words of the value from the word that announces it.
const REACH: usize = 4;

/// Returns a text in which each secret is replaced by [`REMOVED`], and the number of secrets.
///
/// This is stricter than the check for secrets in workflows: what announces a secret in a sentence ("my password is …") counts, and so does
/// a token that looks like a made-up one. A word too many that is removed does less harm than a secret that is sent.
pub fn without_secrets(text: &str) -> (String, usize) {
    let (text, mut count) = without_private_keys(text);
    let mut out = String::with_capacity(text.len());
    let mut before: Vec<&str> = Vec::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if word.is_empty() {
            out.push_str(piece);
            continue;
        }
        if is_secret(word, &before) && word != REMOVED {
            count += 1;
            out.push_str(REMOVED);
            out.push_str(&piece[word.len()..]);
            before.clear();
            continue;
        }
        out.push_str(piece);
        before.push(word);
        if before.len() > REACH {
            before.remove(0);
        }
    }
    (out, count)
}

/// Reports whether a text contains a secret.
pub fn holds_secret(text: &str) -> bool {
    without_secrets(text).1 > 0
}

fn is_secret(word: &str, before: &[&str]) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '=' | '/' | '+'));
    if token(word).is_some() || in_text(word).is_some() || prefixed_at(bare) || telegram(bare) {
        return true;
    }
    if let Some((name, value)) = word.split_once(['=', ':']).filter(|(_, value)| !value.starts_with("//")) {
        let value = value.trim_matches(|c: char| !c.is_alphanumeric());
        if announces(name) && could_be_secret(value) {
            return true;
        }
    }
    match before.last() {
        Some(last) if ["bearer", "basic"].contains(&folded(last).as_str()) => bare.len() >= 8 && looks_random(bare),
        _ => announced(before) && could_be_secret(bare),
    }
}

/// Reports whether the words before a value say that it is secret: `password:`, `API key is`.
fn announced(before: &[&str]) -> bool {
    for word in before.iter().rev() {
        if announces(word) {
            return true;
        }
        if !BETWEEN.contains(&folded(word).as_str()) {
            return false;
        }
    }
    false
}

fn announces(word: &str) -> bool {
    let folded = folded(word);
    is_secret_name(&folded) || ANNOUNCED.contains(&folded.as_str())
}

fn folded(word: &str) -> String {
    let word = if word.chars().any(char::is_alphanumeric) { word.trim_matches(|c: char| !c.is_alphanumeric()) } else { word };
    word.to_lowercase()
}

/// Reports whether a word could be a secret: letters and digits mixed, no address and no placeholder.
fn could_be_secret(word: &str) -> bool {
    let signs = word.contains(|c: char| "!$%&#*?".contains(c));
    let mixed = looks_random(word) || signs && word.len() >= 6;
    word.len() >= 6 && mixed && !word.contains("://") && !word.contains("{{") && !is_address(word) && !is_marked(word)
}

/// Reports whether a word is a placeholder in brackets or in words, which stands for a secret and is none.
fn is_marked(word: &str) -> bool {
    word.starts_with(['<', '{', '$', '?', '[']) || is_placeholder(word) && !run(word).bytes().any(|byte| byte.is_ascii_digit())
}

fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// Recognises a Telegram bot token: digits, a colon and 35 letters.
fn telegram(word: &str) -> bool {
    word.split_once(':')
        .is_some_and(|(id, secret)| (8..=11).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()) && run(secret).len() >= 30)
}

fn without_private_keys(text: &str) -> (String, usize) {
    let (mut out, mut rest, mut count) = (String::with_capacity(text.len()), text, 0);
    while let Some(start) = rest.find("-----BEGIN ") {
        let end = rest[start..].find("-----END ").map(|at| start + at);
        let key = &rest[start..end.unwrap_or(rest.len())];
        if !key.contains("PRIVATE KEY") {
            let next = start + "-----BEGIN ".len();
            out.push_str(&rest[..next]);
            rest = &rest[next..];
            continue;
        }
        out.push_str(&rest[..start]);
        out.push_str(REMOVED);
        count += 1;
        // The line of the end: `-----END … PRIVATE KEY-----`.
        let tail = end.map_or("", |end| &rest[end + "-----END ".len()..]);
        rest = tail.find("-----").map_or("", |at| &tail[at + 5..]);
    }
    out.push_str(rest);
    (out, count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Generates the secret part, so that the source holds no literal one.
    fn made(length: usize) -> String {
        (0..length).map(|at| char::from_digit(u32::try_from(at * 7919 % 36).unwrap(), 36).unwrap()).collect()
    }

    #[test]
    fn secrets_are_removed_from_sentences() {
        let secret = made(24);
        for text in [
            format!("Use my key sk-{secret} for it"),
            format!("use my key: {secret}."),
            format!("The API key is {secret}, please"),
            format!("password={secret}"),
            format!("login with password \"{secret}\""),
            format!("Authorization: Bearer {secret}"),
            format!("send the header X-API-Key: {secret}"),
            format!("connect to postgres://admin:{secret}@db.acme.test/orders"),
            format!("call https://api.acme.test/v1?api_key={secret}&a=1"),
            format!("mein Passwort lautet {secret}"),
            format!("la contraseña es {secret}"),
            format!("bot token 123456789:AA{secret}{secret}"),
            format!("ghp_{secret}{secret}"),
            format!("(token {secret})"),
            format!("-----BEGIN RSA PRIVATE KEY-----\n{secret}{secret}{secret}\n-----END RSA PRIVATE KEY-----"),
            format!("post to https://hooks.slack.com/services/T0/B0/{secret}"),
        ] {
            let (left, count) = without_secrets(&text);
            assert!(count >= 1 && left.contains(REMOVED) && !left.contains(&secret), "{text} -> {left}");
            assert_eq!(without_secrets(&left), (left.clone(), 0), "nothing is left to remove");
        }
    }

    #[test]
    fn the_rest_of_a_text_stays_byte_for_byte() {
        for text in [
            "Every weekday at 8 read orders over 100 EUR from https://shop.example/api/orders and post one summary to Slack #sales.",
            "Save the token count to the sheet 1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgVE2upms",
            "the primary key is order_id and the password reset mail goes to anna2@acme.test",
            "Use the key ?api_key or <YOUR_KEY>\n\ttwice  spaced",
            "page id as metadata; pass it on",
        ] {
            assert_eq!(without_secrets(text), (text.to_owned(), 0));
        }
    }

    proptest! {
        #[test]
        fn removal_is_complete_and_never_panics(text in "[a-zA-Z0-9 :=/@.\\n\u{fc}-]{0,120}") {
            let (left, _) = without_secrets(&text);
            prop_assert_eq!(without_secrets(&left).1, 0, "{}", left);
        }
    }
}
