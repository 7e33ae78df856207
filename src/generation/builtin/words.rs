//! Words: what verbs do, what nouns name, and which words say nothing about a workflow. English, German, French and Spanish.

mod act;
mod nouns;
mod plain;
mod verbs;

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

pub(super) use act::Act;

/// Returns what a verb asks for, if the word is one.
pub(super) fn act(word: &str) -> Option<Act> {
    static ACTS: OnceLock<HashMap<&'static str, Act>> = OnceLock::new();
    let acts =
        ACTS.get_or_init(|| verbs::VERBS.iter().flat_map(|(act, words)| words.split_whitespace().map(|word| (word, *act))).collect());
    forms(word).iter().find_map(|form| acts.get(form.as_str()).copied())
}

/// Reports whether a word is a verb as often as a noun.
pub(super) fn is_also_noun(word: &str) -> bool {
    static BOTH: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let both = BOTH.get_or_init(|| verbs::ALSO_NOUNS.split_whitespace().collect());
    forms(word).iter().take(4).any(|form| both.contains(form.as_str()))
}

/// Returns the English singular that a noun stands for, if it is known.
pub(super) fn noun(word: &str) -> Option<&'static str> {
    static NOUNS: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    let nouns = NOUNS.get_or_init(|| {
        let groups = nouns::NOUNS.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let first = words.next()?;
            Some(std::iter::once((first, first)).chain(words.map(move |word| (word, first))))
        });
        groups.flatten().collect()
    });
    forms(word).iter().take(4).find_map(|form| nouns.get(form.as_str()).copied())
}

/// Reports whether a word says nothing about what a workflow does.
pub(super) fn is_plain(word: &str) -> bool {
    static PLAIN: OnceLock<HashSet<&'static str>> = OnceLock::new();
    PLAIN.get_or_init(|| plain::PLAIN.split_whitespace().collect()).contains(word)
}

/// Returns the word, its singular, and the infinitives that it may be a form of, the likeliest first.
fn forms(word: &str) -> Vec<String> {
    let mut found = vec![word.to_owned()];
    let mut add = |form: String| {
        if form.len() > 1 && !found.contains(&form) {
            found.push(form);
        }
    };
    if word.is_ascii() && word.len() > 3 {
        if let Some(stem) = word.strip_suffix("ies") {
            add(format!("{stem}y"));
        }
        if let Some(stem) = word.strip_suffix("es").filter(|stem| stem.ends_with(['s', 'x', 'h', 'z', 'o'])) {
            add(stem.to_owned());
        }
        if let Some(stem) = word.strip_suffix('s').filter(|stem| !stem.ends_with('s')) {
            add(stem.to_owned());
        }
        for ending in ["ed", "ing"] {
            let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.len() > 1) else { continue };
            add(stem.to_owned());
            add(format!("{stem}e"));
            if let Some(stem) = stem.strip_suffix('i').filter(|_| ending == "ed") {
                add(format!("{stem}y"));
            }
            let bytes = stem.as_bytes();
            if bytes.len() > 2 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2] {
                add(stem[..stem.len() - 1].to_owned());
            }
        }
    }
    found
}

/// Reports whether a word is one of a list, which blanks part.
pub(super) fn is_among(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_known_in_their_forms() {
        for (word, wanted) in [
            ("sends", Some(Act::Send)),
            ("sent", Some(Act::Send)),
            ("notified", Some(Act::Send)),
            ("stopped", Some(Act::Stop)),
            ("storing", Some(Act::Create)),
            ("summarises", Some(Act::Summarize)),
            ("uploaded", Some(Act::Upload)),
            ("schicke", Some(Act::Send)),
            ("envoie", Some(Act::Send)),
            ("guarda", Some(Act::Create)),
            ("compare", Some(Act::Unsupported)),
            ("banana", None),
        ] {
            assert_eq!(act(word), wanted, "{word}");
        }
    }

    #[test]
    fn nouns_are_known_in_four_languages() {
        for (word, wanted) in [
            ("orders", Some("order")),
            ("rechnungen", Some("invoice")),
            ("factures", Some("invoice")),
            ("pedido", Some("order")),
            ("entries", Some("record")),
            ("qwerty", None),
        ] {
            assert_eq!(noun(word), wanted, "{word}");
        }
        assert!(is_plain("the") && is_plain("und") && !is_plain("order"));
    }

    #[test]
    fn no_word_is_listed_twice_with_two_meanings() {
        let mut seen: HashMap<&str, Act> = HashMap::new();
        for (act, words) in verbs::VERBS {
            for word in words.split_whitespace() {
                let other = seen.insert(word, *act);
                assert!(other.is_none_or(|other| other == *act), "{word} is {other:?} and {act:?}");
            }
        }
        let mut nouns: HashMap<&str, &str> = HashMap::new();
        for line in nouns::NOUNS.lines() {
            let first = line.split_whitespace().next().unwrap_or_default();
            for word in line.split_whitespace() {
                let other = nouns.insert(word, first);
                assert!(other.is_none_or(|other| other == first), "{word} is {other:?} and {first}");
            }
        }
    }
}
