//! Values that a node is filled in from: what its clause says, and what the data has.

use super::clauses::Clause;
use super::data::Data;
use super::fill::Source;
use super::flow::Flow;
use super::mails;
use super::names;
use super::tokens::Kind;
use super::world::harmless;

/// Returns what a node of a clause is filled in from.
pub(super) fn source(flow: &Flow<'_>, clause: &Clause, kind: &str, nouns: &[&str]) -> Source {
    let find = |wanted: Kind| clause.items.iter().find(|item| item.kind == wanted).map(|item| item.text.clone());
    let quoted = find(Kind::Quoted);
    let prefix = kind.split('.').next().unwrap_or(kind).to_owned();
    let made = flow.made.as_ref().map(|code| format!("{{{{{code}}}}}"));
    let noun = if flow.data.noun.is_empty() { "item" } else { flow.data.noun.as_str() };
    let text = made.clone().unwrap_or_else(|| match &flow.collected {
        Some(id) if counts(clause) => format!("{}: {{{{ {id}.items.length }}}}", capital(&plural(noun))),
        Some(id) => joined(id, &flow.data, nouns),
        None if flow.data.node.is_empty() => String::new(),
        None => flow.data.text(nouns),
    });
    let own = mails::subject(clause).map(|subject| harmless(&subject));
    let title = match (flow.data.title(), &flow.collected) {
        _ if own.is_some() => own.unwrap_or_default(),
        (Some(title), None) => title,
        (_, Some(_)) => capital(&plural(noun)),
        (None, None) => format!("New {noun}"),
    };
    let mail = find(Kind::Mail).or_else(|| find(Kind::Phone));
    let me = clause.items.iter().any(|item| {
        item.is(&["me", "us", "mir", "uns", "mich", "moi", "nous", "team", "everyone", "everybody", "boss", "manager", "hr", "colleagues"])
    }) || clause.items.iter().any(|item| item.is(&["avisame", "enviame", "mandame"]));
    let address = column(clause).and_then(|name| flow.read(&name)).or_else(|| flow.address());
    let places = names::places(&clause.items);
    let chat = places.iter().find(|(place, _)| *place == "chat").map(|(_, name)| name.clone());
    let recipient = match mail {
        Some(mail) => Some(mail),
        None if me || address.is_none() || !to_sender(clause) => Some("?recipient".to_owned()),
        None => None,
    };
    Source {
        text,
        title,
        address,
        recipient,
        channel: find(Kind::Channel).or_else(|| named_channel(clause)).or(chat),
        places,
        search: quoted,
        city: city(clause),
        all: clause.items.iter().any(|item| item.among("all every complete entire alle allen samtliche tous toutes todos todas")),
        data: flow.data.clone(),
        prefix,
        ..Source::default()
    }
}

/// Returns the column or field with the address of the recipient, as the prompt writes it: `the address in the column Email`.
fn column(clause: &Clause) -> Option<String> {
    let at = clause.items.iter().position(|item| item.among("column field spalte feld colonne champ columna campo"))?;
    let behind = clause.items.get(at + 1).filter(|item| item.kind == Kind::Quoted || item.kind == Kind::Word && (!item.plain || item.name));
    behind.map(|item| item.text.clone())
}

/// Returns a channel that is quoted: `the 'alerts' channel`.
fn named_channel(clause: &Clause) -> Option<String> {
    let at = clause.items.iter().position(|item| item.kind == Kind::Quoted)?;
    let beside = clause.items.get(at + 1).or_else(|| at.checked_sub(1).map(|before| &clause.items[before]));
    beside.filter(|item| item.noun == Some("channel")).map(|_| format!("#{}", clause.items[at].text.trim_start_matches('#')))
}

/// Returns the name of a city: `the weather in Hamburg`.
pub(super) fn city(clause: &Clause) -> Option<String> {
    let of = |item: &super::reading::Item| item.is(&["in", "for", "of", "at", "fur", "von", "a", "de", "pour", "en", "para"]);
    let two = clause
        .items
        .windows(2)
        .find(|two| of(&two[0]) && two[1].name && two[1].kind == Kind::Word && two[1].service.is_none() && two[1].noun.is_none())?;
    Some(two[1].text.clone())
}

fn plural(noun: &str) -> String {
    if noun.ends_with('s') { noun.to_owned() } else { format!("{noun}s") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns the text about all items that a node collected.
fn joined(id: &str, data: &Data, nouns: &[&str]) -> String {
    format!("{{{{ {id}.items.map(item => '• ' + {}).join('\\n') }}}}", data.line(nouns))
}

/// Reports whether a clause speaks to the person that the item is about.
pub(super) fn to_sender(clause: &Clause) -> bool {
    const SENDERS: &str = "back sender them him her person address adresse submitter applicant visitor absender kunden zuruck thread customer \
        client user lead subscriber requester reporter author buyer guest participant invitee customers candidate applicants subscribers attendee reporters absenderin expediteur remitente";
    let is_person = |noun| matches!(noun, Some("customer" | "contact" | "address" | "user" | "lead" | "visitor"));
    clause.items.iter().any(|item| item.among(SENDERS) || is_person(item.noun))
}

/// Reports whether a clause asks for how many items there are, and not for the items.
pub(super) fn counts(clause: &Clause) -> bool {
    let pair = |one: &[&str], other: &[&str]| clause.items.windows(2).any(|two| two[0].is(one) && two[1].is(other));
    pair(&["number", "count", "amount"], &["of"])
        || pair(&["how"], &["many"])
        || pair(&["anzahl"], &["der", "von", "aller", "neuer"])
        || pair(&["nombre"], &["de", "des", "d"])
        || pair(&["numero", "cantidad"], &["de"])
        || clause.items.iter().any(|item| item.is(&["wieviele", "combien", "cuantos", "cuantas"]))
}
