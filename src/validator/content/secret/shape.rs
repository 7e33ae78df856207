//! Shapes of secrets.

use super::hooks;
use super::value::{after, is_part, is_placeholder, is_secret_value, is_sign, looks_random, places, run};

/// Prefixes of services' tokens, and the minimum number of letters and digits that follow.
const PREFIXES: &[(&str, usize, &str)] = &[
    ("sk-", 20, "an API key (sk-…)"),
    ("sk_live_", 16, "a Stripe key"),
    ("sk_test_", 16, "a Stripe key"),
    ("rk_live_", 16, "a Stripe key"),
    ("whsec_", 20, "a webhook secret"),
    ("ghp_", 30, "a GitHub token"),
    ("gho_", 30, "a GitHub token"),
    ("ghu_", 30, "a GitHub token"),
    ("ghs_", 30, "a GitHub token"),
    ("ghr_", 30, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
    ("xoxa-", 20, "a Slack token"),
    ("xoxr-", 20, "a Slack token"),
    ("xoxs-", 20, "a Slack token"),
    ("xapp-", 20, "a Slack token"),
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("AIza", 35, "a Google API key"),
    ("ya29.", 30, "a Google access token"),
    ("SG.", 40, "a SendGrid key"),
    ("hf_", 30, "a Hugging Face token"),
    ("gsk_", 30, "a Groq key"),
    ("tvly-", 20, "a Tavily key"),
    ("pplx-", 30, "a Perplexity key"),
    ("r8_", 30, "a Replicate token"),
    ("apify_api_", 20, "an Apify token"),
    ("shpat_", 30, "a Shopify token"),
    ("dop_v1_", 40, "a DigitalOcean token"),
    ("npm_", 36, "an npm token"),
    ("lin_api_", 30, "a Linear key"),
    ("ntn_", 40, "a Notion token"),
    ("secret_", 40, "a Notion token"),
    ("fc-", 32, "a Firecrawl key"),
    ("key-", 32, "a Mailgun key"),
    ("patK", 60, "an Airtable token"),
];

/// Endings of names of secret values, in lower case without `-`, `_` and whitespace.
const NAMES: &[&str] = &[
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "appkey",
    "authkey",
    "authorization",
    "authtoken",
    "bearer",
    "bearertoken",
    "clientsecret",
    "password",
    "passwd",
    "passphrase",
    "privatekey",
    "privatetoken",
    "refreshtoken",
    "secret",
    "secretkey",
    "subscriptionkey",
    "token",
    "xkey",
];

/// Recognises a token by its form alone.
pub(super) fn token(text: &str) -> Option<&'static str> {
    prefixed(text).or_else(|| json_web_token(text)).or_else(|| private_key(text)).or_else(|| hooks::hook(text))
}

/// Reports whether a word begins as a service's token does, even if it looks like a placeholder.
pub(super) fn prefixed_at(word: &str) -> bool {
    let body = |prefix: &str| word.strip_prefix(prefix).map(run).unwrap_or_default();
    PREFIXES.iter().any(|(prefix, length, _)| body(prefix).len() >= (*length).min(16) && looks_random(body(prefix)))
}

/// Length of the shortest token with a prefix.
const SHORTEST: usize = {
    let (mut shortest, mut at) = (usize::MAX, 0);
    while at < PREFIXES.len() {
        let length = PREFIXES[at].0.len() + PREFIXES[at].1;
        shortest = if length < shortest { length } else { shortest };
        at += 1;
    }
    shortest
};

/// Checks the beginning of each word once, rather than searching the whole text for each prefix. Most texts have no part without spaces
/// that is as long as a token.
fn prefixed(text: &str) -> Option<&'static str> {
    let (bytes, mut from, mut looks) = (text.as_bytes(), 0, 0);
    while let Some(part) = bytes.get(from..from + SHORTEST) {
        if let Some(gap) = part.iter().rposition(|byte| !is_sign(*byte)) {
            from += gap + 1;
            continue;
        }
        let end = bytes[from..].iter().position(|byte| !is_sign(*byte)).map_or(bytes.len(), |length| from + length);
        let mut inside = false;
        for (at, byte) in bytes.iter().enumerate().take(end).skip(from) {
            let begins = is_part(char::from(*byte)) && !inside;
            inside = is_part(char::from(*byte));
            if !begins {
                continue;
            }
            let known = PREFIXES.iter().filter(|(prefix, ..)| prefix.as_bytes().first() == Some(byte));
            for (prefix, length, what) in known {
                let Some(body) = text.get(at..).and_then(|rest| rest.strip_prefix(prefix)).map(run) else { continue };
                if body.len() >= *length && looks_random(body) {
                    // A text with more candidates holds no tokens, and each check takes time.
                    looks += 1;
                    if looks > 100 {
                        return None;
                    }
                    if is_secret_value(body) {
                        return Some(what);
                    }
                }
            }
        }
        from = end + 1;
    }
    None
}

