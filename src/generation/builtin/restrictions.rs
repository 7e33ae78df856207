//! Words that choose among things or among times, and that nothing in the workflow accounts for. Without them it would do more, or something else, than
//! what is asked for.

use std::collections::BTreeSet;

use super::choices;
use super::clauses;
use super::flow::{Flow, written};
use super::reading::Item;
use super::schedule_words::{DAYS, UNITS};
use super::stuck::Stuck;
use super::tokens::Kind;

/// Words that leave something out, or that say until when something holds.
const LIMITS: &str = "during between outside wahrend zwischen ausserhalb pendant durante except unless without until excluding besides unlike ausser ohne sauf sans jusque jusqu salvo excepto sin hasta";
const NEGATIONS: &str = "not never nicht kein keine keinen pas jamais nunca isnt arent dont doesnt";
const DAYTIMES: &str =
    "today todays tomorrow tomorrows yesterday yesterdays tonight weekend weekends heute gestern wochenende hier aujourd hoy ayer";
const WHICH: &str = "this last next past previous current coming diese dieser dieses diesen letzte letzten letzter nachste nachsten cette derniere dernieres prochaine \
     esta este ultima ultimos ultimas proxima pasada";
/// Words for a choice that needs an order or a comparison.
const EXTREMES: &str = "oldest highest lowest largest biggest smallest cheapest longest shortest unread";

/// Finds such a word.
pub(super) fn unaccounted(flow: &Flow<'_>, items: &[Item], used: &BTreeSet<usize>) -> Option<Stuck> {
    let texts: Vec<String> = flow.nodes.iter().map(written).collect();
    let lower: Vec<String> = texts.iter().chain(&flow.assumptions).map(|text| text.to_lowercase()).collect();
    let is_written = |text: &str| {
        let text = text.to_lowercase();
        lower.iter().any(|own| own.contains(&text))
    };
    let tests = flow.nodes.iter().any(|node| !node.when.is_empty() || node.on_error.is_some() || node.kind == "sentimentAnalysis");
    let period = texts.iter().any(|node| node.contains("timeMin") || node.contains("now.minus") || node.contains("resume"));
    let found = items.iter().enumerate().find(|(at, item)| {
        if used.contains(at) || item.kind != Kind::Word || item.service.is_some() || is_written(&item.text) {
            return false;
        }
        let before = at.checked_sub(1).map(|before| &items[before]);
        let chosen = before.is_some_and(|before| {
            before.among(WHICH) || before.number().is_some() || before.is(&["after", "before", "within", "nach", "vor", "apres", "avant"])
        });
        let unit = UNITS.iter().any(|(_, words)| item.among(words)) && chosen;
        let time = item.among(DAYTIMES) || DAYS.iter().any(|(_, words)| item.among(words)) || unit;
        time && !period || item.among(LIMITS) && !tests || item.among(NEGATIONS) && !tests || item.among(EXTREMES)
    });
    found.map(|(_, item)| Stuck::Unknown(format!("what “{}” changes", crate::text::one_line(&item.text, 40))))
}

/// Finds a word of a start that may say what happens, where no other word of it does: `cuando falle un pago`.
pub(super) fn unknown_event(items: &[Item]) -> Option<Stuck> {
    let known = items.iter().any(|item| {
        clauses::is_event_word(&item.word)
            || choices::compares(item)
            || item.act.is_some()
            || item.among("listen listens consume consumes new incoming every each any all whatever whenever neue neuer neues neuen jede jeder jedes nouveau nouvelle nouveaux nouvel chaque nuevo nueva nuevos cada")
    });
    let strange = |item: &&Item| {
        item.kind == Kind::Word
            && item.service.is_none()
            && item.vendor.is_none()
            && item.noun.is_none()
            && !item.plain
            && !item.name
            && item.joint.is_none()
    };
    items
        .iter()
        .find(strange)
        .filter(|_| !known)
        .map(|item| Stuck::Unknown(format!("what happens: “{}”", crate::text::one_line(&item.text, 40))))
}

/// Reports whether a word that nothing explains names the things that are asked for: `post the birthdays from the sheet`.
pub(super) fn is_thing(items: &[Item], at: usize) -> bool {
    let before = at.checked_sub(1).is_some_and(|before| {
        items[before].among("the our my all new their your der die das den unsere meine neue neuen les nos mes los las nuestros")
    });
    let next = items.get(at + 1).is_none_or(|next| {
        next.kind != Kind::Word
            || next.is_verb
            || next.among("from of in to into on and with by via aus von in an und de du des dans et del en y become becomes")
    });
    before && next && !chooses(&items[at].word)
}

/// Reports whether a word that nothing explains is what a message is to tell of a thing: `the value of the deal`.
pub(super) fn is_attribute(items: &[Item], at: usize) -> bool {
    let before = at.checked_sub(1).is_some_and(|before| items[before].among("the its their his her der die das le la el"));
    let of = items.get(at + 1).is_some_and(|next| next.among("of von des de del du") && next.joint.is_none());
    before && of && items.get(at + 2).is_some_and(|next| next.service.is_none())
}

/// Reports whether a word before a noun chooses among things: `unresolved tickets`.
pub(super) fn is_choice(items: &[Item], at: usize) -> bool {
    let names = items.get(at + 1).is_some_and(|next| next.noun.is_some() && !next.is_verb || next.service.is_some());
    names && chooses(&items[at].word)
}

/// Reports whether a word looks like an adjective or a participle that chooses among things.
fn chooses(word: &str) -> bool {
    const ENDINGS: &[&str] = &["ed", "able", "ible", "ive", "less", "ful", "ous", "ete", "ten", "bare", "lichen"];
    const BEGINNINGS: &[&str] = &["un", "non", "over", "in"];
    word.len() > 4
        && (ENDINGS.iter().any(|end| word.ends_with(end)) && !word.ends_with("sten")
            || BEGINNINGS.iter().any(|begin| word.starts_with(begin) && word.len() > 7))
}
