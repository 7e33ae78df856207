//! Answers that the prompt gives literally, and those that it only describes.

use super::clauses::Clause;
use super::reading::Item;
use super::tokens::Kind;
use super::world::harmless;

/// Words that are an answer by themselves.
const LITERALS: &str = "ok okay yes no hello world hi thanks done pong success true false accepted received alive healthy ja nein danke hallo oui non bonjour merci si hola \
     gracias";

/// Returns the items of a clause behind its verb, without words such as `with`.
fn behind_verb(clause: &Clause) -> &[Item] {
    let verb = clause.verbs().first().map_or(0, |at| at + 1);
    let rest = &clause.items[verb.min(clause.items.len())..];
    let skipped =
        rest.iter().take_while(|item| item.is(&["with", "just", "simply", "only", "always", "by", "mit", "avec", "con", "back"])).count();
    &rest[skipped..]
}

/// Returns what a clause quotes.
pub(super) fn quoted(clause: &Clause) -> Option<String> {
    clause.items.iter().find(|item| item.kind == Kind::Quoted).map(|item| harmless(&item.text))
}

/// Returns what a clause says literally as an answer: `answers ok`.
pub(super) fn literal(clause: &Clause) -> Option<String> {
    let rest = behind_verb(clause);
    let words = rest.iter().all(|item| item.kind == Kind::Word && item.among(LITERALS));
    (!rest.is_empty() && rest.len() <= 3 && words).then(|| rest.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(" "))
}

/// Reports whether an answer is to hold something that is not all of the data.
pub(super) fn names_something(clause: &Clause) -> bool {
    const WHOLE: &[&str] = &["message", "answer", "data", "result", "response", "item", "record", "row", "list", "object", "file"];
    let stranger =
        |item: &Item| item.kind == Kind::Word && item.service.is_none() && item.noun.is_none() && item.act.is_none() && !item.plain;
    let part = |item: &Item| item.noun.is_some_and(|noun| !WHOLE.contains(&noun));
    behind_verb(clause).iter().any(|item| stranger(item) || part(item))
}