/// Matches `header.payload.signature`, each in base64; the first two begin with `{"`.
fn json_web_token(text: &str) -> Option<&'static str> {
    let is_token = |at: usize| {
        let mut parts = run(&text[at..]).split('.');
        let mut part = |least: usize| parts.next().is_some_and(|part| part.len() >= least);
        part(15) && part(15) && part(20)
    };
    // A text with more candidates holds no tokens, and each check takes time.
    places(text, "eyJ").take(256).any(|(at, _)| !text[..at].ends_with(is_part) && is_token(at)).then_some("a JSON web token")
}

fn private_key(text: &str) -> Option<&'static str> {
    let rest = after(text, "-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    let body = rest.split("-----").next().unwrap_or_default();
    let letters = body.replace("\\n", "").chars().filter(char::is_ascii_alphanumeric).count();
    (kind.len() < 40 && kind.ends_with("PRIVATE KEY") && letters >= 64 && !is_placeholder(body)).then_some("a private key")
}

/// Recognises a secret by the text before it: `Bearer …`, `api_key=…`, `password: "…"`, `//user:password@`.
pub(super) fn in_text(text: &str) -> Option<&'static str> {
    bearer(text).or_else(|| in_query(text)).or_else(|| assigned(text)).or_else(|| in_authority(text))
}

fn bearer(text: &str) -> Option<&'static str> {
    let secret = |(at, word): (usize, &str)| {
        let rest = &text[at + word.len()..];
        let body = run(rest);
        // A value that continues with a bracket is a name in a template.
        let ends = !rest[body.len()..].starts_with(['{', '<', '$', '(', '[']);
        body.len() >= 16 && ends && looks_random(body) && is_secret_value(body)
    };
    places(text, "Bearer ").any(secret).then_some("a literal bearer token")
}

fn in_query(text: &str) -> Option<&'static str> {
    if !text.contains("://") {
        return None;
    }
    text.split(['?', '&'])
        .skip(1)
        .any(|pair| {
            let Some((name, value)) = pair.split_once('=') else { return false };
            let body = run(value);
            let secret_name = is_secret_name(name) || matches!(name, "key" | "appid" | "access_key" | "sig");
            secret_name
                && body.len() >= 16
                && !value[body.len()..].starts_with(['{', '<', '$'])
                && looks_random(body)
                && is_secret_value(body)
        })
        .then_some("a literal key in a URL")
}

/// Matches `name = "value"` or `"name": "value"` in code and JSON, if the name says that the value is secret.
fn assigned(text: &str) -> Option<&'static str> {
    let mut quotes = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\'' | b'`')).map(|(at, _)| at);
    quotes
        .any(|at| {
            let mark = &text[at..=at];
            let before = text[..at].trim_end_matches([' ', '\\']);
            let Some(before) = before.strip_suffix([':', '=']) else { return false };
            let before = before.trim_end().trim_end_matches([' ', '"', '\'', '`', '\\']);
            let name = before.rsplit(|c: char| !is_part(c)).next().unwrap_or_default();
            if !is_secret_name(name) {
                return false;
            }
            let rest = &text[at + mark.len()..];
            let Some((value, _)) = rest.split_once(mark) else { return false };
            let value = value.trim_end_matches('\\');
            let word = fold(name);
            let least = if word.ends_with("password") || word.ends_with("passwd") { 10 } else { 20 };
            value.len() >= least && run(value).len() == value.len() && looks_random(value) && is_secret_value(value)
        })
        .then_some("a literal key or password")
}

fn in_authority(text: &str) -> Option<&'static str> {
    places(text, "://")
        .any(|(at, _)| {
            let authority = text[at + 3..].split(['/', '?', '#', '"', '\'', ' ', '\n']).next().unwrap_or_default();
            let Some((user, _)) = authority.rsplit_once('@') else { return false };
            let Some((name, password)) = user.split_once(':') else { return false };
            !name.is_empty() && password.len() >= 8 && password != name && looks_random(password) && is_secret_value(password)
        })
        .then_some("a password in a URL")
}

/// Reports whether a value of this name is secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let folded = fold(name);
    NAMES.iter().any(|word| folded.ends_with(word)) && !folded.ends_with("maxtoken") && !folded.ends_with("nextpagetoken")
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}
