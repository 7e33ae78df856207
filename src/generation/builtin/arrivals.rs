//! Starts that a request has within: `save each attachment that arrives in my Gmail inbox to …`, `a card for each mail`, `as soon as it is published`.

use super::clauses::{self, Clause, Role};
use super::reading::Item;
use super::services::Lexicon;
use super::starts::{self, Start};
use super::tokens::Kind;
use super::words::Act;

const EACH: &str = "every each any all jede jeden jedes jeder alle chaque cada todos todas tous toutes";
const RELATIVES: &str = "that which who where die der das welche wo qui que ou donde";
/// Verbs for things that are not there yet.
const MAKES: &str = "create add make write erstelle erstellen schreibe cree creer crea crear ajoute agrega anade escribe";
/// Words before the place to which things go.
const TO: &str = "to into in onto on with via by using per as mit an nach auf als avec par con por through en dans sur";
/// Things that arrive, rather than being there.
const ARRIVING: &[&str] = &[
    "message",
    "mail",
    "order",
    "submission",
    "response",
    "commit",
    "payment",
    "event",
    "review",
    "audio",
    "sms",
    "alert",
    "comment",
    "lead",
    "request",
    "attachment",
    "signup",
    "feedback",
    "ticket",
    "issue",
    "article",
    "image",
];

/// Finds the things that start the workflow within a request. Returns the start and the range of the items that describe it.
pub(super) fn arriving(items: &[Item], lexicon: &Lexicon) -> Option<(Start, usize, usize)> {
    if items.iter().any(|item| item.among("should must shall soll sollen doit doivent debe deben")) {
        return None;
    }
    let verb = items.iter().position(|item| item.is_verb && !matches!(item.act, None | Some(Act::Light)))?;
    let each = (verb + 1..items.len()).find(|at| items[*at].among(EACH));
    let relative = (verb + 2..items.len()).find(|at| describes(items, *at));
    let several = (verb + 1..items.len()).find(|at| is_plural(items, *at));
    let mark = relative.or(each).or(several)?;
    let alone = relative.is_none();
    let object = each.filter(|at| *at <= mark).unwrap_or(verb + 1);
    let prefixed = object > verb + 1 && items[object - 1].is(&["for", "per", "fur", "pour", "para", "por"]);
    let from = if prefixed { object - 1 } else { object };
    // `mails from … in Gmail`: the service that has them says where they come from.
    let mailbox = (mark..items.len()).find(|at| {
        let own = items[*at].service.map(|at| lexicon.services[at].key.as_str());
        matches!(own, Some("gmail" | "microsoftOutlook"))
            && items[at.saturating_sub(2)..*at].iter().any(|item| item.is(&["in", "of", "from", "my", "our"]))
    });
    let mail = items[mark..].iter().take(2).any(|item| item.noun == Some("mail"));
    let key = mailbox.filter(|_| mail).or_else(|| {
        (mark..items.len()).find(|at| {
            let found = starts::detect(&items[object..=*at], lexicon);
            found.is_some_and(|start| matches!(start, Start::Service(_) | Start::Mail | Start::Feed | Start::Form | Start::Webhook))
        })
    })?;
    // `lands in our inbox` says where it arrives.
    let arrival = |item: &Item| clauses::is_event_word(&item.word) || item.act == Some(Act::Light);
    // `every message I get` describes it, and what follows does not.
    let gotten = |at: usize| {
        items[at].is(&["get", "receive", "send"]) && items[at - 1].is(&["i", "we", "you", "people", "they", "customers", "users"])
    };
    // `for each mail to support@example.com`, `messages that start with …`.
    let own = |at: usize| {
        items.get(at + 1).is_some_and(|next| next.kind == Kind::Mail) && items[at - 1].noun == Some("mail")
            || items[at - 1].among("start starts begin begins starting beginning")
    };
    let to = (key + 1..items.len())
        .find(|at| {
            !own(*at) && items[*at].among(TO) && (!arrival(&items[*at - 1]) || gotten(*at - 1))
                || items[*at].is_verb && !arrival(&items[*at]) && !gotten(*at)
        })
        .unwrap_or(items.len());
    let start = starts::detect(&items[object..to], lexicon)?;
    let happens = items[mark..to].iter().any(|item| {
        clauses::is_event_word(&item.word) || item.is(&["get", "gets", "put", "show", "shows", "start", "starts", "begin", "begins"])
    });
    let arrives = items[object..to].iter().any(|item| item.noun.is_some_and(|noun| ARRIVING.contains(&noun)));
    let reads = matches!(items[verb].act, Some(Act::Get | Act::Delete | Act::Update | Act::Call));
    // Plurals without `each` are only certain where things are kept, or are said to come from there: `send Slack messages` makes them.
    let kept = matches!(items[verb].act, Some(Act::Create | Act::Upload)) && !items[verb].among(MAKES) && key == mark;
    let from_there = items[object..key].iter().any(|item| item.is(&["from", "of", "de", "del", "von", "aus"]));
    let certain = if relative.or(each).is_none() {
        matches!(start, Start::Service(_)) && !reads && (kept || from_there)
    } else if alone {
        arrives && !reads && (prefixed || !matches!(start, Start::Service(_)) || follows(items, object, key))
    } else {
        happens
    };
    certain.then_some((start, from, to))
}

