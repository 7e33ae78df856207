//! Subjects and texts that the prompt gives to a message: `with the subject "Weekly close"`, `saying the report is due`.

use super::clauses::Clause;
use super::reading::Item;
use super::tokens::Kind;
use super::words::Act;

const FORWARDS: &str = "forward forwards weiterleiten leite transmets reenvia";
const SAYING: &[&str] = &["saying", "says", "reading"];

/// The mails that the description of a start means.
#[derive(Default)]
pub(super) struct Mails {
    pub from: Option<String>,
    pub to: Option<String>,
    /// Address of the mailbox.
    pub mailbox: Option<String>,
}

/// Returns what the description of a start says of its mails: `an email from billing@example.com with an attachment`.
pub(super) fn of_start(items: &[Item]) -> Mails {
    let mut found = Mails::default();
    for (at, item) in items.iter().enumerate().filter(|(_, item)| item.kind == Kind::Mail) {
        let before = items[..at]
            .iter()
            .rev()
            .take(3)
            .find(|item| item.among("from by von de of to an at a para in inbox mailbox postfach boite buzon our"));
        let address = Some(item.text.clone());
        match before {
            Some(word) if word.is(&["from", "by", "von", "de", "of"]) => found.from = address,
            Some(word) if word.is(&["to", "an", "at", "a", "para"]) => found.to = address,
            _ => found.mailbox = address,
        }
    }
    found
}

/// Returns the place of the quotation that is the subject of the mail that a clause asks for, rather than that of one that came.
pub(super) fn subject_at(items: &[Item]) -> Option<usize> {
    let word = items.iter().position(|item| item.is(&["subject", "betreff", "objet", "asunto"]))?;
    let quoted = (word + 1..items.len().min(word + 4)).find(|at| items[*at].kind == Kind::Quoted)?;
    let sends = items.iter().any(|item| item.is_verb && matches!(item.act, Some(Act::Send | Act::Create)) && !item.among(FORWARDS));
    // `mails with the subject "Invoice"` are those that came.
    let came = word.saturating_sub(3)..word;
    let several =
        items[came].iter().any(|item| item.is(&["mails", "emails", "messages", "nachrichten", "correos", "mensajes"]) && !item.is_verb);
    (sends && !several).then_some(quoted)
}

/// Reports whether a clause has the whole mail sent on.
pub(super) fn forwards(clause: &Clause) -> bool {
    clause.items.iter().any(|item| item.among(FORWARDS))
}

/// Returns the subject that a clause gives to its mail.
pub(super) fn subject(clause: &Clause) -> Option<String> {
    subject_at(&clause.items).map(|at| clause.items[at].text.clone())
}

/// Returns the text that a clause gives to its message without quoting it.
pub(super) fn said(clause: &Clause) -> Option<String> {
    let items = &clause.items;
    let at = items.iter().position(|item| item.is(SAYING) || item.is(&["that", "dass"]) && item.joint.is_none())?;
    // `a bot that answers` and `the file that was uploaded` describe something.
    let sends = items[..at].iter().any(|item| item.is_verb && item.act == Some(Act::Send));
    let named = at.checked_sub(1).is_some_and(|before| items[before].noun.is_some() && !items[at].is(SAYING));
    let rest = &items[at + 1..];
    let words =
        rest.iter().all(|item| item.kind == Kind::Word && item.service.is_none() || matches!(item.kind, Kind::Number(_) | Kind::Time(_)));
    if !sends || named || !words || rest.len() < 3 {
        return None;
    }
    let skip = usize::from(items[at].is(SAYING) && rest[0].is(&["that"]));
    let mut text: Vec<&str> = rest[skip..].iter().map(|item| item.text.as_str()).collect();
    let first = text.first().copied().unwrap_or_default();
    let capital: String = first.chars().take(1).flat_map(char::to_uppercase).chain(first.chars().skip(1)).collect();
    if let Some(first) = text.first_mut() {
        *first = &capital;
    }
    Some(text.join(" "))
}
