//! Reminders: the text is what the prompt reminds of.

use super::clauses::Clause;
use super::tokens::Kind;
use super::world::harmless;

const REMINDS: &str = "remind reminds reminding erinnere erinnern erinnert rappelle rappeler rappelez recuerda recordar recuerde recuerdale recuerdame recuerdanos recordarme";
const OF: &str = "to of about for that an daran de d que pour para fur";

/// Returns the text of a reminder: what stands behind `to`, `of` or the like and names no place.
pub(super) fn text(clause: &Clause) -> Option<String> {
    let verb = clause.items.iter().position(|item| item.among(REMINDS) || item.noun == Some("reminder"))?;
    let german = clause.items[verb].word.starts_with("erinner");
    let items = if german && verb + 1 == clause.items.len() { &clause.items[..verb] } else { &clause.items[verb + 1..] };
    // The people and the place come first; `to` and `of` open what it is about.
    let opens = (0..items.len()).rev().find(|at| {
        let next = items.get(at + 1);
        items[*at].among(OF)
            && next.is_some_and(|next| {
                next.service.is_none() && next.kind == Kind::Word && !next.is(&["me", "us", "them", "everyone", "team", "equipo", "equipe"])
            })
    })?;
    let first = (0..=opens).find(|at| {
        items[*at].among(OF) && items[at + 1..].iter().take(2).all(|item| item.service.is_none()) && !is_team(&items[at + 1..])
    })?;
    let rest = &items[first + 1..];
    let place = |at: usize| {
        rest[at].service.is_some()
            || rest[at].is(&["with", "mit", "avec", "con"])
                && rest[at + 1..].iter().take(3).any(|item| item.is(&["subject", "betreff", "objet", "asunto"]))
            || rest[at].is(&["in", "on", "via", "per", "by", "through", "using", "to", "sur", "par", "en", "uber", "auf", "por"])
                && rest[at + 1..].iter().take(2).any(|item| item.service.is_some())
    };
    let about: Vec<&str> = (0..rest.len())
        .take_while(|at| rest[*at].kind == Kind::Word && !place(*at))
        .skip_while(|at| rest[*at].is(&["the", "den", "die", "das", "der", "dem", "la", "le", "el"]))
        .map(|at| rest[at].text.as_str())
        .collect();
    let about_enough = about.len() > 1 || about.iter().any(|word| word.len() > 4);
    about_enough.then(|| harmless(&format!("Reminder: {}", about.join(" "))))
}

/// Reports whether a clause asks for a reminder and says nothing of what: the user gives its text.
pub(super) fn is_bare(clause: &Clause) -> bool {
    let reminder = clause.items.iter().any(|item| item.noun == Some("reminder"));
    let place = |item: &super::reading::Item| {
        item.service.is_some()
            || item.is_verb
            || item.kind != Kind::Word
            || matches!(item.noun, Some("reminder" | "channel" | "team" | "group" | "chat" | "message" | "mail"))
            || item.plain && item.noun.is_none() && item.act.is_none()
    };
    reminder && !clause.items.iter().any(|item| item.kind == Kind::Quoted) && clause.items.iter().all(place)
}

fn is_team(items: &[super::reading::Item]) -> bool {
    items.iter().take(2).any(|item| item.is(&["team", "teams", "equipo", "equipe", "everyone", "everybody", "us", "me", "colleagues"]))
}