/// Reports whether an item names things of which each that comes is meant: `save Gmail attachments to …`.
fn is_plural(items: &[Item], at: usize) -> bool {
    const COMING: &[&str] = &["message", "mail", "submission", "response", "payment", "attachment", "signup", "audio", "sms"];
    let chosen = items[..at].iter().any(|item| {
        item.among("a an one last latest today todays open unread top first old ein eine un une una letzten derniers ultimos no")
            || item.number().is_some()
    });
    items[at].noun.is_some_and(|noun| COMING.contains(&noun)) && !items[at].is_verb && items[at].word.ends_with('s') && !chosen
}

/// Reports whether a service directly says whose things these are: `each message in Slack`.
fn follows(items: &[Item], object: usize, key: usize) -> bool {
    items[object..key].iter().any(|item| item.is(&["in", "of", "from", "on", "an", "von", "aus", "de", "du", "del", "our", "my"]))
        || key <= object + 2
}

/// Reports whether a relative clause begins at an item, or a participle that stands for one: `the commits pushed to …`.
fn describes(items: &[Item], at: usize) -> bool {
    let named = |item: &Item| {
        item.is(&["everyone", "everybody", "anyone", "those", "people", "all"])
            || item.noun.is_some()
            || item.service.is_some()
            || !item.plain
    };
    let after = named(&items[at - 1]) && !items[at - 1].is_verb;
    let placed = items.get(at + 1).is_some_and(|next| next.is(&["to", "in", "on", "by", "via", "into", "through", "at"]));
    let participle =
        items[at].is(&["sent", "uploaded", "pushed", "posted", "added", "created", "received", "submitted", "opened", "published", "paid"]);
    after && (items[at].among(RELATIVES) && items.get(at + 1).is_some_and(|next| next.service.is_none()) || participle && placed)
}

/// Returns the items of a request without those that describe the start; `None` if they ask for nothing.
pub(super) fn without(items: &[Item], from: usize, to: usize) -> Option<Vec<Item>> {
    let mut rest = items[..from].to_vec();
    rest.extend_from_slice(&items[to..]);
    let asks = rest.iter().any(|item| item.is_verb && !matches!(item.act, None | Some(Act::Light | Act::Get)));
    let places = rest.iter().any(|item| item.service.is_some() || item.is_value() || item.vendor.is_some());
    (asks || places && rest.iter().any(|item| item.is_verb)).then_some(rest)
}

/// Finds what a start means that says only `as soon as it is published`: the object of the step before it. Takes both out of the clauses.
pub(super) fn of_pronoun(clauses: &mut Vec<Clause>, at: usize, lexicon: &Lexicon) -> Option<(Start, Vec<Item>)> {
    let own = &clauses[at];
    let pronoun = own.items.first().is_some_and(|item| item.is(&["it", "they", "one", "es", "sie", "er", "il", "elle", "ils"]));
    let before = at.checked_sub(1).map(|before| &clauses[before])?;
    if own.items.len() > 6 || !pronoun || own.role != Role::Start || before.role != Role::Step || !starts::says_event(&own.items) {
        return None;
    }
    let items = &before.items;
    let verb = items.iter().position(|item| item.is_verb)?;
    let to = (verb + 1..items.len())
        .find(|at| items[*at].is(&["to", "into", "in", "via", "by", "with", "per", "an", "sur", "par", "en"]))
        .unwrap_or(items.len());
    let start =
        starts::detect(&items[verb + 1..to], lexicon).filter(|start| matches!(start, Start::Service(_) | Start::Feed | Start::Mail))?;
    let subject = items[verb + 1..to].to_vec();
    let rest = without(items, verb + 1, to)?;
    clauses[at - 1].items = rest;
    clauses.remove(at);
    Some((start, subject))
}
